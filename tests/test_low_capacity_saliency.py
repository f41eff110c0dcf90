"""Saliency of the low-capacity networks: what maps are compared with, and the rules that judge them."""

import json
import math

import numpy as np
import pytest

from experiments.claims import Verdict
from experiments.low_capacity import protocol
from experiments.low_capacity.figures import saliency as figures
from experiments.low_capacity.judgements import CLAIMS
from experiments.low_capacity.judgements import saliency as judged_saliency
from experiments.low_capacity.measures import measure, saliency
from experiments.low_capacity.measures.one_shot import pruned
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED, Examples, Task, Trial, task
from experiments.low_capacity.published import PATCH, SIGMAS
from experiments.low_capacity.results import Results, Study
from experiments.trials import stream
from npnet.derivatives import input_gradient
from npnet.mlp import MLP
from npnet.pruning import sparsity
from npnet.ranks import rank_correlation
from npnet.saliency import overlap

OTHERS = ["pruned", "divided twice", "twin", "last layer randomised", "randomised", "untrained"]

# A network whose logit is the first pixel minus one half; the second pixel tells the images apart.
FIRST, FIRST_THETA = MLP((2, 1, 1), "identity"), np.array([1.0, 0, -0.5, 1, 0])
IMAGES = np.array([[255, 0], [0, 1], [0, 2], [0, 3], [255, 4], [255, 5], [0, 6]], np.uint8)[:, None, :]
LABELS = np.array([0, 0, 0, 1, 1, 1, 1], np.uint8)


def network_of(arm=CORRECTED, width=24, seed=0):
    return Trial(arm, 4, 9, width, seed, "", 0.3)


def drawn(net, seed):
    return net.init(np.random.default_rng(seed), "normal")


# A network trained anew.


@pytest.mark.parametrize("arm", ARMS)
def test_a_twin_is_the_same_network_from_other_draws(dataset, short, arm):
    trial, net = network_of(arm, 4, 42), MLP((49, 4, 1))
    twin = protocol.initial_theta(trial, net, twin=True)
    np.testing.assert_array_equal(twin, drawn(net, [protocol.Draw.WEIGHTS, 42, 4, 9, 4, 1]))
    if arm == CORRECTED:
        np.testing.assert_array_equal(
            protocol.initial_theta(trial, net), drawn(net, [protocol.Draw.WEIGHTS, 42, 4, 9, 4, 0])
        )
    assert not np.array_equal(protocol.initial_theta(trial, net), twin)
    examples = task(arm, (4, 9), 42, dataset)
    (one,), (other,) = (protocol.trained([trial], examples, twin=twin) for twin in (False, True))
    assert [row["steps"] for row in one.history] == [row["steps"] for row in other.history]
    assert not np.array_equal(one.theta, other.theta)


def test_a_twin_sees_the_examples_in_another_order(dataset, monkeypatch):
    found = []
    monkeypatch.setattr(protocol, "converged", lambda nets, thetas, examples, rate, rng, **_: found.append(rng))
    for twin in (False, True):
        protocol.trained([network_of(seed=3)], task(CORRECTED, (4, 9), 3, dataset), twin=twin)
    expected = [stream(protocol.Draw.BATCHES, 3, 4, 9, twin).random() for twin in (0, 1)]
    assert [rng.random() for rng in found] == expected


# What is measured.


def test_the_networks_that_one_is_compared_with():
    trial, net = network_of(width=4, seed=5), MLP((49, 4, 1))
    theta, twin = drawn(net, 1), drawn(net, 2)
    before = theta.copy()
    others = saliency._others(trial, net, theta, twin)
    assert list(others) == OTHERS
    np.testing.assert_array_equal(theta, before)
    assert others["twin"] is twin
    np.testing.assert_array_equal(others["untrained"], drawn(net, [protocol.Draw.WEIGHTS, 5, 4, 9, 4, 0]))
    first, second = net.weight_slices
    for name, share in (("pruned", 0.95), ("divided twice", 0.0095)):
        removed = sum(math.floor(share * n) for n in (4 * 49, 4))
        assert sparsity(net, (others[name] != 0) | ~net.prunable) == pytest.approx(removed / (5 * 4 * 10))
    last, both = others["last layer randomised"], others["randomised"]
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


def test_maps_are_of_the_first_right_and_wrong_answer_on_each_digit():
    judged = Examples(IMAGES, LABELS)
    shown = saliency._shown(FIRST, FIRST_THETA, judged)
    assert shown == [1, 0, 4, 3]
    entries = saliency._maps(FIRST, {"dense": FIRST_THETA, "other": -FIRST_THETA / 3}, judged, shown)
    found = [(entry["label"], entry["right"], entry["image"][0][1]) for entry in entries]
    assert found == [(0, True, 1), (0, False, 0), (1, True, 4), (1, False, 3)]
    assert all(entry["dense"] == [1, 0] and entry["other"] == [0.111111, 0] for entry in entries)
    assert saliency._shown(FIRST, FIRST_THETA, Examples(IMAGES[1:3], LABELS[1:3])) == [0]


def test_maps_under_corruption_are_compared_with_the_same_networks_clean_ones(monkeypatch):
    net = MLP((64, 8, 1))
    theta = drawn(net, 0)
    clean, damaged = np.random.default_rng(1).random((2, 6, 8, 8), dtype=np.float32)
    conditions = [("gaussian noise", 0.1, damaged), ("occlusion", 7, clean)]
    monkeypatch.setattr(saliency, "MAPS", 5)
    rows = saliency._under_corruption("pruned", net, theta, clean, conditions)
    assert [(row["network"], row["condition"], row["level"]) for row in rows] == [
        ("pruned", "clean", 0.0),
        ("pruned", "gaussian noise", 0.1),
        ("pruned", "occlusion", 7),
    ]
    maps = [np.abs(input_gradient(net, theta, images[:5])) for images in (clean, damaged)]
    for row, other in zip(rows, (maps[0], maps[1], maps[0]), strict=True):
        assert row["overlap"] == overlap(maps[0], other).mean()
        assert row["rank_correlation"] == rank_correlation(maps[0], other).mean()
    assert rows[1]["overlap"] < rows[0]["overlap"]


def test_errors_of_the_forward_difference_by_hand():
    net, theta = MLP((1, 1)), np.array([2.0, 0.0], np.float32)
    images = np.array([[0], [255]], np.uint8)

    def sigmoid(z):
        return 1 / (1 + math.exp(-z))

    rows = saliency._errors(net, theta, images)
    assert [row["step"] for row in rows] == [10.0**-k for k in range(1, 8)]
    for row in rows[:3]:
        step, errors = row["step"], []
        for x in (0, 1):
            slope = 2 * sigmoid(2 * x) * sigmoid(-2 * x)
            errors.append(abs((sigmoid(2 * (x + step)) - sigmoid(2 * x)) / step - slope) / slope)
        assert row["error"] == pytest.approx(np.mean(errors), rel=1e-6)


def test_the_error_without_a_gradient_is_unknown():
    assert all(math.isnan(row["error"]) for row in saliency._errors(MLP((1, 1)), np.zeros(2), np.zeros((1, 1))))


def test_measure_of_known_networks():
    trials, nets = [network_of(width=width) for width in (4, 24)], [MLP((49, width, 1)) for width in (4, 24)]
    thetas, twins = [drawn(net, 1) for net in nets], [drawn(net, 2) for net in nets]
    images = np.random.default_rng(0).integers(0, 256, (7, 7, 7), dtype=np.uint8)
    examples = Task(*3 * [Examples(images, np.array([0, 1, 0, 1, 0, 1, 1], np.uint8))])
    narrow, wide = saliency.measure(trials, thetas, twins, examples, [("occlusion", PATCH, images / 300)])
    assert list(narrow) == ["saliency"]
    assert list(wide) == ["saliency", "saliency_corrupted", "maps", "forward_difference"]
    assert list(narrow["saliency"]) == [*OTHERS, "h24"]
    assert list(wide["saliency"]) == OTHERS
    maps = {
        (number, name): np.abs(input_gradient(net, theta, images))
        for number, net in enumerate(nets)
        for name, theta in (
            ("dense", thetas[number]),
            ("twin", twins[number]),
            ("pruned", pruned(net, thetas[number], 0.95)),
        )
    }
    for number, result in enumerate((narrow, wide)):
        for name in ("twin", "pruned"):
            expected = saliency.agreement(maps[number, "dense"], maps[number, name])
            assert result["saliency"][name] == expected
    assert narrow["saliency"]["h24"] == saliency.agreement(maps[0, "dense"], maps[1, "dense"])

    rows = {(row["network"], row["condition"]): row["overlap"] for row in wide["saliency_corrupted"]}
    assert list(rows) == [(name, condition) for name in ("dense", "pruned") for condition in ("clean", "occlusion")]
    for name in ("dense", "pruned"):
        assert rows[name, "clean"] == overlap(maps[1, name], maps[1, name]).mean()
    for entry in wide["maps"]:
        assert list(entry) == ["label", "right", "image", "dense", "divided twice", "pruned", "twin"]
        np.testing.assert_allclose(
            entry["twin"], input_gradient(nets[1], twins[1], np.array(entry["image"], np.uint8)[None])[0], rtol=1e-5
        )
    shown = saliency._shown(nets[1], thetas[1], examples.judged)
    assert [entry["image"] for entry in wide["maps"]] == images[shown].tolist()
    assert wide["forward_difference"] == saliency._errors(nets[1], thetas[1], images[shown])


def test_the_paper_has_maps_to_compare_with_only_where_it_is_trained():
    trial, net = network_of(width=4), MLP((49, 4, 1))
    images = np.random.default_rng(0).integers(0, 256, (3, 7, 7), dtype=np.uint8)
    examples = Task(*3 * [Examples(images, np.array([0, 1, 0], np.uint8))])
    (alone,) = saliency.measure([trial], [drawn(net, 0)], [drawn(net, 1)], examples, [])
    assert list(alone["saliency"]) == OTHERS


@pytest.mark.parametrize("arm", ARMS)
def test_measured_in_a_run(dataset, short, arm):
    narrow, wide = measure([network_of(arm, 4), network_of(arm, 24)], dataset)
    assert json.loads(json.dumps(wide)) == wide
    assert list(narrow["saliency"]) == [*OTHERS, "h24"]
    examples = task(arm, (4, 9), 0, dataset)
    (one, _), (twin, _) = (
        [training.theta for training in protocol.trained([network_of(arm, 4), network_of(arm, 24)], examples, twin=two)]
        for two in (False, True)
    )
    net = MLP((49, 4, 1))
    for name, other in (("twin", twin), ("pruned", pruned(net, one, 0.95))):
        maps = [np.abs(input_gradient(net, theta, examples.judged.images)) for theta in (one, other)]
        assert narrow["saliency"][name] == saliency.agreement(*maps)
    conditions = [("clean", 0.0), *(("gaussian noise", sigma) for sigma in SIGMAS), ("occlusion", PATCH)]
    found = [(row["network"], row["condition"], row["level"]) for row in wide["saliency_corrupted"]]
    assert found == [(name, *condition) for name in ("dense", "pruned") for condition in conditions]


# The rules, on results made up for each verdict.


def made_up(shares=None, errors=None, seeds=3):
    """Results of the paper's network, both arms; `shares` of pixels by arm and network: a number, or one a seed."""
    trials = [network_of(arm, seed=seed) for arm in ARMS for seed in range(seeds)]
    results = []
    for trial in trials:
        given = {"pruned": 0.6, "divided twice": 1.0, "twin": 0.4, "last layer randomised": 0.1, "randomised": 0.05}
        given |= {"untrained": 0.05} | (shares or {}).get(trial.arm, {})
        found = {name: float(np.broadcast_to(value, seeds)[trial.seed]) for name, value in given.items()}
        error = errors(trial) if errors else lambda step: step
        results.append(
            {
                "saliency": {name: {"overlap": value, "rank_correlation": value / 2} for name, value in found.items()},
                "forward_difference": [{"step": step, "error": error(step)} for step in saliency.STEPS],
            }
        )
    return Study(Results(trials, results))


def both(**shares):
    return {arm: {name.replace("_", " "): value for name, value in shares.items()} for arm in ARMS}


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        (both(pruned=0.5), Verdict.HOLDS),
        (both(pruned=[0.4, 0.5, 0.6]), Verdict.HOLDS),
        (both(pruned=0.49), Verdict.CONDITIONAL),
        ({AS_RELEASED: {"pruned": 0.49}}, Verdict.CONDITIONAL),
        ({CORRECTED: {"pruned": 0.49}}, Verdict.CONDITIONAL),
        ({CORRECTED: {"pruned": 0.49, "divided twice": 0.49}}, Verdict.FAILS),
    ],
)
def test_rule_of_keeping_half(shares, verdict):
    judgement = judged_saliency.kept(made_up(shares))
    assert judgement.verdict is verdict
    assert "divided twice 1.00 [1.00, 1.00] (n = 3), rank correlation 0.50" in judgement.measured


@pytest.mark.parametrize(
    ("shares", "verdict"),
    [
        ({}, Verdict.HOLDS),
        (both(pruned=0.4), Verdict.HOLDS),
        # Less in the mean, but not in every seed.
        (both(pruned=[0.2, 0.2, 0.41]), Verdict.HOLDS),
        (both(pruned=[0.2, 0.2, 0.39]), Verdict.CONDITIONAL),
        ({AS_RELEASED: {"pruned": 0.3}}, Verdict.CONDITIONAL),
        ({CORRECTED: {"pruned": 0.3}}, Verdict.CONDITIONAL),
        # As near as a network trained anew, but no nearer than a randomised one.
        (both(randomised=[0.6, 0.0, 0.0]), Verdict.CONDITIONAL),
        (both(pruned=0.3, divided_twice=0.3), Verdict.FAILS),
        (both(randomised=1.0), Verdict.FAILS),
    ],
)
def test_rule_of_being_as_near_as_a_network_trained_anew(shares, verdict):
    assert judged_saliency.like_a_twin(made_up(shares)).verdict is verdict


def test_the_difference_to_a_network_trained_anew_is_paired():
    judgement = judged_saliency.like_a_twin(made_up(both(pruned=[0.5, 0.6, 0.7], twin=[0.4, 0.5, 0.6])))
    assert judgement.measured.count("less trained anew 0.10 [0.10, 0.10] (n = 3)") == 2


@pytest.mark.parametrize(
    ("shares", "verdict", "condition"),
    [
        ({}, Verdict.HOLDS, ""),
        ({AS_RELEASED: {"twin": 0.05}}, Verdict.CONDITIONAL, "the networks are trained to convergence"),
        ({CORRECTED: {"randomised": [0.4, 0, 0]}}, Verdict.CONDITIONAL, "trained as released, by 100 full-batch steps"),
        (both(randomised=0.4), Verdict.FAILS, ""),
        (both(randomised=0.5), Verdict.FAILS, ""),
        (both(last_layer_randomised=0.5, untrained=0.5), Verdict.HOLDS, ""),
    ],
)
def test_rule_of_showing_what_was_learnt(shares, verdict, condition):
    judgement = judged_saliency.learnt(made_up(shares))
    assert judgement.verdict is verdict
    assert condition in judgement.condition


def test_one_seed_is_too_few_for_an_interval():
    for rule in (judged_saliency.like_a_twin, judged_saliency.learnt):
        assert rule(made_up(seeds=1)).verdict is Verdict.OPEN
        assert rule(made_up(seeds=2)).verdict is Verdict.HOLDS


def with_rounding(power, rounding=1e-12):
    return lambda step: step**power + rounding / step


def test_slopes_by_hand():
    def slope(errors):
        return judged_saliency.slope([{"step": s, "error": e} for s, e in errors.items()])

    assert slope({0.1: 0.1, 0.01: 0.01, 0.001: 0.001}) == pytest.approx(1)
    assert slope({0.1: 0.5, 0.01: 0.005, 0.001: 1e-9}) == pytest.approx(2)
    # The least error is at 0.001, so 0.01 is the smallest step that counts, and a point further down does not.
    assert slope({0.1: 0.1, 0.01: 0.05, 0.001: 0.01, 0.0001: 5.0}) == pytest.approx(math.log10(2))
    assert slope({1e-5: 1e-5, 1e-6: 1e-6, 1e-7: 1e-7}) == pytest.approx(1)
    assert math.isnan(slope({0.1: 0.1, 0.01: 0.05}))
    assert math.isnan(slope({0.1: 0.1, 0.01: math.nan, 0.001: 0.1}))


@pytest.mark.parametrize(
    ("errors", "verdict", "condition"),
    [
        (lambda trial: with_rounding(1), Verdict.HOLDS, ""),
        (lambda trial: with_rounding(0.81, 0), Verdict.HOLDS, ""),
        (lambda trial: with_rounding(0.79, 0), Verdict.FAILS, ""),
        (lambda trial: with_rounding(1.19, 0), Verdict.HOLDS, ""),
        (lambda trial: with_rounding(1.21, 0), Verdict.FAILS, ""),
        (lambda trial: with_rounding(1 + 0.5 * (trial.arm == AS_RELEASED)), Verdict.CONDITIONAL, "to convergence"),
        (lambda trial: with_rounding(1 + 0.25 * (trial.seed == 0), 0), Verdict.HOLDS, ""),
        (lambda trial: lambda step: math.nan, Verdict.FAILS, ""),
        (lambda trial: lambda step: 1.0, Verdict.FAILS, ""),
    ],
)
def test_rule_of_the_forward_difference(errors, verdict, condition):
    judgement = judged_saliency.forward_difference(made_up(errors=errors))
    assert judgement.verdict is verdict
    assert condition in judgement.condition


def test_the_forward_difference_is_reported_at_the_papers_step():
    judgement = judged_saliency.forward_difference(made_up(errors=lambda trial: with_rounding(1)))
    assert "relative error 0.100 [0.100, 0.100] (n = 3) at a step of 0.1, the least 2.0e-06; slope 1.00" in (
        judgement.measured
    )


def test_the_claims_are_among_those_of_the_study():
    assert set(judged_saliency.CLAIMS) <= set(CLAIMS)


# What the figures draw.


def test_agreement_under_corruption_is_found_by_network_condition_and_level():
    rows = [
        {"network": name, "condition": condition, "level": level, "overlap": value, "rank_correlation": 0.0}
        for name, condition, level, value in (
            ("dense", "gaussian noise", 0.1, 0.1),
            ("dense", "gaussian noise", 0.2, 0.2),
            ("pruned", "gaussian noise", 0.1, 0.3),
            ("dense", "occlusion", 0.1, 0.4),
        )
    ]
    trials = [network_of(seed=seed) for seed in range(2)]
    results = Results(trials, [{"saliency_corrupted": rows}, {"saliency_corrupted": rows[::-1]}])
    found = figures._under_corruption(results, CORRECTED, 24, "dense", "gaussian noise", 0.1)
    np.testing.assert_array_equal(found, [0.1, 0.1])
