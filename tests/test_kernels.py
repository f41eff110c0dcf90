"""The kernels by themselves: products against NumPy's, the rest against numbers worked out by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINKS, F

from npnet.errors import ArgumentError
from npnet.fast.kernels.pruned import gather_transposed
from npnet.fast.kernels.step import sgd_step
from npnet.kernels.activations import ACTIVATIONS, activate, multiply_by_slope, pieces
from npnet.kernels.losses import LOSSES, loss_and_delta
from npnet.kernels.matmul import abt, abt_loops, abt_pairs, add_atb, add_atb_loops, add_atb_pairs
from npnet.kernels.passes import add_gradient, backward_pass, block, forward_pass, gather, weights_and_bias
from npnet.mlp import MLP

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64, np.complex128])
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])
SIZES = st.integers(0, 9)


def integers(rng, shape, dtype):
    """Small whole numbers, whose sums are exact in any order."""
    numbers = rng.integers(-4, 5, shape).astype(dtype)
    return numbers + 1j * rng.integers(-4, 5, shape) if dtype == np.complex128 else numbers


@DTYPES
@given(n=SIZES, m=SIZES, d=SIZES, first=SIZES, seed=st.integers(0, 99))
def test_every_step_of_the_forward_product(dtype, n, m, d, first, seed):
    rng = np.random.default_rng(seed)
    a, b = integers(rng, (n, d), dtype), integers(rng, (m, d), dtype)
    for step in (abt_loops, abt):
        out = np.full((n, m), 77, dtype)
        step(a, b, out)
        np.testing.assert_array_equal(out, a @ b.T)
    out, first = np.full((n, m), 77, dtype), min(first, m)
    abt_pairs(a, b, out, first)
    np.testing.assert_array_equal(out[:, first:], (a @ b.T)[:, first:])
    assert np.all(out[:, :first] == 77)


@DTYPES
@pytest.mark.parametrize("transposed", [False, True])
@given(n=SIZES, m=SIZES, d=SIZES, first=SIZES, seed=st.integers(0, 99))
def test_every_step_of_the_other_product_adds(dtype, transposed, n, m, d, first, seed):
    rng = np.random.default_rng(seed)
    a = integers(rng, (m, n), dtype).T if transposed else integers(rng, (n, m), dtype)
    b, before = integers(rng, (n, d), dtype), integers(rng, (m, d), dtype)
    for step in (add_atb_loops, add_atb):
        out = before.copy()
        step(a, b, out)
        np.testing.assert_array_equal(out, before + a.T @ b)
    out, first = before.copy(), min(first, m)
    add_atb_pairs(a, b, out, first)
    np.testing.assert_array_equal(out[first:], (before + a.T @ b)[first:])
    np.testing.assert_array_equal(out[:first], before[:first])


def apply(activation, z):
    out = np.array(z, dtype=np.float64).reshape(1, -1)
    activate(ACTIVATIONS.index(activation), out)
    return out[0]


def slopes(activation, a):
    delta = np.full((1, len(a)), 3.0)
    multiply_by_slope(ACTIVATIONS.index(activation), np.array(a, dtype=np.float64).reshape(1, -1), delta)
    return delta[0] / 3


@pytest.mark.parametrize(
    ("activation", "z", "a", "slope"),
    [
        ("relu", [-2, -1e-9, 0, 1e-9, 2], [0, 0, 0, 1e-9, 2], [0, 0, 0, 1, 1]),
        ("relu6", [-2, 0, 0.1, 5.9, 6, 7], [0, 0, 0.1, 5.9, 6, 6], [0, 0, 1, 1, 0, 0]),
        ("hard_tanh", [-2, -1, -0.9, 0, 0.9, 1, 2], [-1, -1, -0.9, 0, 0.9, 1, 1], [0, 0, 1, 1, 1, 0, 0]),
        (
            "hard_sigmoid",
            [-4, -3, -1.5, 0, 1.5, 3, 4],
            [0, 0, 0.25, 0.5, 0.75, 1, 1],
            np.array([0, 0, 1, 1, 1, 0, 0]) / 6,
        ),
        ("identity", [-2, 0, 2], [-2, 0, 2], [1, 1, 1]),
        ("tanh", [0, math.log(2), -math.log(3)], [0, 0.6, -0.8], [1, 0.64, 0.36]),
        ("sigmoid", [0, math.log(3), -math.log(4)], [0.5, 0.75, 0.2], [0.25, 0.1875, 0.16]),
    ],
)
def test_activations_and_slopes_by_hand(activation, z, a, slope):
    np.testing.assert_allclose(apply(activation, z), a, rtol=1e-15, atol=1e-16)
    np.testing.assert_allclose(slopes(activation, a), slope, rtol=1e-15)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@given(z=st.lists(st.floats(-20, 20), min_size=1, max_size=9))
def test_activations_are_their_definitions(activation, z):
    np.testing.assert_allclose(apply(activation, z), F[activation](np.array(z)), rtol=1e-13, atol=1e-15)


def test_the_sigmoid_of_large_numbers_keeps_its_digits():
    np.testing.assert_allclose(apply("sigmoid", [-1000, -700, -40, 40, 1000]), [0, math.exp(-700), math.exp(-40), 1, 1])


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_nan_passes_an_activation_and_its_slope(activation):
    assert np.isnan(apply(activation, [1, math.nan])).tolist() == [False, True]
    assert np.isnan(slopes("tanh", [0.5, math.nan])).tolist() == [False, True]
    delta = np.array([[math.nan]])
    multiply_by_slope(ACTIVATIONS.index(activation), np.array([[0.5]]), delta)
    assert np.isnan(delta).all()


@pytest.mark.parametrize(
    ("activation", "a", "numbers"),
    [
        ("relu", [0, 1e-9, 3], [0, 1, 1]),
        ("relu6", [0, 1e-9, 5.9, 6], [0, 1, 1, 2]),
        ("hard_tanh", [-1, -0.9, 0.9, 1], [0, 1, 1, 2]),
        ("hard_sigmoid", [0, 1e-9, 0.9, 1], [0, 1, 1, 2]),
        ("identity", [-1, 0, 1], [0, 0, 0]),
    ],
)
def test_pieces_count_from_the_left_and_flat_ones_own_their_kinks(activation, a, numbers):
    codes = pieces(activation, np.array([a]))
    assert codes.dtype == np.int8
    assert codes.tolist() == [numbers]


def test_nan_is_on_no_piece():
    with pytest.raises(ArgumentError, match=r"^a: found 1 NaN of 2, expected none to tell a piece"):
        pieces("relu", np.array([[1.0, math.nan]]))


def test_the_slope_of_relu_at_infinity_is_one():
    assert slopes("relu", [math.inf, 0]).tolist() == [1, 0]


@pytest.mark.parametrize("activation", ["tanh", "sigmoid"])
def test_smooth_activations_have_no_pieces(activation):
    with pytest.raises(
        ArgumentError, match=f"^activation: found '{activation}', expected a piecewise linear one: relu, "
    ):
        pieces(activation, np.zeros((1, 1)))


def loss(name, z, t, dtype=np.float64, weight=1.0):
    z, t = np.array([z], dtype), np.array([t], dtype)
    losses, delta = np.empty(1, dtype), np.empty_like(z)
    loss_and_delta(LOSSES.index(name), z, t, np.arange(1), weight, losses, delta)
    return losses[0], delta[0]


TINY = math.exp(-40)


@FLOATS
@pytest.mark.parametrize(
    ("name", "z", "t", "value", "delta"),
    [
        ("bce", [1000], [0], 1000, [1]),
        ("bce", [1000], [1], 0, [0]),
        ("bce", [-1000], [1], 1000, [-1]),
        ("bce", [-1000], [0], 0, [0]),
        ("bce", [40], [1], TINY, [-TINY]),
        ("bce", [-40], [0], TINY, [TINY]),
        ("bce", [0], [0], math.log(2), [0.5]),
        ("bce", [0], [1], math.log(2), [-0.5]),
        ("bce", [math.log(3)], [0.25], math.log(4) - 0.25 * math.log(3), [0.5]),
        ("bce", [-math.log(3)], [0.75], math.log(4) - 0.25 * math.log(3), [-0.5]),
        ("bce", [0, 1000, -2000], [1, 0, 1], math.log(2) + 3000, [-0.5, 1, -1]),
        ("softmax", [1000, 0, -1000], [1, 0, 0], 0, [0, 0, 0]),
        ("softmax", [1000, 0, -1000], [0, 1, 0], 1000, [1, -1, 0]),
        ("softmax", [1000, 0, -1000], [0, 0, 1], 2000, [1, 0, -1]),
        ("softmax", [-1000, 1000], [1, 0], 2000, [-1, 1]),
        ("softmax", [0, 40], [0, 1], TINY, [TINY, -TINY]),
        ("softmax", [0, math.log(3)], [0, 1], math.log(4 / 3), [0.25, -0.25]),
        ("softmax", [5, 5, 5, 5], [0, 0, 1, 0], math.log(4), [0.25, 0.25, -0.75, 0.25]),
        ("softmax", [math.log(2), math.log(5), 0], [1, 0.5, 0.5], math.log(32 / math.sqrt(5)), [-0.5, 0.75, -0.25]),
        ("squared", [1, -2], [0.5, 1], 4.625, [0.5, -3]),
        ("squared", [0], [3], 4.5, [-3]),
        ("squared", [1000], [-1000], 2e6, [2000]),
    ],
)  # fmt: skip
def test_losses_and_their_derivatives_by_hand(dtype, name, z, t, value, delta):
    digits = 4 * np.finfo(dtype).eps
    found, slope = loss(name, z, t, dtype)
    np.testing.assert_allclose(found, value, rtol=digits)
    np.testing.assert_allclose(slope, delta, rtol=digits, atol=np.finfo(dtype).eps * TINY)
    np.testing.assert_allclose(loss(name, z, t, dtype, weight=0.25)[1], 0.25 * slope, rtol=digits)
    assert loss(name, z, t, dtype, weight=0.25)[0] == found


@given(st.lists(st.floats(-30, 30), min_size=2, max_size=5), st.floats(-100, 100), st.integers(0, 99))
def test_softmax_does_not_see_a_shift(z, shift, seed):
    t = np.random.default_rng(seed).random(len(z))
    value, delta = loss("softmax", z, t)
    shifted, shifted_delta = loss("softmax", np.array(z) + shift, t)
    assert shifted == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(shifted_delta, delta, atol=1e-12)
    assert delta.sum() == pytest.approx(0, abs=1e-14 * len(z))


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_written_to_the_rows_of_their_examples(name):
    z, t = np.array([[1.0, 2.0], [3.0, -1.0]]), np.array([[1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    losses, delta = np.full(3, -7.0), np.empty_like(z)
    loss_and_delta(LOSSES.index(name), z, t, np.array([2, 0]), 1.0, losses, delta)
    first, second = loss(name, z[0], t[2]), loss(name, z[1], t[0])
    assert losses.tolist() == [second[0], -7, first[0]]
    assert delta.tolist() == [first[1].tolist(), second[1].tolist()]


def test_blocks_and_layers_are_cut_in_order():
    widths, theta = np.array([3, 2, 1]), np.arange(11.0)
    trace = np.arange(12.0)
    assert block(trace, widths, 0, 2).tolist() == [[0, 1, 2], [3, 4, 5]]
    assert block(trace, widths, 1, 2).tolist() == [[6, 7], [8, 9]]
    assert block(trace, widths, 2, 2).tolist() == [[10], [11]]
    for layer, (weights, bias) in enumerate(MLP((3, 2, 1)).unpack(theta), start=1):
        w, b = weights_and_bias(theta, widths, True, layer)
        assert np.array_equal(w, weights)
        assert np.array_equal(b, bias)
        w[0, 0], b[0] = -1, -2
        assert (weights[0, 0], bias[0]) == (-1, -2)
    w, b = weights_and_bias(np.arange(8.0), widths, False, 2)
    assert w.tolist() == [[6, 7]]
    assert b.size == 0


def test_gather_copies_rows_and_scales_bytes():
    out = np.empty((3, 2))
    gather(np.array([[0, 255], [51, 102]], np.uint8), np.array([1, 0, 1]), out)
    np.testing.assert_allclose(out, [[0.2, 0.4], [0, 1], [0.2, 0.4]], rtol=1e-15)
    gather(np.array([[0.0, 255.0], [51.0, -102.5]]), np.array([1, 0, 1]), out)
    assert out.tolist() == [[51, -102.5], [0, 255], [51, -102.5]]


def test_columns_are_gathered_transposed():
    x, out = np.empty((2, 3)), np.empty((2, 2))
    gather_transposed(np.array([[0, 255, 51], [102, 153, 204]], np.uint8), np.array([1, 0]), np.array([0, 2]), x, out)
    np.testing.assert_allclose(out, [[0.4, 0], [0.8, 0.2]], rtol=1e-15)


def test_the_passes_by_hand():
    # Two inputs, two relu units of which the second is off, one logit; theta = W1, b1, W2, b2.
    widths, theta = np.array([2, 2, 1]), np.array([1, 2, -3, 1, 0.5, -0.5, 4, 5, -1])
    trace, deltas = np.array([3.0, -1, 0, 0, 0]), np.array([9.0, 9, 9, 9, 10])
    forward_pass(theta, widths, True, 0, trace, 1)
    assert trace.tolist() == [3, -1, 1.5, 0, 5]
    tail = np.array([2.0, -6, 0])  # Without inputs, the products of the first layer are given.
    forward_pass(theta[4:], np.array([0, 2, 1]), True, 0, tail, 1)
    assert tail.tolist() == [2.5, 0, 9]
    backward_pass(theta, widths, True, 0, trace, deltas, 1, 1)
    assert deltas.tolist() == [9, 9, 40, 0, 10]
    backward_pass(theta, widths, True, 0, trace, deltas, 1, 0)
    assert deltas.tolist() == [40, 80, 40, 0, 10]
    gradient = np.ones(9)
    add_gradient(widths, True, trace, deltas, 1, gradient)
    assert gradient.tolist() == [121, -39, 1, 1, 41, 1, 16, 1, 11]


def test_the_slope_at_a_kink_is_that_of_the_flat_side():
    for activation, kinks in KINKS.items():
        for kink in kinks:
            assert slopes(activation, apply(activation, [kink])) == [0]
            z = np.array([[kink + 1e-30j]])
            activate(ACTIVATIONS.index(activation), z)
            assert z.imag == 0


def test_a_step_by_hand():
    start = np.array([1.0, 2, 0, -4])
    theta, velocity = start.copy(), np.array([0.5, 0, 8, 1])
    mask, gradient = np.array([True, True, False, True]), np.array([1.0, -1, 100, 0])
    sgd_step(theta, velocity, mask, gradient, 0.25, 0.5, 0.125)
    assert velocity.tolist() == [0.25 + 1 + 0.125, -1 + 0.25, 8, 0.5 - 0.5]
    assert theta.tolist() == [1 - 0.25 * 1.375, 2 + 0.25 * 0.75, 0, -4]
    theta, velocity = start.copy(), np.full(4, np.nan)
    sgd_step(theta, velocity, mask, gradient, 0.25, 0.0, 0.125)
    assert theta.tolist() == [1 - 0.25 * 1.125, 2 + 0.25 * 0.75, 0, -3.875]
