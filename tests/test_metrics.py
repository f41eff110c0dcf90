"""Metrics against counts by hand, brute-force pairs, and closed forms."""

import math

import numpy as np
import pytest
from hypothesis import given
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

# 3 true positives, 2 false negatives, 1 false positive, 4 true negatives.
LABELS = np.array([1, 1, 1, 1, 1, 0, 0, 0, 0, 0])
GUESSES = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0])

pairs = st.integers(1, 40).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.int64, n, elements=st.integers(0, 1)),
        hnp.arrays(np.float64, n, elements=st.sampled_from([-2.0, -0.5, 0.0, 0.25, 3.0])),
    )
)


def test_counts_by_hand():
    assert accuracy(LABELS, GUESSES) == 0.7
    assert balanced_accuracy(LABELS, GUESSES) == pytest.approx((3 / 5 + 4 / 5) / 2, abs=1e-15)
    assert precision(LABELS, GUESSES) == 3 / 4
    assert recall(LABELS, GUESSES) == 3 / 5
    assert f1(LABELS, GUESSES) == 6 / 9


def test_balanced_accuracy_counts_each_occurring_class_once():
    labels = [0, 0, 0, 0, 2, 2, 7]
    guesses = [0, 0, 0, 5, 2, 5, 5]
    assert balanced_accuracy(labels, guesses) == pytest.approx((3 / 4 + 1 / 2 + 0) / 3, abs=1e-15)
    assert balanced_accuracy(labels, [0] * 7) == pytest.approx(1 / 3, abs=1e-15)
    assert balanced_accuracy([1, 1], [1, 0]) == 0.5


@pytest.mark.parametrize("metric", [precision, recall, f1])
def test_zero_over_zero_is_zero(metric):
    result = metric([0, 0], [0, 0])
    assert result == 0.0
    assert type(result) is float


@given(pairs)
def test_auc_is_the_share_of_ordered_pairs_with_ties_one_half(pair):
    labels, scores = pair
    up, down = scores[labels == 1], scores[labels == 0]
    if up.size == 0 or down.size == 0:
        assert math.isnan(roc_auc(labels, scores))
        return
    wins = sum(float(a > b) + 0.5 * float(a == b) for a in up for b in down)
    assert roc_auc(labels, scores) == wins / (up.size * down.size)
    assert roc_auc(1 - labels, scores) == pytest.approx(1 - roc_auc(labels, scores), abs=1e-15)
    assert roc_auc(labels, np.exp(scores)) == roc_auc(labels, scores)


def test_auc_by_hand():
    assert roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]) == 0.75
    assert roc_auc([0, 1], [5.0, 5.0]) == 0.5
    assert roc_auc([0, 1, 0], [-np.inf, np.inf, np.inf]) == 0.75
    assert math.isnan(roc_auc([0, 1], [0.0, np.nan]))
    assert math.isnan(roc_auc([1, 1], [0.0, 1.0]))
    assert math.isnan(roc_auc([0, 0], [0.0, 1.0]))


def test_log_loss_by_hand():
    assert log_loss([1], [0.0]) == pytest.approx(math.log(2), rel=1e-15)
    assert log_loss([1, 0], [[2.0], [-3.0]]) == pytest.approx(
        (math.log1p(math.exp(-2)) + math.log1p(math.exp(-3))) / 2, rel=1e-14
    )
    row = [1.0, 2.0, 4.0]
    total = sum(math.exp(z) for z in row)
    for label, z in enumerate(row):
        assert log_loss([label], [row]) == pytest.approx(math.log(total) - z, rel=1e-14)


def test_log_loss_of_large_and_infinite_logits():
    assert log_loss([0, 1], [1000.0, -1000.0]) == 1000.0
    assert log_loss([1, 0], [1000.0, -1000.0]) == 0.0
    assert log_loss([1], [40.0]) == pytest.approx(math.exp(-40), rel=1e-12)
    assert log_loss([2, 0], np.array([[0, 0, 1000], [-1000, 0, 0]], dtype=np.float32)) == pytest.approx(
        (1000 + math.log(2)) / 2, rel=1e-15
    )
    assert log_loss([1], [np.inf]) == 0.0
    assert log_loss([0], [np.inf]) == math.inf
    assert log_loss([1], [[np.inf, 0.0, 0.0]]) == math.inf
    assert math.isnan(log_loss([0], [[np.inf, np.inf, 0.0]]))
    assert math.isnan(evaluate([0, 1], [[np.inf, np.inf], [0.0, 1.0]], ["auc"])["auc"])


@given(pairs)
def test_one_logit_says_the_same_as_zero_and_the_logit(pair):
    labels, logits = pair
    two = np.stack([np.zeros_like(logits), logits], axis=1)
    shifted = two + 17.0
    assert log_loss(labels, two) == log_loss(labels, logits)
    losses = [math.log1p(math.exp(-z if label else z)) for label, z in zip(labels, logits, strict=True)]
    assert log_loss(labels, logits) == pytest.approx(sum(losses) / labels.size, rel=1e-14)
    assert log_loss(labels, shifted) == pytest.approx(log_loss(labels, two), rel=1e-12)
    names = ["auc", "loss"] if (logits == 0).any() else list(METRICS)
    one, other = evaluate(labels, logits[:, np.newaxis], names), evaluate(labels, two, names)
    np.testing.assert_array_equal(list(one.values()), list(other.values()))


def test_calibration_error_by_hand():
    logit = math.log(0.8 / 0.2)
    # Ten answers held with confidence 0.8, seven of them right; then half of them held by the other sign.
    assert calibration_error([1] * 7 + [0] * 3, [logit] * 10) == pytest.approx(0.1, abs=1e-12)
    assert calibration_error([0] * 7 + [1] * 3, [-logit] * 10) == pytest.approx(0.1, abs=1e-12)
    # Over- and underconfidence cancel in one bin, and not in two.
    logits = [math.log(0.6 / 0.4)] * 2 + [math.log(0.9 / 0.1)] * 2
    labels = [1, 1, 1, 0]
    assert calibration_error(labels, logits, bins=1) == pytest.approx(abs(3 / 4 - 0.75), abs=1e-12)
    assert calibration_error(labels, logits, bins=4) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4, abs=1e-12)
    assert calibration_error(labels, logits) == pytest.approx((2 * 0.4 + 2 * 0.4) / 4, abs=1e-12)
    three = [[math.log(0.7), math.log(0.2), math.log(0.1)]]
    assert calibration_error([0], three) == pytest.approx(0.3, abs=1e-12)
    assert calibration_error([1], three) == pytest.approx(0.7, abs=1e-12)


def test_calibration_bins_are_closed_on_the_right():
    # Confidences of exactly 0.5 (right) and just above (wrong) are in two bins of two: errors do not cancel.
    labels, logits = [1, 0], [0.0, 1e-9]
    assert calibration_error(labels, logits, bins=2) == pytest.approx(0.5, abs=1e-6)
    assert calibration_error(labels, logits, bins=1) == pytest.approx(0.0, abs=1e-6)
    assert calibration_error([1, 0], [np.inf, -np.inf]) == 0.0
    # By default the bins are 15: 8/15 = 0.533 parts these, as neither 14 nor 16 would both.
    apart = [math.log(p / (1 - p)) for p in (0.532, 0.535)]
    assert calibration_error([1, 0], apart) == pytest.approx((0.468 + 0.535) / 2, abs=1e-12)


def test_predictions():
    np.testing.assert_array_equal(predict([-0.1, 0.0, 0.1, -0.0]), [0, 1, 1, 1])
    np.testing.assert_array_equal(predict(np.array([[-1.0], [1.0]])), [0, 1])
    np.testing.assert_array_equal(predict([[1, 3, 3], [2, 0, 2], [0, 0, 1]]), [1, 0, 2])
    assert predict([0.5]).dtype == np.int64
    assert predict([[0.5, 1.0]]).dtype == np.int64
    with pytest.raises(ArgumentError, match=r"^logits: found 1 NaN of 3"):
        predict([1.0, np.nan, 0.0])


def test_evaluate_computes_each_named_metric_in_order():
    logits = np.where(GUESSES == 1, 2.0, -1.0)
    expected = {
        "f1": 6 / 9,
        "loss": log_loss(LABELS, logits),
        "accuracy": 0.7,
        "precision": 0.75,
        "recall": 0.6,
        "balanced_accuracy": 0.7,
        "auc": (3 * 4 + 0.5 * (3 + 8)) / 25,
        "calibration_error": calibration_error(LABELS, logits),
    }
    result = evaluate(LABELS, logits, expected)
    assert list(result) == list(expected)
    assert result == pytest.approx(expected, abs=1e-15)
    assert set(METRICS) == set(expected)
    assert all(type(value) is float for value in result.values())
    assert METRICS["f1"] is f1


def test_evaluate_of_three_classes():
    logits = [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]
    result = evaluate([0, 1, 2, 2], logits, ["accuracy", "balanced_accuracy"])
    assert result == pytest.approx({"accuracy": 0.75, "balanced_accuracy": 2.5 / 3}, abs=1e-15)
    for name in ("f1", "precision", "recall", "auc"):
        with pytest.raises(ArgumentError, match=f"found 3 classes, expected 2 for {name}"):
            evaluate([0, 1, 0, 1], logits, [name])


def test_auc_of_two_columns_ranks_their_difference():
    two = [[5.0, 4.0], [0.0, 0.5], [1.0, 3.0], [9.0, 9.2]]
    assert evaluate([0, 0, 1, 1], two, ["auc"]) == {"auc": 0.75}


@pytest.mark.parametrize("logits", [[1.0, np.nan, -1.0], [[0.0, 1.0], [np.nan, 1.0], [0.0, 0.0]]])
def test_a_nan_logit_makes_every_metric_nan(logits):
    result = evaluate([0, 1, 0], logits, METRICS)
    assert list(result) == list(METRICS)
    assert all(math.isnan(value) for value in result.values())
    assert math.isnan(log_loss([0, 1, 0], logits))
    assert math.isnan(calibration_error([0, 1, 0], logits))


@pytest.mark.parametrize("metric", [accuracy, balanced_accuracy, precision, recall, f1])
@pytest.mark.parametrize(
    ("labels", "predictions", "message"),
    [
        ([], [], r"^labels: found shape"),
        ([[0, 1]], [[0, 1]], r"^labels: found shape \(1, 2\)"),
        ([0.0, 1.0], [0, 1], r"^labels: .*float64.*expected .* integers"),
        ([0, 1], [0.0, 1.0], r"^predictions: .*float64"),
        ([0, 1], [0, 1, 1], r"^predictions: found shape \(3,\), expected \(2,\)"),
    ],
)
def test_bad_labels_and_predictions(metric, labels, predictions, message):
    with pytest.raises(ArgumentError, match=message):
        metric(labels, predictions)


@pytest.mark.parametrize("metric", [precision, recall, f1])
def test_two_class_metrics_refuse_other_classes(metric):
    with pytest.raises(ArgumentError, match=r"^labels: found 0 to 2, expected classes from 0 to 1"):
        metric([0, 2], [0, 1])
    with pytest.raises(ArgumentError, match=r"^predictions: found -1 to 1"):
        metric([0, 1], [-1, 1])


def test_bad_logits_and_scores():
    with pytest.raises(ArgumentError, match=r"^scores: found shape \(3,\), expected \(2,\)"):
        roc_auc([0, 1], [0.0, 1.0, 2.0])
    with pytest.raises(ArgumentError, match=r"^labels: found 1 to 2"):
        roc_auc([1, 2], [0.0, 1.0])
    with pytest.raises(ArgumentError, match=r"^scores: found complex128"):
        roc_auc([0, 1], [0j, 1j])
    with pytest.raises(ArgumentError, match=r"^logits: found complex128"):
        predict([0j, 1j])
    with pytest.raises(ArgumentError, match=r"^logits: found 3 rows, expected 2"):
        log_loss([0, 1], [0.0, 1.0, 2.0])
    with pytest.raises(ArgumentError, match=r"^labels: found 0 to 3, expected classes from 0 to 2"):
        log_loss([0, 3], np.zeros((2, 3)))
    with pytest.raises(ArgumentError, match=r"^labels: found 0 to 3, expected classes from 0 to 1"):
        calibration_error([0, 3], np.zeros(2))
    with pytest.raises(ArgumentError, match=r"^logits: found shape \(2, 1, 1\)"):
        predict(np.zeros((2, 1, 1)))
    with pytest.raises(ArgumentError, match=r"^logits: found shape \(0,\)"):
        predict(np.zeros(0))
    with pytest.raises(ArgumentError, match=r"^names: found 'acuracy'"):
        evaluate([0, 1], [0.0, 1.0], ["acuracy"])
    for bins in (0, 2.0, True):
        with pytest.raises(ArgumentError, match=r"^bins: found"):
            calibration_error([0, 1], [0.0, 1.0], bins=bins)


@given(pairs)
def test_any_memory_layout_and_small_dtypes_give_equal_results(pair):
    labels, logits = pair
    expected = evaluate(labels, logits, METRICS)
    reversed_twice = logits[::-1].copy()[::-1]
    reversed_twice.flags.writeable = False
    small = labels.astype(np.uint8)
    small.flags.writeable = False
    result = evaluate(small, reversed_twice, METRICS)
    np.testing.assert_array_equal(list(result.values()), list(expected.values()))
    wide = np.zeros((labels.size, 6), order="F")
    wide[:, ::2] = np.stack([logits, -logits, logits / 2], axis=1)
    assert log_loss(labels, wide[:, ::2]) == log_loss(labels, wide[:, ::2].copy())
    assert accuracy(labels.astype(bool), small) == 1.0
