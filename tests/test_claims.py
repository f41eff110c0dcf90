"""Claims: the verdict comes from the rule, and the tables can be read."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.claims import Claim, Judgement, Verdict, grouped, judged, markdown, terminal, verdict
from npnet.errors import ArgumentError

SOME = Judgement(("h2: 0.5", "h4: 0.99"), Verdict.CONDITIONAL, "h > 2")
CLAIM = Claim(
    statement="Small nets |learn|\n4v9.",
    published="F1 > 0.9",
    rule="mean F1 > 0.9 at all h",
    judge=lambda found: found,
    figures=("capacity",),
)
LONG = dataclasses.replace(CLAIM, statement="word " * 40, published="1e-3 " * 30, figures=("long",))


# Judgements.


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_condition_goes_with_its_verdict(verdict):
    conditional = verdict is Verdict.CONDITIONAL
    assert str(Judgement(("x",), verdict, "h > 2" * conditional)) == f"{verdict.value}{' h > 2' * conditional}"
    with pytest.raises(ArgumentError, match=rf"^condition is .* with the verdict '{verdict.value}', expected a cond"):
        Judgement(("x",), verdict, "h > 2" * (not conditional))


def test_what_was_measured_is_no_single_text():
    with pytest.raises(ArgumentError, match=r"^measured is '0\.5; 0\.6', expected a tuple of texts, one for each case"):
        Judgement("0.5; 0.6", Verdict.HOLDS)


CASES = st.dictionaries(st.text("ab", min_size=1), st.tuples(st.text("xy", min_size=1), st.booleans()))


@given(CASES, st.sampled_from(["", "with {}"]), st.sampled_from(["", "about"]), st.booleans())
def test_a_verdict_follows_from_the_cases(found, only_if, about, few):
    judgement = verdict(found, only_if, about=about, few=few)
    assert judgement.measured == (*[about] * bool(about), *(f"{case}: {text}" for case, (text, _) in found.items()))
    true = [case for case, (_, as_claimed) in found.items() if as_claimed]
    assert (judgement.verdict is Verdict.OPEN) == (few or not found)
    if few or not found:
        return
    assert (judgement.verdict is Verdict.HOLDS) == (len(true) == len(found))
    some = 0 < len(true) < len(found) and only_if != ""
    assert (judgement.verdict is Verdict.CONDITIONAL) == some
    assert judgement.condition == (f"with {' or '.join(true)}" if some else "")


@pytest.mark.parametrize(
    ("as_claimed", "text"),
    [
        ((True, True, False), "holds only if it is corrected"),
        ((False, True, True), "holds only if h > 4"),
        ((False, False, True), "does not hold"),
        ((False, False, False), "does not hold"),
    ],
)
def test_of_words_for_each_case_those_of_the_first_true_one_are_taken(as_claimed, text):
    found = {case: ("0.5", true) for case, true in zip(("published", "wide", "deep"), as_claimed, strict=True)}
    assert str(verdict(found, {"wide": "h > 4", "published": "it is corrected"})) == text


def test_a_case_without_a_name():
    assert verdict({"": ("0.5", True)}) == Judgement(("0.5",), Verdict.HOLDS)


# Tables of claims.


@given(st.lists(st.sampled_from([CLAIM, LONG, dataclasses.replace(CLAIM, group="Ours")]), max_size=4))
def test_each_claim_is_judged_by_its_rule_and_numbered(claims):
    found = judged(claims, SOME)
    assert [tuple(each) for each in found] == [(number, claim, SOME) for number, claim in enumerate(claims, 1)]
    assert [each for _, group in grouped(found) for each in group] == found
    assert [heading for heading, _ in grouped(found)] == [
        claim.group for k, claim in enumerate(claims) if not k or claims[k - 1].group != claim.group
    ]


def test_markdown():
    assert markdown(judged([CLAIM], SOME)) == (
        "## Claims\n\n"
        "|  | claim | published | ours | rule | verdict | figure |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
        r"| 1 | Small nets \|learn\| 4v9. | F1 > 0.9 | h2: 0.5<br>h4: 0.99 | mean F1 > 0.9 at all h "
        "| **holds only if h > 2** | [capacity](figures/capacity.png) |\n"
    )


def test_terminal():
    assert terminal(judged([CLAIM], SOME)) == (
        "Claims\n------\n\n"
        "1. Small nets |learn| 4v9.\n"
        "   published  F1 > 0.9\n"
        "   ours       h2: 0.5\n"
        "              h4: 0.99\n"
        "   rule       mean F1 > 0.9 at all h\n"
        "   verdict    holds only if h > 2\n"
        "   figure     figures/capacity.png\n"
    )


def test_a_claim_with_two_figures():
    found = judged([dataclasses.replace(CLAIM, figures=("capacity", "curves"))], SOME)
    assert "\n   figure     figures/capacity.png, figures/curves.png\n" in terminal(found)
    assert " | [capacity](figures/capacity.png), [curves](figures/curves.png) |\n" in markdown(found)


@pytest.mark.parametrize("width", [100, 60])
def test_terminal_wraps(width):
    found = judged([CLAIM, LONG], SOME)
    lines = terminal(found, width).splitlines()
    assert width - 10 < max(map(len, lines)) <= width
    start = lines.index("", 3) + 1  # between two claims
    assert lines[start].startswith("2. word ")
    assert lines[start + 1].startswith("   word ")
    assert "".join(f"{line[3:]} " for line in lines[start:] if "word" in line) == "word " * 40
    assert (terminal(found) == terminal(found, width)) == (width == 100)


def test_groups_have_headings():
    found = judged([CLAIM, *[dataclasses.replace(LONG, group="Ours")] * 2], SOME)
    assert terminal(found).count("Ours\n----\n\n2. word") == markdown(found).count("## Ours\n") == 1
