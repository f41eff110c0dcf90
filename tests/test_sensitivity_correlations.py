"""The results of the sensitivity study: what fits, rank correlations with the gap, the table of the networks."""

import csv
import dataclasses
import io
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from experiments.sensitivity import correlations, protocol
from experiments.sensitivity.correlations import FEWEST, PREDICTORS, Correlation, correlation, within
from experiments.sensitivity.protocol import FACTORS, SWEEP, Scale, Trial
from experiments.sensitivity.results import Networks, studied
from experiments.sensitivity.summary import numbers, table
from npnet.ranks import rank_correlation


def trial_of(seed, depth=1, width=50, part=SWEEP):
    return Trial(part, "mnist", "", seed, depth, width, "relu", 1.0, 0.1, 16, 100)


def networks(x, y, depth=1):
    """With these numbers as Jacobian norms and gaps; depths, that tell architectures, one or for each."""
    depths = np.broadcast_to(depth, len(x)).tolist()
    trials = [trial_of(seed, depth=each) for seed, each in enumerate(depths)]
    return Networks(trials, [{"jacobian": a, "gap": b} for a, b in zip(x, y, strict=True)])


# Correlations.

# Small integers are often equal.
measured = st.integers(FEWEST, 8).flatmap(
    lambda n: hnp.arrays(np.float64, (2, n), elements=st.integers(0, 6)).filter(lambda xy: np.ptp(xy, axis=1).all())
)


@given(measured)
def test_the_interval_is_that_of_resampled_networks(xy):
    n = xy.shape[1]
    found = correlation(networks(*xy), "jacobian")
    counts = np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=correlations._RESAMPLES)
    x, y = xy[:, np.array([np.repeat(np.arange(n), row) for row in counts])]
    # A network that is drawn n times has no correlation with itself.
    low, high = np.quantile(np.nan_to_num(rank_correlation(x, y)), [0.025, 0.975])
    assert found == Correlation(rank_correlation(*xy), low, high, n, 1)


@given(measured)
def test_ranks_do_not_see_the_scale(xy):
    x, y = xy
    found = correlation(networks(x, y), "jacobian")
    assert correlation(networks(np.exp(x), 3 * y - 7), "jacobian") == found
    assert correlation(networks(y, x), "jacobian") == found
    value, low, high = (-number for number in correlation(networks(-x, y), "jacobian")[:3])
    assert (value, high, low) == pytest.approx(found[:3], abs=1e-12)


def test_order_that_always_holds_has_no_other_interval():
    found = correlation(networks(range(20), range(20)), "jacobian")
    assert found == Correlation(1.0, 1.0, 1.0, 20)
    assert correlation(networks(range(20), range(20, 0, -1)), "jacobian") == Correlation(-1.0, -1.0, -1.0, 20)


def test_more_networks_have_a_narrower_interval():
    rng = np.random.default_rng(2)
    x = rng.normal(size=40)
    y = x + rng.normal(size=40)
    few, many = (correlation(networks(np.tile(x, times), np.tile(y, times)), "jacobian") for times in (1, 16))
    assert few.value == pytest.approx(many.value)
    # As one over the root of the number.
    assert (few.high - few.low) / (many.high - many.low) == pytest.approx(4, rel=0.15)


def test_what_is_the_same_for_all_and_what_is_unknown_have_no_correlation():
    for x in (np.full(6, 2.0), [1, 2, 3, 4, 5, np.nan]):
        for found in (correlation(networks(x, range(6)), "jacobian"), correlation(networks(range(6), x), "jacobian")):
            assert np.isnan(found[:3]).all()
            assert str(found) == "nan [nan, nan] (n = 6)"


def test_too_few_networks_have_no_correlation():
    few = networks(range(FEWEST - 1), range(FEWEST - 1))
    assert correlation(few, "jacobian")[1:] == (-math.inf, math.inf, FEWEST - 1, 1)
    assert within(few, "jacobian")[1:] == (-math.inf, math.inf, 0, 0)
    assert math.isnan(correlation(few, "jacobian").value)
    assert math.isnan(within(few, "jacobian").value)
    assert str(within(few, "jacobian")) == "nan [-inf, inf] (n = 0 in 0 architectures)"


def test_another_column_than_the_gap():
    n = Networks([trial_of(k) for k in range(6)], [{"a": k, "b": -k, "gap": k**2 % 5} for k in range(6)])
    assert correlation(n, "a", "b").value == within(n, "a", "b").value == -1
    assert correlation(n, "a").value == correlation(n, "gap", "a").value != -1


def test_within_is_the_mean_over_architectures_by_their_size():
    # Together the two groups are ordered the other way round.
    x = [*range(5), *range(10, 20), 100]
    y = [50, 51, 52, 53, 54, *range(10, 20), 0]
    y[6], y[5] = y[5], y[6]
    depths = [1] * 5 + [2] * 10 + [3]
    found = within(networks(x, y, depths), "jacobian")
    second = rank_correlation(x[5:15], y[5:15])
    assert found.value == pytest.approx((5 * 1 + 10 * second) / 15)
    assert (found.networks, found.groups) == (15, 2)
    assert found.low <= found.value <= found.high
    assert correlation(networks(x, y, depths), "jacobian").value < 0
    assert str(found).endswith(" (n = 15 in 2 architectures)")


def test_the_bootstrap_draws_architectures_and_weighs_them_by_their_size():
    # 1 within the first, -1 within the second, which is twice as large: both, or one of them twice.
    found = within(networks(range(30), [*range(10), *range(20, 0, -1)], [1] * 10 + [2] * 20), "jacobian")
    assert found[:3] == pytest.approx((-1 / 3, -1.0, 1.0))


def test_one_architecture_says_nothing_of_others():
    rng = np.random.default_rng(3)
    n = networks(rng.normal(size=12), rng.normal(size=12))
    found = within(n, "jacobian")
    assert found.value == pytest.approx(correlation(n, "jacobian").value)
    assert found[1:] == (-np.inf, np.inf, 12, 1)


def test_an_architecture_is_depth_width_and_activation():
    base = trial_of(0)
    changed = [dataclasses.replace(base, **c) for c in ({"depth": 2}, {"width": 60}, {"activation": "relu6"})]
    assert len({trial.architecture for trial in (base, *changed)}) == 4
    assert dataclasses.replace(base, seed=1, gain=2.0, batch=None).architecture == base.architecture


def test_parameters_within_an_architecture_have_no_correlation():
    found = within(networks([5] * 5 + [*range(7)], range(12), [1] * 5 + [2] * 7), "jacobian")
    assert np.isnan(found[:3]).all()


def test_a_correlation_in_words():
    assert str(Correlation(0.456, -0.1234, 0.9, 1234)) == "0.46 [-0.12, 0.90] (n = 1,234)"


# What fits.

SCALE = Scale(5, 3, 2)


def results_of(trial, fits):
    found = {"epochs": 3, "training_accuracy": 1.0 if fits else 0.99}
    return found | ({name: float(trial.seed) for name in (*PREDICTORS, "gap")} if fits else {})


@pytest.fixture
def study():
    """Networks 1 of the sweep and a portrait do not fit; of the pairs, the first of 0 and the second with labels of 1.

    So pair 0 is lost for all factors, pair 1 for the labels alone.
    """

    def of(trials, fits):
        return Networks(trials, [results_of(trial, fits(trial)) for trial in trials])

    pairs = {}
    for factor, each in protocol.pairs("mnist", "", SCALE).items():
        one = of([a for a, _ in each], lambda trial: trial.seed != 0)
        pairs[factor] = one, of([b for _, b in each], lambda trial: trial.seed != 1 or not trial.random_labels)
    portraits = of(protocol.portraits("mnist", "", SCALE), lambda trial: (trial.seed, trial.gain) != (1, 1.4))
    sweep = {name: of(protocol.sweep(name, "", SCALE), lambda trial: trial.seed != 1) for name in ("mnist", "other")}
    return studied(sweep, pairs, portraits)


def seeds(networks):
    return [trial.seed for trial in networks.trials]


def test_what_fits_and_what_does_not(study):
    for name in ("mnist", "other"):
        assert seeds(study.sweep[name]) == [0, 2, 3, 4]
        assert seeds(study.unfitted[name]) == [1]
        assert {trial.dataset for trial in study.sweep[name].trials} == {name}
    assert study.lost == {"labels": 2, "augmentation": 1, "nonlinearity": 1, "optimiser": 1}
    for factor, (one, other) in study.pairs.items():
        assert seeds(one) == seeds(other) == ([2] if factor == "labels" else [1, 2])
        assert [dataclasses.replace(trial, **FACTORS[factor]) for trial in one.trials] == list(other.trials)
        assert one.column("gap").tolist() == other.column("gap").tolist() == seeds(one)
    looked_at = {gain: [(t.seed, t.gain) for t in portraits.trials] for gain, portraits in study.portraits.items()}
    assert looked_at == {1.0: [(0, 1.0), (1, 1.0)], 1.4: [(0, 1.4)]}


def test_each_network_that_fits_counts_once(study):
    # The sweeps; firsts of pairs; their others, of which one does not fit, two that belong to a lost first; portraits.
    assert study.fitted == 2 * 4 + 2 + (4 * 3 - 1) + 3


def test_networks():
    n = networks([3.0, 4.0, 5.0], [0.1, 0.2, 0.3])
    assert len(n) == 3
    some = n.where(np.array([True, False, True]))
    assert some.column("jacobian").tolist() == [3.0, 5.0]
    assert some.column("jacobian").dtype == np.float64
    assert some.trials == (n.trials[0], n.trials[2])
    assert some.setting(lambda trial: trial.seed) == [0, 2]
    none = n.where(np.zeros(3, dtype=bool))
    assert len(none) == len(none.column("gap")) == len(none.fitted) == 0


# What is written.


def test_the_table_has_a_row_for_each_network(study):
    rows = list(csv.DictReader(io.StringIO(table(study))))
    assert len(rows) == 2 * 5 + 2 * (1 + 2 + 2 + 2)
    assert [row["factor"] for row in rows if row["part"] == SWEEP] == [""] * 10
    assert [row["factor"] for row in rows[10:]] == [f for f in FACTORS for _ in range(2 if f == "labels" else 4)]
    (lost,) = (row for row in rows if row["dataset"] == "other" and row["training_accuracy"] == "0.99")
    assert (lost["seed"], lost["gap"], lost["epochs"]) == ("1", "", "3")
    trial = study.sweep["other"].trials[2]
    (row,) = (row for row in rows if row["dataset"] == "other" and row["seed"] == "3")
    for name, value in dataclasses.asdict(trial).items():
        assert row[name] == str(value)
    assert float(row["learning_rate"]) == trial.learning_rate
    assert float(row["jacobian"]) == 3
    (full,) = {row["batch"] for row in rows if row["factor"] == "optimiser"} - {str(b) for b in protocol.BATCHES}
    assert full == ""


def test_the_numbers_of_the_readme(study):
    found = numbers(study)
    assert found["fitted"] == study.fitted
    assert found["correlations"].keys() == {"mnist", "other"}
    assert found["correlations"]["mnist"].keys() == PREDICTORS.keys()
    gaps = [*range(5), *range(-5, 0)]
    results = [dict.fromkeys(PREDICTORS, k) | {"gap": gap} for k, gap in enumerate(gaps)]
    n = Networks([trial_of(k, depth=1 + k // 5) for k in range(10)], results)
    (both,) = numbers(dataclasses.replace(study, sweep={"mnist": n}))["correlations"].values()
    for name in PREDICTORS:
        assert both[name] == {"all": str(correlation(n, name)), "within": str(within(n, name))}
    assert both["jacobian"]["within"] == "1.00 [1.00, 1.00] (n = 10 in 2 architectures)"
    assert both["jacobian"]["all"].startswith("-0.52 [")
