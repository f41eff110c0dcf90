"""Gradients, derivatives by the inputs and Jacobian norms against JAX, which differentiates the equations by itself."""

import warnings
from itertools import cycle

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import assert_close, margin, numbers, share, targets_of

from npnet.backprop import gradient
from npnet.derivatives import input_gradient, jacobian
from npnet.kernels.activations import ACTIVATIONS
from npnet.kernels.losses import LOSSES
from npnet.mlp import MLP
from npnet.sensitivity import jacobian_norms

WIDTHS = (3, 3, 2, 2)


@pytest.fixture(scope="module")
def jax():
    """JAX in float64, whose own warnings are not ours to answer for."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        jax = pytest.importorskip("jax", reason="an independent differentiation: pip install 'npnet[check]'")
        before = jax.config.jax_enable_x64
        jax.config.update("jax_enable_x64", True)
        yield jax
        jax.config.update("jax_enable_x64", before)


def equations(jax, net):
    """Logits, probabilities and the mean loss, from the equations in npnet's documentation and nothing of its code."""
    jnp, layers = jax.numpy, list(zip(net.widths[:-1], net.widths[1:], strict=True))
    f = {
        "relu": jax.nn.relu,
        "tanh": jnp.tanh,
        "sigmoid": jax.nn.sigmoid,
        "relu6": jax.nn.relu6,
        "hard_tanh": jax.nn.hard_tanh,
        "hard_sigmoid": jax.nn.hard_sigmoid,
        "identity": lambda z: z,
    }[net.activation]

    def logits(theta, x):
        start = 0
        for number, (fan_in, fan_out) in enumerate(layers):
            weights = theta[start : start + fan_in * fan_out].reshape(fan_out, fan_in)
            bias = theta[start + fan_in * fan_out : start + (fan_in + 1) * fan_out]
            start += (fan_in + 1) * fan_out
            x = (f(x) if number else x) @ weights.T + bias
        return x

    def loss(theta, x, t):
        z = logits(theta, x)
        each = {
            "bce": -t * jax.nn.log_sigmoid(z) - (1 - t) * jax.nn.log_sigmoid(-z),
            "softmax": -t * jax.nn.log_softmax(z),
            "squared": (z - t) ** 2 / 2,
        }[net.loss]
        return each.sum(axis=1).mean()

    model = {"bce": jax.nn.sigmoid, "softmax": jax.nn.softmax, "squared": lambda z: z}[net.loss]
    return logits, lambda theta, x: model(logits(theta, x)), loss


# A derivative of an activation knows nothing of the loss: each with one loss, and so each loss with two or three.
@pytest.mark.parametrize(("activation", "loss"), list(zip(ACTIVATIONS, cycle(LOSSES), strict=False)))
def test_derivatives_are_those_of_automatic_differentiation(jax, activation, loss):
    net = MLP(WIDTHS, activation, loss)
    logits, outputs, mean_loss = equations(jax, net)
    by_all, jacobians = jax.value_and_grad(mean_loss, argnums=(0, 1)), [jax.jacrev(f, 1) for f in (logits, outputs)]

    @jax.jit
    def differentiated(theta, x, t):
        each = [jax.vmap(jacobian_of, (None, 0))(theta, x) for jacobian_of in jacobians]
        return *by_all(theta, x, t), *each

    @share(0.2)
    @given(numbers(net.size), numbers((2, net.inputs)), st.sampled_from([[0, 1], [1, 1]]))
    def agree(theta, x, y):
        assume(margin(net, theta, x) > 1e-6)
        y = np.array(y)
        value, slopes, *wanted = differentiated(theta, x, targets_of(net, y))
        found = gradient(net, theta, x, y)
        assert found[0] == pytest.approx(float(value), rel=1e-9)
        assert_close(found[1], np.asarray(slopes[0]))
        assert_close(input_gradient(net, theta, x, "loss", y=y) / len(x), np.asarray(slopes[1]))
        for of, each in zip(("logit", "probability")[: 1 + (loss != "squared")], map(np.asarray, wanted), strict=False):
            assert_close(jacobian(net, theta, x, of), each)
            assert_close(jacobian_norms(net, theta, x, of), np.linalg.norm(each, axis=(1, 2)), 1e-8)

    agree()
