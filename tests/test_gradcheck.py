"""The gradient checker: right gradients pass, each wrong one fails and is named, and it says what it saw of f."""

import math
import re
from contextlib import nullcontext
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from npnet.backprop import forward
from npnet.derivatives import input_gradient
from npnet.errors import ArgumentError, GradientError
from npnet.gradcheck import GradientCheck, check_gradient
from npnet.mlp import MLP

# A problem is a function that both methods can differentiate, its gradient, and the point, all of the order of 1.


def floats(shape, lowest, highest):
    """Of few digits, and none so small that a power of two makes it subnormal."""
    return arrays(np.float64, shape, elements=st.floats(lowest, highest, width=32, allow_subnormal=False))


@st.composite
def polynomials(draw):
    theta = draw(floats(array_shapes(max_dims=3, max_side=3), -2, 2))
    a = draw(floats(theta.shape, 0.5, 2))
    theta.flags.writeable = False
    return (lambda t: np.sum(a * (t + t**3)), a * (1 + 3 * theta**2), theta)


@st.composite
def quadratic_forms(draw):
    n = draw(st.integers(1, 3))
    a, theta = draw(floats((n, n), -1, 1)), draw(floats(n, -1, 1))
    return (lambda t: t @ a @ t + 10 * t[0], (a + a.T) @ theta + 10 * np.eye(1, n)[0], theta)


@st.composite
def tanh_networks(draw):
    """Of one hidden layer, by its weights, stored by columns."""
    weights = np.asfortranarray(draw(floats((draw(st.integers(1, 3)), 2), -0.5, 0.5)))
    x, outer = draw(floats((2, 3), 0.5, 1)), draw(floats(len(weights), 1, 2))
    right = (outer[:, None] * (1 - np.tanh(weights @ x) ** 2)) @ x.T
    return (lambda w: np.sum(outer @ np.tanh(w @ x)), right, weights)


problems = polynomials() | quadratic_forms() | tanh_networks()
methods = st.sampled_from(["central", "complex"])


def name(index):
    return f"theta[{', '.join(map(str, index))}]"


def random(directions=3):
    return {"directions": directions, "rng": np.random.default_rng(0)}


# Right gradients, and wrong ones.


@given(problems, methods, st.booleans(), st.integers(-400, 400))
def test_right_gradients_pass_and_scaling_by_a_power_of_two_changes_nothing(problem, method, along, power):
    f, right, theta = problem
    seen = []

    def scaled(t):
        seen.append(t)
        return 2.0**power * f(t)

    result = check_gradient(f, right, theta, method=method, **random() if along else {})
    assert 0 <= result.relative_error < (1e-7 if method == "central" else 1e-13)
    assert result == check_gradient(scaled, 2.0**power * right, theta, method=method, **random() if along else {})
    assert len(seen) == 2 + (4 if method == "central" else 1) * (3 if along else theta.size)


@given(problems, st.sampled_from([("central", 1e-6), ("complex", 1e-10)]), st.data())
def test_gradients_off_by_more_than_the_tolerance_fail_and_the_worst_entry_is_named(problem, defaults, data):
    f, right, theta = problem
    method, rtol = defaults
    off = data.draw(arrays(np.float64, theta.shape, elements=st.floats(-0.7, 0.7) | st.floats(1.5, 1e9)))
    wrong = np.asfortranarray(right - rtol * np.abs(right).max() * off)
    vectors, places, along = np.eye(theta.size), [name(index) for index in np.ndindex(theta.shape)], {}
    if data.draw(st.booleans()):
        draws = data.draw(floats((3, theta.size), -1, 1))
        assume(np.linalg.norm(draws, axis=1).min() > 0.1)
        vectors, places = draws / np.linalg.norm(draws, axis=1)[:, None], [f"random direction {i}" for i in range(3)]
        each = iter(draws.reshape(3, *theta.shape))
        along = {"directions": 3, "rng": SimpleNamespace(standard_normal=lambda shape: next(each))}

    exact, analytic = vectors @ right.ravel(), vectors @ wrong.ravel()
    error = np.abs(analytic - exact)
    limit = rtol * max(np.sqrt(np.mean(wrong**2)), np.abs(exact).max(), np.abs(analytic).max())
    fails = error > limit
    assume(not np.any((0.8 * limit < error) & (error < 1.25 * limit)))
    if fails.any():
        with pytest.raises(GradientError) as caught:
            check_gradient(f, wrong, theta, method=method, **along)
        found = re.match(r"gradient: found (\d+) of (\d+) .* wrong, the worst at (.*): analytic ", str(caught.value))
        assert (int(found[1]), int(found[2])) == (fails.sum(), fails.size)
        assert error[places.index(found[3])] > 0.9 * error.max()
    else:
        result = check_gradient(f, wrong, theta, method=method, **along)
        assert result.relative_error == pytest.approx(rtol * error.max() / limit, abs=0.1 * rtol)
        assert error[places.index(result.where)] > error.max() - 0.1 * limit


def test_the_message_has_names_counts_and_values():
    theta, wrong = np.array([1.0, 2.0, 3.0, 4.0]), np.array([2.0, -4.0, 6.0, 0.001])
    with pytest.raises(GradientError) as caught:
        check_gradient(lambda t: np.sum(t**2), wrong, theta, name=MLP((1, 2)).parameter_name, method="complex")
    assert str(caught.value) == (
        "gradient: found 2 of 4 coordinates wrong, the worst at W1[1, 0]: analytic -4.0, numeric 4.0, "
        "expected to differ by at most 8e-10"
    )


def test_along_directions_at_right_angles_to_the_gradient_the_scale_is_its_root_mean_square():
    rng = SimpleNamespace(standard_normal=lambda shape: np.array([1.0, -1.0]))
    with pytest.raises(GradientError, match="expected to differ by at most 2e-06"):
        check_gradient(lambda t: np.sum(t**2), np.array([2.0, 2.0 + 1e-5]), np.ones(2), directions=1, rng=rng)


@given(problems, methods, st.sampled_from([np.nan, np.inf, -np.inf]), st.data())
def test_what_is_not_finite_is_wrong_and_the_rest_still_judged(problem, method, value, data):
    f, right, theta = problem
    index = data.draw(st.sampled_from(list(np.ndindex(theta.shape))))
    message = re.escape(f"found 1 of {theta.size} coordinates wrong, the worst at {name(index)}: analytic ")
    wrong = right.copy()
    wrong[index] = value
    with pytest.raises(GradientError, match=f"{message}{value}, numeric "):
        check_gradient(f, wrong, theta, method=method)
    with pytest.raises(GradientError, match=f"{message}.*, numeric {value}, "):
        check_gradient(lambda t: f(t) + (value if t[index] > theta[index] else 0.0), right, theta)
    with pytest.raises(GradientError, match="found 3 of 3 random directions wrong"):
        check_gradient(f, wrong, theta, method=method, **random())
    with pytest.raises(GradientError, match=f"found {theta.size} of {theta.size} .* numeric nan"):
        check_gradient(lambda t: value + 0 * t.flat[0], right, theta)
    with pytest.raises(GradientError, match=r"1 of 1 .* numeric inf"):
        check_gradient(lambda t: 1e305 * np.sign(t[0]), np.ones(1), np.zeros(1))


@given(floats(array_shapes(max_dims=2, max_side=3), -2, 2), methods)
def test_a_constant_has_the_gradient_0_and_no_other(theta, method):
    result = check_gradient(lambda t: 5.0 + 0 * t.flat[0], np.zeros(theta.shape), theta, method=method)
    assert result == GradientCheck(0.0, name((0,) * theta.ndim))
    with pytest.raises(GradientError, match="f does not change there: is its precision float32"):
        check_gradient(lambda t: 5.0 + 0 * t.flat[0], np.ones(theta.shape), theta, method=method)


# The errors of the step.


@given(st.floats(1e6, 1e9))
@example(1e8 + 0.3)  # where doubles are 1.5e-8 apart: a step of 1e-6 is rounded by up to 0.7 %
def test_the_step_really_made_is_divided_by(theta):
    assert check_gradient(lambda t: t[0] - theta, np.ones(1), np.array([theta])).relative_error == 0
    with pytest.raises(ArgumentError, match=r"^step: found one too small to change theta"):
        check_gradient(lambda t: t[0], np.ones(1), np.array([1e6 * theta]))


@given(st.floats(1e-3, 100))
def test_a_gradient_within_the_rounding_error_is_refused(ratio):
    """The slope of f = 1 + slope t is `ratio` times the one whose tolerance is the floor."""
    assume(abs(ratio - 1) > 0.01)
    floor, at = 6 * 2.0**-52 / 1e-6, np.zeros(1)
    slope = ratio * floor / 1e-3

    def check(gradient, **arguments):
        return check_gradient(lambda t: 1 + slope * t[0], np.array([gradient]), at, rtol=1e-3, **arguments)

    check(slope, method="complex")
    if ratio < 1:
        with pytest.raises(
            ArgumentError, match=r"^step: found a rounding error of 1\.3e-09 with step 1e-06, .* larger"
        ):
            check(slope)
        check(slope, step=1e-2)
    else:
        check(slope)
        check(slope + (ratio + 0.5) * floor)
        with pytest.raises(GradientError):
            check(slope + (ratio + 3) * floor)


@given(st.floats(-2, 2), st.floats(0.1, 1), st.sampled_from([1e-3, 1e-2]))
@example(theta=0.0, size=1.0, step=1e-2)
def test_truncation_is_removed_and_hides_no_wrong_gradient(theta, size, step):
    """f = t + size t^3 has the truncation error size step^2, and no other."""
    right, cut = np.array([1 + 3 * size * theta**2]), size * step**2

    def check(gradient):
        check_gradient(
            lambda t: t[0] + size * t[0] ** 3, gradient, np.array([theta]), step=step, rtol=0.2 * cut / right[0]
        )

    check(right)
    with pytest.raises(ArgumentError, match=r"^step: found a truncation error of .* take a smaller step"):
        check(right + cut)
    with pytest.raises(GradientError):
        check(right + 3 * cut)


@given(st.floats(-1, 1), st.floats(1e-3, 0.5))
def test_a_step_too_wide_for_its_extrapolation_is_refused(theta, step):
    assume(not 0.04 < step < 0.05)
    near, far = (np.cos(theta) * np.sin(h) / h for h in (step, 2 * step))
    for gradient in (np.cos(theta), (4 * near - far) / 3):  # the right one, and the one that extrapolation finds
        with nullcontext() if step < 0.05 else pytest.raises(ArgumentError):
            check_gradient(lambda t: np.sin(t[0]), np.array([gradient]), np.array([theta]), step=step)


# What f is, rather than the gradient, when a check fails.


@given(st.floats(-1.4e-6, 1.4e-6), st.floats(0.5, 2))
@example(kink=0.0, size=1.0)
def test_a_kink_within_the_step_is_named_and_the_gradient_not_blamed(kink, size):
    def f(t):
        return size * max(t[0] - kink, 0.0) + t[0] ** 2

    with pytest.raises(ArgumentError, match=r"^f: found a kink within 2e-06, .*, at theta\[0\], expected a smooth f"):
        check_gradient(f, np.array([size * (kink <= 0)]), np.zeros(1))
    with pytest.raises(GradientError):
        check_gradient(f, np.array([-2 * size]), np.zeros(1))


# Found with a tanh network: f is 1e-4, what it is a difference of is 1, and so is the rounding.
@pytest.mark.parametrize(("seed", "output"), [(27361, 1), (41609, 0)])
def test_rounding_that_cancels_in_logits_is_noise_and_the_gradient_not_blamed(seed, output):
    rng = np.random.default_rng(seed)
    net = MLP((4, 1, 1, 1, 2), "tanh", "softmax", bias=True)
    theta, x = rng.uniform(-1.2, 1.2, net.size), rng.standard_normal((rng.integers(1, 10), 4))
    if seed // 2 % 3 == 0:
        theta *= 10.0 ** -rng.uniform(0, 2, net.size)
    slope = input_gradient(net, theta, x, output=output)

    def f(inputs):
        return forward(net, theta, inputs)[:, output].sum()

    with pytest.raises(ArgumentError, match=r"^f: found noise .* from cancellation"):
        check_gradient(f, slope, x, **random())
    check_gradient(f, slope, x, method="complex", **random())
    with pytest.raises(GradientError):
        check_gradient(f, -slope, x, **random())


def test_float32_is_told_from_noise_and_from_numbers_that_it_holds():
    theta = np.full(3, 0.7)
    with pytest.raises(ArgumentError, match=r"^f: found noise or a jump .* lower precision"):
        check_gradient(lambda t: float((t.astype(np.float32) ** 2).sum(dtype=float) / 3), 2 * theta / 3, theta)
    with pytest.raises(GradientError):
        check_gradient(lambda t: t[0], np.full(1, 2.0), np.zeros(1), step=2.0**-20)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "forward"}, "method: found 'forward', expected one of central, complex"),
        ({"step": 0}, "step: found 0, expected a finite number above 0"),
        ({"step": math.nan}, "step: found nan"),
        ({"rtol": 0.0}, "rtol: found 0.0"),
        ({"directions": 3}, "rng: found None"),
        ({"directions": 0}, "directions: found 0"),
        ({"gradient": np.ones(3)}, r"gradient: found shape \(3,\), expected \(2,\)"),
        ({"gradient": np.ones(2, np.float32)}, "gradient: found 2 numbers of float32"),
        ({"theta": np.ones(2, np.float32)}, "theta: found 2 numbers of float32, .*float64, as float32 rounds"),
        ({"theta": np.zeros(0), "gradient": np.zeros(0)}, "theta: found 0 numbers of float64"),
        ({"f": lambda t: t[0] + np.random.default_rng().random()}, "f: found two values .*: is it deterministic"),
        ({"f": lambda t: t**2}, r"f: found a result of shape \(2,\), expected one number"),
        ({"f": lambda t: np.float32(t.sum())}, "f: found a result of float32 for an array of float64"),
        ({"f": lambda t: np.abs(t).sum(), "method": "complex"}, "f: found a result of float64 for an array of complex"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"f": lambda t: np.sum(t**2), "gradient": np.full(2, 2.0), "theta": np.ones(2)} | change
    with pytest.raises(ArgumentError, match=f"^{message}"):
        check_gradient(**arguments)
