"""The results of a run, ready to be asked: "the F1 of 4v9, h24, corrected, pruned by 95 %, for each seed"."""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.measures import METRICS
from experiments.low_capacity.protocol import ARMS, Trial
from experiments.low_capacity.published import PAIRS

Pair = tuple[int, int]


def pair_name(pair: Pair) -> str:
    """ "4v9" for (4, 9)."""
    return f"{pair[0]}v{pair[1]}"


def smallest_width(enough: NDArray[np.bool_], widths: Sequence[int]) -> NDArray[np.float64]:
    """The smallest width from which on all are enough, infinite if the largest is not; `enough` is (..., widths)."""
    from_here = np.logical_and.accumulate(enough[..., ::-1], axis=-1)[..., ::-1]
    return np.where(from_here.any(axis=-1), np.take(np.array(widths, dtype=float), from_here.argmax(axis=-1)), np.inf)


class Results:
    """Results of the trials of one part of the study, by arm, pair, width, learning rate and seed.

    Attributes
    ----------
    trials
        Which.
    pairs, widths, rates
        Those that the run has: the paper's pairs in its order of difficulty and then others, widths ascending, learning
        rates of each arm ascending.
    """

    def __init__(self, trials: Sequence[Trial], results: Iterable[dict[str, Any]]) -> None:
        self.trials = tuple(trials)
        self._by_trial = dict(zip(trials, results, strict=True))
        present = {trial.pair for trial in trials}
        self.pairs: list[Pair] = [pair for pair in PAIRS if pair in present]
        self.pairs += sorted(present.difference(PAIRS))
        self.widths: list[int] = sorted({trial.width for trial in trials})
        self.rates: dict[str, list[float]] = {
            arm: sorted({trial.learning_rate for trial in trials if trial.arm == arm}) for arm in ARMS
        }
        self._found: dict[tuple[str, Pair, int, float], list[dict[str, Any]]] = {}
        for trial, result in self._by_trial.items():
            self._found.setdefault((trial.arm, trial.pair, trial.width, trial.learning_rate), []).append(result)

    def of(self, arm: str, pair: Pair, width: int, rate: float | None = None) -> list[dict[str, Any]]:
        """The results of one network of one arm, a dict per seed, as its part of the study returns them.

        `rate` is the learning rate; None where an arm has only one. The list is empty if there is no such network.
        """
        if rate is None:
            (rate,) = self.rates[arm] or [0.0]
        return self._found.get((arm, pair, width, rate), [])

    def seeds(self, arm: str) -> int:
        """Number of seeds of an arm."""
        return len(self.of(arm, self.pairs[0], self.widths[0], min(self.rates[arm])))

    def scores(
        self, arm: str, pair: Pair, width: int, condition: str = "clean", level: float = 0.0, metric: str = "f1"
    ) -> NDArray[np.float64]:
        """One metric under one condition: a number per seed."""
        return np.array(
            [
                row[metric]
                for result in self.of(arm, pair, width)
                for row in result["scores"]
                if (row["condition"], row["level"]) == (condition, level)
            ]
        )

    def best_f1(self, arm: str, pair: Pair, width: int) -> NDArray[np.float64]:
        """F1 of the trained network, a number per seed: as released the best in training, corrected on the test."""
        if arm == ARMS[0]:
            return np.array([result["best_train_f1"] for result in self.of(arm, pair, width)])
        return self.scores(arm, pair, width)

    def change(
        self, arm: str, pair: Pair, width: int, condition: str, level: float, metric: str = "f1"
    ) -> NDArray[np.float64]:
        """Metric under a condition minus the same network's clean one, a number per seed."""
        return self.scores(arm, pair, width, condition, level, metric) - self.scores(arm, pair, width, metric=metric)

    def table(self) -> str:
        """All scores as CSV: a row for each trial, condition and level."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["arm", "pair", "width", "seed", "condition", "level", "removed", *METRICS])
        for trial, result in self._by_trial.items():
            for row in result["scores"]:
                numbers = [row[name] for name in ("condition", "level", "removed", *METRICS)]
                writer.writerow([trial.arm, pair_name(trial.pair), trial.width, trial.seed, *numbers])
        return text.getvalue()


_NOTHING = Results([], [])


class Study(NamedTuple):
    """The results of a run, part by part; see `protocol.PARTS`."""

    networks: Results
    rates: Results = _NOTHING
    limits: Results = _NOTHING
    difficulty: Results = _NOTHING
