"""A few deep networks along ellipses, in a plane and at single points: made-up networks of which all is known."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.sensitivity import measures, networks
from experiments.sensitivity.measures import DIFFERENT, KINDS, RANDOM, SAME, along, ellipse, near, plane, triples
from experiments.sensitivity.networks import PORTRAITS, Draw, Trial
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
    assert not np.array_equal(noise[:5], list(triples(RANDOM, np.zeros((5, 100)), LABELS, 1, 5)))


# Along an ellipse.

anchors = hnp.arrays(np.float64, st.tuples(st.just(3), st.integers(1, 4)), elements=st.floats(-9, 9, width=32))


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


def test_anchors_lie_where_it_is_said():
    a, b, c = np.random.default_rng(0).normal(size=(3, 4))
    np.testing.assert_allclose(ellipse(a, b, c, measures.ANGLES)[list(measures.ANCHORS)], [a, b, c], atol=1e-12)
    assert measures.STEPS % measures.ANGLES == 0


def looked(monkeypatch, norms, steps):
    """What is found along ellipses of these norms and transitions, instead of a network's."""
    norms, steps = iter(norms), iter(steps)
    monkeypatch.setattr(measures, "jacobian_norms", lambda *_: next(norms))
    monkeypatch.setattr(measures, "transitions", lambda *_: next(steps))
    return along(None, None, np.zeros((3, 3, 2)))


def test_anchors_and_the_peaks_between_them(monkeypatch):
    norms = np.full((3, measures.ANGLES), 10.0)
    first, second, third = measures.ANCHORS
    norms[0, [first, second, third]] = 1, 0.1, 0.01
    # The arcs begin at an anchor and end before the next; the last goes on over the beginning.
    norms[0, [first + 1, third - 1, third + 1]] = 1e2, 1e4, 1e3
    norms[1, [0, second - 1, second]] = 1e5, 1e3, 1e4
    norms[2, [first - 1, first]] = 1e5, 1e8
    found = looked(monkeypatch, norms, np.zeros((3, measures.STEPS)))
    assert found["anchors"] == pytest.approx([-1, (1 + 4 + 1) / 3, (8 + 1 + 1) / 3])
    assert found["peaks"] == pytest.approx([(2 + 4 + 3) / 3, (3 + 4 + 5) / 3, (8 + 1 + 5) / 3])
    assert found["level"] == pytest.approx([1, 1, 1])


def test_quartiles_over_the_ellipses(monkeypatch):
    norms, steps = np.full((3, measures.ANGLES), 10.0), np.zeros((3, measures.STEPS), dtype=np.int64)
    norms[:, 5] = 3, 1, 2
    per_angle = measures.STEPS // measures.ANGLES
    steps[:, 5 * per_angle : 6 * per_angle] = [[1], [2], [3]]
    steps[:, 0] = 10
    found = looked(monkeypatch, norms, steps)
    assert np.array(found["norm"]).shape == np.array(found["density"]).shape == (3, measures.ANGLES)
    assert [row[5] for row in found["norm"]] == [1.5, 2, 2.5]
    assert [row[5] for row in found["density"]] == [1.5 * per_angle, 2 * per_angle, 2.5 * per_angle]
    assert found["transitions"] == [10 + each * per_angle for each in (1, 2, 3)]


def test_along_a_known_network():
    # One unit, on where the first input is positive: twice on each ellipse around 0, and never off it.
    net = MLP((2, 1, 2), loss="softmax", bias=False)
    theta = np.array([1.0, 0, 1, -1])
    around = np.array([[1.0, 0], [-0.5, 0.75], [-0.5, -0.75]])
    found = along(net, theta, iter([around, around + np.array([10, 0])]))
    assert found["transitions"] == [2, 0]
    # Where the unit is off the derivative is 0.
    assert found["peaks"][0] == found["anchors"][0] == -np.inf
    assert np.isfinite([found["peaks"][1], found["anchors"][1]]).all()


# In a plane.


def test_near_the_anchors():
    s, t = np.meshgrid(*[-0.4 + 1.8 * np.arange(108) / 108] * 2)
    distance = np.min([np.hypot(s - p, t - q) for p, q in ((0, 0), (1, 0), (0, 1))], axis=0)
    np.testing.assert_array_equal(near(), distance < 0.1)


# Where (s, t) = (0, 0), (1, 0) and (0, 1): the first input is s - 0.37, the second t - 0.63.
TRIANGLE = np.array([[-0.37, -0.63], [0.63, -0.63], [-0.37, 0.37]])


def crossings(lines):
    """(SIDE, SIDE) zeros, with ones before the lines s = 0.37 and t = 0.63, as wanted."""
    side = -0.4 + 1.8 * np.arange(109) / 108
    picture = np.zeros((108, 108), dtype=int)
    picture[:, np.searchsorted(side, 0.37) - 1] += "s" in lines
    picture[np.searchsorted(side, 0.63) - 1] += "t" in lines
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
    sizes = {"ELLIPSES": 2, "ANGLES": 12, "STEPS": 24, "PLANES": 2, "SIDE": 9, "POINTS": 20, "ANCHORS": (2, 6, 10)}
    for name, value in sizes.items():
        monkeypatch.setattr(measures, name, value)
    monkeypatch.setattr(networks, "CERTAIN", 0.1)


@pytest.mark.parametrize("name", ["dataset", "colourful"])
def test_a_portrait(request, small, name):
    data = request.getfixturevalue(name)
    (found,) = measures.measure([TRIAL], data)
    assert json.loads(json.dumps(found)) == found
    x, labels = networks.examples(TRIAL, data)
    net = networks.network(TRIAL, data)
    theta, test, flat = networks.fit(TRIAL, net, x, labels).theta, networks.test_set(data), x.reshape(len(x), -1)
    for kind in KINDS:
        assert found["ellipses"][kind] == along(net, theta, triples(kind, flat, labels, TRIAL.seed, 2))

    # The same planes before and after, of different classes.
    for time, parameters in (("before", networks.initial_theta(TRIAL, net)), ("after", theta)):
        counts = [plane(net, parameters, *triple) for triple in triples(DIFFERENT, flat, labels, TRIAL.seed, 2)]
        assert found["pictures"][time] == counts[0].tolist()
        assert found["planes"][time] == [
            {"near": pytest.approx(each[near()].mean()), "everywhere": pytest.approx(each.mean())} for each in counts
        ]

    points = stream(Draw.POINTS).permutation(60)[:20]
    truth, logits = data.test_labels[points], forward(net, theta.astype(float), test[points])
    norms = np.sqrt((jacobian(net, theta.astype(float), test[points], "probability") ** 2).sum(axis=(1, 2)))
    losses = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(20), truth]
    np.testing.assert_allclose(found["points"]["norm"], norms, rtol=1e-3)
    np.testing.assert_allclose(found["points"]["loss"], losses, rtol=1e-3, atol=1e-6)
    np.testing.assert_array_equal(found["points"]["wrong"], logits.argmax(axis=1) != truth)
