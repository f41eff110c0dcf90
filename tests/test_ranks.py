"""Ranks and their correlation against plain counts, and what changes nothing in them."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.errors import ArgumentError
from npnet.ranks import mid_ranks, rank_correlation

# Whole numbers are often equal, and stay apart under the maps below; zero is there with both signs.
small = st.integers(-3, 3).map(float) | st.just(-0.0)
rows = hnp.arrays(
    np.float64,
    hnp.array_shapes(max_dims=3, min_side=0, max_side=5),
    elements=small | st.floats(allow_nan=False),
)
pairs = hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 3), st.integers(1, 6)), elements=small)


@given(rows, st.sampled_from([np.float64, np.float32, np.float16]))
def test_a_rank_is_how_many_are_smaller_and_half_of_how_many_others_are_equal(values, dtype):
    with np.errstate(over="ignore"):
        values = values.astype(dtype)
    smaller, equal = (f(values[..., np.newaxis, :], values[..., np.newaxis]).sum(axis=-1) for f in (np.less, np.equal))
    found = mid_ranks(values)
    np.testing.assert_array_equal(found, smaller + (equal - 1) / 2)
    assert found.dtype == np.float64


@given(pairs, st.randoms())
def test_ranks_depend_on_order_alone(pair, random):
    ranks, n = mid_ranks(pair), pair.shape[-1]
    for increasing in np.exp(pair), pair**3 - 7, pair.astype(np.int8), np.asfortranarray(pair), ranks:
        np.testing.assert_array_equal(mid_ranks(increasing), ranks)
    np.testing.assert_array_equal(mid_ranks(-pair), n - 1 - ranks)
    order = random.sample(range(n), n)
    np.testing.assert_array_equal(mid_ranks(pair[..., order]), ranks[..., order])


@given(pairs, st.data())
def test_a_nan_is_of_its_row_alone(pair, data):
    bad = pair.copy()
    where = tuple(data.draw(st.integers(0, size - 1)) for size in pair.shape)
    bad[where] = np.nan
    expected = mid_ranks(pair)
    expected[where[:-1]] = np.nan
    np.testing.assert_array_equal(mid_ranks(bad), expected)
    correlation = rank_correlation(*pair)
    correlation[where[1]] = np.nan
    np.testing.assert_array_equal(rank_correlation(*bad), correlation)


@given(pairs)
def test_the_correlation_is_that_of_the_ranks_of_each_row(pair):
    for a, b, found in zip(*pair, rank_correlation(*pair), strict=True):
        if np.ptp(a) == 0 or np.ptp(b) == 0:
            assert math.isnan(found)
        else:
            assert found == pytest.approx(np.corrcoef(mid_ranks(a), mid_ranks(b))[0, 1], abs=1e-12)
        np.testing.assert_array_equal(rank_correlation(a, b), found)


@given(pairs)
def test_the_correlation_is_symmetric_and_changes_sign_with_the_order(pair):
    a, b = pair
    found = rank_correlation(a, b)
    np.testing.assert_array_equal(rank_correlation(b, a), found)
    np.testing.assert_array_equal(rank_correlation(np.exp(a), b**3), found)
    np.testing.assert_array_equal(rank_correlation(-a, b), -found)
    itself = rank_correlation(a, a)
    np.testing.assert_array_equal(itself, np.where(np.ptp(a, axis=1) > 0, 1, np.nan))


@given(hnp.arrays(np.float64, st.tuples(st.just(2), st.integers(1, 6)), elements=small), st.data())
@example(np.array([[1.0, 2, 3, 4, np.inf], [1, 2, 3, 4, 5]]), None)
def test_how_often_a_pair_counts_is_how_often_it_stands_there(pair, data):
    shape = (3, pair.shape[1])
    times = np.ones(shape, int) if data is None else data.draw(hnp.arrays(np.int64, shape, elements=st.integers(0, 3)))
    expected = [rank_correlation(*np.repeat(pair, row, axis=1)) for row in times]
    np.testing.assert_array_equal(rank_correlation(*pair, times), expected)
    pair[0, 0] = np.nan
    assert np.isnan(rank_correlation(*pair, times)).all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 2], [1]), "a, b: found shapes (2,) and (1,), expected two equal ones (..., n)"),
        ((1, 2), "a, b: found shapes () and (), expected two equal ones (..., n)"),
        ((["1"], [1]), "a: found <U1, expected real numbers"),
        (([1], [1j]), "b: found complex128, expected real numbers"),
        (([1, 2], [1, 2], [[1]]), "times: found shape (1, 1), expected (r, n) for one row (n,), here (2,)"),
        (([1], [1], [[np.nan]]), "times: found 1 of 1 NaN or infinite, expected finite numbers"),
    ],
)
def test_what_has_no_ranks(arguments, message):
    with pytest.raises(ArgumentError) as error:
        rank_correlation(*arguments)
    assert str(error.value) == message
