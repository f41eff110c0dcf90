"""Derivatives for each example by itself: by the parameters, and by the inputs.

They share one backward pass (`kernels.passes.backward_pass`) and differ in where it starts, which is a derivative by
the logits, and in how far down it goes. Arguments are those of `npnet.backprop`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.backprop import as_targets, check_theta, losses_and_deltas, passes, probabilities
from npnet.errors import ArgumentError
from npnet.kernels.activations import pieces
from npnet.kernels.passes import backward_pass, block
from npnet.mlp import MLP

QUANTITIES = ("logit", "probability", "loss")

Array = NDArray[Any]


def backward(net: MLP, theta: Array, trace: Array, start: Array, lowest: int) -> list[Array]:
    """Delta blocks, lowest layer first, of the backward pass that starts at dF/dlogits = `start` (n, outputs)."""
    widths, bias, activation = net.structure
    n = len(start)
    deltas = np.empty_like(trace)
    block(deltas, widths, net.depth, n)[:] = start
    backward_pass(theta.astype(trace.dtype, copy=False), widths, bias, activation, trace, deltas, n, lowest)
    return [block(deltas, widths, layer, n) for layer in range(lowest, net.depth + 1)]


def _layers(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> list[tuple[list[Array], list[Array]]]:
    """For each chunk: the inputs a_{l-1} of every layer, and its deltas for the loss of each example."""
    theta, widths, chunks = check_theta(net, theta), net.structure[0], []
    targets = as_targets(net, y, len(np.asarray(x)), theta.dtype)
    for rows, trace in passes(net, theta, x):
        blocks = [block(trace, widths, layer, rows.size) for layer in range(net.depth + 1)]
        _, start = losses_and_deltas(net, blocks[-1], targets[rows])
        chunks.append((blocks[:-1], backward(net, theta, trace, start, lowest=1)))
    return chunks


def per_example_gradients(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    """Gradient of each example's own loss, (n, net.size): dW_l = delta_l ⊗ a_{l-1}, db_l = delta_l.

    Their mean is `backprop.gradient`. Takes n * net.size numbers of memory.
    """
    rows = []
    for inputs, deltas in _layers(net, theta, x, y):
        parts = []
        for a, delta in zip(inputs, deltas, strict=True):
            parts.append((delta[:, :, None] * a[:, None, :]).reshape(len(a), -1))
            if net.bias:
                parts.append(delta)
        rows.append(np.concatenate(parts, axis=1))
    return np.concatenate(rows)


def gradient_norms(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> Array:
    """Euclidean norm of each example's gradient, (n,), without the gradients: ‖g‖² = Σ_l ‖delta_l‖² (‖a_{l-1}‖² + 1).

    The gradient of a layer is an outer product, whose norm is the product of two norms; the 1 is the bias' share and
    is left out in a network without biases. Source: Goodfellow 2015, arXiv 1510.01799.
    """
    norms = []
    for inputs, deltas in _layers(net, theta, x, y):
        squares = [
            (delta**2).sum(axis=1) * ((a**2).sum(axis=1) + net.bias) for a, delta in zip(inputs, deltas, strict=True)
        ]
        norms.append(np.sqrt(sum(squares)))
    return np.concatenate(norms)


def jacobian(net: MLP, theta: ArrayLike, x: ArrayLike, of: str = "logit") -> Array:
    """Derivative of every output by every input, (n, outputs, inputs), by one backward pass for each output.

    Parameters
    ----------
    of
        "logit", or "probability": with p = softmax(z), dp/dz = diag(p) - p pᵀ; with p = sigmoid(z), p (1 - p).

    Raises
    ------
    ArgumentError
        For another `of`, or "probability" of a network with the squared loss.
    """
    theta = check_theta(net, theta)
    return np.concatenate(
        [
            np.stack(
                [backward(net, theta, trace, start, lowest=0)[0] for start in starts(net, trace, rows.size, of)], 1
            )
            for rows, trace in passes(net, theta, x)
        ]
    )


def starts(net: MLP, trace: Array, n: int, of: str) -> list[Array]:
    """For each output c, its derivative by the logits: (n, outputs) each; "logit" or "probability" as in `jacobian`."""
    if of not in QUANTITIES[:2]:
        raise ArgumentError(f"of: found {of!r}, expected 'logit' or 'probability'")
    one_hot = np.eye(net.outputs, dtype=trace.dtype)[:, None, :]
    if of == "logit":
        return list(np.broadcast_to(one_hot, (net.outputs, n, net.outputs)))
    logits = block(trace, net.structure[0], net.depth, n)
    p = probabilities(net, logits)
    if net.loss == "bce":
        return list(one_hot * p * probabilities(net, -logits))
    # 1 - p is the sum of the others, which keeps its digits where p rounds to 1.
    others = [p * (1 - one_hot[c]) for c in range(net.outputs)]
    return [p[:, c, None] * (one_hot[c] * others[c].sum(axis=1, keepdims=True) - others[c]) for c in range(net.outputs)]


def input_gradient(
    net: MLP, theta: ArrayLike, x: ArrayLike, of: str = "logit", *, output: int = 0, y: ArrayLike | None = None
) -> Array:
    """Derivative of one number by the inputs of each example, (n, inputs), with its sign.

    Parameters
    ----------
    of
        "logit" or "probability" of the output number `output`, or "loss", which needs the labels `y`.

    Raises
    ------
    ArgumentError
        For another `of`, an `output` that does not exist, "loss" without `y`, or `y` without "loss".

    Notes
    -----
    The gradient of a probability vanishes where the network is certain; that of the logit does not, and is what most
    readers of a saliency map mean.
    """
    if of not in QUANTITIES:
        raise ArgumentError(f"of: found {of!r}, expected one of {', '.join(QUANTITIES)}")
    if (of == "loss") != (y is not None):
        raise ArgumentError(f"y: {'missing' if y is None else 'given'}, but labels belong to of='loss' and to it alone")
    net.check_output(output)
    theta, gradients = check_theta(net, theta), []
    targets = None if y is None else as_targets(net, y, len(np.asarray(x)), theta.dtype)
    for rows, trace in passes(net, theta, x):
        if targets is None:
            start = starts(net, trace, rows.size, of)[output]
        else:
            logits = block(trace, net.structure[0], net.depth, rows.size)
            _, start = losses_and_deltas(net, logits, targets[rows])
        gradients.append(backward(net, theta, trace, start, lowest=0)[0])
    return np.concatenate(gradients)


def activation_codes(net: MLP, theta: ArrayLike, x: ArrayLike) -> NDArray[np.int8]:
    """Linear piece that each hidden unit is on, all layers side by side: (n, hidden units) of small integers.

    0 and 1 (off, on) for relu; 0, 1, 2 for relu6, hard_tanh and hard_sigmoid. Two inputs with the same code lie in the
    same linear region of the network. Raises ArgumentError for activations without linear pieces.
    Source: Novak et al. 2018, arXiv 1802.08760, section 3.
    """
    widths, codes = net.structure[0], []
    for rows, trace in passes(net, theta, x):
        hidden = [pieces(net.activation, block(trace, widths, layer, rows.size)) for layer in range(1, net.depth)]
        codes.append(np.concatenate([np.empty((rows.size, 0), dtype=np.int8), *hidden], axis=1))
    return np.concatenate(codes)
