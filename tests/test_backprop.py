"""Forward, losses and gradients: against definitions, differences and the symmetries that they must have."""

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from strategies import KINKS, assume_measurable, cases, mean_loss, pre_activations, targets_of

from npnet.backprop import (
    activations,
    as_examples,
    as_targets,
    check_theta,
    forward,
    gradient,
    losses,
    losses_and_deltas,
    passes,
    probabilities,
)
from npnet.errors import ArgumentError, DataError
from npnet.gradcheck import check_gradient, one_sided_slopes
from npnet.kernels.activations import ACTIVATIONS
from npnet.kernels.losses import LOSSES
from npnet.kernels.passes import CHUNK, backward_pass
from npnet.mlp import MLP

NET = MLP((2, 3, 1), "tanh")
THETA = NET.init(np.random.default_rng(0), dtype=np.float64)
X = np.array([[0.5, -1.0], [2.0, 0.25]])
Y = np.array([0, 1])


# Forward.


@given(cases())
def test_forward_is_numpys(case):
    net, theta, x, _ = case
    np.testing.assert_allclose(forward(net, theta, x), pre_activations(net, theta, x)[-1], rtol=1e-9, atol=1e-12)


def test_a_network_by_hand():
    net, theta = MLP((2, 2, 1)), np.array([1, 2, -3, 1, 0.5, -0.5, 4, 5, -1])
    hidden, logits = activations(net, theta, [[1.0, 2.0], [0.0, 2.0]])
    assert hidden.tolist() == [[5.5, 0], [4.5, 1.5]]
    assert logits.tolist() == [[21], [24.5]]
    assert gradient(MLP((2, 2, 1), loss="squared"), theta, [[1.0, 2.0]], [11])[1].tolist() == [
        *(40, 80, 0, 0, 40, 0),
        *(55, 0, 10),
    ]


@given(cases(), st.integers(0, 99))
def test_examples_do_not_see_each_other(case, seed):
    net, theta, x, y = case
    order = np.random.default_rng(seed).permutation(len(x))
    np.testing.assert_allclose(forward(net, theta, x)[order], forward(net, theta, x[order]), rtol=1e-9, atol=1e-12)
    alone = np.concatenate([losses(net, theta, x[i : i + 1], y[i : i + 1]) for i in range(len(x))])
    np.testing.assert_allclose(losses(net, theta, x, y), alone, rtol=1e-9, atol=1e-12)


def test_more_examples_than_a_chunk():
    net, rng = MLP((1, 2), "relu", "softmax"), np.random.default_rng(1)
    x, y, theta = rng.standard_normal((2 * CHUNK + 2, 1)), rng.integers(0, 2, 2 * CHUNK + 2), rng.standard_normal(4)
    np.testing.assert_allclose(forward(net, theta, x), pre_activations(net, theta, x)[0], rtol=1e-12)
    assert [rows.tolist() for rows, _ in passes(net, theta, x)] == [
        list(range(CHUNK)),
        list(range(CHUNK, 2 * CHUNK)),
        [2 * CHUNK, 2 * CHUNK + 1],
    ]
    value, slope = gradient(net, theta, x, y)
    assert value == pytest.approx(losses(net, theta, x, y).mean(), rel=1e-12)
    check_gradient(lambda t: losses(net, t, x, y).mean(), slope, theta)


@given(cases(activations=("relu",), biases=(False,)), st.floats(0.01, 100))
def test_relu_networks_without_biases_scale(case, scale):
    net, theta, x, _ = case
    np.testing.assert_allclose(forward(net, theta, scale * x), scale * forward(net, theta, x), rtol=1e-9, atol=1e-12)
    weights = theta.copy()
    weights[net.weight_slices[0]] *= scale
    np.testing.assert_allclose(forward(net, weights, x), scale * forward(net, theta, x), rtol=1e-9, atol=1e-12)


# Losses and probabilities.


@given(cases())
def test_losses_are_their_definitions(case):
    net, theta, x, y = case
    assert losses(net, theta, x, y).mean() == pytest.approx(mean_loss(net, forward(net, theta, x), y), rel=1e-7)


@given(cases())
def test_deltas_are_derivatives_of_the_losses_by_the_logits(case):
    net, theta, x, y = case
    logits = forward(net, theta, x)
    targets = as_targets(net, y, len(x), logits.dtype)
    each, delta = losses_and_deltas(net, logits, targets)
    assert np.array_equal(each, losses(*case))
    check_gradient(lambda z: losses_and_deltas(net, z, targets)[0].sum(), delta, logits, method="complex")


@given(cases(losses=("bce", "softmax")))
def test_probabilities_are_the_models(case):
    net, theta, x, _ = case
    z = forward(net, theta, x)
    p = probabilities(net, z)
    wanted = 1 / (1 + np.exp(-z)) if net.loss == "bce" else np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(p, wanted, rtol=1e-12)
    with np.errstate(all="raise"):
        each = losses(net, theta, x, np.eye(net.outputs)[np.zeros(len(x), int)])
    expected = -np.log(p[:, 0]) - (np.log(probabilities(net, -z)[:, 1:]).sum(axis=1) if net.loss == "bce" else 0)
    np.testing.assert_allclose(each, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_of_large_logits(dtype):
    z, tiny = np.array([[1000], [-1000], [-40], [40], [0]], dtype), dtype(math.exp(-40))
    p = probabilities(MLP((1, 1)), z)
    np.testing.assert_allclose(p, [[1], [0], [tiny], [1], [0.5]], rtol=2 * np.finfo(dtype).eps)
    q = probabilities(MLP((1, 3), loss="softmax"), np.array([[1000, -1000, 960], [-40, 0, -2000]], dtype))
    np.testing.assert_allclose(q, [[1, 0, tiny], [tiny, 1, 0]], rtol=2 * np.finfo(dtype).eps)
    assert (p.dtype, q.dtype) == (dtype, dtype)


def test_the_squared_loss_has_no_probabilities():
    with pytest.raises(ArgumentError, match=r"^net: found the squared loss, expected bce or softmax, whose logits "):
        probabilities(MLP((1, 1), loss="squared"), np.zeros((1, 1)))


@given(cases(losses=("softmax",), biases=(True,)), st.floats(-50, 50))
def test_softmax_does_not_see_a_shift(case, shift):
    net, theta, x, y = case
    shifted = theta.copy()
    shifted[-net.outputs :] += shift
    np.testing.assert_allclose(losses(net, shifted, x, y), losses(net, theta, x, y), atol=1e-11)
    np.testing.assert_allclose(gradient(net, shifted, x, y)[1], gradient(net, theta, x, y)[1], atol=1e-11)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_large_logits_have_finite_losses_and_gradients(dtype):
    theta = np.array([1000, 0], dtype)
    for label, value, slopes in ((0, 1000, [1, 1]), (1, 0, [0, 0])):
        found, slope = gradient(MLP((1, 1)), theta, [[1.0]], [label])
        assert (found, slope.tolist()) == (value, slopes)
    theta = np.array([1000, -1000, 0, 0], dtype)
    for label, value, slopes in ((0, 0, [0, 0, 0, 0]), (1, 2000, [1, -1, 1, -1])):
        found, slope = gradient(MLP((1, 2), loss="softmax"), theta, [[1.0]], [label])
        assert (found, slope.tolist()) == (value, slopes)


# Gradients.


def mean(case):
    return lambda theta: losses(case.net, theta, case.x, case.y).mean()


@given(cases())
def test_gradient_by_central_differences(case):
    value, slope = gradient(*case)
    assert value == pytest.approx(mean(case)(case.theta), rel=1e-12, abs=1e-12)
    assume_measurable(mean(case), slope, case.theta)
    rng = np.random.default_rng(0)
    check_gradient(mean(case), slope, case.theta, directions=4, rng=rng, name=case.net.parameter_name)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bias", [True, False])
def test_each_entry_of_the_gradient_by_the_complex_step(loss, activation, bias):
    net, rng = MLP((2, 3, 2, 2), activation, loss, bias), np.random.default_rng(5)
    theta, x, y = rng.standard_normal(net.size), rng.standard_normal((3, 2)), np.array([0, 1, 1])
    slope = gradient(net, theta, x, y)[1]
    check_gradient(lambda t: losses(net, t, x, y).mean(), slope, theta, method="complex", name=net.parameter_name)


@given(cases())
def test_gradient_by_the_complex_step(case):
    rng = np.random.default_rng(0)
    slope = gradient(*case)[1]
    check_gradient(mean(case), slope, case.theta, method="complex", directions=3, rng=rng, step=1e-10)


def test_complex_examples_give_complex_logits():
    net, theta = MLP((2, 1)), np.array([2.0, 3.0, 5.0])
    for dtype in (np.float32, np.float64, np.complex128):
        logits = forward(net, theta.astype(dtype), [[1 + 7j, 1 - 3j]])
        assert (logits.dtype, logits.tolist()) == (np.complex128, [[10 + 5j]])


@pytest.mark.parametrize(("activation", "kink"), [(name, kink) for name in KINKS for kink in KINKS[name]])
def test_at_a_kink_the_gradient_is_the_slope_of_the_flat_side(activation, kink):
    net = MLP((1, 1, 1), activation, "squared")
    theta = np.array([1.0, kink - 2.0, 3.0, 0.5])
    slope = gradient(net, theta, [[2.0]], [7])[1]
    for index in (0, 1):
        left, right = one_sided_slopes(lambda t: losses(net, t, [[2.0]], [7])[0], theta, np.eye(4)[index])
        flat, steep = (left, right) if kink == min(KINKS[activation]) else (right, left)
        assert slope[index] == flat == 0
        assert abs(steep) > 1


@given(cases(), st.data())
def test_batches_add_up(case, data):
    net, theta, x, y = case
    cut = data.draw(st.integers(0, len(x)))
    parts = [
        (len(x[half]), *gradient(net, theta, x[half], y[half]))
        for half in (slice(cut), slice(cut, None))
        if x[half].size
    ]
    value, slope = gradient(*case)
    assert value == pytest.approx(sum(n * v for n, v, _ in parts) / len(x), rel=1e-9)
    np.testing.assert_allclose(slope, sum(n * g for n, _, g in parts) / len(x), rtol=1e-9, atol=1e-12)


@given(cases())
def test_an_example_given_twice_has_weight_two(case):
    net, theta, x, y = case
    single = [gradient(net, theta, x[i], y[i])[1] for i in ([0], [-1])]
    first, last = [0], [-1]
    found = gradient(net, theta, x[first + first + last], y[first + first + last])[1]
    np.testing.assert_allclose(found, (2 * single[0] + single[1]) / 3, rtol=1e-9, atol=1e-12)


@given(cases(min_hidden=1), st.integers(0, 99))
def test_permuting_hidden_units_permutes_the_gradient(case, seed):
    net, theta, x, y = case
    order = permutation(net, np.random.default_rng(seed))
    np.testing.assert_allclose(forward(net, theta[order], x), forward(net, theta, x), rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradient(net, theta[order], x, y)[1], gradient(*case)[1][order], rtol=1e-9, atol=1e-12)


def permutation(net, rng):
    """Order of `theta` after a shuffle of the units in each hidden layer."""
    layers, units = net.unpack(np.arange(net.size)), np.arange(net.inputs)
    parts = []
    for layer, (weights, bias) in enumerate(layers, start=1):
        below, units = units, rng.permutation(len(weights)) if layer < net.depth else np.arange(len(weights))
        parts.append(weights[units][:, below].ravel())
        parts.append(units[:0] if bias is None else bias[units])
    return np.concatenate(parts)


@given(cases(min_hidden=1), st.data())
def test_a_masked_unit_is_a_zeroed_one_is_one_that_is_not_there(case, data):
    net, theta, x, y = case
    layer = int(np.argmax(net.widths[1:-1])) + 1
    assume(net.widths[layer] > 1)
    unit = data.draw(st.integers(0, net.widths[layer] - 1))
    zeroed, gone = theta.copy(), np.zeros(net.size, bool)
    net.unpack(gone)[layer - 1].weights[unit] = True
    net.unpack(gone)[layer].weights[:, unit] = True
    if net.bias:
        net.unpack(gone)[layer - 1].bias[unit] = True
    zeroed[gone] = 0
    small = MLP(
        (*net.widths[:layer], net.widths[layer] - 1, *net.widths[layer + 1 :]), net.activation, net.loss, net.bias
    )
    np.testing.assert_allclose(forward(net, zeroed, x), forward(small, theta[~gone], x), rtol=1e-9, atol=1e-12)
    kept = gradient(net, zeroed, x, y)[1][~gone]
    np.testing.assert_allclose(kept, gradient(small, theta[~gone], x, y)[1], rtol=1e-9, atol=1e-12)


# Types and layouts.


@pytest.mark.parametrize("loss", LOSSES)
def test_float32_in_float32_out(loss):
    net = MLP((2, 3, 2), "tanh", loss)
    theta = net.init(np.random.default_rng(0))
    value, slope = gradient(net, theta, X, Y)
    found = (forward(net, theta, X), losses(net, theta, X, Y), value, slope, *activations(net, theta, X))
    assert {array.dtype for array in found} == {np.dtype(np.float32)}
    exact = gradient(net, theta.astype(np.float64), X, Y)
    np.testing.assert_allclose(slope, exact[1], rtol=1e-5, atol=1e-6)
    assert value == pytest.approx(exact[0], rel=1e-5)
    assert exact[1].dtype == np.float64


def test_layouts_and_nested_lists_make_no_difference_and_nothing_is_mutated():
    theta, y = THETA.copy(), Y.copy()
    wanted, (value, slope) = forward(NET, THETA, X), gradient(NET, THETA, X, Y)
    strided, stridden_theta = np.zeros((4, 6)), np.zeros(2 * NET.size)
    strided[::2, ::-3], stridden_theta[::2] = X, THETA
    read_only = [THETA.copy(), X.copy(), Y.copy()]
    for array in read_only:
        array.flags.writeable = False
    arguments = [
        (THETA, np.asfortranarray(X), Y),
        (stridden_theta[::2], strided[::2, ::-3], np.repeat(Y, 2)[::2]),
        (THETA.tolist(), X.tolist(), Y.tolist()),
        (THETA, X.reshape(2, 1, 2), Y[:, None]),
        read_only,
    ]
    for theta_like, x_like, y_like in arguments:
        assert np.array_equal(forward(NET, theta_like, x_like), wanted)
        found = gradient(NET, theta_like, x_like, y_like)
        assert found[0] == value
        assert np.array_equal(found[1], slope)
    assert np.array_equal(theta, THETA)
    assert np.array_equal(y, Y)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_bytes_are_pixels(dtype):
    pixels = np.array([[0, 255], [51, 128]], np.uint8)
    theta, digits = THETA.astype(dtype), 8 * np.finfo(dtype).eps
    np.testing.assert_allclose(forward(NET, theta, pixels), forward(NET, theta, pixels / 255), rtol=digits)
    for found, wanted in zip(gradient(NET, theta, pixels, Y), gradient(NET, theta, pixels / 255, Y), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=10 * digits, atol=digits)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nan_and_infinite_parameters_are_shown(activation, bad):
    net = MLP((2, 2, 1), activation)
    theta = np.full(net.size, 0.25)
    theta[0] = math.nan
    with np.errstate(all="ignore"):
        assert np.isnan(forward(net, theta, X)).all()
        assert np.isnan(losses(net, theta, X, Y)).all()
        value, slope = gradient(net, theta, X, Y)
        assert np.isnan(value)
        assert np.isnan(slope[net.weight_slices[-1]]).any()
        theta = np.full(net.size, 0.25)
        theta[-1] = bad
        assert not np.isfinite(forward(net, theta, X)).any()
        assert not np.isfinite(losses(net, theta, X, [0, 0])).any()
        assert not np.isfinite(gradient(net, theta, X, [0, 0])[0])


# What is refused.


@pytest.mark.parametrize("theta", [np.zeros(12), np.zeros((13, 1)), 0.0])
def test_theta_of_another_shape(theta):
    with pytest.raises(ArgumentError, match=r"^theta: found shape \(.*\), expected \(13,\) for widths \(2, 3, 1\)$"):
        forward(NET, theta, X)


def test_complex_numbers_are_not_cut_to_their_real_part():
    with pytest.raises(ArgumentError, match=r"^x: found dtype complex128, expected uint8 pixels or floating-point"):
        gradient(NET, THETA, X + 1j, Y)
    for y in (Y + 1j, Y.astype(str)):
        with pytest.raises(ArgumentError, match=r"^y: found "):
            gradient(NET, THETA, X, y)


@pytest.mark.parametrize("shape", ["read-only", "strided"])
def test_no_kernel_is_compiled_anew_for_other_arrays(shape):
    def other(array):
        changed = np.repeat(array, 2, axis=0)[::2] if shape == "strided" else array.copy()
        changed.setflags(write=shape == "strided")
        return changed

    gradient(NET, THETA, X, Y)
    before = list(getattr(backward_pass, "signatures", []))
    gradient(NET, other(THETA), other(X), other(Y))
    assert list(getattr(backward_pass, "signatures", [])) == before


@pytest.mark.parametrize("dtype", [np.float16, np.int64, np.complex64, ">f8"])
def test_theta_of_another_dtype(dtype):
    with pytest.raises(ArgumentError, match=r"^theta: found dtype .*, expected float32, float64 or complex128$"):
        check_theta(NET, np.zeros(13, dtype))


def test_theta_is_handed_on_without_a_copy():
    assert check_theta(NET, THETA) is THETA


@pytest.mark.parametrize("x", [np.zeros(2), np.zeros((0, 2)), np.zeros((3, 3)), np.zeros((3, 2, 2)), 0.0, [[]]])
def test_examples_of_another_shape(x):
    expected = r"^x: found shape \(.*\), expected \(n, \.\.\.\) with n >= 1 and 2 numbers an example$"
    with pytest.raises(ArgumentError, match=expected):
        forward(NET, THETA, x)
    with pytest.raises(ArgumentError, match=expected):
        gradient(NET, THETA, x, Y)


@pytest.mark.parametrize("x", [np.zeros((0, 1)), np.zeros(1), 0.0])
def test_no_examples_for_a_network_of_one_input(x):
    with pytest.raises(
        ArgumentError, match=r"^x: found shape \(.*\), expected \(n, \.\.\.\) with n >= 1 and 1 numbers"
    ):
        forward(MLP((1, 1)), [1.0, 0.0], x)


@pytest.mark.parametrize("dtype", [np.int64, np.bool_, np.int8, np.uint16])
def test_examples_of_another_dtype(dtype):
    with pytest.raises(ArgumentError, match=r"^x: found dtype .*, expected uint8 pixels or floating-point numbers$"):
        forward(NET, THETA, np.zeros((1, 2), dtype))


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_the_first_example_that_is_not_finite_is_named(bad):
    x = np.zeros((4, 1, 2))
    x[2, 0, 1] = x[3, 0, 0] = bad
    with pytest.raises(DataError, match=rf"^x: found {bad} in example 2, input 1; expected finite numbers$"):
        forward(NET, THETA, x)


def test_examples_as_the_kernels_take_them():
    assert as_examples(NET, np.zeros((3, 1, 2)), np.dtype(np.float32)).dtype == np.float32
    found = as_examples(NET, np.zeros((3, 4), np.uint8)[:, ::2], np.dtype(np.float32))
    assert (found.dtype, found.shape, found.flags.c_contiguous) == (np.uint8, (3, 2), True)


F32 = np.dtype(np.float32)


def test_targets():
    one, three = MLP((2, 1)), MLP((2, 3), loss="softmax")
    for y in ([0, 1, 1], [False, True, True], [0.0, 1.0, 1.0], [[0], [1], [1]], np.array([0, 1, 1], np.uint8)):
        found = as_targets(one, y, 3, F32)
        assert (found.tolist(), found.dtype) == ([[0], [1], [1]], F32)
    for y in ([2, 0], np.array([2, 0], np.uint8), [[0, 0, 1], [1, 0, 0]]):
        found = as_targets(three, y, 2, F32)
        assert (found.tolist(), found.dtype) == ([[0, 0, 1], [1, 0, 0]], F32)
    assert as_targets(MLP((2, 3)), [1], 1, F32).tolist() == [[0, 1, 0]]
    assert as_targets(one, [0.25], 1, F32).tolist() == [[0.25]]
    assert as_targets(three, [[0, 2.5, 0]], 1, F32).tolist() == [[0, 2.5, 0]]
    assert as_targets(MLP((2, 1), loss="squared"), [-3], 1, F32).tolist() == [[-3]]
    assert as_targets(MLP((2, 2), loss="squared"), [[-3, 5.5]], 1, F32).tolist() == [[-3, 5.5]]


@given(cases())
def test_labels_are_their_targets(case):
    net, theta, x, y = case
    assert np.array_equal(losses(net, theta, x, y), losses(net, theta, x, targets_of(net, y)))


@pytest.mark.parametrize(
    ("net", "y", "message"),
    [
        (MLP((2, 1)), [0], r"y: found int64 of shape (1,), expected (2,) or (2, 1) targets"),
        (MLP((2, 1)), [[0, 1]], r"y: found int64 of shape (1, 2), expected (2,) or (2, 1) targets"),
        (MLP((2, 3)), [0.0, 1.0], r"y: found float64 of shape (2,), expected (2,) labels or (2, 3) targets"),
        (MLP((2, 3)), [[0, 1], [0, 1]], r"y: found int64 of shape (2, 2), expected (2,) labels or (2, 3) targets"),
        (MLP((2, 3)), 1, r"y: found int64 of shape (), expected (2,) labels or (2, 3) targets"),
    ],
)
def test_targets_of_another_shape(net, y, message):
    with pytest.raises(ArgumentError) as error:
        as_targets(net, y, 2, F32)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("net", "y", "message"),
    [
        (MLP((2, 1)), [0, 2], "y: found 2 in example 1, expected 0 to 1"),
        (MLP((2, 1)), [0, -1], "y: found -1 in example 1, expected 0 to 1"),
        (MLP((2, 1)), [1.0001, 0.0], "y: found 1.0001 in example 0, expected 0 to 1"),
        (MLP((2, 1)), [1.0, math.nan], "y: found nan in example 1, expected 0 to 1"),
        (MLP((2, 3)), [[0, 1, 1], [0, 0, -0.5]], "y: found -0.5 in example 1, expected 0 to 1"),
        (MLP((2, 3)), [3, 1], "y: found 3 in example 0, expected a class from 0 to 2"),
        (MLP((2, 3), loss="softmax"), [2, -1], "y: found -1 in example 1, expected a class from 0 to 2"),
        (
            MLP((2, 2), loss="softmax"),
            [[0, 1], [-0.5, 1]],
            "y: found -0.5 in example 1, expected a finite number of at least 0",
        ),
        (
            MLP((2, 2), loss="softmax"),
            [[0, 1], [0, math.inf]],
            "y: found inf in example 1, expected a finite number of at least 0",
        ),
        (MLP((2, 1), loss="squared"), [0.0, -math.inf], "y: found -inf in example 1, expected a finite number"),
    ],
)
def test_targets_that_a_loss_does_not_take(net, y, message):
    with pytest.raises(DataError) as error:
        as_targets(net, y, 2, F32)
    assert str(error.value) == message
    with pytest.raises(DataError):
        gradient(net, np.zeros(net.size), X, y)
