"""What a paper claims, what we measured, and a verdict that a rule computes.

The rule is written in the experiment's code before the numbers are seen, once in words for the reader and
once as the function that judges.
"""

import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError

Results = TypeVar("Results")


class Verdict(Enum):
    """What became of a claim."""

    HOLDS = "holds"
    FAILS = "does not hold"
    CONDITIONAL = "holds only if"
    OPEN = "cannot be judged by so small a run"


@dataclass(frozen=True)
class Judgement:
    """What we measured, in text with its spread over seeds, and what follows for the claim.

    Raises
    ------
    ArgumentError
        Unless there is a condition (``"h >= 12"``) exactly if the verdict is CONDITIONAL.
    """

    measured: str
    verdict: Verdict
    condition: str = ""

    def __post_init__(self) -> None:
        if bool(self.condition) != (self.verdict is Verdict.CONDITIONAL):
            raise ArgumentError(
                f"condition is {self.condition!r} with the verdict {self.verdict.value!r}, "
                "expected a condition exactly if the claim holds only if it is met"
            )

    def __str__(self) -> str:
        """The verdict in words: "holds only if h >= 12"."""
        return f"{self.verdict.value} {self.condition}".rstrip()


@dataclass(frozen=True)
class Claim(Generic[Results]):
    """A statement of a paper and the rule that judges it.

    Attributes
    ----------
    statement : str
        What the paper says.
    published : str
        The paper's numbers.
    rule : str
        The rule in words.
    judge : callable
        The same rule as a function of the experiment's results.
    figure : str
        File name of the figure that shows it, in ``figures/``.
    """

    statement: str
    published: str
    rule: str
    judge: Callable[[Results], Judgement]
    figure: str


def judge_all(claims: Iterable[Claim[Results]], results: Results) -> list[Judgement]:
    """The judgement of each claim, in order."""
    return [claim.judge(results) for claim in claims]


def markdown(claims: Sequence[Claim[Results]], judgements: Sequence[Judgement]) -> str:
    """The claims as a table in Markdown, for ``claims.md``."""
    rows = [("claim", "published", "ours", "rule", "verdict", "figure"), ("---",) * 6]
    for claim, judgement in zip(claims, judgements, strict=True):
        verdict = f"**{judgement}**"
        figure = f"[{claim.figure}](figures/{claim.figure})"
        rows.append((claim.statement, claim.published, judgement.measured, claim.rule, verdict, figure))
    return "".join(f"| {' | '.join(map(_cell, row))} |\n" for row in rows)


def terminal(claims: Sequence[Claim[Results]], judgements: Sequence[Judgement], width: int = 100) -> str:
    """The claims as text, wrapped to `width` columns."""
    blocks = []
    for number, (claim, judgement) in enumerate(zip(claims, judgements, strict=True), 1):
        first = f"{number}. "
        lines = [(first, claim.statement)]
        lines += [
            (f"{'':{len(first)}}{name:<11}", text)
            for name, text in (
                ("published", claim.published),
                ("ours", judgement.measured),
                ("rule", claim.rule),
                ("verdict", str(judgement)),
                ("figure", f"figures/{claim.figure}"),
            )
        ]
        blocks.append("".join(f"{_wrapped(start, text, width)}\n" for start, text in lines))
    return "\n".join(blocks)


def deviation(values: Sequence[float] | NDArray[np.floating]) -> float:
    """Standard deviation over seeds, with n - 1 in the denominator; 0 for a single value, which shows none."""
    with np.errstate(invalid="ignore"):
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def spread(values: Sequence[float] | NDArray[np.floating], digits: int = 3) -> str:
    """Mean and standard deviation over seeds: ``"0.912 ± 0.004 (n = 10)"``.

    The deviation is that of a sample, with n - 1 in the denominator; a single value has none. NaN and
    infinities are shown.

    Raises
    ------
    ArgumentError
        If there are no values.
    """
    n = len(values)
    if n == 0:
        raise ArgumentError("values is empty, expected one number per seed")
    if n == 1:
        return f"{values[0]:.{digits}f} (n = 1)"
    with np.errstate(invalid="ignore"):
        return f"{np.mean(values):.{digits}f} ± {deviation(values):.{digits}f} (n = {n})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _wrapped(start: str, text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=start, subsequent_indent=" " * len(start))
