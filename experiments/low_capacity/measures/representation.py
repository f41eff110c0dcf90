"""What the hidden layer makes of the images, before and after pruning: how separable it leaves the two digits."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.measures.one_shot import COLLAPSE, pruned
from experiments.low_capacity.protocol import Task, Trial
from experiments.low_capacity.published import SALIENCY_WIDTH, SEEDS
from npnet.backprop import activations
from npnet.fast import forward, train
from npnet.metrics import balanced_accuracy, predict
from npnet.mlp import MLP
from npnet.representation import silhouette

WIDTHS = (4, 12, 24, 64)  # whose hidden layers are looked into
PRUNINGS = {"dense": 0.0, "divided twice": COLLAPSE / 100, "pruned": COLLAPSE}
COMPARED = 500  # test images between which the silhouette takes all distances
SHOWN = 300  # test images in the picture
STEPS, RATE, MOMENTUM = 100, 0.2, 0.9

Array = NDArray[np.floating]


def measure(trial: Trial, net: MLP, theta: Array, examples: Task) -> dict[str, Any]:
    """Separability of the digits by the hidden activations, dense and pruned by 95 %, divided twice and truly.

    Returns
    -------
    dict
        "representation": for each of `PRUNINGS` the "separability", see `separability`, and the "silhouette" of at most
        `COMPARED` of the test examples, evenly spaced in their order, in the space of the hidden activations.
        "points": for the paper's width and the first seed, the "labels" of at most `SHOWN` test examples and for each
        of `PRUNINGS` their hidden activations, to five digits.
    """
    training, _, test = examples
    compared, shown = (evenly(len(test.labels), most) for most in (COMPARED, SHOWN))
    numbers, points = {}, {}
    for name, share in PRUNINGS.items():
        network = pruned(net, theta, share)
        seen, hidden = (activations(net, network, part.images)[0] for part in (training, test))
        numbers[name] = {
            "separability": separability(seen, training.labels, hidden, test.labels),
            "silhouette": silhouette(hidden[compared], test.labels[compared]),
        }
        points[name] = [[float(f"{value:.5g}") for value in row] for row in hidden[shown]]
    result: dict[str, Any] = {"representation": numbers}
    if trial.width == SALIENCY_WIDTH and trial.seed == SEEDS[0]:
        result["points"] = {"labels": test.labels[shown].tolist()} | points
    return result


def evenly(n: int, most: int) -> slice:
    """Every k-th of n examples, with the smallest k that leaves at most `most`."""
    return slice(None, None, -(-n // most))


def separability(hidden: Array, labels: NDArray[np.integer], test: Array, truth: NDArray[np.integer]) -> float:
    """Balanced accuracy on the test examples of a linear classifier of the hidden activations.

    A network without a hidden layer, trained on the activations of the training examples by `STEPS` full-batch steps
    from zero, so that nothing is drawn. Each unit is divided by its deviation and moved to a mean of 0, both of the
    training examples; a unit that is constant there is only moved.

    Parameters
    ----------
    hidden, test
        Hidden activations (n, units) of the training and of the test examples.
    labels, truth
        Their classes, 0 and 1.
    """
    mean = hidden.mean(axis=0, dtype=np.float64)
    # The deviation of equal numbers may round to one that is not 0.
    deviation = np.where(np.ptp(hidden, axis=0) > 0, hidden.std(axis=0, dtype=np.float64), 1.0)
    # Like the study's networks, for whose dtype the kernels are compiled already.
    seen, asked = (((values - mean) / deviation).astype(np.float32) for values in (hidden, test))
    net = MLP((hidden.shape[1], 1))
    found = train(
        net, np.zeros(net.size, np.float32), seen, labels, epochs=STEPS, learning_rate=RATE, momentum=MOMENTUM
    )
    return balanced_accuracy(truth, predict(forward(net, found.theta, asked)))
