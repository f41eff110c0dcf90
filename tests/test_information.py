"""Information and selectivity against counts by hand, and what changes nothing."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.errors import ArgumentError
from npnet.information import mutual_information, selectivity

# Few distinct values, so that ties and constant columns are common; 0 as often as after relu.
samples = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n, 3), elements=st.sampled_from([0.0, 0.0, -0.0, 0.25, 1.0, 1.5, 2.0, 7.0])),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)),
    )
)
# Two classes at least.
active = st.integers(2, 12).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n, 2), elements=st.just(0.0) | st.floats(2**-20, 9)),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)).filter(lambda labels: np.ptp(labels) > 0),
    )
)


def entropy(shares):
    return -sum(p * math.log2(p) for p in shares if p > 0)


def plug_in_and_bias(values, labels, bins):
    """Both terms from three entropies of counts, one example at a time."""
    n = len(values)
    placed = []
    for value in values:
        below = sum(other < value for other in values)
        equal = sum(other == value for other in values)
        placed.append(bins * (2 * below + equal) // (2 * n))
    tables = [Counter(placed), Counter(labels), Counter(zip(placed, labels, strict=True))]
    of_bins, of_classes, joint = (entropy(count / n for count in table.values()) for table in tables)
    occupied = [len(table) for table in tables]
    bias = (occupied[2] - occupied[0] - occupied[1] + 1) / (2 * n * math.log(2))
    return of_bins + of_classes - joint, bias


# 16 bins tell tenths apart, 15 or 17 do not.
TENTHS = np.tile(np.arange(160.0)[:, np.newaxis], 3), np.arange(160) // 10 % 2


@given(samples, st.none() | st.integers(1, 40))
@example(TENTHS, None)
def test_the_equation_one_example_at_a_time(sample, bins):
    values, labels = sample
    found = mutual_information(values, labels) if bins is None else mutual_information(values, labels, bins)
    assert (found.shape, found.dtype) == ((3,), np.float64)
    for column, information in zip(values.T.tolist(), found, strict=True):
        plug_in, bias = plug_in_and_bias(column, labels.tolist(), bins or 16)
        assert information == pytest.approx(plug_in - bias, abs=1e-12)


@given(samples, st.integers(1, 40))
def test_nothing_to_say_is_exactly_zero(sample, bins):
    values, labels = sample
    assert mutual_information(np.full_like(values, 0.1), labels, bins).tolist() == [0.0] * 3
    assert mutual_information(values, np.zeros_like(labels), bins).tolist() == [0.0] * 3
    assert mutual_information(values, labels, bins=1).tolist() == [0.0] * 3


@given(samples, st.permutations(range(4)), st.sampled_from([2, 3, 16]), st.randoms())
def test_information_depends_on_order_and_classes_only(sample, names, bins, random):
    values, labels = sample
    expected = mutual_information(values, labels, bins)
    for stretched in np.exp(values), 3 * values - 100, values**3, values.astype(np.float32), np.int8(4 * values):
        np.testing.assert_array_equal(mutual_information(stretched, labels, bins), expected)
    renamed = 10 * np.array(names)[labels] - 7
    np.testing.assert_allclose(mutual_information(values, renamed, bins), expected, rtol=0, atol=1e-12)
    order = random.sample(range(len(labels)), len(labels))
    np.testing.assert_array_equal(mutual_information(values[order], labels[order], bins), expected)


@given(samples)
def test_columns_are_measured_apart_and_layouts_are_equal(sample):
    values, labels = sample
    wide = np.full((len(values), 6), np.nan, order="F")
    wide[:, ::2] = values
    wide.flags.writeable = labels.flags.writeable = False
    expected = mutual_information(values, labels)
    np.testing.assert_array_equal(mutual_information(wide[:, ::2], labels), expected)
    single = [mutual_information(column, labels) for column in values.T]
    assert {type(information) for information in single} == {float}
    np.testing.assert_array_equal(single, expected)


def test_independent_values_give_about_zero_where_the_plug_in_does_not():
    rng = np.random.default_rng(5)
    values, labels = rng.standard_normal((150, 80)), np.repeat([0, 1, 2], 50)
    found = mutual_information(values, labels)
    # All 48 cells but few are occupied: the bias is near (16 - 1) (3 - 1) / (2 n ln 2) = 0.144 bits.
    plug_in = [plug_in_and_bias(column, labels.tolist(), 16)[0] for column in values[:, :8].T.tolist()]
    assert np.mean(plug_in) > 0.1
    assert abs(found.mean()) < 0.02
    assert found.min() < 0 < found.max()


@given(active)
@example((np.array([[6.0, 5], [1, 5], [2, 5], [3, 5]]), np.array([0, 1, 2, 2])))
# The mean of nine equal numbers may round to more than any of them.
@example((np.tile(np.linspace(0.1, 1, 50), (10, 1)), np.arange(10)))
def test_selectivity_by_its_equation(case):
    activations, labels = case
    found = selectivity(activations, labels)
    assert ((found >= 0) & (found <= 1)).all()
    means = np.array([activations[labels == c].mean(axis=0) for c in np.unique(labels)])
    for unit, value in zip(means.T, found, strict=True):
        largest, others = unit.max(), np.delete(unit, unit.argmax()).mean()
        assert value == pytest.approx((largest - others) / (largest + others) if largest else 0, abs=1e-12)
        assert (value == 0, value == 1) == (np.ptp(unit) == 0, np.count_nonzero(unit) == 1)


@given(active, st.permutations(range(4)), st.floats(0.01, 100))
def test_selectivity_sees_neither_scale_nor_names(case, names, scale):
    activations, labels = case
    found = selectivity(activations, labels)
    for same in activations * scale, np.repeat(activations, 2, axis=1)[:, ::2], activations.tolist():
        np.testing.assert_allclose(selectivity(same, labels), found, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(selectivity(activations, 7 * np.array(names)[labels] - 9), found)


@pytest.mark.parametrize(
    ("measure", "arguments", "message"),
    [
        (mutual_information, ([np.nan, 1.0], [0, 1]), "values: found 1 of 2 NaN or infinite, expected finite numbers"),
        (mutual_information, ([], []), "values: found shape (0, 1), expected (n, columns), not empty"),
        (mutual_information, ([1.0, 2.0], [0.0, 1.0]), "labels: found float64, expected integers"),
        (mutual_information, ([1.0, 2.0], [0, 1], 0), "bins: found 0, expected an integer of at least 1"),
        (mutual_information, ([1.0, 2.0], [0, 1], "16"), "bins: found '16', expected an integer of at least 1"),
        (selectivity, ([1.0, 2.0], [0, 1]), "activations: found shape (2,), expected (n, columns), not empty"),
        (selectivity, ([[1.0], [-1e-300]], [0, 1]), "activations: found 1 of 2 negative, expected none"),
        (selectivity, ([[1.0], [2.0]], [0, 1, 1]), "labels: found shape (3,), expected (2,), one a row"),
        (selectivity, ([[1.0], [2.0]], [3, 3]), "labels: found 1 class, expected at least 2"),
    ],
)
def test_what_is_refused(measure, arguments, message):
    with pytest.raises(ArgumentError) as error:
        measure(*arguments)
    assert str(error.value) == message
