"""How the rules come from what is true in each arm to a verdict, and the headings of their claims."""

from collections.abc import Mapping

from experiments.claims import Judgement, Verdict
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED

GROUPS = REPRODUCTION, OF_THE_PAPER, HOW_SPARSE, HOW_DIFFICULT, OUR_OWN = (
    "Is it the same experiment?",
    "The paper's claims",
    "How sparse can they be?",
    "How difficult are the pairs?",
    "Our own checks",
)


def unless_divided_twice(measured: str, true_for: Mapping[tuple[str, str], bool]) -> Judgement:
    """Holds if true at a true 95 % in both arms; a condition if true for the released division in both arms."""
    if all(true_for["pruned", arm] for arm in ARMS):
        return Judgement(measured, Verdict.HOLDS)
    if all(true_for["divided twice", arm] for arm in ARMS):
        return Judgement(measured, Verdict.CONDITIONAL, 'the "95 %" is divided by 100 twice and removes 0.95 %')
    return Judgement(measured, Verdict.FAILS)


def by_arm(measured: str, true_in: Mapping[str, bool]) -> Judgement:
    """Holds if true in both arms; a condition if in one; fails otherwise."""
    if all(true_in.values()):
        return Judgement(measured, Verdict.HOLDS)
    conditions = {
        AS_RELEASED: "the networks are trained as released, by 100 full-batch steps",
        CORRECTED: "the networks are trained to convergence",
    }
    for arm, true in true_in.items():
        if true:
            return Judgement(measured, Verdict.CONDITIONAL, conditions[arm])
    return Judgement(measured, Verdict.FAILS)
