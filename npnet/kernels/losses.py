"""The losses on logits and their derivatives, stable for any finite logit."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.policy import kernel

LOSSES = ("bce", "softmax", "squared")
BCE, SOFTMAX, SQUARED = range(len(LOSSES))

Vector = NDArray[Any]
Matrix = NDArray[Any]


@kernel
def _bce(z: Vector, t: Vector, weight: float, delta: Vector) -> complex:
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
def _softmax(z: Vector, t: Vector, weight: float, delta: Vector) -> complex:
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
def _squared(z: Vector, t: Vector, weight: float, delta: Vector) -> complex:
    loss = 0 * z[0]
    for c in range(z.size):
        loss += 0.5 * (z[c] - t[c]) * (z[c] - t[c])
        delta[c] = weight * (z[c] - t[c])
    return loss


@kernel
def loss_and_delta(code: int, logits: Matrix, targets: Matrix, weight: float, losses: Vector, delta: Matrix) -> None:
    """Fill losses[i] with the loss of example i and delta[i] with `weight` times its derivative by the logits.

    For logits z and targets t, LOSSES[code] is one of

    - bce: sum_c -t_c log p_c - (1 - t_c) log(1 - p_c), p = 1/(1 + exp(-z)); derivative p - t;
    - softmax: -sum_c t_c log p_c, p = softmax(z); derivative p sum(t) - t;
    - squared: sum_c (z_c - t_c)² / 2; derivative z - t.

    `logits`, `targets` and `delta` are (n, k), `losses` is (n,).
    """
    for i in range(logits.shape[0]):
        if code == BCE:
            losses[i] = _bce(logits[i], targets[i], weight, delta[i])
        elif code == SOFTMAX:
            losses[i] = _softmax(logits[i], targets[i], weight, delta[i])
        else:
            losses[i] = _squared(logits[i], targets[i], weight, delta[i])
