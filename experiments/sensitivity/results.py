"""The results of a run, ready to be asked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.sensitivity.protocol import Trial

Floats = NDArray[np.float64]


class Networks:
    """Networks of the sweep on one data set, or one side of all pairs of a factor, with what was measured of them.

    Attributes
    ----------
    trials, results
        In the same order.
    """

    def __init__(self, trials: Sequence[Trial], results: Iterable[Mapping[str, Any]]) -> None:
        self.trials, self.results = tuple(trials), tuple(results)

    def __len__(self) -> int:
        return len(self.trials)

    @property
    def fitted(self) -> NDArray[np.bool_]:
        """Which classify all their training examples right."""
        return np.array([result["training_accuracy"] == 1 for result in self.results], dtype=np.bool_)

    def where(self, chosen: NDArray[np.bool_]) -> "Networks":
        """Some of them."""
        numbers = np.flatnonzero(chosen)
        return Networks([self.trials[k] for k in numbers], [self.results[k] for k in numbers])

    def column(self, name: str) -> Floats:
        """A number of each, by its name in the results (see `measures.measure`)."""
        return np.array([result[name] for result in self.results], dtype=np.float64)

    def setting(self, of: Callable[[Trial], Any]) -> list[Any]:
        """A setting of each."""
        return [of(trial) for trial in self.trials]


@dataclass(frozen=True)
class Study:
    """The results of a run.

    Attributes
    ----------
    sweep
        The sweep's networks of each data set that fit their training examples, and
    unfitted
        those that do not.
    pairs
        For each of `protocol.FACTORS` the two sides, place by place, of the pairs of which both fit.
    lost
        For each factor the number of pairs of which one or both do not.
    portraits
        That fit, by the gain of the initial weights.
    fitted
        Number of all networks that fit their training examples, those of lost pairs and the portraits included; the
        common side of all factors counts once.
    """

    sweep: Mapping[str, Networks]
    unfitted: Mapping[str, Networks]
    pairs: Mapping[str, tuple[Networks, Networks]]
    lost: Mapping[str, int]
    portraits: Mapping[float, Networks]
    fitted: int


def studied(
    sweep: Mapping[str, Networks], pairs: Mapping[str, tuple[Networks, Networks]], portraits: Networks
) -> Study:
    """Sort out what fits and what does not."""
    both = {factor: one.fitted & other.fitted for factor, (one, other) in pairs.items()}
    portraits = portraits.where(portraits.fitted)
    gains = portraits.setting(lambda trial: trial.gain)
    everything = (*sweep.values(), *(side for sides in pairs.values() for side in sides), portraits)
    return Study(
        sweep={name: networks.where(networks.fitted) for name, networks in sweep.items()},
        unfitted={name: networks.where(~networks.fitted) for name, networks in sweep.items()},
        pairs={factor: (one.where(both[factor]), other.where(both[factor])) for factor, (one, other) in pairs.items()},
        lost={factor: int((~chosen).sum()) for factor, chosen in both.items()},
        portraits={gain: portraits.where(np.array(gains) == gain) for gain in sorted(set(gains))},
        fitted=len({trial for networks in everything for trial in networks.where(networks.fitted).trials}),
    )
