"""Small random networks for the property tests, and a forward pass in plain NumPy to hold the kernels against."""

from typing import NamedTuple

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from npnet.kernels.activations import ACTIVATIONS
from npnet.kernels.losses import LOSSES
from npnet.mlp import MLP

SMOOTH = ("tanh", "sigmoid", "identity")
KINKS = {"relu": (0,), "relu6": (0, 6), "hard_tanh": (-1, 1), "hard_sigmoid": (-3, 3)}
F = {
    "relu": lambda z: np.maximum(z, 0),
    "tanh": np.tanh,
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "relu6": lambda z: np.clip(z, 0, 6),
    "hard_tanh": lambda z: np.clip(z, -1, 1),
    "hard_sigmoid": lambda z: np.clip(z / 6 + 0.5, 0, 1),
    "identity": lambda z: z,
}


class Case(NamedTuple):
    """A network, float64 parameters, and examples with labels (n,) or targets (n, outputs)."""

    net: MLP
    theta: np.ndarray
    x: np.ndarray
    y: np.ndarray


@st.composite
def cases(draw, activations=ACTIVATIONS, losses=LOSSES, biases=(True, False), min_hidden=0, outputs=4):
    """Cases of widths 1 to 6, depth 1 to 4 and 1 to 9 examples.

    Pre-activations are at least 1e-3 from a kink and logits at most 6, so that no derivative drowns in rounding.
    """
    loss = draw(st.sampled_from(losses))
    hidden = draw(st.lists(st.integers(1, 6), min_size=min_hidden, max_size=3))
    last = draw(st.integers(2 if loss == "softmax" else 1, outputs))
    widths = (draw(st.integers(1, 6)), *hidden, last)
    net = MLP(widths, draw(st.sampled_from(activations)), loss, draw(st.sampled_from(biases)))
    n = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    theta, x = rng.uniform(-1.2, 1.2, net.size), rng.standard_normal((n, net.inputs))
    soft = draw(st.booleans())
    y = rng.random((n, last)) if soft else rng.integers(0, max(2, last), n)
    assume(margin(net, theta, x) > 1e-3)
    assume(np.abs(pre_activations(net, theta, x)[-1]).max() < 6)
    return Case(net, theta, x, y)


def pre_activations(net, theta, x):
    """z_1, ..., z_L in plain NumPy, the logits last."""
    a, result = x, []
    for weights, bias in net.unpack(theta):
        result.append(a @ weights.T + (0 if bias is None else bias))
        a = F[net.activation](result[-1])
    return result


def margin(net, theta, x):
    """Smallest distance of a hidden unit's pre-activation from a kink."""
    hidden = pre_activations(net, theta, x)[:-1]
    distances = [np.abs(z - kink).min() for z in hidden for kink in KINKS.get(net.activation, ())]
    return min(distances, default=np.inf)


def assume_measurable(f, gradient, at):
    """Give up where central differences see nothing: their rounding error is 1e-9 |f|, and may be 1e-6 of the slope."""
    assume(np.sqrt(np.mean(gradient**2)) > 2e-3 * abs(f(at)))


def targets_of(net, y):
    """Labels as one-hot rows, or 0/1 for one output; targets as they are."""
    if y.ndim == 2:
        return y
    return y[:, None].astype(float) if net.outputs == 1 else np.eye(net.outputs)[y]


def mean_loss(net, logits, y):
    """The losses' definitions, for logits that are not large."""
    t = targets_of(net, y)
    if net.loss == "bce":
        each = t * np.log(1 + np.exp(-logits)) + (1 - t) * np.log(1 + np.exp(logits))
    elif net.loss == "softmax":
        each = t * (np.log(np.exp(logits).sum(axis=1, keepdims=True)) - logits)
    else:
        each = (logits - t) ** 2 / 2
    return each.sum(axis=1).mean()
