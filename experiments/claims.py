"""What a paper claims, what we measured, and a verdict that a rule computes.

The rule is written in the study's code before the numbers are seen, once in words for the reader and once as the
function that judges.
"""

import itertools
import textwrap
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from experiments.table import Table
from npnet.errors import ArgumentError

Case = tuple[str, bool]  # what was measured in a case, and whether it is as claimed


class Verdict(Enum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    CONDITIONAL = "holds only if"
    OPEN = "cannot be judged by so small a run"


@dataclass(frozen=True)
class Judgement:
    """What we measured, and what follows for the claim.

    Attributes
    ----------
    measured : tuple of str
        One text for each case that was looked at, with the spread over seeds.
    verdict : Verdict
    condition : str
        ``"h >= 12"``, exactly if the verdict is CONDITIONAL.

    Raises
    ------
    ArgumentError
        If `measured` is one string, or there is a condition with another verdict, or none with that one.
    """

    measured: tuple[str, ...]
    verdict: Verdict
    condition: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.measured, tuple):
            raise ArgumentError(f"measured is {self.measured!r}, expected a tuple of texts, one for each case")
        if bool(self.condition) != (self.verdict is Verdict.CONDITIONAL):
            raise ArgumentError(
                f"condition is {self.condition!r} with the verdict {self.verdict.value!r}, "
                "expected a condition exactly if the claim holds only if it is met"
            )

    def __str__(self) -> str:
        """The verdict in words: "holds only if h >= 12"."""
        return f"{self.verdict.value} {self.condition}".rstrip()


def verdict(
    found: Mapping[str, Case],
    only_if: str | Mapping[str, str] = "",
    *,
    about: str = "",
    few: bool = False,
) -> Judgement:
    """What follows if a claim is true in some cases: it holds if in all, holds only if in some, else does not hold.

    Parameters
    ----------
    found
        For each case by its name, such as the way of training: what was measured, and whether it is as claimed.
    only_if
        The condition under which the claim is true if not in all cases: words with ``{}`` for the names of the cases in
        which it is, or the words for each case, of which those of the first true one are taken. Without words, what is
        not true in all cases does not hold.
    about
        What all the texts are about, in front of them.
    few
        Whether there are too few seeds or networks to judge; so it is if there are no cases.
    """
    measured = tuple(f"{case}: {text}" if case else text for case, (text, _) in found.items())
    measured = (about, *measured) if about else measured
    true = [case for case, (_, as_claimed) in found.items() if as_claimed]
    if few or not found:
        return Judgement(measured, Verdict.OPEN)
    if len(true) == len(found):
        return Judgement(measured, Verdict.HOLDS)
    if isinstance(only_if, str):
        condition = only_if.format(" or ".join(true)) if true else ""
    else:
        condition = next((only_if[case] for case in true if case in only_if), "")
    return Judgement(measured, Verdict.CONDITIONAL if condition else Verdict.FAILS, condition)


@dataclass(frozen=True, kw_only=True)
class Claim:
    """A statement, of a paper or of our own, and the rule that judges it.

    Attributes
    ----------
    statement : str
        What is claimed; to be understood without the other claims.
    published : str
        The paper's numbers, or that it has none; by default the claim is our own.
    rule : str
        The rule in words.
    judge : callable
        The same rule as a function of the study's results.
    figures : tuple of str
        Names of the figures that show it, the one that says most first.
    group : str
        Heading under which it is listed; claims of one group follow one another.
    """

    statement: str
    rule: str
    judge: Callable[[Table], Judgement]
    figures: tuple[str, ...]
    published: str = "our own question"
    group: str = "Claims"


class Judged(NamedTuple):
    """A claim with its number, from 1, and what became of it."""

    number: int
    claim: Claim
    judgement: Judgement


def judged(claims: Iterable[Claim], table: Table) -> list[Judged]:
    """Judge each claim by the results of a study, in order."""
    return [Judged(number, claim, claim.judge(table)) for number, claim in enumerate(claims, 1)]


def grouped(judged: Iterable[Judged]) -> list[tuple[str, list[Judged]]]:
    """The claims under their headings."""
    return [(heading, list(found)) for heading, found in itertools.groupby(judged, lambda each: each.claim.group)]


def markdown(judged: Iterable[Judged]) -> str:
    """The claims as tables in Markdown, one a group, for ``claims.md``."""
    tables = []
    for heading, found in grouped(judged):
        rows = [("", "claim", "published", "ours", "rule", "verdict", "figure"), ("---",) * 7]
        for number, claim, judgement in found:
            ours = "<br>".join(judgement.measured)
            figures = ", ".join(f"[{name}](figures/{name}.png)" for name in claim.figures)
            rows.append((str(number), claim.statement, claim.published, ours, claim.rule, f"**{judgement}**", figures))
        tables.append(f"## {heading}\n\n" + "".join(f"| {' | '.join(map(_cell, row))} |\n" for row in rows))
    return "\n".join(tables)


def terminal(judged: Iterable[Judged], width: int = 100) -> str:
    """The verdicts as text under the headings of their groups, wrapped to `width` columns."""
    lines = []
    for heading, found in grouped(judged):
        lines += ["", heading, "-" * len(heading)]
        for number, claim, judgement in found:
            lines += [_wrapped(f"{number:>3}. ", claim.statement, width), _wrapped("     -> ", str(judgement), width)]
    return "\n".join(lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _wrapped(start: str, text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=start, subsequent_indent=" " * len(start))
