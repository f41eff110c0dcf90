"""How good a classifier's answers are. Labels come first, answers second, as in scikit-learn.

A label is an integer class, 0 to k - 1. Logits have shape (n,) or (n, 1) for two classes, where the logit z
means p(class 1) = 1 / (1 + exp(-z)); or (n, k) for k classes, where p = softmax(row). One logit z says the
same as the two logits (0, z).

Nothing is repaired. A NaN logit makes a metric NaN; ArgumentError is raised for arrays that are empty or of
unlike lengths, labels that are not integers, and labels that are not of the classes 0 to k - 1 (0 and 1 for
the metrics of two classes).
"""

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.errors import ArgumentError


def predict(logits: ArrayLike) -> NDArray[np.int64]:
    """Class of each example: z >= 0 (p >= 0.5) for one logit, else the largest logit, the first of equals.

    Parameters
    ----------
    logits : array (n,), (n, 1) or (n, k)

    Returns
    -------
    int64 array (n,)

    Raises
    ------
    ArgumentError
        If a logit is NaN: it belongs to no class, and is not counted as a negative.
    """
    table = _table(logits)
    missing = np.count_nonzero(np.isnan(table))
    if missing:
        raise ArgumentError(f"logits: found {missing} NaN of {table.size}, expected none to predict a class")
    if table.shape[1] == 1:
        return np.asarray(table[:, 0] >= 0, dtype=np.int64)
    largest: NDArray[np.int64] = np.argmax(table, axis=1)
    return largest


def accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the examples whose prediction is the label.

    Parameters
    ----------
    labels, predictions : integer arrays (n,)
    """
    truth, guess = _pair(labels, predictions)
    return float(np.mean(truth == guess))


def balanced_accuracy(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Mean, over the classes that occur in `labels`, of the share of that class predicted right.

    A constant prediction scores 1/k on k classes however unequal they are, where accuracy flatters it.

    Parameters
    ----------
    labels, predictions : integer arrays (n,)
    """
    truth, guess = _pair(labels, predictions)
    classes, position = np.unique(truth, return_inverse=True)
    right = np.bincount(position[truth == guess], minlength=classes.size)
    return float(np.mean(right / np.bincount(position)))


def precision(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the predicted positives (class 1) that are positive: TP / (TP + FP).

    0/0, when nothing is predicted positive, is 0.0: scikit-learn's `zero_division=0`.

    Parameters
    ----------
    labels, predictions : integer arrays (n,) of 0 and 1
    """
    truth, guess = _pair(labels, predictions, classes=2)
    return _ratio(np.count_nonzero(truth & guess), np.count_nonzero(guess))


def recall(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Share of the positives (class 1) that are predicted positive: TP / (TP + FN).

    0/0, when no label is positive, is 0.0: scikit-learn's `zero_division=0`.

    Parameters
    ----------
    labels, predictions : integer arrays (n,) of 0 and 1
    """
    truth, guess = _pair(labels, predictions, classes=2)
    return _ratio(np.count_nonzero(truth & guess), np.count_nonzero(truth))


def f1(labels: ArrayLike, predictions: ArrayLike) -> float:
    """Harmonic mean of precision and recall: 2 TP / (2 TP + FP + FN).

    0/0, when there is no positive among labels and predictions, is 0.0: scikit-learn's `zero_division=0`.
    Beware: on equal classes "always positive" scores 2/3.

    Parameters
    ----------
    labels, predictions : integer arrays (n,) of 0 and 1
    """
    truth, guess = _pair(labels, predictions, classes=2)
    return _ratio(2 * np.count_nonzero(truth & guess), np.count_nonzero(truth) + np.count_nonzero(guess))


def roc_auc(labels: ArrayLike, scores: ArrayLike) -> float:
    """Area under the ROC curve: the chance that a positive scores above a negative, a tie counting one half.

    AUC = U / (P N), where U is the Mann-Whitney statistic of P positives and N negatives (mid-ranks). NaN
    when only one class occurs or a score is NaN.

    Parameters
    ----------
    labels : integer array (n,) of 0 and 1
    scores : array (n,)
        Only their order matters: logits and probabilities serve alike.
    """
    truth = _classes("labels", labels, 2)
    values = _numbers("scores", scores)
    if values.shape != truth.shape:
        raise ArgumentError(f"scores: found shape {values.shape}, expected {truth.shape}, that of labels")
    positives = truth.sum()
    negatives = truth.size - positives
    if positives == 0 or negatives == 0 or np.isnan(values).any():
        return float("nan")
    order = np.argsort(values)
    ranked = values[order]
    runs = np.flatnonzero(np.concatenate(([True], ranked[1:] != ranked[:-1])))
    up = np.add.reduceat(truth[order], runs)
    down = np.diff(runs, append=truth.size) - up
    below = np.cumsum(down) - down
    # Twice U, so that halves stay integers and the sum is exact.
    return float(up @ (2 * below + down) / (2 * positives * negatives))


def log_loss(labels: ArrayLike, logits: ArrayLike) -> float:
    """Mean negative log-likelihood in nats: the mean of log sum_j exp(z_j - z_label), in float64.

    For one logit this is log(1 + exp(-z)) for label 1 and log(1 + exp(z)) for label 0. Finite at |z| = 1000;
    inf when a label is given probability 0 by an infinite logit.

    Parameters
    ----------
    labels : integer array (n,)
    logits : array (n,), (n, 1) or (n, k)
    """
    truth, columns = _labels_and_columns(labels, logits)
    below, others = _below_largest(columns)
    return float(np.mean(np.log1p(others) - below[np.arange(truth.size), truth]))


def calibration_error(labels: ArrayLike, logits: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error of the predicted class: sum_b (n_b / n) |accuracy_b - confidence_b|.

    An example's confidence is the probability of its predicted class, max(p, 1 - p) for one logit, so that no
    two-class confidence lies below 0.5. Bin b holds the confidences in (b/B, (b + 1)/B], b = 0 to B - 1. From
    Guo et al. 2017, "On Calibration of Modern Neural Networks", section 2, equation 3.

    Parameters
    ----------
    labels : integer array (n,)
    logits : array (n,), (n, 1) or (n, k)
    bins : int
        B, the number of bins of equal width.

    Raises
    ------
    ArgumentError
        If `bins` is not an integer of at least 1.
    """
    if isinstance(bins, bool) or not isinstance(bins, int | np.integer) or bins < 1:
        raise ArgumentError(f"bins: found {bins!r}, expected an integer of at least 1")
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


def evaluate(labels: ArrayLike, logits: ArrayLike, names: Iterable[str]) -> dict[str, float]:
    """Several metrics of one set of logits, by name.

    The metrics come in the order of `names`; all are NaN if any logit is NaN.

    Parameters
    ----------
    labels : integer array (n,)
    logits : array (n,), (n, 1) or (n, k)
    names : names from `METRICS`
        "f1", "precision", "recall" and "auc" are of two classes; their positive class is 1.

    Raises
    ------
    ArgumentError
        If a name is unknown, or a metric of two classes is asked of more.
    """
    wanted = tuple(names)
    truth, columns = _labels_and_columns(labels, logits)
    for name in wanted:
        if name not in METRICS:
            raise ArgumentError(f"names: found {name!r}, expected some of {', '.join(METRICS)}")
        if name in _TWO_CLASSES_ONLY and columns.shape[1] > 2:
            raise ArgumentError(f"logits: found {columns.shape[1]} classes, expected 2 for {name}")
    if np.isnan(columns).any():
        return dict.fromkeys(wanted, float("nan"))
    predictions = predict(logits)
    with np.errstate(invalid="ignore"):
        scores = columns[:, 1] - columns[:, 0]
    answers = {"auc": scores, "loss": logits, "calibration_error": logits}
    return {name: METRICS[name](truth, answers.get(name, predictions)) for name in wanted}


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


def _ratio(part: int | np.signedinteger[Any], whole: int | np.signedinteger[Any]) -> float:
    return float(part / whole) if whole else 0.0


def _numbers(name: str, values: ArrayLike) -> NDArray[Any]:
    array = np.asarray(values)
    if array.dtype.kind not in "fiu":
        raise ArgumentError(f"{name}: found {array.dtype}, expected real numbers")
    return array


def _table(logits: ArrayLike) -> NDArray[Any]:
    """Logits as (n, k), where k is 1 for one logit an example."""
    array = _numbers("logits", logits)
    if array.ndim not in (1, 2) or array.size == 0:
        raise ArgumentError(f"logits: found shape {array.shape}, expected (n,) or (n, k), not empty")
    return array.reshape(-1, 1) if array.ndim == 1 else array


def _labels_and_columns(labels: ArrayLike, logits: ArrayLike) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Labels (n,) and float64 logits (n, k) of k >= 2 classes, where one logit z has become (0, z)."""
    columns = _table(logits).astype(np.float64)
    if columns.shape[1] == 1:
        columns = np.hstack((np.zeros_like(columns), columns))
    truth = _classes("labels", labels, columns.shape[1])
    if columns.shape[0] != truth.size:
        raise ArgumentError(f"logits: found {columns.shape[0]} rows, expected {truth.size}, one a label")
    return truth, columns


def _pair(
    labels: ArrayLike, predictions: ArrayLike, classes: int | None = None
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    truth, guess = _classes("labels", labels, classes), _classes("predictions", predictions, classes)
    if guess.shape != truth.shape:
        raise ArgumentError(f"predictions: found shape {guess.shape}, expected {truth.shape}, that of labels")
    return truth, guess


def _classes(name: str, values: ArrayLike, classes: int | None) -> NDArray[np.int64]:
    """Integers (n,), each from 0 to classes - 1 if the number of classes is known."""
    array = np.asarray(values)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "biu":
        raise ArgumentError(f"{name}: found shape {array.shape} of {array.dtype}, expected (n,) integers, not empty")
    if classes is not None and (array.min() < 0 or array.max() >= classes):
        raise ArgumentError(f"{name}: found {array.min()} to {array.max()}, expected classes from 0 to {classes - 1}")
    return array.astype(np.int64)
