"""The rules of what the paper does not ask: limits of sparsity, difficulty, and our own checks, on made-up results."""

import math

import numpy as np
import pytest
from made_up import FAILS, HOLDS, ONLY_AS_RELEASED, ONLY_CONVERGED, ONLY_DIVIDED_TWICE, OPEN, judge, made_up

from experiments.low_capacity import claims_checks, claims_limits, limits
from experiments.low_capacity.claims_checks import CORRUPTIONS, at_clean, slope
from experiments.low_capacity.claims_limits import DEFINITIONS, RELATIVE, difficulties, growth, limit
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


# How sparse they can be.


@pytest.mark.parametrize(
    ("pruned", "expected"),
    [
        ([[0.99, 0.985, 0.98]], 0.9),
        ([[0.99, 0.9799, 0.97]], 0.5),
        ([[0.97, 0.99, 0.99]], 0.0),
        ([[1.0, 1.0, 0.5]], 0.8),
        ([[0.99, np.nan, 0.99]], 0.5),
        ([[1.0, 0.99, 0.96], [0.98, 0.97, 0.99]], 0.8),
    ],
    ids=["tie", "below", "recovers late", "better than dense", "NaN", "mean over seeds"],
)
def test_the_limit_is_the_last_level_before_the_first_that_is_too_low(pruned, expected):
    pruned = np.array(pruned)
    assert limit(np.full(len(pruned), 0.99), pruned, (0.5, 0.8, 0.9)) == expected


# The smallest width of which all reach 95 %, by methods of retraining.
SMALLEST = {limits.FINE_TUNED: 64, limits.REWOUND: 12}
ONLY_WIDE = "holds only if h >= 12 (iterative, rewound)"
ONLY_CORRECTED = "holds only if the networks are trained corrected"


def sparse(accuracy):
    """Networks that have accuracy(trial, method, level), 0.99 without pruning; h2 is not judged."""

    def result(trial):
        rows = [{"method": limits.DENSE, "level": 0.0, "accuracy": 0.99}]
        for method in (*limits.SCOPES, *(limits.RETRAINED if trial.levels else ())):
            for level in trial.levels if method in limits.RETRAINED else limits.ONE_SHOT_LEVELS:
                rows.append({"method": method, "level": level, "accuracy": accuracy(trial, method, level)})
        return {"rows": rows}

    return made_up(result, (2, 4, 12, 64), 2, ((1, 7), (4, 9)), LIMITS, levels=(0.8, 0.95, 0.98, 0.99))


@pytest.mark.parametrize(
    ("rule", "enough", "expected"),
    [
        # One method is enough, and h2 is not asked.
        (RETRAINING, lambda t, method, level: method == limits.ITERATIVE and t.width > 2, HOLDS),
        (RETRAINING, lambda t, method, level: method in (limits.RANDOM, limits.NEW_WEIGHTS), FAILS),
        # A limit of exactly 95 % is enough; what comes back above a level that is too low does not count.
        (RETRAINING, lambda t, method, level: level <= 0.95, HOLDS),
        (RETRAINING, lambda t, method, level: level != 0.8, FAILS),
        (RETRAINING, lambda t, method, level: t.width >= SMALLEST.get(method, 100) or t.pair == (1, 7), ONLY_WIDE),
        # A narrow network that reaches it below a wide one that does not is no condition.
        (RETRAINING, lambda t, method, level: t.width < 64, FAILS),
        (ONE_SHOT, lambda t, method, level: method == limits.GLOBAL and level <= 0.95, HOLDS),
        (ONE_SHOT, lambda t, method, level: method == limits.LAYERWISE or t.arm == CORRECTED, HOLDS),
        (ONE_SHOT, lambda t, method, level: method == limits.GLOBAL and t.arm == CORRECTED, ONLY_CORRECTED),
        (ONE_SHOT, lambda t, method, level: level < 0.95, FAILS),
        (ONE_SHOT, lambda t, method, level: t.pair == (1, 7) or t.width != 12, FAILS),
    ],
)
def test_rules_of_95_percent(rule, enough, expected):
    assert str(rule(sparse(lambda *each: 0.985 if enough(*each) else 0.9))) == expected


@pytest.mark.parametrize(
    ("random", "new", "expected"),
    [
        (0.9, 0.9, HOLDS),
        (0.9, 0.98, "holds only if compared with a random mask alone"),
        (0.98, 0.9, "holds only if compared with a rewound mask, new weights alone"),
        (0.99, 0.99, FAILS),
    ],
)
def test_rule_of_lottery_tickets(random, new, expected):
    def accuracy(t, method, level):
        if level < 0.95:
            return {limits.REWOUND: 0.5}.get(method, 0.9)
        return {limits.RANDOM: random, limits.NEW_WEIGHTS: new, limits.REWOUND: 0.98}.get(method, 0.0)

    assert str(TICKETS(sparse(accuracy))) == expected


def test_tickets_must_be_better_over_cells_and_not_in_one():
    def lucky(t, method, level):
        return 0.9 + (0.05 if t.digits == "4v9" and t.width == 12 else -0.001) * (method == limits.REWOUND)

    assert str(TICKETS(sparse(lucky))) == FAILS


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


def backwards(arm, pair):
    return 0.01 * (12 - place(pair))


def wider(trial, arms=ARMS):
    """F1 of which the minimum width, by both definitions, grows with the place of the pair in these arms."""
    widths = DIFFICULTY_WIDTHS[trial.arm]
    return 0.95 if trial.width >= widths[len(widths) * place(trial.pair) // 12] or trial.arm not in arms else 0.5


@pytest.mark.parametrize(
    ("f1", "absolute", "relative"),
    [
        ((0.91, 0.92, 0.93, 0.95), 2, 24),
        ((0.90, 0.91, 0.91, 0.91), 4, 2),
        ((0.979, 0.98, 0.99, 0.99), 2, 4),
        ((0.95, 0.95, 0.95, np.nan), np.inf, np.inf),
    ],
    ids=["grows", "more than .90", "a point exactly", "diverged"],
)
def test_minimum_width(f1, absolute, relative):
    by_width = dict(zip(DIFFICULTY_WIDTHS[AS_RELEASED], f1, strict=True))
    (row,) = difficulties(hard(by_place, lambda t: by_width.get(t.width, 0.0), [(4, 9)])).where(arm=AS_RELEASED)
    assert tuple(row[each] for each in DEFINITIONS) == (absolute, relative)


def test_error_is_the_mean_over_seeds_and_its_interval_wilsons():
    table = difficulties(hard(lambda arm, pair: (0.0, 0.2), seeds=2))
    assert [row["pair"] for row in table.where(arm=CORRECTED)] == [*PAIRS, *OTHERS]
    np.testing.assert_allclose(table["error"], 0.1)
    # 100 of 1000, and 0: by the formula with z = 1.959964.
    np.testing.assert_allclose((table["low"][0], table["high"][0]), (0.0829099, 0.1201519), atol=1e-6)
    z = 1.959964**2
    np.testing.assert_allclose(claims_limits.wilson(0, 1000), (0, z / (1000 + z)), atol=1e-9)


def test_growth_over_pairs():
    value, (low, high) = growth(difficulties(hard(by_place, wider)).where(arm=CORRECTED), RELATIVE)
    assert 0.8 < low < value < high <= 1
    # 0 where all are equal; NaN where one is.
    for equal in (hard(by_place), hard(lambda arm, pair: 0.1, wider), hard(by_place, lambda t: 0.5)):
        assert growth(difficulties(equal).where(arm=CORRECTED), RELATIVE) == (0, (0, 0))
    unknown = hard(lambda arm, pair: np.nan if pair == (0, 8) else by_place(arm, pair), wider)
    value, bounds = growth(difficulties(unknown).where(arm=CORRECTED), RELATIVE)
    assert np.isnan([value, *bounds]).all()


@pytest.mark.parametrize(
    ("rule", "error", "f1", "expected"),
    [
        (ORDER, by_place, wider, HOLDS),
        (ORDER, backwards, wider, FAILS),
        (ORDER, lambda arm, pair: by_place(arm, pair) * (arm == AS_RELEASED or pair[0] != 4), wider, ONLY_AS_RELEASED),
        (ORDER, lambda arm, pair: 0.02 if pair in PAIRS[1:] else 0.01, wider, FAILS),
        (GROWTH, by_place, wider, HOLDS),
        (GROWTH, by_place, lambda t: wider(t, [CORRECTED]), ONLY_CONVERGED),
        (GROWTH, backwards, wider, FAILS),
        # Without much order: 0, 5, 10, 3, 8, 1, ...
        (GROWTH, lambda arm, pair: 0.01 * (5 * place(pair) % 12), wider, FAILS),
        # The relative definition counts.
        (GROWTH, by_place, lambda t: wider(t) - 0.5, HOLDS),
    ],
)
def test_rules_of_difficulty(rule, error, f1, expected):
    assert str(rule(hard(error, f1))) == expected


def test_fewer_pairs_than_that_are_too_few():
    assert str(ORDER(hard(by_place, pairs=PAIRS[:4]))) == OPEN
    assert str(GROWTH(hard(by_place, wider, PAIRS))) == OPEN


# Our own checks.


def maps(seeds=3, **shares):
    """Shares of pixels by network: a number, or one a seed, in an arm or both."""
    usual = {"pruned": 0.6, "divided twice": 1.0, REPLICA: 0.4}
    usual |= {LAST_PERMUTED: 0.1, BOTH_PERMUTED: 0.05, UNTRAINED: 0.05}

    def result(trial):
        found = usual | shares.get(trial.arm.replace(" ", "_"), {}) | shares.get("both", {})
        each = {name: float(np.broadcast_to(value, seeds)[trial.seed]) for name, value in found.items()}
        return {"saliency": [{"other": name, "overlap": share} for name, share in each.items()]}

    return made_up(result, seeds=seeds)


@pytest.mark.parametrize(
    ("rule", "shares", "expected"),
    [
        (REPLICAS, {}, HOLDS),
        # Less in the mean, but not in every seed.
        (REPLICAS, {"both": {"pruned": [0.2, 0.2, 0.41]}}, HOLDS),
        (REPLICAS, {"both": {"pruned": [0.2, 0.2, 0.39]}}, ONLY_DIVIDED_TWICE),
        # The difference is of the same seed.
        (REPLICAS, {"both": {"pruned": [0.2, 0.4, 0.6], REPLICA: [0.21, 0.41, 0.61]}}, ONLY_DIVIDED_TWICE),
        (REPLICAS, {"as_released": {"pruned": 0.3}}, ONLY_DIVIDED_TWICE),
        # As near as a network trained anew, but no nearer than one with permuted weights.
        (REPLICAS, {"both": {BOTH_PERMUTED: [0.6, 0.0, 0.0]}}, ONLY_DIVIDED_TWICE),
        (REPLICAS, {"both": {"pruned": 0.3, "divided twice": 0.3}}, FAILS),
        (REPLICAS, {"seeds": 1}, OPEN),
        (LEARNT, {}, HOLDS),
        (LEARNT, {"as_released": {REPLICA: 0.05}}, ONLY_CONVERGED),
        (LEARNT, {"both": {BOTH_PERMUTED: 0.4}}, FAILS),
        (LEARNT, {"both": {LAST_PERMUTED: 0.5, UNTRAINED: 0.5}}, HOLDS),
        (LEARNT, {"seeds": 1}, OPEN),
    ],
)
def test_rules_of_maps(rule, shares, expected):
    assert str(rule(maps(**shares))) == expected


def test_slopes_by_hand():
    def found(errors):
        return slope([{"step": step, "error": error} for step, error in errors.items()])

    assert found({0.1: 0.1, 0.01: 0.01, 0.001: 0.001}) == pytest.approx(1)
    # The least error is at 0.001, so 0.01 is the smallest step that counts, and a point further down does not.
    assert found({0.1: 0.1, 0.01: 0.05, 0.001: 0.01, 0.0001: 5.0}) == pytest.approx(math.log10(2))
    assert math.isnan(found({0.1: 0.1, 0.01: 0.05}))
    assert math.isnan(found({0.1: 0.1, 0.01: math.nan, 0.001: 0.1}))


def test_corrupted_accuracy_at_the_first_crossing():
    followed = [{"clean": c, "noise": d} for c, d in ((0.5, 0.1), (0.9, 0.5), (0.6, 0.2), (0.95, 0.9))]
    for clean, expected in ((0.7, 0.3), (0.9, 0.5), (0.92, 0.2 + 0.7 * 0.32 / 0.35), (0.5, 0.1)):
        assert at_clean(followed, clean, "noise") == pytest.approx(expected)
    assert math.isnan(at_clean(followed, 0.4, "noise"))
    assert math.isnan(at_clean(followed, 0.96, "noise"))


def errors(power):
    """Networks whose forward difference has an error of that power of its step."""
    return lambda trial: {"forward_difference": [{"step": step, "error": step ** power(trial)} for step in STEPS]}


def followed(gain):
    """h64 is more accurate after training, and gains as given under each corruption at the same clean accuracy."""

    def result(trial):
        wide = trial.width == 64
        return {
            "trajectory": [
                {"clean": clean} | {name: clean - 0.1 + gain(trial, name) * wide for name in CORRUPTIONS}
                for clean in (0.5, 0.8, 0.95 if wide else 0.9)
            ]
        }

    return result


def spared(correlation):
    return lambda trial: {"spared": {"incoming": correlation(trial), "outgoing": 0.25}}


def left(share):
    """Networks of whose output's information that share is left."""

    def result(trial):
        rows = [(0.0, 0.8, 0.6), (0.95, 0.8 * share(trial), 0.3)]
        return {"information": [{"level": level, "output": o, "largest": most} for level, o, most in rows]}

    return result


@pytest.mark.parametrize(
    ("rule", "result", "expected"),
    [
        (STEP, errors(lambda t: 0.81), HOLDS),
        (STEP, errors(lambda t: 0.79), FAILS),
        (STEP, errors(lambda t: 1 + 0.25 * (t.seed == 0)), HOLDS),
        (STEP, errors(lambda t: math.nan), FAILS),
        (MATCHED, followed(lambda t, name: 0.01), HOLDS),
        # After training h64 is more accurate under every corruption, but only as much as on clean images.
        (MATCHED, followed(lambda t, name: 0.0), FAILS),
        (MATCHED, followed(lambda t, name: 0.01 * (t.arm == CORRECTED)), ONLY_CONVERGED),
        (MATCHED, followed(lambda t, name: 0.01 * (name != "occlusion 7")), FAILS),
        (MATCHED, followed(lambda t, name: 0.1 * (t.seed > 0) - 0.01), FAILS),
        (SPARED, spared(lambda t: 0.1), HOLDS),
        (SPARED, spared(lambda t: 0.1 - 0.2 * (t.seed == 1)), FAILS),
        (SPARED, spared(lambda t: math.nan), FAILS),
        # The mean over five pairs counts.
        (SPARED, spared(lambda t: 0.9 if t.pair == (4, 9) else -0.2), HOLDS),
        (LOST, left(lambda t: 0.49), HOLDS),
        (LOST, left(lambda t: 0.51), FAILS),
        (LOST, left(lambda t: 0.51 - 0.3 * (t.seed > 0)), FAILS),
        (LOST, left(lambda t: 0.6 - 0.2 * (t.arm == CORRECTED)), ONLY_CONVERGED),
    ],
)
def test_rules_of_our_checks(rule, result, expected):
    assert str(rule(made_up(result, (24, 64)))) == expected
    if rule is not STEP:
        assert str(rule(made_up(result, (24, 64), seeds=1))) == OPEN
