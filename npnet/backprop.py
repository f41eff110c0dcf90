"""Forward and backward: logits, hidden activations, losses, and the gradient by the parameters.

These functions check their arguments, bring them into the form that the kernels want and call them; the arithmetic is
in `npnet.kernels`. All are pure: nothing that is passed in is changed.

Every function takes an architecture `net`, its parameters `theta` (float32, float64, or complex128 for the complex
step) and examples `x`: an array of any shape (n, ...) with net.inputs numbers for each example. Bytes (uint8) are
pixels and are scaled to [0, 1] on the way in; floating-point numbers are taken as they are and must be finite.
Labels `y` are integers (n,), 0/1 for one output and the number of the class for several, or targets (n, outputs).
ArgumentError is raised for arrays of other shapes and dtypes, DataError for NaN, inf and labels that are no class.

The equations, for layer l = 1..L with a_0 = x::

    z_l = a_{l-1} W_lᵀ + b_l     a_l = f(z_l)     logits = z_L
    delta_L = dLoss/dz_L         delta_{l-1} = (delta_l W_l) f'(z_{l-1})
    dLoss/dW_l = delta_lᵀ a_{l-1}                dLoss/db_l = sum of delta_l over the examples
"""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npnet.arguments import array
from npnet.errors import ArgumentError, DataError
from npnet.kernels.losses import LOSSES, loss_and_delta
from npnet.kernels.passes import CHUNK, add_gradient, backward_pass, block, forward_pass, gather
from npnet.mlp import MLP

Array = NDArray[Any]
Rows = NDArray[np.int64]

_WORKING = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.complex128))


def check_theta(net: MLP, theta: ArrayLike) -> Array:
    """`theta` as an array that the kernels take; ArgumentError for another shape or dtype."""
    theta = compiled_for(net.check_shape(theta, "theta"))
    if theta.dtype not in _WORKING:
        raise ArgumentError(f"theta: found dtype {theta.dtype}, expected float32, float64 or complex128")
    return theta


def compiled_for(array: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """`array` in C order and writeable: to Numba anything else is another type, for which all kernels compile anew."""
    return np.require(array, dtype, ["C", "W"])


def as_examples(net: MLP, x: ArrayLike, dtype: DTypeLike | None = None) -> Array:
    """`x` as (n, net.inputs), contiguous: bytes as they are, floating-point numbers as `dtype`.

    Without a `dtype` numbers of float32 stay what they are, and others become float64. Complex numbers need a complex
    `dtype`.
    """
    x = array("x", x)
    dtype = np.dtype(dtype or (np.float32 if x.dtype == np.float32 else np.float64))
    size = x[0].size if x.ndim >= 2 and len(x) else 0
    if size != net.inputs:
        raise ArgumentError(
            f"x: found shape {x.shape}, expected (n, ...) with n >= 1 and {net.inputs} numbers an example"
        )
    x = x.reshape(len(x), size)
    if x.dtype == np.uint8:
        return compiled_for(x)
    if x.dtype.kind not in ("fc" if dtype.kind == "c" else "f"):
        raise ArgumentError(f"x: found dtype {x.dtype}, expected uint8 pixels or floating-point numbers")
    if not np.isfinite(x).all():
        example, pixel = np.argwhere(~np.isfinite(x))[0]
        raise DataError(f"x: found {x[example, pixel]} in example {example}, input {pixel}; expected finite numbers")
    return compiled_for(x, dtype)


def as_targets(net: MLP, y: ArrayLike, n: int, dtype: DTypeLike = np.float64) -> Array:
    """`y` as targets (n, net.outputs): labels become 0/1, or one-hot rows when there are several outputs.

    Targets are in [0, 1] for bce, and not negative for softmax.
    """
    y = array("y", y)
    labels = y.ndim == 1 and y.dtype.kind in "biu"
    fits = y.shape == (n, net.outputs) or (y.shape == (n,) and (labels or net.outputs == 1))
    if not fits or y.dtype.kind not in "biuf":
        wanted = f"({n},) labels" if net.outputs > 1 else f"({n},)"
        raise ArgumentError(f"y: found {y.dtype} of shape {y.shape}, expected {wanted} or ({n}, {net.outputs}) targets")
    if labels and net.outputs > 1:
        wrong = (y < 0) | (y >= net.outputs)
        expected = f"a class from 0 to {net.outputs - 1}"
    else:
        lowest = -np.inf if net.loss == "squared" else 0
        highest = 1 if net.loss == "bce" else np.inf
        wrong = ~(np.isfinite(y) & (y >= lowest) & (y <= highest))
        expected = {"bce": "0 to 1", "softmax": "a finite number of at least 0", "squared": "a finite number"}[net.loss]
    if wrong.any():
        where = tuple(int(i) for i in np.argwhere(wrong)[0])
        raise DataError(f"y: found {y[where]} in example {where[0]}, expected {expected}")
    if labels and net.outputs > 1:
        return compiled_for(np.eye(net.outputs, dtype=dtype)[y.astype(np.intp)])
    return compiled_for(y.reshape(n, net.outputs), dtype)


def as_arguments(net: MLP, theta: ArrayLike, x: ArrayLike) -> tuple[Array, Array]:
    """`theta` and `x` for the kernels, of one dtype (or bytes): a complex step may be taken along either."""
    theta, x = check_theta(net, theta), array("x", x)
    dtype = np.dtype(np.complex128) if np.iscomplexobj(x) else theta.dtype
    return theta.astype(dtype, copy=False), as_examples(net, x, dtype)


def passes(net: MLP, theta: ArrayLike, x: ArrayLike) -> Iterator[tuple[Rows, Array]]:
    """Run the forward pass on a chunk of examples after the other: yields (rows, trace).

    `trace` is what `kernels.passes.forward_pass` fills: a block (len(rows), width) for each layer, inputs to logits.
    """
    theta, examples = as_arguments(net, theta, x)
    widths, bias, activation = net.structure
    for start in range(0, len(examples), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(examples)))
        trace = np.empty(rows.size * sum(net.widths), dtype=theta.dtype)
        gather(examples, rows, block(trace, widths, 0, rows.size))
        forward_pass(theta, widths, bias, activation, trace, rows.size)
        yield rows, trace


def activations(net: MLP, theta: ArrayLike, x: ArrayLike) -> list[Array]:
    """Outputs a_1, ..., a_L of all layers: the hidden activations, and last the logits; each (n, width)."""
    widths = net.structure[0]
    chunks = [
        [block(trace, widths, layer, rows.size) for layer in range(1, net.depth + 1)]
        for rows, trace in passes(net, theta, x)
    ]
    return [np.concatenate(layer) for layer in zip(*chunks, strict=True)]


def forward(net: MLP, theta: ArrayLike, x: ArrayLike) -> Array:
    """Logits (n, outputs) of the network, in the dtype of `theta`."""
    widths = net.structure[0]
    return np.concatenate([block(trace, widths, net.depth, rows.size) for rows, trace in passes(net, theta, x)])


def probabilities(net: MLP, logits: ArrayLike) -> Array:
    """Probabilities of the loss' model: the sigmoid of each logit (bce), or the softmax of each row.

    Raises ArgumentError for the squared loss, whose outputs are not probabilities.
    """
    z = array("logits", logits)
    if net.loss == "bce":
        e = np.exp(np.where(z.real >= 0, -z, z))
        return np.where(z.real >= 0, 1, e) / (1 + e)
    if net.loss == "softmax":
        e = np.exp(z - z[np.arange(len(z)), z.real.argmax(axis=1), None])
        return np.asarray(e / e.sum(axis=1, keepdims=True))
    raise ArgumentError("net: found the squared loss, expected bce or softmax, whose logits stand for probabilities")


def losses_and_deltas(net: MLP, logits: Array, targets: Array) -> tuple[Array, Array]:
    """Each example's loss (n,) and its derivative by the logits (n, outputs)."""
    losses, delta = np.empty(len(logits), dtype=logits.dtype), np.empty_like(logits)
    loss_and_delta(LOSSES.index(net.loss), logits, targets, 1.0, losses, delta)
    return losses, delta


def losses(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    """Loss of each example, (n,), as `kernels.losses.loss_and_delta` defines it."""
    logits = forward(net, theta, x)
    return losses_and_deltas(net, logits, as_targets(net, y, len(logits), logits.dtype))[0]


def pull_back(
    net: MLP,
    theta: Array,
    examples: Array,
    rows: Rows,
    start: Callable[[Rows, Array], Array],
    *,
    d_theta: Array | None = None,
    d_x: Array | None = None,
) -> None:
    """The backward pass, for arguments that are checked: `vjp`, `gradient` and `input_gradient` are calls of it.

    For a chunk of the examples `rows` after the other, `start` gets their numbers and logits (n, outputs) and gives
    delta_L. Adds the derivative by the parameters to `d_theta` (size,), and writes that by the inputs to `d_x`
    (len(rows), inputs), if they are given.
    """
    widths, bias, activation = net.structure
    top = widths.size - 1
    for first in range(0, rows.size, CHUNK):
        chunk = rows[first : first + CHUNK]
        n = chunk.size
        trace = np.empty(n * sum(net.widths), dtype=theta.dtype)
        deltas = np.empty_like(trace)
        gather(examples, chunk, block(trace, widths, 0, n))
        forward_pass(theta, widths, bias, activation, trace, n)
        block(deltas, widths, top, n)[:] = start(chunk, block(trace, widths, top, n))
        backward_pass(theta, widths, bias, activation, trace, deltas, n, 1 if d_x is None else 0)
        if d_theta is not None:
            add_gradient(widths, bias, trace, deltas, n, d_theta)
        if d_x is not None:
            d_x[first : first + n] = block(deltas, widths, 0, n)


def vjp(net: MLP, theta: ArrayLike, x: ArrayLike, d_logits: ArrayLike) -> tuple[Array, Array]:
    """Vector-Jacobian product: from dF/dlogits of any number F to its derivatives by the parameters and the inputs.

    d_theta = sum_i d_logits_i dlogits_i/dtheta, (size,), and d_x_i = d_logits_i dlogits_i/dx_i, (n, inputs): the
    transpose of the linear map from a small change of theta and x to that of the logits. `d_logits` is (n, outputs).
    """
    theta, examples = as_arguments(net, theta, x)
    delta, shape = array("d_logits", d_logits), (len(examples), net.outputs)
    if delta.shape != shape or delta.dtype.kind not in ("biufc" if theta.dtype.kind == "c" else "biuf"):
        raise ArgumentError(f"d_logits: found {delta.dtype} of shape {delta.shape}, expected numbers of shape {shape}")
    d_theta, d_x = np.zeros_like(theta), np.empty((len(examples), net.inputs), dtype=theta.dtype)
    rows = np.arange(len(examples))
    pull_back(net, theta, examples, rows, lambda chunk, _: delta[chunk], d_theta=d_theta, d_x=d_x)
    return d_theta, d_x


def batch_gradient(net: MLP, x: ArrayLike, y: ArrayLike) -> Callable[[Array, Rows], tuple[np.inexact, Array]]:
    """A function of (theta, rows): the mean loss over these of the examples, and its derivative by `theta`.

    For `npnet.descend`. Examples and labels are checked here, once. The function raises ArgumentError for theta of
    another shape and no rows, and IndexError for rows that do not exist.
    """
    examples = as_examples(net, x)
    targets, code = as_targets(net, y, len(examples)), LOSSES.index(net.loss)

    def of_rows(theta: Array, rows: Rows) -> tuple[np.inexact, Array]:
        # An update may return any array; the kernels take one in order only.
        theta, rows = np.ascontiguousarray(theta), np.ascontiguousarray(rows)
        if theta.shape != (net.size,) or theta.dtype not in _WORKING:
            found = f"{theta.dtype} of shape {theta.shape}"
            raise ArgumentError(f"theta: found {found}, expected floating-point numbers of shape ({net.size},)")
        if not len(rows):
            raise ArgumentError("rows: found none, expected at least one")
        # Before any kernel reads: rows that do not exist are an IndexError here.
        wanted = targets[rows].astype(theta.dtype)
        gradient, each, seen = np.zeros_like(theta), np.empty(len(rows), dtype=theta.dtype), 0

        def delta_of(chunk: Rows, logits: Array) -> Array:
            nonlocal seen
            here, delta = slice(seen, seen + len(chunk)), np.empty_like(logits)
            loss_and_delta(code, logits, wanted[here], 1 / len(rows), each[here], delta)
            seen += len(chunk)
            return delta

        pull_back(net, theta, examples, rows, delta_of, d_theta=gradient)
        return each.mean(), gradient

    return of_rows


def gradient(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[np.inexact, Array]:
    """Mean loss over the examples, and its derivative by `theta`: (loss, gradient of the shape of theta)."""
    theta, examples = check_theta(net, theta), as_examples(net, x)
    return batch_gradient(net, examples, y)(theta, np.arange(len(examples)))
