"""The search for the learning rate, on 4v9: the paper's among its six rates, and that of the corrected arm.

As released the best F1 on the training set is looked at, in 100 full-batch steps. The corrected arm trains until the
validation loss stops falling, and takes the rate at which that loss is lowest.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED, RATES, Scale, Trial, task, trained
from experiments.low_capacity.published import SEARCH_PAIR
from experiments.low_capacity.results import Results
from npnet.data.datasets import Dataset


def trials(data: str, scale: Scale) -> list[Trial]:
    """The networks of 4v9, of both arms, at every rate."""
    rates = {AS_RELEASED: scale.released_rates, CORRECTED: scale.corrected_rates}
    return [
        Trial(arm, *SEARCH_PAIR, width, seed, data, rate, RATES)
        for arm in ARMS
        for rate in rates[arm]
        for width in scale.widths
        for seed in scale.arm_seeds(arm, scale.further_seeds)
    ]


def measure(trials: Sequence[Trial], data: Dataset) -> list[dict[str, Any]]:
    """Train the networks of one `train_group`.

    Returns
    -------
    list of dict
        "best_train_f1" and "last_train_f1": the largest and the last of the training F1s, for the paper does not say
        which of them it shows; "epochs"; and, corrected, "validation_loss", "validation_f1": of the epoch that was
        kept, NaN if there was none.
    """
    first = trials[0]
    results = []
    for training in trained(trials, task(first.arm, first.pair, first.seed, data)):
        f1 = [row["train_f1"] for row in training.history]
        result = {"best_train_f1": max(f1), "last_train_f1": f1[-1], "epochs": len(f1)}
        if first.arm == CORRECTED:
            kept = training.history[training.epoch - 1] if training.epoch else {}
            result |= {name: kept.get(name, np.nan) for name in ("validation_loss", "validation_f1")}
        results.append(result)
    return results


def validation_loss(results: Results, rate: float) -> float:
    """Mean validation loss of the corrected arm at a rate, over widths and seeds."""
    found = [result for width in results.widths for result in results.of(CORRECTED, SEARCH_PAIR, width, rate)]
    return float(np.mean([result["validation_loss"] for result in found]))


def f1_table(results: Results, arm: str) -> NDArray[np.float64]:
    """F1 by width, rate and seed: as released the best on the training set, corrected the one on the validation set."""
    return table(results, arm, "best_train_f1" if arm == AS_RELEASED else "validation_f1")


def table(results: Results, arm: str, name: str) -> NDArray[np.float64]:
    """One number of those that `measure` returns, by width, rate and seed."""
    return np.array(
        [
            [[result[name] for result in results.of(arm, SEARCH_PAIR, width, rate)] for rate in results.rates[arm]]
            for width in results.widths
        ]
    )


def chosen(results: Results) -> float:
    """The corrected arm's learning rate: of those with the lowest mean validation loss the smallest.

    A rate at which a network diverged has no such loss and is not chosen.
    """
    losses = [validation_loss(results, rate) for rate in results.rates[CORRECTED]]
    return results.rates[CORRECTED][int(np.argmin(np.nan_to_num(losses, nan=np.inf)))]
