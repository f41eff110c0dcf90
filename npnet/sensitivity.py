"""How sensitive a network is to its input: the norm of its derivative, and the linear pieces that a path crosses.

Neither needs labels. Source: Novak et al. 2018, arXiv 1802.08760, section 3. Arguments are those of `npnet.backprop`.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import integer, number, one_of
from npnet.backprop import check_theta, passes
from npnet.derivatives import QUANTITIES, activation_codes, backward, derivative_by_logits, one_hot
from npnet.errors import ArgumentError
from npnet.kernels.matmul import add_atb
from npnet.kernels.passes import block
from npnet.mlp import MLP

Array = NDArray[Any]


def jacobian_norms(net: MLP, theta: ArrayLike, x: ArrayLike, of: str = "probability") -> Array:
    """Frobenius norm ‖J(x)‖ of the derivative of all outputs by the inputs, (n,), without the Jacobians.

    For a small random step dx ~ N(0, e I) it is what an output changes by: E‖f(x + dx) - f(x)‖² ≈ e ‖J(x)‖².

    `of` is "probability" or "logit".
    """
    one_of("of", of, QUANTITIES[:2])
    theta = check_theta(net, theta)
    if theta.dtype.kind == "c" or np.iscomplexobj(x):
        raise ArgumentError("theta, x: found complex numbers, expected real ones, whose norm is wanted")
    first = net.unpack(theta)[0].weights
    if len(first) < net.inputs:
        # With W_1ᵀ = Q R and QᵀQ = 1, ‖delta W_1‖ = ‖delta Rᵀ‖: fewer columns, the same norms.
        first = np.ascontiguousarray(np.asarray(np.linalg.qr(first.T, mode="r")).T)
    norms = []
    for rows, trace in passes(net, theta, x):
        logits, squares = block(trace, net.structure[0], net.depth, rows.size), np.zeros(rows.size)
        for output in range(net.outputs):
            chosen = one_hot(net, output, rows.size, theta.dtype)
            delta = backward(net, theta, trace, derivative_by_logits(net, logits, chosen, of))[0]
            row = np.zeros((rows.size, first.shape[1]), dtype=theta.dtype)
            add_atb(delta.T.copy(), first, row)
            # In float64: where a network is certain, squares are too small for float32.
            squares += np.square(row, dtype=np.float64).sum(axis=1)
        norms.append(np.sqrt(squares).astype(theta.dtype))
    return np.concatenate(norms)


def transitions(net: MLP, theta: ArrayLike, path: ArrayLike) -> NDArray[np.int64]:
    """Linear pieces crossed in each step of a closed path (k, d): ‖c(z_i) - c(z_{i+1})‖₁, (k,).

    The last step leads back to the first point. c is the code of `npnet.derivatives.activation_codes`: a unit that
    changes from off to on counts 1, one that jumps over a piece 2. The sum is the number of transitions on the path,
    or less if k is too small to see them all.
    """
    codes = activation_codes(net, theta, path)
    # Codes are 0, 1 or 2, and their differences fit in the int8 that they have.
    return np.abs(codes - np.roll(codes, -1, axis=0)).sum(axis=1, dtype=np.int64)


class Transitions(NamedTuple):
    """What `mean_transitions` returns.

    `each` has the number of transitions of each path, (n,), at `k` points, the last that was tried. `change` is how
    much the mean changed when k was doubled last, relative to the larger of the two means: the count has settled if it
    is less than the tolerance. NaN if k was never doubled.
    """

    each: NDArray[np.int64]
    k: int
    change: float


def mean_transitions(
    net: MLP,
    theta: ArrayLike,
    paths: Callable[[int], Iterable[ArrayLike]],
    k: int,
    *,
    tolerance: float,
    most: int,
) -> Transitions:
    """Number of transitions on each of several closed paths, with as many points as their mean needs to settle.

    Parameters
    ----------
    paths
        A function of k that yields a path (k, d) for each example.
    k
        Number of points to begin with, at least 1. It is doubled until the mean changes by less than `tolerance`, or
        would exceed `most`.
    tolerance
        Of the relative change, more than 0.
    most
        The largest k, at least `k`.
    """
    k, tolerance = integer("k", k, 1), number("tolerance", tolerance, 0, above=True)
    most = integer("most", most, k)
    each, change = _totals(net, theta, paths(k), k), math.nan
    while 2 * k <= most and not change < tolerance:
        k, before = 2 * k, each
        each = _totals(net, theta, paths(k), k)
        coarse, fine = before.mean(), each.mean()
        change = float(abs(fine - coarse) / max(fine, coarse)) if fine != coarse else 0.0
    return Transitions(each, k, change)


def _totals(net: MLP, theta: ArrayLike, paths: Iterable[ArrayLike], k: int) -> NDArray[np.int64]:
    totals = []
    for path in paths:
        steps = transitions(net, theta, path)
        if len(steps) != k:
            raise ArgumentError(f"paths: found a path of {len(steps)} points, expected k = {k}")
        totals.append(steps.sum())
    if not totals:
        raise ArgumentError("paths: found none, expected a path for each example")
    return np.array(totals, dtype=np.int64)
