"""The low-capacity experiment: the released draws, the measures, the rules, and a whole run on a tiny data set."""

import dataclasses
import json
import re

import numpy as np
import pytest

from experiments import __main__ as command_line
from experiments.claims import Verdict
from experiments.low_capacity import figures, protocol, published, released
from experiments.low_capacity.judgements import CLAIMS, networks
from experiments.low_capacity.measures import measure
from experiments.low_capacity.protocol import (
    ARMS,
    AS_RELEASED,
    CORRECTED,
    DEFAULT,
    QUICK,
    Trial,
    task,
    trials,
)
from experiments.low_capacity.results import Results, Study, pair_name
from experiments.page import Drawn
from experiments.trials import fingerprint, stream
from npnet.data.datasets import digit_pair, stratified_split
from npnet.mlp import MLP

LABELS = np.array([0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0])


def test_the_released_split_is_scikit_learns():
    # Computed with scikit-learn 1.9.1: balance and shuffle as published, then train_test_split(stratify, random_state).
    training, validation = released.split(LABELS, 0)
    assert training.tolist() == [6, 4, 12, 1, 10, 26, 25, 14, 18, 15, 19, 13, 17, 3, 22, 8, 7, 9, 11]
    assert validation.tolist() == [23, 2, 20, 21, 0]
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


def test_the_published_tables_are_whole():
    assert set(published.FIGURE_3) == set(published.PAIRS)
    assert {len(row) for row in published.FIGURE_3.values()} == {len(published.WIDTHS)} == {11}
    assert {len(row) for row in published.GAUSSIAN_F1.values()} == {len(published.SIGMAS)}


def test_trials_of_the_whole_study():
    whole = trials("data", DEFAULT, 0.5)
    assert len(set(whole)) == len(whole) == 5 * 11 * (3 + 5)
    assert {(trial.seed, trial.learning_rate) for trial in whole if trial.arm == AS_RELEASED} == {
        (0, 0.03),
        (42, 0.03),
        (78, 0.03),
    }
    assert {(trial.seed, trial.learning_rate) for trial in whole if trial.arm == CORRECTED} == {
        (seed, 0.5) for seed in range(5)
    }
    quick = trials("data", QUICK, 0.5)
    assert {trial.seed for trial in quick} == {0}
    assert {trial.width for trial in quick} == {4, 24, 64}


def test_the_corrected_arm_is_judged_by_the_test_file_and_never_trains_on_its_validation(dataset):
    data = task(CORRECTED, (4, 9), 0, dataset)
    assert len(data.test.labels) == 12
    assert sorted(len(part.labels) for part in data[:2]) == [5, 19]
    together = np.concatenate([data.training.images, data.validation.images])
    assert len(np.unique(together.reshape(24, -1), axis=0)) == 24
    as_released = task(AS_RELEASED, (4, 9), 0, dataset)
    assert as_released.test is as_released.validation


def test_each_arm_has_its_own_split(dataset):
    images, labels = digit_pair(dataset.train_images, dataset.train_labels, 4, 9)
    for seed in (0, 42):
        for part, indices in zip(task(AS_RELEASED, (4, 9), seed, dataset), released.split(labels, seed), strict=False):
            np.testing.assert_array_equal(part.images, images[indices])
            np.testing.assert_array_equal(part.labels, labels[indices])
        corrected = task(CORRECTED, (4, 9), seed, dataset)
        rest, held_out = stratified_split(labels, 0.2, stream(protocol.Draw.SPLIT, seed, 4, 9))
        np.testing.assert_array_equal(corrected.training.images, images[rest])
        np.testing.assert_array_equal(corrected.validation.labels, labels[held_out])


@pytest.mark.parametrize("arm", ARMS)
def test_measure(dataset, short, arm):
    trial = Trial(arm, 4, 9, 24, 0, "", 0.3)
    (result,) = measure([trial], dataset)
    assert json.loads(json.dumps(result)) == result
    assert measure([trial], dataset) == [result]

    rows = {(row["condition"], row["level"]): row for row in result["scores"]}
    assert len(rows) == 1 + 2 * 10 + 5 + 1
    weights = [49 * 24, 24]
    for percent in published.PRUNED_PERCENT:
        exact = sum(percent * n // 100 for n in weights)
        assert rows["pruned", percent / 100]["removed"] == pytest.approx(exact / sum(weights))
        twice = sum(percent * n // 10_000 for n in weights)
        assert rows["divided twice", percent / 100]["removed"] == pytest.approx(twice / sum(weights))
    assert rows["clean", 0.0]["removed"] == 0

    assert len(result["curves"]["train_f1"]) == result["epochs"] == 3
    assert result["best_train_f1"] == max(result["curves"]["train_f1"])
    assert 0 <= result["dead"]["dense"] <= 24
    assert result["cut_off"] == 95 * 24 // 100


@pytest.mark.parametrize("arm", ARMS)
def test_networks_of_one_group_are_measured_each_by_itself(dataset, short, arm):
    wanted = [Trial(arm, 4, 9, width, 42, "", 0.3) for width in (4, 24, 64)]
    together = measure(wanted, dataset)
    for trial, found in zip(wanted, together, strict=True):
        (alone,) = measure([trial], dataset)
        assert found.keys() == alone.keys()
        assert found["curves"]["train_loss"] == pytest.approx(alone["curves"]["train_loss"], rel=1e-4)
        assert [row["level"] for row in found["scores"]] == [row["level"] for row in alone["scores"]]
    assert {protocol.train_group(trial) for trial in wanted} == {(protocol.NETWORKS, arm, (4, 9), 42, 0.3, False)}


def test_noise_and_saliency_are_measured_on_4v9_only(dataset, short):
    (result,) = measure([Trial(CORRECTED, 0, 1, 4, 0, "", 0.3)], dataset)
    assert {row["condition"] for row in result["scores"]} == {"clean", "pruned", "divided twice"}
    assert not {"saliency", "saliency_corrupted", "maps", "forward_difference"}.intersection(result)


def test_a_quick_run_from_the_command_line(tiny, dataset, short, unrendered, tmp_path, capsys, monkeypatch):
    def run(out, workers):
        return command_line.main(
            ["low_capacity", "--quick", "--data", str(tiny), "--out", str(out), "--workers", str(workers)]
        )

    one, two = tmp_path / "one", tmp_path / "two"
    assert run(one, 1) == 0
    printed = capsys.readouterr().out
    trained, images = map(int, re.search(r"^(\d+) networks: .* \((\d+) figures\)$", printed, re.MULTILINE).groups())
    assert printed.endswith(f" figures)\nopen {one}/index.html\n")
    html = (one / "index.html").read_text(encoding="utf-8")
    assert html.count("<article") == len(CLAIMS)
    drawn = {path.name for path in (one / "figures").glob("*.png")}
    assert html.count("<img") == images == len(drawn)
    assert {name for claim in CLAIMS for name in claim.figures} <= drawn
    assert f"with {trained} networks" in html
    assert len((one / "results.jsonl").read_text().splitlines()) == 1 + trained
    assert "A quick run" in html
    assert all(f"{number}. " in printed for number in range(1, 8))
    assert (one / "claims.md").read_text().count(" | **") == len(CLAIMS)
    assert len((one / "scores.csv").read_text().splitlines()) == 1 + 6 * (21 + 27)
    settings = json.loads((one / "settings.json").read_text())
    assert settings["data"] == dict(dataset.checksums)

    # To draw them takes longer than all else.
    monkeypatch.setattr(figures, "draw_all", lambda *_: [Drawn(one / "figures" / name, "", 0) for name in drawn])
    assert run(two, 2) == 0
    assert (one / "results.jsonl").read_bytes() == (two / "results.jsonl").read_bytes()
    capsys.readouterr()
    assert run(two, 2) == 0
    assert " trials found" in capsys.readouterr().err
    assert (two / "claims.md").read_bytes() == (one / "claims.md").read_bytes()
    summaries = [json.loads((folder / "summary.json").read_text()) for folder in (one, two)]
    # The run that found all its results says the time of the one that made them.
    assert all(summary.pop("seconds") > 0 for summary in summaries)
    assert summaries[0] == summaries[1] | {"processors": 1}


def test_quick_and_full_exclude_each_other(tmp_path, capsys):
    assert command_line.main(["low_capacity", "--quick", "--full", "--out", str(tmp_path / "out")]) == 2
    assert capsys.readouterr().err == "error: --full: found together with --quick, expected one of the two\n"
    assert not (tmp_path / "out").exists()


def test_no_two_purposes_share_their_draws():
    first = {
        (what, *numbers): stream(what, *numbers).random()
        for what in protocol.Draw
        for numbers in ((0, 4, 9), (1, 4, 9), (0, 5, 6))
    }
    assert len(set(first.values())) == len(first)
    assert stream(protocol.Draw.SPLIT, 0, 4, 9).random() == first[protocol.Draw.SPLIT, 0, 4, 9]


def test_other_data_are_other_trials(dataset):
    checksums = dataset.checksums
    changed = checksums | {"train-labels-idx1-ubyte": "0" * 64}
    assert fingerprint(checksums) == fingerprint(dict(reversed(checksums.items())))
    assert fingerprint(changed) != fingerprint(checksums)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("train-images-idx3-ubyte", lambda data: data[:-1], "train-images-idx3-ubyte"),
        ("train-images-idx3-ubyte", lambda data: data + b"x", "train-images-idx3-ubyte"),
        ("train-images-idx3-ubyte", lambda data: b"\1" + data[1:], "train-images-idx3-ubyte"),
        ("t10k-labels-idx1-ubyte", lambda data: data[:7] + b"\7" + data[8:15], "t10k-labels-idx1-ubyte"),
        ("train-labels-idx1-ubyte", lambda data: data[:8] + b"\5" * 120, "train-labels-idx1-ubyte"),
    ],
    ids=["truncated", "trailing", "magic", "counts differ", "no such digit"],
)
def test_broken_data_are_one_sentence_and_status_2(tiny, tmp_path, capsys, name, change, said):
    folder = tmp_path / "broken"
    folder.mkdir()
    for path in tiny.iterdir():
        content = path.read_bytes()
        (folder / path.name).write_bytes(change(content) if path.name == name else content)
    assert command_line.main(["low_capacity", "--data", str(folder), "--out", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert said in error
    assert error.count("\n") == 1


# The rules, on results made up for each verdict.


def made_up(f1=0.99, pruned=None, twice=None, noise=lambda width, level: 0.0, dead=0, best=None):
    """Results of both arms, three seeds, all pairs; scores as given, the same for every network unless a function."""

    def scores(arm, pair, width):
        rows = [("clean", 0.0, f1)]
        rows += [("pruned", p / 100, f1 if pruned is None else pruned) for p in published.PRUNED_PERCENT]
        rows += [("divided twice", p / 100, f1 if twice is None else twice) for p in published.PRUNED_PERCENT]
        damage = [("gaussian noise", sigma) for sigma in published.SIGMAS] + [("occlusion", published.PATCH)]
        rows += [(condition, level, f1 + noise(width, level)) for condition, level in damage]
        metrics = ("f1", "balanced_accuracy", "auc", "accuracy")
        return [
            {"condition": c, "level": level, "removed": level / 100} | dict.fromkeys(metrics, value)
            for c, level, value in rows
        ]

    wanted = [t for t in trials("", dataclasses.replace(DEFAULT, seeds=3), 0.3) if t.width in (4, 12, 16, 24, 64)]
    results = [
        {
            "best_train_f1": best(t) if best else f1,
            "scores": scores(t.arm, t.pair, t.width),
            "dead": {"dense": 0, "pruned": dead},
            "cut_off": 22,
        }
        for t in wanted
    ]
    return Study(Results(wanted, results))


def figure_3(trial, error):
    return published.FIGURE_3[trial.pair][published.WIDTHS.index(trial.width)] + error


def test_rule_of_figure_3():
    assert networks.figure_3(made_up(best=lambda t: figure_3(t, 0.014))).verdict is Verdict.HOLDS
    assert networks.figure_3(made_up(best=lambda t: figure_3(t, 0.016))).verdict is Verdict.FAILS
    assert networks.figure_3(made_up(best=lambda t: figure_3(t, -0.016))).verdict is Verdict.FAILS
    one_wrong = made_up(best=lambda t: figure_3(t, 0.1 if t.pair == (4, 9) and t.width == 4 else 0.0))
    judgement = networks.figure_3(one_wrong)
    # 24 of 25 is less than 53 of 55.
    assert judgement.verdict is Verdict.FAILS
    assert judgement.measured.startswith("24 of 25 cells")
    assert "+0.100, 4v9 h4" in judgement.measured


def test_figure_3_is_not_judged_with_fewer_seeds_than_the_paper_has(dataset, short):
    wanted = [t for t in trials("", dataclasses.replace(QUICK, seeds=2), 0.3) if t.width == 4]
    results = Results(wanted, [measure([trial], dataset)[0] for trial in wanted])
    assert networks.figure_3(Study(results)).verdict is Verdict.OPEN


def test_rule_of_capacity():
    assert networks.capacity(made_up()).verdict is Verdict.FAILS

    def harder(trial):
        return 0.95 if trial.width >= {(0, 1): 4, (1, 7): 12}.get(trial.pair, 24) else 0.5

    judgement = networks.capacity(made_up(best=harder))
    assert judgement.verdict is Verdict.CONDITIONAL
    assert "as released: 0v1 4 [4, 4], 1v7 12 [12, 12], 5v6 24 [24, 24], 3v8" in judgement.measured
    results = made_up(best=lambda t: 0.95 + (0.03 if t.seed else -0.03) * (t.width < 24))
    assert networks.minimum_width(results.networks, AS_RELEASED, (4, 9)) == (24, (4, 24))
    nothing = made_up(best=lambda t: 0.9).networks
    assert networks.minimum_width(nothing, AS_RELEASED, (4, 9)) == (np.inf, (np.inf, np.inf))


@pytest.mark.parametrize(
    ("pruned", "twice", "verdict"),
    [
        (0.985, 0.985, Verdict.HOLDS),
        (0.97, 0.985, Verdict.CONDITIONAL),
        (0.97, 0.97, Verdict.FAILS),
        (1.01, 1.01, Verdict.FAILS),
    ],
)
def test_rule_of_pruning(pruned, twice, verdict):
    assert networks.pruning(made_up(pruned=pruned, twice=twice)).verdict is verdict


@pytest.mark.parametrize(("twice", "verdict"), [(0.9891, Verdict.HOLDS), (0.9889, Verdict.FAILS), (1, Verdict.FAILS)])
def test_rule_of_the_double_division(twice, verdict):
    judgement = networks.divided_twice(made_up(twice=twice, pruned=0.5))
    assert judgement.verdict is verdict
    assert f"corrected: largest change {twice - 0.99:+.5f} (0v1 h4, 10 %)" in judgement.measured
    assert "as released: largest change" in judgement.measured
    assert '"95 %" removes 0.95 to 0.95 % of the weights' in judgement.measured


def test_rule_of_dead_units():
    assert networks.dead(made_up(dead=0)).verdict is Verdict.HOLDS
    assert networks.dead(made_up(dead=1)).verdict is Verdict.FAILS
    assert "4v9 h24 0.0 -> 1.0, but 22.0 cut off" in networks.dead(made_up(dead=1)).measured


def test_rule_of_robustness():
    better = made_up(noise=lambda width, level: -0.1 + 0.001 * width)
    assert networks.robustness(better).verdict is Verdict.HOLDS
    assert networks.robustness(made_up(noise=lambda width, level: -0.1)).verdict is Verdict.FAILS
    one_worse = made_up(noise=lambda width, level: -0.1 + 0.001 * width * (level != 0.3))
    assert networks.robustness(one_worse).verdict is Verdict.FAILS


def test_rule_of_moderate_pruning():
    assert networks.moderate(made_up(pruned=0.995)).verdict is Verdict.HOLDS
    assert networks.moderate(made_up(pruned=0.985)).verdict is Verdict.FAILS
    judgement = networks.moderate(made_up())
    assert judgement.verdict is Verdict.FAILS
    assert "rises in 0, falls in 0 of 150 cells" in judgement.measured


def test_results_answer_by_seed():
    results = made_up(pruned=0.5).networks
    assert results.seeds(AS_RELEASED) == 3
    assert results.widths == [4, 12, 16, 24, 64]
    assert [pair_name(pair) for pair in results.pairs] == ["0v1", "1v7", "5v6", "3v8", "4v9"]
    np.testing.assert_array_equal(results.scores(CORRECTED, (4, 9), 24, "pruned", 0.95), [0.5] * 3)
    np.testing.assert_allclose(results.change(CORRECTED, (4, 9), 24, "pruned", 0.95), [-0.49] * 3)
