"""How difficult each pair of digits is, by measure, and how many hidden units it needs.

Difficulty is the error of a linear classifier, our own network without a hidden layer, on the judged examples. Beside
it stands how far the means of the classes overlap. The capacity that a pair needs is read off F1 at several widths.
"""

from collections.abc import Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.claims import interval
from experiments.low_capacity.limits import POINT, ROUNDING
from experiments.low_capacity.protocol import (
    ARMS,
    AS_RELEASED,
    CORRECTED,
    DIFFICULTY,
    Scale,
    Task,
    Trial,
    network,
    task,
    trained,
)
from experiments.low_capacity.published import ENOUGH_F1, LEARNING_RATE
from experiments.low_capacity.results import Pair, Results, smallest_width
from npnet.backprop import forward
from npnet.data.datasets import Dataset
from npnet.metrics import evaluate
from npnet.ranks import rank_correlation

LINEAR = 0
# Trained to convergence nearly every pair passes the paper's F1 with two units, so there the small widths are dense.
WIDTHS = {AS_RELEASED: (2, 4, 8, 24), CORRECTED: (1, 2, 3, 4, 8, 32)}

ABSOLUTE, RELATIVE = DEFINITIONS = (
    f"mean F1 above {ENOUGH_F1:.2f}",
    "mean F1 within one point of the widest network's",
)


def trials(data: str, scale: Scale, learning_rate: float) -> list[Trial]:
    """The linear classifiers and the networks of all pairs, of both arms; `learning_rate` is the corrected arm's."""
    rates = {AS_RELEASED: LEARNING_RATE, CORRECTED: learning_rate}
    return [
        Trial(arm, low, high, width, seed, data, rates[arm], DIFFICULTY)
        for arm in ARMS
        for low, high in scale.further_pairs
        for width in (LINEAR, *WIDTHS[arm])
        for seed in scale.arm_seeds(arm, scale.further_seeds)
    ]


def measure(trials: Sequence[Trial], data: Dataset) -> list[dict[str, Any]]:
    """Train the networks of trials of one company, and judge them.

    Returns
    -------
    list of dict
        "judged": the number of judged examples; "f1" and "accuracy" on them; for a linear classifier also what
        `class_means` returns.
    """
    first = trials[0]
    examples = task(first.arm, first.pair, first.seed, data)
    results = []
    for trial, training in zip(trials, trained(trials, examples), strict=True):
        images, labels = examples.judged
        logits = forward(network(trial, examples), training.theta, images)
        result = {"judged": len(labels)} | evaluate(labels, logits, ("f1", "accuracy"))
        results.append(result | class_means(examples) if trial.width == LINEAR else result)
    return results


def class_means(examples: Task) -> dict[str, float]:
    """How far the means of the two classes overlap, and how well they classify.

    "overlap": cosine similarity of the mean training images m0 and m1, m0 . m1 / (|m0| |m1|); 1 if one is a multiple of
    the other, NaN if one is black. "nearest_mean_error": share of the judged images x that are taken for the
    wrong class, where x is taken for class 1 if |x - m1| < |x - m0|.
    """
    images, labels = examples.training
    zero, one = (images[labels == label].mean(axis=0).ravel() for label in (0, 1))
    with np.errstate(invalid="ignore"):
        overlap = (zero @ one) / np.sqrt((zero @ zero) * (one @ one))
    judged = examples.judged.images.reshape(len(examples.judged.labels), -1)
    # |x - m1|² < |x - m0|² without the |x|² that both have.
    taken_for_one = judged @ (one - zero) > (one @ one - zero @ zero) / 2
    return {
        "overlap": float(overlap),
        "nearest_mean_error": float(np.mean(taken_for_one != examples.judged.labels)),
    }


def mean(results: Results, arm: str, pair: Pair, name: str) -> float:
    """Mean over seeds of a number that was measured of a linear classifier."""
    return float(np.mean([result[name] for result in results.of(arm, pair, LINEAR)]))


def linear_error(results: Results, arm: str, pair: Pair) -> float:
    """Share of the judged examples that the linear classifier gets wrong, mean over seeds."""
    return 1 - mean(results, arm, pair, "accuracy")


def error_interval(results: Results, arm: str, pair: Pair) -> tuple[float, float]:
    """Wilson's 95 % interval of `linear_error` for a binomial of as many examples as one seed judges.

    (p + z²/2n -+ z sqrt(p (1 - p)/n + z²/4n²)) / (1 + z²/n). The seeds judge the same examples, or many of the same, so
    their numbers are not added up.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    p, n = linear_error(results, arm, pair), mean(results, arm, pair, "judged")
    z = NormalDist().inv_cdf(0.975)
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return float((middle - half) / (1 + z * z / n)), float((middle + half) / (1 + z * z / n))


def minimum_width(results: Results, arm: str, pair: Pair, definition: str) -> float:
    """Smallest width from which on F1 on the judged examples, mean over seeds, is enough; infinite if there is none.

    ABSOLUTE, the paper's: more than 0.90; whether seeds are stable is not asked. RELATIVE: at most one point (0.01)
    below the widest network's of that arm and pair.
    """
    f1 = np.array([np.mean([result["f1"] for result in results.of(arm, pair, width)]) for width in WIDTHS[arm]])
    enough = f1 > ENOUGH_F1 if definition == ABSOLUTE else f1[-1] - f1 <= POINT + ROUNDING
    return float(smallest_width(enough, WIDTHS[arm]))


def growth(results: Results, arm: str, definition: str) -> tuple[float, tuple[float, float]]:
    """Spearman's rank correlation, over pairs, of `linear_error` and `minimum_width`; its interval over pairs.

    0 if all pairs, or all of a resample, are equal in one of the two: then nothing grows.
    """
    pairs = [
        (linear_error(results, arm, pair), minimum_width(results, arm, pair, definition)) for pair in results.pairs
    ]

    def correlation(samples: NDArray[np.float64]) -> NDArray[np.float64]:
        constant = (samples == samples[:, :1]).all(axis=1).any(axis=1)
        return np.where(constant, 0.0, rank_correlation(samples[..., 0], samples[..., 1]))

    return float(correlation(np.array([pairs]))[0]), interval(np.array(pairs), correlation)
