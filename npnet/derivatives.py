"""Derivatives for each example by itself: by the parameters, and by the inputs.

They share one backward pass and differ in where it starts, which is a derivative by the logits, and in how far down it
goes. Arguments and errors are those of `npnet.backprop`.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import array, one_of
from npnet.backprop import as_arguments, as_targets, losses_and_deltas, passes, probabilities, pull_back
from npnet.errors import ArgumentError
from npnet.kernels.activations import pieces
from npnet.kernels.passes import backward_pass, block
from npnet.mlp import MLP

QUANTITIES = "logit", "probability", "loss"

Array = NDArray[Any]


def backward(net: MLP, theta: Array, trace: Array, start: Array) -> list[Array]:
    """Deltas of all layers, delta_1, ..., delta_L, of the pass that left `trace`, from delta_L = `start`."""
    widths, bias, activation = net.structure
    n = len(start)
    deltas = np.empty_like(trace)
    block(deltas, widths, net.depth, n)[:] = start
    backward_pass(theta, widths, bias, activation, trace, deltas, n, 1)
    return [block(deltas, widths, layer, n) for layer in range(1, net.depth + 1)]


def _layers(net: MLP, theta: ArrayLike, x: ArrayLike, y: ArrayLike) -> list[tuple[list[Array], list[Array]]]:
    """For each chunk: the inputs a_{l-1} of every layer, and its deltas for the loss of each example."""
    theta, examples = as_arguments(net, theta, x)
    targets, chunks = as_targets(net, y, len(examples), theta.dtype), []
    for rows, trace in passes(net, theta, examples):
        blocks = [block(trace, net.structure[0], layer, rows.size) for layer in range(net.depth + 1)]
        _, start = losses_and_deltas(net, blocks[-1], targets[rows])
        chunks.append((blocks[:-1], backward(net, theta, trace, start)))
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
    """Derivative of every output by every input, (n, outputs, inputs): an `input_gradient` for each output."""
    one_of("of", of, QUANTITIES[:2])
    return np.stack([input_gradient(net, theta, x, of, output=output) for output in range(net.outputs)], axis=1)


def input_gradient(
    net: MLP,
    theta: ArrayLike,
    x: ArrayLike,
    of: str = "logit",
    *,
    output: int | ArrayLike = 0,
    y: ArrayLike | None = None,
) -> Array:
    """Derivative of one number by the inputs of each example, (n, inputs), with its sign.

    Parameters
    ----------
    of
        "logit" or "probability" of the output number `output`, or "loss", which needs the labels `y`. With
        p = softmax(z), dp_c/dz = p_c (e_c - p); with p = sigmoid(z), dp_c/dz = p_c (1 - p_c) e_c.
    output
        One integer, or one for each example, such as its label.

    Notes
    -----
    The gradient of a probability vanishes where the network is certain; that of the logit does not, and is what most
    readers of a saliency map mean.
    """
    one_of("of", of, QUANTITIES)
    if (of == "loss") != (y is not None):
        raise ArgumentError(f"y: found {'none' if y is None else 'labels'}, expected them with of='loss' and only then")
    theta, examples = as_arguments(net, theta, x)
    n = len(examples)
    if y is None:
        chosen = one_hot(net, output, n, theta.dtype)
    else:
        targets = as_targets(net, y, n, theta.dtype)

    def start(rows: NDArray[np.int64], logits: Array) -> Array:
        if of == "loss":
            return losses_and_deltas(net, logits, targets[rows])[1]
        return derivative_by_logits(net, logits, chosen[rows], of)

    d_x = np.empty((n, net.inputs), dtype=theta.dtype)
    pull_back(net, theta, examples, np.arange(n), start, d_x=d_x)
    return d_x


def one_hot(net: MLP, output: int | ArrayLike, n: int, dtype: np.dtype[Any]) -> Array:
    """1 where `output`, one integer or one for each example, points to, (n, outputs); ArgumentError for others."""
    numbers = array("output", output)
    integers = numbers.dtype.kind in "iu" and numbers.shape in ((), (n,))
    if not integers or (numbers < 0).any() or (numbers >= net.outputs).any():
        expected = f"an integer from 0 to {net.outputs - 1}, or one for each of {n} examples"
        raise ArgumentError(f"output: found {output!r}, expected {expected}")
    return np.eye(net.outputs, dtype=dtype)[np.broadcast_to(numbers, n)]


def derivative_by_logits(net: MLP, logits: Array, chosen: Array, of: str) -> Array:
    """Derivative of each example's `chosen` output (one-hot rows), a "logit" or a "probability": (n, outputs)."""
    if of == "logit":
        return chosen
    p = probabilities(net, logits)
    if net.loss == "bce":
        return chosen * p * probabilities(net, -logits)
    # 1 - p is the sum of the others, which keeps its digits where p rounds to 1.
    others = p * (1 - chosen)
    return (p * chosen).sum(axis=1, keepdims=True) * (chosen * others.sum(axis=1, keepdims=True) - others)


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
