"""Law: backprop gives the derivative of the loss, for every network, activation and loss."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, reject
from hypothesis import strategies as st
from strategies import (
    KINKS,
    PROBABLE,
    SMOOTH,
    Case,
    F,
    assert_close,
    cases,
    each_loss,
    margin,
    numbers,
    pre_activations,
    share,
    targets_of,
)

from npnet.backprop import (
    activations,
    as_targets,
    batch_gradient,
    forward,
    gradient,
    losses,
    losses_and_deltas,
    probabilities,
    vjp,
)
from npnet.derivatives import gradient_norms, input_gradient, jacobian, per_example_gradients
from npnet.errors import ArgumentError
from npnet.gradcheck import check_gradient
from npnet.kernels.passes import CHUNK
from npnet.mlp import MLP

# f is 1e-4 and a difference of numbers of about 1: central differences see the rounding of these. An example that fails
# is shown as it is and nothing shrinks, so it stands only where it was found.
CANCELLING = Case(
    MLP((4, 1, 1, 1, 2), "tanh", "softmax"),
    np.array([0.75, -0.5, 0.25, 1, 0.125, 1e-3, 1, 1e-3, -1, 1, -1, 0.5, 0.25]),
    np.array([[0.5, -1, 0.25, 1], [1, 0.5, -0.75, -0.5]]),
    np.array([0, 1]),
)
# A complex step whose square is 0: it leaves a unit that is on its kink there.
STEP = 1e-170


def benign(case, moving=False):
    """Whether no hidden unit is so near a kink that rounding may put it on the other side, and no logit is huge."""
    return margin(*case[:3], moving) > (1e-3 if moving else 1e-9) and np.abs(forward(*case[:3])).max() < 100


def checked(f, slope, at, method="complex", **settings):
    """Hold a gradient against numbers, along two random directions if it has many entries.

    A slope of 0.01 is added to both: where all others cancel, what is left of them is rounding.
    """
    if at.size > 8:
        settings |= {"directions": 2, "rng": np.random.default_rng(0)}
    step = STEP if method == "complex" else None
    check_gradient(lambda z: f(z) + 0.01 * z.sum(), slope + 0.01, at, method=method, step=step, **settings)


# Forward.


@given(cases())
def test_forward_and_losses_are_numpys(case):
    net, theta, x, y = case
    zs = pre_activations(net, theta, x)
    found = activations(net, theta, x)
    for a, z in zip(found[:-1], zs[:-1], strict=True):
        assert_close(a, F[net.activation](z))
    assert np.array_equal(found[-1], forward(net, theta, x))
    assert_close(forward(net, theta, x), zs[-1])
    assert_close(losses(net, theta, x, y), each_loss(net, zs[-1], y))
    np.testing.assert_array_equal(losses(net, theta, x, y), losses(net, theta, x, targets_of(net, y)))
    value, slope = gradient(*case)
    assert value == losses(net, theta, x, y).mean()
    assert slope.shape == theta.shape


@given(numbers((3, 2), 50), st.sampled_from(PROBABLE))
@example(np.array([[1000.0, -1000], [-40, 40], [0, 0]]), "bce")
@example(np.array([[1000.0, -1000], [-40, 40], [0, 0]]), "softmax")
def test_probabilities_and_losses_of_large_logits_keep_their_digits(z, loss):
    net = MLP((1, 2), loss=loss)
    for dtype in (np.float32, np.float64):
        digits = 8 * np.finfo(dtype).eps
        p = probabilities(net, z.astype(dtype))
        wanted = np.exp(-each_loss(net, z, np.array([0] * 3)) if loss == "softmax" else -np.logaddexp(0, -z[:, 0]))
        np.testing.assert_allclose(p[:, 0], wanted, rtol=16 * digits, atol=1e-40)
        for label in (0, 1):
            y = targets_of(net, np.full(3, label))
            each, delta = losses_and_deltas(net, z.astype(dtype), y.astype(dtype))
            np.testing.assert_allclose(each, each_loss(net, z, y), rtol=16 * digits, atol=1e-40)
            # p - 1 of a p that is almost 1 is the probability of the others.
            off = probabilities(net, -z if loss == "bce" else z[:, ::-1])
            np.testing.assert_allclose(
                np.abs(delta), np.where(y == 1, off, probabilities(net, z)), rtol=1e-4, atol=1e-37
            )
            assert (np.sign(delta) == np.where(y == 1, -1, 1))[np.abs(delta) > 0].all()
        assert p.dtype == each.dtype == delta.dtype == dtype


@given(cases())
def test_the_derivative_by_the_logits(case):
    net, logits = case.net, forward(*case[:3])
    targets = as_targets(net, case.y, len(logits))
    checked(
        lambda z: losses_and_deltas(net, z, targets)[0].sum(),
        losses_and_deltas(net, logits, targets)[1],
        logits,
    )


# By the parameters and the inputs.


@given(cases())
def test_the_gradient_is_what_the_complex_step_finds(case):
    net, theta, x, y = case
    assume(benign(case))
    checked(lambda t: losses(net, t, x, y).mean(), gradient(*case)[1], theta, name=net.parameter_name)


@given(cases())
@example(CANCELLING)
def test_the_gradient_is_what_central_differences_find(case):
    net, theta, x, y = case
    # Biases keep most units off their kinks.
    assume(net.activation in SMOOTH or (net.bias and benign(case, moving=True)))
    try:
        checked(lambda t: losses(net, t, x, y).mean(), gradient(*case)[1], theta, "central", name=net.parameter_name)
    except ArgumentError:  # Truncation or rounding. A wrong gradient would be a GradientError.
        reject()


@given(cases(), st.data())
def test_the_backward_pass_is_the_transpose_of_the_forward_pass(case, data):
    """<u, J v> = <Jᵀ u, v>: J v by a complex step along parameters and inputs jointly, Jᵀ u by `vjp`."""
    net, theta, x, _ = case
    assume(benign(case))
    shapes = theta.shape, x.shape, (len(x), net.outputs)
    v, w, u = (data.draw(numbers(shape)) for shape in shapes)
    forwards = forward(net, theta + STEP * 1j * v, x + STEP * 1j * w).imag / STEP
    d_theta, d_x = vjp(net, theta, x, u)
    size = np.abs(d_theta * v).sum() + np.abs(d_x * w).sum() + np.abs(forwards * u).sum()
    assert np.sum(forwards * u) == pytest.approx(d_theta @ v + np.sum(d_x * w), rel=1e-9, abs=1e-11 * size)


@given(cases(activations=SMOOTH), st.data())
@share(0.5)
def test_the_hessian_is_symmetric(case, data):
    """<H u, v> = <H v, u>, by complex steps through the backward pass."""
    net, theta, x, y = case
    u, v = (data.draw(numbers(net.size)) for _ in range(2))
    by_u, by_v = (per_example_gradients(net, theta + STEP * 1j * d, x, y).imag.mean(axis=0) / STEP for d in (u, v))
    size = np.abs(by_u * v).sum() + np.abs(by_v * u).sum()
    assert by_u @ v == pytest.approx(by_v @ u, rel=1e-9, abs=1e-11 * size)


@given(cases(losses=PROBABLE), st.data())
def test_derivatives_by_the_inputs(case, data):
    net, theta, x, y = case
    assume(benign(case))
    chosen = np.array([data.draw(st.integers(0, net.outputs - 1)) for _ in x])
    rows = np.arange(len(x))
    f = {
        "loss": lambda x: losses(net, theta, x, y).sum(),
        "logit": lambda x: forward(net, theta, x)[rows, chosen].sum(),
        "probability": lambda x: probabilities(net, forward(net, theta, x))[rows, chosen].sum(),
    }
    for of, function in f.items():
        given_ = {"y": y} if of == "loss" else {"output": chosen}
        checked(function, input_gradient(net, theta, x, of, **given_), x)
        if of != "loss":
            each = jacobian(net, theta, x, of)
            assert each.shape == (len(x), net.outputs, net.inputs)
            assert_close(each[rows, chosen], input_gradient(net, theta, x, of, **given_))
            alone = input_gradient(net, theta, x, of, output=int(chosen[0]))
            assert_close(each[:, chosen[0]], alone)
    _, d_x = vjp(net, theta, x, np.eye(net.outputs)[chosen])
    assert_close(d_x, input_gradient(net, theta, x, output=chosen))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("loss", PROBABLE)
@given(st.floats(1, 50))
@example(50.0)
def test_probabilities_that_are_certain_keep_the_digits_of_their_gradients(dtype, loss, z):
    """1 - p of a p that rounds to 1 is the sum of the others."""
    z = float(np.float32(z))
    net = MLP((1, 2), loss=loss, bias=False)
    theta = np.array([z, 0 if loss == "softmax" else -z], dtype)
    wanted = z * math.exp(-z) / (1 + math.exp(-z)) ** 2
    found = jacobian(net, theta, [[1.0]], "probability")[0, :, 0]
    np.testing.assert_allclose(found, [wanted, -wanted], rtol=2e-5 if dtype == np.float32 else 1e-12)


@given(cases())
def test_gradients_of_each_example_and_their_norms(case):
    net, theta, x, y = case
    rows = per_example_gradients(*case)
    alone = [gradient(net, theta, x[i : i + 1], y[i : i + 1])[1] for i in range(len(x))]
    assert_close(rows, np.stack(alone))
    assert_close(rows.mean(axis=0), gradient(*case)[1])
    assert_close(gradient_norms(*case), np.linalg.norm(rows, axis=1))


@pytest.mark.parametrize(("activation", "kink"), [(name, kink) for name in KINKS for kink in KINKS[name]])
@given(st.sampled_from([0.5, 1.0, 2.0]))
def test_at_a_kink_the_slope_is_that_of_the_flat_side(activation, kink, weight):
    net = MLP((1, 1, 1), activation, "squared")
    theta = np.array([weight, kink - 2 * weight, 3.0, 0.5])
    slope = gradient(net, theta, [[2.0]], [7])[1]

    def loss(step):
        return losses(net, theta + step, [[2.0]], [7])[0]

    for index in (0, 1):
        step = 1e-6 * np.eye(4)[index]
        left, right = (loss(0 * step) - loss(-step)) / 1e-6, (loss(step) - loss(0 * step)) / 1e-6
        flat, steep = (left, right) if kink == min(KINKS[activation]) else (right, left)
        assert slope[index] == flat == 0
        assert abs(steep) > 1


# Batches.


@given(cases(), st.data())
def test_batches_add_up_and_an_example_given_twice_has_weight_two(case, data):
    net, theta, x, y = case
    rows = np.array(data.draw(st.lists(st.integers(0, len(x) - 1), min_size=1, max_size=7)))
    value, slope = batch_gradient(net, x, y)(theta, rows)
    each = per_example_gradients(*case)
    assert_close(slope, np.mean(each[rows], axis=0))
    assert value == pytest.approx(losses(net, theta, x, y)[rows].mean(), rel=1e-9)
    repeated = gradient(net, theta, x[rows], y[rows])
    np.testing.assert_array_equal(repeated[1], slope)
    order = np.array(data.draw(st.permutations(range(len(rows)))))
    assert_close(batch_gradient(net, x, y)(theta, rows[order])[1], slope)


@given(cases(activations=("tanh",), examples=2), st.integers(CHUNK - 1, CHUNK + 5))
@share(0.2)
@example(Case(MLP((1, 1), bias=False), np.ones(1), np.ones((1, 1)), np.ones(1, int)), 2 * CHUNK + 2)
def test_more_examples_than_a_chunk_are_many_chunks(case, n):
    net, theta, x, y = case
    rows = np.arange(n) % len(x)
    functions = [
        losses, lambda *args: forward(*args[:3]), per_example_gradients, gradient_norms,
        lambda *args: jacobian(*args[:3]), lambda *args: input_gradient(*args[:3], "loss", y=args[3]),
        lambda *args: activations(*args[:3])[0],
    ]  # fmt: skip
    for function in functions:
        assert_close(function(net, theta, x[rows], y[rows]), function(*case)[rows])
    value, slope = gradient(net, theta, x[rows], y[rows])
    assert value == pytest.approx(losses(net, theta, x, y)[rows].mean(), rel=1e-9)
    assert_close(slope, per_example_gradients(*case)[rows].mean(axis=0))
    d_logits = np.ones((n, net.outputs))
    assert_close(vjp(net, theta, x[rows], d_logits)[1], jacobian(net, theta, x)[rows].sum(axis=1))


# What shows.


@pytest.mark.parametrize("activation", [*KINKS, *SMOOTH])
@given(st.sampled_from([math.nan, math.inf, -math.inf]), st.booleans())
@example(math.nan, False)
def test_parameters_that_are_not_finite_are_shown(activation, bad, last):
    net, theta, x = MLP((2, 2, 1), activation), np.full(9, 0.25), np.ones((2, 2))
    theta[-1 if last else 0] = bad
    with np.errstate(all="ignore"):
        value, slope = gradient(net, theta, x, [0, 1])
        if last or math.isnan(bad):
            assert not np.isfinite(forward(net, theta, x)).any()
            assert not np.isfinite(value)
        if math.isnan(bad):
            assert np.isnan(slope[net.weight_slices[-1]]).any()
