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
hidden units without effect. The price is that hidden units may lose all their inputs, so those are counted. It is
trained as the dense networks are: fine-tuning at 90, 98 and 99.5 % on 4v9 and 0v1, a tenth of their learning rate ended
at about the same validation loss or a higher one and took two to five times as long. The protocol of the paper has no
retraining, so the arm as released has the one-shot methods only.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import networks
from experiments.low_capacity.networks import Draw, Examples, Task, Theta, Trial, initial_theta
from experiments.trials import stream
from npnet.fast import Training, forward
from npnet.metrics import accuracy, predict
from npnet.mlp import MLP
from npnet.pruning import Scope, apply_mask, disconnected_units, iterative, magnitude, prune

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
ONE_SHOT_LEVELS = (
    *(0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9),
    *(0.93, 0.95, 0.97, 0.98, 0.99, 0.995, 0.999),
)

Mask = NDArray[np.bool_]


def measure(trials: Sequence[Trial], examples: Task) -> list[dict[str, Any]]:
    """Train the networks of one `train_group` together, prune them by every method, and test what is left.

    Returns
    -------
    list of dict
        "rows": one for the dense network and for each method and level: "method", "level" (the sparsity asked for),
        "accuracy" on the test examples of the arm, and "disconnected" (hidden units that have lost all weights from
        the inputs or the one to the output).
    """
    first, nets = trials[0], [networks.network(trial, examples) for trial in trials]
    dense = [training.theta for training in networks.trained(trials, examples)]
    initial = [initial_theta(trial, net) for trial, net in zip(trials, nets, strict=True)]
    drawn = [net.init(_draws(Draw.NEW_WEIGHTS, t), "normal") for t, net in zip(trials, nets, strict=True)]
    results: list[dict[str, Any]] = [{"rows": []} for _ in trials]

    def add(method: str, level: float, masks: Sequence[Mask], thetas: Sequence[Theta]) -> None:
        for result, net, mask, theta in zip(results, nets, masks, thetas, strict=True):
            result["rows"].append({"method": method, "level": level} | scores(net, mask, theta, examples.test))

    def train(thetas: Sequence[Theta], masks: Sequence[Mask]) -> list[Training]:
        # The batches come in the same order for every method.
        rng = stream(Draw.BATCHES_AGAIN, first.seed, *first.pair, first.levels.index(level))
        return networks.converged(nets, thetas, examples, first.learning_rate, rng, masks)

    def add_trained(method: str, masks: Sequence[Mask], start: Sequence[Theta]) -> None:
        add(method, level, masks, [training.theta for training in train(_cut(start, masks), masks)])

    add(DENSE, 0.0, [np.ones(net.size, dtype=np.bool_) for net in nets], dense)
    for method, scope in SCOPES.items():
        for level in ONE_SHOT_LEVELS:
            masks = _pruned(nets, dense, level, scope)
            add(method, level, masks, _cut(dense, masks))
    fine_tuned = iterative(nets, dense, first.levels, train=train)
    rewound = iterative(nets, dense, first.levels, train=train, rewind_to=initial)
    for level in first.levels:
        add_trained(FINE_TUNED, _pruned(nets, dense, level, "global"), dense)
        tuned, ticket = next(fine_tuned), next(rewound)
        add(ITERATIVE, level, tuned.mask, tuned.theta)
        add(REWOUND, level, ticket.mask, ticket.theta)
        # The same draws at each level, so that these masks lie within one another too.
        draws = [_draws(Draw.PLACES, trial) for trial in trials]
        add_trained(RANDOM, [shuffled(*each) for each in zip(nets, ticket.mask, draws, strict=True)], initial)
        add_trained(NEW_WEIGHTS, ticket.mask, drawn)
    return results


def shuffled(net: MLP, mask: Mask, rng: np.random.Generator) -> Mask:
    """A mask that keeps as many weights in each layer, in places drawn at random (Frankle et al., arXiv 2009.08576)."""
    drawn = mask.copy()
    for where in net.weight_slices:
        drawn[where] = rng.permutation(mask[where])
    return drawn


def scores(net: MLP, mask: Mask, theta: Theta, test: Examples) -> dict[str, Any]:
    """Accuracy of a pruned network on test examples, and how many hidden units are disconnected."""
    (without_inputs,) = disconnected_units(net, mask)
    without_output = ~net.unpack(mask)[-1].weights.any(axis=0)
    return {
        "accuracy": accuracy(test.labels, predict(forward(net, theta, test.images))),
        "disconnected": int(np.count_nonzero(without_inputs | without_output)),
    }


def _draws(what: Draw, trial: Trial) -> np.random.Generator:
    return stream(what, trial.seed, *trial.pair, trial.width)


def _pruned(nets: Sequence[MLP], thetas: Sequence[Theta], level: float, scope: Scope) -> list[Mask]:
    return [prune(net, magnitude(net, theta), level, scope=scope) for net, theta in zip(nets, thetas, strict=True)]


def _cut(thetas: Sequence[Theta], masks: Sequence[Mask]) -> list[Theta]:
    return [apply_mask(theta, mask) for theta, mask in zip(thetas, masks, strict=True)]
