"""The rules of what the paper does not ask: limits of sparsity, difficulty, and our own checks, on made-up results."""

import itertools
import math

import numpy as np
import pytest
from made_up import judge, made_up

from experiments.claims import Verdict
from experiments.low_capacity import claims_checks, claims_limits, limits
from experiments.low_capacity.claims_checks import CORRUPTIONS, at_clean, gains, slope
from experiments.low_capacity.claims_limits import (
    ABSOLUTE,
    DEFINITIONS,
    RELATIVE,
    advantage,
    difficulties,
    growth,
    limit,
)
from experiments.low_capacity.networks import ARMS, AS_RELEASED, CORRECTED, DIFFICULTY, DIFFICULTY_WIDTHS, LIMITS
from experiments.low_capacity.published import PAIRS
from experiments.low_capacity.saliency import BOTH_PERMUTED, LAST_PERMUTED, REPLICA, STEPS, UNTRAINED

RETRAINING, TICKETS = (judge(claims_limits.CLAIMS, *each) for each in (("limits", "With "), ("sparse_accuracy", "")))
ONE_SHOT = judge(claims_limits.CLAIMS, "limits", "Without")
ORDER, GROWTH = (judge(claims_limits.CLAIMS, figure) for figure in ("difficulty", "capacity_difficulty"))
REPLICAS, LEARNT = (judge(claims_checks.CLAIMS, "saliency_agreement", words) for words in ("pruned", "learnt"))
STEP, MATCHED, SPARED, LOST = (
    judge(claims_checks.CLAIMS, figure)
    for figure in ("forward_difference", "matched_robustness", "units", "information")
)
TO_CONVERGENCE = "holds only if the networks are trained to convergence"


def verdict(rule, table):
    return rule(table).verdict


# How sparse they can be.


@pytest.mark.parametrize(
    ("pruned", "expected"),
    [
        ([[0.99, 0.985, 0.98]], 0.9),
        ([[0.99, 0.9799, 0.97]], 0.5),
        ([[0.97, 0.99, 0.99]], 0.0),
        ([[0.99, 0.97, 0.99]], 0.5),
        ([[1.0, 1.0, 0.5]], 0.8),
        ([[0.99, np.nan, 0.99]], 0.5),
        ([[1.0, 0.99, 0.96], [0.98, 0.97, 0.99]], 0.8),
    ],
    ids=["tie", "below", "recovers late", "not monotone", "better than dense", "NaN", "mean over seeds"],
)
def test_the_limit_is_the_last_level_before_the_first_that_is_too_low(pruned, expected):
    pruned = np.array(pruned)
    assert limit(np.full(len(pruned), 0.99), pruned, (0.5, 0.8, 0.9)) == expected


def sparse(accuracy):
    """Networks that have accuracy(trial, method, level), 0.99 without pruning; h2 is not judged."""

    def result(trial):
        rows = [{"method": limits.DENSE, "level": 0.0, "accuracy": 0.99}]
        for method in (*limits.SCOPES, *(limits.RETRAINED if trial.levels else ())):
            for level in trial.levels if method in limits.RETRAINED else limits.ONE_SHOT_LEVELS:
                rows.append({"method": method, "level": level, "accuracy": accuracy(trial, method, level)})
        return {"rows": rows}

    return made_up(result, (2, 4, 12, 64), 2, ((1, 7), (4, 9)), LIMITS, levels=(0.8, 0.95, 0.98, 0.99))


def test_rule_of_95_percent_with_retraining():
    def judged(enough):
        return RETRAINING(sparse(lambda *each: 0.99 if enough(*each) else 0.9))

    # One method is enough, and h2 is not asked.
    one = judged(lambda t, method, level: method == limits.ITERATIVE and t.width > 2)
    assert one.verdict is Verdict.HOLDS
    assert "iterative, fine-tuned: 6 of 6, by seed 6.0 [6.0, 6.0] (n = 2)" in one.measured
    assert judged(lambda t, method, level: method in (limits.RANDOM, limits.NEW_WEIGHTS)).verdict is Verdict.FAILS
    # A limit of exactly 95 % is enough; what comes back above a level that is too low does not count.
    just = judged(lambda t, method, level: level <= 0.95)
    assert just.verdict is Verdict.HOLDS
    assert "iterative, rewound: 6 of 6, by seed 6.0 [6.0, 6.0] (n = 2)" in just.measured
    assert judged(lambda t, method, level: level != 0.8).verdict is Verdict.FAILS
    smallest = {limits.FINE_TUNED: 64, limits.REWOUND: 12}
    wide = judged(lambda t, method, level: t.width >= smallest.get(method, 100) or t.pair == (1, 7) or level < 0.95)
    assert str(wide) == "holds only if h >= 12 (iterative, rewound)"
    # A narrow network that reaches it below a wide one that does not is no condition.
    assert judged(lambda t, method, level: t.width < 64).verdict is Verdict.FAILS


@pytest.mark.parametrize(
    ("random", "new", "expected"),
    [
        (0.9, 0.9, "holds"),
        (0.9, 0.98, "holds only if compared with a random mask alone"),
        (0.98, 0.9, "holds only if compared with a rewound mask, new weights alone"),
        (0.99, 0.99, "does not hold"),
    ],
)
def test_rule_of_lottery_tickets(random, new, expected):
    def accuracy(t, method, level):
        if level < 0.95:
            return {limits.REWOUND: 0.5}.get(method, 0.9)
        return {limits.RANDOM: random, limits.NEW_WEIGHTS: new, limits.REWOUND: 0.98}.get(method, 0.0)

    assert str(TICKETS(sparse(accuracy))) == expected


def test_tickets_must_be_better_over_cells_and_not_in_one():
    lucky = sparse(
        lambda t, method, level: (
            0.9 + (0.05 if t.digits == "4v9" and t.width == 12 else -0.001) * (method == limits.REWOUND)
        )
    )
    assert verdict(TICKETS, lucky) is Verdict.FAILS
    np.testing.assert_allclose(advantage(lucky, limits.RANDOM)[3:], [-0.001, 0.05, -0.001])
    # Levels from 95 % on count.
    high = sparse(lambda t, method, level: 0.9 + 0.03 * (method == limits.REWOUND and level == 0.95))
    np.testing.assert_allclose(advantage(high, limits.RANDOM), [0.01] * 6)


@pytest.mark.parametrize(
    ("good", "expected"),
    [
        ({(arm, limits.GLOBAL) for arm in ARMS}, "holds"),
        ({(arm, limits.LAYERWISE) for arm in ARMS}, "holds"),
        ({(CORRECTED, limits.GLOBAL)}, "holds only if the networks are trained corrected"),
        ({(AS_RELEASED, limits.LAYERWISE), (CORRECTED, limits.LAYERWISE), (CORRECTED, limits.GLOBAL)}, "holds"),
        (set(), "does not hold"),
    ],
)
def test_rule_without_retraining(good, expected):
    judgement = ONE_SHOT(
        sparse(lambda t, m, level: 0.985 if (t.arm, m) in good or level <= 0.5 + 0.3 * (t.width == 64) else 0.9)
    )
    assert str(judgement) == expected
    if not good:
        assert "one-shot, global 50 % (1v7 h4) to 80 % (1v7 h64), median by seed 50.0" in judgement.measured[1]
    assert verdict(ONE_SHOT, sparse(lambda t, method, level: 0.99 if level <= 0.95 else 0.9)) is Verdict.HOLDS
    one_bad = sparse(lambda t, method, level: 0.9 if t.pair == (4, 9) and t.width == 12 else 0.99)
    assert verdict(ONE_SHOT, one_bad) is Verdict.FAILS


# How difficult the pairs are.

OTHERS = ((0, 2), (0, 3), (0, 4), (0, 5), (0, 6), (0, 7), (0, 8))


def place(pair):
    """Of a pair in an order in which the paper's come first, as it says."""
    return (*PAIRS, *OTHERS).index(pair)


def hard(error, f1=lambda trial: 0.95, pairs=(*OTHERS, *PAIRS), seeds=1):
    """Linear classifiers with error(arm, pair), a number or one a seed, and networks with an F1."""
    widths = sorted({0, *DIFFICULTY_WIDTHS[AS_RELEASED], *DIFFICULTY_WIDTHS[CORRECTED]})

    def result(trial):
        errors = np.broadcast_to(error(trial.arm, trial.pair), seeds)
        return {"judged": 1000, "accuracy": 1 - errors[trial.seed], "f1": f1(trial)}

    return made_up(result, widths, seeds, pairs, DIFFICULTY)


def by_place(arm, pair):
    return 0.01 * (1 + place(pair))


def wider(trial, arms=ARMS):
    """F1 of which the minimum width, by both definitions, grows with the place of the pair in these arms."""
    widths = DIFFICULTY_WIDTHS[trial.arm]
    return 0.95 if trial.width >= widths[len(widths) * place(trial.pair) // 12] or trial.arm not in arms else 0.5


@pytest.mark.parametrize(
    ("f1", "absolute", "relative"),
    [
        ((0.91, 0.92, 0.93, 0.95), 2, 24),
        ((0.90, 0.91, 0.91, 0.91), 4, 2),
        ((0.95, 0.89, 0.95, 0.95), 8, 8),
        ((0.979, 0.98, 0.99, 0.99), 2, 4),
        ((0.50, 0.60, 0.70, 0.85), np.inf, 24),
        ((0.95, 0.95, 0.95, np.nan), np.inf, np.inf),
    ],
    ids=["grows", "more than .90", "a dip", "a point exactly", "never", "diverged"],
)
def test_minimum_width(f1, absolute, relative):
    by_width = dict(zip(DIFFICULTY_WIDTHS[AS_RELEASED], f1, strict=True))
    (row,) = difficulties(hard(by_place, lambda t: by_width.get(t.width, 0.0), [(4, 9)])).where(arm=AS_RELEASED)
    assert (row[ABSOLUTE], row[RELATIVE]) == (absolute, relative)


def test_error_is_the_mean_over_seeds_and_its_interval_wilsons():
    table = difficulties(hard(lambda arm, pair: (0.0, 0.2), seeds=2))
    assert [row["pair"] for row in table.where(arm=CORRECTED)] == [*PAIRS, *OTHERS]
    np.testing.assert_allclose(table["error"], 0.1)
    # 100 of 1000, and 0: by the formula with z = 1.959964.
    np.testing.assert_allclose((table["low"][0], table["high"][0]), (0.0829099, 0.1201519), atol=1e-6)
    z = 1.959964**2
    np.testing.assert_allclose(claims_limits.wilson(0, 1000), (0, z / (1000 + z)), atol=1e-9)


def test_growth_over_pairs():
    for table, sign in ((hard(by_place, wider), 1), (hard(lambda arm, pair: 0.01 * (12 - place(pair)), wider), -1)):
        for arm, definition in itertools.product(ARMS, DEFINITIONS):
            value, bounds = growth(difficulties(table).where(arm=arm), definition)
            low, high = sorted(sign * bound for bound in bounds)
            assert 0.9 < sign * value < 1
            assert 0.8 < low < sign * value < high <= 1
    # 0 where all are equal; NaN where one is.
    for equal in (hard(by_place), hard(lambda arm, pair: 0.1, wider), hard(by_place, lambda t: 0.5)):
        assert growth(difficulties(equal).where(arm=CORRECTED), RELATIVE) == (0, (0, 0))
    unknown = hard(lambda arm, pair: np.nan if pair == (0, 8) else by_place(arm, pair), wider)
    value, bounds = growth(difficulties(unknown).where(arm=CORRECTED), RELATIVE)
    assert np.isnan([value, *bounds]).all()


def test_rule_of_the_order():
    judgement = ORDER(hard(by_place))
    assert judgement.verdict is Verdict.HOLDS
    assert judgement.measured[0] == "error of a linear classifier, rank among 12 pairs"
    assert judgement.measured[1].startswith("as released: 0v1 1.00 % [0.54, 1.83], rank 1, 1v7 2.00 %")
    assert verdict(ORDER, hard(lambda arm, pair: 0.01 * (12 - place(pair)))) is Verdict.FAILS
    swapped = hard(lambda arm, pair: 0.01 * (arm == AS_RELEASED or pair != (4, 9)) * (1 + place(pair)))
    assert str(ORDER(swapped)) == "holds only if the networks are trained as released, by 100 full-batch steps"
    tied = ORDER(hard(lambda arm, pair: 0.02 if pair in PAIRS[1:] else 0.01))
    assert tied.verdict is Verdict.FAILS
    assert "0v1 1.00 % [0.54, 1.83], rank 1, 1v7 2.00 % [1.30, 3.07], rank 9, 5v6" in tied.measured[1]
    assert verdict(ORDER, hard(by_place, pairs=PAIRS[:4])) is Verdict.OPEN


def test_rule_of_growing_capacity():
    assert verdict(GROWTH, hard(by_place, wider)) is Verdict.HOLDS
    assert str(GROWTH(hard(by_place, lambda t: wider(t, [CORRECTED])))) == TO_CONVERGENCE
    assert verdict(GROWTH, hard(lambda arm, pair: 0.01 * (12 - place(pair)), wider)) is Verdict.FAILS
    # Without much order: 0, 5, 10, 3, 8, 1, ...
    assert verdict(GROWTH, hard(lambda arm, pair: 0.01 * (5 * place(pair) % 12), wider)) is Verdict.FAILS
    assert verdict(GROWTH, hard(by_place, wider, PAIRS)) is Verdict.OPEN
    # The relative definition counts.
    assert verdict(GROWTH, hard(by_place, lambda t: wider(t) - 0.5)) is Verdict.HOLDS


# Our own checks.


def maps(seeds=3, **shares):
    """Shares of pixels by network: a number, or one a seed, in an arm or both."""
    usual = {
        "pruned": 0.6,
        "divided twice": 1.0,
        REPLICA: 0.4,
        LAST_PERMUTED: 0.1,
        BOTH_PERMUTED: 0.05,
        UNTRAINED: 0.05,
    }

    def result(trial):
        found = usual | shares.get(trial.arm.replace(" ", "_"), {}) | shares.get("both", {})
        each = {name: float(np.broadcast_to(value, seeds)[trial.seed]) for name, value in found.items()}
        return {"saliency": [{"other": name, "overlap": share} for name, share in each.items()]}

    return made_up(result, seeds=seeds)


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({}, Verdict.HOLDS),
        ({"both": {"pruned": 0.4}}, Verdict.HOLDS),
        # Less in the mean, but not in every seed.
        ({"both": {"pruned": [0.2, 0.2, 0.41]}}, Verdict.HOLDS),
        ({"both": {"pruned": [0.2, 0.2, 0.39]}}, Verdict.CONDITIONAL),
        ({"as_released": {"pruned": 0.3}}, Verdict.CONDITIONAL),
        # As near as a network trained anew, but no nearer than one with permuted weights.
        ({"both": {BOTH_PERMUTED: [0.6, 0.0, 0.0]}}, Verdict.CONDITIONAL),
        ({"both": {"pruned": 0.3, "divided twice": 0.3}}, Verdict.FAILS),
        ({"seeds": 1}, Verdict.OPEN),
    ],
)
def test_rule_of_being_as_near_as_a_network_trained_anew(shares, expected):
    assert verdict(REPLICAS, maps(**shares)) is expected


def test_the_difference_to_a_network_trained_anew_is_paired():
    (_, text, _) = REPLICAS(maps(both={"pruned": [0.5, 0.6, 0.7], REPLICA: [0.4, 0.5, 0.6]})).measured
    assert text.count("less trained anew 0.10 [0.10, 0.10] (n = 3)") == 2


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        ({}, "holds"),
        ({"as_released": {REPLICA: 0.05}}, TO_CONVERGENCE),
        ({"both": {BOTH_PERMUTED: 0.4}}, "does not hold"),
        ({"both": {LAST_PERMUTED: 0.5, UNTRAINED: 0.5}}, "holds"),
        ({"seeds": 2}, "holds"),
        ({"seeds": 1}, "cannot be judged by so small a run"),
    ],
)
def test_rule_of_showing_what_was_learnt(shares, expected):
    assert str(LEARNT(maps(**shares))) == expected


def test_slopes_by_hand():
    def found(errors):
        return slope([{"step": step, "error": error} for step, error in errors.items()])

    assert found({0.1: 0.1, 0.01: 0.01, 0.001: 0.001}) == pytest.approx(1)
    # The least error is at 0.001, so 0.01 is the smallest step that counts, and a point further down does not.
    assert found({0.1: 0.1, 0.01: 0.05, 0.001: 0.01, 0.0001: 5.0}) == pytest.approx(math.log10(2))
    assert math.isnan(found({0.1: 0.1, 0.01: 0.05}))
    assert math.isnan(found({0.1: 0.1, 0.01: math.nan, 0.001: 0.1}))


@pytest.mark.parametrize(
    ("power", "expected"),
    [
        (lambda trial: 0.81, "holds"),
        (lambda trial: 0.79, "does not hold"),
        (lambda trial: 1 + 0.5 * (trial.arm == AS_RELEASED), TO_CONVERGENCE),
        (lambda trial: 1 + 0.25 * (trial.seed == 0), "holds"),
        (lambda trial: math.nan, "does not hold"),
    ],
)
def test_rule_of_the_forward_difference(power, expected):
    def result(trial):
        return {"forward_difference": [{"step": step, "error": step ** power(trial)} for step in STEPS]}

    assert str(STEP(made_up(result))) == expected


def test_corrupted_accuracy_at_the_first_crossing():
    followed = [{"clean": c, "noise": d} for c, d in ((0.5, 0.1), (0.9, 0.5), (0.6, 0.2), (0.95, 0.9))]
    assert at_clean(followed, 0.7, "noise") == pytest.approx(0.3)
    assert at_clean(followed, 0.9, "noise") == 0.5
    assert at_clean(followed, 0.92, "noise") == pytest.approx(0.2 + 0.7 * 0.32 / 0.35)
    assert at_clean(followed, 0.5, "noise") == 0.1
    assert math.isnan(at_clean(followed, 0.4, "noise"))
    assert math.isnan(at_clean(followed, 0.96, "noise"))


def followed(gain, seeds=3):
    """h64 is more accurate after training, and gains as given under each corruption at the same clean accuracy."""

    def result(trial):
        wide = trial.width == 64
        return {
            "trajectory": [
                {"clean": clean}
                | {name: clean - 0.1 + gain(trial.arm, trial.seed, name) * wide for name in CORRUPTIONS}
                for clean in (0.5, 0.8, 0.95 if wide else 0.9)
            ]
        }

    return made_up(result, (24, 64), seeds)


def test_rule_of_matched_robustness():
    assert verdict(MATCHED, followed(lambda arm, seed, name: 0.01)) is Verdict.HOLDS
    # After training h64 is more accurate under every corruption, but only as much as on clean images.
    assert verdict(MATCHED, followed(lambda arm, seed, name: 0.0)) is Verdict.FAILS
    assert str(MATCHED(followed(lambda arm, seed, name: 0.01 * (arm == CORRECTED)))) == TO_CONVERGENCE
    assert verdict(MATCHED, followed(lambda arm, seed, name: 0.01 * (name != "occlusion 7"))) is Verdict.FAILS
    assert verdict(MATCHED, followed(lambda arm, seed, name: 0.1 * (seed > 0) - 0.01)) is Verdict.FAILS
    assert verdict(MATCHED, followed(lambda arm, seed, name: 0.01, seeds=1)) is Verdict.OPEN
    table = followed(lambda arm, seed, name: 0.01 * seed).where(arm=CORRECTED)
    after, matched, levels = gains(table, "gaussian noise 0.3")
    np.testing.assert_allclose(matched, [0, 0.01, 0.02], atol=1e-12)
    np.testing.assert_allclose(after, [0.05, 0.06, 0.07])
    np.testing.assert_array_equal(levels, 0.9)


def test_rule_of_the_units_that_are_spared():
    def judged(correlation, seeds=3):
        return SPARED(made_up(lambda t: {"spared": {"incoming": correlation(t), "outgoing": 0.25}}, seeds=seeds))

    assert judged(lambda t: 0.1).verdict is Verdict.HOLDS
    assert judged(lambda t: 0.1 - 0.2 * (t.seed == 1)).verdict is Verdict.FAILS
    assert judged(lambda t: 0.1 * (t.arm == AS_RELEASED)).verdict is Verdict.CONDITIONAL
    assert judged(lambda t: 0.1, seeds=1).verdict is Verdict.OPEN
    assert judged(lambda t: math.nan).verdict is Verdict.FAILS
    # The mean over five pairs counts.
    mean = judged(lambda t: 0.9 if t.pair == (4, 9) else -0.2)
    assert mean.verdict is Verdict.HOLDS
    assert "corrected: 0.02 [0.02, 0.02] (n = 3), with the size of the weight to the output 0.25" in mean.measured[2]


def test_rule_of_the_information_that_is_lost():
    def judged(left, seeds=3):
        def result(trial):
            rows = [(0.0, 0.8, 0.6), (0.95, 0.8 * left(trial), 0.3)]
            return {"information": [{"level": level, "output": o, "largest": most} for level, o, most in rows]}

        return LOST(made_up(result, seeds=seeds))

    assert judged(lambda t: 0.49).verdict is Verdict.HOLDS
    assert judged(lambda t: 0.51).verdict is Verdict.FAILS
    assert judged(lambda t: 0.51 - 0.3 * (t.seed > 0)).verdict is Verdict.FAILS
    assert str(judged(lambda t: 0.6 - 0.2 * (t.arm == CORRECTED))) == TO_CONVERGENCE
    assert judged(lambda t: 0.49, seeds=1).verdict is Verdict.OPEN
    assert (
        "0.80 [0.80, 0.80] (n = 3) -> 0.40 [0.40, 0.40] (n = 3) bit, a share of 0.50"
        in judged(lambda t: 0.5).measured[0]
    )
