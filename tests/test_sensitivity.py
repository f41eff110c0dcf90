"""Sensitivity: norms of Jacobians against the Jacobians, and linear pieces counted along closed paths."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from strategies import KINKS, cases

from npnet import derivatives, sensitivity
from npnet.backprop import forward, probabilities
from npnet.derivatives import activation_codes, jacobian
from npnet.errors import ArgumentError, DataError
from npnet.kernels.passes import CHUNK
from npnet.mlp import MLP
from npnet.sensitivity import Transitions, jacobian_norms, mean_transitions, transitions
from npnet.trajectories import ellipse, translations

PROBABLE = ("bce", "softmax")


def outputs(net, theta, x, of):
    logits = forward(net, theta, x)
    return probabilities(net, logits) if of == "probability" else logits


# Norms.


def test_norms_of_a_linear_network_by_hand():
    net, theta = MLP((3, 2), loss="softmax"), np.array([1.0, -2, 3, 0, 5, -6, 0.5, -0.5])
    x = np.array([[1.0, 0.5, -1], [0.25, 0, 1]])
    # Whatever x, the Jacobian of the logits are the weights.
    np.testing.assert_allclose(jacobian_norms(net, theta, x, "logit"), [math.sqrt(75)] * 2, rtol=1e-14)
    # The logits differ by 10.5 and 10.25; the two rows are p (1 - p) (1, -7, 9) and its negative.
    expected = math.sqrt(2 * 131) / (2 + 2 * np.cosh([10.5, 10.25]))
    np.testing.assert_allclose(jacobian_norms(net, theta, x), expected, rtol=1e-13)


def test_norms_behind_units_that_are_off_by_hand():
    net, theta = MLP((2, 2, 1), loss="squared"), np.array([1, 2, -3, 1, 0.5, -0.5, 4, 5, -1])
    # 4 (1, 2), as the second unit is off, and 4 (1, 2) + 5 (-3, 1).
    found = jacobian_norms(net, theta, [[1.0, 2], [0, 2]], "logit")
    np.testing.assert_allclose(found, [math.sqrt(80), math.sqrt(290)], rtol=1e-14)
    # Two inputs that the network does not look at: it is shortened now.
    wider = MLP((4, 2, 1), loss="squared")
    theta = np.array([1, 0, 2, 0, -3, 0, 1, 0, 0.5, -0.5, 4, 5, -1])
    found = jacobian_norms(wider, theta, [[1.0, 9, 2, -9], [0, 9, 2, -9]], "logit")
    np.testing.assert_allclose(found, [math.sqrt(80), math.sqrt(290)], rtol=1e-14)


@given(cases())
def test_norms_are_those_of_the_jacobian_of_logits(case):
    net, theta, x, _ = case
    expected = np.linalg.norm(jacobian(net, theta, x, "logit"), axis=(1, 2))
    np.testing.assert_allclose(jacobian_norms(net, theta, x, "logit"), expected, rtol=1e-9, atol=1e-12)


@given(cases(losses=PROBABLE))
def test_norms_are_those_of_the_jacobian_of_probabilities(case):
    net, theta, x, _ = case
    expected = np.linalg.norm(jacobian(net, theta, x, "probability"), axis=(1, 2))
    np.testing.assert_allclose(jacobian_norms(net, theta, x), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("of", ["logit", "probability"])
@given(case=cases(losses=PROBABLE))
def test_norms_by_finite_differences(of, case):
    net, theta, x, _ = case
    squares, step = np.zeros(len(x)), 1e-6
    for unit in step * np.eye(net.inputs):
        slope = (outputs(net, theta, x + unit, of) - outputs(net, theta, x - unit, of)) / (2 * step)
        squares += (slope**2).sum(axis=1)
    np.testing.assert_allclose(jacobian_norms(net, theta, x, of), np.sqrt(squares), rtol=1e-6, atol=2e-8)


@pytest.mark.parametrize("of", ["logit", "probability"])
def test_a_norm_is_what_small_noise_does_to_the_outputs(of):
    """E‖f(x + dx) - f(x)‖² = e ‖J‖². Of n draws, the mean has the deviation e sqrt(2 / n) ‖J Jᵀ‖; five are allowed."""
    n, deviation = 2000, 1e-5
    net, rng = MLP((6, 5, 3), "tanh", "softmax"), np.random.default_rng(0)
    theta, x = net.init(rng, dtype=np.float64), rng.standard_normal((1, 6))
    noise = deviation * rng.standard_normal((n, 6))
    change = outputs(net, theta, x + noise, of) - outputs(net, theta, x, of)
    found = (change**2).sum(axis=1).mean() / deviation**2
    j = jacobian(net, theta, x, of)[0]
    allowed = 5 * math.sqrt(2 / n) * np.linalg.norm(j @ j.T)
    assert found == pytest.approx(jacobian_norms(net, theta, x, of)[0] ** 2, abs=allowed)


@pytest.mark.parametrize("loss", PROBABLE)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("z", [0.5, 20, 60])
def test_a_network_that_is_certain_keeps_its_digits(loss, dtype, z):
    """At 20 the larger probability is 1 in float32, and at 60 the square of the norm is 0."""
    net = MLP((3, 2), loss=loss, bias=False)
    theta = np.array([z, 0, 0, 0 if loss == "softmax" else -z, 0, 0], dtype)
    found = jacobian_norms(net, theta, [[1.0, 0, 0]])
    small = math.exp(-z) / (1 + math.exp(-z)) ** 2
    assert found.dtype == dtype
    np.testing.assert_allclose(found, [math.sqrt(2) * z * small], rtol=1e-5 if dtype == np.float32 else 1e-12)


@pytest.mark.parametrize(("inputs", "looked_at"), [(9, 3), (4, 3), (3, 3), (2, 2)])
def test_the_backward_pass_visits_no_more_inputs_than_units(monkeypatch, inputs, looked_at):
    seen = []

    def note(net, *rest, **settings):
        seen.append(net.widths)
        return derivatives.backward(net, *rest, **settings)

    monkeypatch.setattr(sensitivity, "backward", note)
    net = MLP((inputs, 3, 2), "tanh", "softmax")
    jacobian_norms(net, net.init(np.random.default_rng(0)), np.ones((1, inputs)))
    assert seen == [(looked_at, 3, 2)] * 2


def test_more_examples_than_a_chunk():
    net, rng = MLP((3, 2, 2), "relu", "softmax"), np.random.default_rng(3)
    theta, x = rng.standard_normal(net.size), rng.standard_normal((CHUNK + 2, 3))
    halves = [jacobian_norms(net, theta, part) for part in (x[:70], x[70:])]
    np.testing.assert_allclose(jacobian_norms(net, theta, x), np.concatenate(halves), rtol=1e-12)


@pytest.mark.parametrize("inputs", [2, 9])
def test_dtypes_layouts_and_purity(inputs):
    net, rng = MLP((inputs, 3, 2), "tanh", "softmax"), np.random.default_rng(1)
    theta, x = net.init(rng, dtype=np.float64), rng.standard_normal((4, inputs))
    pixels = rng.integers(0, 256, (4, inputs), dtype=np.uint8)
    before = theta.copy(), x.copy()
    for array in (theta, x):
        array.flags.writeable = False
    wanted = jacobian_norms(net, theta, x)
    for like in (np.asfortranarray(x), np.repeat(x, 2, axis=0)[::2], x.reshape(4, inputs, 1), x.tolist()):
        assert np.array_equal(jacobian_norms(net, np.repeat(theta, 2)[::2], like), wanted)
    assert np.array_equal(theta, before[0])
    assert np.array_equal(x, before[1])
    single = jacobian_norms(net, theta.astype(np.float32), x)
    assert (single.dtype, wanted.dtype, wanted.shape) == (np.float32, np.float64, (4,))
    np.testing.assert_allclose(single, wanted, rtol=1e-5)
    np.testing.assert_allclose(jacobian_norms(net, theta, pixels), jacobian_norms(net, theta, pixels / 255), rtol=1e-12)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_diverged_network_shows_it(value):
    net, x = MLP((3, 2, 2), "tanh", "softmax"), np.ones((2, 3))
    theta = np.ones(net.size)
    theta[0] = value
    for of in ("logit", "probability"):
        with np.errstate(all="ignore"):
            found = jacobian_norms(net, theta, x, of)
        assert not np.isfinite(found).any()


@pytest.mark.parametrize(
    ("net", "theta", "x", "of", "message"),
    [
        (MLP((1, 2)), np.ones(4), [[1.0]], "loss", "of: found 'loss', expected 'logit' or 'probability'"),
        (
            MLP((1, 2), loss="squared"), np.ones(4), [[1.0]], "probability",
            "net: found the squared loss, expected bce or softmax, whose logits stand for probabilities",
        ),
        (MLP((1, 2)), np.ones(3), [[1.0]], "logit", "theta: found shape (3,), expected (4,) for widths (1, 2)"),
        (
            MLP((1, 2)), np.ones(4, complex), [[1.0]], "logit",
            "theta, x: found complex numbers, expected real ones, whose norm is wanted",
        ),
        (
            MLP((1, 2)), np.ones(4), [[1j]], "logit",
            "theta, x: found complex numbers, expected real ones, whose norm is wanted",
        ),
    ],
)  # fmt: skip
def test_norms_that_are_refused(net, theta, x, of, message):
    with pytest.raises(ArgumentError) as error:
        jacobian_norms(net, theta, x, of)
    assert str(error.value) == message


# Transitions.

# Units that turn on at 0 and at 1.
TWO, TWO_THETA = MLP((1, 2, 1)), np.array([1.0, 1, 0, -1, 1, 1, 0])


def column(*points):
    return np.array(points, dtype=float)[:, None]


def test_transitions_by_hand():
    found = transitions(TWO, TWO_THETA, column(-1, 0.5, 2, 3, 0.5))
    assert found.tolist() == [1, 1, 0, 1, 1]
    assert found.dtype == np.int64
    # On and off with a second layer: it sees max(x, 0) + max(x - 1, 0) - 1.5 and is on from x = 1.25.
    deep, theta = MLP((1, 2, 1, 1)), np.array([1.0, 1, 0, -1, 1, 1, -1.5, 1, 0])
    assert transitions(deep, theta, column(-1, 1.2, 1.3)).tolist() == [2, 1, 3]


def test_a_jump_over_a_piece_counts_two():
    net, theta = MLP((1, 2, 1), "relu6"), np.array([1.0, -1, 0, 0, 1, 1, 0])
    # The second unit runs the other way.
    assert transitions(net, theta, column(-1, 1, 7, -7)).tolist() == [2, 1, 4, 1]


def test_many_units_at_once():
    net = MLP((1, 300, 1), "hard_tanh", bias=False)
    assert transitions(net, np.ones(net.size), column(-2, 2)).tolist() == [600, 600]


def test_nothing_happens_where_nothing_moves_or_is_hidden():
    assert transitions(TWO, TWO_THETA, column(0.5, 0.5, 0.5)).tolist() == [0, 0, 0]
    assert transitions(TWO, TWO_THETA, column(2)).tolist() == [0]
    assert transitions(MLP((1, 1)), np.ones(2), column(-1, 1)).tolist() == [0, 0]
    assert transitions(MLP((1, 1, 1), "identity"), np.ones(4), column(-1, 1)).tolist() == [0, 0]


@given(cases(activations=tuple(KINKS), min_hidden=1))
def test_transitions_are_distances_of_codes(case):
    net, theta, path, _ = case
    codes = activation_codes(net, theta, path).astype(int)
    expected = [np.abs(codes[i] - codes[(i + 1) % len(path)]).sum() for i in range(len(path))]
    found = transitions(net, theta, path)
    assert found.tolist() == expected
    # What a unit leaves it comes back to.
    assert found.sum() % 2 == 0


@given(cases(activations=tuple(KINKS), min_hidden=1), st.integers(-9, 9))
def test_neither_the_start_nor_the_direction_matters(case, shift):
    net, theta, path, _ = case
    found = transitions(net, theta, path)
    assert transitions(net, theta, np.roll(path, shift, axis=0)).tolist() == np.roll(found, shift).tolist()
    assert transitions(net, theta, path[::-1]).sum() == found.sum()


@given(cases(activations=tuple(KINKS), min_hidden=1), st.integers(1, 12), st.integers(0, 99))
def test_more_points_see_no_less(case, k, seed):
    net, theta, _, _ = case
    rng = np.random.default_rng(seed)
    anchors, image = 3 * rng.standard_normal((3, net.inputs)), rng.standard_normal((1, net.inputs))
    paths = (lambda points: ellipse(*anchors, points)), (lambda points: translations(image, points * net.inputs))
    for path in paths:
        coarse, fine = (transitions(net, theta, path(points)) for points in (k, 2 * k))
        assert (fine.reshape(-1, 2).sum(axis=1) >= coarse).all()


def test_transitions_that_are_refused():
    with pytest.raises(ArgumentError, match=r"^activation: found 'tanh', expected a piecewise linear one"):
        transitions(MLP((1, 2, 1), "tanh"), TWO_THETA, column(0, 1))
    with pytest.raises(ArgumentError, match=r"^x: found shape \(2, 2\), expected"):
        transitions(TWO, TWO_THETA, np.zeros((2, 2)))
    with pytest.raises(DataError, match=r"^x: found nan in example 1, input 0; expected finite numbers$"):
        transitions(TWO, TWO_THETA, column(0, math.nan))


# Their mean, with as many points as it needs.

STEP, STEP_THETA = MLP((1, 1, 1), bias=False), np.ones(2)


def flips(number, k):
    """A path of k points with so many transitions (an even number) of the one unit, which is on where x > 0."""
    return column(*([-1, 1] * (number // 2) + [-1] * (k - number)))


def counting(counts):
    """`paths` with these totals, {k: one for each example}, and a list of the k that were asked for."""
    asked = []

    def paths(k):
        asked.append(k)
        return (flips(number, k) for number in counts[k])

    return paths, asked


def measure(paths, k, **settings):
    return mean_transitions(STEP, STEP_THETA, paths, k, **settings)


def test_points_are_doubled_until_the_mean_settles():
    counts = {4: (2, 4), 8: (4, 4), 16: (4, 6), 32: (4, 6), 64: (4, 6)}
    paths, asked = counting(counts)
    found = measure(paths, 4, tolerance=0.01, most=1000)
    assert isinstance(found, Transitions)
    assert (found.each.tolist(), found.each.dtype, found.k, found.change) == ([4, 6], np.int64, 32, 0.0)
    assert asked == [4, 8, 16, 32]


@pytest.mark.parametrize(
    ("tolerance", "k", "change"), [(0.251, 8, 0.25), (0.25, 16, 0.2), (0.2, 32, 0.0), (1e-9, 32, 0)]
)
def test_the_change_is_relative_and_must_be_less_than_the_tolerance(tolerance, k, change):
    # Means 3, 4, 5, 5.
    paths, asked = counting({4: (2, 4), 8: (4, 4), 16: (4, 6), 32: (4, 6)})
    found = measure(paths, 4, tolerance=tolerance, most=64)
    assert (found.k, asked[-1]) == (k, k)
    assert found.change == pytest.approx(change, rel=1e-15)


@pytest.mark.parametrize(("most", "last"), [(32, 32), (33, 32), (63, 32), (31, 16), (4, 4)])
def test_a_path_that_never_settles_ends_at_the_limit(most, last):
    asked = []
    found = measure(lambda k: asked.append(k) or [flips(k, k)] * 2, 2, tolerance=0.4, most=most)
    assert (found.each.tolist(), found.k, found.change) == ([last, last], last, 0.5)
    assert asked == [k for k in (2, 4, 8, 16, 32) if k <= last]


@pytest.mark.parametrize("most", [4, 7])
def test_without_room_to_double_there_is_no_change_to_tell(most):
    paths, asked = counting({4: (2, 4)})
    found = measure(paths, 4, tolerance=0.5, most=most)
    assert (found.each.tolist(), found.k, asked) == ([2, 4], 4, [4])
    assert math.isnan(found.change)


def test_no_transitions_have_settled_and_fewer_than_before_have_not():
    paths, _ = counting({4: (0, 0), 8: (0, 0)})
    assert measure(paths, 4, tolerance=0.1, most=64)[1:] == (8, 0.0)
    # Not of one path at more points, so they may become fewer.
    paths, _ = counting({4: (4, 4), 8: (0, 0), 16: (0, 2), 32: (0, 2)})
    assert measure(paths, 4, tolerance=0.1, most=8)[1:] == (8, 1.0)
    paths, _ = counting({4: (4, 4), 8: (2, 0), 16: (0, 2)})
    assert measure(paths, 4, tolerance=0.1, most=8)[1:] == (8, 0.75)


def test_totals_are_those_of_each_path():
    net, rng = MLP((12, 8, 8, 3), "hard_sigmoid", "softmax"), np.random.default_rng(0)
    theta, images = net.init(rng, gain=3.0), rng.standard_normal((3, 3, 4)).astype(np.float32)
    found = mean_transitions(
        net, theta, lambda k: (translations(image, k) for image in images), 4, tolerance=0.05, most=512
    )
    assert found.each.tolist() == [transitions(net, theta, translations(image, found.k)).sum() for image in images]
    assert found.change < 0.05
    assert len(set(found.each)) == 3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"k": 0}, "k: found 0, expected at least 1"),
        ({"tolerance": 0}, "tolerance: found 0, expected more than 0"),
        ({"tolerance": math.nan}, "tolerance: found nan, expected more than 0"),
        ({"most": 3}, "most: found 3, expected at least k, 4"),
        ({"paths": lambda k: []}, "paths: found none, expected a path for each example"),
        ({"paths": lambda k: [flips(2, 5)]}, "paths: found a path of 5 points, expected k = 4"),
    ],
)
def test_means_that_are_refused(settings, message):
    settings = {"paths": lambda k: [flips(2, k)], "k": 4, "tolerance": 0.1, "most": 64} | settings
    with pytest.raises(ArgumentError) as error:
        measure(settings.pop("paths"), settings.pop("k"), **settings)
    assert str(error.value) == message
