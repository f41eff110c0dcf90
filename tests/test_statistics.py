"""Intervals, spread and the sign test over seeds; correlations have a file of their own."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.statistics import FEWEST_PAIRS, deviation, interval, sign_test, spread
from npnet.errors import ArgumentError


@pytest.mark.parametrize(
    ("values", "digits", "text"),
    [
        ([0.25], 3, "0.250 (n = 1)"),
        ([1.0, 2.0, 3.0], 3, "2.000 [1.000, 3.000] (n = 3)"),
        ([0.0, 1.0], 3, "0.500 [0.000, 1.000] (n = 2)"),
        ([1.0, math.nan], 3, "nan [nan, nan] (n = 2)"),
        ([math.nan], 3, "nan (n = 1)"),
        ([1.0, 2.0, 3.0], 1, "2.0 [1.0, 3.0] (n = 3)"),
        ([1.26], 1, "1.3 (n = 1)"),
        ([math.inf, -math.inf], 3, "nan [nan, nan] (n = 2)"),
    ],
)
def test_spread(values, digits, text):
    assert spread(values, digits) == text
    assert digits != 3 or spread(values) == text


def test_deviation_and_interval_of_few_seeds():
    assert deviation([1.0, 2.0, 3.0]) == 1.0
    assert math.isnan(deviation([1.0, math.inf]))
    # One seed says nothing of the spread.
    assert deviation([5.0]) == 0.0
    assert interval([3.0]) == (-math.inf, math.inf)


def test_interval_of_many_values_is_the_normal_one():
    values = np.random.default_rng(0).normal(5, 2, 400)
    half = 1.96 * values.std() / 20
    assert interval(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_interval_lies_within_the_values_and_moves_with_them(values):
    low, high = interval(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert interval(values) == (low, high)
    assert interval(np.array(values) + 8) == pytest.approx((low + 8, high + 8), abs=1e-9)


def test_interval_of_another_statistic():
    samples = np.array([[0, 10], [1, 11], [2, 12], [3, 13]])
    low, high = interval(samples, lambda resamples: (resamples[..., 1] - resamples[..., 0]).max(axis=1))
    assert (low, high) == (10, 10)
    assert interval(samples, lambda resamples: resamples[..., 0].max(axis=1))[1] == 3


def test_spread_of_nothing():
    with pytest.raises(ArgumentError, match=r"^values is empty, expected one number per seed$"):
        spread([])


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1, 1, 1, 1, 1, 1], (6, 6, 2 / 64)),
        ([-1, -2, -3], (0, 3, 2 / 8)),
        ([1, 1, 1, -1], (3, 4, 2 * 5 / 16)),
        ([1, -1], (1, 2, 1.0)),
        ([0, 0, 5, np.nan], (1, 1, 1.0)),
        ([], (0, 0, 1.0)),
    ],
)
def test_the_sign_test_is_exact(differences, expected):
    assert sign_test(np.array(differences, dtype=float)) == expected


def test_significantly_more_than_half_go_up():
    up, down = np.ones(FEWEST_PAIRS), -np.ones(FEWEST_PAIRS)
    assert sign_test(up).upwards
    assert not sign_test(down).upwards
    assert not sign_test(up[1:]).upwards
    assert not sign_test(np.concatenate([up, down])).upwards
