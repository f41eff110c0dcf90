"""Inside the low-capacity networks, their saliency and their pruning with retraining: known answers and properties."""

import itertools
import math

import numpy as np
import pytest
from made_up import trial_of

from experiments.low_capacity import inside, limits, networks, saliency
from experiments.low_capacity.measures import measure
from experiments.low_capacity.networks import ARMS, AS_RELEASED, LIMITS, Draw, Examples, Task, pruned, task
from experiments.low_capacity.published import PRUNED_PERCENT
from experiments.low_capacity.saliency import REPLICA
from npnet.derivatives import input_gradient
from npnet.fast import Training
from npnet.mlp import MLP
from npnet.pruning import magnitude, prune, sparsity

# Two hidden units, one a pixel: the first pixel is bright on class 1 only, the second on every image. The weight of the
# second is the larger one, so that a deep cut leaves nothing else.
NET = MLP((2, 2, 1))
THETA = np.array([0.5, 0, 0, 1, 0, 0, 1, 0.5, -0.75], np.float32)
CLASSES = np.array([0, 1] * 4, np.uint8)
IMAGES = np.stack([255 * CLASSES, np.full(8, 255, np.uint8)], axis=1)[:, None, :]
TELLING = Task(*[Examples(IMAGES, CLASSES)] * 3)
ONE_BIT = 1 + 1 / (2 * 8 * math.log(2))  # of 8 examples, corrected for its bias


# Representation.


def test_separability_of_known_layers():
    classes = np.array([0, 1] * 20)
    apart = np.stack([classes, np.ones(40)], axis=1)
    assert inside.separability(apart, classes, apart, classes) == 1
    assert inside.separability(apart, classes, apart, 1 - classes) == 0
    nothing = np.ones((40, 3))
    assert inside.separability(nothing, classes, nothing, classes) == 0.5
    corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]] * 5)  # exclusive or
    assert inside.separability(corners, corners[:, 0] ^ corners[:, 1], corners, [0, 0, 1, 1] * 5) == 0.5


def test_a_unit_is_scaled_by_the_training_examples_unless_its_deviation_is_rounding():
    classes = np.array([0, 1] * 10)
    # Moved to a mean of their own, two of these would be on the other side.
    test = np.array([[7.0], [8.0], [9.0], [10.0]])
    assert inside.separability(10.0 * classes[:, None], classes, test, np.ones(4, int)) == 1
    classes, constant = np.array([0, 1, 1] * 4), np.full(12, 0.1)
    assert 0 < constant.std() < 1e-16
    test = np.stack([constant + 0.01 * (1 - 2 * classes), classes], axis=1)
    assert inside.separability(np.stack([constant, classes], axis=1), classes, test, classes) == 1


def test_representation_of_a_network_that_a_deep_cut_blinds(monkeypatch):
    monkeypatch.setattr(inside, "SHOWN", 4)
    found = inside.representation(trial_of(), NET, THETA, TELLING)
    whole, blind = {"separability": 1, "silhouette": 1}, {"separability": 0.5, "silhouette": 0}
    kinds = (("dense", whole), ("divided twice", whole), ("pruned", blind))
    assert found["representation"] == [{"pruning": name} | numbers for name, numbers in kinds]
    assert found["points"]["labels"] == [0, 0, 0, 0]  # every second one
    assert found["points"]["dense"] == found["points"]["pruned"] == [[0, 1]] * 4
    for other in (trial_of(width=12), trial_of(seed=42)):
        assert "points" not in inside.representation(other, NET, THETA, TELLING)


# Information.


def test_information_of_a_network_that_a_deep_cut_blinds():
    found = inside.information(trial_of(), NET, THETA, TELLING.test)
    assert [row["level"] for row in found["information"]] == [0, *(percent / 100 for percent in PRUNED_PERCENT)]
    telling = {"mean": ONE_BIT / 2, "largest": ONE_BIT, "output": ONE_BIT}
    for row in found["information"]:
        # 80 % of four weights is three.
        expected = telling if row["level"] < 0.8 else dict.fromkeys(telling, 0)
        assert row == pytest.approx({"level": row["level"]} | expected)
    assert found["units"]["dense"] == pytest.approx([ONE_BIT, 0])
    assert found["units"]["pruned"] == [0, 0]
    deaf = THETA.copy()
    deaf[6] = 0  # the first unit's weight to the output
    (dense, *_) = inside.information(trial_of(), NET, deaf, TELLING.test)["information"]
    assert (dense["largest"], dense["output"]) == pytest.approx((ONE_BIT, 0))


def test_whether_the_units_of_most_information_are_spared():
    net = MLP((5, 3, 1))
    theta = np.zeros(net.size, np.float32)
    first, last = net.unpack(theta)
    first.weights[:] = np.arange(15).reshape(3, 5)  # the three largest are of the last unit
    last.weights[:] = [-3, 2, 1]
    # Ranks of 0, 0 and 3 weights kept against 1, 2, 3.
    found = inside.spared(net, theta, np.array([0.1, 0.2, 0.9]))
    assert found == pytest.approx({"incoming": math.sqrt(3) / 2, "outgoing": -1})
    assert all(math.isnan(value) for value in inside.spared(net, theta, np.zeros(3)).values())


# Saliency.


def drawn(net, seed):
    return net.init(np.random.default_rng(seed), "normal")


def test_the_networks_that_one_is_compared_with():
    trial, net = trial_of(width=4, seed=5), MLP((49, 4, 1))
    theta, replica = drawn(net, 1), drawn(net, 2)
    others = saliency._others(trial, net, theta, replica)
    np.testing.assert_array_equal(theta, drawn(net, 1))
    assert others[REPLICA] is replica
    np.testing.assert_array_equal(others[saliency.UNTRAINED], drawn(net, [Draw.WEIGHTS, 5, 4, 9, 4, 0]))
    first, second = net.weight_slices
    for name, share in (("pruned", 0.95), ("divided twice", 0.0095)):
        removed = sum(math.floor(share * n) for n in (4 * 49, 4))
        assert sparsity(net, (others[name] != 0) | ~net.prunable) == pytest.approx(removed / (5 * 4 * 10))
    last, both = others[saliency.LAST_PERMUTED], others[saliency.BOTH_PERMUTED]
    np.testing.assert_array_equal(last[first], theta[first])
    assert not np.array_equal(both[first], theta[first])
    for other in (last, both):
        np.testing.assert_array_equal(np.sort(other[second]), np.sort(theta[second]))
        assert not np.array_equal(other[second], theta[second])


def test_agreement_by_hand():
    maps = np.array([[4.0, 3, 2, 1], [4, 3, 2, 1]])
    assert saliency.agreement(maps, maps) == {"rank_correlation": pytest.approx(1), "overlap": 1}
    half = np.array([[4.0, 3, 2, 1], [1, 2, 3, 4]])
    assert saliency.agreement(maps, half) == {"rank_correlation": pytest.approx(0, abs=1e-15), "overlap": 0.5}
    # A constant map has no ranks, and counts as one that agrees with nothing.
    constant = np.array([[4.0, 3, 2, 1], [1, 1, 1, 1]])
    for pair in ((maps, constant), (constant, maps)):
        assert saliency.agreement(*pair) == {"rank_correlation": pytest.approx(0.5), "overlap": 1}
    assert saliency.agreement(0 * maps, 0 * maps) == {"rank_correlation": 0, "overlap": 0}
    # Of equal pixels the first fill the places that the larger ones leave.
    assert saliency.overlap(np.array([[2.0, 1, 1, 1]]), np.array([[0.0, 0, 1, 1]]), 0.5) == 0


def test_maps_are_of_the_first_right_and_wrong_answer_on_each_digit():
    # The logit is the first pixel minus one half; the second pixel tells the images apart.
    net, theta = MLP((2, 1, 1), "identity"), np.array([1.0, 0, -0.5, 1, 0])
    images = np.array([[255, 0], [0, 1], [0, 2], [0, 3], [255, 4], [255, 5], [0, 6]], np.uint8)[:, None, :]
    labels = np.array([0, 0, 0, 1, 1, 1, 1], np.uint8)
    test = Examples(images, labels)
    shown = saliency._shown(net, theta, test)
    assert shown == [1, 0, 4, 3]
    entries = saliency._maps(net, {"dense": theta, "other": -theta / 3}, test, shown)
    found = [(entry["label"], entry["right"], entry["image"][0][1]) for entry in entries]
    assert found == [(0, True, 1), (0, False, 0), (1, True, 4), (1, False, 3)]
    assert all(entry["dense"] == [1, 0] and entry["other"] == [0.111111, 0] for entry in entries)
    assert saliency._shown(net, theta, Examples(images[1:3], labels[1:3])) == [0]


def test_errors_of_the_forward_difference_by_hand():
    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    rows = saliency._errors(MLP((1, 1)), np.array([2.0, 0.0], np.float32), np.array([[0], [255]], np.uint8))
    assert [row["step"] for row in rows] == [10.0**-k for k in range(1, 8)]
    slopes = np.array([2 * sigmoid(2 * x) * sigmoid(-2 * x) for x in (0, 1)])
    differences = np.array([(sigmoid(2 * (x + 0.1)) - sigmoid(2 * x)) / 0.1 for x in (0, 1)])
    assert rows[0]["error"] == pytest.approx(abs(differences / slopes - 1).mean(), rel=1e-6)
    flat = saliency._errors(MLP((1, 1)), np.zeros(2), np.zeros((1, 1)))
    assert all(math.isnan(row["error"]) for row in flat)


@pytest.mark.parametrize("arm", ARMS)
def test_maps_of_trained_networks_are_compared(dataset, short, arm):
    trials, examples = [trial_of(arm, 4), trial_of(arm, 24)], task(arm, (4, 9), 0, dataset)
    narrow, wide = measure(trials, dataset)
    (one, papers), (anew, _) = ([t.theta for t in networks.trained(trials, examples, replica=r)] for r in (False, True))
    net, other = MLP((49, 4, 1)), MLP((49, 24, 1))
    compared = {REPLICA: (net, anew), "pruned": (net, pruned(net, one, 0.95)), "h24": (other, papers)}
    found = {row.pop("other"): row for row in narrow["saliency"]}
    for name, (network, theta) in compared.items():
        maps = [np.abs(input_gradient(*each, examples.test.images)) for each in ((net, one), (network, theta))]
        assert found[name] == saliency.agreement(*maps)
    assert set(found) == {row["other"] for row in wide["saliency"]} | {"h24"}


# Pruning with retraining.

LEVELS = (0.5, 0.9, 0.98)
PAIR = [trial_of(width=width, part=LIMITS, levels=LEVELS) for width in (6, 24)]


@pytest.fixture(scope="module")
def rounds(dataset):
    """The two networks and their dense parameters, what was measured, and by method each training in turn.

    A training is what it starts from, its masks and what it returns: invented numbers in the places that are kept.
    """
    calls, dense, nets = [], [], []

    def trained(trials, examples):
        nets[:] = [networks.network(trial, examples) for trial in trials]
        dense[:] = [drawn(net, net.size) for net in nets]
        return [Training(theta, theta, [], 1, "") for theta in dense]

    def converged(nets, thetas, examples, rate, rng, masks):
        new = [np.where(mask, drawn(net, len(calls)), np.float32(0)) for net, mask in zip(nets, masks, strict=True)]
        calls.append((thetas, masks, new, rng.random(), rate))
        return [Training(theta, theta, [], 1, "") for theta in new]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(networks, "trained", trained)
        patch.setattr(networks, "converged", converged)
        results = measure(PAIR, dataset)
    assert len(calls) == len(LEVELS) * len(limits.RETRAINED)
    # Of the round that an iterative method is asked for it trains before what comes after it.
    by_method = {method: calls[k :: len(limits.RETRAINED)] for k, method in enumerate(limits.RETRAINED)}
    return nets, dense, results, by_method


def test_what_each_method_is_trained_from(rounds):
    nets, dense, _, found = rounds
    initial = [networks.initial_theta(trial, net) for trial, net in zip(PAIR, nets, strict=True)]
    for number in range(len(LEVELS)):
        iterated = found[limits.ITERATIVE][number - 1][2] if number else dense
        sources = {limits.FINE_TUNED: dense, limits.ITERATIVE: iterated}
        sources |= {limits.REWOUND: initial, limits.RANDOM: initial}
        for method, source in sources.items():
            for start, theta, mask in zip(found[method][number][0], source, found[method][number][1], strict=True):
                np.testing.assert_array_equal(start, np.where(mask, theta, 0))


def test_the_weights_that_are_smallest_after_the_last_training_are_removed(rounds):
    nets, dense, _, found = rounds
    for method in (limits.FINE_TUNED, limits.ITERATIVE, limits.REWOUND):
        latest, masks = dense, [None] * 2
        for level, (_, cut, results, *_) in zip(LEVELS, found[method], strict=True):
            masks = [prune(n, magnitude(n, t), level, mask=m) for n, t, m in zip(nets, latest, masks, strict=True)]
            np.testing.assert_array_equal(np.concatenate(cut), np.concatenate(masks))
            latest = dense if method == limits.FINE_TUNED else results


def test_the_controls_of_a_ticket(rounds):
    nets, _, _, found = rounds
    for ticket, random, new in zip(found[limits.REWOUND], found[limits.RANDOM], found[limits.NEW_WEIGHTS], strict=True):
        for k, net in enumerate(nets):
            for where in net.weight_slices:
                assert random[1][k][where].sum() == ticket[1][k][where].sum()
            assert (random[1][k] != ticket[1][k]).any()
            np.testing.assert_array_equal(new[1][k], ticket[1][k])
            weights = new[1][k] & net.prunable
            assert not (new[0][k][weights] == ticket[0][k][weights]).any()
    for before, after in itertools.pairwise(np.concatenate(call[1]) for call in found[limits.RANDOM]):
        assert not (after & ~before).any()
    start = found[limits.NEW_WEIGHTS][0][0][1]
    assert start[start != 0].std() == pytest.approx(0.1, rel=0.1)


def test_all_methods_see_the_batches_of_a_level_in_one_order(rounds):
    found = rounds[3]
    orders = [{calls[number][3] for calls in found.values()} for number in range(len(LEVELS))]
    assert [len(order) for order in orders] == [1] * len(LEVELS)
    assert len(set.union(*orders)) == len(LEVELS)
    assert {call[4] for calls in found.values() for call in calls} == {0.3}


def test_as_released_nothing_is_trained_again(dataset, short):
    (result,) = measure([trial_of(AS_RELEASED, part=LIMITS)], dataset)
    assert {row["method"] for row in result["rows"]} == {limits.DENSE, limits.LAYERWISE, limits.GLOBAL}


def test_units_without_inputs_or_output_are_disconnected():
    net = MLP((2, 4, 1))
    mask = np.ones(net.size, dtype=bool)
    first, last = net.unpack(mask)
    first.weights[[0, 3]] = False
    first.weights[1, 0] = False
    last.weights[0, [2, 3]] = False
    test = Examples(np.array([[[0, 255]], [[255, 0]]], np.uint8), np.array([0, 1], np.uint8))
    assert limits.scores(net, mask, np.zeros(net.size, np.float32), test) == {"accuracy": 0.5, "disconnected": 3}
