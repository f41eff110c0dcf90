"""What is measured of a network: its gap, its sensitivity, and what one would try first to tell the gap by."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from experiments.sensitivity.networks import PORTRAITS, Array, Draw, Trial, accuracy, examples, fit, network, test_set
from experiments.sensitivity.portraits import look_at
from experiments.statistics import Correlation, correlation
from experiments.table import Table
from experiments.trials import stream
from npnet.backprop import losses, probabilities
from npnet.data.datasets import Dataset
from npnet.fast import forward
from npnet.metrics import roc_auc
from npnet.mlp import MLP
from npnet.ranks import rank_correlation
from npnet.sensitivity import jacobian_norms, transitions

# Test points at which the Jacobian is taken, and those whose translations are followed.
NORM_POINTS, PATH_POINTS = 1000, 32
# Points between two translations of a path: at first, and at most; until the count changes by less than TOLERANCE.
FIRST_STEPS, MOST_STEPS, TOLERANCE = 2, 32, 0.05
# By what one may try to tell the gap, and how a person calls it: the paper's two measures, and what one tries first.
PREDICTORS = {
    "jacobian": "Jacobian norm",
    "transitions": "transitions",
    "training_loss": "training loss",
    "weight_norm": "norm of the weights",
    "parameters": "number of parameters",
}


def measure(trials: Sequence[Trial], data: Dataset) -> list[dict[str, Any]]:
    """Train the network of a trial and measure it.

    Of a network that does not classify all its training examples right, "training_accuracy" < 1, or NaN where it has
    diverged, there is only that and "epochs". Of the others there are "training_loss" and "test_accuracy" too, and
    "gap" and what `sensitivity` returns, or of a portrait what `look_at` returns.
    """
    (trial,) = trials
    x, labels = examples(trial, data)
    net = network(trial, data)
    training = fit(trial, net, x, labels)
    theta = training.theta
    result: dict[str, Any] = {"epochs": len(training.history), "training_accuracy": accuracy(net, theta, x, labels)}
    # NaN is not 1 either.
    if result["training_accuracy"] != 1:
        return [result]
    result["training_loss"] = float(losses(net, theta, x, labels).mean(dtype=np.float64))
    result["test_accuracy"] = accuracy(net, theta, test_set(data), data.test_labels)
    if trial.part == PORTRAITS:
        return [result | look_at(trial, net, theta, x, labels, data)]
    result["gap"] = result["training_accuracy"] - result["test_accuracy"]
    return [result | sensitivity(net, theta, data)]


def sensitivity(net: MLP, theta: Array, data: Dataset) -> dict[str, Any]:
    """What one may tell the gap by, at test images that are the same for all networks of a data set.

    Returns
    -------
    dict
        "jacobian": mean Frobenius norm of the derivative of the probabilities by the standardised image, over
        NORM_POINTS images; what `crossed` returns, of PATH_POINTS of them; "parameters", and "weight_norm": the
        Euclidean norm of them all; and the `per_point` numbers.
    """
    test = test_set(data)
    points = stream(Draw.POINTS).permutation(len(test))[:NORM_POINTS]
    norms = jacobian_norms(net, theta, test[points])
    return {
        "jacobian": float(norms.mean(dtype=np.float64)),
        **crossed(net, theta, test[points[:PATH_POINTS]].reshape(-1, *data.test_images.shape[1:])),
        "parameters": net.size,
        "weight_norm": float(np.linalg.norm(theta)),
        **per_point(net, theta, norms, test[points], data.test_labels[points]),
    }


def per_point(net: MLP, theta: Array, norms: Array, x: Array, labels: Array) -> dict[str, float]:
    """What the norm says of single points.

    Returns
    -------
    dict
        "norm_and_loss": Spearman correlation of the norms and the losses of the points; "norm_finds_errors" and
        "doubt_finds_errors": area under the ROC curve with which the norm, and one minus the largest probability,
        tell misclassified points from the others. NaN if none or all are misclassified.
    """
    logits = forward(net, theta, x)
    wrong = (logits.argmax(axis=1) != labels).astype(np.uint8)
    doubt = 1 - probabilities(net, logits).max(axis=1)
    return {
        "norm_and_loss": float(rank_correlation(norms[None], losses(net, theta, x, labels)[None])[0]),
        "norm_finds_errors": roc_auc(wrong, norms),
        "doubt_finds_errors": roc_auc(wrong, doubt),
    }


def crossed(net: MLP, theta: Array, images: Array) -> dict[str, Any]:
    """How many linear pieces a network crosses on the paths through all `translations` of images.

    Returns
    -------
    dict
        "transitions": the mean over the paths; "steps": points between two translations, from FIRST_STEPS doubled until
        the mean changes by less than TOLERANCE, or would exceed MOST_STEPS; "change": how much the mean changed when
        they were doubled last, relative to the larger of the two means. NaN if they never were.
    """

    def mean(steps: int) -> float:
        return float(np.mean([transitions(net, theta, translations(image, steps)).sum() for image in images]))

    steps, change, fine = FIRST_STEPS, math.nan, mean(FIRST_STEPS)
    while 2 * steps <= MOST_STEPS and not change < TOLERANCE:
        steps, coarse = 2 * steps, fine
        fine = mean(steps)
        change = abs(fine - coarse) / max(fine, coarse) if fine != coarse else 0.0
    return {"transitions": fine, "steps": steps, "change": change}


def translations(image: Array, steps: int) -> Array:
    """A closed path through all horizontal translations of an image: by 0, 1, ..., columns - 1 pixels to the right.

    What leaves the right side of an image (..., rows, columns) enters at the left. From each translation to the next
    the path is a straight line of `steps` points, the first included. Returns the points (steps x columns, pixels).
    """
    shifted = np.stack([np.roll(image, shift, axis=-1).reshape(-1) for shift in range(image.shape[-1])])
    share = (np.arange(steps) / steps).astype(image.dtype)[:, None]
    return (shifted[:, None] + share * (np.roll(shifted, -1, axis=0) - shifted)[:, None]).reshape(-1, image.size)


def follows_gap(networks: Table, name: str, how: Callable[..., Correlation] = correlation) -> Correlation:
    """Rank correlation of a measure with the generalization gap, over networks of several architectures."""
    return how(networks[name], networks["gap"], [row["architecture"] for row in networks])
