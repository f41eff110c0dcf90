"""Pairs of networks that differ in one factor: does it move sensitivity the way it moves the gap?"""

from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.claims import FEWEST_PAIRS, SIGNIFICANT, Claim, Judgement, Verdict, sign_test
from experiments.sensitivity.protocol import FACTORS
from experiments.sensitivity.results import Study

GROUP = "What helps, and what hurts"


class Factor(NamedTuple):
    """The two sides of a factor's pairs in words, and whether the second is the one published to generalize worse."""

    first: str
    second: str
    second_is_worse: bool


SIDES = {
    "labels": Factor("true labels", "random labels", True),
    "augmentation": Factor("no augmentation", "shifted copies", False),
    "nonlinearity": Factor("relu", "hard sigmoid", True),
    "optimiser": Factor("mini-batches", "full batches", True),
}
# Of the four the paper finds one in which the transitions do not go along.
AGREEING = ("labels", "augmentation", "nonlinearity")


def excess(study: Study, factor: str, name: str) -> NDArray[np.float64]:
    """By how much a measure is larger on the side published to generalize worse, for each pair."""
    first, second = study.pairs[factor]
    return (second.column(name) - first.column(name)) * (1 if SIDES[factor].second_is_worse else -1)


def moves(factor: str, study: Study) -> Judgement:
    """Ask whether the side published to be worse has the larger gap and the larger Jacobian norm."""
    depths = np.array(study.pairs[factor][0].setting(lambda trial: trial.depth))
    gap, norm, crossed = (excess(study, factor, name) for name in ("gap", "jacobian", "transitions"))
    worse = SIDES[factor].second if SIDES[factor].second_is_worse else SIDES[factor].first
    agreeing = int(np.count_nonzero(gap * norm > 0))
    means = [side.column("gap").mean() if len(side) else np.nan for side in study.pairs[factor]]
    # Where a direction is not as published, or not for all, depth is what it turns on.
    by_depth = "; ".join(_at_depth(study, factor, depth) for depth in sorted(set(depths.tolist())))
    measured = (
        f"{len(gap)} pairs ({study.lost[factor]} more in which one does not fit); mean gap {means[0]:.3f} with "
        f"{SIDES[factor].first}, {means[1]:.3f} with {SIDES[factor].second}; larger with {worse}: gap in "
        f"{sign_test(gap)}, Jacobian norm in {sign_test(norm)}, transitions in {sign_test(crossed)}; gap and norm move "
        f"the same way in {agreeing} of {len(gap)}; {by_depth}"
    )
    if len(gap) < FEWEST_PAIRS:
        return Judgement(measured, Verdict.OPEN)
    # With every pair, then with the deeper ones.
    for least in sorted(set(depths.tolist())):
        chosen = depths >= least
        if sign_test(gap[chosen]).upwards and sign_test(norm[chosen]).upwards:
            if chosen.all():
                return Judgement(measured, Verdict.HOLDS)
            return Judgement(measured, Verdict.CONDITIONAL, f"there are at least {least} hidden layers")
    return Judgement(measured, Verdict.FAILS)


def _at_depth(study: Study, factor: str, depth: int) -> str:
    """Mean gap and norm of both sides at one depth, and in how many pairs the side published to be worse has more."""
    chosen = np.array(study.pairs[factor][0].setting(lambda trial: trial.depth)) == depth
    texts = []
    for name, words in (("gap", "gap"), ("jacobian", "norm")):
        first, second = (side.where(chosen).column(name).mean() for side in study.pairs[factor])
        test = sign_test(excess(study, factor, name)[chosen])
        texts.append(f"{words} {first:.3f} and {second:.3f}, larger in {test}")
    return f"{depth} hidden layer{'s' * (depth > 1)}: {', '.join(texts)}"


def transitions_agree(study: Study) -> Judgement:
    """Ask whether transitions move with the published gap for three of the factors, and not for the optimiser."""
    tests = {factor: sign_test(excess(study, factor, "transitions")) for factor in FACTORS}
    measured = "larger on the side published to be worse: " + "; ".join(
        f"{name} {test}" for name, test in tests.items()
    )
    if any(test.pairs < FEWEST_PAIRS for test in tests.values()):
        return Judgement(measured, Verdict.OPEN)
    as_published = all(test.upwards == (factor in AGREEING) for factor, test in tests.items())
    return Judgement(measured, Verdict.HOLDS if as_published else Verdict.FAILS)


def _claim(factor: str, statement: str, published: str) -> Claim[Study]:
    rule = (
        "holds if both the gap and the Jacobian norm are larger on the side published to generalize worse in "
        f"significantly more than half of the pairs (sign test, p < {SIGNIFICANT}); holds only if there are at least d "
        "hidden layers if that is so for the pairs with d or more"
    )
    return Claim(statement, published, rule, partial(moves, factor), "pairs.png", GROUP)


CLAIMS: tuple[Claim[Study], ...] = (
    _claim(
        "labels",
        "Random labels raise the gap and the Jacobian norm",
        "so on CIFAR-10, in a figure; the gap with random labels is about .90",
    ),
    _claim(
        "augmentation",
        "Without augmentation by wrapped shifts of up to 4 pixels the gap and the Jacobian norm are higher",
        "so on CIFAR-10, in a figure",
    ),
    _claim(
        "nonlinearity",
        "Hard sigmoid units instead of relu raise the gap and the Jacobian norm",
        "so on CIFAR-10, in a figure",
    ),
    _claim(
        "optimiser",
        "Full batches instead of mini-batches raise the gap and the Jacobian norm",
        "so on CIFAR-10, in a figure",
    ),
    Claim(
        "Transitions move with the gap for three of the four factors, and not for the optimiser",
        "so in a figure",
        "holds if there are more transitions on the side published to generalize worse in significantly more than half "
        f"of the pairs (sign test, p < {SIGNIFICANT}) for labels, augmentation and nonlinearity, and not for the "
        "optimiser",
        transitions_agree,
        "pairs.png",
        GROUP,
    ),
)
