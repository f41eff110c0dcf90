"""The low-capacity study: the released draws, which networks are trained and how, and what is measured of them."""

import dataclasses
import itertools
import json

import numpy as np
import pytest
from made_up import made_up, trial_of

from experiments.low_capacity import STUDY, measures, networks, published, released
from experiments.low_capacity.measures import measure
from experiments.low_capacity.networks import (
    ARMS,
    AS_RELEASED,
    CORRECTED,
    DEFAULT,
    DIFFICULTY,
    FULL,
    LIMITS,
    NETWORKS,
    QUICK,
    RATES,
    Draw,
    Examples,
    task,
    trained,
)
from experiments.table import Table
from experiments.trials import stream
from npnet.data.datasets import digit_pair, stratified_split
from npnet.errors import DataError
from npnet.fast import Training, forward
from npnet.mlp import MLP

LABELS = np.array([0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0])


def test_the_released_split_is_scikit_learns():
    # Computed with scikit-learn 1.9.1: balance and shuffle as published, then train_test_split(stratify, random_state).
    training, validation = released.split(LABELS, 42)
    assert training.tolist() == [22, 18, 23, 20, 12, 2, 11, 17, 26, 8, 15, 1, 19, 10, 7, 4, 14, 5, 16]
    assert validation.tolist() == [9, 13, 6, 0, 3]


def test_the_released_weights_come_from_one_stream_over_widths_and_pairs():
    draws = np.random.RandomState(42)
    for width in published.WIDTHS[:2]:
        for pair in ((0, 1), (1, 7), (4, 9), (3, 8), (5, 6)):
            w1, w2 = draws.randn(49, width) * 0.1, draws.randn(width, 1) * 0.1
            net = MLP((49, width, 1))
            first, second = net.unpack(released.initial_theta(net, pair, 42))
            np.testing.assert_array_equal(first.weights, w1.T.astype(np.float32))
            np.testing.assert_array_equal(second.weights, w2.T.astype(np.float32))
            assert not first.bias.any()
            assert not second.bias.any()


# Which networks.


@pytest.mark.parametrize(("scale", "fewer"), [(DEFAULT, 1), (FULL, 2)])
def test_trials_of_the_whole_study(dataset, scale, fewer):
    data = {"mnist": dataset}
    found = made_up(lambda trial: {"validation_loss": 0.1}, part=RATES, rates=(0.5,))  # 0.5 is found best
    trials = networks.search(scale, data, Table()) + networks.networks(scale, data, found)
    parts = {part: [t for t in trials if t.part == part] for part in (RATES, NETWORKS, LIMITS, DIFFICULTY)}
    assert {part: len(set(each)) for part, each in parts.items()} == {
        RATES: 11 * (6 + 5) * fewer,
        NETWORKS: 5 * 11 * (3 + scale.seeds),
        LIMITS: 5 * len(scale.further_widths) * 2 * fewer,
        DIFFICULTY: 45 * (4 + 1 + 6 + 1) * fewer,
    }
    assert len(set(trials)) == len(trials)
    for part, seeds in ((NETWORKS, scale.seeds), (LIMITS, fewer), (DIFFICULTY, fewer)):
        arms = {(trial.arm, trial.seed, trial.learning_rate) for trial in parts[part]}
        expected = {(AS_RELEASED, seed, 0.03) for seed in (0, 42, 78)[:seeds]}
        assert arms == expected | {(CORRECTED, seed, 0.5) for seed in range(seeds)}
    assert {(t.arm, t.levels) for t in parts[LIMITS]} == {(AS_RELEASED, ()), (CORRECTED, scale.levels)}
    assert {t.pair for t in parts[DIFFICULTY]} == set(itertools.combinations(range(10), 2))
    assert {(t.arm, t.learning_rate) for t in parts[RATES]} == {
        *((AS_RELEASED, rate) for rate in published.RATES),
        *((CORRECTED, rate) for rate in scale.corrected_rates),
    }


def test_a_digit_without_examples_is_an_error_that_names_the_file(dataset):
    changed = dataclasses.replace(dataset, test_labels=dataset.test_labels % 9)
    with pytest.raises(DataError, match=r"^t10k-labels-idx1-ubyte: found no label 9, expected examples of every digit"):
        networks.search(QUICK, {"mnist": changed}, Table())


def test_the_rate_with_the_lowest_mean_validation_loss_is_chosen():
    losses = {0.01: 0.2, 0.03: 0.3, 0.1: 0.1, 0.3: 0.1, 1.0: 0.4}

    def chosen(loss):
        result = made_up(lambda trial: {"validation_loss": loss(trial)}, part=RATES, rates=losses, widths=(2, 64))
        return networks.chosen_rate(result)

    # Of equal ones the smallest.
    assert chosen(lambda trial: losses[trial.learning_rate]) == 0.1
    # The mean over widths and seeds, not the first.
    assert chosen(lambda t: losses[t.learning_rate] - 0.2 * (t.learning_rate == 0.01 and t.seed == 0)) == 0.1
    assert chosen(lambda t: losses[t.learning_rate] + 0.02 * t.width * (t.learning_rate == 0.1)) == 0.3
    # Not one at which a network diverged.
    assert chosen(lambda t: np.nan if t.learning_rate == 0.1 and t.width == 64 else losses[t.learning_rate]) == 0.3


def test_each_arm_has_its_own_split(dataset):
    images, labels = digit_pair(dataset.train_images, dataset.train_labels, 4, 9)
    for seed in (0, 42):
        found = task(AS_RELEASED, (4, 9), seed, dataset)
        assert found.test is found.validation
        corrected = task(CORRECTED, (4, 9), seed, dataset)
        assert len(corrected.test.labels) == 12
        rest = stratified_split(labels, 0.2, stream(Draw.SPLIT, seed, 4, 9))
        for parts, split in ((found, released.split(labels, seed)), (corrected, rest)):
            for part, indices in zip(parts, split, strict=False):
                np.testing.assert_array_equal(part.images, images[indices])
                np.testing.assert_array_equal(part.labels, labels[indices])


# How they are trained.


@pytest.mark.parametrize("arm", ARMS)
def test_a_training_is_watched_epoch_by_epoch_and_not_changed(dataset, short, arm):
    trials, examples = [trial_of(arm, width) for width in (4, 12)], task(arm, (4, 9), 0, dataset)
    seen = [[], []]

    def watch(numbers, thetas):
        for number, theta in zip(numbers, thetas, strict=True):
            seen[number].append(theta)
        return [{"seen": float(number)} for number in numbers]

    watched = trained(trials, examples, watch=watch)
    for number, (found, alone) in enumerate(zip(watched, trained(trials, examples), strict=True)):
        np.testing.assert_array_equal(found.theta, alone.theta)
        assert found.history == [row | {"seen": number} for row in alone.history]
        assert len(seen[number]) == len(found.history) == 3
        np.testing.assert_array_equal(seen[number][found.epoch - 1], found.theta)


def test_a_replica_is_the_same_network_from_other_draws_in_another_order(dataset, monkeypatch):
    net, orders = MLP((49, 4, 1)), []
    for arm in ARMS:
        replica = networks.initial_theta(trial_of(arm, 4, 42), net, replica=True)
        np.testing.assert_array_equal(replica, net.init(stream(Draw.WEIGHTS, 42, 4, 9, 4, 1), "normal"))
        assert not np.array_equal(networks.initial_theta(trial_of(arm, 4, 42), net), replica)
    monkeypatch.setattr(networks, "converged", lambda nets, thetas, examples, rate, rng, **_: orders.append(rng))
    for replica in (False, True):
        trained([trial_of(seed=3)], task(CORRECTED, (4, 9), 3, dataset), replica=replica)
    assert [rng.random() for rng in orders] == [stream(Draw.BATCHES, 3, 4, 9, again).random() for again in (0, 1)]


# What is measured.


@pytest.mark.parametrize("arm", ARMS)
def test_scores_of_a_network(dataset, short, arm):
    trial = trial_of(arm)
    (result,) = measure([trial], dataset)
    assert json.loads(json.dumps(result)) == result
    assert measure([trial], dataset) == [result]
    rows = {(row["condition"], row["level"]): row for row in result["scores"]}
    assert len(rows) == len(result["scores"]) == 1 + 2 * 10 + 5 + 1
    weights = [49 * 24, 24]
    for percent in published.PRUNED_PERCENT:
        for condition, share in (("pruned", 100), ("divided twice", 10_000)):
            exact = sum(percent * n // share for n in weights)
            assert rows[condition, percent / 100]["removed"] == pytest.approx(exact / sum(weights))
    clean, cut = rows["clean", 0.0], rows["pruned", 0.95]
    assert clean["removed"] == clean["change"] == 0
    assert cut["change"] == cut["f1"] - clean["f1"]
    (training,) = trained([trial], task(arm, (4, 9), 0, dataset))
    best = max(row["train_f1"] for row in training.history)
    assert result["f1"] == (best if arm == AS_RELEASED else clean["f1"])
    assert result["cut_off"] == 95 * 24 // 100


def test_what_is_measured_of_which_network(dataset, short):
    inside, close = {"information", "spared"}, {"saliency", "representation", "trajectory"}
    for pair, width, expected in (
        ((0, 1), 6, set()),
        ((0, 1), 24, inside),
        ((4, 9), 6, {"saliency"}),
        ((4, 9), 4, {*inside, "saliency", "representation"}),
        ((4, 9), 24, {*inside, *close, "units", "points", "maps", "forward_difference"}),
        ((4, 9), 64, {*inside, *close}),
    ):
        (result,) = measure([trial_of(width=width, pair=pair)], dataset)
        assert set(result) == {"scores", "f1", "dead", "cut_off", *expected}


@pytest.mark.parametrize("arm", ARMS)
def test_a_network_is_followed_until_the_epoch_that_is_kept(dataset, short, monkeypatch, arm):
    monkeypatch.setitem(measures.FOLLOWED, arm, (1, 3))
    trial = trial_of(arm)
    (result,) = measure([trial], dataset)
    (training,) = trained([trial], task(arm, (4, 9), 0, dataset))
    rows = result["trajectory"]
    assert len(rows) == 1 + sum(epoch < training.epoch for epoch in (1, 3))
    for row in result["scores"]:
        name = f"{row['condition']} {row['level']:g}" if row["level"] else "clean"
        assert rows[-1].get(name, row["accuracy"]) == row["accuracy"]


def test_accuracies_by_hand():
    # The logit is the first pixel minus three quarters of the second, and a little.
    net, theta = MLP((2, 1)), np.array([1, -0.75, -0.1])
    test = Examples(np.array([[[0, 255]], [[255, 255]], [[255, 0]]], np.uint8), np.array([0, 1, 0], np.uint8))
    images = {
        ("clean", 0.0): test.images,
        ("gaussian noise", 0.3): np.ones((3, 1, 2)),
        ("occlusion", 7): 0 * test.images,
    }
    found = measures.accuracies(net, theta, images, test)
    assert found == pytest.approx({"clean": 2 / 3, "gaussian noise 0.3": 1 / 3, "occlusion 7": 2 / 3})


@pytest.mark.parametrize("kept", [2, 0])
def test_the_search_keeps_the_scores_of_the_kept_epoch(dataset, monkeypatch, kept):
    numbers = [(0.5, 0.3), (0.7, 0.2), (0.6, 0.25)]
    rows = [{"train_f1": f1, "validation_loss": loss, "validation_f1": 1 - loss} for f1, loss in numbers]
    training = Training(np.zeros(1), np.zeros(1), rows, kept, "")
    monkeypatch.setattr(networks, "trained", lambda trials, examples: [training])
    f1 = {"best_train_f1": 0.7, "last_train_f1": 0.6, "epochs": 3}
    assert measure([trial_of(AS_RELEASED, part=RATES)], dataset) == [f1]
    (found,) = measure([trial_of(part=RATES)], dataset)
    unknown = {"validation_loss": np.nan, "validation_f1": np.nan}
    expected = f1 | ({"validation_loss": 0.2, "validation_f1": 0.8} if kept else unknown)
    assert found == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("arm", ARMS)
@pytest.mark.parametrize("width", [networks.LINEAR, 8])
def test_difficulty_is_measured_on_the_test_examples(dataset, short, arm, width):
    trial, examples = trial_of(arm, width, part=DIFFICULTY), task(arm, (4, 9), 0, dataset)
    (result,), (training,) = measure([trial], dataset), trained([trial], examples)
    net = networks.network(trial, examples)
    assert net.widths == ((49, 8, 1) if width else (49, 1))
    logits = forward(net, training.theta, examples.test.images).ravel()
    assert result["accuracy"] == pytest.approx(np.mean((logits > 0) == examples.test.labels))
    assert result["judged"] == len(examples.test.labels) == {AS_RELEASED: 5, CORRECTED: 12}[arm]
    assert width or not networks.initial_theta(trial, net).any()


# What is written.


def test_the_scores_are_listed():
    def result(trial):
        rows = [("clean", 0.0, 0.9), ("divided twice", 0.95, 0.8), ("pruned", 0.95, 0.5)]
        scores = [{"condition": name, "level": level, "removed": level, "f1": f1} for name, level, f1 in rows]
        return {"scores": [row | dict.fromkeys(measures.METRICS[1:], 0.25) for row in scores]}

    table = made_up(result, seeds=1)
    lines = STUDY.tables["scores.csv"](table).splitlines()
    assert lines[0] == "arm,pair,width,seed,condition,level,removed,f1,auc,balanced_accuracy,accuracy"
    assert lines[2] == "as released,0v1,24,0,divided twice,0.95,0.95,0.8,0.25,0.25,0.25"
    assert len(lines) == 1 + 3 * len(table)
