"""At single test points: what does the Jacobian norm tell?"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from experiments.claims import FEWEST_PAIRS, SIGNIFICANT, Claim, Judgement, Verdict, sign_test, spread
from experiments.sensitivity.judgements.portraits import ONLY_IF, gain_by_gain
from experiments.sensitivity.protocol import TITLES
from experiments.sensitivity.results import Networks, Study

GROUP = "At single test points"
SHARE, MOST = 0.95, 0.01
LN2 = float(np.log(2))


def finds_errors(study: Study) -> Judgement:
    """Ask whether the norm is higher at misclassified points."""
    parts, shares = [], []
    for dataset, networks in study.sweep.items():
        found = networks.column("norm_finds_errors")
        found = found[~np.isnan(found)]
        if len(found) < FEWEST_PAIRS:
            return Judgement(f"{TITLES[dataset]}: {len(found)} networks that misclassify something", Verdict.OPEN)
        shares.append(float(np.mean(found > 0.5)))
        losses = networks.column("norm_and_loss")
        parts.append(
            f"{TITLES[dataset]}: area under the ROC curve {spread(found)}, above .5 in {100 * shares[-1]:.0f} % of the "
            f"networks, rank correlation of norm and loss {spread(losses)}"
        )
    return Judgement("; ".join(parts), Verdict.HOLDS if min(shares) >= SHARE else Verdict.FAILS)


def beats_doubt(study: Study) -> Judgement:
    """Ask whether the norm finds misclassified points better than the largest probability does."""
    parts, better = [], []
    for dataset, networks in study.sweep.items():
        norm, doubt = networks.column("norm_finds_errors"), networks.column("doubt_finds_errors")
        known = ~np.isnan(norm)
        if known.sum() < FEWEST_PAIRS:
            return Judgement(f"{TITLES[dataset]}: {known.sum()} networks that misclassify something", Verdict.OPEN)
        test = sign_test(norm[known] - doubt[known])
        better.append(test.upwards)
        parts.append(f"{TITLES[dataset]}: area {spread(norm[known])} against {spread(doubt[known])}, larger in {test}")
    return Judgement("; ".join(parts), Verdict.HOLDS if all(better) else Verdict.FAILS)


Points = tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]


def _in_portraits(study: Study, unit: str, judge: Callable[[Points], tuple[str, bool]]) -> Judgement:
    """Holds if true for the points (norm, loss, wrong) of every portrait; a condition if for those of a gain."""

    def of_one_gain(networks: Networks) -> tuple[str, bool]:
        found = []
        for result in networks.results:
            norm, loss, wrong = (np.array(result["points"][name]) for name in ("norm", "loss", "wrong"))
            found.append(judge((norm, loss, wrong.astype(np.bool_))))
        return " and ".join(text for text, _ in found), all(true for _, true in found)

    return gain_by_gain(study, unit, of_one_gain)


def peaks_at_ln2(study: Study) -> Judgement:
    """Ask whether the norm is largest at points whose loss is about ln 2."""

    def judge(points: Points) -> tuple[str, bool]:
        norm, loss, _ = points
        middle = (loss > LN2 / 2) & (loss < 2 * LN2)
        sides = [norm[loss <= LN2 / 2], norm[middle], norm[loss >= 2 * LN2]]
        if not all(map(len, sides)):
            return "no points of some losses", False
        below, around, above = (float(np.median(side)) for side in sides)
        counts = ", ".join(str(len(side)) for side in sides)
        return f"{below:.2g}, {around:.2g}, {above:.2g} (n = {counts})", around > max(below, above)

    unit = "median norm of points with a loss below ln 2 / 2, around ln 2, above 2 ln 2, for each portrait"
    return _in_portraits(study, unit, judge)


def largest_are_wrong(study: Study) -> Judgement:
    """Ask whether the points of the largest norms are mostly misclassified, and some mistakes have tiny norms."""

    def judge(points: Points) -> tuple[str, bool]:
        norm, _, wrong = points
        largest = np.argsort(norm)[-max(1, round(MOST * len(norm))) :]
        share = float(wrong[largest].mean())
        tiny = int(np.count_nonzero(norm[wrong] < np.median(norm[~wrong]))) if not wrong.all() else 0
        return f"{100 * share:.0f} %, and {tiny} of {int(wrong.sum())} mistakes", share > 0.5 and tiny > 0

    unit = (
        f"misclassified among the {100 * MOST:g} % of points with the largest norms, and mistakes whose norm is below "
        "the median of the points that are classified right, for each portrait"
    )
    return _in_portraits(study, unit, judge)


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "The Jacobian norm at a test point tells whether it is misclassified",
        "a scatter plot",
        f"holds if the area under the ROC curve is above .5 in at least {100 * SHARE:.0f} % of the networks of each "
        "data set",
        finds_errors,
        "detection.png",
        GROUP,
    ),
    Claim(
        "It tells more than one minus the largest probability",
        "our own question",
        "holds if its area under the ROC curve is the larger one in significantly more than half of the networks of "
        f"each data set (sign test, p < {SIGNIFICANT})",
        beats_doubt,
        "detection.png",
        GROUP,
    ),
    Claim(
        "The norm peaks at test points whose loss is near ln 2",
        "follows for two competing classes, and is seen in a scatter plot",
        "holds if its median over points with a loss between half and twice ln 2 is above those over points of smaller "
        f"and of larger loss, in every portrait; {ONLY_IF}",
        peaks_at_ln2,
        "points.png",
        GROUP,
    ),
    Claim(
        "The points of the largest norms are mostly misclassified, and some misclassified points have tiny norms",
        "so in a scatter plot",
        f"holds if more than half of the {100 * MOST:g} % of points with the largest norms are misclassified, and some "
        "mistakes have a norm below the median of the points that are classified right, in every portrait; "
        f"{ONLY_IF}",
        largest_are_wrong,
        "points.png",
        GROUP,
    ),
)
