"""Saliency maps: exact on networks where the answer is known, and the axioms that each one claims."""

import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import SMOOTH, cases

from experiments.low_capacity.saliency import forward_difference, overlap
from npnet.backprop import forward, probabilities
from npnet.derivatives import input_gradient
from npnet.errors import ArgumentError
from npnet.mlp import MLP
from npnet.saliency import integrated_gradients, randomisations, smooth_grad

LINEAR = MLP((3, 2), loss="softmax", bias=False)
CURVED = MLP((3, 4, 2), "tanh", "softmax")
THETA = CURVED.init(np.random.default_rng(0), dtype=np.float64)
X = np.array([[1.0, 0.5, -1], [0.25, 0, 1]])

numbers = st.floats(-3, 3, width=32)
examples = hnp.arrays(np.float64, (2, 3), elements=numbers)
explained = st.sampled_from(["logit", "probability"])


def seeded():
    return np.random.default_rng(0)


def maps(net, theta, x, **which):
    """Every kind of map, by the name of its function."""
    return {
        "gradient": input_gradient(net, theta, x, **which),
        "integrated": integrated_gradients(net, theta, x, **which, steps=3),
        "smooth": smooth_grad(net, theta, x, **which, sigma=0.5, samples=2, rng=seeded()),
    }


@given(examples, examples, st.integers(0, 1))
def test_maps_of_a_linear_network_are_its_weights(weights, x, output):
    for name, found in maps(LINEAR, weights.ravel(), x, of="logit", output=output).items():
        expected = weights[output] * (x if name == "integrated" else 1)
        np.testing.assert_allclose(found, np.broadcast_to(expected, x.shape), rtol=1e-10, atol=1e-10)


@given(cases(activations=SMOOTH, losses=("bce", "softmax")), explained, st.data())
def test_integrated_gradients_add_up_to_the_difference_of_the_outputs(case, of, data):
    net, theta, x, _ = case
    theta, x = theta / 2, x[:2]
    output = data.draw(st.integers(0, net.outputs - 1))
    shape = data.draw(st.sampled_from([(), (net.inputs,), x.shape, (len(x), 1)]))
    baseline = data.draw(hnp.arrays(np.float64, shape, elements=st.floats(-2, 2)))

    def f(inputs):
        logits = forward(net, theta, np.broadcast_to(inputs, x.shape).copy())
        return (logits if of == "logit" else probabilities(net, logits))[:, output]

    found = integrated_gradients(net, theta, x, of, output=output, baseline=baseline, steps=40)
    np.testing.assert_allclose(found.sum(axis=1), f(x) - f(baseline), rtol=1e-2, atol=2e-3)


@given(hnp.arrays(np.float64, (2, 2, 2), elements=numbers))
def test_a_baseline_may_have_the_shape_of_the_images(black):
    net = MLP((4, 2, 1), "tanh")
    theta, images = net.init(seeded(), dtype=np.float64), np.arange(8.0).reshape(2, 2, 2)
    flat = integrated_gradients(net, theta, images, baseline=black.reshape(2, 4), steps=2)
    np.testing.assert_array_equal(integrated_gradients(net, theta, images, baseline=black, steps=2), flat)
    one = integrated_gradients(net, theta, images, baseline=black[0], steps=2)
    np.testing.assert_array_equal(one, integrated_gradients(net, theta, images, baseline=black[0].ravel(), steps=2))
    np.testing.assert_array_equal(one[0], flat[0])


@given(st.floats(-3, 3), st.floats(-3, 3), st.integers(1, 5))
@example(2.0, 0.0, 2)
def test_integrated_gradients_by_the_midpoint_rule(x, baseline, steps):
    midpoints = baseline + (np.arange(steps) + 0.5) / steps * (x - baseline)
    slopes = np.exp(-midpoints) / (1 + np.exp(-midpoints)) ** 2
    found = integrated_gradients(MLP((1, 1), bias=False), [1.0], [[x]], "probability", baseline=baseline, steps=steps)
    assert found[0, 0] == pytest.approx((x - baseline) * slopes.mean(), rel=1e-12, abs=1e-15)


@given(cases(losses=("bce", "softmax")), st.integers(1, 3), st.sampled_from([0.0, 0.3]), explained)
def test_smooth_grad_is_a_mean_over_draws(case, samples, sigma, of):
    net, theta, x, _ = case
    which = {"of": of, "output": net.outputs - 1}
    rng = seeded()
    draws = [input_gradient(net, theta, x + sigma * rng.standard_normal(x.shape), **which) for _ in range(samples)]
    found = smooth_grad(net, theta, x, **which, sigma=sigma, samples=samples, rng=seeded())
    np.testing.assert_allclose(found, np.mean(draws, axis=0), rtol=1e-10, atol=1e-14)


@given(examples)
def test_a_difference_of_half_the_step_has_half_the_error(x):
    exact = input_gradient(CURVED, THETA, x, "probability")
    errors = [forward_difference(CURVED, THETA, x, step=step) - exact for step in (2e-4, 1e-4)]
    np.testing.assert_allclose(errors[0], 2 * errors[1], rtol=1e-2, atol=1e-7)
    assert np.abs(errors[0]).max() < 1e-3


def test_a_difference_by_hand():
    net = MLP((2, 1), loss="bce")
    found = forward_difference(net, [math.log(3), 0.0, 0.0], [[0.0, 7.0]], step=1.0)
    np.testing.assert_allclose(found, [[0.25, 0]], rtol=1e-15, atol=1e-16)


# Checks of a map.


@given(cases(), st.booleans(), st.integers(0, 99))
def test_randomisations_touch_the_right_layers(case, cascading, seed):
    net, theta = case.net, case.theta
    theta.flags.writeable = False
    found = list(randomisations(net, theta, np.random.default_rng(seed), cascading=cascading))
    assert [layer for layer, _ in found] == list(range(net.depth, 0, -1))
    rng = np.random.default_rng(seed)
    expected = theta.copy()
    for layer, redrawn in found:
        if not cascading:
            expected = theta.copy()
        where = net.weight_slices[layer - 1]
        expected[where] = rng.permutation(theta[where])
        # Also after all were made: each is an array of its own.
        np.testing.assert_array_equal(redrawn, expected)


@st.composite
def pairs_of_maps(draw):
    """Two sets of maps, often of equal numbers, and a share."""
    shape = 2, draw(st.integers(1, 3)), draw(st.integers(1, 8))
    dtype = draw(st.sampled_from([np.float64, np.float32, np.int8]))
    return draw(hnp.arrays(dtype, shape, elements=st.integers(-3, 3))), draw(st.floats(2**-6, 1))


@given(pairs_of_maps(), st.sampled_from([1, 2, 8]))
@example((np.array([[[4, -3, 2, 1]], [[-1, 9, 3, 8]]]), 0.5), 1)
@example((np.array([[[7, 0, 0, 0]], [[1, 2, 3, 4]]]), 1.0), 1)
@example((np.array([[[1, 1, 1, 1]], [[2, 2, 0, 0]]], dtype=np.uint8), 0.5), 1)
def test_the_overlap_counts_what_both_choose(case, factor):
    (a, b), share = case
    k = max(1, round(share * a.shape[1]))

    def chosen(row):
        # Sorting is stable: of equal ones the first.
        return {i for i in sorted(range(len(row)), key=lambda i: -abs(int(row[i])))[:k] if row[i] != 0}

    found = overlap(a, b, share)
    assert found.tolist() == [len(chosen(p) & chosen(q)) / k for p, q in zip(a, b, strict=True)]
    np.testing.assert_array_equal(overlap(b * factor, a, share), found)
    bad = a.astype(float)
    bad[0, -1] = np.nan
    for unknown in overlap(bad, b, share), overlap(b, bad, share):
        assert np.isnan(unknown[0])
        np.testing.assert_array_equal(unknown[1:], found[1:])


# Types and what is refused.


@given(hnp.arrays(np.uint8, (2, 3)), st.sampled_from([np.float32, np.float64]), explained)
def test_dtypes_bytes_and_layouts(pixels, dtype, of):
    theta, scaled = THETA.astype(dtype), pixels / 255
    pixels.flags.writeable = scaled.flags.writeable = theta.flags.writeable = False
    exact = maps(CURVED, THETA, scaled, of=of, output=1)
    strided = np.repeat(scaled, 2, axis=1)[:, ::2]
    for x in pixels, scaled, np.asfortranarray(scaled), strided, scaled.reshape(2, 3, 1), scaled.tolist():
        for name, found in maps(CURVED, theta, x, of=of, output=1).items():
            assert found.dtype == dtype
            np.testing.assert_allclose(found, exact[name], atol=1e-5 if dtype == np.float32 else 1e-13)


def integrated(**settings):
    return integrated_gradients(CURVED, THETA, X, **settings)


def smooth(sigma=0.1, samples=1, output=0):
    return smooth_grad(CURVED, THETA, X, sigma=sigma, samples=samples, rng=seeded(), output=output)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integrated(steps=0), "steps: found 0, expected an integer of at least 1"),
        (lambda: integrated(baseline=math.nan), "baseline: found NaN or infinity, expected finite numbers"),
        (lambda: integrated(baseline=[0, 0, math.inf]), "baseline: found NaN or infinity, expected finite numbers"),
        (lambda: integrated(baseline="black"), "baseline: found <U5, expected real numbers"),
        (
            lambda: integrated(baseline=[0, 0]),
            "baseline: found shape (2,), expected (2, 3), (3,) or what broadcasts to (2, 3)",
        ),
        (lambda: smooth(sigma=-0.1), "sigma: found -0.1, expected a finite number of at least 0"),
        (lambda: smooth(samples=0), "samples: found 0, expected an integer of at least 1"),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message
