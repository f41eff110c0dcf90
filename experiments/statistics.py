"""Intervals, spread and tests over seeds or networks, in numbers and in words."""

import functools
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.errors import ArgumentError
from npnet.ranks import rank_correlation

Floats = NDArray[np.float64]

_RESAMPLES, _LEVEL = 10_000, 0.95
_RANK_RESAMPLES = 4000
# Of a sign test; with fewer pairs there is no p-value below it, however they differ.
SIGNIFICANT, FEWEST_PAIRS = 0.05, 6
# A group of fewer networks has no rank correlation worth the name.
FEWEST = 5


def interval(
    samples: ArrayLike, statistic: Callable[[NDArray[Any]], NDArray[Any]] = lambda resamples: resamples.mean(axis=1)
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


def deviation(values: ArrayLike) -> float:
    """Standard deviation over seeds, with n - 1 in the denominator; 0 for a single value, which shows none."""
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        return float(np.std(values, ddof=1)) if len(values) > 1 else 0.0


def spread(values: ArrayLike, digits: int = 3) -> str:
    """Mean and bootstrap `interval` over seeds: ``"0.912 [0.908, 0.916] (n = 10)"``.

    A single value has no interval. NaN and infinities are shown.

    Raises
    ------
    ArgumentError
        If there are no values.
    """
    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n == 0:
        raise ArgumentError("values is empty, expected one number per seed")
    if n == 1:
        return f"{values[0]:.{digits}f} (n = 1)"
    lowest, highest = interval(values)
    with np.errstate(invalid="ignore"):
        return f"{np.mean(values):.{digits}f} [{lowest:.{digits}f}, {highest:.{digits}f}] (n = {n})"


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


class Correlation(NamedTuple):
    """Spearman's rank correlation, its 95 % bootstrap interval, and over how many networks (in how many groups)."""

    value: float
    low: float
    high: float
    networks: int
    groups: int = 1

    def __str__(self) -> str:
        groups = f" in {self.groups} groups" if self.groups != 1 else ""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] (n = {self.networks:,}{groups})"


def correlation(x: ArrayLike, y: ArrayLike, groups: Sequence[Hashable]) -> Correlation:
    """Of two numbers (n,) of each network, over all networks.

    The bootstrap draws groups with all their networks, which are alike; where there is only one, its networks. NaN for
    what is the same for all networks, or NaN for one of them, or of fewer than `FEWEST` networks.

    Parameters
    ----------
    x, y
        The numbers (n,).
    groups
        The group of each network, such as its architecture.
    """
    n = len(groups)
    if n < FEWEST:
        return Correlation(np.nan, -np.inf, np.inf, n)
    value = float(rank_correlation(x, y))
    numbers: dict[Hashable, int] = {}
    member = [numbers.setdefault(group, len(numbers)) for group in groups]
    times = _drawn(len(numbers))[:, member] if len(numbers) > 1 else _drawn(n)
    # Draws of a single network again and again have no correlation.
    low, high = np.quantile(np.nan_to_num(rank_correlation(x, y, times)), [0.025, 0.975]).tolist()
    return Correlation(np.nan, np.nan, np.nan, n) if np.isnan(value) else Correlation(value, low, high, n)


def correlation_within(x: ArrayLike, y: ArrayLike, groups: Sequence[Hashable]) -> Correlation:
    """The mean of the rank correlations within the groups of at least `FEWEST` networks, weighted by their number.

    The bootstrap draws groups: to draw among few networks makes ties, which weaken any correlation. NaN for what is the
    same for all networks of a group. The parameters are those of `correlation`.
    """
    x, y = np.asarray(x), np.asarray(y)
    members: dict[Hashable, list[int]] = {}
    for number, group in enumerate(groups):
        members.setdefault(group, []).append(number)
    large = [numbers for numbers in members.values() if len(numbers) >= FEWEST]
    if not large:
        return Correlation(np.nan, -np.inf, np.inf, 0, 0)
    sizes = [len(numbers) for numbers in large]
    each = [rank_correlation(x[numbers], y[numbers]) for numbers in large]
    both = np.stack([sizes, each], axis=1)
    low, high = interval(both, _weighted_mean)
    return Correlation(float(_weighted_mean(both[None])[0]), low, high, sum(sizes), len(large))


def _weighted_mean(both: Floats) -> Floats:
    """Of weights and numbers (r, n, 2), for each row."""
    return np.asarray((both[..., 0] * both[..., 1]).sum(axis=1) / both[..., 0].sum(axis=1))


def _drawn(n: int) -> Floats:
    """How often each of n groups, or networks, is drawn in each resample, (_RANK_RESAMPLES, n)."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_RANK_RESAMPLES).astype(np.float64)
