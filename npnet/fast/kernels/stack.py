"""Training of several networks at once that see the same examples: one pass over the pixels serves them all.

The first layers of the networks are one matrix. In the flat vector of the stack it comes first, and then, network by
network, what follows W_1 in its theta. To the passes of `npnet.kernels.passes` such a tail is a whole network with no
inputs, whose block 1 is given. One network alone is a stack of one.

The first layer is (units, inputs) for dense images, as in theta, or (inputs, units) for sparse ones: then a pixel that
is not zero adds its row, and the others cost nothing.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.fast.kernels.sparse import Rows, add_ab, add_atb_blocks
from npnet.fast.kernels.sparse import add_atb as add_sparse_atb
from npnet.fast.kernels.step import sgd_step
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


class Room(NamedTuple):
    """Memory for CHUNK examples: `x` (CHUNK, inputs), and for the units of all layers.

    `z` and `delta` (CHUNK, units) belong to the first layer of all networks, `trace` and `deltas` to one network.
    """

    x: Matrix
    z: Matrix
    delta: Matrix
    trace: Vector
    deltas: Vector


@kernel
def stack_epoch(
    theta: Vector,
    velocity: Vector,
    mask: NDArray[np.bool_],
    gradient: Vector,
    widths: NDArray[np.int64],
    bias: bool,
    activation: int,
    loss: int,
    sparse: bool,
    examples: Matrix,
    entries: Rows,
    targets: Matrix,
    order: Integers,
    batch_size: int,
    rates: NDArray[np.float64],
    momentum: float,
    weight_decay: float,
    plain: bool,
    room: Room,
    logits: NDArray[np.floating],
    losses: Matrix,
) -> None:
    """One pass over the examples in `order`, a step for each `batch_size` of them with its own learning rate.

    Each step goes down the derivative of each network's mean loss over the batch. `theta`, `velocity`, `mask` and
    `gradient` are vectors of the stack, of which the first two are updated; `widths` (networks, layers + 1) has zeros
    for the inputs. The examples are `entries` if `sparse`, otherwise `examples` (N, inputs). `plain` says that there is
    no momentum, no weight decay and nothing masked.

    `logits` (networks, N, k) and `losses` (networks, N) become those that each example had when its batch was visited,
    before that batch's step.
    """
    # Plain gradient descent adds the gradient of sparse inputs to the weights at once: it touches few of them.
    at_once = sparse and plain and batch_size <= CHUNK
    inputs, units, last = room.x.shape[1], room.z.shape[1], widths.shape[1] - 1
    shape = (inputs, units) if sparse else (units, inputs)
    first, d_first = theta[: inputs * units].reshape(shape), gradient[: inputs * units].reshape(shape)
    for step in range(rates.size):
        rows = order[step * batch_size : (step + 1) * batch_size]
        gradient[inputs * units if at_once else 0 :] = 0
        for start in range(0, rows.size, CHUNK):
            chunk = rows[start : start + CHUNK]
            n = chunk.size
            x, z, delta = room.x[:n], room.z[:n], room.delta[:n]
            visited = chunk if sparse else chunk[:0]
            xs = Rows(entries.begin[visited], entries.end[visited], entries.column, entries.value)
            if sparse:
                z[:] = 0
                add_ab(xs, first, z)
            else:
                gather(examples, chunk, x)
                abt(x, first, z)
            column, tail = 0, inputs * units
            for network in range(widths.shape[0]):
                shapes = widths[network]
                stop = tail
                for layer in range(1, last + 1):
                    stop += shapes[layer] * (shapes[layer - 1] + bias)
                # Block 0 has no width, so block 1 is at the start.
                a = room.trace[: n * shapes[1]].reshape(n, shapes[1])
                for i in range(n):
                    for j in range(shapes[1]):
                        a[i, j] = z[i, column + j]
                forward_pass(theta[tail:stop], shapes, bias, activation, room.trace, n)
                top = block(room.trace, shapes, last, n)
                for i in range(n):
                    for c in range(shapes[last]):
                        logits[network, chunk[i], c] = top[i, c]
                top_delta = block(room.deltas, shapes, last, n)
                loss_and_delta(loss, top, targets, chunk, 1 / rows.size, losses[network], top_delta)
                # 1, but for a constant all would be compiled once more.
                lowest = 1 + shapes[0]
                backward_pass(theta[tail:stop], shapes, bias, activation, room.trace, room.deltas, n, lowest)
                add_gradient(shapes, bias, room.trace, room.deltas, n, gradient[tail:stop])
                d = room.deltas[: n * shapes[1]].reshape(n, shapes[1])
                for i in range(n):
                    for j in range(shapes[1]):
                        delta[i, column + j] = d[i, j]
                column, tail = column + shapes[1], stop
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
        rest = inputs * units if at_once else 0
        sgd_step(theta[rest:], velocity[rest:], mask[rest:], gradient[rest:], rates[step], momentum, weight_decay)
