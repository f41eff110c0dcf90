"""Difficulty and capacity over all pairs of digits: the rules, written before the numbers were seen."""

import itertools

from experiments.claims import Claim, Judgement, Verdict
from experiments.low_capacity.difficulty import ABSOLUTE, DEFINITIONS, RELATIVE, error_interval, growth, linear_error
from experiments.low_capacity.judgements.verdicts import HOW_DIFFICULT, by_arm
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import PAIRS
from experiments.low_capacity.results import Study, pair_name


def order(study: Study) -> Judgement:
    """Compare the linear classifier's error along the paper's order, and place the five pairs among all."""
    results = study.difficulty
    present = [pair for pair in PAIRS if pair in results.pairs]
    parts, increases = [], {}
    for arm in ARMS:
        errors = {pair: linear_error(results, arm, pair) for pair in results.pairs}
        texts = []
        for pair in present:
            lowest, highest = error_interval(results, arm, pair)
            rank = 1 + sum(error < errors[pair] for error in errors.values())
            texts.append(
                f"{pair_name(pair)} {100 * errors[pair]:.2f} % [{100 * lowest:.2f}, {100 * highest:.2f}], rank {rank}"
            )
        parts.append(f"{arm}: {', '.join(texts)}")
        increases[arm] = all(errors[easier] < errors[harder] for easier, harder in itertools.pairwise(present))
    measured = f"error of a linear classifier, rank among {len(results.pairs)} pairs, {'; '.join(parts)}"
    if len(present) < len(PAIRS):
        return Judgement(measured, Verdict.OPEN)
    return by_arm(measured, increases)


def capacity_grows(study: Study) -> Judgement:
    """Ask whether minimum width and linear error are correlated over pairs."""
    results = study.difficulty
    parts, grows = [], {}
    for arm in ARMS:
        texts = []
        for definition in DEFINITIONS:
            correlation, (lowest, highest) = growth(results, arm, definition)
            texts.append(f"{correlation:.2f} [{lowest:.2f}, {highest:.2f}] ({definition})")
            if definition == RELATIVE:
                grows[arm] = lowest > 0
        parts.append(f"{arm}: {', '.join(texts)}")
    measured = f"rank correlation of minimum width and linear error over {len(results.pairs)} pairs, {'; '.join(parts)}"
    if len(results.pairs) <= len(PAIRS):
        return Judgement(measured, Verdict.OPEN)
    return by_arm(measured, grows)


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "0v1, 1v7, 5v6, 3v8, 4v9 is an order of difficulty",
        "asserted; no difficulty is measured",
        "holds if the error of a linear classifier on the test examples, mean over seeds, increases along it, in "
        "both arms",
        order,
        "difficulty.png",
        HOW_DIFFICULT,
    ),
    Claim(
        "The minimum width grows with difficulty, over all pairs of digits",
        "said of five pairs, whose difficulty is not measured",
        "holds if the 95 % interval, over pairs, of Spearman's correlation between a linear classifier's error and the "
        f"minimum width ({RELATIVE}) lies above 0, in both arms (0 where all pairs are equal); reported beside it: the "
        f"paper's {ABSOLUTE}",
        capacity_grows,
        "capacity_difficulty.png",
        HOW_DIFFICULT,
    ),
)
