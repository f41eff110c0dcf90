"""The inside of the low-capacity networks and matched robustness: known answers, the rules, the figures."""

import json
import math
import sys

import numpy as np
import pytest

from experiments.claims import Verdict
from experiments.low_capacity import protocol
from experiments.low_capacity.figures import information as information_figures
from experiments.low_capacity.figures import representation as representation_figures
from experiments.low_capacity.figures import robustness as robustness_figures
from experiments.low_capacity.judgements import inside as judged_inside
from experiments.low_capacity.measures import information, measure, representation, robustness
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED, Examples, Task, Trial, task, trained
from experiments.low_capacity.published import PAIRS, PRUNED_PERCENT
from experiments.low_capacity.results import Results, Study
from npnet.fast import Training
from npnet.mlp import MLP

# Two hidden units, one a pixel: the first pixel is bright on class 1 only, the second on every image. The weight of the
# second is the larger one, so that a deep cut leaves nothing else.
NET = MLP((2, 2, 1))
THETA = np.array([0.5, 0, 0, 1, 0, 0, 1, 0.5, -0.75], np.float32)
CLASSES = np.array([0, 1] * 4, np.uint8)
IMAGES = np.stack([255 * CLASSES, np.full(8, 255, np.uint8)], axis=1)[:, None, :]
TELLING = Task(*[Examples(IMAGES, CLASSES)] * 3)
ONE_BIT = 1 + 1 / (2 * 8 * math.log(2))  # of 8 examples, corrected for its bias


def trial_of(arm=CORRECTED, width=24, seed=0, pair=(4, 9)):
    return Trial(arm, *pair, width, seed, "", 0.3)


@pytest.fixture(scope="module")
def measured(dataset):
    """Trials and results of three widths, two seeds and both arms, on tiny data."""
    wanted = [trial_of(arm, width, seed) for arm in ARMS for seed in (0, 42) for width in (4, 24, 64)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(protocol, "EPOCHS", 20)
        patch.setattr(protocol, "MOST_EPOCHS", 3)
        found = [result for k in range(0, len(wanted), 3) for result in measure(wanted[k : k + 3], dataset)]
    return wanted, found


# Watching a training.


@pytest.mark.parametrize("arm", ARMS)
def test_a_training_is_watched_epoch_by_epoch_and_not_changed(dataset, short, arm):
    trials, examples = [trial_of(arm, width) for width in (4, 12)], task(arm, (4, 9), 0, dataset)
    seen = [[], []]
    watched = trained(trials, examples, watch=lambda number, theta: seen[number].append(theta) or {})
    for found, alone, thetas in zip(watched, trained(trials, examples), seen, strict=True):
        np.testing.assert_array_equal(found.theta, alone.theta)
        assert found.history == alone.history
        assert len(thetas) == len(found.history) == 3
        np.testing.assert_array_equal(thetas[found.epoch - 1], found.theta)
        assert not np.array_equal(thetas[0], thetas[1])


def test_checkpoints_are_kept_until_the_epoch_of_the_result():
    trials = [trial_of(CORRECTED, 24), trial_of(CORRECTED, 6)]
    checkpoints = robustness.Checkpoints(trials)
    for epoch in range(1, 8):
        for number in (0, 1):
            checkpoints(number, np.array([epoch, number]))
    kept = np.array([-1, -1])
    found = checkpoints.until(0, Training(kept, kept, [], 6, ""))
    assert [(epoch, theta.tolist()) for epoch, theta in found] == [
        *((epoch, [epoch, 0]) for epoch in (1, 2, 3, 4)),
        (6, [-1, -1]),
    ]
    assert [epoch for epoch, _ in checkpoints.until(0, Training(kept, kept, [], 0, ""))] == [0]
    assert [epoch for epoch, _ in checkpoints.until(1, Training(kept, kept, [], 6, ""))] == [6]
    released = robustness.Checkpoints([trial_of(AS_RELEASED, 64)])
    for epoch in range(1, 101):
        released(0, np.array([epoch]))
    found = released.until(0, Training(np.array([100]), np.zeros(1), [], 100, ""))
    assert [(epoch, theta[0]) for epoch, theta in found] == [(10 * k, 10 * k) for k in range(1, 11)]


# Representation.


@pytest.mark.parametrize(("n", "most", "step"), [(12, 500, 1), (500, 500, 1), (501, 500, 2), (1001, 500, 3)])
def test_examples_are_taken_evenly(n, most, step):
    assert representation.evenly(n, most) == slice(None, None, step)
    assert len(range(n)[representation.evenly(n, most)]) <= most


def test_separability_of_known_layers():
    classes = np.array([0, 1] * 20)
    apart = np.stack([classes, np.ones(40)], axis=1)
    assert representation.separability(apart, classes, apart, classes) == 1
    assert representation.separability(apart, classes, apart, 1 - classes) == 0
    nothing = np.ones((40, 3))
    assert representation.separability(nothing, classes, nothing, classes) == 0.5
    corners = np.array([[0, 0], [1, 1], [0, 1], [1, 0]] * 5)  # exclusive or
    assert representation.separability(corners, corners[:, 0] ^ corners[:, 1], corners, [0, 0, 1, 1] * 5) == 0.5


def test_separability_does_not_depend_on_the_scale_of_a_unit():
    rng = np.random.default_rng(0)
    classes = rng.integers(0, 2, 200)
    hidden = rng.normal(size=(200, 3)) + 1.5 * classes[:, None]
    found = representation.separability(hidden, classes, hidden[:50], classes[:50])
    assert 0.7 < found < 1
    moved = hidden * np.array([1e-6, 1, 1e6]) + np.array([0, 100, -1e6])
    assert representation.separability(moved, classes, moved[:50], classes[:50]) == found


def test_the_linear_classifier_is_of_the_training_examples_alone():
    classes = np.array([0, 1] * 10)
    hidden = 10.0 * classes[:, None]
    # Moved to a mean of their own, two of these would be on the other side.
    test = np.array([[7.0], [8.0], [9.0], [10.0]])
    assert representation.separability(hidden, classes, test, np.ones(4, int)) == 1
    other = TELLING._replace(test=Examples(IMAGES, 1 - CLASSES))
    assert representation.measure(trial_of(), NET, THETA, other)["representation"]["dense"]["separability"] == 0


def test_a_unit_whose_deviation_is_rounding_does_not_count():
    classes = np.array([0, 1, 1] * 4)
    constant = np.full(12, 0.1)
    assert 0 < constant.std() < 1e-16
    hidden = np.stack([constant, classes], axis=1)
    test = np.stack([constant + 0.01 * (1 - 2 * classes), classes], axis=1)
    assert representation.separability(hidden, classes, test, classes) == 1


def test_representation_of_a_network_that_a_deep_cut_blinds(monkeypatch):
    monkeypatch.setattr(representation, "SHOWN", 4)
    found = representation.measure(trial_of(), NET, THETA, TELLING)
    assert found["representation"] == {
        "dense": {"separability": 1, "silhouette": 1},
        "divided twice": {"separability": 1, "silhouette": 1},
        "pruned": {"separability": 0.5, "silhouette": 0},
    }
    assert found["points"]["labels"] == [0, 0, 0, 0]  # every second one
    assert found["points"]["dense"] == found["points"]["pruned"] == [[0, 1]] * 4
    third = THETA.copy()
    third[3] = 1 / 3
    points = representation.measure(trial_of(), NET, third, TELLING)["points"]
    assert points["dense"] == [[0, 0.33333]] * 4
    for other in (trial_of(width=12), trial_of(seed=42)):
        assert "points" not in representation.measure(other, NET, THETA, TELLING)


def test_the_silhouette_is_of_a_part_of_the_judged_examples(monkeypatch):
    monkeypatch.setattr(representation, "COMPARED", 4)
    images, classes = IMAGES.copy(), np.array([0, 0, 1, 1] * 2, np.uint8)
    images[:, 0, 0] = [0, 255, 255, 0] * 2  # of every second one, as the class
    found = representation.measure(trial_of(), NET, THETA, Task(*[Examples(images, classes)] * 3))
    assert found["representation"]["dense"] == {"separability": 0.5, "silhouette": 1}


# Information.


def test_information_of_a_network_that_a_deep_cut_blinds():
    found = information.measure(trial_of(), NET, THETA, TELLING.test)
    assert [row["level"] for row in found["information"]] == [0, *(percent / 100 for percent in PRUNED_PERCENT)]
    telling = {"mean": ONE_BIT / 2, "largest": ONE_BIT, "output": ONE_BIT}
    telling |= {"mean_selectivity": 0.5, "largest_selectivity": 1}
    for row in found["information"]:
        # 80 % of four weights is three.
        expected = telling if row["level"] < 0.8 else dict.fromkeys(telling, 0)
        assert row == pytest.approx({"level": row["level"]} | expected)
    assert found["units"]["dense"] == {"information": pytest.approx([ONE_BIT, 0]), "selectivity": [1, 0]}
    assert found["units"]["pruned"] == {"information": [0, 0], "selectivity": [0, 0]}
    for other in (trial_of(width=12), trial_of(pair=(0, 1))):
        assert "units" not in information.measure(other, NET, THETA, TELLING.test)


def test_the_output_may_say_less_than_a_unit():
    deaf = THETA.copy()
    deaf[6] = 0  # the first unit's weight to the output
    (dense, *_) = information.measure(trial_of(), NET, deaf, TELLING.test)["information"]
    assert (dense["largest"], dense["output"]) == pytest.approx((ONE_BIT, 0))


def test_whether_the_units_of_most_information_are_spared():
    net = MLP((5, 3, 1))
    theta = np.zeros(net.size, np.float32)
    first, last = net.unpack(theta)
    first.weights[:] = np.arange(15).reshape(3, 5)  # the three largest are of the last unit
    last.weights[:] = [-3, 2, 1]
    # Ranks of 0, 0 and 3 weights kept against 1, 2, 3.
    assert information.spared(net, theta, np.array([0.1, 0.2, 0.9])) == pytest.approx(
        {"incoming": math.sqrt(3) / 2, "outgoing": -1}
    )
    assert all(math.isnan(value) for value in information.spared(net, theta, np.zeros(3)).values())


# Robustness.


def test_trajectory_of_a_hand_made_training():
    bright, dark = np.full((8, 1, 2), 1.0), np.zeros((8, 1, 2))
    flipped = THETA.copy()
    flipped[6], flipped[8] = -1, -0.25  # now the first pixel speaks for class 0
    corrupted = [("gaussian noise", 0.3, bright), ("occlusion", 7, dark)]
    uneven = Task(*[Examples(IMAGES[[0, 1, 3, 5]], CLASSES[[0, 1, 3, 5]])] * 3)
    corrupted = [(condition, level, images[:4]) for condition, level, images in corrupted]
    assert robustness.trajectory(NET, [(2, flipped), (5, THETA)], uneven, corrupted) == [
        {"epoch": 2, "clean": 0, "gaussian noise 0.3": 0.25, "occlusion 7": 0.25},
        {"epoch": 5, "clean": 1, "gaussian noise 0.3": 0.75, "occlusion 7": 0.25},
    ]


def rows(*clean_and_corrupted):
    return [{"epoch": k, "clean": c, "noise": d} for k, (c, d) in enumerate(clean_and_corrupted)]


def test_matched_by_hand():
    both = {24: rows((0.5, 0.4), (0.9, 0.8)), 64: rows((0.6, 0.5), (0.7, 0.3), (0.8, 0.6), (0.75, 0.1))}
    level, found = robustness.matched(both, "noise")
    assert level == 0.8
    assert found == {24: pytest.approx(0.7), 64: 0.6}
    assert robustness.matched(both | {4: rows((0.5, 0.5), (0.6, 0.9))}, "noise") == (
        0.6,
        {24: pytest.approx(0.5), 64: 0.5, 4: 0.9},
    )


def test_corrupted_accuracy_at_the_first_crossing():
    followed = rows((0.5, 0.1), (0.9, 0.5), (0.6, 0.2), (0.95, 0.9))
    assert robustness.at_clean(followed, 0.7, "noise") == pytest.approx(0.3)
    assert robustness.at_clean(followed, 0.9, "noise") == 0.5
    assert robustness.at_clean(followed, 0.92, "noise") == pytest.approx(0.2 + 0.7 * 0.32 / 0.35)
    assert robustness.at_clean(followed, 0.5, "noise") == 0.1
    assert math.isnan(robustness.at_clean(followed, 0.4, "noise"))
    assert math.isnan(robustness.at_clean(followed, 0.96, "noise"))


# In the whole study.


def test_what_is_measured_where(measured, dataset, short):
    wanted, found = measured
    for trial, result in zip(wanted, found, strict=True):
        assert json.loads(json.dumps(result["representation"])) == result["representation"]
        assert set(result["representation"]) == {"dense", "divided twice", "pruned"}
        assert ("units" in result) == (trial.width == 24)
        assert ("points" in result) == (trial.width == 24 and trial.seed == 0)
        clean = next(row["accuracy"] for row in result["scores"] if row["condition"] == "clean")
        last = result["trajectory"][-1]
        assert (last["epoch"], last["clean"]) == (result["kept_epoch"], clean)
        assert set(last) == {"epoch", "clean", *judged_inside.CORRUPTIONS}
        for row in result["scores"]:
            name = f"{row['condition']} {row['level']:g}"
            assert last.get(name, row["accuracy"]) == row["accuracy"]
        expected = [10, 20] if trial.arm == AS_RELEASED else [e for e in (1, 2, 3) if e <= last["epoch"]]
        assert [row["epoch"] for row in result["trajectory"]] == (expected or [0])
    inner = {"representation", "points", "information", "spared", "units", "trajectory"}
    here = {(width, pair): measure([trial_of(width=width, pair=pair)], dataset)[0] for width, pair in
            ((6, (4, 9)), (48, (4, 9)), (24, (0, 1)))}  # fmt: skip
    assert not inner & set(here[6, (4, 9)])
    assert inner & set(here[48, (4, 9)]) == {"trajectory"}
    assert inner & set(here[24, (0, 1)]) == {"information", "spared"}


# The rules, on results made up for each verdict.


def made_up(
    lose=lambda arm, name, measure: 0.0,
    gain=lambda arm, seed, name: 0.0,
    correlation=lambda arm, pair, seed: 0.5,
    left=lambda arm, seed: 0.4,
    seeds=3,
):
    """Results of both arms, made up."""
    wanted = [
        trial_of(arm, width, seed, pair)
        for arm in ARMS
        for seed in range(seeds)
        for pair in PAIRS
        for width in (24, 64)
    ]
    dense = {"separability": 0.9, "silhouette": 0.3}

    def made(trial):
        trajectory = [
            {"epoch": epoch, "clean": clean}
            | {name: clean - 0.1 + gain(trial.arm, trial.seed, name) * (trial.width == 64)
               for name in judged_inside.CORRUPTIONS}
            for epoch, clean in enumerate((0.5, 0.8, 0.95 if trial.width == 64 else 0.9))
        ]  # fmt: skip
        return {
            "representation": {
                name: {each: value - lose(trial.arm, name, each) for each, value in dense.items()}
                if name != "dense" else dense
                for name in ("dense", "divided twice", "pruned")
            },
            "trajectory": trajectory,
            "spared": {"incoming": correlation(trial.arm, trial.pair, trial.seed), "outgoing": 0.25},
            "information": [
                {"level": 0.0, "output": 0.8, "largest": 0.6},
                {"level": 0.95, "output": 0.8 * left(trial.arm, trial.seed), "largest": 0.3},
            ],
        }  # fmt: skip

    return Study(Results(wanted, map(made, wanted)), Results([], []))


LOSSES = {"separability": (0.0099, 0.0101), "silhouette": (0.0499, 0.0501)}


@pytest.mark.parametrize("measure", LOSSES)
def test_rule_of_the_representation(measure):
    little, much = LOSSES[measure]

    def verdict(lose):
        return judged_inside.separable(made_up(lose=lose)).verdict

    assert verdict(lambda arm, name, each: little * (each == measure)) is Verdict.HOLDS
    assert verdict(lambda arm, name, each: -1.0) is Verdict.HOLDS
    for one in ARMS:
        pruned = verdict(lambda arm, name, each, one=one: much * ((arm, name, each) == (one, "pruned", measure)))
        assert pruned is Verdict.CONDITIONAL
        assert verdict(lambda arm, name, each, one=one: much * ((arm, each) == (one, measure))) is Verdict.FAILS


def test_what_is_said_of_the_representation():
    said = judged_inside.separable(made_up(lose=lambda arm, name, each: 0.02 * (name == "pruned"))).measured
    assert said.startswith(
        "as released, separability: 0.900 [0.900, 0.900] (n = 3) dense; change 0.000 [0.000, 0.000] (n = 3) divided "
        "twice, -0.020 [-0.020, -0.020] (n = 3) at a true 95 %; as released, silhouette: 0.300"
    )


def test_rule_of_matched_robustness():
    def verdict(gain, seeds=3):
        return judged_inside.robust_when_matched(made_up(gain=gain, seeds=seeds)).verdict

    assert verdict(lambda arm, seed, name: 0.01) is Verdict.HOLDS
    # After training h64 is more accurate under every corruption, but only as much as on clean images.
    assert verdict(lambda arm, seed, name: 0.0) is Verdict.FAILS
    assert verdict(lambda arm, seed, name: 0.01 * (arm == CORRECTED)) is Verdict.CONDITIONAL
    assert verdict(lambda arm, seed, name: 0.01 * (arm == AS_RELEASED)) is Verdict.CONDITIONAL
    assert verdict(lambda arm, seed, name: 0.01 * (name != "occlusion 7")) is Verdict.FAILS
    assert verdict(lambda arm, seed, name: 0.1 * (seed > 0) - 0.01) is Verdict.FAILS
    assert verdict(lambda arm, seed, name: 0.01, seeds=1) is Verdict.OPEN


def test_differences_at_matched_accuracy_and_after_training():
    networks = made_up(gain=lambda arm, seed, name: 0.01 * seed).networks
    changes, levels = judged_inside.matched_change(networks, CORRECTED, "gaussian noise 0.3")
    np.testing.assert_allclose(changes, [0, 0.01, 0.02], atol=1e-12)
    np.testing.assert_array_equal(levels, 0.9)
    np.testing.assert_allclose(judged_inside.last_change(networks, CORRECTED, "occlusion 7"), [0.05, 0.06, 0.07])


def test_rule_of_the_units_that_are_spared():
    def judged(correlation, seeds=3):
        return judged_inside.spared(made_up(correlation=correlation, seeds=seeds))

    assert judged(lambda arm, pair, seed: 0.1).verdict is Verdict.HOLDS
    assert judged(lambda arm, pair, seed: 0.1 - 0.2 * (seed == 1)).verdict is Verdict.FAILS
    assert judged(lambda arm, pair, seed: 0.1 * (arm == AS_RELEASED)).verdict is Verdict.CONDITIONAL
    assert judged(lambda arm, pair, seed: 0.1, seeds=1).verdict is Verdict.OPEN
    # The mean over five pairs counts.
    assert judged(lambda arm, pair, seed: 0.9 if pair == (4, 9) else -0.2).verdict is Verdict.HOLDS
    assert (
        "corrected: 0.02 [0.02, 0.02] (n = 3), with the size of the weight to the output 0.25"
        in judged(lambda arm, pair, seed: 0.9 if pair == (4, 9) else -0.2).measured
    )
    assert judged(lambda arm, pair, seed: math.nan).verdict is Verdict.FAILS


def test_rule_of_the_information_that_is_lost():
    def judged(left, seeds=3):
        return judged_inside.lost(made_up(left=left, seeds=seeds))

    assert judged(lambda arm, seed: 0.49).verdict is Verdict.HOLDS
    assert judged(lambda arm, seed: 0.51).verdict is Verdict.FAILS
    assert judged(lambda arm, seed: 0.51 - 0.3 * (seed > 0)).verdict is Verdict.FAILS
    assert judged(lambda arm, seed: 0.6 - 0.2 * (arm == CORRECTED)).verdict is Verdict.CONDITIONAL
    assert judged(lambda arm, seed: 0.49, seeds=1).verdict is Verdict.OPEN
    assert (
        "output 0.80 [0.80, 0.80] (n = 3) -> 0.40 [0.40, 0.40] (n = 3) bit, a share of 0.50"
        in judged(lambda arm, seed: 0.5).measured
    )


# The figures.


def test_every_claim_names_a_figure_that_is_drawn(measured, unrendered, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    results = Results(*measured)
    drawn = [
        draw(results, tmp_path)
        for draw in (
            representation_figures.scatter,
            representation_figures.separability,
            information_figures.information,
            information_figures.units,
            robustness_figures.trajectories,
            robustness_figures.matched_robustness,
        )
    ]
    assert {name for claim in judged_inside.CLAIMS for name in claim.figures} <= {each.path.name for each in drawn}
    assert all("Seeds: 2 as released, 2 corrected" in each.caption for each in drawn[1:])


def test_without_scikit_learn_principal_components_are_drawn(measured, unrendered, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    said = representation_figures.scatter(Results(*measured), tmp_path).caption
    assert "By the two principal components" in said
    assert "npnet[tsne]" in said
    how, shown, text = representation_figures.embedded(np.array([[0.0, 0, 1], [3, 0, 1], [6, 0, 1], [3, 1, 1]]))
    np.testing.assert_allclose(shown, [[-3, -0.25], [0, -0.25], [3, -0.25], [0, 0.75]], atol=1e-12)
    assert (how, text) == ("principal components", ["96% and 4% of the variance"])


def test_with_scikit_learn_t_sne_is_drawn(measured, unrendered, tmp_path):
    pytest.importorskip("sklearn.manifold")
    said = representation_figures.scatter(Results(*measured), tmp_path).caption
    assert "By t-SNE of scikit-learn" in said
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20, 3)) + 20 * (np.arange(20) % 2)[:, None]
    how, shown, text = representation_figures.embedded(points)
    assert (how, shown.shape, text) == ("t-SNE", (20, 2), [])
    np.testing.assert_array_equal(representation_figures.embedded(points)[1], shown)
    equal = representation_figures.embedded(np.ones((5, 3)))
    assert not equal[1].any()


@pytest.mark.parametrize("installed", [False, True])
def test_a_picture_of_points_that_coincide_says_so(measured, unrendered, tmp_path, monkeypatch, installed):
    if installed:
        pytest.importorskip("sklearn.manifold")
    else:
        monkeypatch.setitem(sys.modules, "sklearn.manifold", None)
    wanted, found = measured
    blind = [[1.0] * 24] * 12
    results = [
        result | {"points": {"labels": [0, 1] * 6, "dense": blind, "divided twice": blind, "pruned": blind}}
        if "points" in result
        else result
        for result in found
    ]
    with np.errstate(all="raise"):
        drawn = representation_figures.scatter(Results(wanted, results), tmp_path)
    assert drawn.path.exists()
    points = np.array([[1.0, 2, 3], [1, 2, 4], [1, 2, 4], [1, 2, 4]])
    assert representation_figures._degenerate(points) == ["2 of 3 units constant", "2 of 4 points coincide"]
    assert representation_figures._degenerate(np.arange(6.0).reshape(3, 2)) == []
    assert representation_figures._degenerate(np.array([[1.0, 2], [1, 3]])) == ["1 of 2 units constant"]


def test_levels_are_those_that_all_seeds_pass():
    followed = [rows((0.5, 0), (0.9, 0), (0.8, 0)), rows((0.6, 0), (0.85, 0))]
    levels = robustness_figures._levels(followed)
    assert (levels[0], levels[-1]) == (0.6, 0.85)
    assert robustness_figures._levels([rows((0.5, 0), (0.6, 0)), rows((0.7, 0))]).size == 0


def test_one_seed_is_drawn_without_an_interval(measured, unrendered, tmp_path):
    wanted, found = measured
    one = [(trial, result) for trial, result in zip(wanted, found, strict=True) if trial.seed == 0]
    assert robustness_figures.matched_robustness(Results(*zip(*one, strict=True)), tmp_path).path.exists()
