"""What is measured of a network: its gap, its sensitivity, what one tries first; of portraits, along paths too."""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from experiments.sensitivity.networks import (
    CLASSES,
    PORTRAITS,
    Array,
    Draw,
    Trial,
    accuracy,
    examples,
    fit,
    initial_theta,
    network,
    test_set,
)
from experiments.statistics import Correlation, correlation
from experiments.table import Table
from experiments.trials import stream
from npnet.backprop import losses, probabilities
from npnet.data.datasets import Dataset
from npnet.data.images import standardised
from npnet.derivatives import activation_codes
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

RANDOM, DIFFERENT, SAME = KINDS = ("random points", "different classes", "the same class")
# Ellipses of each kind; points of each at which the norm is taken, among them the anchors; and for the transitions.
ELLIPSES, ANGLES, STEPS = 15, 120, 960
# Test images that are looked at one by one.
POINTS = 5000
ANCHORS = (ANGLES // 6, ANGLES // 2, 5 * ANGLES // 6)
# Planes of each network, and points along a side of a plane's picture. The picture shows the triangle with MARGIN
# around it, and what is nearer to an anchor than NEAR counts as near; both as shares of the triangle's side.
PLANES, SIDE, MARGIN, NEAR = 5, 108, 0.4, 0.1


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


# Portraits.


def look_at(trial: Trial, net: MLP, theta: Array, x: Array, labels: Array, data: Dataset) -> dict[str, Any]:
    """Look at the network of a portrait, trained on the examples x.

    Returns
    -------
    dict
        "ellipses": for each of KINDS what `along` returns; "planes": "before" and "after" training, for each of PLANES
        triples of different classes the mean number of units that change "near" the anchors and "everywhere", and
        "pictures", the first `plane` of each; "points": the "norm", the "loss" and "wrong", whether it is
        misclassified, of POINTS test images.
    """
    x = x.reshape(len(x), -1)
    test = test_set(data)
    chosen = stream(Draw.POINTS).permutation(len(test))[:POINTS]
    points, truth = test[chosen], data.test_labels[chosen]
    planes, pictures = {}, {}
    for name, parameters in (("before", initial_theta(trial, net)), ("after", theta)):
        crossed = [plane(net, parameters, *triple) for triple in triples(DIFFERENT, x, labels, trial.seed, PLANES)]
        planes[name] = [{"near": float(each[near()].mean()), "everywhere": float(each.mean())} for each in crossed]
        pictures[name] = crossed[0].tolist()
    return {
        "ellipses": {kind: along(net, theta, triples(kind, x, labels, trial.seed, ELLIPSES)) for kind in KINDS},
        "planes": planes,
        "pictures": pictures,
        "points": {
            "norm": jacobian_norms(net, theta, points).tolist(),
            "loss": losses(net, theta, points, truth).tolist(),
            "wrong": (forward(net, theta, points).argmax(axis=1) != truth).astype(int).tolist(),
        },
    }


def triples(kind: str, x: Array, labels: Array, seed: int, number: int) -> Iterator[Array]:
    """Three points (3, d) each: training examples of three different classes or of one, or standardised noise."""
    rng = stream(Draw.ANCHORS, seed, KINDS.index(kind))
    for _ in range(number):
        if kind == RANDOM:
            yield standardised(rng.standard_normal((3, x.shape[1])))
        elif kind == DIFFERENT:
            classes = rng.choice(np.unique(labels), 3, replace=False)
            yield x[[rng.choice(np.flatnonzero(labels == label)) for label in classes]]
        else:
            yield x[rng.choice(np.flatnonzero(labels == rng.integers(CLASSES)), 3, replace=False)]


def ellipse(a: Array, b: Array, c: Array, k: int) -> Array:
    """z(t) = m + u cos t + v sin t at t_i = 2 pi i / k, an ellipse through a, b and c at t = pi/3, pi and 5 pi/3.

    m = (a + b + c) / 3, u = m - b, v = (a - c) / sqrt(3). The three (d,) are among the points (k, d), up to rounding,
    if 6 divides k; the last point is followed by the first again.
    """
    t = 2 * np.pi * np.arange(k)[:, None] / k
    m = (a + b + c) / 3
    return (m + np.cos(t) * (m - b) + np.sin(t) / np.sqrt(3) * (a - c)).astype(m.dtype)


def along(net: MLP, theta: Array, anchors: Iterator[Array]) -> dict[str, Any]:
    """The Jacobian norm and the transitions along ellipses through three points each.

    Returns
    -------
    dict
        "norm": the lower quartile, the median and the upper quartile over the ellipses of the norm at each of ANGLES
        angles, (3, ANGLES), and "density" the same of the transitions from one to the next, counted in STEPS steps.
        And lists, a number for each ellipse, with orders = log10 of the norm: "level", the median order along it;
        "anchors", the mean order at the anchors; "peaks", the mean of the largest orders between one anchor and the
        next; "transitions".
    """
    norms, steps = [], []
    for a, b, c in anchors:
        norms.append(jacobian_norms(net, theta, ellipse(a, b, c, ANGLES)))
        steps.append(transitions(net, theta, ellipse(a, b, c, STEPS)))
    norm, counts = np.array(norms, dtype=np.float64), np.array(steps)
    density = counts.reshape(len(counts), ANGLES, -1).sum(axis=2)
    with np.errstate(divide="ignore"):
        orders = np.log10(norm)
    # From the first anchor on, cut at the others.
    arcs = np.split(np.roll(orders, -ANCHORS[0], axis=1), [ANCHORS[1] - ANCHORS[0], ANCHORS[2] - ANCHORS[0]], axis=1)
    return {
        "norm": np.quantile(norm, [0.25, 0.5, 0.75], axis=0).tolist(),
        "density": np.quantile(density, [0.25, 0.5, 0.75], axis=0).tolist(),
        "level": np.median(orders, axis=1).tolist(),
        "anchors": orders[:, ANCHORS].mean(axis=1).tolist(),
        "peaks": np.mean([arc.max(axis=1) for arc in arcs], axis=0).tolist(),
        "transitions": counts.sum(axis=1).tolist(),
    }


def plane(net: MLP, theta: Array, a: Array, b: Array, c: Array) -> Array:
    """How many units of the last hidden layer change their linear piece, in the plane through three points.

    (SIDE, SIDE): between each point of the picture and those to the right and below, together.
    """
    flat = coordinates().reshape(-1, 2).astype(theta.dtype)
    x = a + flat[:, :1] * (b - a) + flat[:, 1:] * (c - a)
    codes = activation_codes(net, theta, x)[:, -net.widths[-2] :].reshape(SIDE + 1, SIDE + 1, -1)
    here = codes[:-1, :-1]
    return (np.abs(here - codes[1:, :-1]) + np.abs(here - codes[:-1, 1:])).sum(axis=2, dtype=np.int64)


def coordinates() -> Array:
    """(s, t) of the picture's points a + s (b - a) + t (c - a), (SIDE + 1, SIDE + 1, 2); the last are not shown."""
    side = np.linspace(-MARGIN, 1 + MARGIN, SIDE + 1)
    return np.stack(np.meshgrid(side, side), axis=2)


def near() -> Array:
    """Which points of the picture are near an anchor, (SIDE, SIDE)."""
    anchors = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    return np.asarray(np.linalg.norm(coordinates()[:-1, :-1, None] - anchors, axis=3).min(axis=2) < NEAR)
