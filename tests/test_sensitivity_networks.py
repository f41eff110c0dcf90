"""The networks of the sensitivity study: how they are drawn, what they are trained on, and until when."""

import dataclasses

import numpy as np
import pytest

import npnet
from experiments.sensitivity import networks
from experiments.sensitivity.networks import DEFAULT, FACTORS, FULL, PAIRS, PORTRAITS, QUICK, SWEEP, Scale, Trial
from experiments.table import Table
from experiments.trials import stream
from npnet.data.images import standardised
from npnet.errors import ArgumentError, DataError
from npnet.fast import forward
from npnet.mlp import MLP

TRIAL = Trial(SWEEP, "mnist", "", 3, 2, 16, "relu", 1.0, 0.1, 16, 40)


# How they are drawn.


def test_the_sweep_is_the_same_for_every_data_set_and_size():
    large = networks.sweep("mnist", "a", FULL)
    assert [trial.seed for trial in large] == list(range(FULL.networks))
    assert len({dataclasses.replace(trial, seed=0) for trial in large}) == FULL.networks
    small = networks.sweep("x", "y", dataclasses.replace(DEFAULT, examples=7))
    assert small == [dataclasses.replace(t, dataset="x", data="y", examples=7) for t in large[: DEFAULT.networks]]


def test_the_sweep_covers_its_settings():
    trials = networks.sweep("mnist", "", Scale(2000, 0, 0))
    for name, values in (("batch", networks.BATCHES), ("momentum", networks.MOMENTA)):
        found, counts = np.unique([getattr(trial, name) for trial in trials], return_counts=True)
        assert found.tolist() == sorted(values)
        assert (abs(counts - 2000 / len(values)) < 5 * np.sqrt(2000 / len(values))).all()
    # In blocks of one architecture, all of them before the first again.
    blocks = [{trial.architecture for trial in trials[start : start + 8]} for start in range(0, 37 * 8, 8)]
    assert [len(block) for block in blocks] == [1] * 37
    assert len(set.union(*blocks)) == 36
    assert blocks[0] == blocks[36] != blocks[1]
    # Gains and rates are uniform in their logarithm.
    shares = [trial.learning_rate / (1 - trial.momentum) for trial in trials]
    for found, low, high in (([trial.gain for trial in trials], 0.5, 2.5), (shares, 0.02, 0.15)):
        places = np.log(np.array(found) / low) / np.log(high / low)
        np.testing.assert_allclose(np.quantile(places, [0, 0.5, 1]), [0, 0.5, 1], atol=0.06)
    # Even a quick run has several kinds.
    assert len({trial.architecture for trial in networks.sweep("mnist", "", QUICK)}) == QUICK.networks / 2


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


def test_the_sweep_is_on_all_data_sets_and_the_rest_on_the_first(dataset, colourful):
    scale = Scale(3, 2, 1, examples=30, pair_examples=20)
    data = {"mnist": dataset, "cifar10": colourful}
    trials = networks.networks(scale, data, Table())
    assert len(trials) == len(set(trials)) == 2 * 3 + 2 * 5 + 2
    assert [t.dataset for t in trials if t.part == SWEEP] == ["mnist"] * 3 + ["cifar10"] * 3
    assert {t.dataset for t in trials if t.part != SWEEP} == {"mnist"}
    # Those of a larger run contain them.
    larger = dataclasses.replace(scale, networks=4, pairs=3, portraits=2)
    assert set(trials) < set(networks.networks(larger, data, Table()))


# What they are trained on.


def test_examples_are_standardised_and_in_proportion(dataset):
    x, labels = networks.examples(TRIAL, dataset)
    assert x.shape == (40, 7, 7)
    assert np.bincount(labels).tolist() == [4] * 10
    np.testing.assert_allclose(x.mean(axis=(1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(x.std(axis=(1, 2)), 1, atol=1e-6)
    everything = standardised(dataset.train_images)
    places = [np.flatnonzero((everything == image).all(axis=(1, 2))) for image in x]
    np.testing.assert_array_equal(dataset.train_labels[np.concatenate(places)], labels)
    # They do not depend on what a trial is not about.
    for change in ({"activation": "hard_sigmoid"}, {"batch": None}, {"random_labels": True}, {"part": PORTRAITS}):
        np.testing.assert_array_equal(networks.examples(dataclasses.replace(TRIAL, **change), dataset)[0], x)
    assert not np.array_equal(networks.examples(dataclasses.replace(TRIAL, seed=4), dataset)[0], x)


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
    x, labels = networks.examples(dataclasses.replace(TRIAL, copies=8), data)
    np.testing.assert_array_equal(x[:40], plain)
    np.testing.assert_array_equal(labels, np.tile(true, 9))
    shifts = [(dy, dx) for dy in range(-4, 5) for dx in range(-4, 5)]
    moved = np.stack([np.roll(plain, shift, axis=(-2, -1)) for shift in shifts]).reshape(len(shifts), 40, -1)
    same = [np.isclose(moved[:, k % 40], image.ravel(), atol=1e-5).all(axis=1) for k, image in enumerate(x[40:])]
    # Each copy is shifted by itself, as far as that.
    assert np.sum(same, axis=1).tolist() == [1] * 320
    assert [len({shifts[k][axis] for k in np.argmax(same, axis=1)}) for axis in (0, 1)] == [9, 9]


def test_check_of_the_number_of_examples(dataset, colourful):
    scale = Scale(1, 1, 1, examples=30, pair_examples=120)
    networks.check([dataset, colourful], scale)
    networks.check([dataset], dataclasses.replace(scale, examples=120))
    for number in (29, 121):
        with pytest.raises(ArgumentError, match=f"^--examples: found {number}, expected 30 to 120 with mnist$"):
            networks.networks(dataclasses.replace(scale, examples=number), {"mnist": dataset}, Table())
    with pytest.raises(DataError, match=r"^mnist: found 120 training images, expected the 121 of a pair$"):
        networks.networks(dataclasses.replace(scale, pair_examples=121), {"mnist": dataset}, Table())


@pytest.mark.parametrize("part", ["train_labels", "test_labels"])
@pytest.mark.parametrize("classes", [9, 11])
def test_all_ten_labels_must_be_there(colourful, part, classes):
    broken = dataclasses.replace(colourful, **{part: (np.arange(33) % classes).astype(np.uint8)})
    with pytest.raises(DataError, match=r"^cifar10: found the labels "):
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


def trained(dataset, **changes):
    trial = dataclasses.replace(TRIAL, **changes)
    return networks.fit(trial, networks.network(trial, dataset), *networks.examples(trial, dataset))


def test_training_stops_at_the_first_epoch_without_a_mistake(dataset):
    found = trained(dataset)
    right = [row["train_accuracy"] for row in found.history]
    assert right[-1] == 1
    assert max(right[:-1]) < 1
    x, labels = networks.examples(TRIAL, dataset)
    assert (forward(networks.network(TRIAL, dataset), found.theta, x).argmax(axis=1) == labels).all()


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
    assert len(trained(dataset).history) == 120


@pytest.mark.parametrize(
    ("part", "batch", "copies", "patience"),
    [(SWEEP, 16, 0, 24), (PAIRS, None, 0, 200), (PAIRS, 16, 0, 80), (PAIRS, 16, 1, 10)],
)
def test_what_does_not_become_better_for_long_is_given_up(dataset, part, batch, copies, patience):
    # Without a learning rate there is nothing to see.
    found = trained(dataset, part=part, learning_rate=0.0, batch=batch, copies=copies)
    assert len(found.history) == 1 + patience


def test_a_portrait_is_trained_until_it_is_certain(dataset, monkeypatch):
    monkeypatch.setattr(networks, "CERTAIN", 0.1)
    found = trained(dataset, part=PORTRAITS)
    losses = [row["train_loss"] for row in found.history]
    assert losses[-1] <= networks.CERTAIN < min(losses[:-1])
    assert found.history[-2]["train_accuracy"] == 1


def test_batches_are_at_most_all_examples(dataset):
    assert trained(dataset, batch=64).history[0]["steps"] == 1


# Which are compared.


def test_pairs_of_which_one_does_not_fit_are_lost():
    """The first of pair 0 does not fit, which is lost for all factors; of pair 1 the second with random labels."""
    table = Table(
        dataclasses.asdict(t) | {"training_accuracy": float(t.seed > 1 or (t.seed == 1 and not t.random_labels))}
        for t in dict.fromkeys(networks.pairs("mnist", "", Scale(0, 3, 0)))
    )
    for factor, (change, *_, second_is_worse, _) in FACTORS.items():
        pairs, lost = networks.paired(table, factor)
        assert lost == (2 if factor == "labels" else 1)
        for side in ("first", "second"):
            assert pairs[side, "seed"].tolist() == ([2] if factor == "labels" else [1, 2])
        for pair in pairs:
            assert pair["second"] == pair["first"] | change
            assert pair["worse"] is pair["second" if second_is_worse else "first"]
            assert pair["better"] is pair["first" if second_is_worse else "second"]
