"""The networks of the sensitivity study: how they are drawn, what they are trained on, and until when."""

import dataclasses

import numpy as np
import pytest
from sensitivity_results import row

import npnet
from experiments.sensitivity import networks
from experiments.sensitivity.networks import (
    DEFAULT,
    FACTORS,
    FULL,
    PAIRS,
    PORTRAITS,
    QUICK,
    SWEEP,
    Draw,
    Scale,
    Trial,
    fitted,
    paired,
)
from experiments.table import Table
from experiments.trials import stream
from npnet.data.images import standardised
from npnet.errors import ArgumentError, DataError
from npnet.fast import forward
from npnet.mlp import MLP

TRIAL = Trial(SWEEP, "mnist", "", 3, 2, 16, "relu", 1.0, 0.1, 16, 40)


class Begun(Exception):
    """Training is about to begin, which is all that a test wants to know."""


def begun():
    raise Begun


# How they are drawn.


def settings(trial):
    """All but what tells runs apart."""
    return {k: v for k, v in dataclasses.asdict(trial).items() if k not in ("dataset", "data", "examples")}


def test_the_sweep_is_the_same_for_every_data_set_and_size():
    large = networks.sweep("mnist", "a", FULL)
    assert [trial.seed for trial in large] == list(range(FULL.networks))
    assert len({dataclasses.replace(trial, seed=0) for trial in large}) == FULL.networks
    small = networks.sweep("fashion-mnist", "b", DEFAULT)
    assert list(map(settings, small)) == list(map(settings, large[: len(small)]))
    assert networks.sweep("mnist", "a", DEFAULT) == large[: DEFAULT.networks]
    assert {(t.dataset, t.data) for t in networks.sweep("x", "y", QUICK)} == {("x", "y")}
    assert {t.examples for t in networks.sweep("x", "y", dataclasses.replace(QUICK, examples=7))} == {7}


def test_the_sweep_covers_its_settings():
    trials = networks.sweep("mnist", "", Scale(2000, 0, 0))
    for name, values in (("batch", networks.BATCHES), ("momentum", networks.MOMENTA)):
        found, counts = np.unique([getattr(trial, name) for trial in trials], return_counts=True)
        assert found.tolist() == sorted(values)
        expected = len(trials) / len(values)
        assert (abs(counts - expected) < 5 * np.sqrt(expected)).all()
    for block in range(0, len(trials), 8):
        assert len({trial.architecture for trial in trials[block : block + 8]}) == 1
    assert len({trial.architecture for trial in trials[: 36 * 8]}) == 36
    gains = np.array([trial.gain for trial in trials])
    # As many below the geometric mean as above it.
    assert 0.5 <= gains.min() < 0.51
    assert 2.45 < gains.max() <= 2.5
    assert abs((gains < np.sqrt(0.5 * 2.5)).mean() - 0.5) < 0.06
    for momentum in networks.MOMENTA:
        rates = np.array([t.learning_rate for t in trials if t.momentum == momentum]) / (1 - momentum)
        assert 0.01999 <= rates.min() < 0.0205
        assert 0.146 < rates.max() < 0.1501
    assert max(len(str(trial.learning_rate).lstrip("0.")) for trial in trials) == 3
    assert {(trial.part, trial.random_labels, trial.copies) for trial in trials} == {(SWEEP, False, 0)}


def test_architectures_of_the_sweep_follow_one_another_in_blocks():
    number = len(networks.DEPTHS) * len(networks.WIDTHS) * len(networks.ACTIVATIONS)
    trials = networks.sweep("mnist", "", Scale(8 * (number + 1), 0, 0))
    blocks = [{trial.architecture for trial in trials[start : start + 8]} for start in range(0, len(trials), 8)]
    assert {len(block) for block in blocks} == {1}
    assert len(set.union(*blocks)) == number
    # All once, then again from the first.
    assert blocks[0] == blocks[-1] != blocks[1]
    for values, position in ((networks.DEPTHS, 0), (networks.WIDTHS, 1), (networks.ACTIVATIONS, 2)):
        first = [next(iter(block))[position] for block in blocks[:number]]
        assert set(first) == set(values)
        assert first != sorted(first)


def test_even_a_quick_run_has_networks_of_many_kinds():
    trials = networks.sweep("mnist", "", QUICK)
    kinds = {trial.architecture for trial in trials}
    assert len(kinds) == len(trials) / 2
    assert all(len(set(each)) >= 2 for each in zip(*kinds, strict=True))
    assert {trial.architecture for trial in networks.sweep("mnist", "", DEFAULT)} >= kinds


def test_two_of_a_pair_differ_in_one_thing_and_share_the_first():
    trials = networks.pairs("mnist", "", FULL)
    firsts = trials[0 : 2 * FULL.pairs : 2]
    assert [first.seed for first in firsts] == list(range(FULL.pairs))
    for number, factor in enumerate(FACTORS.values()):
        ((changed, value),) = factor.change.items()
        each = trials[2 * number * FULL.pairs : 2 * (number + 1) * FULL.pairs]
        assert each[::2] == firsts
        for first, second in zip(firsts, each[1::2], strict=True):
            one, two = dataclasses.asdict(first), dataclasses.asdict(second)
            assert {name for name in one if one[name] != two[name]} == {changed}
            assert two[changed] == value
    assert {(t.random_labels, t.copies, t.activation, t.momentum) for t in firsts} == {(False, 0, "relu", 0.0)}
    assert {t.depth for t in firsts} == {1, 2, 3, 4}
    assert {t.batch for t in firsts} == {16, 32}
    assert {t.examples for t in firsts} == {FULL.pair_examples}
    assert all(64 <= t.width <= 150 and 0.7 <= t.gain <= 1.4 and 0.03 <= t.learning_rate <= 0.1 for t in firsts)


def test_pairs_and_portraits_of_a_larger_run_contain_those_of_a_smaller():
    small = dataclasses.replace(DEFAULT, pairs=4, portraits=1)
    assert set(networks.pairs("mnist", "", small)) < set(networks.pairs("mnist", "", DEFAULT))
    few, many = (networks.portraits("mnist", "", scale) for scale in (small, DEFAULT))
    assert set(few) < set(many)
    assert [trial.gain for trial in few] == list(networks.PORTRAIT_GAINS)
    (same,) = {dataclasses.replace(t, gain=1.0, learning_rate=1.0, seed=0) for t in many}
    assert (same.part, same.examples, same.random_labels, same.copies) == (PORTRAITS, DEFAULT.examples, False, 0)


def test_the_sweep_is_on_all_data_sets_and_the_rest_on_the_first(dataset, colourful):
    scale = Scale(3, 2, 1, examples=30, pair_examples=20)
    trials = networks.networks(scale, {"mnist": dataset, "cifar10": colourful}, Table())
    assert len(trials) == len(set(trials)) == 2 * 3 + 2 * 5 + 2
    assert [(t.dataset, t.seed) for t in trials if t.part == SWEEP] == [
        (n, k) for n in ("mnist", "cifar10") for k in range(3)
    ]
    assert {t.dataset for t in trials if t.part != SWEEP} == {"mnist"}
    assert len({t.data for t in trials}) == 2
    with pytest.raises(ArgumentError, match=r"^--examples: found 29, expected 30 to 120 with mnist$"):
        networks.networks(dataclasses.replace(scale, examples=29), {"mnist": dataset}, Table())


def test_no_two_purposes_share_their_draws():
    numbers = ((), (1,), (2000,), (0, 1), (1, 2))
    first = [stream(what, *each).random() for what in Draw for each in numbers]
    assert len(set(first)) == len(first)


def test_draws_belong_to_their_purpose(dataset, monkeypatch):
    drawn = []
    monkeypatch.setattr(networks, "stream", lambda *numbers: drawn.append(numbers) or stream(*numbers))
    trial = dataclasses.replace(TRIAL, random_labels=True, copies=2)
    x, labels = networks.examples(trial, dataset)
    monkeypatch.setattr(networks, "train", lambda *args, **options: begun())
    with pytest.raises(Begun):
        networks.fit(trial, networks.network(trial, dataset), x, labels)
    wanted = (Draw.EXAMPLES, Draw.LABELS, Draw.SHIFTS, Draw.BATCHES, Draw.WEIGHTS)
    assert sorted(drawn) == sorted((what, 3) for what in wanted)


def test_what_takes_longer_costs_more():
    def costs(**change):
        return networks.cost(dataclasses.replace(TRIAL, **change))

    assert costs(width=40) > costs(depth=3) > costs()
    assert costs(random_labels=True) > costs(activation="hard_sigmoid") * 0.99 > costs()
    assert min(costs(copies=32), costs(batch=None), costs(part=PORTRAITS), costs(examples=80)) > costs()


# What they are trained on.


def test_examples_are_standardised_and_in_proportion(dataset):
    x, labels = networks.examples(TRIAL, dataset)
    assert x.shape == (40, 7, 7)
    assert np.bincount(labels).tolist() == [4] * 10
    np.testing.assert_allclose(x.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=(1, 2)), 1, atol=1e-6)
    everything = standardised(dataset.train_images)
    for image, label in zip(x, labels, strict=True):
        (place,) = np.flatnonzero((everything == image).all(axis=(1, 2)))
        assert dataset.train_labels[place] == label


def test_what_a_trial_is_not_about_does_not_change_its_examples(dataset):
    x, _ = networks.examples(TRIAL, dataset)
    for change in ({"activation": "hard_sigmoid"}, {"batch": None}, {"random_labels": True}, {"part": PORTRAITS}):
        np.testing.assert_array_equal(networks.examples(dataclasses.replace(TRIAL, **change), dataset)[0], x)
    others, _ = networks.examples(dataclasses.replace(TRIAL, seed=4), dataset)
    assert not np.array_equal(others, x)


@pytest.mark.parametrize(("n", "right"), [(40, 4), (50, 5), (100, 10)])
def test_random_labels_are_right_as_often_as_chance_has_it(dataset, n, right):
    true = networks.examples(dataclasses.replace(TRIAL, examples=n), dataset)[1]
    noisy = networks.examples(dataclasses.replace(TRIAL, examples=n, random_labels=True), dataset)[1]
    assert (noisy == true).sum() == right
    assert len(np.unique(noisy)) == 10


@pytest.mark.parametrize("shape", [(12, 11), (3, 12, 11)])
def test_copies_are_wrapped_shifts_of_their_image(dataset, shape):
    images = np.random.default_rng(0).integers(0, 256, (120, *shape), dtype=np.uint8)
    data = dataclasses.replace(dataset, train_images=images)
    plain, true = networks.examples(TRIAL, data)
    trial = dataclasses.replace(TRIAL, copies=8)
    x, labels = networks.examples(trial, data)
    np.testing.assert_array_equal(x[:40], plain)
    np.testing.assert_array_equal(labels, np.tile(true, 9))
    shifts = np.array([(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)])
    moved = np.stack([np.roll(plain, tuple(shift), axis=(-2, -1)) for shift in shifts]).reshape(len(shifts), 40, -1)
    seen = []
    for number, image in enumerate(x[40:]):
        same = np.isclose(moved[:, number % 40], image.ravel(), atol=1e-5).all(axis=1)
        assert same.sum() == 1
        seen.append(shifts[same.argmax()])
    # Each copy is shifted by itself, as far as that.
    assert [len(set(each)) for each in np.transpose(seen)] == [9, 9]
    noisy = dataclasses.replace(trial, random_labels=True)
    one = networks.examples(dataclasses.replace(noisy, copies=0), data)[1]
    np.testing.assert_array_equal(networks.examples(noisy, data)[1], np.tile(one, 9))


def test_images_in_colour(colourful):
    x, labels = networks.examples(TRIAL, colourful)
    assert x.shape == (40, 3, 6, 5)
    np.testing.assert_allclose(x.std(axis=(1, 2, 3)), 1, atol=1e-6)
    test = networks.test_set(colourful)
    assert test.shape == (60, 90)
    np.testing.assert_array_equal(test[4], standardised(colourful.test_images)[4].ravel())
    net = networks.network(TRIAL, colourful)
    assert net == MLP((90, 16, 16, 10), "relu", "softmax", bias=False)
    assert networks.fit(TRIAL, net, x, labels).history[-1]["train_accuracy"] == 1


def test_test_images_are_standardised_once(dataset):
    assert networks.test_set(dataset) is networks.test_set(dataset)
    np.testing.assert_array_equal(networks.test_set(dataset), standardised(dataset.test_images).reshape(60, 49))


@pytest.mark.parametrize(
    ("change", "kind", "said"),
    [
        ({"examples": 121}, ArgumentError, "--examples: found 121, expected 30 to 120 with mnist"),
        ({"examples": 29}, ArgumentError, "--examples: found 29, expected 30 to 120 with mnist"),
        ({"pair_examples": 121}, DataError, "mnist: found 120 training images, expected the 121 of a pair"),
    ],
)
def test_check_of_the_number_of_examples(dataset, colourful, change, kind, said):
    scale = Scale(1, 1, 1, examples=30, pair_examples=120)
    networks.check([dataset, colourful], scale)
    networks.check([dataset], dataclasses.replace(scale, examples=120))
    with pytest.raises(kind, match=f"^{said}$"):
        networks.check([dataset], dataclasses.replace(scale, **change))


@pytest.mark.parametrize(("part", "file"), [("train_labels", "training"), ("test_labels", "test")])
@pytest.mark.parametrize("classes", [9, 11])
def test_check_of_labels(colourful, part, file, classes):
    broken = dataclasses.replace(colourful, **{part: (np.arange(33) % classes).astype(np.uint8)})
    said = rf"^cifar10: found the labels \[0, .*{classes - 1}\] in the {file} file, expected all of 0 to 9$"
    with pytest.raises(DataError, match=said):
        networks.check([colourful, broken], Scale(1, 1, 1, 30, 30))


# How they begin, and until when they are trained.


@pytest.mark.parametrize(("activation", "variance"), [("relu", 2), ("relu6", 2), ("hard_tanh", 1), ("hard_sigmoid", 1)])
def test_initial_weights_have_the_variance_that_the_trial_says(activation, variance):
    trial = dataclasses.replace(TRIAL, activation=activation, gain=1.5)
    net = MLP((400, 100, 100, 10), activation, "softmax", bias=False)
    for layer, fan_in in zip(net.unpack(networks.initial_theta(trial, net)), (400, 100, 100), strict=True):
        expected = 1.5**2 * variance / fan_in
        assert layer.weights.var() == pytest.approx(expected, rel=5 * np.sqrt(2 / layer.weights.size))
        assert layer.bias is None


def test_training_stops_at_the_first_epoch_without_a_mistake(dataset):
    x, labels = networks.examples(TRIAL, dataset)
    net = networks.network(TRIAL, dataset)
    found = networks.fit(TRIAL, net, x, labels)
    right = [row["train_accuracy"] for row in found.history]
    assert right[-1] == 1
    assert max(right[:-1]) < 1
    assert (forward(net, found.theta, x).argmax(axis=1) == labels).all()


@pytest.mark.parametrize("batch", [16, None])
def test_training_goes_on_if_an_epoch_spoils_what_was_right(dataset, monkeypatch, batch):
    trial = dataclasses.replace(TRIAL, batch=batch)
    x, labels = networks.examples(trial, dataset)
    net = networks.network(trial, dataset)
    without = networks.fit(trial, net, x, labels)
    asked = []
    monkeypatch.setattr(networks, "accuracy", lambda *args: 1.0 if len(asked) == 2 else asked.append(0) or 0.5)
    found = networks.fit(trial, net, x, labels)
    n = len(without.history)
    assert len(found.history) == n + 2
    assert found.history[:n] == without.history
    # The batches of the epochs that follow are drawn anew, and the network goes on from where it was.
    assert found.history[n]["train_loss"] < without.history[-1]["train_loss"]
    assert [row["epoch"] for row in found.history] == list(range(1, n + 3))


def test_training_goes_on_as_if_it_had_not_ended(dataset, monkeypatch):
    trial = dataclasses.replace(TRIAL, momentum=0.9)
    x, labels = networks.examples(trial, dataset)
    net = networks.network(trial, dataset)
    asked = []
    monkeypatch.setattr(networks, "accuracy", lambda *args: 1.0 if len(asked) == 3 else asked.append(0) or 0.5)
    found = networks.fit(trial, net, x, labels)
    rate, rng = trial.learning_rate, stream(networks.Draw.BATCHES, trial.seed)
    whole = npnet.train(
        net, networks.initial_theta(trial, net), x, labels,
        epochs=len(found.history), learning_rate=rate, batch_size=16, momentum=0.9, metrics=("accuracy",), rng=rng,
    )  # fmt: skip
    assert found.history == whole.history
    np.testing.assert_array_equal(found.theta, whole.theta)


def test_epochs_are_counted_over_all_of_the_training(dataset, monkeypatch):
    monkeypatch.setattr(networks, "accuracy", lambda *args: 0.5)
    x, labels = networks.examples(TRIAL, dataset)
    found = networks.fit(TRIAL, networks.network(TRIAL, dataset), x, labels)
    assert len(found.history) == 120


@pytest.mark.parametrize(("batch", "patience"), [(16, 24), (None, 200)])
def test_what_does_not_become_better_for_long_is_given_up(dataset, batch, patience):
    # Without a learning rate there is nothing to see.
    trial = dataclasses.replace(TRIAL, learning_rate=0.0, batch=batch)
    x, labels = networks.examples(trial, dataset)
    found = networks.fit(trial, networks.network(trial, dataset), x[:10], labels[:10])
    assert len(found.history) == 1 + patience


def test_a_portrait_is_trained_until_it_is_certain(dataset, monkeypatch):
    monkeypatch.setattr(networks, "CERTAIN", 0.1)
    trial = dataclasses.replace(TRIAL, part=PORTRAITS)
    x, labels = networks.examples(trial, dataset)
    found = networks.fit(trial, networks.network(trial, dataset), x, labels)
    losses = [row["train_loss"] for row in found.history]
    assert losses[-1] <= networks.CERTAIN < min(losses[:-1])
    assert found.history[-2]["train_accuracy"] == 1


@pytest.mark.parametrize(
    ("part", "batch", "epochs"), [(SWEEP, 16, 120), (PAIRS, None, 1000), (PAIRS, 16, 400), (PORTRAITS, 16, 500)]
)
def test_the_most_epochs(dataset, monkeypatch, part, batch, epochs):
    asked = {}
    monkeypatch.setattr(networks, "train", lambda *args, **options: asked.update(options) or begun())
    trial = dataclasses.replace(TRIAL, part=part, batch=batch)
    with pytest.raises(Begun):
        networks.fit(trial, networks.network(trial, dataset), *networks.examples(trial, dataset))
    assert (asked["sgd"].epochs, asked["sgd"].stop.patience) == (epochs, epochs // 5)


def test_momentum_is_that_of_the_trial(dataset):
    x, labels = networks.examples(TRIAL, dataset)
    net = networks.network(TRIAL, dataset)
    without, with_it = (
        networks.fit(dataclasses.replace(TRIAL, momentum=momentum), net, x, labels).history[0]
        for momentum in (0.0, 0.9)
    )
    # Of the first step it knows nothing, of the next ones it does.
    assert without["steps"] == with_it["steps"] == 3
    assert without["train_loss"] != with_it["train_loss"]


def test_batches_are_at_most_all_examples(dataset):
    trial = dataclasses.replace(TRIAL, batch=64)
    x, labels = networks.examples(trial, dataset)
    found = networks.fit(trial, networks.network(trial, dataset), x, labels)
    assert found.history[0]["steps"] == 1


# Which are compared.


def test_what_fits():
    shares = (1.0, 0.99, np.nan, 1.0)
    table = Table(
        row(SWEEP, k, dataset=name, training_accuracy=each)
        for name in ("mnist", "cifar10")
        for k, each in enumerate(shares)
    )
    found = fitted(Table([*table, row(PORTRAITS, 9)]))
    assert {title: rows["seed"].tolist() for title, rows in found.items()} == {"MNIST": [0, 3], "CIFAR-10": [0, 3]}


def test_pairs_of_which_one_does_not_fit_are_lost():
    """The first of pair 0 does not fit, which is lost for all factors; of pair 1 the second with random labels."""
    trials = dict.fromkeys(networks.pairs("mnist", "", Scale(0, 3, 0)))
    table = Table(
        dataclasses.asdict(trial)
        | {"training_accuracy": 0.9 if trial.seed == 0 or (trial.seed == 1 and trial.random_labels) else 1.0}
        for trial in trials
    )
    for factor, (change, *_, second_is_worse, _) in FACTORS.items():
        pairs, number = paired(table, factor)
        assert number == (2 if factor == "labels" else 1)
        assert (
            pairs["first", "seed"].tolist()
            == pairs["second", "seed"].tolist()
            == ([2] if factor == "labels" else [1, 2])
        )
        for pair in pairs:
            assert pair["second"] == pair["first"] | change
            assert pair["depth"] == pair["first"]["depth"]
            assert pair["worse" if second_is_worse else "better"] is pair["second"]
            assert pair["better" if second_is_worse else "worse"] is pair["first"]
