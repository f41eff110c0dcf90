"""Training of several networks at once that see the same examples: one pass over the pixels serves them all.

The first layers of the networks are one matrix. In the flat vector of the stack it comes first, and then, network by
network, what follows W_1 in its theta. What follows b_1 is a network by itself, whose inputs are the outputs of the
first layer, so the passes of `npnet.kernels.passes` do the rest. One network alone is a stack of one.

The first layer is (units, inputs) for dense images, as in theta, or (inputs, units) for sparse ones: then a pixel that
is not zero adds its row, and the others cost nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.fast.kernels.sparse import Rows, add_ab, add_atb_blocks
from npnet.fast.kernels.sparse import add_atb as add_sparse_atb
from npnet.fast.kernels.step import Examples, Rule, Seen, Shape, Vectors, sgd_step, take
from npnet.kernels.activations import activate, multiply_by_slope
from npnet.kernels.losses import loss_and_delta
from npnet.kernels.matmul import abt, add_atb
from npnet.kernels.passes import (
    CHUNK,
    Integers,
    Matrix,
    Vector,
    add_gradient,
    backward_pass,
    block,
    forward_pass,
    gather,
)
from npnet.kernels.policy import kernel


class Workspace(NamedTuple):
    """Memory for CHUNK examples: `x` (CHUNK, inputs), `targets` (CHUNK, k), `losses`, and for the units of all layers.

    `z` and `delta` (CHUNK, units) belong to the first layer of all networks, `trace` and `deltas` to one network
    without its inputs.
    """

    x: Matrix
    targets: Matrix
    losses: Vector
    z: Matrix
    delta: Matrix
    trace: Vector
    deltas: Vector


@kernel
def stack_epoch(
    vectors: Vectors,
    shape: Shape,
    sparse: bool,
    plain: bool,
    examples: Examples,
    order: Integers,
    rates: NDArray[np.float64],
    rule: Rule,
    workspace: Workspace,
    seen: Seen,
) -> None:
    """One pass over the examples in `order`, a step for each batch with its own learning rate.

    Each step goes down the derivative of each network's mean loss over the batch. The vectors are those of the stack;
    `shape.widths` (networks, layers) leaves out the inputs. The examples are `examples.rows` if `sparse`. `plain` says
    that there is no momentum, no weight decay and nothing masked.
    """
    theta, gradient = vectors.theta, vectors.gradient
    # Plain gradient descent adds the gradient of sparse inputs to the weights at once: it touches few of them.
    at_once = sparse and plain and rule.batch_size <= CHUNK
    inputs, units = workspace.x.shape[1], workspace.z.shape[1]
    matrix = (inputs, units) if sparse else (units, inputs)
    first, d_first = theta[: inputs * units].reshape(matrix), gradient[: inputs * units].reshape(matrix)
    for step in range(rates.size):
        rows = order[step * rule.batch_size : (step + 1) * rule.batch_size]
        gradient[inputs * units if at_once else 0 :] = 0
        for start in range(0, rows.size, CHUNK):
            chunk = rows[start : start + CHUNK]
            n = chunk.size
            x, z, delta = workspace.x[:n], workspace.z[:n], workspace.delta[:n]
            visited = chunk if sparse else chunk[:0]
            entries = examples.rows
            xs = Rows(entries.begin[visited], entries.end[visited], entries.column, entries.value)
            if sparse:
                z[:] = 0
                add_ab(xs, first, z)
            else:
                gather(examples.dense, chunk, x)
                abt(x, first, z)
            take(examples.targets, chunk, workspace.targets)
            column, tail = 0, inputs * units
            for network in range(shape.widths.shape[0]):
                stop = rest_of_network(network, vectors, shape, chunk, column, tail, 1 / rows.size, workspace, seen)
                column, tail = column + shape.widths[network, 0], stop
            if at_once:
                down = delta.dtype.type(-rates[step])
                for i in range(n):
                    for j in range(column):
                        delta[i, j] *= down
            if sparse:
                target = first if at_once else d_first
                if units % 64 == 0:
                    add_atb_blocks(xs, delta, target)
                else:
                    add_sparse_atb(xs, delta, target)
            else:
                add_atb(delta, x, d_first)
        sgd_step(vectors, inputs * units if at_once else 0, rates[step], rule)


@kernel
def rest_of_network(
    network: int,
    vectors: Vectors,
    shape: Shape,
    chunk: Integers,
    column: int,
    tail: int,
    weight: float,
    workspace: Workspace,
    seen: Seen,
) -> int:
    """Forward and backward through all of a network but x W_1ᵀ, which stands in z from `column` on.

    Adds to the gradient of what lies in the stack from `tail` on, fills delta_1, and returns where the network ends.
    """
    widths, n, last = shape.widths[network], chunk.size, shape.widths.shape[1] - 1
    start = tail + widths[0] * shape.bias
    stop = start
    for layer in range(1, last + 1):
        stop += widths[layer] * (widths[layer - 1] + shape.bias)
    theta, gradient = vectors.theta[start:stop], vectors.gradient[start:stop]
    b, db = vectors.theta[tail:start], vectors.gradient[tail:start]
    a, d = block(workspace.trace, widths, 0, n), block(workspace.deltas, widths, 0, n)
    for i in range(n):
        for j in range(widths[0]):
            a[i, j] = workspace.z[i, column + j]
        for j in range(b.size):
            a[i, j] += b[j]
    if last > 0:
        activate(shape.activation, a)
        forward_pass(theta, widths, shape.bias, shape.activation, workspace.trace, n)
    logits, top = block(workspace.trace, widths, last, n), block(workspace.deltas, widths, last, n)
    loss_and_delta(shape.loss, logits, workspace.targets, weight, workspace.losses, top)
    for i in range(n):
        seen.losses[network, chunk[i]] = workspace.losses[i]
        for c in range(widths[last]):
            seen.logits[network, chunk[i], c] = logits[i, c]
    if last > 0:
        backward_pass(theta, widths, shape.bias, shape.activation, workspace.trace, workspace.deltas, n, 0)
        multiply_by_slope(shape.activation, a, d)
        add_gradient(widths, shape.bias, workspace.trace, workspace.deltas, n, gradient)
    for i in range(n):
        for j in range(db.size):
            db[j] += d[i, j]
        for j in range(widths[0]):
            workspace.delta[i, column + j] = d[i, j]
    return stop
