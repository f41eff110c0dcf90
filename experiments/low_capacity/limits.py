"""How sparse can the networks be? Accuracy on the test examples against the true sparsity, method by method.

One-shot
    The smallest weights of the trained network go, ranked in each layer by itself, as the paper does, or all together;
    nothing is trained again.
One-shot, fine-tuned
    The same with the global ranking, and then trained on (Han et al. 2015).
Iterative, fine-tuned
    The levels in turn: prune what the level before left, train on.
Iterative, rewound
    Lottery tickets (Frankle & Carbin 2019): as before, but what survives goes back to its initial value before it is
    trained.
Random mask, and rewound mask with new weights
    The two controls of a ticket: in each layer as many weights in places drawn at random, with their initial values;
    and the same places with other initial values.

All that is trained again is ranked globally: layer by layer, 95 % would leave one output weight up to h20, and 19 of 20
hidden units without effect, as places drawn without regard to layers would. The price is that hidden units may lose all
their inputs, so those are counted. It is trained as the dense networks are, with the same learning rate and until the
validation loss stops falling: fine-tuning at 90, 98 and 99.5 % on 4v9 and 0v1, a tenth of the rate ended at about the
same validation loss or a higher one and took two to five times as long. A level removes half of what the one before
left or more, in larger steps than the fifth of Frankle & Carbin. The protocol of the paper has no retraining, so the
arm as released has the one-shot methods only.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.protocol import (
    ARMS,
    AS_RELEASED,
    CORRECTED,
    LIMITS,
    Draw,
    Examples,
    Scale,
    Trial,
    converged,
    initial_theta,
    network,
    task,
    trained,
)
from experiments.low_capacity.published import LEARNING_RATE
from experiments.low_capacity.results import Pair, Results
from experiments.trials import stream
from npnet.data.datasets import Dataset
from npnet.fast import Training, forward
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.pruning import Scope, apply_mask, disconnected_units, iterative, magnitude, prune, sparsity

DENSE = "dense"
LAYERWISE, GLOBAL = "one-shot, layerwise", "one-shot, global"
SCOPES: dict[str, Scope] = {LAYERWISE: "layer", GLOBAL: "global"}
RETRAINED = FINE_TUNED, ITERATIVE, REWOUND, RANDOM, NEW_WEIGHTS = (
    "one-shot, fine-tuned",
    "iterative, fine-tuned",
    "iterative, rewound",
    "random mask",
    "rewound mask, new weights",
)
METHODS = (*SCOPES, *RETRAINED)

ONE_SHOT_LEVELS = (
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9),
    *(0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999),
)
POINT = 0.01
ROUNDING = 1e-9  # 0.99 - 0.98 is more than 0.01 in floating point

_METRICS = ("accuracy", "f1", "balanced_accuracy")
Theta = NDArray[np.floating]
Mask = NDArray[np.bool_]
Retrain = Callable[[float, list[Theta], list[Mask]], list[Training]]


def trials(data: str, scale: Scale, learning_rate: float) -> list[Trial]:
    """The networks of both arms; `learning_rate` is the corrected arm's, which alone is trained again."""
    settings: dict[str, tuple[float, tuple[float, ...]]] = {
        AS_RELEASED: (LEARNING_RATE, ()),
        CORRECTED: (learning_rate, scale.levels),
    }
    return [
        Trial(arm, *pair, width, seed, data, settings[arm][0], LIMITS, settings[arm][1])
        for arm in ARMS
        for pair in scale.pairs
        for width in scale.further_widths
        for seed in scale.arm_seeds(arm, scale.further_seeds)
    ]


def measure(trials: Sequence[Trial], data: Dataset) -> list[dict[str, Any]]:
    """Train the networks of one `train_group` together, prune them by every method, and test what is left.

    Returns
    -------
    list of dict
        "rows": one for the dense network and for each method and level: "method", "level" (the sparsity asked for),
        "removed" (the fraction of all weights that is gone), "accuracy", "f1" and "balanced_accuracy" on the test
        examples of the arm, "disconnected" (hidden units that have lost all weights from the inputs or the one to
        the output), and "epochs" (of the last training).
    """
    first = trials[0]
    examples = task(first.arm, first.pair, first.seed, data)
    nets = [network(trial, examples) for trial in trials]
    trainings = trained(trials, examples)
    dense = [training.theta for training in trainings]
    epochs = [len(training.history) for training in trainings]

    def add(method: str, level: float, masks: list[Mask], thetas: list[Theta], epochs: list[int]) -> None:
        for number, each in enumerate(zip(nets, masks, thetas, epochs, strict=True)):
            results[number]["rows"].append({"method": method, "level": level} | _scores(*each, examples.test))

    def retrain(level: float, thetas: list[Theta], masks: list[Mask]) -> list[Training]:
        # The batches come in the same order for every method.
        rng = stream(Draw.BATCHES_AGAIN, first.seed, *first.pair, first.levels.index(level))
        return converged(nets, thetas, examples, first.learning_rate, rng, masks)

    results: list[dict[str, Any]] = [{"rows": []} for _ in trials]
    whole = [np.ones(net.size, dtype=np.bool_) for net in nets]
    add(DENSE, 0.0, whole, dense, epochs)
    for method, scope in SCOPES.items():
        for level in ONE_SHOT_LEVELS:
            masks = _pruned(nets, dense, level, scope)
            add(method, level, masks, _cut(dense, masks), epochs)
    for method, level, masks, again in retrained(trials, nets, dense, retrain):
        add(method, level, masks, [each.theta for each in again], [len(each.history) for each in again])
    return results


def retrained(
    trials: Sequence[Trial], nets: Sequence[MLP], dense: list[Theta], retrain: Retrain
) -> Iterator[tuple[str, float, list[Mask], list[Training]]]:
    """Prune trained networks by each method and train them again, level by level.

    Parameters
    ----------
    trials, nets, dense
        Of one `train_group`: the trials, their architectures, and their trained parameters.
    retrain
        Trains networks from the parameters and with the masks given; its first argument is the level.

    Yields
    ------
    method, level, masks, trainings
    """
    initial = [initial_theta(trial, net) for trial, net in zip(trials, nets, strict=True)]
    drawn = [net.init(_draws(Draw.NEW_WEIGHTS, t), "normal") for t, net in zip(trials, nets, strict=True)]
    levels = trials[0].levels

    def train(thetas: list[Theta], masks: list[Mask]) -> list[Training]:
        return retrain(level, thetas, masks)

    fine_tuned = iterative(nets, dense, levels, train=train)
    rewound = iterative(nets, dense, levels, train=train, rewind_to=initial)
    for level in levels:
        masks = _pruned(nets, dense, level)
        yield FINE_TUNED, level, masks, train(_cut(dense, masks), masks)
        tuned, ticket = next(fine_tuned), next(rewound)
        yield ITERATIVE, level, tuned.mask, tuned.trained
        yield REWOUND, level, ticket.mask, ticket.trained
        # The same draws at each level, so that these masks lie within one another too.
        draws = [_draws(Draw.PLACES, trial) for trial in trials]
        places = [shuffled(*each) for each in zip(nets, ticket.mask, draws, strict=True)]
        yield RANDOM, level, places, train(_cut(initial, places), places)
        yield NEW_WEIGHTS, level, ticket.mask, train(_cut(drawn, ticket.mask), ticket.mask)


def shuffled(net: MLP, mask: Mask, rng: np.random.Generator) -> Mask:
    """A mask that keeps as many weights in each layer, in places drawn at random (Frankle et al., arXiv 2009.08576)."""
    drawn = mask.copy()
    for where in net.weight_slices:
        drawn[where] = rng.permutation(mask[where])
    return drawn


def _draws(what: Draw, trial: Trial) -> np.random.Generator:
    return stream(what, trial.seed, *trial.pair, trial.width)


def _pruned(nets: Sequence[MLP], thetas: Sequence[Theta], level: float, scope: Scope = "global") -> list[Mask]:
    return [prune(net, magnitude(net, theta), level, scope=scope) for net, theta in zip(nets, thetas, strict=True)]


def _scores(net: MLP, mask: Mask, theta: Theta, epochs: int, test: Examples) -> dict[str, Any]:
    (without_inputs,) = disconnected_units(net, mask)
    without_output = ~net.unpack(mask)[-1].weights.any(axis=0)
    scores = evaluate(test.labels, forward(net, theta, test.images), _METRICS)
    disconnected = int(np.count_nonzero(without_inputs | without_output))
    return {"removed": sparsity(net, mask), **scores, "disconnected": disconnected, "epochs": epochs}


def _cut(thetas: list[Theta], masks: list[Mask]) -> list[Theta]:
    return [apply_mask(theta, mask) for theta, mask in zip(thetas, masks, strict=True)]


def curve(
    results: Results, arm: str, pair: Pair, width: int, method: str, metric: str = "accuracy"
) -> tuple[tuple[float, ...], NDArray[np.float64]]:
    """The levels of a method, ascending, and a number for each seed and level, of shape (seeds, levels)."""
    found = [
        [(row["level"], row[metric]) for row in result["rows"] if row["method"] == method]
        for result in results.of(arm, pair, width)
    ]
    return tuple(level for level, _ in found[0]), np.array([[value for _, value in rows] for rows in found])


def limit(dense: NDArray[np.float64], pruned: NDArray[np.float64], levels: Sequence[float]) -> NDArray[np.float64]:
    """Largest level such that here and at all lower levels mean accuracy is at most one point below the dense one.

    A level that recovers above one that does not is not counted. A difference of exactly one point is counted; NaN is
    not.

    Parameters
    ----------
    dense : float array (..., seeds)
        Accuracies of the dense networks.
    pruned : float array (..., seeds, levels)
    levels : ascending

    Returns
    -------
    float array (...)
        0 if not even the lowest level is within one point.
    """
    lost = dense.mean(axis=-1)[..., None] - pruned.mean(axis=-2)
    run = np.logical_and.accumulate(lost <= POINT + ROUNDING, axis=-1).sum(axis=-1)
    return np.array([0.0, *levels])[run]


def largest(results: Results, arm: str, pair: Pair, width: int, method: str) -> tuple[float, NDArray[np.float64]]:
    """The `limit` of the means over seeds, and that of each seed by itself, (seeds,)."""
    _, dense = curve(results, arm, pair, width, DENSE)
    levels, pruned = curve(results, arm, pair, width, method)
    return float(limit(dense[:, 0], pruned, levels)), limit(dense, pruned[:, None], levels)
