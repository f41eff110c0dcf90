"""Information and selectivity against counts by hand, known channels, integrals, and what changes nothing."""

import math
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import npnet
from npnet.errors import ArgumentError
from npnet.information import mutual_information, selectivity

# Few distinct values, so that ties and constant columns are common; 0 as often as after relu.
samples = st.integers(1, 30).flatmap(
    lambda n: st.tuples(
        hnp.arrays(np.float64, (n, 3), elements=st.sampled_from([0.0, 0.0, -0.0, 0.25, 1.0, 1.5, 2.0, 7.0])),
        hnp.arrays(np.int64, n, elements=st.integers(0, 3)),
    )
)


def entropy(*shares):
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
    of_bins, of_classes, joint = (entropy(*(count / n for count in table.values())) for table in tables)
    occupied = [len(table) for table in tables]
    bias = (occupied[2] - occupied[0] - occupied[1] + 1) / (2 * n * math.log(2))
    return of_bins + of_classes - joint, bias


@given(samples, st.integers(1, 40))
def test_the_equation_one_example_at_a_time(sample, bins):
    values, labels = sample
    found = mutual_information(values, labels, bins)
    assert (found.shape, found.dtype) == ((3,), np.float64)
    for column, information in zip(values.T.tolist(), found, strict=True):
        plug_in, bias = plug_in_and_bias(column, labels.tolist(), bins)
        assert information == pytest.approx(plug_in - bias, abs=1e-12)


def test_a_value_that_is_the_label_gives_the_entropy_of_the_labels():
    labels = np.repeat([0, 1, 2], [50, 25, 25])
    correction = 2 / (2 * 100 * math.log(2))
    assert mutual_information(labels, labels) == pytest.approx(1.5 + correction, abs=1e-14)
    assert mutual_information(-3.0 * labels, labels) == pytest.approx(1.5 + correction, abs=1e-14)
    # One bin for each of few examples that all differ: as much as there are labels to tell.
    assert mutual_information([0.1, 0.2, 0.3, 0.4], [0, 1, 0, 1]) == pytest.approx(
        1 - (4 - 4 - 2 + 1) / (8 * math.log(2))
    )


def test_a_binary_symmetric_channel_by_its_expected_counts():
    # 100 examples, a tenth of each class flipped: all four cells are occupied.
    labels = np.repeat([0, 1], 50)
    values = np.concatenate([np.repeat([0, 1], [45, 5]), np.repeat([1, 0], [45, 5])])
    expected = 1 - entropy(0.1, 0.9) - 1 / (200 * math.log(2))
    assert mutual_information(values, labels) == pytest.approx(expected, abs=1e-14)
    assert mutual_information(values, labels, bins=2) == pytest.approx(expected, abs=1e-14)
    assert mutual_information(values, labels, bins=1) == 0.0


@pytest.mark.parametrize("flip", [0.02, 0.1, 0.3])
def test_a_binary_symmetric_channel_by_sampling(flip):
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 2, 20_000)
    values = np.where(rng.random(20_000) < flip, 1 - labels, labels)
    # The estimate is a mean of n logs; near its own value their spread is sqrt(p (1 - p)) log2((1 - p) / p).
    error = math.sqrt(flip * (1 - flip) / 20_000) * math.log2((1 - flip) / flip)
    assert mutual_information(values, labels) == pytest.approx(1 - entropy(flip, 1 - flip), abs=4 * error)


def test_independent_values_give_about_zero_where_the_plug_in_does_not():
    rng = np.random.default_rng(5)
    values, labels = rng.standard_normal((150, 80)), np.repeat([0, 1, 2], 50)
    found = mutual_information(values, labels)
    # All 48 cells but few are occupied: the bias is near (16 - 1) (3 - 1) / (2 n ln 2) = 0.144 bits.
    plug_in = [plug_in_and_bias(column, labels.tolist(), 16)[0] for column in values[:, :8].T.tolist()]
    assert np.mean(plug_in) > 0.1
    assert abs(found.mean()) < 0.02
    assert found.min() < 0 < found.max()


def test_two_normal_distributions_against_numerical_integration():
    rng = np.random.default_rng(7)
    labels = np.arange(20_000) % 2
    apart = np.array([0.0, 1.0, 2.0, 4.0])
    values = rng.standard_normal((20_000, 4)) + np.outer(labels, apart)
    grid, step = np.linspace(-10, 15, 5001, retstep=True)
    for distance, information in zip(apart, mutual_information(values, labels), strict=True):
        density = np.exp(-((grid - [[0.0], [distance]]) ** 2) / 2) / math.sqrt(2 * math.pi)
        mixture = density.mean(axis=0)
        exact = (density * np.log2(density / mixture)).mean(axis=0).sum() * step
        # The bins lose a little and the sample is off by a little: 0.004 where the classes half overlap.
        assert information == pytest.approx(exact, abs=0.01)


def test_bins_hold_equally_many_and_equal_values_stay_together():
    # Bins of four and four, whatever the distances: the label is the bin.
    values = [-1e9, 0.0, 0.1, 0.2, 0.3, 1.0, 50.0, 1e12]
    correction = 1 / (16 * math.log(2))
    assert mutual_information(values, [0] * 4 + [1] * 4, bins=2) == pytest.approx(1 + correction, abs=1e-14)
    # Half are zeros, of both signs and labels; the rest is told apart from them and in two bins of its own.
    relu = np.array([0.0, -0.0, 0.0, -0.0, 1.0, 2.0, 3.0, 4.0])
    labels = np.array([0, 0, 1, 1, 0, 0, 1, 1])
    expected = 0.5 - (4 - 3 - 2 + 1) / (16 * math.log(2))
    for order in np.arange(8), np.arange(8)[::-1], np.array([4, 0, 5, 2, 1, 6, 7, 3]):
        assert mutual_information(relu[order], labels[order], bins=4) == pytest.approx(expected, abs=1e-14)
    # A rare value, lowest or highest, is not drowned by a frequent one.
    for rare in -1.0, 1.0:
        spike = np.where(np.arange(100) == 40, rare, 0.0)
        assert mutual_information(spike, spike != 0) == pytest.approx(
            entropy(0.01, 0.99) + 1 / (200 * math.log(2)), abs=1e-14
        )


def test_sixteen_bins_by_default():
    # Tenths of other labels by turns: 16 bins tell them all apart, 15 or 17 would not.
    values = np.arange(160.0)
    labels = np.arange(160) // 10 % 2
    assert mutual_information(values, labels) == pytest.approx(1 + 1 / (320 * math.log(2)), abs=1e-14)
    assert mutual_information(values, labels, bins=15) < mutual_information(values, labels)
    assert mutual_information(values, labels, bins=17) < mutual_information(values, labels)


@given(samples)
def test_nothing_to_say_is_exactly_zero(sample):
    values, labels = sample
    constant = np.full_like(values, 0.1)
    assert mutual_information(constant, labels).tolist() == [0.0] * 3
    assert mutual_information(values, np.zeros_like(labels)).tolist() == [0.0] * 3


@given(samples, st.permutations(range(4)), st.sampled_from([2, 3, 16]))
def test_information_depends_on_order_and_classes_only(sample, names, bins):
    values, labels = sample
    expected = mutual_information(values, labels, bins)
    for stretched in np.exp(values), 3 * values - 100, values**3, values.astype(np.float32), np.int8(4 * values):
        np.testing.assert_array_equal(mutual_information(stretched, labels, bins), expected)
    renamed = 10 * np.array(names)[labels] - 7
    np.testing.assert_allclose(mutual_information(values, renamed, bins), expected, rtol=0, atol=1e-12)
    order = np.random.default_rng(0).permutation(len(labels))
    np.testing.assert_array_equal(mutual_information(values[order], labels[order], bins), expected)


@given(samples)
def test_columns_are_measured_apart_and_layouts_are_equal(sample):
    values, labels = sample
    values = np.abs(values)
    labels = labels % 2
    labels[0] = 1 - labels[-1]
    wide = np.full((len(values), 6), np.nan, order="F")
    wide[:, ::2] = values
    wide.flags.writeable = labels.flags.writeable = False
    expected = mutual_information(values, labels)
    np.testing.assert_array_equal(mutual_information(wide[:, ::2], labels), expected)
    single = [mutual_information(column, labels) for column in values.T]
    assert {type(information) for information in single} == {float}
    np.testing.assert_array_equal(single, expected)
    if len(values) > 1:
        np.testing.assert_allclose(selectivity(wide[:, ::2], labels), selectivity(values, labels), rtol=0, atol=1e-12)


def test_selectivity_by_hand():
    # Means on the classes 0, 1 and 2, of one, two and three examples: 6, 1 and 2 for the first unit.
    labels = [2, 0, 1, 2, 1, 2]
    activations = np.array([[1, 0, 5, 0], [6, 0, 5, 0], [2, 1, 5, 0], [2, 0, 5, 0], [0, 3, 5, 0], [3, 0, 5, 0]])
    expected = [(6 - 1.5) / (6 + 1.5), 1.0, 0.0, 0.0]
    found = selectivity(activations, labels)
    assert found.tolist() == expected
    assert found.dtype == np.float64
    assert selectivity([[1.0], [3.0]], [0, 1]).tolist() == [0.5]


@given(samples, st.permutations(range(4)), st.floats(0.01, 100))
def test_selectivity_is_from_zero_to_one_whatever_the_scale_and_the_names(sample, names, scale):
    values, labels = sample
    activations, labels = np.abs(np.vstack([values, [[0, 1, 2]]])) / 10, np.append(labels, 4)
    found = selectivity(activations, labels)
    assert ((found >= 0) & (found <= 1)).all()
    means = np.array([activations[labels == c].mean(axis=0) for c in np.unique(labels)])
    largest = means.max(axis=0)
    others = (means.sum(axis=0) - largest) / (len(means) - 1)
    expected = np.where(largest > 0, (largest - others) / np.where(largest > 0, largest + others, 1), 0)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(selectivity(activations * scale, labels), found, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(selectivity(activations, np.array([*names, 9])[labels]), found)


def test_rounding_does_not_take_selectivity_out_of_its_range():
    # The mean of nine equal numbers may round to more than any of them.
    values = np.random.default_rng(0).random(50)
    assert not selectivity(np.tile(values, (10, 1)), np.arange(10)).any()
    assert (selectivity(np.outer(np.eye(10)[3], values), np.arange(10)) == 1).all()


@pytest.mark.parametrize(("measure", "name"), [(mutual_information, "values"), (selectivity, "activations")])
def test_bad_arguments(measure, name):
    labels = [0, 1, 1]
    good = np.ones((3, 2))
    for number in np.nan, np.inf, -np.inf:
        bad = good.copy()
        bad[1, 0] = number
        with pytest.raises(ArgumentError, match=rf"^{name}: found 1 of 6 NaN or infinite, expected finite numbers$"):
            measure(bad, labels)
    with pytest.raises(ArgumentError, match=rf"^{name}: found complex128, expected real"):
        measure(good * 1j, labels)
    for shape in (3, 2, 1), (0, 2), (3, 0):
        with pytest.raises(
            ArgumentError, match=rf"^{name}: found shape \({shape[0]}, {shape[1]}.*expected \(n, columns"
        ):
            measure(np.ones(shape), labels)
    with pytest.raises(ArgumentError, match=r"^labels: found float64, expected integers"):
        measure(good, [0.0, 1.0, 1.0])
    for wrong in [0, 1], [[0], [1], [1]]:
        with pytest.raises(ArgumentError, match=r"^labels: found shape .*, expected \(3,\), one a row"):
            measure(good, wrong)


def test_bad_bins_and_activations():
    for bins in 0, -1, 2.0, True, "16":
        with pytest.raises(ArgumentError, match=r"^bins: found .*, expected an integer of at least 1"):
            mutual_information([1.0, 2.0], [0, 1], bins)
    assert mutual_information([1.0, 2.0], [0, 1], np.int64(1)) == 0
    with pytest.raises(ArgumentError, match=r"^activations: found 2 of 6 negative, expected none"):
        selectivity([[1.0, -1e-300], [0.0, -0.0], [-2.0, 0.0]], [0, 1, 1])
    with pytest.raises(ArgumentError, match=r"^labels: found 1 class, expected at least 2"):
        selectivity([[1.0], [2.0]], [3, 3])
    with pytest.raises(ArgumentError, match=r"^activations: found shape \(2,\)"):
        selectivity([1.0, 2.0], [0, 1])
    assert mutual_information([True, False], [True, False]) == pytest.approx(1 + 1 / (4 * math.log(2)))


def test_they_are_exported():
    assert npnet.mutual_information is mutual_information
    assert npnet.selectivity is selectivity
