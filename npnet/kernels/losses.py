"""The losses on logits and their derivatives, stable for any finite logit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.policy import kernel

LOSSES = ("bce", "softmax", "squared")
BCE, SOFTMAX, SQUARED = range(len(LOSSES))

Matrix = NDArray[Any]


@kernel
def _bce(z: Matrix, t: Matrix, weight: float, delta: Matrix) -> complex:
    # With e = exp(-|z|) <= 1: -log p and -log(1 - p) differ by z and share log(1 + e), p = 1/(1 + e) for z >= 0.
    loss = 0 * z[0]
    for c in range(z.size):
        e = np.exp(-z[c]) if z[c].real >= 0 else np.exp(z[c])
        likely, unlikely = 1 / (1 + e), e / (1 + e)
        if z[c].real >= 0:
            loss += (1 - t[c]) * z[c] + np.log1p(e)
            delta[c] = weight * ((1 - t[c]) * likely - t[c] * unlikely)
        else:
            loss += np.log1p(e) - t[c] * z[c]
            delta[c] = weight * ((1 - t[c]) * unlikely - t[c] * likely)
    return loss


@kernel
def _softmax(z: Matrix, t: Matrix, weight: float, delta: Matrix) -> complex:
    top = 0
    for c in range(1, z.size):
        if z[c].real > z[top].real:
            top = c
    # The largest term is exp(0) = 1 and is left to log1p: confident predictions keep their digits.
    others, rest = 0 * z[0], 0 * t[0]
    for c in range(z.size):
        if c != top:
            others += np.exp(z[c] - z[top])
            rest += t[c]
    loss = 0 * z[0]
    for c in range(z.size):
        loss += t[c] * (z[top] - z[c] + np.log1p(others))
        delta[c] = weight * ((rest + t[top]) * np.exp(z[c] - z[top]) / (1 + others) - t[c])
    # The same with t[top] left out of the difference, in which it would cancel.
    delta[top] = weight * (rest - t[top] * others) / (1 + others)
    return loss


@kernel
def _squared(z: Matrix, t: Matrix, weight: float, delta: Matrix) -> complex:
    loss = 0 * z[0]
    for c in range(z.size):
        loss += 0.5 * (z[c] - t[c]) * (z[c] - t[c])
        delta[c] = weight * (z[c] - t[c])
    return loss


@kernel
def loss_and_delta(
    code: int,
    logits: Matrix,
    targets: Matrix,
    rows: NDArray[np.int64],
    weight: float,
    losses: Matrix,
    delta: Matrix,
) -> None:
    """Fill losses[rows[i]] with the loss of example i and delta[i] with `weight` times its derivative.

    For logits z and targets t, LOSSES[code] is one of

    - bce: sum_c -t_c log p_c - (1 - t_c) log(1 - p_c), p = 1/(1 + exp(-z)); derivative p - t;
    - softmax: -sum_c t_c log p_c, p = softmax(z); derivative p sum(t) - t;
    - squared: sum_c (z_c - t_c)² / 2; derivative z - t.

    `logits` (n, k) and `delta` (n, k) belong to the examples `rows` (n,) of `targets` (N, k) and `losses` (N,).
    """
    for i in range(logits.shape[0]):
        if code == BCE:
            losses[rows[i]] = _bce(logits[i], targets[rows[i]], weight, delta[i])
        elif code == SOFTMAX:
            losses[rows[i]] = _softmax(logits[i], targets[rows[i]], weight, delta[i])
        else:
            losses[rows[i]] = _squared(logits[i], targets[rows[i]], weight, delta[i])
