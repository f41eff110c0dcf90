"""The search for the learning rate: what is run and measured, which rate is chosen, the rule, the figures."""

import dataclasses
import json

import numpy as np
import pytest

from experiments import style
from experiments.claims import Verdict
from experiments.low_capacity import judgements, protocol, rates
from experiments.low_capacity.figures import rates as figures
from experiments.low_capacity.judgements import rates as judged
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED, QUICK, RATES, Trial
from experiments.low_capacity.published import LEARNING_RATES, RATE_F1, WIDTHS
from experiments.low_capacity.rates import chosen, f1_table, measure, table, trials, validation_loss
from experiments.low_capacity.results import Results, Study
from experiments.page import Drawn
from npnet.fast import Training

# As many rates in both arms; three seeds where seeds matter.
DEFAULT = dataclasses.replace(protocol.DEFAULT, corrected_rates=(0.003, 0.01, 0.03, 0.1, 0.3, 1.0))
FULL = dataclasses.replace(DEFAULT, further_seeds=3)


def made_up(f1=lambda width, rate, seed: 0.5, loss=lambda width, rate, seed: 0.1, scale=DEFAULT, epochs=20, last=None):
    """Results of the whole search; numbers by width, rate and seed, of both arms alike."""
    wanted, found = trials("", scale), []
    for trial in wanted:
        where = trial.width, trial.learning_rate, trial.seed
        result = {"best_train_f1": f1(*where), "last_train_f1": (last or f1)(*where), "epochs": epochs}
        if trial.arm == CORRECTED:
            result |= {"validation_loss": loss(*where), "validation_f1": f1(*where)}
        found.append(result)
    return Results(wanted, found)


def published(width, rate, seed):
    """The paper's F1, and where it has none, 0.97."""
    return RATE_F1[width][LEARNING_RATES.index(rate)] if rate in LEARNING_RATES else 0.97


# What is run.


def test_trials_of_the_search():
    whole = trials("data", DEFAULT)
    assert len(set(whole)) == len(whole) == 11 * 6 * 2
    assert {(trial.pair, trial.part, trial.seed, trial.data) for trial in whole} == {((4, 9), RATES, 0, "data")}
    for arm, of_arm in ((AS_RELEASED, LEARNING_RATES), (CORRECTED, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0))):
        found = {(trial.width, trial.learning_rate) for trial in whole if trial.arm == arm}
        assert found == {(width, rate) for width in WIDTHS for rate in of_arm}
    full = trials("data", FULL)
    assert {trial.seed for trial in full if trial.arm == AS_RELEASED} == {0, 42, 78}
    assert {trial.seed for trial in full if trial.arm == CORRECTED} == {0, 1, 2}
    quick = {(trial.arm, trial.width, trial.learning_rate) for trial in trials("data", QUICK)}
    rates_of = {AS_RELEASED: (0.01, 0.03), CORRECTED: (0.1, 0.3)}
    assert quick == {(arm, width, rate) for arm in ARMS for width in (4, 24, 64) for rate in rates_of[arm]}


# What is measured.


def history(f1, loss=None):
    rows = [{"train_f1": value} for value in f1]
    for row, value in zip(rows, loss or [], strict=False):
        row |= {"validation_loss": value, "validation_f1": 1 - value}
    return rows


def measured(monkeypatch, dataset, arm, *trainings):
    monkeypatch.setattr(rates, "trained", lambda wanted, examples: list(trainings))
    return measure([Trial(arm, 4, 9, 2 + 2 * k, 0, "", 0.3, RATES) for k in range(len(trainings))], dataset)


def test_as_released_the_best_and_the_last_training_f1_are_kept(dataset, monkeypatch):
    trainings = [Training(np.zeros(1), np.zeros(1), history(f1), 3, "") for f1 in ([0.2, 0.9, 0.7], [0.1, 0.2, 0.3])]
    assert measured(monkeypatch, dataset, AS_RELEASED, *trainings) == [
        {"best_train_f1": 0.9, "last_train_f1": 0.7, "epochs": 3},
        {"best_train_f1": 0.3, "last_train_f1": 0.3, "epochs": 3},
    ]


def test_corrected_the_validation_scores_are_those_of_the_kept_epoch(dataset, monkeypatch):
    rows = history([0.5, 0.6, 0.7], [0.3, 0.2, 0.25])
    (result,) = measured(monkeypatch, dataset, CORRECTED, Training(np.zeros(1), np.zeros(1), rows, 2, ""))
    assert result == {
        "best_train_f1": 0.7,
        "last_train_f1": 0.7,
        "epochs": 3,
        "validation_loss": 0.2,
        "validation_f1": 0.8,
    }


def test_a_network_of_which_no_epoch_is_kept_has_no_validation_scores(dataset, monkeypatch):
    rows = history([0.5], [0.3])
    (result,) = measured(monkeypatch, dataset, CORRECTED, Training(np.zeros(1), np.zeros(1), rows, 0, ""))
    assert np.isnan([result["validation_loss"], result["validation_f1"]]).all()


@pytest.mark.parametrize("arm", ARMS)
def test_measure(dataset, short, arm):
    wanted = [Trial(arm, 4, 9, width, 0, "", 0.3, RATES) for width in (2, 8)]
    found = measure(wanted, dataset)
    assert json.loads(json.dumps(found)) == found
    trainings = protocol.trained(wanted, protocol.task(arm, (4, 9), 0, dataset))
    for result, training in zip(found, trainings, strict=True):
        assert result["epochs"] == 3
        assert result["best_train_f1"] == max(row["train_f1"] for row in training.history)
        assert ("validation_loss" in result) == (arm == CORRECTED)


def test_tables_are_by_width_rate_and_seed():
    results = made_up(lambda width, rate, seed: width + rate + seed / 1000, scale=FULL)
    for arm, seeds in ((AS_RELEASED, (0, 42, 78)), (CORRECTED, (0, 1, 2))):
        of_arm = results.rates[arm]
        assert f1_table(results, arm).shape == (11, 6, 3)
        expected = [[[width + rate + seed / 1000 for seed in seeds] for rate in of_arm] for width in WIDTHS]
        np.testing.assert_allclose(f1_table(results, arm), expected, rtol=1e-12)
        assert (table(results, arm, "epochs") == 20).all()


def test_the_f1_of_an_arm_is_its_own():
    wanted = [Trial(arm, 4, 9, 2, 0, "", 0.3, RATES) for arm in ARMS]
    result = {"best_train_f1": 0.1, "last_train_f1": 0.3, "validation_f1": 0.2}
    results = Results(wanted, [result, result])
    assert f1_table(results, AS_RELEASED) == 0.1
    assert f1_table(results, CORRECTED) == 0.2


# Which rate is chosen.


def test_the_rate_with_the_lowest_mean_validation_loss_is_chosen():
    losses = {0.003: 0.5, 0.01: 0.2, 0.03: 0.3, 0.1: 0.1, 0.3: 0.2, 1.0: 0.4}
    results = made_up(loss=lambda width, rate, seed: losses[rate] + width / 64 * (rate == 0.3), scale=FULL)
    assert validation_loss(results, 0.1) == pytest.approx(0.1)
    assert validation_loss(results, 0.3) == pytest.approx(0.2 + np.mean(WIDTHS) / 64)
    assert chosen(results) == 0.1
    # The mean over seeds, not the first: 0.01 is the best of seed 0 alone.
    by_seed = made_up(loss=lambda width, rate, seed: losses[rate] - 0.15 * (rate == 0.01 and seed == 0), scale=FULL)
    assert validation_loss(by_seed, 0.01) == pytest.approx(0.15)
    assert chosen(by_seed) == 0.1


def test_of_equal_rates_the_smallest_is_chosen():
    assert chosen(made_up(loss=lambda width, rate, seed: 0.1 if rate in (0.03, 0.3) else 0.2)) == 0.03


def test_a_rate_at_which_one_network_diverged_is_not_chosen():
    results = made_up(loss=lambda w, rate, seed: np.nan if (w, rate) == (64, 1.0) else 0.5 - 0.4 * rate)
    assert np.isnan(validation_loss(results, 1.0))
    assert chosen(results) == 0.3


# The rule.


def judge(*args, **kwargs):
    return judged.best_rate(Study(Results([], []), made_up(*args, **kwargs)))


def best_at(widths):
    """F1 that is highest at 3e-2 for these widths, and at 1e-2 for the others."""
    return lambda width, rate, seed: 0.9 if rate == (0.03 if width in widths else 0.01) else 0.6


def test_rule_of_the_best_rate():
    assert judge(published).verdict is Verdict.HOLDS
    nine = judge(best_at(WIDTHS[:9]))
    assert nine.verdict is Verdict.HOLDS
    assert nine.measured.startswith("best at 9 of 11 widths (means of 1 seeds)")
    assert judge(best_at(WIDTHS[:8])).verdict is Verdict.FAILS
    # Two of three widths are a smaller share than 9 of 11.
    assert judge(best_at((4, 24)), scale=QUICK).verdict is Verdict.FAILS
    assert judge(best_at((4, 24, 64)), scale=QUICK).verdict is Verdict.HOLDS


def test_the_rule_looks_at_means_over_seeds():
    # Higher at 1e-2 in seeds 42 and 78 by 0.1, but lower in seed 0 by 0.3.
    mixed = judge(lambda w, rate, seed: {0.03: 0.8, 0.01: 0.5 if seed == 0 else 0.9}.get(rate, 0.1), scale=FULL)
    assert mixed.verdict is Verdict.HOLDS
    assert "best at 11 of 11 widths (means of 3 seeds)" in mixed.measured
    # And the other way round: seed 0 alone has 3e-2 as its best.
    first = judge(lambda w, rate, seed: {0.03: 0.9 if seed == 0 else 0.5, 0.01: 0.7}.get(rate, 0.1), scale=FULL)
    assert first.verdict is Verdict.FAILS


def test_the_distance_is_that_of_the_means_over_seeds():
    around = {0: -0.1, 42: 0.1}
    measured = judge(lambda w, rate, seed: published(w, rate, seed) + around.get(seed, 0.0), scale=FULL).measured
    assert measured.count("0.01: 0.000, 0.03: 0.000;") == 2
    later = {0: -0.1, 42: 0.1}
    measured = judge(published, last=lambda w, rate, seed: published(w, rate, 0) + later.get(seed, 0.0), scale=FULL)
    assert measured.measured.count("0.01: 0.000, 0.03: 0.000;") == 2


def test_the_distance_from_the_published_table_is_by_rate():
    exact = judge(published)
    assert (
        exact.measured.count("0.0001: 0.000, 0.0003: 0.000, 0.001: 0.000, 0.003: 0.000, 0.01: 0.000, 0.03: 0.00") == 2
    )

    def away(width, rate, seed):
        return published(width, rate, seed) + (0.02 if rate == 0.03 else 0.1 if width == 2 else -0.1)

    assert "by rate, 0.0001: 0.100, 0.0003: 0.100" in judge(away).measured
    assert "0.03: 0.020; if the last F1 were meant" in judge(away).measured
    last = judge(published, last=away)
    assert "0.03: 0.000; if the last F1 were meant and not the best, 0.0001: 0.100" in last.measured
    assert last.measured.endswith("0.03: 0.020")


def test_the_spread_over_seeds_stands_beside_the_distance_if_there_are_seeds():
    assert "deviation" not in judge(published).measured
    # 0.5, 0.6 and 0.7 deviate by 0.1, which n in the denominator would make 0.082.
    several = judge(lambda w, rate, seed: 0.5 + {0: 0.0, 42: 0.1, 78: 0.2}.get(seed, 0.0), scale=FULL)
    assert "deviation over seeds, mean over widths, 0.0001: 0.100, 0.0003: 0.100" in several.measured


# The figures.


@pytest.fixture
def drawings(monkeypatch):
    """The drawings that figures would save, and their captions, by the name of the file; none is saved."""
    kept = {}

    def keep(drawing, folder, name, caption):
        kept[name] = drawing, caption
        return Drawn(folder / name, caption, 0)

    monkeypatch.setattr(figures, "save", keep)
    return kept


def written(axes):
    """The texts of a heat map, row by row."""
    texts = {text.get_position(): text for text in axes.texts}
    columns, rows = (1 + max(each) for each in zip(*texts, strict=True))
    return [[texts[column, row] for column in range(columns)] for row in range(rows)]


def row_of(axes, row):
    return [text.get_text() for text in written(axes)[row]]


def framed(axes):
    """Row and column of the cells that are framed."""
    centres = np.rint([frame.get_center() for frame in axes.patches]).astype(int)
    return [(row, column) for column, row in centres.tolist()]


def corrected(f1, epochs=20):
    """Results of the search with this F1 in the corrected arm, and the published ones as released."""
    results = made_up(published)
    wanted, found = trials("", DEFAULT), []
    for trial in wanted:
        (result,) = results.of(trial.arm, trial.pair, trial.width, trial.learning_rate)
        if trial.arm == CORRECTED:
            run = epochs(trial.width, trial.learning_rate) if callable(epochs) else epochs
            result = result | {"validation_f1": f1(trial.width, trial.learning_rate), "epochs": run}
        found.append(result)
    return Results(wanted, found)


def test_heat_maps_write_the_mean_and_frame_the_best(drawings, tmp_path):
    # The mean of .73, .703 and .73 is .721.
    results = made_up(lambda w, rate, seed: published(w, rate, seed) - 0.027 * (seed == 42), scale=FULL)
    drawn = figures.heat_maps(results, tmp_path)
    drawing, caption = drawings["learning_rate_heat_map.png"]
    assert drawn.path.name in {claim.figure for claim in judgements.CLAIMS}
    left, right = drawing.axes[:2]
    assert row_of(left, 0) == ["0.17", "0.66", "0.50", "0.53", "0.66", "0.72"]
    assert row_of(left, 10) == ["0.13", "0.60", "0.69", "0.48", "0.82", "0.90"]
    assert row_of(right, 0) == ["0.540", "0.670", "0.730", "0.970", "0.970", "0.970"]
    assert framed(left) == [(row, 5) for row in range(11)]
    assert framed(right) == [(row, 3) for row in range(11)]
    assert [tick.get_text() for tick in left.get_yticklabels()] == [str(width) for width in WIDTHS]
    assert [tick.get_text() for tick in right.get_xticklabels()] == ["0.003", "0.01", "0.03", "0.1", "0.3", "1"]
    assert "in the paper is 0.03 at each of these widths" in caption
    assert "0.003: 0.1000" in caption
    assert "Seeds: 3 as released, 3 corrected" in caption


def test_an_asterisk_marks_what_had_not_stopped_after_the_most_epochs(drawings, tmp_path):
    epochs = {(2, 0.003): 100, (64, 0.01): 100, (2, 1.0): 99}
    figures.heat_maps(corrected(lambda w, rate: 0.96, lambda w, rate: epochs.get((w, rate), 20)), tmp_path)
    left, right = drawings["learning_rate_heat_map.png"][0].axes[:2]
    assert row_of(right, 0) == ["0.960*", *["0.960"] * 5]
    assert row_of(right, 10) == ["0.960", "0.960*", *["0.960"] * 4]
    assert sum("*" in text.get_text() for text in right.texts) == 2
    # As released nothing stops before the hundredth epoch.
    figures.heat_maps(made_up(published, epochs=100), tmp_path)
    left, right = drawings["learning_rate_heat_map.png"][0].axes[:2]
    assert not any("*" in text.get_text() for text in left.texts)
    assert all("*" in text.get_text() for text in right.texts)


def test_one_of_the_seeds_is_enough_for_an_asterisk(drawings, tmp_path):
    results = made_up(published, scale=FULL)
    results.of(CORRECTED, (4, 9), 8, 0.1)[2]["epochs"] = 100
    figures.heat_maps(results, tmp_path)
    right = drawings["learning_rate_heat_map.png"][0].axes[1]
    assert row_of(right, 3)[3] == "0.970*"
    assert sum("*" in text.get_text() for text in right.texts) == 1


def test_what_is_not_a_number_is_legible_and_not_the_best(drawings, tmp_path):
    never = corrected(lambda w, rate: np.nan if rate == 0.003 or w == 2 else 0.97 + 0.01 * (rate == 0.1))
    figures.heat_maps(never, tmp_path)
    right = drawings["learning_rate_heat_map.png"][0].axes[1]
    assert row_of(right, 1) == ["nan", "0.970", "0.970", "0.980", "0.970", "0.970"]
    assert written(right)[1][0].get_color() == "black"
    assert framed(right) == [(row, 3) for row in range(1, 11)]


def test_ink_is_light_on_the_dark_half_of_the_scale(drawings, tmp_path):
    f1 = {0.003: 0.5, 0.01: 0.974, 0.03: 0.976}
    figures.heat_maps(corrected(lambda w, rate: f1.get(rate, 0.99)), tmp_path)
    left, right = drawings["learning_rate_heat_map.png"][0].axes[:2]
    assert [text.get_color() for text in written(right)[0]] == ["white"] * 2 + ["black"] * 4
    assert [text.get_color() for text in written(left)[7]] == ["black", "black", "white", "white", "black", "black"]


def points(axes):
    """Where the points of a scatter are, and which of them are triangles."""
    where = np.concatenate([each.get_offsets() for each in axes.collections])
    edge = [len(each.get_offsets()) * [len(each.get_paths()[0].vertices) == 4] for each in axes.collections]
    return where, np.concatenate(edge).astype(bool)


def test_scatter_shows_every_network(drawings, tmp_path):
    low = {(2, 1.0): 0.67, (6, 1.0): 0.949, (4, 1.0): 0.95}
    drawn = figures.scatter(corrected(lambda w, rate: low.get((w, rate), 0.98)), tmp_path)
    drawing, caption = drawings["learning_rate_scatter.png"]
    assert drawn.path == tmp_path / "learning_rate_scatter.png"
    left, right = drawing.axes[:2]
    for axes, triangles in ((left, 0), (right, 2)):
        where, edge = points(axes)
        assert len(where) == 66
        lowest, highest = axes.get_ylim()
        assert ((lowest <= where[:, 1]) & (where[:, 1] <= highest)).all()
        assert edge.sum() == triangles
        assert set(where[edge, 1]) <= {0.95}
    assert "corrected networks below 0.95, or without an F1 (n = 2, down to 0.670)" in caption
    # The points of a rate lie within 20 % of it, the narrowest at the left.
    where, _ = points(left)
    assert (np.abs(where[:, 0] / np.tile(LEARNING_RATES, 11) - 1) < 0.2).all()
    assert (np.diff(where[::6, 0]) > 0).all()
    np.testing.assert_allclose(where[:, 1], np.ravel([RATE_F1[width] for width in WIDTHS]))


def test_scatter_has_the_published_values_as_crosses(drawings, tmp_path):
    figures.scatter(made_up(lambda w, rate, seed: 0.97), tmp_path)
    drawing, caption = drawings["learning_rate_scatter.png"]
    left, right = drawing.axes[:2]
    crosses = [line.get_ydata() for line in left.lines]
    np.testing.assert_array_equal(crosses, [RATE_F1[width] for width in WIDTHS])
    assert all(tuple(line.get_xdata()) == LEARNING_RATES for line in left.lines)
    assert not right.lines
    assert [text.get_text() for text in left.get_legend().get_texts()] == ["published"]
    assert "without an F1 (none)" in caption


def test_scatter_does_not_hide_networks_without_an_f1(drawings, tmp_path):
    figures.scatter(corrected(lambda w, rate: np.nan if (w, rate) == (2, 1.0) else 0.98), tmp_path)
    drawing, caption = drawings["learning_rate_scatter.png"]
    where, edge = points(drawing.axes[1])
    assert edge.sum() == 1
    assert np.isfinite(where).all()
    assert "(n = 1, down to nan)" in caption


def test_figures_of_a_tiny_run(dataset, short, tmp_path, monkeypatch):
    monkeypatch.setattr(style, "_DPI", 20)
    wanted = trials("", QUICK)
    results = Results(wanted, [measure([trial], dataset)[0] for trial in wanted])
    for draw in (figures.heat_maps, figures.scatter):
        one, two = (draw(results, tmp_path / name).path.read_bytes() for name in ("one", "two"))
        assert one == two
