"""The products with a sparse matrix, against NumPy's with the zeros written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.fast.kernels.sparse import (
    add_ab,
    add_ab_loops,
    add_atb,
    add_atb_blocks,
    add_atb_loops,
    sampled_abt,
    sampled_abt_loops,
)
from npnet.fast.layouts import compressed

FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SIZES = st.integers(1, 9)


def integers(rng, shape, dtype, density=1.0):
    """Small whole numbers, whose sums are exact in any order; zero where a pixel is not drawn."""
    return (rng.integers(1, 5, shape) * (-1) ** rng.integers(0, 2, shape) * (rng.random(shape) < density)).astype(dtype)


def dense(rows, columns):
    """The matrix that is compressed."""
    matrix = np.zeros((len(rows.begin), columns), rows.value.dtype)
    for i, (begin, end) in enumerate(zip(rows.begin, rows.end, strict=True)):
        np.add.at(matrix[i], rows.column[begin:end], rows.value[begin:end])
    return matrix


def test_rows_by_hand():
    rows = compressed(np.array([[0.0, 2, 0, 3, 0], [0, 0, 0, 0, 0], [1, 2, 3, 4, 5]]), np.float32)
    assert (rows.begin.tolist(), rows.end.tolist()) == ([0, 4, 4], [4, 4, 12])
    assert rows.column[:12].tolist() == [1, 3, 3, 3, 0, 1, 2, 3, 4, 4, 4, 4]
    assert rows.value[:12].tolist() == [2, 3, 0, 0, 1, 2, 3, 4, 5, 0, 0, 0]
    assert (rows.value.dtype, rows.column.dtype) == (np.float32, np.uint16)


def test_bytes_are_scaled_and_nan_is_kept():
    rows = compressed(np.array([[0, 51, 255]], np.uint8), np.float64)
    np.testing.assert_allclose(rows.value[:4], [0.2, 1, 0, 0], rtol=1e-15)
    assert np.isnan(compressed(np.array([[0, np.nan]]), np.float64).value[0])


@FLOATS
@given(n=SIZES, d=st.integers(1, 20), density=st.floats(0, 1), seed=st.integers(0, 99))
def test_compressing_loses_nothing(dtype, n, d, density, seed):
    matrix = integers(np.random.default_rng(seed), (n, d), dtype, density)
    rows = compressed(matrix, dtype)
    assert not ((rows.end - rows.begin) % 4).any()
    assert np.all(rows.begin[1:] == rows.end[:-1])
    np.testing.assert_array_equal(dense(rows, d), matrix)
    assert rows.value[: rows.end[-1]].size - np.count_nonzero(matrix) <= 3 * n


@FLOATS
@given(
    n=SIZES,
    d=st.integers(1, 30),
    m=st.integers(1, 40) | st.sampled_from([64, 100, 128]),
    density=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_products_with_a_sparse_matrix(dtype, n, d, m, density, seed):
    rng = np.random.default_rng(seed)
    matrix = integers(rng, (n, d), dtype, density)
    a, b, before = compressed(matrix, dtype), integers(rng, (d, m), dtype), integers(rng, (n, m), dtype)
    for step in (add_ab_loops, add_ab):
        out = before.copy()
        step(a, b, out)
        np.testing.assert_array_equal(out, before + matrix @ b)
    b, before = integers(rng, (n, m), dtype), integers(rng, (d, m), dtype)
    for step in (add_atb_loops, add_atb, *([add_atb_blocks] if m % 64 == 0 else [])):
        out = before.copy()
        step(a, b, out)
        np.testing.assert_array_equal(out, before + matrix.T @ b)


@FLOATS
@given(n=SIZES, d=st.integers(1, 30), m=st.integers(1, 40), density=st.floats(0, 1), seed=st.integers(0, 99))
def test_sampled_products(dtype, n, d, m, density, seed):
    rng = np.random.default_rng(seed)
    a, b = integers(rng, (n, m), dtype), integers(rng, (d, m), dtype)
    at = compressed(integers(rng, (n, d), dtype, density), dtype)
    row = np.repeat(np.arange(n), at.end - at.begin)
    wanted = at.value.copy()
    wanted[: row.size] += (a @ b.T)[row, at.column[: row.size]]
    for step in (sampled_abt_loops, sampled_abt):
        found = at._replace(value=at.value.copy())
        step(a, b, found)
        np.testing.assert_array_equal(found.value, wanted)
