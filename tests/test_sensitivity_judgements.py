"""The rules of the sensitivity study: what each makes of results that were made for it."""

import dataclasses

import numpy as np
import pytest

from experiments.claims import Verdict
from experiments.sensitivity.judgements import CLAIMS, pairs, points, portraits, sweep
from experiments.sensitivity.portraits import DIFFERENT, KINDS, RANDOM, SAME
from experiments.sensitivity.protocol import FACTORS, PAIRS, PORTRAIT_GAINS, PORTRAITS, SWEEP, Trial
from experiments.sensitivity.results import Networks, Study, studied

FIRST = Trial(PAIRS, "mnist", "data", 0, 1, 50, "relu", 1.0, 0.1, 32, 100)
NOBODY = Networks([], [])


def networks(part=SWEEP, **columns):
    """Fitted networks, one a number of the columns; settings are columns too."""
    fields = {field.name for field in dataclasses.fields(Trial)}
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    trials = [
        dataclasses.replace(FIRST, part=part, seed=seed, **{name: row[name] for name in fields & row.keys()})
        for seed, row in enumerate(rows)
    ]
    results = [
        {"training_accuracy": 1.0, **{name: value for name, value in row.items() if name not in fields}} for row in rows
    ]
    return Networks(trials, results)


def study(**parts):
    return Study(**({"sweep": {}, "unfitted": {}, "pairs": {}, "lost": {}, "portraits": {}, "fitted": 0} | parts))


def claim(beginning):
    (found,) = [each for each in CLAIMS if each.statement.startswith(beginning)]
    return found


def test_every_claim_has_its_own_words():
    assert len({each.statement for each in CLAIMS}) == len(CLAIMS) == 20
    groups = [each.group for each in CLAIMS]
    assert list(dict.fromkeys(groups)) == [sweep.GROUP, pairs.GROUP, portraits.GROUP, points.GROUP]
    assert groups == sorted(groups, key=list(dict.fromkeys(groups)).index)


def test_nothing_is_judged_of_no_networks():
    nothing = studied({"mnist": NOBODY}, {factor: (NOBODY, NOBODY) for factor in FACTORS}, Networks([], []))
    assert {each.judge(nothing).verdict for each in CLAIMS} == {Verdict.OPEN}


GAP = np.linspace(0.05, 0.1, 40)
NOISE = np.random.default_rng(0).standard_normal(40)


@pytest.mark.parametrize(("norms", "verdict"), [(GAP, Verdict.HOLDS), (-GAP, Verdict.FAILS), (NOISE, Verdict.FAILS)])
def test_the_gap_must_grow_with_the_norm_on_every_data_set(norms, verdict):
    judge = claim("Across networks").judge
    one = networks(gap=GAP, jacobian=GAP)
    other = networks(gap=GAP, jacobian=norms)
    assert judge(study(sweep={"mnist": one, "fashion-mnist": other})).verdict is verdict
    found = judge(study(sweep={"mnist": one}))
    assert found.measured == "rank correlation with the gap, MNIST: 1.00 [1.00, 1.00] (n = 40)"
    few = one.where(np.arange(40) < 4)
    assert judge(study(sweep={"mnist": one, "fashion-mnist": few})).verdict is Verdict.OPEN


def test_within_architectures_the_norm_must_follow_the_gap_too():
    judge = claim("It does so among networks of one").judge
    depths = [1, 2, 3, 4, 5] * 8
    # From depth to depth the norm goes with the gap, within each against it.
    offset = np.array(depths) * 10.0
    against = networks(depth=depths, gap=GAP + offset, jacobian=offset - GAP)
    assert "MNIST: 0.9" in claim("Across networks").judge(study(sweep={"mnist": against})).measured
    found = judge(study(sweep={"mnist": against}))
    assert found.verdict is Verdict.FAILS
    assert "-1.00 [-1.00, -1.00] (n = 40 in 5 architectures)" in found.measured
    along = networks(depth=depths, gap=GAP + offset, jacobian=GAP - offset)
    assert judge(study(sweep={"mnist": along})).verdict is Verdict.HOLDS


@pytest.mark.parametrize(("sizes", "verdict"), [(NOISE, Verdict.HOLDS), (GAP, Verdict.FAILS), (-GAP, Verdict.FAILS)])
def test_other_measures_must_be_tied_less_closely_in_either_direction(sizes, verdict):
    found = study(sweep={"mnist": networks(gap=GAP, jacobian=GAP + 0.002 * NOISE, parameters=sizes)})
    assert claim("The number of parameters").judge(found).verdict is verdict


def test_a_measure_that_is_the_same_for_all_cannot_be_judged():
    found = study(sweep={"mnist": networks(gap=GAP, jacobian=GAP, parameters=np.full(40, 7.0))})
    assert claim("The number of parameters").judge(found).verdict is Verdict.OPEN


def test_few_architectures_say_nothing_of_others():
    found = study(sweep={"mnist": networks(depth=[1, 2, 3, 4] * 10, gap=GAP, jacobian=GAP)})
    assert claim("It does so among networks of one").judge(found).verdict is Verdict.OPEN


def two_sides(factor, gap, norm, depths=None, crossed=None):
    """Pairs of one factor with these excesses of the side published to be worse."""
    sign = 1 if pairs.SIDES[factor].second_is_worse else -1
    depths = [1] * len(gap) if depths is None else depths
    zeros = np.zeros(len(gap))
    one = networks(PAIRS, depth=depths, gap=zeros, jacobian=zeros, transitions=zeros)
    two = networks(
        PAIRS,
        depth=depths,
        gap=sign * np.array(gap),
        jacobian=sign * np.array(norm),
        transitions=sign * np.array(norm if crossed is None else crossed),
    )
    return one, two


@pytest.mark.parametrize("factor", FACTORS)
def test_a_factor_must_move_both_the_gap_and_the_norm_as_published(factor):
    judge = [each for each in CLAIMS if each.group == pairs.GROUP][list(FACTORS).index(factor)].judge

    def verdict(*arguments):
        return judge(study(pairs={factor: two_sides(factor, *arguments)}, lost={factor: 3}))

    up, down = np.ones(8), -np.ones(8)
    assert verdict(up, up).verdict is Verdict.HOLDS
    assert verdict(up, down).verdict is Verdict.FAILS
    assert verdict(down, up).verdict is Verdict.FAILS
    assert verdict(down, down).verdict is Verdict.FAILS
    half = np.array([1, -1] * 4)
    assert verdict(up, half).verdict is Verdict.FAILS
    assert verdict(up[:5], up[:5]).verdict is Verdict.OPEN
    text = verdict(up, half).measured
    assert text.startswith("8 pairs (3 more in which one does not fit)")
    assert "gap in 8 of 8 (p = 0.0078), Jacobian norm in 4 of 8 (p = 1)" in text
    assert "the same way in 4 of 8" in text


def test_a_direction_may_appear_with_depth():
    depths = [1] * 8 + [2] * 8 + [3] * 8
    excess = np.array([-1] * 8 + [1] * 16)
    found = pairs.moves(
        "nonlinearity",
        study(pairs={"nonlinearity": two_sides("nonlinearity", excess, excess, depths)}, lost={"nonlinearity": 0}),
    )
    assert (found.verdict, found.condition) == (Verdict.CONDITIONAL, "there are at least 2 hidden layers")
    assert "; 1 hidden layer: gap 0.000 and -1.000, larger in 0 of 8 (p = 0.0078), norm 0.000 and" in found.measured
    assert "; 2 hidden layers: gap 0.000 and 1.000, larger in 8 of 8 (p = 0.0078), norm" in found.measured


def test_transitions_must_agree_for_three_factors_and_not_for_the_optimiser():
    def judged(**directions):
        sides = {
            factor: two_sides(factor, np.ones(8), direction * np.ones(8)) for factor, direction in directions.items()
        }
        return pairs.transitions_agree(study(pairs=sides)).verdict

    published = {"labels": 1, "augmentation": 1, "nonlinearity": 1, "optimiser": -1}
    assert judged(**published) is Verdict.HOLDS
    for factor in FACTORS:
        assert judged(**published | {factor: -published[factor]}) is Verdict.FAILS


def looked_at(gain, peaks=None, level=None, crossed=None, near=(0.5, 1.0), points=None):
    """Two portraits of one gain; of each kind of ellipse two, with anchors at order 0."""
    peaks = {RANDOM: 0.5, DIFFERENT: 4.0, SAME: 3.0} | (peaks or {})
    level = {RANDOM: 0.0, DIFFERENT: -1.0, SAME: -2.0} | (level or {})
    crossed = {RANDOM: 300, DIFFERENT: 200, SAME: 100} | (crossed or {})
    result = {
        "training_accuracy": 1.0,
        "ellipses": {
            kind: {
                "peaks": [peaks[kind]] * 2,
                "anchors": [0.0] * 2,
                "level": [level[kind]] * 2,
                "transitions": [crossed[kind]] * 2,
            }
            for kind in KINDS
        },
        "planes": {
            "before": [{"near": 2.0, "everywhere": 2.0}] * 2,
            "after": [{"near": near[0], "everywhere": near[1]}] * 2,
        },
        "points": points or {"norm": [], "loss": [], "wrong": []},
    }
    trials = [dataclasses.replace(FIRST, part=PORTRAITS, gain=gain, seed=seed) for seed in range(2)]
    return Networks(trials, [result, result])


LOW, HIGH = PORTRAIT_GAINS


def of_both(one, other=None):
    """A study whose portraits of the lower gain look like `one`, those of the higher like `other`."""
    return study(portraits={LOW: looked_at(LOW, **one), HIGH: looked_at(HIGH, **(one if other is None else other))})


@pytest.mark.parametrize(
    ("statement", "bad"),
    [
        ("On an ellipse through three training", {"peaks": {DIFFERENT: 1.9}}),
        ("So it does if", {"peaks": {SAME: 1.9}}),
        ("On an ellipse through random", {"peaks": {RANDOM: 1.1}}),
        ("On an ellipse through random", {"level": {DIFFERENT: 0.1}}),
        ("On an ellipse through random", {"level": {SAME: 0.1}}),
        ("The path crosses more", {"crossed": {SAME: 201}}),
        ("The path crosses more", {"crossed": {RANDOM: 199}}),
        ("After training", {"near": (1.1, 1.0)}),
    ],
)
def test_portraits_are_judged_gain_by_gain(statement, bad):
    judge = claim(statement).judge
    assert judge(of_both({})).verdict is Verdict.HOLDS
    assert judge(of_both(bad)).verdict is Verdict.FAILS
    found = judge(of_both(bad, {}))
    assert (found.verdict, found.condition) == (Verdict.CONDITIONAL, f"the gain of the initial weights is {HIGH:g}")
    assert judge(study(portraits={LOW: looked_at(LOW)})).verdict is Verdict.OPEN


def test_rarer_than_before_is_asked_too():
    # Rarer than everywhere, but no rarer than before training.
    portrait = looked_at(LOW, near=(0.5, 1.0))
    for result in portrait.results:
        result["planes"]["before"] = [{"near": 0.5, "everywhere": 1.0}] * 2
    found = claim("After training").judge(study(portraits={LOW: portrait, HIGH: portrait}))
    assert found.verdict is Verdict.FAILS


def at_points(norm, loss, wrong):
    return of_both({"points": {"norm": norm, "loss": loss, "wrong": wrong}})


def test_the_norm_must_peak_near_ln_2():
    judge = claim("The norm peaks").judge
    assert judge(at_points([0.1, 2.0, 0.5], [0.01, 0.7, 3.0], [0, 0, 1])).verdict is Verdict.HOLDS
    assert judge(at_points([0.1, 2.0, 2.5], [0.01, 0.7, 3.0], [0, 0, 1])).verdict is Verdict.FAILS
    assert judge(at_points([2.1, 2.0, 0.5], [0.01, 0.7, 3.0], [0, 0, 1])).verdict is Verdict.FAILS
    assert judge(at_points([0.1, 0.5], [0.01, 3.0], [0, 1])).verdict is Verdict.FAILS
    assert "0.1, 2, 0.5 (n = 1, 1, 1)" in judge(at_points([0.1, 2.0, 0.5], [0.01, 0.7, 3.0], [0, 0, 1])).measured


def test_the_largest_norms_must_be_mistakes_and_some_mistakes_confident():
    judge = claim("The points of the largest").judge
    loss, norm = [1.0] * 200, list(range(200))
    right = [0] * 200

    def with_mistakes(*places):
        return judge(at_points(norm, loss, [int(place in places) for place in range(200)]))

    assert with_mistakes(198, 199, 3).verdict is Verdict.HOLDS
    assert with_mistakes(198, 199).verdict is Verdict.FAILS
    assert with_mistakes(199, 3).verdict is Verdict.FAILS
    assert "100 %, and 1 of 3 mistakes" in with_mistakes(198, 199, 3).measured
    assert judge(at_points(norm, loss, right)).verdict is Verdict.FAILS


def test_the_norm_must_find_errors_in_nearly_all_networks():
    judge = claim("The Jacobian norm at a test point").judge

    def found(*areas):
        return judge(study(sweep={"mnist": networks(norm_finds_errors=areas, norm_and_loss=np.ones(len(areas)))}))

    assert found(*[0.9] * 20).verdict is Verdict.HOLDS
    assert found(*[0.9] * 19, 0.4).verdict is Verdict.HOLDS
    assert found(*[0.9] * 18, 0.4, 0.4).verdict is Verdict.FAILS
    assert found(*[0.9] * 5, np.nan).verdict is Verdict.OPEN
    assert found(*[0.9] * 6, np.nan).verdict is Verdict.HOLDS


def test_doubt_is_beaten_in_significantly_more_than_half():
    judge = claim("It tells more than").judge

    def found(differences):
        doubt = np.full(len(differences), 0.8)
        both = {"norm_finds_errors": doubt + differences, "doubt_finds_errors": doubt}
        return judge(study(sweep={"mnist": networks(**both)}))

    assert found(np.full(8, 0.01)).verdict is Verdict.HOLDS
    assert found(np.full(8, -0.01)).verdict is Verdict.FAILS
    assert found(np.array([0.01, -0.01] * 4)).verdict is Verdict.FAILS
    assert found(np.full(9, np.nan)).verdict is Verdict.OPEN
    assert found(np.full(5, 0.01)).verdict is Verdict.OPEN
