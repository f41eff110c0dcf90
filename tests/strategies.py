"""What the laws are tested on: networks, parameters, examples and masks, all drawn as such.

Arrays are drawn number by number and not from a seed, so that what fails shrinks to a network of a few weights that are
0 or 1 and can be followed by hand. And a forward pass in plain NumPy, to hold the kernels against.
"""

from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from npnet.kernels.activations import ACTIVATIONS
from npnet.kernels.losses import LOSSES
from npnet.mlp import MLP

SMOOTH = ("identity", "tanh", "sigmoid")
KINKS = {"relu": (0,), "relu6": (0, 6), "hard_tanh": (-1, 1), "hard_sigmoid": (-3, 3)}
PROBABLE = ("bce", "softmax")
F = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu6": lambda z: np.clip(z, 0, 6),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "identity": lambda z: z,
}


def share(part):
    """Settings for a law that takes long for an example: this part of the profile's examples."""
    return settings(max_examples=max(3, int(settings.default.max_examples * part)))


def numbers(shape, most=1.5):
    """float64 arrays of numbers that float32, and even float16, has too."""
    return arrays(
        np.float64, shape, elements=st.floats(-most, most, width=16, allow_subnormal=False), fill=st.nothing()
    )


def whole(shape, most=3, elements=None):
    """float64 arrays of small whole numbers, whose sums are exact in any order."""
    return arrays(np.float64, shape, elements=elements or st.integers(-most, most).map(float))


def masks(net):
    """Booleans like theta; they shrink to False."""
    return arrays(np.bool_, net.size, fill=st.nothing())


def units(net):
    """Which hidden units are kept, at least one in each layer: booleans for each."""
    return st.tuples(*(arrays(np.bool_, width, fill=st.nothing()).filter(np.any) for width in net.widths[1:-1]))


@st.composite
def networks(draw, activations=ACTIVATIONS, losses=LOSSES, biases=(False, True), min_hidden=0, outputs=3):
    """Networks with 1 to 4 inputs and units, and up to three hidden layers. They shrink to one weight."""
    loss = draw(st.sampled_from(sorted(losses, reverse=True)))
    hidden = draw(st.lists(st.integers(1, 4), min_size=min_hidden, max_size=3))
    last = draw(st.integers(2 if loss == "softmax" else 1, outputs))
    activation = draw(st.sampled_from(sorted(activations, key=lambda name: (name not in SMOOTH, name))))
    return MLP((draw(st.integers(1, 4)), *hidden, last), activation, loss, draw(st.sampled_from(biases)))


class Case(NamedTuple):
    """A network, float64 parameters, and examples with labels (n,) or targets (n, outputs)."""

    net: MLP
    theta: np.ndarray
    x: np.ndarray
    y: np.ndarray


@st.composite
def cases(draw, *args, examples=5, **kwargs):
    """A network of `networks`, and 1 to `examples` examples for it."""
    net = draw(networks(*args, **kwargs))
    n = draw(st.integers(1, examples))
    return Case(net, draw(numbers(net.size)), draw(numbers((n, net.inputs))), draw(answers(net, n)))


def answers(net, n):
    """Labels or targets of n examples."""
    labels = arrays(np.int64, n, elements=st.integers(0, max(1, net.outputs - 1)), fill=st.nothing())
    return labels | arrays(np.float64, (n, net.outputs), elements=st.floats(0, 1, width=16), fill=st.nothing())


def siblings(net, widths):
    """Networks like `net` with these widths in all hidden layers."""
    return [MLP((net.inputs, *[w] * (net.depth - 1), net.outputs), net.activation, net.loss, net.bias) for w in widths]


def pre_activations(net, theta, x):
    """z_1, ..., z_L in plain NumPy, the logits last."""
    a, result = x, []
    for weights, bias in net.unpack(theta):
        result.append(a @ weights.T + (0 if bias is None else bias))
        a = F[net.activation](result[-1])
    return result


def margin(net, theta, x, moving=True):
    """Smallest distance of a hidden unit from a kink.

    Unless the parameters are `moving`, sums of nothing but zeros do not count: they are 0 in whatever order.
    """
    zs, sizes = pre_activations(net, theta, x), []
    inputs = [x, *map(F[net.activation], zs[:-1])]
    for a, (weights, bias) in zip(inputs, net.unpack(theta), strict=True):
        sizes.append(np.abs(a) @ np.abs(weights).T + (0 if bias is None else np.abs(bias)))
    distances = [
        np.where((size == 0) & (not moving), np.inf, np.abs(z - kink)).min()
        for z, size in zip(zs[:-1], sizes[:-1], strict=True)
        for kink in KINKS.get(net.activation, ())
    ]
    return min(distances, default=np.inf)


def targets_of(net, y):
    """Labels as one-hot rows, or 0/1 for one output; targets as they are."""
    if y.ndim == 2:
        return y
    return y[:, None].astype(float) if net.outputs == 1 else np.eye(net.outputs)[y]


def each_loss(net, logits, y):
    """The losses' definitions, (n,)."""
    t = targets_of(net, y)
    if net.loss == "bce":
        return (t * np.logaddexp(0, -logits) + (1 - t) * np.logaddexp(0, logits)).sum(axis=1)
    if net.loss == "softmax":
        return (t * np.logaddexp.reduce(logits[:, None] - logits[:, :, None], axis=2)).sum(axis=1)
    return ((logits - t) ** 2 / 2).sum(axis=1)


def permutation(net, orders):
    """Order of `theta` after the units of each hidden layer are put in these orders."""
    orders = [np.arange(net.inputs), *orders, np.arange(net.outputs)]
    parts = []
    for (weights, bias), below, above in zip(net.unpack(np.arange(net.size)), orders[:-1], orders[1:], strict=True):
        parts += [weights[above][:, below].ravel(), above[:0] if bias is None else bias[above]]
    return np.concatenate(parts)


@st.composite
def reordered(draw, **kwargs):
    """A case with hidden layers, and the order of its parameters after its units are permuted."""
    case = draw(cases(min_hidden=1, **kwargs))
    orders = [np.array(draw(st.permutations(range(width)))) for width in case.net.widths[1:-1]]
    return case, permutation(case.net, orders)


def assert_close(found, wanted, digits=1e-9):
    """Equal up to rounding that is relative to the largest number, and of one shape and dtype."""
    found, wanted = np.asarray(found), np.asarray(wanted)
    scale = np.abs(wanted).max(initial=0.0, where=np.isfinite(wanted))
    assert found.dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=digits, atol=digits * max(1e-3, scale))


def refusal(error, function, *arguments):
    """The sentence with which `function` refuses its arguments."""
    with pytest.raises(error) as caught:
        function(*arguments)
    return str(caught.value)
