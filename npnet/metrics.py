"""How good a classifier's answers are. Labels come first, answers second, as in scikit-learn.

A label is an integer class, 0 to k - 1, and so is a prediction; both are arrays (n,). Logits have shape (n,) or (n, 1)
for two classes, where the logit z means p(class 1) = 1 / (1 + exp(-z)); or (n, k) for k classes, where
p = softmax(row). One logit z says the same as the two logits (0, z). With logits, labels may also have the other forms
in which training takes them: 0/1 as floating-point numbers, (n, 1), or one-hot rows (n, k).

Nothing is repaired. A NaN logit makes a metric NaN; ArgumentError is raised for arrays that are empty or of
unlike lengths, labels that are not integers, and labels that are not of the classes 0 to k - 1 (0 and 1 for
the metrics of two classes).
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import integer, one_of, reals
from npnet.errors import ArgumentError
from npnet.ranks import mid_ranks

Classes = NDArray[np.int64]


def predict(logits: ArrayLike) -> Classes:
    """Class of each example: z >= 0 (p >= 0.5) for one logit, else the largest logit, the first of equals.

    A NaN logit belongs to no class and is not counted as a negative: it raises ArgumentError.
    """
    table = _table(logits)
    missing = np.count_nonzero(np.isnan(table))
    if missing:
        raise ArgumentError(f"logits: found {missing} NaN of {table.size}, expected none to predict a class")
    classes = table[:, 0] >= 0 if table.shape[1] == 1 else np.argmax(table, axis=1)
    return classes.astype(np.int64)


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the examples whose prediction is the label."""
    truth, guess = _pair(labels, predictions)
    return float(np.mean(truth == guess))


def balanced_accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean, over the classes that occur in `labels`, of the share of that class predicted right.

    A constant prediction scores 1/k on k classes however unequal they are, where accuracy flatters it.
    """
    truth, guess = _pair(labels, predictions)
    classes, position = np.unique(truth, return_inverse=True)
    right = np.bincount(position[truth == guess], minlength=classes.size)
    return float(np.mean(right / np.bincount(position)))


def precision(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the predicted positives (class 1) that are positive, TP / (TP + FP); 0/0 is 0."""
    right, predicted, _ = _positives(labels, predictions)
    return _ratio(right, predicted)


def recall(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the positives (class 1) that are predicted positive, TP / (TP + FN); 0/0 is 0."""
    right, _, positive = _positives(labels, predictions)
    return _ratio(right, positive)


def f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN); 0/0 is 0, as in scikit-learn's `zero_division=0`.

    Beware: on equal classes "always positive" scores 2/3.
    """
    right, predicted, positive = _positives(labels, predictions)
    return _ratio(2 * right, predicted + positive)


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, a tie counting one half.

    AUC = U / (P N), where U is the Mann-Whitney statistic of P positives and N negatives (mid-ranks). NaN
    when only one class occurs or a score is NaN. Only the order of `scores` (n,) matters: logits and probabilities
    serve alike.
    """
    truth = _classes("labels", labels, 2)
    values = reals("scores", scores, "iuf")
    if values.shape != truth.shape:
        raise ArgumentError(f"scores: found shape {values.shape}, expected {truth.shape}, that of labels")
    positives = int(truth.sum())
    negatives = truth.size - positives
    if positives == 0 or negatives == 0:
        return float("nan")
    # Ranks are whole or half numbers: the sum is exact.
    u = mid_ranks(values)[truth == 1].sum() - positives * (positives - 1) / 2
    return float(u / (positives * negatives))


def log_loss(labels: ArrayLike, logits: ArrayLike) -> float:
    """Mean negative log-likelihood in nats: the mean of log sum_j exp(z_j - z_label), in float64.

    For one logit this is log(1 + exp(-z)) for label 1 and log(1 + exp(z)) for label 0. Finite at |z| = 1000;
    inf when a label is given probability 0 by an infinite logit.
    """
    truth, columns = _labels_and_columns(labels, logits)
    below, others = _below_largest(columns)
    return float(np.mean(np.log1p(others) - below[np.arange(truth.size), truth]))


def calibration_error(labels: ArrayLike, logits: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of the predicted class: sum_b (n_b / n) |accuracy_b - confidence_b|.

    An example's confidence is the probability of its predicted class, max(p, 1 - p) for one logit, so that no
    two-class confidence lies below 0.5. Bin b of B = `bins` holds the confidences in (b/B, (b + 1)/B], b = 0 to B - 1.
    From Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2, equation 3.
    """
    bins = integer("bins", bins, 1)
    truth, columns = _labels_and_columns(labels, logits)
    if np.isnan(columns).any():
        return float("nan")
    confidence = 1 / (1 + _below_largest(columns)[1])
    edges = np.arange(1, bins) / bins
    surplus = (truth == predict(logits)) - confidence
    return float(np.abs(np.bincount(np.searchsorted(edges, confidence), weights=surplus)).sum() / truth.size)


METRICS: Mapping[str, Callable[..., float]] = MappingProxyType(
    {
        "accuracy": accuracy,
        "balanced_accuracy": balanced_accuracy,
        "f1": f1,
        "precision": precision,
        "recall": recall,
        "auc": roc_auc,
        "loss": log_loss,
        "calibration_error": calibration_error,
    }
)
"""The metrics that `evaluate` knows, by name."""

_TWO_CLASSES_ONLY = ("f1", "precision", "recall", "auc")


def evaluate(labels: ArrayLike, logits: ArrayLike, names: str | Iterable[str]) -> dict[str, float]:
    """Metrics of one set of logits, by name, in the order of `names`; all are NaN if any logit is NaN.

    `names` is one or several from `METRICS`. "f1", "precision", "recall" and "auc" are of two classes; their positive
    class is 1.
    """
    names = (names,) if isinstance(names, str) else tuple(names)
    truth, columns = _labels_and_columns(labels, logits)
    for name in names:
        if one_of("names", name, tuple(METRICS)) in _TWO_CLASSES_ONLY and columns.shape[1] > 2:
            raise ArgumentError(f"logits: found {columns.shape[1]} classes, expected 2 for {name}")
    if np.isnan(columns).any():
        return dict.fromkeys(names, float("nan"))
    predictions = predict(logits)
    with np.errstate(invalid="ignore"):
        scores = columns[:, 1] - columns[:, 0]
    answers = {"auc": scores, "loss": logits, "calibration_error": logits}
    return {name: METRICS[name](truth, answers.get(name, predictions)) for name in names}


def _below_largest(columns: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Each row's logits minus its largest, m, and sum_j exp(z_j - m) - 1, without m's own 1 to lose digits to."""
    rows, largest = np.arange(columns.shape[0]), columns.argmax(axis=1)
    # Two infinities of one sign have no difference: NaN is the answer, without a warning.
    with np.errstate(invalid="ignore"):
        below = columns - columns[rows, largest][:, np.newaxis]
    below[rows, largest] = 0
    others = np.exp(below)
    others[rows, largest] = 0
    return below, others.sum(axis=1)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _table(logits: ArrayLike) -> NDArray[Any]:
    """Logits as (n, k), where k is 1 for one logit an example."""
    array = reals("logits", logits, "iuf")
    if array.ndim not in (1, 2) or array.size == 0:
        raise ArgumentError(f"logits: found shape {array.shape}, expected (n,) or (n, k), not empty")
    return array.reshape(-1, 1) if array.ndim == 1 else array


def _labels_and_columns(labels: ArrayLike, logits: ArrayLike) -> tuple[Classes, NDArray[np.float64]]:
    """Labels (n,) and float64 logits (n, k) of k >= 2 classes, where one logit z has become (0, z)."""
    columns = _table(logits).astype(np.float64)
    if columns.shape[1] == 1:
        columns = np.hstack((np.zeros_like(columns), columns))
    truth = _classes("labels", _as_labels(labels, columns.shape[1]), columns.shape[1])
    if columns.shape[0] != truth.size:
        raise ArgumentError(f"logits: found {columns.shape[0]} rows, expected {truth.size}, one a label")
    return truth, columns


def _as_labels(targets: ArrayLike, classes: int) -> NDArray[Any]:
    """Targets (n, 1), 0/1 in floating-point numbers or one-hot rows as labels (n,); soft ones raise ArgumentError."""
    array = reals("labels", targets)
    if array.ndim == 2 and array.shape[1] == 1:
        array = array[:, 0]
    if array.ndim == 2 and array.shape[1] == classes:
        labels = array.argmax(axis=1)
        hard = array == np.eye(classes)[labels]
    elif array.dtype.kind == "f":
        labels = array == 1
        hard = array == labels
    else:
        return array
    if not hard.all():
        raise ArgumentError("labels: found soft targets, expected classes: metrics need labels that are classes")
    return labels


def _positives(labels: ArrayLike, predictions: ArrayLike) -> tuple[int, int, int]:
    """Of class 1: how many are predicted right, how many are predicted, and how many there are."""
    truth, guess = _pair(labels, predictions, classes=2)
    return int((truth & guess).sum()), int(guess.sum()), int(truth.sum())


def _pair(labels: ArrayLike, predictions: ArrayLike, classes: int | None = None) -> tuple[Classes, Classes]:
    truth, guess = _classes("labels", labels, classes), _classes("predictions", predictions, classes)
    if guess.shape != truth.shape:
        raise ArgumentError(f"predictions: found shape {guess.shape}, expected {truth.shape}, that of labels")
    return truth, guess


def _classes(name: str, values: ArrayLike, classes: int | None) -> Classes:
    """Integers (n,), each from 0 to classes - 1 if the number of classes is known."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "biu":
        raise ArgumentError(f"{name}: found shape {array.shape} of {array.dtype}, expected (n,) integers, not empty")
    if classes is not None and (array.min() < 0 or array.max() >= classes):
        raise ArgumentError(f"{name}: found {array.min()} to {array.max()}, expected classes from 0 to {classes - 1}")
    return array.astype(np.int64)
