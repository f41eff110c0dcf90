"""Law: norms are those of the Jacobian, and what a closed path leaves it comes back to."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import KINKS, PROBABLE, Case, assert_close, cases, margin, numbers, pre_activations, share

from experiments.sensitivity.measures import ellipse, translations
from npnet.derivatives import activation_codes, jacobian
from npnet.kernels.passes import CHUNK
from npnet.mlp import MLP
from npnet.sensitivity import jacobian_norms, transitions

OF = st.sampled_from(["logit", "probability"])


@given(cases(losses=PROBABLE), OF)
@example(Case(MLP((4, 1)), np.ones(5), np.ones((CHUNK + 2, 4)), None), "probability")
def test_norms_are_those_of_the_jacobian(case, of):
    net, theta, x, _ = case
    wanted = np.linalg.norm(jacobian(net, theta, x, of), axis=(1, 2))
    assert_close(jacobian_norms(net, theta, x, of), wanted, 1e-8)


@given(cases(losses=PROBABLE), OF, st.data())
@share(0.5)
def test_turning_the_inputs_keeps_the_norms(case, of, data):
    """Reflect the inputs, and the weights that see them: the network is the same, and so is its sensitivity."""
    net, theta, x, _ = case
    v = data.draw(numbers(net.inputs).filter(lambda v: np.abs(v).max() > 0.1))
    mirror = np.eye(net.inputs) - 2 * np.outer(v, v) / (v @ v)
    assume(margin(net, theta, x, moving=False) > 1e-9)
    turned = theta.copy()
    first = net.unpack(turned)[0].weights
    first[:] = first @ mirror
    assume(margin(net, turned, x @ mirror, moving=False) > 1e-9)
    assert_close(jacobian_norms(net, turned, x @ mirror, of), jacobian_norms(net, theta, x, of), 1e-7)


@pytest.mark.parametrize("loss", PROBABLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@given(st.floats(0.5, 60))
@example(20.0)
@example(60.0)
def test_a_network_that_is_certain_keeps_its_digits(loss, dtype, z):
    """At 20 the larger probability is 1 in float32, and at 60 the square of the norm is 0."""
    z = float(np.float32(z))
    net = MLP((3, 2), loss=loss, bias=False)
    theta = np.array([z, 0, 0, 0 if loss == "softmax" else -z, 0, 0], dtype)
    found = jacobian_norms(net, theta, [[1.0, 0, 0]])
    assert found.dtype == dtype
    wanted = math.sqrt(2) * z * math.exp(-z) / (1 + math.exp(-z)) ** 2
    np.testing.assert_allclose(found, [wanted], rtol=2e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_network_shows_it(value):
    net = MLP((3, 2, 2), "tanh", "softmax")
    for of in ("logit", "probability"):
        with np.errstate(all="ignore"):
            assert not np.isfinite(jacobian_norms(net, np.append(value, np.ones(13)), np.ones((2, 3)), of)).any()


# Transitions.


@given(cases(activations=(*KINKS, "identity")), st.integers(-9, 9))
def test_transitions_are_distances_of_codes_and_close(case, shift):
    net, theta, path, _ = case
    codes = activation_codes(net, theta, path)
    assert codes.dtype == np.int8
    if margin(net, theta, path) > 1e-9:
        z = np.concatenate([np.empty((len(path), 0)), *pre_activations(net, theta, path)[:-1]], axis=1)
        assert codes.tolist() == np.digitize(z, KINKS.get(net.activation, ())).tolist()
    found = transitions(net, theta, path)
    wide = codes.astype(int)
    assert found.tolist() == [np.abs(wide[i] - wide[(i + 1) % len(path)]).sum() for i in range(len(path))]
    assert found.dtype == np.int64
    assert found.sum() % 2 == 0
    if margin(net, theta, path, moving=False) > 1e-9:
        assert transitions(net, theta, np.roll(path, shift, axis=0)).tolist() == np.roll(found, shift).tolist()
        assert transitions(net, theta, path[::-1]).sum() == found.sum()
    assert transitions(net, theta, path[:1]).tolist() == [0]


@given(cases(activations=tuple(KINKS), min_hidden=1), st.integers(1, 12), st.data())
def test_more_points_see_no_less(case, k, data):
    net, theta, x, _ = case
    anchors = [data.draw(numbers(net.inputs, 4)) for _ in range(3)]
    for path in (lambda n: ellipse(*anchors, n), lambda n: translations(x[:1], n)):
        fine, coarse = path(2 * k), path(k)
        assume(margin(net, theta, fine, moving=False) > 1e-9 and margin(net, theta, coarse, moving=False) > 1e-9)
        pairs = transitions(net, theta, fine).reshape(-1, 2).sum(axis=1)
        assert (pairs >= transitions(net, theta, coarse)).all()


def test_there_may_be_more_transitions_than_an_int8_can_count():
    many = MLP((1, 300, 1), "hard_tanh", bias=False)
    assert transitions(many, np.ones(many.size), [[-2.0], [2.0]]).tolist() == [600, 600]
