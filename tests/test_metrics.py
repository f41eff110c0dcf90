"""Metrics against plain counts, one example or pair at a time, and what changes nothing in them."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.errors import ArgumentError
from npnet.metrics import (
    METRICS,
    accuracy,
    balanced_accuracy,
    calibration_error,
    evaluate,
    f1,
    log_loss,
    precision,
    predict,
    recall,
    roc_auc,
)

TWO_CLASSES = ("f1", "precision", "recall", "auc")
numbers = st.sampled_from([-2.0, -0.5, 0.0, 0.25, 3.0]) | st.floats(-30, 30)


def examples(k, *shape):
    """Labels of k classes, and for each as many numbers as `shape` says."""
    return st.integers(1, 40).flatmap(
        lambda n: st.tuples(
            hnp.arrays(np.int64, n, elements=st.integers(0, k - 1)),
            hnp.arrays(np.float64, (n, *shape), elements=numbers),
        )
    )


pairs = examples(2)
judged = st.integers(2, 4).flatmap(lambda k: examples(k, k))


def same(found, expected):
    """Whether two results of `evaluate` are equal, NaN included."""
    assert list(found) == list(expected)
    np.testing.assert_array_equal(list(found.values()), list(expected.values()))


@given(hnp.arrays(np.int64, st.tuples(st.just(2), st.integers(1, 20)), elements=st.integers(0, 1)))
@example(np.array([[1] * 5 + [0] * 5, [1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]))
def test_two_classes_by_their_counts(both):
    labels, guesses = both
    told = list(zip(labels.tolist(), guesses.tolist(), strict=True))
    tp, fp, fn, tn = (told.count(pair) for pair in ((1, 1), (0, 1), (1, 0), (0, 0)))
    assert accuracy(labels, guesses) == (tp + tn) / len(told)
    # 0/0 is 0.
    assert precision(labels, guesses) == tp / max(1, tp + fp)
    assert recall(labels, guesses) == tp / max(1, tp + fn)
    assert f1(labels, guesses) == 2 * tp / max(1, 2 * tp + fp + fn)
    assert all(type(metric(*both)) is float for metric in (accuracy, balanced_accuracy, precision, recall, f1))


@given(hnp.arrays(np.int64, st.tuples(st.just(2), st.integers(1, 20)), elements=st.integers(0, 4)))
@example(np.array([[0, 0, 0, 0, 2, 2, 7], [0, 0, 0, 5, 2, 5, 5]]))
def test_balanced_accuracy_counts_each_occurring_class_once(both):
    labels, guesses = both
    shares = [accuracy(labels[labels == label], guesses[labels == label]) for label in set(labels.tolist())]
    assert balanced_accuracy(labels, guesses) == pytest.approx(np.mean(shares), abs=1e-15)
    assert balanced_accuracy(labels, np.zeros_like(labels)) == pytest.approx((0 in labels) / len(shares), abs=1e-15)


@given(pairs)
@example((np.array([0, 0, 1, 1]), np.array([0.1, 0.4, 0.35, 0.8])))
@example((np.array([0, 1, 0]), np.array([-np.inf, np.inf, np.inf])))
def test_auc_is_the_share_of_ordered_pairs_with_ties_one_half(pair):
    labels, scores = pair
    up, down = scores[labels == 1], scores[labels == 0]
    if up.size == 0 or down.size == 0:
        assert math.isnan(roc_auc(labels, scores))
        return
    wins = sum(float(a > b) + 0.5 * float(a == b) for a in up for b in down)
    assert roc_auc(labels, scores) == wins / (up.size * down.size)
    assert roc_auc(1 - labels, scores) == pytest.approx(1 - roc_auc(labels, scores), abs=1e-15)
    assert roc_auc(labels, 2 * scores) == roc_auc(labels, scores)
    assert math.isnan(roc_auc(labels, np.where(scores == scores[0], np.nan, scores)))


@given(judged)
def test_log_loss_is_the_mean_of_minus_the_logarithm(pair):
    labels, logits = pair
    each = [math.log(sum(math.exp(z - row[label]) for z in row)) for label, row in zip(labels, logits, strict=True)]
    assert log_loss(labels, logits) == pytest.approx(np.mean(each), rel=1e-12, abs=1e-15)
    assert log_loss(labels, logits + 17) == pytest.approx(log_loss(labels, logits), rel=1e-9, abs=1e-12)
    assert type(log_loss(labels, logits)) is float


@pytest.mark.parametrize(
    ("labels", "logits", "loss"),
    [
        ([0, 1], [1000.0, -1000.0], 1000),
        ([1, 0], [1000.0, -1000.0], 0),
        ([1], [40.0], math.exp(-40)),
        ([2, 0], np.array([[0, 0, 1000], [-1000, 0, 0]], dtype=np.float32), (1000 + math.log(2)) / 2),
        ([1], [np.inf], 0),
        ([0], [np.inf], math.inf),
        ([1], [[np.inf, 0.0, 0.0]], math.inf),
        ([0], [[np.inf, np.inf, 0.0]], math.nan),
    ],
)
def test_log_loss_of_large_and_infinite_logits(labels, logits, loss):
    assert log_loss(labels, logits) == pytest.approx(loss, rel=1e-12, nan_ok=True)


@given(judged, st.none() | st.integers(1, 20))
# By default the bins are 15: 8/15 = 0.533 parts these, as neither 14 nor 16 would both.
@example((np.array([1, 0]), np.array([[0, math.log(p / (1 - p))] for p in (0.532, 0.535)])), None)
# Bins are closed on the right: one half is in the first of two, and just above it in the second.
@example((np.array([0, 0]), np.array([[0, 0], [0, 1e-9]])), 2)
@example((np.array([1, 0]), np.array([[0, np.inf], [0, -np.inf]])), 15)
def test_calibration_error_bin_by_bin(pair, number):
    labels, logits = pair
    found = calibration_error(labels, logits) if number is None else calibration_error(labels, logits, number)
    number = number or 15
    surplus = [0.0] * number
    for label, row in zip(labels, logits, strict=True):
        largest = row.argmax()
        confidence = 1 / (1 + sum(math.exp(z - row[largest]) for z in np.delete(row, largest)))
        surplus[sum(confidence > b / number for b in range(1, number))] += (label == largest) - confidence
    assert found == pytest.approx(sum(map(abs, surplus)) / labels.size, abs=1e-12)


@given(pairs)
def test_one_logit_says_the_same_as_zero_and_the_logit(pair):
    labels, logits = pair
    two = np.stack([np.zeros_like(logits), logits], axis=1)
    # Of two equal logits the first is predicted, but of one the second: p is one half.
    names = ["auc", "loss"] if (logits == 0).any() else list(METRICS)
    for one in logits, logits[:, np.newaxis]:
        same(evaluate(labels, one, names), evaluate(labels, two, names))
    np.testing.assert_array_equal(predict(logits), logits >= 0)


@given(hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=4), elements=numbers))
@example(np.array([[1.0, 3, 3], [2, 0, 2], [0, 0, 1]]))
def test_the_first_of_the_largest_logits_is_predicted(logits):
    found = predict(logits)
    assert found.dtype == np.int64
    if logits.shape[1] > 1:
        assert found.tolist() == [row.index(max(row)) for row in logits.tolist()]


# Several at once.


@given(judged, st.permutations(list(METRICS)))
def test_evaluate_computes_each_named_metric_in_order(pair, names):
    labels, logits = pair
    if logits.shape[1] > 2:
        for name in TWO_CLASSES:
            with pytest.raises(ArgumentError, match=f"^logits: found . classes, expected 2 for {name}"):
                evaluate(labels, logits, [name])
        names = [name for name in names if name not in TWO_CLASSES]
    answers = {"loss": logits, "calibration_error": logits, "auc": logits[:, 1] - logits[:, 0]}
    expected = {name: METRICS[name](labels, answers.get(name, predict(logits))) for name in names}
    same(evaluate(labels, logits, names), expected)
    # One name, and not its letters.
    same(evaluate(labels, logits, names[0]), {names[0]: expected[names[0]]})


@given(judged, st.data())
def test_labels_have_the_forms_in_which_training_takes_them(pair, data):
    labels, logits = pair
    k = logits.shape[1]
    names = [name for name in METRICS if k == 2 or name not in TWO_CLASSES]
    one_hot = np.eye(k)[labels]
    forms = [labels[:, np.newaxis], labels.tolist(), one_hot, one_hot.astype(np.uint8), one_hot == 1]
    if k == 2:
        forms += [labels.astype(np.float32), labels[:, np.newaxis].astype(float), labels == 1]
    for form in forms:
        same(evaluate(form, logits, names), evaluate(labels, logits, names))
    soft = one_hot.copy()
    soft[data.draw(st.integers(0, len(labels) - 1)), data.draw(st.integers(0, k - 1))] += 0.5
    for wrong in soft, np.full(len(labels), 0.5), soft - one_hot, np.full(len(labels), np.nan), np.ones_like(one_hot):
        with pytest.raises(ArgumentError, match=r"^labels: found soft targets, .* need labels that are classes$"):
            evaluate(wrong, logits, "loss")


@given(judged, st.data())
def test_a_nan_logit_makes_every_metric_nan(pair, data):
    labels, logits = pair
    logits[data.draw(st.integers(0, len(labels) - 1))] = np.nan
    names = [name for name in METRICS if logits.shape[1] == 2 or name not in TWO_CLASSES]
    same(evaluate(labels, logits, names), dict.fromkeys(names, math.nan))
    assert math.isnan(log_loss(labels, logits))
    assert math.isnan(calibration_error(labels, logits))
    with pytest.raises(ArgumentError, match=r"^logits: found \d+ NaN of \d+, expected none to predict a class$"):
        predict(logits)


def test_two_infinite_logits_have_no_difference_to_rank():
    same(evaluate([0, 1], [[np.inf, np.inf], [0.0, 1.0]], "auc"), {"auc": math.nan})


@given(pairs)
def test_any_memory_layout_and_small_dtypes_give_equal_results(pair):
    labels, logits = pair
    wide = np.full((labels.size, 4), 99.0, order="F")
    wide[:, ::2] = np.stack([logits, -logits], axis=1)
    small = labels.astype(np.uint8)
    small.flags.writeable = wide.flags.writeable = False
    same(evaluate(small, wide[:, ::2], METRICS), evaluate(labels, wide[:, ::2].copy(), METRICS))
    same(evaluate(small, wide[:, 0], METRICS), evaluate(labels, logits, METRICS))


# What is refused.


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: balanced_accuracy([0, 1], [[0, 1]]),
            "predictions: found shape (1, 2) of int64, expected (n,) integers, not empty",
        ),
        (lambda: accuracy([], []), "labels: found shape (0,) of float64, expected (n,) integers, not empty"),
        (lambda: accuracy([0.0], [0]), "labels: found shape (1,) of float64, expected (n,) integers, not empty"),
        (lambda: accuracy([0, 1], [0, 1, 1]), "predictions: found shape (3,), expected (2,), that of labels"),
        (lambda: f1([0, 2], [0, 1]), "labels: found 0 to 2, expected classes from 0 to 1"),
        (lambda: recall([0, 1], [-1, 1]), "predictions: found -1 to 1, expected classes from 0 to 1"),
        (lambda: precision([0, 1], [2, 1]), "predictions: found 1 to 2, expected classes from 0 to 1"),
        (lambda: roc_auc([0, 1], [0.0, 1.0, 2.0]), "scores: found shape (3,), expected (2,), that of labels"),
        (lambda: roc_auc([1, 2], [0.0, 1.0]), "labels: found 1 to 2, expected classes from 0 to 1"),
        (lambda: roc_auc([0, 1], [True, False]), "scores: found bool, expected real numbers"),
        (lambda: predict([0j, 1j]), "logits: found complex128, expected real numbers"),
        (lambda: predict(np.zeros((2, 1, 1))), "logits: found shape (2, 1, 1), expected (n,) or (n, k), not empty"),
        (lambda: predict(np.zeros(0)), "logits: found shape (0,), expected (n,) or (n, k), not empty"),
        (lambda: log_loss([0, 1], [0.0, 1.0, 2.0]), "logits: found 3 rows, expected 2, one a label"),
        (lambda: log_loss([0, 3], np.zeros((2, 3))), "labels: found 0 to 3, expected classes from 0 to 2"),
        (lambda: log_loss(["0"], [0.0]), "labels: found <U1, expected real numbers"),
        (lambda: log_loss([[0, 1, 0]], [0]), "labels: found shape (1, 3) of int64, expected (n,) integers, not empty"),
        (lambda: calibration_error([0], [0.0], bins=0), "bins: found 0, expected an integer of at least 1"),
        (lambda: evaluate([0], [0.0], ["acuracy"]), f"names: found 'acuracy', expected one of {', '.join(METRICS)}"),
        (lambda: evaluate([0], [0.0], [[]]), f"names: found [], expected one of {', '.join(METRICS)}"),
    ],
)  # fmt: skip
def test_what_is_refused(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message
