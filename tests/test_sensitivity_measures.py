"""What is measured of a network of the sensitivity study, computed here once more from the definitions."""

import dataclasses
import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sensitivity_results import row

from experiments.sensitivity import measures, networks
from experiments.sensitivity.measures import crossed, follows_gap, per_point, translations
from experiments.sensitivity.networks import PAIRS, PORTRAITS, SWEEP, Draw, Trial
from experiments.statistics import correlation, correlation_within
from experiments.table import Table
from experiments.trials import stream
from npnet.derivatives import jacobian
from npnet.fast import Training, forward
from npnet.mlp import MLP

TRIAL = Trial(SWEEP, "mnist", "", 3, 2, 16, "relu", 1.0, 0.1, 16, 40)


@pytest.fixture
def few(monkeypatch):
    """Few test points."""
    monkeypatch.setattr(measures, "NORM_POINTS", 20)
    monkeypatch.setattr(measures, "PATH_POINTS", 3)


def measure(trial, data):
    (found,) = measures.measure([trial], data)
    return found


KINKS = {"relu": [0], "hard_tanh": [-1, 1]}


def pieces_crossed(net, theta, image, steps):
    """Transitions on the path through all translations of an image, `steps` points from one to the next."""
    path = []
    for shift in range(image.shape[-1]):
        here, there = (np.roll(image, by, axis=-1).ravel() for by in (shift, shift + 1))
        path += [here + step / steps * (there - here) for step in range(steps)]
    codes, a = [], np.array(path)
    for layer in net.unpack(theta)[:-1]:
        z = a @ layer.weights.T
        codes.append(sum((z > kink).astype(int) for kink in KINKS[net.activation]))
        a = np.clip(z, 0, np.inf) if net.activation == "relu" else np.clip(z, -1, 1)
    return np.abs(np.diff(np.concatenate(codes, axis=1), axis=0, append=np.concatenate(codes, axis=1)[:1])).sum()


@pytest.mark.parametrize(("activation", "data"), [("relu", "dataset"), ("hard_tanh", "colourful")])
def test_measures(request, few, activation, data):
    trial, dataset = dataclasses.replace(TRIAL, activation=activation), request.getfixturevalue(data)
    found = measure(trial, dataset)
    assert json.loads(json.dumps(found)) == found
    net, (x, labels) = networks.network(trial, dataset), networks.examples(trial, dataset)
    done, x = networks.fit(trial, net, x, labels), x.reshape(len(x), -1)
    theta = done.theta.astype(np.float64)
    assert found["epochs"] == len(done.history)
    assert found["training_accuracy"] == 1

    test = networks.test_set(dataset).astype(np.float64)
    points = stream(Draw.POINTS).permutation(len(test))[:20]
    norms = np.sqrt((jacobian(net, theta, test[points], "probability") ** 2).sum(axis=(1, 2)))
    assert found["jacobian"] == pytest.approx(norms.mean(), rel=1e-4)

    logits = forward(net, theta, x)
    true = np.exp(logits)[np.arange(len(x)), labels] / np.exp(logits).sum(axis=1)
    assert found["training_loss"] == pytest.approx(-np.log(true).mean(), rel=1e-4)
    right = forward(net, theta, test).argmax(axis=1) == dataset.test_labels
    assert found["test_accuracy"] == right.sum() / 60
    assert found["gap"] == 1 - found["test_accuracy"]

    def mean(steps):
        images = dataset.test_images[points[:3]].astype(np.float64)
        return np.mean([pieces_crossed(net, theta, (each - each.mean()) / each.std(), steps) for each in images])

    steps = found["steps"]
    assert steps in (4, 8, 16, 32)
    # A unit that is at its kink to within rounding may be seen on either side.
    assert found["transitions"] == pytest.approx(mean(steps), rel=0.02)
    assert found["change"] == pytest.approx(abs(1 - mean(steps // 2) / mean(steps)), abs=0.03)
    assert found["change"] < 0.05 or steps == 32

    assert found["parameters"] == dataset.test_images[0].size * 16 + 16 * 16 + 16 * 10
    assert found["weight_norm"] == pytest.approx(np.sqrt((theta**2).sum()), rel=1e-5)
    alone = per_point(net, done.theta, norms, test[points], dataset.test_labels[points])
    assert {name: found[name] for name in alone} == pytest.approx(alone)


@pytest.mark.parametrize("part", [SWEEP, PORTRAITS])
def test_of_what_does_not_fit_or_has_diverged_there_are_two_numbers(dataset, monkeypatch, part):
    found = measure(dataclasses.replace(TRIAL, learning_rate=0.0), dataset)
    assert found.keys() == {"epochs", "training_accuracy"}
    assert (found["epochs"], 0 <= found["training_accuracy"] < 1) == (25, True)
    theta = np.full(networks.network(TRIAL, dataset).size, np.nan, dtype=np.float32)
    monkeypatch.setattr(measures, "fit", lambda *_: Training(theta, theta, [{}], 0, ""))
    found = measure(dataclasses.replace(TRIAL, part=part), dataset)
    assert found.keys() == {"epochs", "training_accuracy"}
    assert np.isnan(found["training_accuracy"])


def test_all_networks_of_a_data_set_are_measured_at_the_same_points(dataset, few, monkeypatch):
    seen = []
    norms = measures.jacobian_norms
    monkeypatch.setattr(measures, "jacobian_norms", lambda net, theta, x: seen.append(x) or norms(net, theta, x))
    changes = ({"part": PAIRS, "examples": 30}, {"seed": 5, "depth": 1, "batch": None}, {"activation": "hard_tanh"})
    for change in ({}, *changes):
        assert measure(dataclasses.replace(TRIAL, **change), dataset)["training_accuracy"] == 1
    for points in seen:
        np.testing.assert_array_equal(points, seen[0])
    # No image twice.
    assert (len(seen), len(np.unique(seen[0], axis=0))) == (4, 20)


# Single points, of a network whose logits are its inputs.

IDENTITY = MLP((2, 2), loss="softmax", bias=False)
POINTS = np.array([[3.0, 0], [0, 2], [1, 0], [0.5, 0]])  # the first class, the second, the first, the first


def single(norms, labels):
    return per_point(IDENTITY, np.eye(2).ravel(), np.array(norms, dtype=float), POINTS, np.array(labels))


def test_doubt_and_norm_find_errors():
    # The last is wrong, and what the network doubts most.
    found = single([1, 2, 4, 3], [0, 1, 0, 1])
    assert found["doubt_finds_errors"] == 1
    # One of the three others has a larger norm.
    assert found["norm_finds_errors"] == pytest.approx(2 / 3)
    # Losses are in order of the margins 3, 2, 1, and wrong by 0.5; norms have two neighbours swapped.
    assert found["norm_and_loss"] == pytest.approx(1 - 6 * 2 / (4 * 15))
    # Wrong where it is surest.
    found = single([4, 3, 2, 1], [1, 1, 0, 0])
    assert found == pytest.approx({"norm_finds_errors": 1, "doubt_finds_errors": 0, "norm_and_loss": 1 - 6 * 8 / 60})


@pytest.mark.parametrize("labels", [[0, 1, 0, 0], [1, 0, 1, 1]], ids=["all right", "all wrong"])
def test_where_all_are_right_or_all_wrong_there_is_nothing_to_find(labels):
    found = single([1, 2, 3, 4], labels)
    assert math.isnan(found["norm_finds_errors"])
    assert math.isnan(found["doubt_finds_errors"])
    assert not math.isnan(found["norm_and_loss"])


# Paths through all translations of an image.

images = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=3, max_side=5), elements=st.floats(-9, 9, width=32)
)


@given(images, st.integers(1, 6))
def test_every_translation_is_visited_exactly_and_in_order(image, steps):
    columns = image.shape[-1]
    path = translations(image, steps)
    assert path.shape == (steps * columns, image.size)
    for shift in range(columns):
        np.testing.assert_array_equal(path[shift * steps].reshape(image.shape), np.roll(image, shift, axis=-1))
    np.testing.assert_array_equal(translations(image, 2 * steps)[::2], path)
    differences = (np.roll(path, -1, axis=0) - path).reshape(columns, steps, image.size)
    np.testing.assert_allclose(differences, np.broadcast_to(differences[:, :1], differences.shape), atol=1e-13)


@pytest.mark.parametrize(
    ("means", "steps", "change"),
    [
        ([100, 96], 4, 0.04),
        ([90, 100, 104], 8, 1 / 26),
        ([1, 2, 4, 8, 16, 32], 32, 0.5),
        ([0, 0], 4, 0.0),
        ([100, 95, 95], 8, 0.0),
    ],
)
def test_steps_are_doubled_from_two_to_32_until_the_mean_changes_by_less_than_a_twentieth(
    monkeypatch, means, steps, change
):
    """Of two paths, one of which has 2 more transitions."""
    asked = []

    def count(net, theta, path):
        asked.append(len(path))
        return np.array([means[int(np.log2(len(path) // 6))] + (-1) ** len(asked)])

    monkeypatch.setattr(measures, "transitions", count)
    found = crossed(None, None, np.zeros((2, 4, 3)))
    assert found == {"transitions": means[int(np.log2(steps)) - 1], "steps": steps, "change": pytest.approx(change)}
    assert asked == [3 * 2**k for k in range(1, int(np.log2(steps)) + 1) for _ in range(2)]


# What goes with the gap.


def test_correlations_are_over_the_networks_of_each_architecture():
    gap = [1, 2, 3, 4, 5, 5, 4, 3, 2, 1]
    table = Table(
        row(SWEEP, k, depth=1 + k // 5, width=50 + k // 5, gap=each, jacobian=k) for k, each in enumerate(gap)
    )
    groups = [0] * 5 + [1] * 5
    assert follows_gap(table, "jacobian") == correlation(range(10), gap, groups)
    within = follows_gap(table, "jacobian", correlation_within)
    assert within == correlation_within(range(10), gap, groups)
    assert (within.value, within.groups) == (0, 2)
