"""Rank correlations over networks in groups, such as architectures, and their bootstrap intervals."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments import statistics
from experiments.statistics import FEWEST, Correlation, correlation, correlation_within
from npnet.ranks import rank_correlation

# Small integers are often equal.
measured = st.integers(FEWEST, 8).flatmap(
    lambda n: hnp.arrays(np.float64, (2, n), elements=st.integers(0, 6)).filter(lambda xy: np.ptp(xy, axis=1).all())
)


def of_one_group(x, y):
    return correlation(x, y, ["one"] * len(x))


@given(measured)
def test_the_interval_is_that_of_resampled_networks(xy):
    n = xy.shape[1]
    found = of_one_group(*xy)
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=statistics._RANK_RESAMPLES)
    x, y = xy[:, np.array([np.repeat(np.arange(n), row) for row in counts])]
    # A network that is drawn n times has no correlation with itself.
    low, high = np.quantile(np.nan_to_num(rank_correlation(x, y)), [0.025, 0.975])
    assert found == Correlation(rank_correlation(*xy), low, high, n, 1)


@given(measured)
def test_ranks_do_not_see_the_scale(xy):
    x, y = xy
    found = of_one_group(x, y)
    assert of_one_group(np.exp(x), 3 * y - 7) == found
    assert of_one_group(y, x) == found
    value, low, high = (-number for number in of_one_group(-x, y)[:3])
    assert (value, high, low) == pytest.approx(found[:3], abs=1e-12)


def test_groups_are_drawn_with_all_their_networks():
    # The order of the groups goes with both numbers; within them nothing does.
    x, groups = np.repeat(np.arange(10.0), 8), np.repeat(np.arange(10), 8)
    y = np.random.default_rng(1).permutation(10)[groups] + 0.0
    apart, together = correlation(x, y, range(80)), correlation(x, y, groups)
    assert apart.value == together.value
    assert together.high - together.low > 2 * (apart.high - apart.low)


def test_what_is_the_same_for_all_and_what_is_unknown_have_no_correlation():
    for x in (np.full(6, 2.0), [1, 2, 3, 4, 5, np.nan]):
        for found in (of_one_group(x, range(6)), of_one_group(range(6), x)):
            assert np.isnan(found[:3]).all()
            assert str(found) == "nan [nan, nan] (n = 6)"


def test_too_few_networks_have_no_correlation():
    few, groups = range(FEWEST - 1), ["one"] * (FEWEST - 1)
    assert correlation(few, few, groups)[1:] == (-math.inf, math.inf, FEWEST - 1, 1)
    assert correlation_within(few, few, groups)[1:] == (-math.inf, math.inf, 0, 0)
    assert math.isnan(correlation(few, few, groups).value)
    assert math.isnan(correlation_within(few, few, groups).value)
    assert str(correlation_within(few, few, groups)) == "nan [-inf, inf] (n = 0 in 0 groups)"


def test_within_is_the_mean_over_groups_by_their_size():
    # Together the two groups are ordered the other way round.
    x = [*range(5), *range(10, 20), 100]
    y = [50, 51, 52, 53, 54, *range(10, 20), 0]
    y[6], y[5] = y[5], y[6]
    groups = [1] * 5 + [2] * 10 + [3]
    found = correlation_within(x, y, groups)
    assert found.value == pytest.approx((5 * 1 + 10 * rank_correlation(x[5:15], y[5:15])) / 15)
    assert (found.networks, found.groups) == (15, 2)
    assert found.low <= found.value <= found.high
    assert correlation(x, y, groups).value < 0
    assert str(found).endswith(" (n = 15 in 2 groups)")


def test_within_draws_groups_and_weighs_them_by_their_size():
    # 1 within the first, -1 within the second, which is twice as large: both, or one of them twice.
    found = correlation_within(range(30), [*range(10), *range(20, 0, -1)], [1] * 10 + [2] * 20)
    assert found[:3] == pytest.approx((-1 / 3, -1.0, 1.0))


def test_one_group_says_nothing_of_others():
    x, y = np.random.default_rng(3).normal(size=(2, 12))
    found = correlation_within(x, y, ["one"] * 12)
    assert found.value == pytest.approx(of_one_group(x, y).value)
    assert found[1:] == (-np.inf, np.inf, 12, 1)


def test_what_is_the_same_within_a_group_has_no_correlation_there():
    found = correlation_within([5] * 5 + [*range(7)], range(12), [1] * 5 + [2] * 7)
    assert np.isnan(found[:3]).all()


def test_a_correlation_in_words():
    assert str(Correlation(0.456, -0.1234, 0.9, 1234)) == "0.46 [-0.12, 0.90] (n = 1,234)"
