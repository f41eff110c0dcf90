"""The rules of the sensitivity study: what each makes of results that were made for it."""

import numpy as np
import pytest
from sensitivity_results import row

from experiments.claims import Verdict
from experiments.sensitivity.claims import CLAIMS
from experiments.sensitivity.measures import DIFFERENT, KINDS, RANDOM, SAME
from experiments.sensitivity.networks import FACTORS, PAIRS, PORTRAIT_GAINS, PORTRAITS, SWEEP
from experiments.table import Table

HOLDS, FAILS, OPEN = Verdict.HOLDS, Verdict.FAILS, Verdict.OPEN
GAP = np.linspace(0.05, 0.1, 40)
NOISE = np.random.default_rng(0).standard_normal(40)
UP = np.ones(8)


def judge(number, table):
    """What the rule of the claim with that number makes of a table."""
    return CLAIMS[number - 1].judge(table)


def rows(part=SWEEP, dataset="mnist", **columns):
    """Networks that fit, one a number of the columns, which are settings or results."""
    given = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return [row(part, seed, dataset=dataset, **each) for seed, each in enumerate(given)]


def test_nothing_is_judged_of_no_networks():
    for table in (Table(), Table([row(part, 0, training_accuracy=0.9) for part in (SWEEP, PORTRAITS)])):
        assert {each.judge(table).verdict for each in CLAIMS} == {OPEN}


# Over many networks.


@pytest.mark.parametrize(("norms", "verdict"), [(GAP, HOLDS), (-GAP, FAILS), (NOISE, FAILS)])
def test_the_gap_must_grow_with_the_norm_on_every_data_set(norms, verdict):
    one = rows(gap=GAP, jacobian=GAP)
    assert judge(1, Table(one + rows(dataset="fashion-mnist", gap=GAP, jacobian=norms))).verdict is verdict
    assert judge(1, Table(one + rows(dataset="fashion-mnist", gap=GAP[:4], jacobian=GAP[:4]))).verdict is OPEN


def test_within_architectures_the_norm_must_follow_the_gap_too():
    # From depth to depth the norm goes with the gap, within each against it.
    depths = [1, 2, 3, 4, 5] * 8
    offset = np.array(depths) * 10.0
    against = Table(rows(depth=depths, gap=GAP + offset, jacobian=offset - GAP))
    assert judge(2, against).verdict is FAILS
    assert judge(2, Table(rows(depth=depths, gap=GAP + offset, jacobian=GAP - offset))).verdict is HOLDS
    # Few architectures say nothing of others.
    assert judge(2, Table(rows(depth=[1, 2, 3, 4] * 10, gap=GAP, jacobian=GAP))).verdict is OPEN


@pytest.mark.parametrize(
    ("number", "name", "sizes", "verdict"),
    [
        (4, "parameters", NOISE, HOLDS),
        (5, "training_loss", GAP, FAILS),
        (6, "weight_norm", -GAP, FAILS),
        (4, "parameters", np.full(40, 7.0), OPEN),
    ],
)
def test_other_measures_must_be_tied_less_closely_in_either_direction(number, name, sizes, verdict):
    found = Table(rows(gap=GAP, jacobian=GAP + 0.002 * NOISE, **{name: sizes}))
    assert judge(number, found).verdict is verdict


# Pairs.


def two_sides(factor, gap, norm, depths=None):
    """Pairs of one factor with these excesses of the side published to be worse."""
    sign = 1 if FACTORS[factor].second_is_worse else -1
    common = {"depth": [1] * len(gap) if depths is None else depths}
    zeros = {name: np.zeros(len(gap)) for name in ("gap", "jacobian", "transitions")}
    second = {"gap": sign * np.array(gap), "jacobian": sign * np.array(norm), "transitions": sign * np.array(norm)}
    changed = {name: [value] * len(gap) for name, value in FACTORS[factor].change.items()}
    return rows(PAIRS, **common, **zeros), rows(PAIRS, **common, **second, **changed)


@pytest.mark.parametrize(("number", "factor"), list(enumerate(FACTORS, 7)))
def test_a_factor_must_move_both_the_gap_and_the_norm_as_published(number, factor):
    def judged(gap, norm):
        first, second = two_sides(factor, gap, norm)
        return judge(number, Table([*first, *second]))

    half = np.array([1, -1] * 4)
    assert judged(UP, UP).verdict is HOLDS
    assert {judged(*both).verdict for both in ((UP, -UP), (-UP, UP), (-UP, -UP), (UP, half))} == {FAILS}
    assert judged(UP[:5], UP[:5]).verdict is OPEN


def test_a_direction_may_appear_with_depth():
    # Of two depths together there are enough.
    excess = np.array([-1] * 8 + [1] * 10)
    first, second = two_sides("nonlinearity", excess, excess, [1] * 8 + [2] * 5 + [3] * 5)
    found = judge(9, Table([*first, *second]))
    assert (found.verdict, found.condition) == (Verdict.CONDITIONAL, "there are at least 2 hidden layers")
    # What is so for all pairs holds, even if few are deep.
    first, second = two_sides("nonlinearity", np.ones(9), np.ones(9), [1] * 8 + [2])
    assert judge(9, Table([*first, *second])).verdict is HOLDS


def test_transitions_must_agree_for_three_factors_and_not_for_the_optimiser():
    def judged(**directions):
        sides = {factor: two_sides(factor, UP, direction * UP) for factor, direction in directions.items()}
        return judge(
            11, Table([*sides["labels"][0], *(each for _, second in sides.values() for each in second)])
        ).verdict

    published = {"labels": 1, "augmentation": 1, "nonlinearity": 1, "optimiser": -1}
    assert judged(**published) is HOLDS
    for factor in FACTORS:
        assert judged(**published | {factor: -published[factor]}) is FAILS


# Portraits.

LOW, HIGH = PORTRAIT_GAINS


def looked_at(gain, peaks=(), level=(), crossed=(), near=0.5, before=1.0, points=((), (), ())):
    """Two portraits of one gain; of each kind of ellipse two, with anchors at order 0."""
    peaks = {RANDOM: 0.5, DIFFERENT: 4.0, SAME: 3.0} | dict(peaks)
    level = {RANDOM: 0.0, DIFFERENT: -1.0, SAME: -2.0} | dict(level)
    crossed = {RANDOM: 300, DIFFERENT: 200, SAME: 100} | dict(crossed)
    each = {kind: {"peaks": peaks[kind], "level": level[kind], "transitions": crossed[kind]} for kind in KINDS}
    result = {
        "ellipses": {
            kind: {name: [value] * 2 for name, value in (each[kind] | {"anchors": 0.0}).items()} for kind in KINDS
        },
        "planes": {
            "before": [{"near": before, "everywhere": 1.0}] * 2,
            "after": [{"near": near, "everywhere": 1.0}] * 2,
        },
        "points": dict(zip(("norm", "loss", "wrong"), map(list, points), strict=True)),
    }
    return [row(PORTRAITS, seed, gain=gain, **result) for seed in range(2)]


@pytest.mark.parametrize(
    ("number", "bad"),
    [
        (12, {"peaks": {DIFFERENT: 1.9}}),
        (13, {"peaks": {SAME: 1.9}}),
        (14, {"peaks": {RANDOM: 1.1}}),
        (14, {"level": {DIFFERENT: 0.1}}),
        (14, {"level": {SAME: 0.1}}),
        (15, {"crossed": {SAME: 201}}),
        (15, {"crossed": {RANDOM: 199}}),
        (16, {"near": 1.1, "before": 2.0}),
        (16, {"near": 0.5, "before": 0.5}),
    ],
)
def test_portraits_are_judged_gain_by_gain(number, bad):
    good = [*looked_at(LOW), *looked_at(HIGH)]
    assert judge(number, Table(good)).verdict is HOLDS
    assert judge(number, Table([*looked_at(LOW, **bad), *looked_at(HIGH, **bad)])).verdict is FAILS
    found = judge(number, Table([*looked_at(LOW, **bad), *looked_at(HIGH)]))
    assert (found.verdict, found.condition) == (Verdict.CONDITIONAL, f"the gain of the initial weights is {HIGH:g}")
    assert judge(number, Table([*good[:2], *(each | {"training_accuracy": 0.9} for each in good[2:])])).verdict is OPEN


def mistakes(*places):
    """Points of which those in these places are misclassified; the norm grows from one to the next."""
    return range(200), [1.0] * 200, [int(place in places) for place in range(200)]


LOSSES, WRONG = [0.01, 0.7, 3.0], [0, 0, 1]


@pytest.mark.parametrize(
    ("number", "points", "verdict"),
    [
        # The norm must peak near ln 2.
        (19, ([0.1, 2.0, 0.5], LOSSES, WRONG), HOLDS),
        (19, ([0.1, 2.0, 2.5], LOSSES, WRONG), FAILS),
        (19, ([2.1, 2.0, 0.5], LOSSES, WRONG), FAILS),
        (19, ([0.1, 0.5], LOSSES[::2], WRONG[::2]), FAILS),
        # The largest norms must be mistakes, and some mistakes confident.
        (20, mistakes(198, 199, 3), HOLDS),
        (20, mistakes(198, 199), FAILS),
        (20, mistakes(199, 3), FAILS),
        (20, mistakes(), FAILS),
    ],
)
def test_single_points_of_portraits(number, points, verdict):
    found = judge(number, Table([*looked_at(LOW, points=points), *looked_at(HIGH, points=points)]))
    assert found.verdict is verdict


# Single test points, over the sweep.


def test_the_norm_must_find_errors_in_nearly_all_networks():
    def found(*areas):
        return judge(17, Table(rows(norm_finds_errors=areas, norm_and_loss=np.ones(len(areas))))).verdict

    assert found(*[0.9] * 20) is found(*[0.9] * 19, 0.4) is found(*[0.9] * 6, np.nan) is HOLDS
    assert found(*[0.9] * 18, 0.4, 0.4) is FAILS
    assert found(*[0.9] * 5, np.nan) is found(np.nan) is OPEN


def test_doubt_is_beaten_in_significantly_more_than_half():
    def found(differences):
        doubt = np.full(len(differences), 0.8)
        return judge(18, Table(rows(norm_finds_errors=doubt + differences, doubt_finds_errors=doubt))).verdict

    assert found(np.full(8, 0.01)) is HOLDS
    assert found(np.full(8, -0.01)) is found(np.array([0.01, -0.01] * 4)) is FAILS
    assert found(np.full(9, np.nan)) is found(np.full(5, 0.01)) is OPEN
