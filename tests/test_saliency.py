"""Saliency maps: exact on networks where the answer is known, and the axioms that each one claims."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SMOOTH, cases

from npnet.backprop import forward, probabilities
from npnet.derivatives import input_gradient
from npnet.errors import ArgumentError
from npnet.mlp import MLP
from npnet.saliency import (
    forward_difference,
    gradient_times_input,
    integrated_gradients,
    overlap,
    randomisations,
    rank_correlation,
    smooth_grad,
)

LINEAR = MLP((3, 2), loss="softmax", bias=False)
WEIGHTS = np.array([1.0, -2, 3, 0, 5, -6])
X = np.array([[1.0, 0.5, -1], [0.25, 0, 1]])
CURVED = MLP((3, 4, 2), "tanh", "softmax")
THETA = CURVED.init(np.random.default_rng(0), dtype=np.float64)


def maps(net, theta, x, **which):
    """Every kind of map, by the name of its function."""
    return {
        "gradient": input_gradient(net, theta, x, **which),
        "product": gradient_times_input(net, theta, x, **which),
        "integrated": integrated_gradients(net, theta, x, **which, steps=3),
        "smooth": smooth_grad(net, theta, x, **which, sigma=0.5, samples=2, rng=np.random.default_rng(0)),
        "difference": forward_difference(net, theta, x, **which, step=0.1),
    }


@pytest.mark.parametrize("output", [0, 1])
def test_maps_of_a_linear_network_are_its_weights(output):
    row = WEIGHTS.reshape(2, 3)[output]
    found = maps(LINEAR, WEIGHTS, X, of="logit", output=output)
    for name, expected in {
        "gradient": row,
        "smooth": row,
        "difference": row,
        "product": row * X,
        "integrated": row * X,
    }.items():
        np.testing.assert_allclose(found[name], np.broadcast_to(expected, X.shape), rtol=1e-12, atol=1e-12)


def test_an_input_that_is_not_connected_has_no_saliency():
    theta = THETA.copy()
    CURVED.unpack(theta)[0].weights[:, 1] = 0
    for of in ("logit", "probability"):
        for found in maps(CURVED, theta, X, of=of).values():
            assert not found[:, 1].any()
            assert found[:, 0].all()


def test_what_is_explained_by_default():
    for function, of in ((gradient_times_input, "logit"), (integrated_gradients, "logit")):
        assert np.array_equal(function(CURVED, THETA, X), function(CURVED, THETA, X, of, output=0))
    smooth = [
        smooth_grad(CURVED, THETA, X, **which, sigma=0.1, samples=1, rng=np.random.default_rng(0))
        for which in ({}, {"of": "logit", "output": 0})
    ]
    assert np.array_equal(*smooth)
    difference = [
        forward_difference(CURVED, THETA, X, **which, step=0.1) for which in ({}, {"of": "probability", "output": 0})
    ]
    assert np.array_equal(*difference)


def test_integrated_gradients_take_64_steps_from_black():
    default = integrated_gradients(CURVED, THETA, X)
    assert np.array_equal(default, integrated_gradients(CURVED, THETA, X, baseline=0.0, steps=64))


@given(cases(activations=SMOOTH, losses=("bce", "softmax")), st.sampled_from(["logit", "probability"]), st.data())
def test_integrated_gradients_add_up_to_the_difference_of_the_outputs(case, of, data):
    net, theta, x, _ = case
    theta, x = theta / 2, x[:2]
    output = data.draw(st.integers(0, net.outputs - 1))
    baseline = np.random.default_rng(0).standard_normal(data.draw(st.sampled_from([(), (net.inputs,), x.shape])))

    def f(inputs):
        logits = forward(net, theta, np.broadcast_to(inputs, x.shape).copy())
        return (logits if of == "logit" else probabilities(net, logits))[:, output]

    found = integrated_gradients(net, theta, x, of, output=output, baseline=baseline, steps=40)
    np.testing.assert_allclose(found.sum(axis=1), f(x) - f(baseline), rtol=1e-2, atol=2e-3)


def test_integrated_gradients_by_the_midpoint_rule():
    # F = sigmoid'(x/4 + 3x/4) / 2 for two midpoints from 0.
    net = MLP((1, 1), bias=False)

    def slope(z):
        return math.exp(-z) / (1 + math.exp(-z)) ** 2

    found = integrated_gradients(net, [1.0], [[2.0]], "probability", steps=2)
    assert found[0, 0] == pytest.approx(2 * (slope(0.5) + slope(1.5)) / 2, rel=1e-14)
    found = integrated_gradients(net, [1.0], [[2.0]], "probability", baseline=-1, steps=1)
    assert found[0, 0] == pytest.approx(3 * slope(0.5), rel=1e-14)


@given(cases(losses=("bce", "softmax")), st.integers(1, 3), st.sampled_from(["logit", "probability"]))
def test_smooth_grad_without_noise_is_the_gradient(case, samples, of):
    net, theta, x, _ = case
    rng = np.random.default_rng(0)
    found = smooth_grad(net, theta, x, of, sigma=0.0, samples=samples, rng=rng, output=net.outputs - 1)
    np.testing.assert_allclose(found, input_gradient(net, theta, x, of, output=net.outputs - 1), rtol=1e-12)


def test_smooth_grad_is_a_mean_over_draws():
    found = smooth_grad(CURVED, THETA, X, "probability", sigma=0.3, samples=3, rng=np.random.default_rng(5), output=1)
    rng = np.random.default_rng(5)
    draws = [
        input_gradient(CURVED, THETA, X + 0.3 * rng.standard_normal(X.shape), "probability", output=1) for _ in range(3)
    ]
    np.testing.assert_allclose(found, np.mean(draws, axis=0), rtol=1e-12)
    other = smooth_grad(CURVED, THETA, X, "probability", sigma=0.3, samples=3, rng=np.random.default_rng(0), output=1)
    assert not np.array_equal(found, other)


@pytest.mark.parametrize("of", ["logit", "probability"])
def test_a_difference_of_half_the_step_has_half_the_error(of):
    exact = input_gradient(CURVED, THETA, X, of, output=1)
    errors = [forward_difference(CURVED, THETA, X, of, step=step, output=1) - exact for step in (2e-4, 1e-4)]
    np.testing.assert_allclose(errors[0], 2 * errors[1], rtol=1e-2, atol=1e-8)
    assert np.abs(errors[0]).max() > 1e-6


def test_a_difference_by_hand():
    net = MLP((2, 1), loss="bce")
    found = forward_difference(net, [math.log(3), 0.0, 0.0], [[0.0, 7.0]], step=1.0)
    np.testing.assert_allclose(found, [[0.25, 0]], rtol=1e-15, atol=1e-16)
    found = forward_difference(net, [math.log(3), 0.5, 0.0], [[0.0, 7.0]], "logit", step=0.1)
    np.testing.assert_allclose(found, [[math.log(3), 0.5]], rtol=1e-12)


# Checks of a map.


@given(cases(), st.booleans(), st.integers(0, 99))
def test_randomisations_touch_the_right_layers(case, cascading, seed):
    net, theta = case.net, case.theta
    before = theta.copy()
    found = list(randomisations(net, theta, np.random.default_rng(seed), cascading=cascading))
    assert np.array_equal(theta, before)
    assert [layer for layer, _ in found] == list(range(net.depth, 0, -1))
    rng = np.random.default_rng(seed)
    expected = theta.copy()
    for layer, redrawn in found:
        if not cascading:
            expected = theta.copy()
        where = net.weight_slices[layer - 1]
        expected[where] = rng.permutation(theta[where])
        assert np.array_equal(redrawn, expected)
        assert np.array_equal(np.sort(redrawn[where]), np.sort(theta[where]))
        assert np.array_equal(redrawn[~net.prunable], theta[~net.prunable])


def test_randomisations_are_arrays_of_their_own():
    first, second = (theta for _, theta in randomisations(CURVED, THETA, np.random.default_rng(0), cascading=True))
    assert not np.shares_memory(first, second)
    assert not np.array_equal(first, THETA)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ([1, 2, 3], [1, 2, 3], 1),
        ([1, 2, 3], [30, 20, 10], -1),
        ([1, 2, 3, 4], [2, 1, 4, 3], 0.6),
        ([1, 2, 3], [2, 1, 3], 0.5),
        ([1, 2, 2, 4], [1, 2, 3, 4], 4.5 / math.sqrt(4.5 * 5)),  # ranks 1, 2.5, 2.5, 4
        ([0, 0, 0, 1], [0, 0, 1, 1], 2 / math.sqrt(3 * 4)),  # ranks 2, 2, 2, 4 and 1.5, 1.5, 3.5, 3.5
        ([1, 1, 1], [1, 2, 3], math.nan),
        ([1, 2, 3], [5, 5, 5], math.nan),
        ([1, 2, math.nan], [1, 2, 3], math.nan),
        ([1, 2, 3], [math.nan, 1, 2], math.nan),
        ([-1, 0, 1], [1, 0, 1], 0),
    ],
)
def test_rank_correlations_by_hand(a, b, expected):
    assert rank_correlation([a], [b]) == pytest.approx([expected], nan_ok=True, abs=1e-15)


@given(st.lists(st.integers(-9, 9), min_size=2, max_size=8).filter(lambda v: len(set(v)) > 1))
def test_rank_correlation_sees_only_the_order(values):
    a = np.array([values], dtype=float)
    assert rank_correlation(a, np.exp(a) + 3) == pytest.approx([1])
    assert rank_correlation(a, -(a**3)) == pytest.approx([-1])
    assert rank_correlation(a, a[:, ::-1]) == pytest.approx(rank_correlation(a[:, ::-1], a))


def test_rank_correlation_goes_row_by_row():
    found = rank_correlation(np.array([[1, 2, 3], [3, 2, 1]]), np.array([[1, 2, 3], [1, 2, 3]]))
    assert found.tolist() == pytest.approx([1, -1])
    assert found.dtype == np.float64


@pytest.mark.parametrize(
    ("a", "b", "share", "expected"),
    [
        ([4, 3, 2, 1], [4, 3, 2, 1], 0.5, 1),
        ([4, 3, 2, 1], [1, 2, 3, 4], 0.5, 0),
        ([4, -3, 2, 1], [-1, 9, 3, 8], 0.5, 0.5),  # the signs do not count
        ([4, 3, 2, 1], [1, 2, 3, 4], 0.75, 2 / 3),
        ([4, 3, 2, 1], [1, 2, 3, 4], 1, 1),
        ([4, 3, 2, 1], [4, 1, 1, 1], 0.01, 1),  # at least one
        ([1, 1, 1, 1], [2, 2, 0, 0], 0.5, 1),  # of equal ones the first
        ([0, 0, 0, 0], [0, 0, 0, 0], 0.5, 0),
        ([7, 0, 0, 0], [7, 0, 0, 0], 0.5, 0.5),  # zeros are never chosen
        ([7, 0, 0, 0], [1, 2, 3, 4], 1, 0.25),
    ],
)
def test_overlaps_by_hand(a, b, share, expected):
    assert overlap([a, a], [b, a], share)[0] == pytest.approx(expected)


def test_the_overlap_with_an_unknown_map_is_unknown():
    nan = float("nan")
    assert np.isnan(overlap([[1, 2], [1, nan], [1, 2]], [[nan, 2], [1, 2], [1, 2]], 0.5)).tolist() == [
        True,
        True,
        False,
    ]


def test_the_overlap_is_of_a_twentieth_by_default():
    a, b = np.arange(1, 41)[None], np.arange(1, 41)[None].copy()
    b[0, 38] = 1
    b[0, 0] = 99
    assert overlap(a, b).tolist() == [0.5]
    assert overlap(np.vstack([a, a]), np.vstack([a, -a])).tolist() == [1, 1]


# Types and what is refused.


def test_dtypes_bytes_and_purity():
    pixels = np.array([[0, 255, 51], [7, 8, 9]], np.uint8)
    for dtype in (np.float32, np.float64):
        theta, x = THETA.astype(dtype), X.copy()
        exact = maps(CURVED, THETA, X, of="probability")
        for name, found in maps(CURVED, theta, x, of="probability").items():
            assert found.dtype == dtype
            np.testing.assert_allclose(found, exact[name], atol=1e-5)
        assert np.array_equal(x, X)
        assert np.array_equal(theta, THETA.astype(dtype))
        wanted = maps(CURVED, theta, pixels / 255, of="logit", output=1)
        for name, found in maps(CURVED, theta, pixels, of="logit", output=1).items():
            np.testing.assert_allclose(found, wanted[name], rtol=1e-5, atol=1e-5)


def test_layouts_make_no_difference():
    wanted = maps(CURVED, THETA, X, of="logit")
    strided = np.repeat(X, 2, axis=1)[:, ::2]
    for x in (np.asfortranarray(X), strided, X.reshape(2, 3, 1), X.tolist()):
        for name, found in maps(CURVED, THETA, x, of="logit").items():
            assert np.array_equal(found, wanted[name])


def smooth(sigma, samples):
    return smooth_grad(CURVED, THETA, X, sigma=sigma, samples=samples, rng=np.random.default_rng(0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: integrated_gradients(CURVED, THETA, X, steps=0), "steps: found 0, expected at least 1"),
        (lambda: smooth(-0.1, 1), "sigma: found -0.1, expected a finite number of at least 0"),
        (lambda: smooth(math.nan, 1), "sigma: found nan, expected a finite number of at least 0"),
        (lambda: smooth(math.inf, 1), "sigma: found inf, expected a finite number of at least 0"),
        (lambda: smooth(0.1, 0), "samples: found 0, expected at least 1"),
        (
            lambda: rank_correlation([[1, 2]], [[1, 2, 3]]),
            "maps: found shapes (1, 2) and (1, 3), expected two equal ones (n, inputs)",
        ),
        (
            lambda: rank_correlation([1, 2], [1, 2]),
            "maps: found shapes (2,) and (2,), expected two equal ones (n, inputs)",
        ),
        (lambda: overlap([1, 2], [1, 2]), "maps: found shapes (2,) and (2,), expected two equal ones (n, inputs)"),
        (lambda: overlap([[1]], [[1]], 0), "share: found 0, expected more than 0 and at most 1"),
        (lambda: overlap([[1]], [[1]], 1.01), "share: found 1.01, expected more than 0 and at most 1"),
        (
            lambda: gradient_times_input(CURVED, THETA, X, "loss"),
            "y: missing, but labels belong to of='loss' and to it alone",
        ),
        (
            lambda: forward_difference(CURVED, THETA, X, "loss", step=0.1),
            "of: found 'loss', expected 'logit' or 'probability'",
        ),
        (lambda: forward_difference(CURVED, THETA, X, step=0.1, output=-1), "output: found -1, expected 0 to 1"),
        (lambda: forward_difference(CURVED, THETA, X, step=0.1, output=2), "output: found 2, expected 0 to 1"),
        (lambda: forward_difference(CURVED, THETA, X, step=0), "step: found 0, expected a finite number that is not 0"),
        (
            lambda: forward_difference(CURVED, THETA, X, step=math.nan),
            "step: found nan, expected a finite number that is not 0",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message
