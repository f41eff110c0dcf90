"""What a paper claims, what we measured, and a verdict that a rule computes.

The rule is written in the experiment's code before the numbers are seen, once in words for the reader and
once as the function that judges.
"""

import functools
import itertools
import math
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError

Results = TypeVar("Results")

_RESAMPLES, _LEVEL = 10_000, 0.95
# Of a sign test; with fewer pairs there is no p-value below it, however they differ.
SIGNIFICANT, FEWEST_PAIRS = 0.05, 6


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
    """A statement, of a paper or of our own, and the rule that judges it.

    Attributes
    ----------
    statement : str
        What is claimed.
    published : str
        The paper's numbers, or that it has none.
    rule : str
        The rule in words.
    judge : callable
        The same rule as a function of the experiment's results.
    figure : str
        File name of the figure that shows it, in ``figures/``.
    group : str
        Heading under which it is listed; claims of one group follow one another.
    also : tuple of str
        File names of further figures that show it.
    """

    statement: str
    published: str
    rule: str
    judge: Callable[[Results], Judgement]
    figure: str
    group: str = "Claims"
    also: tuple[str, ...] = ()

    @property
    def figures(self) -> tuple[str, ...]:
        """File names of all figures that show it."""
        return self.figure, *self.also


def judge_all(claims: Iterable[Claim[Results]], results: Results) -> list[Judgement]:
    """The judgement of each claim, in order."""
    return [claim.judge(results) for claim in claims]


def grouped(
    claims: Sequence[Claim[Results]], judgements: Sequence[Judgement]
) -> list[tuple[str, list[tuple[int, Claim[Results], Judgement]]]]:
    """The claims under their headings, each with its number, from 1, and its judgement."""
    numbered = [(k, *both) for k, both in enumerate(zip(claims, judgements, strict=True), 1)]
    return [(heading, list(found)) for heading, found in itertools.groupby(numbered, lambda each: each[1].group)]


def markdown(claims: Sequence[Claim[Results]], judgements: Sequence[Judgement]) -> str:
    """The claims as tables in Markdown, one a group, for ``claims.md``."""
    tables = []
    for heading, found in grouped(claims, judgements):
        rows = [("", "claim", "published", "ours", "rule", "verdict", "figure"), ("---",) * 7]
        for number, claim, judgement in found:
            figure = ", ".join(f"[{name}](figures/{name})" for name in claim.figures)
            texts = (claim.statement, claim.published, judgement.measured, claim.rule, f"**{judgement}**", figure)
            rows.append((str(number), *texts))
        tables.append(f"## {heading}\n\n" + "".join(f"| {' | '.join(map(_cell, row))} |\n" for row in rows))
    return "\n".join(tables)


def terminal(claims: Sequence[Claim[Results]], judgements: Sequence[Judgement], width: int = 100) -> str:
    """The claims as text under the headings of their groups, wrapped to `width` columns."""
    blocks = []
    for heading, found in grouped(claims, judgements):
        blocks.append(f"{heading}\n{'-' * len(heading)}\n")
        for number, claim, judgement in found:
            first = f"{number}. "
            lines = [(first, claim.statement)]
            lines += [
                (f"{'':{len(first)}}{name:<11}", text)
                for name, text in (
                    ("published", claim.published),
                    ("ours", judgement.measured),
                    ("rule", claim.rule),
                    ("verdict", str(judgement)),
                    ("figure", ", ".join(f"figures/{name}" for name in claim.figures)),
                )
            ]
            blocks.append("".join(f"{_wrapped(start, text, width)}\n" for start, text in lines))
    return "\n".join(blocks)


def interval(
    samples: Sequence[float] | NDArray[np.floating],
    statistic: Callable[[NDArray[Any]], NDArray[Any]] = lambda resamples: resamples.mean(axis=1),
) -> tuple[float, float]:
    """95 % percentile bootstrap interval over seeds: of the mean, unless another `statistic` is given.

    Parameters
    ----------
    samples
        A number, or an array of numbers, for each seed: shape (n, ...).
    statistic
        Maps 10,000 resamples (10,000, n, ...) to a number for each.

    Returns
    -------
    (lowest, highest)
        One seed says nothing of the spread: then (-inf, inf). NaN if a number is NaN. With few seeds the interval is
        too narrow: with three it is the smallest and the largest of them.

    Source: Efron 1979, "Bootstrap methods: another look at the jackknife". The resamples are the same in every call.
    """
    values = np.asarray(samples, dtype=np.float64)
    if len(values) < 2:
        return -np.inf, np.inf
    with np.errstate(invalid="ignore"):
        found = statistic(values[_resamples(len(values))])
    # Not interpolated: a result of small counts stays one of them.
    lowest, highest = np.quantile(found, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2], method="nearest")
    return float(lowest), float(highest)


@functools.cache
def _resamples(n: int) -> NDArray[np.int64]:
    return np.random.default_rng(0).integers(0, n, (_RESAMPLES, n))


class SignTest(NamedTuple):
    """How many of how many pairs differ upwards, and the two-sided p-value if up and down were equally likely."""

    positive: int
    pairs: int
    p: float

    def __str__(self) -> str:
        return f"{self.positive} of {self.pairs} (p = {self.p:.2g})"

    @property
    def upwards(self) -> bool:
        """Whether significantly more than half differ upwards, p < SIGNIFICANT."""
        return self.p < SIGNIFICANT and 2 * self.positive > self.pairs


def sign_test(differences: NDArray[np.floating]) -> SignTest:
    """Exact binomial test of the signs; pairs that do not differ are left out, NaN differ in neither direction."""
    up, down = int(np.count_nonzero(differences > 0)), int(np.count_nonzero(differences < 0))
    tail = sum(math.comb(up + down, k) for k in range(max(up, down), up + down + 1)) / 2 ** (up + down)
    return SignTest(up, up + down, min(1.0, 2 * tail))


def deviation(values: Sequence[float] | NDArray[np.floating]) -> float:
    """Standard deviation over seeds, with n - 1 in the denominator; 0 for a single value, which shows none."""
    with np.errstate(invalid="ignore"):
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def spread(values: Sequence[float] | NDArray[np.floating], digits: int = 3) -> str:
    """Mean and bootstrap `interval` over seeds: ``"0.912 [0.908, 0.916] (n = 10)"``.

    A single value has no interval. NaN and infinities are shown.

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
    lowest, highest = interval(values)
    with np.errstate(invalid="ignore"):
        return f"{np.mean(values):.{digits}f} [{lowest:.{digits}f}, {highest:.{digits}f}] (n = {n})"


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")


def _wrapped(start: str, text: str, width: int) -> str:
    return textwrap.fill(text, width, initial_indent=start, subsequent_indent=" " * len(start))
