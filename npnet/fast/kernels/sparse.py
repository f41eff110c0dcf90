"""Products with a sparse matrix: compressed rows, and the two products that skip what is zero.

82 of 100 pixels of MNIST are zero, and a pruned matrix is nearly empty. Both cost memory traffic and multiply-adds in a
dense product; here only what is there is visited. `Rows` holds a sparse matrix A: the entries of row i are value[k],
in the columns column[k], for k from begin[i] to end[i]. Every row is filled up to a multiple of four entries with zeros
in a column that it has already, so that the products take four entries at a time and have no remainder.

What limits them: each entry needs a row of a dense matrix, so the row must be long to repay finding it. Then it is the
loads, at least one for each multiply-add, from the second cache when the dense matrix does not fit into the first.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.policy import kernel, ordered_product, product

Matrix = NDArray[Any]
Integers = NDArray[np.int64]

QUAD = 4
MOST_COLUMNS = 2**16  # of what `column` can count


class Rows(NamedTuple):
    """A sparse matrix by rows: `begin` and `end` int64, one a row; `column` uint16 and `value`, one an entry."""

    begin: Integers
    end: Integers
    column: NDArray[np.uint16]
    value: NDArray[Any]


@kernel
def count_entries(a: Matrix, begin: Integers, end: Integers) -> int:
    """Fill `begin` and `end` for the non-zero numbers of `a` (n, d), and return the number of entries."""
    filled = 0
    for i in range(a.shape[0]):
        row = a[i]
        entries = 0
        for k in range(row.size):
            entries += row[k] != 0
        begin[i] = filled
        filled += (entries + QUAD - 1) // QUAD * QUAD
        end[i] = filled
    return filled


@kernel
def compress(a: Matrix, rows: Rows) -> None:
    """Fill `rows`, whose begin and end are counted, with the non-zero numbers of `a`; bytes are scaled to [0, 1].

    `column` and `value` have room for one entry more than are counted.
    """
    number = rows.value.dtype.type
    scale = number(1 / 255) if a.itemsize == 1 else number(1)
    for i in range(a.shape[0]):
        row = a[i]
        m = rows.begin[i]
        for k in range(row.size):
            # Written always and kept if it is not zero: cheaper than a branch that nobody can predict.
            rows.column[m] = k
            rows.value[m] = number(row[k]) * scale
            m += row[k] != 0
        for padding in range(m, rows.end[i]):
            rows.column[padding] = rows.column[padding - 1]
            rows.value[padding] = 0


@product
def add_ab_loops(a: Rows, b: Matrix, out: Matrix) -> None:
    """Step 1 of out += A b: the definition. A load of b, a load and a store of out for each multiply-add."""
    for i in range(a.begin.size):
        for k in range(a.begin[i], a.end[i]):
            for j in range(out.shape[1]):
                out[i, j] += a.value[k] * b[a.column[k], j]


@ordered_product
def add_ab(a: Rows, b: Matrix, out: Matrix) -> None:
    """Step 2, in use: out += A b by eight entries at a time: a load and a store of out for eight multiply-adds.

    `a` (n, d) sparse, `b` (d, m), `out` (n, m), which is added to. The eight are summed in two fours before they meet
    `out`: the next eight wait for that one addition only.
    """
    for i in range(a.begin.size):
        o0 = out[i]
        # Views that begin at 0: an index that could be negative would be tested for it.
        column, value = a.column[a.begin[i] : a.end[i]], a.value[a.begin[i] : a.end[i]]
        eights = column.size - column.size % 8
        for k in range(0, eights, 8):
            b0, b1, b2, b3 = b[column[k]], b[column[k + 1]], b[column[k + 2]], b[column[k + 3]]
            b4, b5, b6, b7 = b[column[k + 4]], b[column[k + 5]], b[column[k + 6]], b[column[k + 7]]
            s0, s1, s2, s3 = value[k], value[k + 1], value[k + 2], value[k + 3]
            s4, s5, s6, s7 = value[k + 4], value[k + 5], value[k + 6], value[k + 7]
            for j in range(o0.size):
                first = s0 * b0[j] + s1 * b1[j] + s2 * b2[j] + s3 * b3[j]
                o0[j] += first + (s4 * b4[j] + s5 * b5[j] + s6 * b6[j] + s7 * b7[j])
        for k in range(eights, column.size, 4):
            b0, b1, b2, b3 = b[column[k]], b[column[k + 1]], b[column[k + 2]], b[column[k + 3]]
            s0, s1, s2, s3 = value[k], value[k + 1], value[k + 2], value[k + 3]
            for j in range(o0.size):
                o0[j] += s0 * b0[j] + s1 * b1[j] + s2 * b2[j] + s3 * b3[j]


@product
def add_atb_loops(a: Rows, b: Matrix, out: Matrix) -> None:
    """Step 1 of out += Aᵀ b: the definition. A load of b, a load and a store of out for each multiply-add."""
    for i in range(a.begin.size):
        for k in range(a.begin[i], a.end[i]):
            for j in range(b.shape[1]):
                out[a.column[k], j] += a.value[k] * b[i, j]


@ordered_product
def add_atb(a: Rows, b: Matrix, out: Matrix) -> None:
    """Step 2, in use: the same by views that begin at 0.

    `a` (n, d) sparse, `b` (n, m), `out` (d, m). To sort the entries by column first, and then use `add_ab`, would spare
    the loads and stores of out, but takes longer than it saves.
    """
    for i in range(a.begin.size):
        b0 = b[i]
        column, value = a.column[a.begin[i] : a.end[i]], a.value[a.begin[i] : a.end[i]]
        for k in range(column.size):
            o0, s0 = out[column[k]], value[k]
            for j in range(b0.size):
                o0[j] += s0 * b0[j]


@ordered_product
def add_atb_blocks(a: Rows, b: Matrix, out: Matrix) -> None:
    """Step 3, for whole blocks of 64 columns: one of a row of b stays in registers for all entries of a row of A."""
    for i in range(a.begin.size):
        column, value = a.column[a.begin[i] : a.end[i]], a.value[a.begin[i] : a.end[i]]
        for first in range(0, b.shape[1], 64):
            b0 = b[i, first : first + 64]
            for k in range(column.size):
                o0, s0 = out[column[k], first : first + 64], value[k]
                for j in range(64):
                    o0[j] += s0 * b0[j]


@product
def sampled_abt_loops(a: Matrix, b: Matrix, at: Rows) -> None:
    """Step 1 of the sampled product: at.value[k] += the sum of a[i] * b[at.column[k]], for the entries k of row i."""
    for i in range(at.begin.size):
        for k in range(at.begin[i], at.end[i]):
            for j in range(a.shape[1]):
                at.value[k] += a[i, j] * b[at.column[k], j]


@product
def sampled_abt(a: Matrix, b: Matrix, at: Rows) -> None:
    """Step 2, in use: the entries of a bᵀ that `at` names, four sums at a time: a load of a serves four multiply-adds.

    `a` (n, m), `b` (d, m); adds to `at.value`. The gradient by the weights that a mask keeps: a = deltaᵀ, b = xᵀ.
    """
    for i in range(at.begin.size):
        a0 = a[i]
        column, value = at.column[at.begin[i] : at.end[i]], at.value[at.begin[i] : at.end[i]]
        for k in range(0, column.size, 4):
            b0, b1, b2, b3 = b[column[k]], b[column[k + 1]], b[column[k + 2]], b[column[k + 3]]
            t0, t1, t2, t3 = value[k], value[k + 1], value[k + 2], value[k + 3]
            for j in range(a0.size):
                p0 = a0[j]
                t0 += p0 * b0[j]
                t1 += p0 * b1[j]
                t2 += p0 * b2[j]
                t3 += p0 * b3[j]
            value[k], value[k + 1], value[k + 2], value[k + 3] = t0, t1, t2, t3
