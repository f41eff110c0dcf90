"""How closely a measure of a network follows its generalization gap: rank correlations and their intervals."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from experiments.claims import interval
from experiments.sensitivity.protocol import Trial
from experiments.sensitivity.results import Floats, Networks
from npnet.ranks import rank_correlation

# By what one may try to tell the gap, and how a person calls it: the paper's two measures, and what one tries first.
PREDICTORS: Mapping[str, str] = MappingProxyType(
    {
        "jacobian": "Jacobian norm",
        "transitions": "transitions",
        "training_loss": "training loss",
        "weight_norm": "norm of the weights",
        "parameters": "number of parameters",
    }
)
# An architecture of fewer networks has no rank correlation worth the name.
FEWEST = 5
_RESAMPLES = 4000


class Correlation(NamedTuple):
    """Spearman's rank correlation, its 95 % bootstrap interval, and over how many networks (in how many groups)."""

    value: float
    low: float
    high: float
    networks: int
    groups: int = 1

    def __str__(self) -> str:
        groups = f" in {self.groups} architectures" if self.groups != 1 else ""
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] (n = {self.networks:,}{groups})"


def correlation(networks: Networks, name: str, other: str = "gap") -> Correlation:
    """Of one measure and another, over all networks.

    The bootstrap draws architectures with all their networks, which are alike; where there is only one, its networks.
    NaN for what is the same for all networks, or NaN for one of them.
    """
    n = len(networks)
    if n < FEWEST:
        return Correlation(np.nan, -np.inf, np.inf, n)
    x, y = networks.column(name), networks.column(other)
    value = float(rank_correlation(x, y))
    numbers: dict[object, int] = {}
    member = [numbers.setdefault(architecture, len(numbers)) for architecture in networks.setting(_architecture)]
    times = _drawn(len(numbers))[:, member] if len(numbers) > 1 else _drawn(n)
    # Draws of a single network again and again have no correlation.
    low, high = np.quantile(np.nan_to_num(rank_correlation(x, y, times)), [0.025, 0.975]).tolist()
    return Correlation(np.nan, np.nan, np.nan, n) if np.isnan(value) else Correlation(value, low, high, n)


def within(networks: Networks, name: str, other: str = "gap") -> Correlation:
    """The mean of the rank correlations within the architectures of at least FEWEST networks, weighted by their number.

    The bootstrap draws architectures: to draw among few networks makes ties, which weaken any correlation. NaN for what
    is the same for all networks of an architecture.
    """
    groups: dict[object, list[int]] = {}
    for number, architecture in enumerate(networks.setting(_architecture)):
        groups.setdefault(architecture, []).append(number)
    large = [numbers for numbers in groups.values() if len(numbers) >= FEWEST]
    if not large:
        return Correlation(np.nan, -np.inf, np.inf, 0, 0)
    x, y = networks.column(name), networks.column(other)
    sizes = [len(numbers) for numbers in large]
    each = [float(rank_correlation(x[numbers], y[numbers])) for numbers in large]
    both = np.stack([sizes, each], axis=1)
    low, high = interval(both, _weighted_mean)
    return Correlation(float(_weighted_mean(both[None])[0]), low, high, sum(sizes), len(large))


def _architecture(trial: Trial) -> tuple[int, int, str]:
    return trial.architecture


def _weighted_mean(both: Floats) -> Floats:
    """Of weights and numbers (r, n, 2), for each row."""
    return np.asarray((both[..., 0] * both[..., 1]).sum(axis=1) / both[..., 0].sum(axis=1))


def _drawn(n: int) -> Floats:
    """How often each of n networks, or architectures, is drawn in each resample, (_RESAMPLES, n)."""
    return np.random.default_rng(0).multinomial(n, np.full(n, 1 / n), size=_RESAMPLES).astype(np.float64)
