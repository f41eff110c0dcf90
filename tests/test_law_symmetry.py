"""Law: what a network computes and learns has the symmetries of its equations."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from strategies import Case, assert_close, cases, margin, masks, networks, numbers, reordered, share, units

from npnet.backprop import batch_gradient, forward, gradient, losses
from npnet.derivatives import input_gradient, jacobian
from npnet.fast import PATHS, train
from npnet.fast import forward as fast_forward
from npnet.mlp import MLP
from npnet.pruning import apply_mask, dead_units, disconnected_units, magnitude, node_mask, prune
from npnet.training import batches, descend, sgd

SETTINGS = {"epochs": 3, "learning_rate": 0.02, "batch_size": 1, "momentum": 0.5, "weight_decay": 0.01}


def run(net, theta, x, y, path="dense", mask=None):
    """A training that no rounding decides; None where a unit comes too near a kink."""
    rows = batches(len(x), 1, np.random.default_rng(0))
    steps = descend(theta, rows, batch_gradient(net, x, y), sgd(0.02, 0.5, 0.01), mask)
    thetas = [theta, *(step.theta for step, _ in zip(steps, range(3 * len(x)), strict=False))]
    assume(all(margin(net, each, x, moving=False) > 1e-7 and np.abs(each).max() < 9 for each in thetas))
    return train(net, theta, x, y, rng=np.random.default_rng(0), mask=mask, path=path, **SETTINGS).theta


@given(reordered())
def test_permuting_hidden_units_permutes_the_gradient(drawn):
    (net, theta, x, y), order = drawn
    assume(margin(net, theta, x, moving=False) > 1e-9)
    assert_close(forward(net, theta[order], x), forward(net, theta, x))
    assert_close(gradient(net, theta[order], x, y)[1], gradient(net, theta, x, y)[1][order])
    assert_close(input_gradient(net, theta[order], x, "loss", y=y), input_gradient(net, theta, x, "loss", y=y))


@pytest.mark.parametrize("path", PATHS)
@given(reordered(examples=3))
@share(0.4)
def test_permuting_hidden_units_permutes_a_whole_run(path, drawn):
    (net, theta, x, y), order = drawn
    assert_close(run(net, theta[order], x, y, path), run(net, theta, x, y, path)[order], 1e-7)


@pytest.mark.parametrize("path", PATHS)
@given(cases(min_hidden=1, examples=3), st.data())
@share(0.4)
def test_masked_units_are_zeroed_ones_are_ones_that_are_not_there(path, case, data):
    net, theta, x, y = case
    kept = data.draw(units(net))
    mask = node_mask(net, kept)
    small = replace(net, widths=(net.inputs, *map(np.count_nonzero, kept), net.outputs))
    # What is left of the network, layer by layer; the mask is its definition.
    below, parts = np.ones(net.inputs, bool), []
    for (weights, bias), above in zip(net.unpack(theta), (*kept, np.ones(net.outputs, bool)), strict=True):
        parts += [weights[above][:, below].ravel(), np.empty(0) if bias is None else bias[above]]
        below = above
    compacted = np.concatenate(parts)
    np.testing.assert_array_equal(theta[mask], compacted)
    assert small.size == compacted.size
    zeroed = apply_mask(theta, mask)
    assert_close(forward(net, zeroed, x), forward(small, compacted, x))
    assert_close(gradient(net, zeroed, x, y)[1][mask], gradient(small, compacted, x, y)[1])
    masked = run(net, zeroed, x, y, path, mask)
    assert not masked[~mask].any()
    assert_close(masked[mask], run(small, compacted, x, y), 1e-7)


@given(cases(), st.data())
@example(Case(MLP((1, 1)), np.zeros(2), np.ones((1, 1)), np.zeros(1, int)), None)
def test_weights_that_are_skipped_are_zeros(case, data):
    """The fast forward pass, made to skip whatever is zero, and as it chooses to."""
    net, theta, x, _ = case
    pruned = theta if data is None else apply_mask(theta, data.draw(masks(net)))
    wanted = forward(net, pruned, x)
    np.testing.assert_array_equal(fast_forward(net, pruned, x), wanted)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("npnet.fast.inference.skipping_pays", lambda *_: True)
        assert_close(fast_forward(net, pruned, x), wanted)
        many = np.arange(130) % len(x)
        assert_close(fast_forward(net, pruned.astype(np.float32), x[many]), wanted[many].astype(np.float32), 1e-5)
        pixels = np.rint(np.abs(x) * 170).astype(np.uint8)
        assert_close(fast_forward(net, pruned, pixels), forward(net, pruned, pixels / 255))


@given(cases(activations=("relu",), biases=(False,)), st.floats(0.01, 100))
def test_relu_networks_without_biases_scale(case, scale):
    net, theta, x, _ = case
    wanted = scale * forward(net, theta, x)
    assert_close(forward(net, theta, scale * x), wanted)
    weights = theta.copy()
    weights[net.weight_slices[-1]] *= scale
    assert_close(forward(net, weights, x), wanted)


@given(cases(losses=("softmax",), biases=(True,)), st.floats(-50, 50))
def test_softmax_does_not_see_a_shift(case, shift):
    net, theta, x, y = case
    shifted = theta.copy()
    shifted[-net.outputs :] += shift
    np.testing.assert_allclose(losses(net, shifted, x, y), losses(net, theta, x, y), rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(gradient(net, shifted, x, y)[1], gradient(net, theta, x, y)[1], rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(jacobian(net, theta, x, "probability").sum(axis=1), 0, atol=1e-10)


@given(cases(), st.data())
def test_examples_and_dead_inputs_are_not_seen(case, data):
    net, theta, x, y = case
    order = np.array(data.draw(st.permutations(range(len(x)))))
    assert_close(forward(net, theta, x[order]), forward(net, theta, x)[order])
    dead = data.draw(st.integers(0, net.inputs - 1))
    theta = theta.copy()
    net.unpack(theta)[0].weights[:, dead] = 0
    assert not input_gradient(net, theta, x, "loss", y=y)[:, dead].any()
    other = x.copy()
    other[:, dead] = data.draw(numbers(len(x)))
    np.testing.assert_array_equal(forward(net, theta, other), forward(net, theta, x))


@given(networks(min_hidden=1), st.data())
def test_what_is_disconnected_is_found(net, data):
    mask = data.draw(masks(net))
    found = disconnected_units(net, mask)
    for layer, (units_found, (weights, _)) in enumerate(zip(found, net.unpack(mask), strict=False)):
        assert units_found.tolist() == [not any(row) for row in weights]
        assert (units_found.size, units_found.dtype) == (net.widths[layer + 1], bool)
    kept = data.draw(units(net))
    for gone, here in zip(disconnected_units(net, node_mask(net, kept)), kept, strict=True):
        assert not (~here & ~gone).any()
    everything = prune(net, magnitude(net, np.ones(net.size)), 1)
    assert all(layer.all() for layer in disconnected_units(net, everything))
    outputs = np.array([[0.0, 0.0, 1.0, np.nan, -0.0], [0.0, 2.0, 1.0, 0.0, 0.0]])
    assert dead_units(outputs).tolist() == [True, False, False, False, True]
