"""Claims: the verdict comes from the rule, and the tables can be read."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.claims import (
    FEWEST_PAIRS,
    Claim,
    Judgement,
    Verdict,
    deviation,
    grouped,
    interval,
    judge_all,
    markdown,
    sign_test,
    spread,
    terminal,
)
from npnet.errors import ArgumentError


def judge(results):
    fails = [h for h, f1 in results.items() if f1 < 0.9]
    if not fails:
        return Judgement("all above", Verdict.HOLDS)
    if len(fails) == len(results):
        return Judgement("none above", Verdict.FAILS)
    return Judgement(f"{len(fails)} below", Verdict.CONDITIONAL, f"h > {max(fails)}")


CLAIM = Claim("Small nets |learn|\n4v9.", "F1 > 0.9", "mean F1 > 0.9 at all h", judge, "capacity.png")
LONG = Claim("word " * 40, "1e-3 " * 30, "rule", judge, "long.png")


@pytest.mark.parametrize(
    ("results", "verdict"),
    [({2: 0.95, 4: 0.99}, "holds"), ({2: 0.5}, "does not hold"), ({2: 0.5, 4: 0.99}, "holds only if h > 2")],
)
def test_the_rule_gives_the_verdict(results, verdict):
    assert [str(judgement) for judgement in judge_all([CLAIM, LONG], results)] == [verdict, verdict]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_condition_goes_with_its_verdict(verdict):
    conditional = verdict is Verdict.CONDITIONAL
    Judgement("x", verdict, "h > 2" if conditional else "")
    with pytest.raises(ArgumentError, match=rf"^condition is .* with the verdict '{verdict.value}', expected a cond"):
        Judgement("x", verdict, "" if conditional else "h > 2")


def test_markdown():
    assert markdown([CLAIM], judge_all([CLAIM], {2: 0.5, 4: 0.99})) == (
        "## Claims\n\n"
        "|  | claim | published | ours | rule | verdict | figure |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        r"| 1 | Small nets \|learn\| 4v9. | F1 > 0.9 | 1 below | mean F1 > 0.9 at all h | **holds only if h > 2** "
        "| [capacity.png](figures/capacity.png) |\n"
    )


def test_terminal():
    assert terminal([CLAIM], judge_all([CLAIM], {2: 0.5, 4: 0.99})) == (
        "Claims\n------\n\n"
        "1. Small nets |learn| 4v9.\n"
        "   published  F1 > 0.9\n"
        "   ours       1 below\n"
        "   rule       mean F1 > 0.9 at all h\n"
        "   verdict    holds only if h > 2\n"
        "   figure     figures/capacity.png\n"
    )


def test_a_claim_with_two_figures():
    claim = dataclasses.replace(CLAIM, also=("curves.png",))
    assert (CLAIM.figures, claim.figures) == (("capacity.png",), ("capacity.png", "curves.png"))
    judgements = judge_all([claim], {2: 0.5})
    assert "\n   figure     figures/capacity.png, figures/curves.png\n" in terminal([claim], judgements)
    assert " | [capacity.png](figures/capacity.png), [curves.png](figures/curves.png) |\n" in markdown(
        [claim], judgements
    )


@pytest.mark.parametrize("width", [100, 60])
def test_terminal_wraps(width):
    text = terminal([CLAIM, LONG], judge_all([CLAIM, LONG], {2: 0.5}), width)
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "" in lines  # between two claims
    start = lines.index("", 3) + 1
    assert lines[start].startswith("2. word ")
    assert lines[start + 1].startswith("   word ")
    assert "".join(f"{line[3:]} " for line in lines[start:] if "word" in line) == "word " * 40


def test_terminal_is_100_columns_wide():
    lines = terminal([LONG], judge_all([LONG], {2: 0.5})).splitlines()
    assert lines == terminal([LONG], judge_all([LONG], {2: 0.5}), 100).splitlines()
    assert max(map(len, lines)) > 90


@pytest.mark.parametrize("table", [markdown, terminal])
def test_each_claim_needs_its_judgement(table):
    with pytest.raises(ValueError, match="zip"):
        table([CLAIM, LONG], judge_all([CLAIM], {2: 0.5}))


def test_groups_have_headings_and_one_count():
    claims = [CLAIM, dataclasses.replace(LONG, group="Ours"), dataclasses.replace(CLAIM, group="Ours")]
    judgements = judge_all(claims, {2: 0.5})
    found = [(heading, [number for number, _, _ in each]) for heading, each in grouped(claims, judgements)]
    assert found == [("Claims", [1]), ("Ours", [2, 3])]
    assert terminal(claims, judgements).count("Ours\n----\n\n2. word") == 1
    assert markdown(claims, judgements).count("## Ours\n") == 1


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ([0.25], "0.250 (n = 1)"),
        ([1.0, 2.0, 3.0], "2.000 [1.000, 3.000] (n = 3)"),
        ([0.0, 1.0], "0.500 [0.000, 1.000] (n = 2)"),
        ([1.0, math.nan], "nan [nan, nan] (n = 2)"),
        ([math.nan], "nan (n = 1)"),
    ],
)
def test_spread(values, text):
    assert spread(values) == text


def test_interval_of_many_values_is_the_normal_one():
    values = np.random.default_rng(0).normal(5, 2, 400)
    half = 1.96 * values.std() / 20
    assert interval(values) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=12))
def test_interval_lies_within_the_values_and_moves_with_them(values):
    low, high = interval(values)
    assert min(values) - 1e-9 <= low <= high <= max(values) + 1e-9
    assert interval(values) == (low, high)
    assert interval(np.array(values) + 8) == pytest.approx((low + 8, high + 8), abs=1e-9)


def test_one_seed_says_nothing_of_the_spread():
    assert interval([3.0]) == (-math.inf, math.inf)


def test_interval_of_another_statistic():
    samples = np.array([[0, 10], [1, 11], [2, 12], [3, 13]])
    low, high = interval(samples, lambda resamples: (resamples[..., 1] - resamples[..., 0]).max(axis=1))
    assert (low, high) == (10, 10)
    assert interval(samples, lambda resamples: resamples[..., 0].max(axis=1))[1] == 3


def test_deviation():
    assert deviation([1.0, 2.0, 3.0]) == 1.0
    assert deviation([5.0]) == 0.0


def test_spread_of_other_digits():
    assert spread([1.0, 2.0, 3.0], digits=1) == "2.0 [1.0, 3.0] (n = 3)"
    assert spread([1.26], digits=1) == "1.3 (n = 1)"


def test_spread_of_nothing():
    with pytest.raises(ArgumentError, match=r"^values is empty, expected one number per seed$"):
        spread([])


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([1, 1, 1, 1, 1, 1], (6, 6, 2 / 64)),
        ([-1, -2, -3], (0, 3, 2 / 8)),
        ([1, 1, 1, -1], (3, 4, 2 * 5 / 16)),
        ([1, -1], (1, 2, 1.0)),
        ([0, 0, 5, np.nan], (1, 1, 1.0)),
        ([], (0, 0, 1.0)),
    ],
)
def test_the_sign_test_is_exact(differences, expected):
    assert sign_test(np.array(differences, dtype=float)) == expected


def test_a_sign_test_in_words():
    assert str(sign_test(np.array([1.0] * 6))) == "6 of 6 (p = 0.031)"


def test_significantly_more_than_half_go_up():
    up, down = np.ones(FEWEST_PAIRS), -np.ones(FEWEST_PAIRS)
    assert sign_test(up).upwards
    assert not sign_test(down).upwards
    assert not sign_test(up[1:]).upwards
    assert not sign_test(np.concatenate([up, down])).upwards
