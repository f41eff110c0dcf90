"""Forward and backward: logits, hidden activations, losses, and the gradient by the parameters.

These functions check their arguments, bring them into the form that the kernels want and call them; the arithmetic is
in `npnet.kernels.passes`, and training runs the very same kernels. All are pure: nothing that is passed in is changed.

Every function takes an architecture `net`, its parameters `theta` (float32, float64, or complex128 for the complex
step) and examples `x`: an array of any shape (n, ...) with net.inputs numbers for each example. Bytes (uint8) are
pixels and are scaled to [0, 1] on the way in; floating-point numbers are taken as they are and must be finite.
Labels `y` are integers (n,), 0/1 for one output and the number of the class for several, or targets (n, outputs).

The equations, for layer l = 1..L with a_0 = x::

    z_l = a_{l-1} W_lᵀ + b_l     a_l = f(z_l)     logits = z_L
    delta_L = dLoss/dz_L         delta_{l-1} = (delta_l W_l) f'(z_{l-1})
    dLoss/dW_l = delta_lᵀ a_{l-1}                dLoss/db_l = sum of delta_l over the examples
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npnet.errors import ArgumentError, DataError
from npnet.fast.kernels.pruned import pruned_logits
from npnet.fast.layouts import Pruned, aligned
from npnet.fast.paths import skipping_pays
from npnet.kernels.losses import LOSSES, loss_and_delta
from npnet.kernels.passes import CHUNK, add_gradient, backward_pass, block, forward_pass, gather
from npnet.mlp import MLP

_WORKING = (np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.complex128))


def check_theta(net: MLP, theta: ArrayLike) -> NDArray[Any]:
    """`theta` as a contiguous array that the kernels take; ArgumentError for another shape or dtype."""
    theta = compiled_for(theta)
    net.check_shape(theta, "theta")
    if theta.dtype not in _WORKING:
        raise ArgumentError(f"theta: found dtype {theta.dtype}, expected float32, float64 or complex128")
    return theta


def compiled_for(array: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """`array` in C order and writeable: to Numba anything else is another type, for which all kernels compile anew."""
    return np.require(array, dtype, ["C", "W"])


def as_examples(net: MLP, x: ArrayLike, dtype: np.dtype[np.inexact]) -> NDArray[Any]:
    """`x` as (n, net.inputs), contiguous: bytes as they are, floating-point numbers as `dtype`.

    Raises
    ------
    ArgumentError
        For no examples, another number of inputs, or a dtype that is neither uint8 nor floating-point (or complex
        where `dtype` is not).
    DataError
        For NaN or inf, naming the first.
    """
    x = np.asarray(x)
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


def as_targets(net: MLP, y: ArrayLike, n: int, dtype: np.dtype[np.inexact]) -> NDArray[Any]:
    """`y` as targets (n, net.outputs): labels become 0/1, or one-hot rows when there are several outputs.

    Raises
    ------
    ArgumentError
        When the shape is neither (n,) nor (n, outputs), or the dtype is not one of real numbers.
    DataError
        For a label that is not a class, a target outside [0, 1] (bce) or negative (softmax), NaN or inf.
    """
    y = np.asarray(y)
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
        targets = np.zeros((n, net.outputs), dtype=dtype)
        targets[np.arange(n), y.astype(np.intp)] = 1
        return targets
    return compiled_for(y.reshape(n, net.outputs), dtype)


def _arguments(net: MLP, theta: ArrayLike, x: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
    """`theta` and `x` for the kernels, of one dtype (or bytes): a complex step may be taken along either."""
    theta, x = check_theta(net, theta), np.asarray(x)
    dtype = np.dtype(np.complex128) if np.iscomplexobj(x) else theta.dtype
    return theta.astype(dtype, copy=False), as_examples(net, x, dtype)


def passes(net: MLP, theta: ArrayLike, x: ArrayLike) -> Iterator[tuple[NDArray[np.int64], NDArray[Any]]]:
    """Run the forward pass on a chunk of examples after the other: yields (rows, trace).

    `trace` is what `kernels.passes.forward_pass` fills: a block (len(rows), width) for each layer, inputs to logits.
    """
    theta, examples = _arguments(net, theta, x)
    widths, bias, activation = net.structure
    for start in range(0, len(examples), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(examples)))
        trace = np.empty(rows.size * sum(net.widths), dtype=theta.dtype)
        gather(examples, rows, block(trace, widths, 0, rows.size))
        forward_pass(theta, widths, bias, activation, trace, rows.size)
        yield rows, trace


def activations(net: MLP, theta: ArrayLike, x: ArrayLike) -> list[NDArray[Any]]:
    """Outputs a_1, ..., a_L of all layers: the hidden activations, and last the logits; each (n, width)."""
    widths = net.structure[0]
    chunks = [
        [block(trace, widths, layer, rows.size) for layer in range(1, net.depth + 1)]
        for rows, trace in passes(net, theta, x)
    ]
    return [np.concatenate(layer) for layer in zip(*chunks, strict=True)]


def forward(net: MLP, theta: ArrayLike, x: ArrayLike) -> NDArray[Any]:
    """Logits (n, outputs) of the network, in the dtype of `theta`.

    Weights that are zero are skipped when that saves time, as in a network that is pruned by more than about half.
    """
    theta, examples = _arguments(net, theta, x)
    widths, bias, activation = net.structure
    logits = np.empty((len(examples), net.outputs), dtype=theta.dtype)
    # One trace for all chunks: fresh memory costs more than a narrow network.
    trace = aligned(CHUNK * sum(net.widths), theta.dtype)
    if skipping_pays(net, theta, len(examples)):
        layout = Pruned([net], [theta != 0])
        kept, room = layout.pack([theta]), aligned((CHUNK, net.inputs), theta.dtype)
        pruned_logits(kept, layout.kept, layout.widths, bias, activation, examples, room, trace, logits)
        return logits
    for start in range(0, len(examples), CHUNK):
        rows = np.arange(start, min(start + CHUNK, len(examples)))
        gather(examples, rows, block(trace, widths, 0, rows.size))
        forward_pass(theta, widths, bias, activation, trace, rows.size)
        logits[rows] = block(trace, widths, net.depth, rows.size)
    return logits


def probabilities(net: MLP, logits: ArrayLike) -> NDArray[Any]:
    """Probabilities of the loss' model: the sigmoid of each logit (bce), or the softmax of each row.

    Raises ArgumentError for the squared loss, whose outputs are not probabilities.
    """
    z = np.asarray(logits)
    if net.loss == "bce":
        e = np.exp(np.where(z.real >= 0, -z, z))
        return np.where(z.real >= 0, 1, e) / (1 + e)
    if net.loss == "softmax":
        e = np.exp(z - z[np.arange(len(z)), z.real.argmax(axis=1), None])
        return np.asarray(e / e.sum(axis=1, keepdims=True))
    raise ArgumentError("net: found the squared loss, expected bce or softmax, whose logits stand for probabilities")


def losses_and_deltas(net: MLP, logits: NDArray[Any], targets: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Each example's loss (n,) and its derivative by the logits (n, outputs)."""
    losses, delta = np.empty(len(logits), dtype=logits.dtype), np.empty_like(logits)
    loss_and_delta(LOSSES.index(net.loss), logits, targets, np.arange(len(logits)), 1.0, losses, delta)
    return losses, delta


def losses(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> NDArray[Any]:
    """Loss of each example, (n,), as `kernels.losses.loss_and_delta` defines it."""
    logits = forward(net, theta, x)
    return losses_and_deltas(net, logits, as_targets(net, y, len(logits), logits.dtype))[0]


def gradient(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> tuple[np.inexact, NDArray[Any]]:
    """Mean loss over the examples, and its derivative by `theta`: (loss, gradient of the shape of theta)."""
    theta = check_theta(net, theta)
    examples = as_examples(net, x, theta.dtype)
    n, (widths, bias, activation) = len(examples), net.structure
    targets, total = as_targets(net, y, n, theta.dtype), theta.dtype.type(0)
    result = np.zeros_like(theta)
    for rows, trace in passes(net, theta, examples):
        deltas = np.empty_like(trace)
        each, delta = losses_and_deltas(net, block(trace, widths, net.depth, rows.size), targets[rows])
        block(deltas, widths, net.depth, rows.size)[:] = delta / n
        backward_pass(theta, widths, bias, activation, trace, deltas, rows.size, 1)
        add_gradient(widths, bias, trace, deltas, rows.size, result)
        total += each.sum()
    return total / n, result
