"""Backprop of a network that is nearly empty: only the weights that a mask keeps are stored, visited and trained.

The flat vector has, layer by layer, the kept weights of each unit and then the biases. Matrices of activations and
deltas are transposed, (units, examples): a kept weight then multiplies a row of many examples. The equations are those
of `npnet.kernels.passes`.

Several networks that see the same examples are one wider network without weights between them: what is not there costs
nothing, and the pixels are gathered once.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.fast.kernels.sparse import Rows, add_ab, add_atb, sampled_abt
from npnet.fast.kernels.step import Examples, Rule, Seen, Shape, Vectors, sgd_step, take
from npnet.kernels.activations import activate, multiply_by_slope
from npnet.kernels.losses import loss_and_delta
from npnet.kernels.passes import CHUNK, Integers, Matrix, Vector, block, gather
from npnet.kernels.policy import kernel


class Kept(NamedTuple):
    """Where the kept weights lie: of unit u, all layers counted, at begin[u] to end[u] of the flat vector.

    `source` is the unit below that each of them multiplies, or the place of its input in `columns`, the inputs that
    some weight is kept for.
    """

    begin: Integers
    end: Integers
    source: NDArray[np.uint16]
    columns: Integers


@kernel
def layer_rows(kept: Kept, widths: Integers, layer: int, values: Vector) -> Rows:
    """The matrix of `layer` >= 1 whose entries are in `values`, shaped like the flat vector."""
    units = 0
    for below in range(1, layer):
        units += widths[below]
    stop = units + widths[layer]
    return Rows(kept.begin[units:stop], kept.end[units:stop], kept.source, values)


@kernel
def layer_bias(w: Rows, bias: bool) -> Vector:
    """The biases of the layer with the matrix `w`: they lie behind its last weight."""
    start = w.end[w.end.size - 1]
    return w.value[start : start + w.end.size * bias]


@kernel
def units_by_examples(array: Vector, widths: Integers, layer: int, n: int) -> Matrix:
    """The (widths[layer], n) block of one layer, a view into `array`."""
    return block(array, widths, layer, n).reshape(widths[layer], n)


@kernel
def gather_transposed(examples: Matrix, rows: Integers, columns: Integers, x: Matrix, out: Matrix) -> None:
    """Fill `out` (columns, n) with these columns of the examples `rows`, transposed; bytes are scaled to [0, 1].

    By way of `x` (n, d): to scale all pixels of a row is faster than to pick some of its bytes.
    """
    gather(examples, rows, x)
    for k in range(columns.size):
        column = columns[k]
        for i in range(x.shape[0]):
            out[k, i] = x[i, column]


@kernel
def pruned_forward_pass(
    theta: Vector, kept: Kept, widths: Integers, bias: bool, activation: int, trace: Vector, n: int
) -> None:
    """Fill the blocks above the inputs, each (width, n): activations, and the logits in the last."""
    last = widths.size - 1
    for layer in range(1, last + 1):
        w, a = layer_rows(kept, widths, layer, theta), units_by_examples(trace, widths, layer, n)
        a[:] = 0
        add_ab(w, units_by_examples(trace, widths, layer - 1, n), a)
        b = layer_bias(w, bias)
        for j in range(b.size):
            for i in range(n):
                a[j, i] += b[j]
        if layer < last:
            activate(activation, a)


@kernel
def pruned_backward_pass(
    theta: Vector,
    kept: Kept,
    widths: Integers,
    bias: bool,
    activation: int,
    trace: Vector,
    deltas: Vector,
    n: int,
    gradient: Vector,
) -> None:
    """Fill the delta blocks below the last, each (width, n), down to block 1, and add to `gradient`."""
    for layer in range(widths.size - 1, 0, -1):
        w, dw = layer_rows(kept, widths, layer, theta), layer_rows(kept, widths, layer, gradient)
        delta, a = units_by_examples(deltas, widths, layer, n), units_by_examples(trace, widths, layer - 1, n)
        sampled_abt(delta, a, dw)
        db = layer_bias(dw, bias)
        for j in range(db.size):
            for i in range(n):
                db[j] += delta[j, i]
        if layer > 1:
            below = units_by_examples(deltas, widths, layer - 1, n)
            below[:] = 0
            add_atb(w, delta, below)
            multiply_by_slope(activation, a, below)


@kernel
def pruned_logits(
    theta: Vector,
    kept: Kept,
    widths: Integers,
    bias: bool,
    activation: int,
    examples: Matrix,
    x: Matrix,
    trace: Vector,
    logits: Matrix,
) -> None:
    """Fill `logits` (N, k) of all examples; `x` (CHUNK, inputs) and `trace` are memory for CHUNK of them."""
    for start in range(0, logits.shape[0], CHUNK):
        out = logits[start : start + CHUNK]
        n = out.shape[0]
        rows, a = np.arange(start, start + n), units_by_examples(trace, widths, 0, n)
        gather_transposed(examples, rows, kept.columns, x[:n], a)
        pruned_forward_pass(theta, kept, widths, bias, activation, trace, n)
        top = units_by_examples(trace, widths, widths.size - 1, n)
        for i in range(n):
            for c in range(top.shape[0]):
                out[i, c] = top[c, i]


class Workspace(NamedTuple):
    """Memory for CHUNK examples: `x` (CHUNK, inputs), `targets` (CHUNK, k), `losses`, and for all units."""

    x: Matrix
    targets: Matrix
    losses: Vector
    trace: Vector
    deltas: Vector


@kernel
def pruned_epoch(
    vectors: Vectors,
    kept: Kept,
    shape: Shape,
    examples: Examples,
    order: Integers,
    rates: NDArray[np.float64],
    rule: Rule,
    workspace: Workspace,
    seen: Seen,
) -> None:
    """One pass over the examples in `order`, as `npnet.fast.kernels.stack.stack_epoch`.

    The vectors have an entry for each kept weight and bias; `shape.widths` are those of all networks together.
    """
    widths, bias, activation, loss = shape
    x, targets, each, trace, deltas = workspace
    last, outputs = widths.size - 1, seen.logits.shape[2]
    for step in range(rates.size):
        rows = order[step * rule.batch_size : (step + 1) * rule.batch_size]
        vectors.gradient[:] = 0
        for start in range(0, rows.size, CHUNK):
            chunk = rows[start : start + CHUNK]
            n = chunk.size
            gather_transposed(examples.dense, chunk, kept.columns, x[:n], units_by_examples(trace, widths, 0, n))
            take(examples.targets, chunk, targets)
            pruned_forward_pass(vectors.theta, kept, widths, bias, activation, trace, n)
            top, top_delta = units_by_examples(trace, widths, last, n), units_by_examples(deltas, widths, last, n)
            for network in range(seen.logits.shape[0]):
                first = network * outputs
                z = top[first : first + outputs].T.copy()
                delta = np.empty_like(z)
                loss_and_delta(loss, z, targets, 1 / rows.size, each, delta)
                for i in range(n):
                    seen.losses[network, chunk[i]] = each[i]
                    for c in range(outputs):
                        seen.logits[network, chunk[i], c] = z[i, c]
                        top_delta[first + c, i] = delta[i, c]
            pruned_backward_pass(vectors.theta, kept, widths, bias, activation, trace, deltas, n, vectors.gradient)
        sgd_step(vectors, 0, rates[step], rule)
