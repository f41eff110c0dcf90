"""Claims on the inside of the networks and on robustness, and their rules, written before the numbers were seen."""

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Claim, Judgement, Verdict, interval, spread
from experiments.low_capacity.judgements.verdicts import OF_THE_PAPER, OUR_OWN, by_arm, unless_divided_twice
from experiments.low_capacity.measures.information import CUT
from experiments.low_capacity.measures.one_shot import COLLAPSE
from experiments.low_capacity.measures.robustness import matched
from experiments.low_capacity.protocol import ARMS, CORRECTED
from experiments.low_capacity.published import NOISE_PAIR, PATCH, SALIENCY_PAIR, SALIENCY_WIDTH, SIGMAS
from experiments.low_capacity.results import Results, Study

MAY_LOSE = {"separability": 0.01, "silhouette": 0.05}
CORRUPTIONS = (*(f"gaussian noise {sigma:g}" for sigma in SIGMAS), f"occlusion {PATCH:g}")
SMALL, LARGE = 24, 64
LOST = 0.5


def representation(results: Results, arm: str, width: int, name: str, measure: str) -> NDArray[np.float64]:
    """Separability or silhouette of the hidden layer on 4v9, dense ("dense") or pruned: a number per seed."""
    return np.array([result["representation"][name][measure] for result in results.of(arm, SALIENCY_PAIR, width)])


def separable(study: Study) -> Judgement:
    """Ask whether a linear classifier and the silhouette find the classes as far apart as in the dense network."""
    parts, kept = [], dict.fromkeys(((name, arm) for name in ("pruned", "divided twice") for arm in ARMS), True)
    for arm in ARMS:
        for measure, may_lose in MAY_LOSE.items():
            dense, twice, pruned = (
                representation(study.networks, arm, SALIENCY_WIDTH, name, measure)
                for name in ("dense", "divided twice", "pruned")
            )
            kept["divided twice", arm] &= bool((twice - dense).mean() >= -may_lose)
            kept["pruned", arm] &= bool((pruned - dense).mean() >= -may_lose)
            parts.append(
                f"{arm}, {measure}: {spread(dense)} dense; change {spread(twice - dense)} divided twice, "
                f"{spread(pruned - dense)} at a true 95 %"
            )
    return unless_divided_twice("; ".join(parts), kept)


def matched_change(results: Results, arm: str, name: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Accuracy of h64 minus that of h24 under a corruption, at the same clean accuracy; and that: a number per seed."""
    changes, levels = [], []
    both = (results.of(arm, NOISE_PAIR, width) for width in (SMALL, LARGE))
    for small, large in zip(*both, strict=True):
        level, found = matched({SMALL: small["trajectory"], LARGE: large["trajectory"]}, name)
        changes.append(found[LARGE] - found[SMALL])
        levels.append(level)
    return np.array(changes), np.array(levels)


def last_change(results: Results, arm: str, name: str) -> NDArray[np.float64]:
    """The same difference between the trained networks, however accurate each is."""
    small, large = (
        np.array([result["trajectory"][-1][name] for result in results.of(arm, NOISE_PAIR, width)])
        for width in (SMALL, LARGE)
    )
    return large - small


def robust_when_matched(study: Study) -> Judgement:
    """Compare h64 with h24 under every corruption at the largest clean accuracy that both had in training."""
    results, parts, above = study.networks, [], {}
    for arm in ARMS:
        texts, intervals = [], []
        for name in CORRUPTIONS:
            change, levels = matched_change(results, arm, name)
            intervals.append(interval(change))
            texts.append(f"{name} {spread(change)}, after training {spread(last_change(results, arm, name))}")
        above[arm] = all(lowest > 0 for lowest, _ in intervals)
        parts.append(f"{arm}, at a clean accuracy of {spread(levels)}: {'; '.join(texts)}")
    measured = f"accuracy of h64 minus that of h24, {'. '.join(parts)}"
    if results.seeds(CORRECTED) < 2:
        return Judgement(measured, Verdict.OPEN)
    return by_arm(measured, above)


def spared(study: Study) -> Judgement:
    """Ask whether the units of most information keep more of their weights than others."""
    results, parts, more = study.networks, [], {}
    for arm in ARMS:
        incoming, outgoing = (
            np.mean(
                [[r["spared"][name] for r in results.of(arm, pair, SALIENCY_WIDTH)] for pair in results.pairs], axis=0
            )
            for name in ("incoming", "outgoing")
        )
        more[arm] = interval(incoming)[0] > 0
        parts.append(f"{arm}: {spread(incoming, 2)}, with the size of the weight to the output {spread(outgoing, 2)}")
    measured = f"rank correlation with the share of incoming weights kept, {'; '.join(parts)}"
    if results.seeds(CORRECTED) < 2:
        return Judgement(measured, Verdict.OPEN)
    return by_arm(measured, more)


def information(results: Results, arm: str, width: int, level: float, name: str) -> NDArray[np.float64]:
    """A number of the rows of `measures.information` for 4v9 at a true sparsity: one a seed."""
    return np.array(
        [
            row[name]
            for result in results.of(arm, SALIENCY_PAIR, width)
            for row in result["information"]
            if row["level"] == level
        ]
    )


def lost(study: Study) -> Judgement:
    """Ask whether the output of the pruned network has lost most of its information on the digit."""
    results, parts, gone = study.networks, [], {}
    for arm in ARMS:
        dense, pruned = (information(results, arm, SALIENCY_WIDTH, level, "output") for level in (0.0, COLLAPSE))
        best = [information(results, arm, SALIENCY_WIDTH, level, "largest") for level in (0.0, COLLAPSE)]
        gone[arm] = interval(pruned / dense)[1] < LOST
        parts.append(
            f"{arm}: output {spread(dense, 2)} -> {spread(pruned, 2)} bit, a share of {spread(pruned / dense, 2)}; "
            f"best hidden unit {spread(best[0], 2)} -> {spread(best[1], 2)} bit"
        )
    measured = "; ".join(parts)
    if results.seeds(CORRECTED) < 2:
        return Judgement(measured, Verdict.OPEN)
    return by_arm(measured, gone)


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "The hidden representation pruned by 95 % stays as separable as the dense one, on 4v9 h24",
        "by eye, on t-SNE",
        "holds if at a true 95 % the balanced accuracy of a linear classifier of the hidden activations is in the mean "
        f"lower by at most {MAY_LOSE['separability']}, and their silhouette by at most {MAY_LOSE['silhouette']}, in "
        "both arms; a condition if only with the released division",
        separable,
        "separability.png",
        OF_THE_PAPER,
        ("representation.png",),
    ),
    Claim(
        "A wider network (h64) is more robust than a narrow one (h24) at matched clean accuracy, on 4v9",
        "clean accuracy not matched",
        "each network is followed along its training, and both are compared at the largest clean accuracy that both "
        "reach; holds if the interval over seeds of the difference in accuracy lies above 0 under all six corruptions, "
        "in both arms",
        robust_when_matched,
        "matched_robustness.png",
        OUR_OWN,
        ("robustness_along_training.png",),
    ),
    Claim(
        "One-shot pruning spares the hidden units that know the digit (h24, all pairs)",
        "named as future work",
        f"holds if, at {CUT:.0%}, the rank correlation over units between the mutual information of activation and "
        "label and the share of incoming weights kept, averaged over the pairs, has an interval over seeds above 0, "
        "in both arms",
        spared,
        "units.png",
        OUR_OWN,
    ),
    Claim(
        "What a true 95 % takes is the output's information on the digit, not only its threshold, on 4v9 h24",
        "no reference",
        f"holds if the interval over seeds of the share of the mutual information of logit and label that is left lies "
        f"below {LOST}, in both arms",
        lost,
        "information.png",
        OUR_OWN,
    ),
)
