"""A few deep networks along ellipses, in a plane and at single points: made-up networks of which all is known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.sensitivity import measures, networks, portraits
from experiments.sensitivity.networks import PORTRAITS, Draw, Trial
from experiments.sensitivity.portraits import (
    ANCHORS,
    ANGLES,
    DIFFERENT,
    KINDS,
    RANDOM,
    SAME,
    along,
    coordinates,
    ellipse,
    near,
    plane,
    triples,
)
from experiments.trials import stream
from npnet.derivatives import jacobian
from npnet.fast import forward
from npnet.mlp import MLP

TRIAL = Trial(PORTRAITS, "mnist", "", 3, 2, 16, "relu", 1.0, 0.1, 16, 40)
# Each point is its own number, and its label the tens.
X, LABELS = np.arange(100.0)[:, None] + [0.0, 0.25], np.repeat(np.arange(10), 10)


# The anchors.


def test_triples_are_of_their_kind():
    for triple in triples(SAME, X, LABELS, 0, 40):
        assert triple.shape == (3, 2)
        numbers = triple[:, 0].astype(int)
        assert len(set(numbers)) == 3
        assert len(set(LABELS[numbers])) == 1
    for triple in triples(DIFFERENT, X, LABELS, 0, 40):
        assert len(set(LABELS[triple[:, 0].astype(int)])) == 3
    assert np.isin(np.concatenate(list(triples(DIFFERENT, X, LABELS, 0, 40))), X).all()
    noise = np.stack(list(triples(RANDOM, np.zeros((5, 100)), LABELS, 0, 40)))
    assert noise.shape == (40, 3, 100)
    np.testing.assert_allclose(noise.mean(axis=2), 0, atol=1e-6)
    np.testing.assert_allclose(noise.std(axis=2), 1, atol=1e-5)
    # A third of the numbers of a Gaussian lie beyond its deviation.
    assert abs((abs(noise) > 1).mean() - 0.317) < 0.02


@pytest.mark.parametrize("kind", [SAME, DIFFERENT])
def test_triples_are_of_all_classes(kind):
    found = np.concatenate(list(triples(kind, X, LABELS, 0, 60)))[:, 0].astype(int)
    assert set(LABELS[found]) == set(range(10))
    assert len(set(found)) > 60


def test_triples_of_fewer_are_the_first_and_each_seed_and_kind_has_its_own():
    for kind in KINDS:
        three, five = (list(triples(kind, X, LABELS, 1, number)) for number in (3, 5))
        np.testing.assert_array_equal(three, five[:3])
        others = list(triples(kind, X, LABELS, 2, 5))
        assert not np.array_equal(five, others)
    assert not np.array_equal(*(np.sort(list(triples(kind, X, LABELS, 1, 1)), axis=None) for kind in (SAME, DIFFERENT)))


def test_each_kind_has_its_own_draws(monkeypatch):
    drawn = []
    monkeypatch.setattr(portraits, "stream", lambda *numbers: drawn.append(numbers) or stream(*numbers))
    for kind in KINDS:
        list(triples(kind, X, LABELS, 7, 1))
    assert drawn == [(Draw.ANCHORS, 7, number) for number in range(3)]


# Along an ellipse.

anchors = hnp.arrays(np.float64, st.tuples(st.just(3), st.integers(1, 4)), elements=st.floats(-9, 9, width=32))


def test_points_by_hand():
    # m = 2, u = 2 - 3 = -1, v = (3 - 0) / sqrt(3) = sqrt(3).
    root = np.sqrt(3)
    three = np.array([[3.0], [3.0], [0.0]])
    np.testing.assert_allclose(ellipse(*three, 4)[:, 0], [1, 2 + root, 3, 2 - root], rtol=1e-14)
    # An equilateral triangle lies on a circle.
    corners = np.array([[0.5, root / 2], [-1.0, 0.0], [0.5, -root / 2]])
    np.testing.assert_allclose(ellipse(*corners, 4), [[1, 0], [0, 1], [-1, 0], [0, -1]], atol=1e-15)


@given(anchors, st.integers(1, 9))
def test_it_passes_through_its_anchors_in_order_and_turns_around_their_mean(three, times):
    found = ellipse(*three, 6 * times)
    assert found.shape == (6 * times, three.shape[1])
    np.testing.assert_allclose(found[[times, 3 * times, 5 * times]], three, atol=1e-13)
    np.testing.assert_allclose(found.mean(axis=0), three.mean(axis=0), atol=1e-13)


@given(anchors, st.integers(1, 50))
def test_it_is_closed_and_takes_equal_steps_of_the_angle(three, k):
    found = ellipse(*three, k)
    np.testing.assert_array_equal(ellipse(*three, 2 * k)[::2], found)
    # z(t + h) + z(t - h) - 2 m = 2 cos(h) (z(t) - m), over the end as well.
    m = three.mean(axis=0)
    neighbours = np.roll(found, -1, axis=0) + np.roll(found, 1, axis=0) - 2 * m
    np.testing.assert_allclose(neighbours, 2 * np.cos(2 * np.pi / k) * (found - m), atol=1e-12)


@given(hnp.arrays(np.float32, (3, 6), elements=st.floats(-9, 9, width=32)), st.integers(1, 12))
def test_it_keeps_the_dtype(three, k):
    three.flags.writeable = False
    found = ellipse(*three, k)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, ellipse(*three.astype(np.float64), k), rtol=1e-5, atol=1e-5)


def test_anchors_lie_where_it_is_said():
    a, b, c = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(ellipse(a, b, c, ANGLES)[list(ANCHORS)], [a, b, c], atol=1e-12)
    assert portraits.STEPS % ANGLES == 0


@pytest.fixture
def known(monkeypatch):
    """The norms and transitions of an ellipse, by its first anchor, instead of a network's."""
    norms, steps = {}, {}

    def of(what, path):
        # Its centre is a third of the sum of the anchors, and the two others are 0.
        return what[round(3 * float(path.mean(axis=0)[0]))]

    monkeypatch.setattr(portraits, "jacobian_norms", lambda net, theta, path: of(norms, path))
    monkeypatch.setattr(
        portraits, "transitions", lambda net, theta, path: of(steps, path)[:: portraits.STEPS // len(path)]
    )
    for each in (1, 2, 3):
        norms[each], steps[each] = np.full(ANGLES, 10.0), np.zeros(portraits.STEPS, dtype=np.int64)

    def looked():
        return along(None, None, iter([np.array([[each, 0], [0, 0], [0, 0]], dtype=float) for each in (1, 2, 3)]))

    return norms, steps, looked


def test_anchors_and_the_peaks_between_them(known):
    norms, _, looked = known
    first, second, third = ANCHORS
    norms[1][[first, second, third]] = 1, 0.1, 0.01
    # The arcs begin at an anchor and end before the next; the last goes on over the beginning.
    norms[1][[first + 1, third - 1, third + 1]] = 1e2, 1e4, 1e3
    norms[2][[0, second - 1, second]] = 1e5, 1e3, 1e4
    norms[3][[first - 1, first]] = 1e5, 1e8
    found = looked()
    assert found["anchors"] == pytest.approx([-1, (1 + 4 + 1) / 3, (8 + 1 + 1) / 3])
    assert found["peaks"] == pytest.approx([(2 + 4 + 3) / 3, (3 + 4 + 5) / 3, (8 + 1 + 5) / 3])
    assert found["level"] == pytest.approx([1, 1, 1])


def test_the_level_is_the_median_order(known):
    norms, _, looked = known
    norms[1][: ANGLES // 2 + 1] = 1e3
    norms[2][: ANGLES // 2 - 1] = 1e3
    norms[3][:] = np.logspace(-4, 4, ANGLES)
    assert looked()["level"] == pytest.approx([3, 1, 0])


def test_a_norm_of_zero_is_shown(known):
    norms, _, looked = known
    norms[1][ANCHORS[0]] = 0
    norms[2][:] = 0
    found = looked()
    assert found["anchors"] == [-np.inf, -np.inf, 1]
    assert found["level"] == found["peaks"] == [1, -np.inf, 1]


def test_quartiles_over_the_ellipses(known):
    norms, steps, looked = known
    norms[1][5], norms[2][5], norms[3][5] = 3, 1, 2
    per_angle = portraits.STEPS // ANGLES
    for each in (1, 2, 3):
        steps[each][5 * per_angle : 6 * per_angle] = each
        steps[each][0] = 10
    found = looked()
    assert np.array(found["norm"]).shape == np.array(found["density"]).shape == (3, ANGLES)
    assert [row[5] for row in found["norm"]] == [1.5, 2, 2.5]
    assert [row[6] for row in found["norm"]] == [10, 10, 10]
    assert [row[5] for row in found["density"]] == [1.5 * per_angle, 2 * per_angle, 2.5 * per_angle]
    assert [row[0] for row in found["density"]] == [10, 10, 10]
    assert sum(found["density"][1]) == 2 * per_angle + 10
    assert found["transitions"] == [10 + each * per_angle for each in (1, 2, 3)]


def test_along_a_known_network():
    # One unit, on where the first input is positive: twice on each ellipse around 0, and never off it.
    net = MLP((2, 1, 2), loss="softmax", bias=False)
    theta = np.array([1.0, 0, 1, -1])
    around = np.array([[1.0, 0], [-0.5, 0.75], [-0.5, -0.75]])
    found = along(net, theta, iter([around, around + np.array([10, 0])]))
    assert found["transitions"] == [2, 0]
    # Where the unit is off the derivative is 0.
    assert found["peaks"] == [-np.inf, pytest.approx(np.mean(found["peaks"][1]))]
    assert found["anchors"][0] == -np.inf
    assert np.isfinite(found["anchors"][1])


# In a plane.


def test_coordinates_of_the_picture():
    where = coordinates()
    side = np.array([-0.4 + 1.8 * k / 108 for k in range(109)])
    np.testing.assert_allclose(where[3, :, 0], side)
    np.testing.assert_allclose(where[:, 5, 1], side)
    assert (where[3, :, 1] == where[3, 0, 1]).all()


def test_near_the_anchors():
    marked = near()
    assert marked.shape == (108, 108)
    for row in range(0, 108, 3):
        for column in range(0, 108, 3):
            s, t = (-0.4 + 1.8 * k / 108 for k in (column, row))
            distance = min(np.hypot(s - p, t - q) for p, q in ((0, 0), (1, 0), (0, 1)))
            assert marked[row, column] == (distance < 0.1)
    assert marked.sum() == pytest.approx(3 * np.pi * 0.1**2 / (1.8 / 108) ** 2, rel=0.05)


# Where (s, t) = (0, 0), (1, 0) and (0, 1): the first input is s - 0.37, the second t - 0.63.
TRIANGLE = np.array([[-0.37, -0.63], [0.63, -0.63], [-0.37, 0.37]])


def crossings(lines):
    """(SIDE, SIDE) zeros, with ones before the lines s = 0.37 and t = 0.63, as wanted."""
    side = -0.4 + 1.8 * np.arange(109) / 108
    picture = np.zeros((108, 108), dtype=int)
    if "s" in lines:
        picture[:, np.searchsorted(side, 0.37) - 1] += 1
    if "t" in lines:
        picture[np.searchsorted(side, 0.63) - 1] += 1
    return picture


def test_a_plane_of_which_the_boundaries_are_known():
    net = MLP((2, 2, 2), loss="softmax", bias=False)
    theta = np.array([1.0, 0, 0, 1, 0, 0, 0, 0])
    np.testing.assert_array_equal(plane(net, theta, *TRIANGLE), crossings("st"))
    np.testing.assert_array_equal(plane(net, np.array([-1.0, 0, 1, 0, 0, 0, 0, 0]), *TRIANGLE), 2 * crossings("s"))


def test_a_plane_shows_the_last_hidden_layer_alone():
    # The first layer has both lines, the second adds up again what is above and below t's.
    net = MLP((2, 4, 1, 2), loss="softmax", bias=False)
    theta = np.array([1.0, 0, -1, 0, 0, 1, 0, -1, 0, 0, 1, -1, 0, 0])
    np.testing.assert_array_equal(plane(net, theta, *TRIANGLE), crossings("t"))


# All of it.


@pytest.fixture
def small(monkeypatch):
    for name, value in (
        ("ELLIPSES", 2),
        ("ANGLES", 12),
        ("STEPS", 24),
        ("PLANES", 2),
        ("SIDE", 9),
        ("POINTS", 20),
    ):
        monkeypatch.setattr(portraits, name, value)
    monkeypatch.setattr(portraits, "ANCHORS", (2, 6, 10))
    monkeypatch.setattr(networks, "CERTAIN", 0.1)


def cross_entropies(net, theta, x, labels):
    logits = forward(net, theta.astype(float), x)
    return np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(x)), labels]


def test_a_portrait(dataset, small, monkeypatch):
    planes, drawn = [], plane
    monkeypatch.setattr(
        portraits,
        "plane",
        lambda net, theta, *abc: planes.append((theta, abc, drawn(net, theta, *abc))) or planes[-1][2],
    )
    (found,) = measures.measure([TRIAL], dataset)
    assert json.loads(json.dumps(found)) == found
    x, labels = networks.examples(TRIAL, dataset)
    net = networks.network(TRIAL, dataset)
    done = networks.fit(TRIAL, net, x, labels)
    theta, test = done.theta, networks.test_set(dataset)
    assert found["epochs"] == len(done.history)
    assert found["training_accuracy"] == 1
    assert found["training_loss"] == pytest.approx(cross_entropies(net, theta, x, labels).mean(), rel=1e-3)
    assert found["test_accuracy"] == (forward(net, theta, test).argmax(axis=1) == dataset.test_labels).mean()

    flat = x.reshape(len(x), -1)
    for kind in KINDS:
        assert found["ellipses"][kind] == along(net, theta, triples(kind, flat, labels, TRIAL.seed, 2))

    # The same planes before and after, of different classes.
    start = networks.initial_theta(TRIAL, net)
    wanted = list(triples(DIFFERENT, flat, labels, TRIAL.seed, 2))
    for (parameters, abc, _), same, triple in zip(planes, [start] * 2 + [theta] * 2, wanted * 2, strict=True):
        np.testing.assert_array_equal(parameters, same)
        np.testing.assert_array_equal(abc, triple)
    for k, name in enumerate(("before", "after")):
        counts = [picture for _, _, picture in planes[2 * k : 2 * k + 2]]
        assert found["pictures"][name] == counts[0].tolist()
        assert found["planes"][name] == [
            {"near": pytest.approx(each[near()].mean()), "everywhere": pytest.approx(each.mean())} for each in counts
        ]

    points = stream(Draw.POINTS).permutation(60)[:20]
    norms = np.sqrt((jacobian(net, theta.astype(float), test[points], "probability") ** 2).sum(axis=(1, 2)))
    np.testing.assert_allclose(found["points"]["norm"], norms, rtol=1e-3)
    truth = dataset.test_labels[points]
    assert found["points"]["wrong"] == (forward(net, theta, test[points]).argmax(axis=1) != truth).astype(int).tolist()
    losses = cross_entropies(net, theta, test[points], truth)
    np.testing.assert_allclose(found["points"]["loss"], losses, rtol=1e-3, atol=1e-6)


def test_a_portrait_of_images_in_colour(colourful, small):
    (found,) = measures.measure([TRIAL], colourful)
    assert found["training_accuracy"] == 1
    assert len(found["points"]["norm"]) == 20
    assert np.shape(found["pictures"]["after"]) == (9, 9)
