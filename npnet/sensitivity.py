"""How sensitive a network is to its input: the norm of its derivative, and the linear pieces that a path crosses.

Neither needs labels. Source: Novak et al. 2018, arXiv 1802.08760, section 3. Arguments are those of `npnet.backprop`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import one_of
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
