"""How far saliency maps agree: of a pruned network, of one trained anew, of one with permuted weights, of other widths.

A map is the absolute gradient of the logit by the pixels. That of the probability, which the paper looks at, is the
same map times one number an image, and so has the same ranks and the same most salient pixels.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.networks import Draw, Examples, Task, Theta, Trial, initial_theta, network, pruned
from experiments.low_capacity.published import CLOSE_SHARE, CLOSE_WIDTH
from experiments.trials import stream
from npnet.backprop import probabilities
from npnet.derivatives import input_gradient
from npnet.fast import Training, forward
from npnet.metrics import predict
from npnet.mlp import MLP
from npnet.ranks import rank_correlation
from npnet.saliency import randomisations, scaled_inputs

REPLICA, UNTRAINED = "trained anew", "before training"
LAST_PERMUTED, BOTH_PERMUTED = "last layer permuted", "both layers permuted"
MAPS = 100  # images whose maps are compared
SHOWN = ("divided twice", "pruned", REPLICA)  # beside the dense network's
STEPS = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5, 1e-6, 1e-7)  # the paper's is the first

Array = NDArray[Any]


def measure(
    trials: Sequence[Trial], trainings: Sequence[Training], replicas: Sequence[Training], examples: Task
) -> list[dict[str, Any]]:
    """Compare the maps of the trained networks of one `train_group`, each with those of others.

    `replicas` are the same networks, trained from another draw.

    Returns
    -------
    list of dict
        "saliency": a row for each of the networks of `_others`, the "other", and of "h24", the paper's width, in
        networks of another width: the `agreement` of its maps with the dense network's.
        "maps", "forward_difference": for the paper's width, see `_maps` and `_errors`.
    """
    nets, test = [network(trial, examples) for trial in trials], examples.test
    thetas, anew = ([training.theta for training in each] for each in (trainings, replicas))
    dense = [_map(net, theta, test) for net, theta in zip(nets, thetas, strict=True)]
    paper = next((maps for trial, maps in zip(trials, dense, strict=True) if trial.width == CLOSE_WIDTH), None)
    results = []
    for trial, net, theta, replica, maps in zip(trials, nets, thetas, anew, dense, strict=True):
        others = _others(trial, net, theta, replica)
        compared = {name: _map(net, other, test) for name, other in others.items()}
        if paper is not None and trial.width != CLOSE_WIDTH:
            compared[f"h{CLOSE_WIDTH}"] = paper
        rows = [{"other": name} | agreement(maps, other) for name, other in compared.items()]
        result: dict[str, Any] = {"saliency": rows}
        if trial.width == CLOSE_WIDTH:
            shown = _shown(net, theta, test)
            result["maps"] = _maps(net, {"dense": theta} | {name: others[name] for name in SHOWN}, test, shown)
            result["forward_difference"] = _errors(net, theta, test.images[shown])
        results.append(result)
    return results


def agreement(maps: Array, others: Array) -> dict[str, float]:
    """How far two sets of maps agree: means over images.

    "rank_correlation" is Spearman's, 0 for a constant map, which correlates with nothing; "overlap" is the share of the
    5 % most salient pixels that both have. Below 1 for equal maps with fewer pixels than that which are not 0.
    """
    constant = (maps == maps[:, :1]).all(axis=1) | (others == others[:, :1]).all(axis=1)
    ranks = np.where(constant, 0.0, rank_correlation(maps, others))
    return {"rank_correlation": float(ranks.mean()), "overlap": float(overlap(maps, others).mean())}


def _map(net: MLP, theta: Theta, test: Examples) -> Array:
    return np.abs(input_gradient(net, theta, test.images[:MAPS]))


def _others(trial: Trial, net: MLP, theta: Theta, replica: Theta) -> dict[str, Theta]:
    """What a network's maps are compared with.

    The network pruned by 95 %, and by 0.95 %, as the released code does when asked for 95 %; one trained anew on the
    same data; and, as sanity checks of Adebayo et al. 2018 (arXiv 1810.03292), the network with the weights of its last
    layer permuted, with those of both layers permuted, and as it was before training.
    """
    (_, last), (_, both) = randomisations(net, theta, stream(Draw.PERMUTATION, trial.seed), cascading=True)
    return {
        "divided twice": pruned(net, theta, CLOSE_SHARE / 100),
        "pruned": pruned(net, theta, CLOSE_SHARE),
        REPLICA: replica,
        LAST_PERMUTED: last,
        BOTH_PERMUTED: both,
        UNTRAINED: initial_theta(trial, net),
    }


def _shown(net: MLP, theta: Theta, test: Examples) -> list[int]:
    """Indices of the first right and the first wrong answer on each digit; what there is not is left out."""
    right = predict(forward(net, theta, test.images)) == test.labels
    found = [np.flatnonzero((test.labels == label) & (right == answer)) for label in (0, 1) for answer in (True, False)]
    return [int(indices[0]) for indices in found if indices.size]


def _maps(net: MLP, thetas: dict[str, Theta], test: Examples, shown: Sequence[int]) -> list[dict[str, Any]]:
    """Input gradients of the logit of each network, to six digits; "right" says whether the dense one is."""
    right = predict(forward(net, thetas["dense"], test.images[shown])) == test.labels[shown]
    maps = {name: input_gradient(net, theta, test.images[shown]) for name, theta in thetas.items()}
    return [
        {"label": int(test.labels[index]), "right": bool(right[row]), "image": test.images[index].tolist()}
        | {name: [float(f"{value:.6g}") for value in values[row]] for name, values in maps.items()}
        for row, index in enumerate(shown)
    ]


def _errors(net: MLP, theta: Theta, images: Array) -> list[dict[str, float]]:
    """How far the paper's forward difference of the probability is from the gradient, step by step, in float64.

    "error" is ‖difference - gradient‖ / ‖gradient‖, the mean over `images`; NaN if a gradient is 0.
    """
    theta = theta.astype(np.float64)
    gradient = input_gradient(net, theta, images, "probability")
    rows = []
    for step in STEPS:
        distance = np.linalg.norm(forward_difference(net, theta, images, step=step) - gradient, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rows.append({"step": step, "error": float(np.mean(distance / np.linalg.norm(gradient, axis=1)))})
    return rows


def forward_difference(net: MLP, theta: Theta, x: Array, *, step: float) -> Array:
    """(p(x + step e_k) - p(x)) / step for every input k, what the gradient of the probability is the limit of.

    The paper takes its maps so, with a step of 0.1. Costs one forward pass for each input.
    """

    def probability(examples: Array) -> Array:
        return probabilities(net, forward(net, theta, examples))[:, 0]

    inputs = scaled_inputs(net, theta, x)
    steps = step * np.eye(net.inputs, dtype=inputs.dtype)
    return np.stack([(probability(row + steps) - probability(row[None])) / step for row in inputs])


def overlap(a: Array, b: Array, share: float = 0.05) -> NDArray[np.float64]:
    """Share of the most salient inputs of each map in `a` that are among the most salient of `b` too, (n,).

    The most salient are the round(`share` * inputs), at least one, of largest absolute value (of equal ones the first);
    zeros are never among them, so a map of zeros overlaps with nothing. Unlike a rank correlation this does not
    suffer from the many ties of a pruned network's map. NaN where a map holds a NaN.
    """
    k = max(1, round(share * a.shape[1]))
    shared = _most_salient(a, k) & _most_salient(b, k)
    unknown = np.isnan(a).any(axis=1) | np.isnan(b).any(axis=1)
    return np.where(unknown, np.nan, shared.sum(axis=1) / k)


def _most_salient(maps: Array, k: int) -> NDArray[np.bool_]:
    sizes = np.abs(maps)
    smallest = np.partition(sizes, -k, axis=1)[:, -k, None]
    larger, equal = sizes > smallest, sizes == smallest
    # Of those as large as the smallest that is chosen, the first ones fill the places that are left.
    left = k - larger.sum(axis=1, keepdims=True)
    return np.asarray((larger | (equal & (equal.cumsum(axis=1) <= left))) & (sizes != 0))
