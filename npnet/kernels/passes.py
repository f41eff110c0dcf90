"""Backprop: the forward pass, the backward pass and the gradient, for any depth.

A pass over n examples writes one flat array, cut into a block (n, width) for each layer: block 0 holds the inputs and
the last block the logits. The array of deltas is cut the same way: block l holds dLoss/dz_l, and block 0, filled on
request, dLoss/dx. Blocks and parameters are cut inside the kernels, so one compiled form serves every depth.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.activations import activate, multiply_by_slope
from npnet.kernels.matmul import abt, add_atb
from npnet.kernels.policy import kernel

Vector = NDArray[Any]
Matrix = NDArray[Any]
Integers = NDArray[np.int64]

# Examples that pass through the network together: few enough that their pixels are still in the cache when the
# backward pass needs them again.
CHUNK = 128


@kernel
def block(array: Vector, widths: Integers, layer: int, n: int) -> Matrix:
    """The (n, widths[layer]) block of one layer, a view into `array`."""
    start = 0
    for below in range(layer):
        start += n * widths[below]
    return array[start : start + n * widths[layer]].reshape(n, widths[layer])


@kernel
def weights_and_bias(theta: Vector, widths: Integers, bias: bool, layer: int) -> tuple[Matrix, Vector]:
    """W (out, in) and b (out,) of `layer` >= 1, views into `theta`; b is empty in a network without biases."""
    start = 0
    for below in range(1, layer):
        start += widths[below] * (widths[below - 1] + bias)
    stop = start + widths[layer] * widths[layer - 1]
    return theta[start:stop].reshape(widths[layer], widths[layer - 1]), theta[stop : stop + widths[layer] * bias]


@kernel
def gather(examples: Matrix, rows: Integers, out: Matrix) -> None:
    """Copy the examples `rows` into `out` (n, d); bytes are pixels and become numbers from 0 to 1."""
    scale = out.dtype.type(1 / 255) if examples.itemsize == 1 else out.dtype.type(1)
    for i in range(rows.size):
        row = examples[rows[i]]
        for k in range(row.size):
            out[i, k] = out.dtype.type(row[k]) * scale


@kernel
def forward_pass(theta: Vector, widths: Integers, bias: bool, activation: int, trace: Vector, n: int) -> None:
    """Fill the blocks above the inputs: a_l = f(a_{l-1} W_lᵀ + b_l), and logits without f in the last."""
    last = widths.size - 1
    for layer in range(1, last + 1):
        w, b = weights_and_bias(theta, widths, bias, layer)
        a = block(trace, widths, layer, n)
        abt(block(trace, widths, layer - 1, n), w, a)
        for i in range(n):
            for j in range(b.size):
                a[i, j] += b[j]
        if layer < last:
            activate(activation, a)


@kernel
def backward_pass(
    theta: Vector, widths: Integers, bias: bool, activation: int, trace: Vector, deltas: Vector, n: int, lowest: int
) -> None:
    """Fill the delta blocks below the last, down to `lowest`: delta_{l-1} = (delta_l W_l) f'(z_{l-1}).

    With `lowest` = 1 the blocks that the gradient needs; with 0 also block 0, the derivative by the inputs.
    """
    for layer in range(widths.size - 1, lowest, -1):
        w, _ = weights_and_bias(theta, widths, bias, layer)
        below = block(deltas, widths, layer - 1, n)
        below[:] = 0
        # A copy, so that the product is compiled for one layout of its arguments only.
        add_atb(block(deltas, widths, layer, n).T.copy(), w, below)
        if layer > 1:
            multiply_by_slope(activation, block(trace, widths, layer - 1, n), below)


@kernel
def add_gradient(widths: Integers, bias: bool, trace: Vector, deltas: Vector, n: int, gradient: Vector) -> None:
    """Add to `gradient`, shaped like theta: dW_l += delta_lᵀ a_{l-1}, db_l += the sum of delta_l over the examples."""
    for layer in range(1, widths.size):
        dw, db = weights_and_bias(gradient, widths, bias, layer)
        delta = block(deltas, widths, layer, n)
        add_atb(delta, block(trace, widths, layer - 1, n), dw)
        for i in range(n):
            for j in range(db.size):
                db[j] += delta[i, j]
