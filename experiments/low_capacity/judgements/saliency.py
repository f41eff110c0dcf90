"""The claims on saliency, and the rules that judge them, each written before the number that it judges was seen."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Claim, Judgement, Verdict, interval, spread
from experiments.low_capacity.judgements.verdicts import OF_THE_PAPER, OUR_OWN, by_arm, unless_divided_twice
from experiments.low_capacity.measures.saliency import REPLICA
from experiments.low_capacity.protocol import ARMS, CORRECTED
from experiments.low_capacity.published import SALIENCY_PAIR, SALIENCY_WIDTH
from experiments.low_capacity.results import Results, Study

KEPT = 0.5
PRUNINGS = {"pruned": "true 95 %", "divided twice": "divided twice"}
ABOVE_ROUNDING = 10
PROPORTIONAL = (0.8, 1.2)


def overlaps(results: Results, arm: str, name: str, measure: str = "overlap") -> NDArray[np.float64]:
    """Agreement of the paper's network's maps with those of another network, a number a seed."""
    found = results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)
    return np.array([result["saliency"][name][measure] for result in found])


def kept(study: Study) -> Judgement:
    """Ask whether the pruned network's maps keep at least half of the dense one's most salient pixels."""
    parts, enough = [], {}
    for arm in ARMS:
        texts = []
        for name, label in PRUNINGS.items():
            found = overlaps(study.networks, arm, name)
            ranks = overlaps(study.networks, arm, name, "rank_correlation")
            enough[name, arm] = bool(found.mean() >= KEPT)
            texts.append(f"{label} {spread(found, 2)}, rank correlation {spread(ranks, 2)}")
        parts.append(f"{arm}: {'; '.join(texts)}")
    return unless_divided_twice(f"share of the 5 % most salient pixels kept, {'. '.join(parts)}", enough)


def like_a_replica(study: Study) -> Judgement:
    """Compare the pruned network's maps with those of a network trained anew, and of one with permuted weights."""
    results, parts, alike = study.networks, [], {}
    for arm in ARMS:
        replica, randomised = (overlaps(results, arm, name) for name in (REPLICA, "randomised"))
        texts = [f"trained anew {spread(replica, 2)}, randomised {spread(randomised, 2)}"]
        for name, label in PRUNINGS.items():
            found = overlaps(results, arm, name)
            alike[name, arm] = interval(found - replica)[1] >= 0 and interval(found - randomised)[0] > 0
            texts.append(f"{label} {spread(found, 2)}, less trained anew {spread(found - replica, 2)}")
        parts.append(f"{arm}: {'; '.join(texts)}")
    measured = f"share of the 5 % most salient pixels shared with the dense network, {'. '.join(parts)}"
    if results.seeds(CORRECTED) < 2:
        return Judgement(measured, Verdict.OPEN)
    return unless_divided_twice(measured, alike)


def learnt(study: Study) -> Judgement:
    """Ask whether maps forget what was learnt when weights are permuted: fewer pixels shared than with a replica."""
    results, parts, forgets = study.networks, [], {}
    for arm in ARMS:
        replica, last, both, before = (
            overlaps(results, arm, name) for name in (REPLICA, "last layer randomised", "randomised", "untrained")
        )
        forgets[arm] = interval(replica - both)[0] > 0
        parts.append(
            f"{arm}: trained anew {spread(replica, 2)}, last layer permuted {spread(last, 2)}, both layers "
            f"{spread(both, 2)}, before training {spread(before, 2)}; trained anew minus both layers permuted "
            f"{spread(replica - both, 2)}"
        )
    measured = f"share of the 5 % most salient pixels shared with the trained network, {'. '.join(parts)}"
    if results.seeds(CORRECTED) < 2:
        return Judgement(measured, Verdict.OPEN)
    return by_arm(measured, forgets)


def slope(errors: Sequence[dict[str, float]]) -> float:
    """Slope of log error against log step above rounding; NaN if fewer than two steps are left.

    Rounding grows as the step falls, so where the error is least the two are equal; from ten times that step on
    rounding is a hundredth.
    """
    steps, error = (np.array([row[name] for row in errors]) for name in ("step", "error"))
    above = steps >= ABOVE_ROUNDING * steps[np.argmin(error)]
    if above.sum() < 2:
        return np.nan
    x, y = np.log10(steps[above]), np.log10(error[above])
    x -= x.mean()
    return float(x @ y / (x @ x))


def forward_difference(study: Study) -> Judgement:
    """Ask whether the error of the forward difference falls in proportion to its step."""
    results, parts, converges = study.networks, [], {}
    for arm in ARMS:
        found = [result["forward_difference"] for result in results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)]
        slopes = [slope(errors) for errors in found]
        paper = [errors[0]["error"] for errors in found]
        least = [min(row["error"] for row in errors) for errors in found]
        converges[arm] = bool(PROPORTIONAL[0] <= np.mean(slopes) <= PROPORTIONAL[1])
        parts.append(
            f"{arm}: relative error {spread(paper)} at a step of {found[0][0]['step']:g}, the least "
            f"{np.mean(least):.1e}; slope {spread(slopes, 2)}"
        )
    return by_arm("; ".join(parts), converges)


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "The network pruned by 95 % keeps the saliency of the dense one, on 4v9 h24",
        "by eye, on single images",
        f"holds if the pruned network's map keeps at least {KEPT:.0%} of the dense map's 5 % most salient pixels, in "
        "the mean over 100 images, in both arms; a condition if only with the released division",
        kept,
        "saliency.png",
        OF_THE_PAPER,
    ),
    Claim(
        "The map of the network pruned by 95 % is as near to the dense one's as that of a network trained anew",
        "no reference",
        "holds if in both arms the interval over seeds of the difference between the two overlaps does not lie below "
        "0, and that of the difference to a network with permuted weights lies above 0; a condition if only with the "
        "released division",
        like_a_replica,
        "saliency_agreement.png",
        OUR_OWN,
    ),
    Claim(
        "A saliency map shows what was learnt, on 4v9 h24 (sanity check)",
        "no check",
        "holds if permuting the weights of both layers leaves fewer of the 5 % most salient pixels than training anew "
        "does: the interval over seeds of the difference lies above 0, in both arms",
        learnt,
        "saliency_agreement.png",
        OUR_OWN,
    ),
    Claim(
        "The error of the paper's forward difference falls in proportion to its step, on 4v9 h24",
        "a step of 0.1, no check",
        f"holds if its relative error falls in proportion to the step: mean slope of log error against log step "
        f"between {PROPORTIONAL[0]} and {PROPORTIONAL[1]} for steps at least {ABOVE_ROUNDING} times that of the least "
        "error, in both arms",
        forward_difference,
        "forward_difference.png",
        OUR_OWN,
    ),
)
