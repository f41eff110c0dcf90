"""Derivatives of each example: by the parameters, by the inputs, and which linear piece each unit is on."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import SMOOTH, assume_measurable, cases, pre_activations

from npnet.backprop import activations, forward, gradient, losses, probabilities
from npnet.derivatives import activation_codes, gradient_norms, input_gradient, jacobian, per_example_gradients
from npnet.errors import ArgumentError, DataError
from npnet.gradcheck import check_gradient
from npnet.kernels.passes import CHUNK
from npnet.mlp import MLP

QUANTITIES = pytest.mark.parametrize("of", ["logit", "probability", "loss"])
LINEAR = MLP((3, 2), loss="softmax")
WEIGHTS = np.array([1.0, -2, 3, 0, 5, -6, 0.5, -0.5])
X = np.array([[1.0, 0.5, -1], [0.25, 0, 1]])


# By the parameters.


@given(cases())
def test_each_row_is_the_gradient_of_its_example_alone(case):
    net, theta, x, y = case
    rows = per_example_gradients(*case)
    alone = np.stack([gradient(net, theta, x[i : i + 1], y[i : i + 1])[1] for i in range(len(x))])
    np.testing.assert_allclose(rows, alone, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(rows.mean(axis=0), gradient(*case)[1], rtol=1e-9, atol=1e-12)


@given(cases())
def test_norms_are_those_of_the_rows(case):
    expected = np.linalg.norm(per_example_gradients(*case), axis=1)
    np.testing.assert_allclose(gradient_norms(*case), expected, rtol=1e-9, atol=1e-12)


def test_per_example_gradients_by_hand():
    net, theta = MLP((2, 2, 1), loss="squared"), np.array([1, 2, -3, 1, 0.5, -0.5, 4, 5, -1])
    rows = per_example_gradients(net, theta, [[1.0, 2.0], [0.0, 2.0]], [11, 24])
    # Deltas 10 and 1/2; the second hidden unit is off in the first example.
    assert rows.tolist() == [[40, 80, 0, 0, 40, 0, 55, 0, 10], [0, 4, 0, 5, 2, 2.5, 2.25, 0.75, 0.5]]
    assert gradient_norms(net, theta, [[1.0, 2.0]], [11]).tolist() == [math.sqrt(40**2 * 6 + 10**2 * (5.5**2 + 1))]


@given(cases(activations=SMOOTH))
def test_the_hessian_is_symmetric(case):
    """Complex steps along two directions through the backward pass: <H u, v> = <H v, u>."""
    net, theta, x, y = case
    u, v = np.random.default_rng(0).standard_normal((2, net.size))

    def times(direction):
        return per_example_gradients(net, theta + 1e-20j * direction, x, y).imag.mean(axis=0) / 1e-20

    assert times(u) @ v == pytest.approx(times(v) @ u, rel=1e-9, abs=1e-9)


# By the inputs.


def value(case, of, output):
    """The function whose derivative by all inputs is wanted: the sum over the examples."""
    net, theta, _, y = case
    if of == "loss":
        return lambda x: losses(net, theta, x, y).sum()
    if of == "probability":
        return lambda x: probabilities(net, forward(net, theta, x))[:, output].sum()
    return lambda x: forward(net, theta, x)[:, output].sum()


@QUANTITIES
@pytest.mark.parametrize("method", ["central", "complex"])
@given(case=cases(losses=("bce", "softmax")), data=st.data())
def test_input_gradients(of, method, case, data):
    net, theta, x, y = case
    output = data.draw(st.integers(0, net.outputs - 1))
    found = input_gradient(net, theta, x, of, **({"y": y} if of == "loss" else {"output": output}))
    assert found.shape == x.shape
    rng = np.random.default_rng(0)
    f = value(case, of, output)
    if method == "central":
        assume_measurable(f, found, x)
    check_gradient(f, found, x, method=method, directions=3, rng=rng)


@given(cases(losses=("squared",)))
def test_input_gradients_of_the_squared_loss(case):
    net, theta, x, y = case
    check_gradient(value(case, "loss", 0), input_gradient(net, theta, x, "loss", y=y), x, method="complex")
    check_gradient(value(case, "logit", 0), input_gradient(net, theta, x), x, method="complex")


@pytest.mark.parametrize("of", ["logit", "probability"])
@given(case=cases(losses=("bce", "softmax")))
def test_a_jacobian_has_a_row_for_each_output(of, case):
    net, theta, x, _ = case
    found = jacobian(net, theta, x, of)
    assert found.shape == (len(x), net.outputs, net.inputs)
    for output in range(net.outputs):
        expected = input_gradient(net, theta, x, of, output=output)
        np.testing.assert_allclose(found[:, output], expected, rtol=1e-12, atol=1e-15)
        check_gradient(
            value(case, of, output), found[:, output], x, method="complex", directions=2, rng=np.random.default_rng(0)
        )


@given(cases(), st.integers(0, 99))
def test_forward_and_backward_are_adjoint(case, seed):
    """<J v, u> = <v, Jᵀ u>: J v by a complex step along the parameters and the inputs, Jᵀ u by the backward pass."""
    net, theta, x, _ = case
    net = MLP(net.widths, net.activation, "squared", net.bias)
    rng = np.random.default_rng(seed)
    v, w, u = rng.standard_normal(net.size), rng.standard_normal(x.shape), rng.standard_normal((len(x), net.outputs))
    forwards = forward(net, theta + 1e-30j * v, x + 1e-30j * w).imag / 1e-30
    # The squared loss towards logits - u has the derivative u by the logits.
    y = forward(net, theta, x) - u
    by_inputs = np.einsum("nko,nk->no", jacobian(net, theta, x), u)
    backwards = per_example_gradients(net, theta, x, y).sum(axis=0) @ v + np.sum(by_inputs * w)
    assert np.sum(forwards * u) == pytest.approx(backwards, rel=1e-9, abs=1e-9)


def test_the_jacobian_of_a_linear_network_is_its_weights():
    weights = WEIGHTS[:6].reshape(2, 3)
    assert jacobian(LINEAR, WEIGHTS, X).tolist() == [weights.tolist()] * 2
    logits = X @ weights.T + WEIGHTS[6:]
    p = 1 / (1 + np.exp(logits[:, 1] - logits[:, 0]))
    expected = (p * (1 - p))[:, None] * (weights[0] - weights[1])
    np.testing.assert_allclose(
        jacobian(LINEAR, WEIGHTS, X, "probability"), np.stack([expected, -expected], 1), atol=1e-14
    )
    several = MLP((3, 2))
    s = 1 / (1 + np.exp(-logits))
    found = jacobian(several, WEIGHTS, X, "probability")
    np.testing.assert_allclose(found, (s * (1 - s))[:, :, None] * weights, rtol=1e-12)


def test_the_gradient_of_a_saturated_probability_keeps_its_digits():
    for z in (-40.0, 40.0):
        found = input_gradient(MLP((1, 1)), [2.0, z], [[0.0]], "probability")
        assert found[0, 0] == pytest.approx(2 * math.exp(-40), rel=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_gradient_of_a_class_that_is_certain_keeps_its_digits(dtype):
    net, theta = MLP((1, 3), loss="softmax", bias=False), np.array([50, 0, 1], dtype)
    # Of z = (50 x, 0, x) at x = 1: dp_c/dx = p_c (w_c - sum of p w), and p_0 is 1 even in float64.
    p = np.exp([0.0, -50, -49])
    expected = [50 * p[1] + 49 * p[2], -50 * p[1], -49 * p[2]]
    found = jacobian(net, theta, [[1.0]], "probability")[0, :, 0]
    np.testing.assert_allclose(found, expected, rtol=1e-5 if dtype == np.float32 else 1e-12)
    for output in range(3):
        assert input_gradient(net, theta, [[1.0]], "probability", output=output)[0, 0] == found[output]


@given(cases(losses=("softmax",)))
def test_gradients_of_the_classes_probabilities_sum_to_zero(case):
    net, theta, x, _ = case
    np.testing.assert_allclose(jacobian(net, theta, x, "probability").sum(axis=1), 0, atol=1e-11)


@given(cases(), st.data())
def test_a_dead_input_has_no_gradient(case, data):
    net, theta, x, y = case
    dead = data.draw(st.integers(0, net.inputs - 1))
    theta = theta.copy()
    net.unpack(theta)[0].weights[:, dead] = 0
    assert not jacobian(net, theta, x)[:, :, dead].any()
    assert not input_gradient(net, theta, x, "loss", y=y)[:, dead].any()


def test_more_examples_than_a_chunk():
    n = CHUNK + 2
    net, rng = MLP((1, 2, 2), "relu", "softmax"), np.random.default_rng(3)
    theta, x, y = rng.standard_normal(net.size), rng.standard_normal((n, 1)), rng.integers(0, 2, n)
    functions = [
        lambda s: per_example_gradients(net, theta, x[s], y[s]),
        lambda s: gradient_norms(net, theta, x[s], y[s]),
        lambda s: jacobian(net, theta, x[s]),
        lambda s: input_gradient(net, theta, x[s], output=1),
        lambda s: input_gradient(net, theta, x[s], "loss", y=y[s]),
        lambda s: activation_codes(net, theta, x[s]),
    ]
    for function in functions:
        halves = np.concatenate([function(slice(0, n // 2)), function(slice(n // 2, n))])
        np.testing.assert_allclose(function(slice(n)), halves, rtol=1e-12, atol=1e-15)


# Pieces.


@given(cases(activations=("relu", "relu6", "hard_tanh", "hard_sigmoid", "identity")))
def test_codes_say_where_the_pre_activations_lie(case):
    net, theta, x, _ = case
    z = np.concatenate([np.empty((len(x), 0)), *pre_activations(net, theta, x)[:-1]], axis=1)
    kinks = {"relu": [0], "relu6": [0, 6], "hard_tanh": [-1, 1], "hard_sigmoid": [-3, 3], "identity": []}
    codes = activation_codes(net, theta, x)
    assert codes.dtype == np.int8
    assert codes.tolist() == np.digitize(z, kinks[net.activation]).tolist()


def test_codes_at_the_kinks():
    net, theta = MLP((1, 2, 1), "relu6"), np.array([1.0, -1, 0, 6, 1, 1, 0])
    assert activation_codes(net, theta, [[-1.0], [0.0], [1.0], [6.0], [7.0]]).tolist() == [
        *([0, 2], [0, 2], [1, 1], [2, 0], [2, 0])
    ]


def test_smooth_activations_have_no_codes():
    with pytest.raises(ArgumentError, match=r"^activation: found 'tanh', expected a piecewise linear one"):
        activation_codes(MLP((1, 2, 1), "tanh"), np.zeros(7), [[0.0]])


# Types, layouts and what is refused.


def test_dtypes_layouts_and_purity():
    net, y = MLP((3, 2), "tanh", "softmax"), np.array([0, 1])
    for dtype in (np.float32, np.float64):
        theta = WEIGHTS.astype(dtype)
        strided = np.zeros((4, 9), dtype)
        strided[1::2, ::3] = X
        pixels = np.array([[0, 255, 51], [7, 8, 9]], np.uint8)
        wanted = [f(X) for f in functions(net, theta, y)]
        assert {array.dtype for array in wanted} == {np.dtype(dtype)}
        for like in (np.asfortranarray(X), strided[1::2, ::3], X.reshape(2, 3, 1), X.tolist()):
            for found, expected in zip([f(like) for f in functions(net, theta, y)], wanted, strict=True):
                assert np.array_equal(found, expected)
        for f in functions(net, theta, y):
            np.testing.assert_allclose(f(pixels), f(pixels / 255), rtol=1e-5, atol=1e-6)
        assert np.array_equal(theta, WEIGHTS)
        assert X.tolist() == [[1.0, 0.5, -1], [0.25, 0, 1]]


def functions(net, theta, y):
    return [
        lambda x: per_example_gradients(net, theta, x, y),
        lambda x: gradient_norms(net, theta, x, y),
        lambda x: jacobian(net, theta, x),
        lambda x: jacobian(net, theta, x, "probability"),
        lambda x: input_gradient(net, theta, x, "probability", output=1),
        lambda x: input_gradient(net, theta, x, "loss", y=y),
        lambda x: activations(net, theta, x)[-1],
    ]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: jacobian(LINEAR, WEIGHTS, X, "loss"), "of: found 'loss', expected 'logit' or 'probability'"),
        (lambda: jacobian(LINEAR, WEIGHTS, X, "z"), "of: found 'z', expected 'logit' or 'probability'"),
        (
            lambda: input_gradient(LINEAR, WEIGHTS, X, "z"),
            "of: found 'z', expected one of logit, probability, loss",
        ),
        (
            lambda: input_gradient(LINEAR, WEIGHTS, X, "loss"),
            "y: missing, but labels belong to of='loss' and to it alone",
        ),
        (
            lambda: input_gradient(LINEAR, WEIGHTS, X, y=[0, 1]),
            "y: given, but labels belong to of='loss' and to it alone",
        ),
        (lambda: input_gradient(LINEAR, WEIGHTS, X, output=2), "output: found 2, expected 0 to 1"),
        (lambda: input_gradient(LINEAR, WEIGHTS, X, output=-1), "output: found -1, expected 0 to 1"),
        (
            lambda: jacobian(MLP((3, 2), loss="squared"), WEIGHTS, X, "probability"),
            "net: found the squared loss, expected bce or softmax, whose logits stand for probabilities",
        ),
        (
            lambda: per_example_gradients(LINEAR, WEIGHTS, X, [0]),
            "y: found int64 of shape (1,), expected (2,) labels or (2, 2) targets",
        ),
        (
            lambda: gradient_norms(LINEAR, WEIGHTS[1:], X, [0, 1]),
            "theta: found shape (7,), expected (8,) for widths (3, 2)",
        ),
    ],
)
def test_what_is_refused(call, message):
    with pytest.raises(ArgumentError) as error:
        call()
    assert str(error.value) == message


def test_a_label_that_is_no_class():
    for function in (per_example_gradients, gradient_norms):
        with pytest.raises(DataError, match=r"^y: found 2 in example 1, expected a class from 0 to 1$"):
            function(LINEAR, WEIGHTS, X, [0, 2])
