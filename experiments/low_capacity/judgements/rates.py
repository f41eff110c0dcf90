"""Is 3e-2 the best of the paper's learning rates?"""

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Claim, Judgement, Verdict
from experiments.low_capacity.judgements.verdicts import REPRODUCTION
from experiments.low_capacity.protocol import AS_RELEASED
from experiments.low_capacity.published import LEARNING_RATE, LEARNING_RATES, RATE_F1
from experiments.low_capacity.rates import f1_table, table
from experiments.low_capacity.results import Study

WIDTHS_BEST = 9 / 11


def best_rate(study: Study) -> Judgement:
    """Count the widths at which the published rate has the highest best training F1, and compare with the heat map."""
    results = study.rates
    rates, f1 = results.rates[AS_RELEASED], f1_table(results, AS_RELEASED)
    best = [rates[column] for column in f1.mean(axis=2).argmax(axis=1)]
    won = best.count(LEARNING_RATE)
    published = np.array([[RATE_F1[w][LEARNING_RATES.index(rate)] for rate in rates] for w in results.widths])
    away = np.abs(f1.mean(axis=2) - published).mean(axis=0)
    last = np.abs(table(results, AS_RELEASED, "last_train_f1").mean(axis=2) - published).mean(axis=0)

    def by_rate(numbers: NDArray[np.float64]) -> str:
        return ", ".join(f"{rate:g}: {number:.3f}" for rate, number in zip(rates, numbers, strict=True))

    measured = (
        f"best at {won} of {len(best)} widths (means of {f1.shape[2]} seeds); mean distance from the published F1, by "
        f"rate, {by_rate(away)}; if the last F1 were meant and not the best, {by_rate(last)}"
    )
    if f1.shape[2] > 1:
        measured += f"; deviation over seeds, mean over widths, {by_rate(f1.std(axis=2, ddof=1).mean(axis=0))}"
    return Judgement(measured, Verdict.HOLDS if won >= WIDTHS_BEST * len(best) else Verdict.FAILS)


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "Of the six learning rates 3e-2 is the best, on 4v9 as released",
        "F1 highest at 3e-2 for all 11 widths",
        "holds if the best training F1, mean over seeds, is highest at 3e-2 for at least 9 of 11 widths (that share of "
        "those run)",
        best_rate,
        "learning_rate_heat_map.png",
        REPRODUCTION,
    ),
)
