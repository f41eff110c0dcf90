"""The three matrix products of backprop, by two kernels, each a ladder from plain loops to the form that is used.

- forward: z = x Wᵀ is `abt(x, W, z)`;
- gradient: dW += deltaᵀ x is `add_atb(delta, x, dW)`;
- backward: delta below = delta W is `add_atb(delta.T, W, below)`.

All rows are contiguous, so the innermost loop runs along memory and becomes vector instructions. What limits it is
then the number of loads for each multiply-add, and the later steps of the ladder are about nothing else.

The last tile of a row of tiles may stick out. It then computes a column twice, or one for nobody: for three columns
that is faster than a tile of two and one of one.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.policy import product

Matrix = NDArray[Any]


@product
def abt_loops(a: Matrix, b: Matrix, out: Matrix) -> None:
    """Step 1 of out = a bᵀ: the definition. Two loads for each multiply-add."""
    for i in range(a.shape[0]):
        for j in range(b.shape[0]):
            total = out.dtype.type(0)
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] = total


@product
def abt_pairs(a: Matrix, b: Matrix, out: Matrix, first: int) -> None:
    """Step 2, for columns of `out` from `first` <= m on: tiles of 4 x 2. Three quarters of a load a multiply-add."""
    zero = out.dtype.type(0)
    rows, last = a.shape[0] - a.shape[0] % 4, b.shape[0] - 1
    for j in range(first, b.shape[0], 2):
        j1 = min(j + 1, last)
        b0, b1 = b[j], b[j1]
        for i in range(0, rows, 4):
            a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
            t00, t10, t20, t30 = zero, zero, zero, zero
            t01, t11, t21, t31 = zero, zero, zero, zero
            for k in range(a.shape[1]):
                p0, p1, p2, p3, q0, q1 = a0[k], a1[k], a2[k], a3[k], b0[k], b1[k]
                t00 += p0 * q0
                t10 += p1 * q0
                t20 += p2 * q0
                t30 += p3 * q0
                t01 += p0 * q1
                t11 += p1 * q1
                t21 += p2 * q1
                t31 += p3 * q1
            out[i, j], out[i + 1, j], out[i + 2, j], out[i + 3, j] = t00, t10, t20, t30
            out[i, j1], out[i + 1, j1], out[i + 2, j1], out[i + 3, j1] = t01, t11, t21, t31
    for i in range(rows, a.shape[0]):
        for j in range(first, b.shape[0]):
            total = zero
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] = total


@product
def abt(a: Matrix, b: Matrix, out: Matrix) -> None:
    """Step 3, in use: out = a bᵀ by tiles of 4 x 4, whose 16 sums stay in registers: half a load a multiply-add.

    `a` (n, d), `b` (m, d), `out` (n, m), which is overwritten; all of one dtype.
    """
    zero = out.dtype.type(0)
    rows, last = a.shape[0] - a.shape[0] % 4, b.shape[0] - 1
    # Three columns are a tile; one or two are left to the pairs.
    columns = b.shape[0] - b.shape[0] % 4 if b.shape[0] % 4 < 3 else b.shape[0]
    for i in range(0, rows, 4):
        a0, a1, a2, a3 = a[i], a[i + 1], a[i + 2], a[i + 3]
        for j in range(0, columns, 4):
            j3 = min(j + 3, last)
            b0, b1, b2, b3 = b[j], b[j + 1], b[j + 2], b[j3]
            t00, t01, t02, t03 = zero, zero, zero, zero
            t10, t11, t12, t13 = zero, zero, zero, zero
            t20, t21, t22, t23 = zero, zero, zero, zero
            t30, t31, t32, t33 = zero, zero, zero, zero
            for k in range(a.shape[1]):
                p0, p1, p2, p3 = a0[k], a1[k], a2[k], a3[k]
                q0, q1, q2, q3 = b0[k], b1[k], b2[k], b3[k]
                t00 += p0 * q0
                t01 += p0 * q1
                t02 += p0 * q2
                t03 += p0 * q3
                t10 += p1 * q0
                t11 += p1 * q1
                t12 += p1 * q2
                t13 += p1 * q3
                t20 += p2 * q0
                t21 += p2 * q1
                t22 += p2 * q2
                t23 += p2 * q3
                t30 += p3 * q0
                t31 += p3 * q1
                t32 += p3 * q2
                t33 += p3 * q3
            out[i, j], out[i, j + 1], out[i, j + 2], out[i, j3] = t00, t01, t02, t03
            out[i + 1, j], out[i + 1, j + 1], out[i + 1, j + 2], out[i + 1, j3] = t10, t11, t12, t13
            out[i + 2, j], out[i + 2, j + 1], out[i + 2, j + 2], out[i + 2, j3] = t20, t21, t22, t23
            out[i + 3, j], out[i + 3, j + 1], out[i + 3, j + 2], out[i + 3, j3] = t30, t31, t32, t33
    for i in range(rows, a.shape[0]):
        for j in range(columns):
            total = zero
            for k in range(a.shape[1]):
                total += a[i, k] * b[j, k]
            out[i, j] = total
    abt_pairs(a, b, out, columns)


@product
def add_atb_loops(a: Matrix, b: Matrix, out: Matrix) -> None:
    """Step 1 of out += aᵀ b: the definition. A load of b, a load and a store of out for each multiply-add."""
    for j in range(a.shape[1]):
        for i in range(a.shape[0]):
            for k in range(b.shape[1]):
                out[j, k] += a[i, j] * b[i, k]


@product
def add_atb_pairs(a: Matrix, b: Matrix, out: Matrix, first: int) -> None:
    """Step 2, for the rows of `out` from `first` on, by tiles of 4 x 2: a load of b serves two rows of out, and each
    load and store of out four rows of b.
    """
    rows, last = a.shape[0] - a.shape[0] % 4, a.shape[1] - 1
    nobody = np.zeros(b.shape[1], b.dtype)
    for j in range(first, a.shape[1], 2):
        j1 = min(j + 1, last)
        o0, o1 = out[j], out[j1] if j < last else nobody
        for i in range(0, rows, 4):
            b0, b1, b2, b3 = b[i], b[i + 1], b[i + 2], b[i + 3]
            s00, s10, s20, s30 = a[i, j], a[i + 1, j], a[i + 2, j], a[i + 3, j]
            s01, s11, s21, s31 = a[i, j1], a[i + 1, j1], a[i + 2, j1], a[i + 3, j1]
            for k in range(b.shape[1]):
                p0, p1, p2, p3 = b0[k], b1[k], b2[k], b3[k]
                o0[k] += s00 * p0 + s10 * p1 + s20 * p2 + s30 * p3
                o1[k] += s01 * p0 + s11 * p1 + s21 * p2 + s31 * p3
    for i in range(rows, a.shape[0]):
        for j in range(first, a.shape[1]):
            o0, b0, s00 = out[j], b[i], a[i, j]
            for k in range(b.shape[1]):
                o0[k] += s00 * b0[k]


@product
def add_atb(a: Matrix, b: Matrix, out: Matrix) -> None:
    """Step 3, in use: out += aᵀ b by tiles of 4 x 4: each load of b serves four rows of out as well.

    `a` (n, m), possibly a transposed view, `b` (n, d), `out` (m, d), which is added to; all of one dtype.
    """
    rows, last = a.shape[0] - a.shape[0] % 4, a.shape[1] - 1
    columns = a.shape[1] - a.shape[1] % 4 if a.shape[1] % 4 < 3 else a.shape[1]
    nobody = np.zeros(b.shape[1], b.dtype)
    for j in range(0, columns, 4):
        j3 = min(j + 3, last)
        o0, o1, o2, o3 = out[j], out[j + 1], out[j + 2], out[j3] if j + 2 < last else nobody
        for i in range(0, rows, 4):
            b0, b1, b2, b3 = b[i], b[i + 1], b[i + 2], b[i + 3]
            s00, s01, s02, s03 = a[i, j], a[i, j + 1], a[i, j + 2], a[i, j3]
            s10, s11, s12, s13 = a[i + 1, j], a[i + 1, j + 1], a[i + 1, j + 2], a[i + 1, j3]
            s20, s21, s22, s23 = a[i + 2, j], a[i + 2, j + 1], a[i + 2, j + 2], a[i + 2, j3]
            s30, s31, s32, s33 = a[i + 3, j], a[i + 3, j + 1], a[i + 3, j + 2], a[i + 3, j3]
            for k in range(b.shape[1]):
                p0, p1, p2, p3 = b0[k], b1[k], b2[k], b3[k]
                o0[k] += s00 * p0 + s10 * p1 + s20 * p2 + s30 * p3
                o1[k] += s01 * p0 + s11 * p1 + s21 * p2 + s31 * p3
                o2[k] += s02 * p0 + s12 * p1 + s22 * p2 + s32 * p3
                o3[k] += s03 * p0 + s13 * p1 + s23 * p2 + s33 * p3
        for i in range(rows, a.shape[0] - 1, 2):
            b0, b1 = b[i], b[i + 1]
            s00, s01, s02, s03 = a[i, j], a[i, j + 1], a[i, j + 2], a[i, j3]
            s10, s11, s12, s13 = a[i + 1, j], a[i + 1, j + 1], a[i + 1, j + 2], a[i + 1, j3]
            for k in range(b.shape[1]):
                p0, p1 = b0[k], b1[k]
                o0[k] += s00 * p0 + s10 * p1
                o1[k] += s01 * p0 + s11 * p1
                o2[k] += s02 * p0 + s12 * p1
                o3[k] += s03 * p0 + s13 * p1
    for i in range(a.shape[0] - a.shape[0] % 2, a.shape[0]):
        for j in range(columns):
            o0, b0, s00 = out[j], b[i], a[i, j]
            for k in range(b.shape[1]):
                o0[k] += s00 * b0[k]
    add_atb_pairs(a, b, out, columns)
