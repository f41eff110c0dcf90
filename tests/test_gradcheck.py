"""The gradient checker: right gradients pass, each kind of wrong one fails, and it says what it saw."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from npnet.backprop import forward
from npnet.derivatives import input_gradient
from npnet.errors import ArgumentError, GradientError
from npnet.gradcheck import GradientCheck, check_gradient
from npnet.mlp import MLP

MATRIX = np.array([[1.0, -2.0, 0.5], [0.3, 0.7, -1.1], [2.0, 0.1, 0.9]])
THETA = np.array([[0.4, -0.3, 1.2], [0.8, -1.5, 0.1], [-0.6, 0.9, 0.2]])


def smooth(theta):
    """Analytic, and not symmetric: f = sum(MATRIX * sin(theta)) + theta_01^2."""
    return np.sum(MATRIX * np.sin(theta)) + theta[0, 1] ** 2


def smooth_gradient(theta):
    gradient = MATRIX * np.cos(theta)
    gradient[0, 1] += 2 * theta[0, 1]
    return gradient


RIGHT = smooth_gradient(THETA)
vectors = arrays(np.float64, st.integers(1, 4), elements=st.floats(-2, 2))
BOTH = pytest.mark.parametrize("method", ["central", "complex"])


@BOTH
@pytest.mark.parametrize("scale", [1e-250, 1e-12, 1.0, 1e12])
def test_a_right_gradient_passes_at_any_scale_of_f(method, scale):
    result = check_gradient(lambda t: scale * smooth(t), scale * RIGHT, THETA, method=method)
    assert isinstance(result, GradientCheck)
    assert 0 <= result.relative_error < (1e-9 if method == "central" else 1e-14)
    rng = np.random.default_rng(0)
    assert check_gradient(
        lambda t: scale * smooth(t), scale * RIGHT, THETA, method=method, directions=4, rng=rng
    ).where.startswith("random direction ")


def one_entry(change):
    wrong = RIGHT.copy()
    wrong[1, 2] += change
    return wrong


@BOTH
@pytest.mark.parametrize("directions", [None, 8])
@pytest.mark.parametrize("scale", [1e-12, 1.0])
@pytest.mark.parametrize(
    "wrong",
    [-RIGHT, RIGHT * 1.001, RIGHT * (1 + 1e-5), RIGHT.T, RIGHT * 1e-12, RIGHT * 0, one_entry(1e-3), RIGHT * 1e300],
    ids=["sign", "1.001", "1e-5 off", "transposed", "tiny", "zero", "one entry", "huge"],
)
def test_each_kind_of_wrong_gradient_fails(method, directions, scale, wrong):
    rng = np.random.default_rng(1)
    with pytest.raises(GradientError, match=r"^gradient: found .* wrong, the worst at"):
        check_gradient(lambda t: scale * smooth(t), scale * wrong, THETA, method=method, directions=directions, rng=rng)


def test_the_message_has_name_values_and_counts():
    f, theta = (lambda t: np.sum(t**2)), np.array([1.0, 2.0, 3.0])
    with pytest.raises(GradientError) as caught:
        check_gradient(f, np.array([2.0, -4.0, 6.001]), theta, method="complex")
    assert str(caught.value) == (
        "gradient: found 2 of 3 coordinates wrong, the worst at theta[1]: analytic -4.0, numeric 4.0, "
        "expected to differ by at most 6e-10"
    )
    with pytest.raises(GradientError, match=r"1 of 9 coordinates wrong, the worst at theta\[1, 2\]: analytic "):
        check_gradient(smooth, one_entry(0.5), THETA)
    net = MLP((1, 2), bias=True)
    theta = np.array([1.0, 2.0, 3.0, 4.0])
    with pytest.raises(GradientError, match=r"1 of 4 coordinates wrong, the worst at b1\[1\]: analytic 9.0"):
        check_gradient(f, np.array([2.0, 4.0, 6.0, 9.0]), theta, name=net.parameter_name)
    with pytest.raises(GradientError, match="found 3 of 3 random directions wrong, the worst at random direction"):
        check_gradient(f, -2 * theta, theta, directions=3, rng=np.random.default_rng(0))


def test_success_tells_the_worst_error_and_where():
    theta = np.array([1.0, 2.0])
    off = np.array([2.0, 4.0 * (1 + 3e-7)])
    result = check_gradient(lambda t: np.sum(t**2), off, theta, name=lambda index: f"p{index}")
    assert result.where == "p1"
    assert result.relative_error == pytest.approx(3e-7, rel=1e-2)
    small = check_gradient(lambda t: 1e-9 * np.sum(t**2), 1e-9 * off, theta)
    assert small.relative_error == pytest.approx(3e-7, rel=1e-2)
    exact = check_gradient(lambda t: np.sum(t**2), 2 * theta, theta, method="complex")
    assert exact.relative_error <= 1e-15


def test_tolerance_is_rtol_times_the_largest_entry():
    # The largest entry is 4, so an error of 4 rtol is the limit for each entry, also for the one of size 2.
    theta, f = np.array([1.0, 2.0]), lambda t: np.sum(t**2)
    check_gradient(f, np.array([2 + 0.0399, 4.0]), theta, rtol=0.01)
    with pytest.raises(GradientError, match=r"theta\[0\].*at most 0.04"):
        check_gradient(f, np.array([2 + 0.0401, 4.0]), theta, rtol=0.01)
    # A wrong entry may be the largest.
    with pytest.raises(GradientError, match=r"1 of 2 .*theta\[0\].*at most 0.08"):
        check_gradient(f, np.array([8.0, 4.0]), theta, rtol=0.01)
    check_gradient(f, np.array([2.0, 4 * (1 + 0.9e-6)]), theta)
    with pytest.raises(GradientError, match=r"theta\[1\]"):
        check_gradient(f, np.array([2.0, 4 * (1 + 1.2e-6)]), theta)
    check_gradient(f, np.array([2.0, 4 * (1 + 0.9e-10)]), theta, method="complex")
    with pytest.raises(GradientError, match=r"theta\[1\]"):
        check_gradient(f, np.array([2.0, 4 * (1 + 1.1e-10)]), theta, method="complex")


def test_along_directions_the_scale_is_at_least_the_root_mean_square():
    # A direction almost at right angles to the gradient has a small derivative, but not a small tolerance.
    class Fixed:
        def standard_normal(self, shape):
            return np.array([1.0, -1.0 + 1e-9])

    theta = np.array([1.0, 1.0])
    gradient = np.array([2.0, 2.0 + 1e-7])
    check_gradient(lambda t: np.sum(t**2), gradient, theta, directions=1, rng=Fixed())
    with pytest.raises(GradientError, match="expected to differ by at most 2e-06"):
        check_gradient(lambda t: np.sum(t**2), np.array([2.0, 2.0 + 1e-5]), theta, directions=1, rng=Fixed())


def test_directions_are_of_unit_length_from_the_generator():
    seen = []

    def f(t):
        seen.append(t)
        return np.sum(t**2)

    theta = np.array([[0.5, -1.0, 2.0]])
    check_gradient(f, 2 * theta, theta, directions=2, rng=np.random.default_rng(3), step=1e-3)
    rng = np.random.default_rng(3)
    # The first two evaluations are at theta, to see whether f is deterministic.
    for below, above in (seen[2:4], seen[6:8]):
        draw = rng.standard_normal(theta.shape)
        expected = 1e-3 * draw / math.sqrt(np.sum(draw**2))
        np.testing.assert_allclose(above - theta, expected, rtol=1e-9)
        np.testing.assert_allclose(below - theta, -expected, rtol=1e-9)
    assert len(seen) == 2 + 4 * 2


def test_gradients_below_the_rounding_error_are_refused_not_passed():
    # f = 1 + tiny: central differences see only the rounding of the 1.
    theta = np.array([1.0, 2.0])
    for gradient in (2e-12 * theta, -2e-12 * theta):
        with pytest.raises(ArgumentError, match=r"^step: found a rounding error of .*e-09 with step 1e-06"):
            check_gradient(lambda t: 1 + 1e-12 * np.sum(t**2), gradient, theta)
    with pytest.raises(GradientError):
        check_gradient(lambda t: 1 + 1e-12 * np.sum(t**2), -2e-12 * theta, theta, method="complex")
    check_gradient(lambda t: 1 + 1e-12 * np.sum(t**2), 2e-12 * theta, theta, method="complex")


def test_the_rounding_floor_is_six_eps_f_over_step():
    floor, theta = 6 * 2.0**-52 / 1e-6, np.zeros(1)
    for slope in (floor / 1e-3 * 1.01, floor / 1e-3 * 0.99):
        gradient, f = np.array([slope]), lambda t, slope=slope: 1 + slope * t[0]
        check_gradient(f, gradient, theta, rtol=1e-3, step=1e-5)
        if slope > floor / 1e-3:
            check_gradient(f, gradient, theta, rtol=1e-3)
            check_gradient(f, gradient + 1.9 * floor, theta, rtol=1e-3)
            with pytest.raises(GradientError, match=r"at most 2\.68e-09"):
                check_gradient(f, gradient + 3 * floor, theta, rtol=1e-3)
        else:
            with pytest.raises(ArgumentError, match=r"found a rounding error of 1\.3e-09 .* = 1\.3e-09 to judge"):
                check_gradient(f, gradient, theta, rtol=1e-3)


def test_the_floor_takes_the_larger_of_both_values_of_f():
    # f is 0 below theta and huge above: its rounding error is that of the huge value.
    slope = 1e-3

    def f(t):
        return 1e6 + slope * t[0] if t[0] > 0 else 1e6 - slope * abs(t[0])

    with pytest.raises(ArgumentError, match=r"found a rounding error of 0\.0013 with step 1e-06"):
        check_gradient(f, np.array([slope]), np.zeros(1))


@BOTH
def test_all_zero_gradients_agree(method):
    theta = np.array([1.0, 2.0])
    result = check_gradient(lambda t: 5.0 + 0 * t[0], np.zeros(2), theta, method=method)
    assert result == GradientCheck(0.0, "theta[0]")


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("directions", [None, 3])
def test_nan_and_inf_fail(method, value, directions):
    theta, rng = np.array([1.0, 2.0, 3.0]), np.random.default_rng(0)
    gradient = np.array([2.0, value, 6.0])
    with pytest.raises(GradientError, match="wrong, the worst at") as caught:
        check_gradient(lambda t: np.sum(t**2), gradient, theta, method=method, directions=directions, rng=rng)
    if directions is None:
        assert f"1 of 3 coordinates wrong, the worst at theta[1]: analytic {value}" in str(caught.value)
    else:
        assert "3 of 3 random directions wrong" in str(caught.value)
    with pytest.raises(GradientError, match=r"1 of 1 .* numeric inf"):
        check_gradient(lambda t: 1e305 * np.sign(t[0]), np.ones(1), np.zeros(1))
    with pytest.raises(GradientError, match="3 of 3"):
        check_gradient(lambda t: value + 0 * t[0], 2 * theta, theta, directions=directions, rng=rng, method="central")


def test_a_nan_at_one_coordinate_leaves_the_others_judged():
    def f(t):
        return np.sum(t**2) + (np.nan if t[1] > 2 else 0.0)

    theta = np.array([1.0, 2.0, 3.0])
    with pytest.raises(GradientError, match=r"1 of 3 .* theta\[1\]: analytic 4\.0, numeric nan, .* most 6\.02e-06"):
        check_gradient(f, 2 * theta, theta)
    with pytest.raises(GradientError, match=r"2 of 3 .* theta\[1\]: analytic 4\.0, numeric nan, .* most 6\.12e-06"):
        check_gradient(f, np.array([2.0, 4.0, 6.1]), theta)


@pytest.mark.parametrize(("method", "step"), [("central", 1e-6), ("complex", 1e-30)])
def test_default_steps(method, step):
    seen = []

    def f(t):
        seen.append(t[0])
        return t[0] ** 2

    check_gradient(f, np.zeros(1), np.zeros(1), method=method)
    # The first two look whether f is deterministic.
    assert seen[2:] == ([-step, step, -2 * step, 2 * step] if method == "central" else [1j * step])


@given(
    arrays(np.float64, (3, 3), elements=st.floats(-2, 2)),
    arrays(np.float64, 3, elements=st.floats(0.1, 2)),
    st.sampled_from(["central", "complex"]),
)
def test_quadratic_forms_pass_and_their_forgotten_transposes_fail(a, theta, method):
    right, wrong = (a + a.T) @ theta, 2 * a @ theta
    assume(np.abs(right).max() > 1e-2)
    check_gradient(lambda t: t @ a @ t, right, theta, method=method)
    check_gradient(lambda t: t @ a @ t, right, theta, method=method, directions=3, rng=np.random.default_rng(0))
    assume(np.abs(right - wrong).max() > 1e-4)
    with pytest.raises(GradientError):
        check_gradient(lambda t: t @ a @ t, wrong, theta, method=method)


def test_the_step_really_made_is_divided_by():
    # Near 1e8 doubles are 1.5e-8 apart: a step of 1e-6 is rounded by up to 0.7 %, 7500 times rtol.
    assert check_gradient(lambda t: t[0] - 1e8, np.ones(1), np.array([1e8 + 0.3])).relative_error < 1e-14
    with pytest.raises(ArgumentError, match=r"^step: found one too small to change theta"):
        check_gradient(lambda t: t[0], np.ones(1), np.array([1e12]))


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


def test_a_function_that_is_not_deterministic_is_refused():
    noise = np.random.default_rng(0)
    with pytest.raises(ArgumentError, match=r"^f: found two values .* expected one: is it deterministic\?$"):
        check_gradient(lambda t: t.sum() + 1e-3 * noise.standard_normal(), np.ones(3), np.ones(3))


@given(arrays(np.float64, 3, elements=st.floats(0.5, 2)))
def test_float32_inside_f_is_named(theta):
    def f(t):
        return float((t.astype(np.float32) ** 2).sum(dtype=np.float32))

    with pytest.raises((ArgumentError, GradientError), match="float32"):
        check_gradient(f, 2 * theta, theta)
    with pytest.raises(GradientError, match=r"f does not change there: is its precision float32\?$"):
        check_gradient(lambda t: 1e3 + f(1e-6 * t), theta, theta)


def test_float32_within_a_sum_of_float64_is_named():
    def f(t):
        return float((t.astype(np.float32) ** 2).sum(dtype=float) / 3)

    theta = np.full(3, 0.7)
    with pytest.raises(ArgumentError, match=r"^f: found noise or a jump .* lower precision"):
        check_gradient(f, 2 * theta / 3, theta)


# Found with a tanh network: f is 1e-4, what it is a difference of is 1, and so is the rounding.
@pytest.mark.parametrize(("seed", "shrunk"), [(27361, False), (37039, False), (41609, True), (65527, False)])
def test_rounding_that_cancellation_hides_is_named_and_the_gradient_not_blamed(seed, shrunk):
    rng = np.random.default_rng(seed)
    net = MLP((4, 1, 1, 1, 2), "tanh", "softmax", bias=True)
    theta, x = rng.uniform(-1.2, 1.2, net.size), rng.standard_normal((rng.integers(1, 10), 4))
    if seed // 2 % 3 == 0:
        theta *= 10.0 ** -rng.uniform(0, 2, net.size)
    output = 0 if shrunk else 1
    slope = input_gradient(net, theta, x, output=output)

    def f(inputs):
        return forward(net, theta, inputs)[:, output].sum()

    with pytest.raises(ArgumentError, match=r"^f: found noise .* from cancellation"):
        check_gradient(f, slope, x, directions=3, rng=np.random.default_rng(0))
    check_gradient(f, slope, x, directions=3, rng=np.random.default_rng(0), method="complex")


# The truncation error, drawn.


@given(st.floats(-2, 2), st.floats(0.1, 1), st.sampled_from([1e-3, 1e-2]))
@example(theta=0.0, size=1.0, step=1e-2)
def test_truncation_is_removed_and_hides_no_wrong_gradient(theta, size, step):
    """f = t + size t^3 has the truncation error size step^2, and no other."""

    def f(t):
        return t[0] + size * t[0] ** 3

    at, right = np.array([theta]), np.array([1 + 3 * size * theta**2])
    hidden = np.array([f(at + step) - f(at - step)]) / (2 * step)
    rtol = 0.2 * size * step**2 / right[0]
    check_gradient(f, right, at, step=step, rtol=rtol)
    with pytest.raises(ArgumentError, match=r"^step: found a truncation error of"):
        check_gradient(f, hidden, at, step=step, rtol=rtol)
    with pytest.raises(GradientError):
        check_gradient(f, 3 * hidden - 2 * right, at, step=step, rtol=rtol)


def test_a_step_too_wide_for_its_extrapolation_is_refused():
    theta = np.array([0.3])
    with pytest.raises(ArgumentError, match=r"^step: found a truncation error of .* take a smaller step"):
        check_gradient(lambda t: np.sin(t[0]), np.cos(theta), theta, step=0.5)
    # This gradient has the error that the extrapolation leaves, 3e-6, and agrees with it to the last digit.
    near, far = (np.cos(theta) * np.sin(h) / h for h in (0.1, 0.2))
    with pytest.raises(ArgumentError, match=r"^step: found a truncation error of 0\.0016 with step 0\.1"):
        check_gradient(lambda t: np.sin(t[0]), (4 * near - far) / 3, theta, step=0.1)


@given(vectors, st.sampled_from([1e-12, 1.0, 1e12]), st.data())
def test_polynomials_pass_and_any_entry_changed_fails(theta, scale, data):
    coefficients = data.draw(arrays(np.float64, theta.shape, elements=st.floats(0.5, 2)))

    def f(t):
        return scale * np.sum(coefficients * (t + t**3))

    right = scale * coefficients * (1 + 3 * theta**2)
    for method in ("central", "complex"):
        check_gradient(f, right, theta, method=method)
        index = data.draw(st.integers(0, theta.size - 1))
        wrong = right.copy()
        wrong[index] += data.draw(st.sampled_from([-1, 1])) * 1e-5 * np.abs(right).max()
        with pytest.raises(GradientError, match=rf"1 of {theta.size} .* worst at theta\[{index}\]"):
            check_gradient(f, wrong, theta, method=method)


def test_arrays_of_any_layout_are_left_as_they_are():
    theta = np.asfortranarray(THETA)
    padded = np.zeros((3, 6))
    padded[:, ::2] = RIGHT
    gradient = padded[:, ::2]
    theta.flags.writeable = gradient.flags.writeable = False
    check_gradient(smooth, gradient, theta)
    check_gradient(smooth, gradient, theta, directions=2, rng=np.random.default_rng(0), method="complex")
    with pytest.raises(GradientError, match=r"theta\[1, 2\]"):
        check_gradient(smooth, np.asfortranarray(one_entry(0.1)), theta)
    np.testing.assert_array_equal(theta, THETA)


def test_float32_is_refused():
    theta = np.ones(2, dtype=np.float32)
    with pytest.raises(ArgumentError, match=r"^theta: found 2 numbers of float32, .*float64, as float32 rounds"):
        check_gradient(lambda t: np.sum(t**2), 2 * theta, theta)
    with pytest.raises(ArgumentError, match=r"^gradient: found 2 numbers of float32"):
        check_gradient(lambda t: np.sum(t**2), 2 * theta, theta.astype(float))
    with pytest.raises(ArgumentError, match=r"^f: found a result of float32 for an array of float64"):
        check_gradient(lambda t: np.sum(t**2, dtype=np.float32), np.ones(2), np.ones(2))


def test_an_f_that_drops_the_imaginary_part_is_refused():
    with pytest.raises(ArgumentError, match=r"^f: found a result of float64 for an array of complex128"):
        check_gradient(lambda t: np.sum(np.abs(t)), np.ones(2), np.ones(2), method="complex")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "forward"}, "method: found 'forward', expected one of central, complex"),
        ({"step": 0}, "step: found 0, expected a finite number above 0"),
        ({"step": math.nan}, "step: found nan"),
        ({"step": math.inf}, "step: found inf"),
        ({"step": "1e-6"}, "step: found '1e-6'"),
        ({"step": True}, "step: found True"),
        ({"rtol": 0.0}, "rtol: found 0.0"),
        ({"rtol": -1}, "rtol: found -1"),
        ({"directions": 3}, "rng: found None"),
        ({"directions": 0, "rng": np.random.default_rng(0)}, "directions: found 0"),
        ({"directions": 2.0, "rng": np.random.default_rng(0)}, "directions: found 2.0"),
        ({"directions": True, "rng": np.random.default_rng(0)}, "directions: found True"),
        ({"gradient": np.ones(3)}, r"gradient: found shape \(3,\), expected \(2,\)"),
        ({"f": lambda t: t**2}, r"f: found a result of shape \(2,\), expected one number"),
        ({"theta": np.zeros(0), "gradient": np.zeros(0)}, "theta: found 0 numbers of float64"),
    ],
)
def test_bad_arguments(change, message):
    arguments = {"f": lambda t: np.sum(t**2), "gradient": np.full(2, 2.0), "theta": np.ones(2)} | change
    with pytest.raises(ArgumentError, match=f"^{message}"):
        check_gradient(**arguments)
