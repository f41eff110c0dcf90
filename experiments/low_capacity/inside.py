"""What happens inside a network when it is pruned: what its hidden units say of the digit, how far apart they leave it.

Information is that of activation and label; separability how well a linear classifier tells the digits by the hidden
activations.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.networks import Examples, Task, Theta, Trial, pruned
from experiments.low_capacity.published import CLOSE_PAIR, CLOSE_SHARE, CLOSE_WIDTH, PRUNED_PERCENT, SEEDS
from npnet.backprop import activations
from npnet.fast import forward, train
from npnet.information import mutual_information
from npnet.metrics import balanced_accuracy, predict
from npnet.mlp import MLP
from npnet.ranks import rank_correlation
from npnet.representation import silhouette

WIDTHS = (4, 12, 24, 64)  # whose hidden layers are looked into
CUT = 0.8  # the sparsity at which it is asked which units are spared
PRUNINGS = {"dense": 0.0, "divided twice": CLOSE_SHARE / 100, "pruned": CLOSE_SHARE}
COMPARED = 500  # test images between which the silhouette takes all distances
SHOWN = 300  # test images in the picture
STEPS, RATE, MOMENTUM = 100, 0.2, 0.9


def information(trial: Trial, net: MLP, theta: Theta, test: Examples) -> dict[str, Any]:
    """Mutual information with the label, in bits, along true sparsity.

    Returns
    -------
    dict
        "information": a row per sparsity ("level"), from 0: the information of the logit ("output"), the mean and the
        largest over the hidden units of theirs ("mean", "largest").
        "spared": see `spared`.
        "units": for the paper's network, that of each hidden unit, "dense" and "pruned" by 95 %.
    """
    rows, units = [], {}
    for level in (0.0, *(percent / 100 for percent in PRUNED_PERCENT)):
        hidden, logits = activations(net, pruned(net, theta, level), test.images)
        said = np.asarray(mutual_information(hidden, test.labels))
        units[level] = said
        output = float(mutual_information(logits[:, 0], test.labels))
        rows.append({"level": level, "output": output, "mean": float(said.mean()), "largest": float(said.max())})
    result: dict[str, Any] = {"information": rows, "spared": spared(net, theta, units[0.0])}
    if (trial.pair, trial.width) == (CLOSE_PAIR, CLOSE_WIDTH):
        result["units"] = {"dense": units[0.0].tolist(), "pruned": units[CLOSE_SHARE].tolist()}
    return result


def spared(net: MLP, theta: Theta, information: NDArray[np.float64]) -> dict[str, float]:
    """Whether the units of most information (units,) are those that keep their weights.

    Spearman's correlation over units between their information in the dense network and the share of their incoming
    weights that a cut of `CUT` keeps ("incoming"), and the size of their weight to the output ("outgoing"). NaN if all
    units have the same.
    """
    kept = (net.unpack(pruned(net, theta, CUT))[0].weights != 0).mean(axis=1)
    outgoing = np.abs(net.unpack(theta)[1].weights[0])
    return {
        name: float(rank_correlation(information, values))
        for name, values in (("incoming", kept), ("outgoing", outgoing))
    }


def representation(trial: Trial, net: MLP, theta: Theta, examples: Task) -> dict[str, Any]:
    """Separability of the digits by the hidden activations, dense and pruned by 95 %, divided twice and truly.

    Returns
    -------
    dict
        "representation": a row for each of `PRUNINGS`, "pruning": the "separability", see `separability`, and the
        "silhouette" of at most `COMPARED` of the test examples, evenly spaced in their order.
        "points": for the paper's width and the first seed, the "labels" of at most `SHOWN` test examples and for each
        of `PRUNINGS` their hidden activations, to five digits.
    """
    training, _, test = examples
    compared, shown = (evenly(len(test.labels), most) for most in (COMPARED, SHOWN))
    rows, points = [], {}
    for name, share in PRUNINGS.items():
        seen, hidden = (activations(net, pruned(net, theta, share), part.images)[0] for part in (training, test))
        row = {"pruning": name, "separability": separability(seen, training.labels, hidden, test.labels)}
        rows.append(row | {"silhouette": silhouette(hidden[compared], test.labels[compared])})
        points[name] = [[float(f"{value:.5g}") for value in row] for row in hidden[shown]]
    result: dict[str, Any] = {"representation": rows}
    if trial.width == CLOSE_WIDTH and trial.seed == SEEDS[0]:
        result["points"] = {"labels": test.labels[shown].tolist()} | points
    return result


def evenly(n: int, most: int) -> slice:
    """Every k-th of n examples, with the smallest k that leaves at most `most`."""
    return slice(None, None, -(-n // most))


def separability(hidden: Theta, labels: NDArray[np.integer], test: Theta, truth: NDArray[np.integer]) -> float:
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
