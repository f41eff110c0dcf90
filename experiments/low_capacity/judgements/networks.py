"""Capacity, pruning, dead units and robustness: the claims, and the rules that judge them."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Claim, Judgement, Verdict, interval, spread
from experiments.low_capacity.judgements.verdicts import OF_THE_PAPER, REPRODUCTION, by_arm, unless_divided_twice
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED
from experiments.low_capacity.published import (
    DEAD_UNITS_AT,
    ENOUGH_F1,
    FIGURE_3,
    NOISE_PAIR,
    PATCH,
    PRUNED_PERCENT,
    SALIENCY_WIDTH,
    SEEDS,
    SIGMAS,
    WIDTHS,
)
from experiments.low_capacity.results import Results, Study, pair_name, smallest_width

NEAR_FIGURE_3, CELLS_NEAR = 0.015, 53 / 55
STABLE = 0.02
UNCHANGED = 0.01
BARELY = 0.001
MODERATE = 0.5
DAMAGE = ("gaussian noise", "occlusion")
SMALL, LARGE = 24, 64


def figure_3(study: Study) -> Judgement:
    """Compare mean best training F1 as released with the published points."""
    results = study.networks
    differences = {
        f"{pair_name(pair)} h{width}": results.best_f1(AS_RELEASED, pair, width).mean()
        - FIGURE_3[pair][WIDTHS.index(width)]
        for pair in results.pairs
        for width in results.widths
    }
    near = sum(abs(difference) <= NEAR_FIGURE_3 for difference in differences.values())
    worst = max(differences, key=lambda cell: abs(differences[cell]))
    measured = (
        f"{near} of {len(differences)} cells within {NEAR_FIGURE_3} (means of {results.seeds(AS_RELEASED)} seeds); "
        f"the largest difference is {differences[worst]:+.3f}, {worst}"
    )
    if results.seeds(AS_RELEASED) < len(SEEDS):
        return Judgement(measured, Verdict.OPEN)
    return Judgement(measured, Verdict.HOLDS if near >= CELLS_NEAR * len(differences) else Verdict.FAILS)


def minimum_width(results: Results, arm: str, pair: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """The smallest width from which on F1 is high and stable over seeds, infinite if there is none; its interval."""
    f1 = np.stack([results.best_f1(arm, pair, width) for width in results.widths], axis=-1)
    return float(_first_width(f1[None], results.widths)[0]), interval(
        f1, lambda resamples: _first_width(resamples, results.widths)
    )


def _first_width(f1: NDArray[np.float64], widths: Sequence[int]) -> NDArray[np.float64]:
    """For each of many samples of F1, (samples, seeds, widths), the smallest width from which on all are enough."""
    spread = f1.std(axis=1, ddof=1) if f1.shape[1] > 1 else np.zeros((len(f1), len(widths)))
    enough = (f1.mean(axis=1) > ENOUGH_F1) & (spread < STABLE)
    return smallest_width(enough, widths)


def capacity(study: Study) -> Judgement:
    """Compare the minimum widths along the paper's order of difficulty."""
    results = study.networks
    parts, grows = [], {}
    for arm in ARMS:
        found = [minimum_width(results, arm, pair) for pair in results.pairs]
        texts = [
            f"{pair_name(pair)} {width:g} [{lowest:g}, {highest:g}]"
            for pair, (width, (lowest, highest)) in zip(results.pairs, found, strict=True)
        ]
        parts.append(f"{arm}: {', '.join(texts)}")
        widths = [width for width, _ in found]
        grows[arm] = widths == sorted(widths) and widths[0] < widths[-1]
    return by_arm("; ".join(parts), grows)


def divided_twice(study: Study) -> Judgement:
    """Look at the largest change of F1 that the released division makes, over all percentages."""
    results = study.networks
    parts, unchanged = [], {}
    for arm in ARMS:
        changes = {
            f"{pair_name(pair)} h{width}, {percent} %": results.change(
                arm, pair, width, "divided twice", percent / 100
            ).mean()
            for pair in results.pairs
            for width in results.widths
            if width > WIDTHS[0]
            for percent in PRUNED_PERCENT
        }
        worst = max(changes, key=lambda cell: abs(changes[cell]))
        removed = [
            results.scores(arm, pair, width, "divided twice", 0.95, "removed").mean()
            for pair in results.pairs
            for width in results.widths
            if width > WIDTHS[0]
        ]
        parts.append(
            f'{arm}: largest change {changes[worst]:+.5f} ({worst}); "95 %" removes {100 * min(removed):.2f} to '
            f"{100 * max(removed):.2f} % of the weights"
        )
        unchanged[arm] = abs(changes[worst]) < BARELY
    return by_arm("; ".join(parts), unchanged)


def pruning(study: Study) -> Judgement:
    """Look at the largest change of mean F1 at 95 %, truly removed and divided twice."""
    results = study.networks
    parts, unchanged = [], {}
    for condition in ("pruned", "divided twice"):
        for arm in ARMS:
            changes = {
                f"{pair_name(pair)} h{width}": results.change(arm, pair, width, condition, 0.95)
                for pair in results.pairs
                for width in results.widths
                if width > WIDTHS[0]
            }
            worst = max(changes, key=lambda cell: abs(changes[cell].mean()))
            name = "true 95 %" if condition == "pruned" else "divided by 100 twice"
            parts.append(f"{name}, {arm}: largest change {spread(changes[worst], 4)} ({worst})")
            unchanged[condition, arm] = abs(changes[worst].mean()) <= UNCHANGED
    for arm in ARMS:
        f1 = results.scores(arm, NOISE_PAIR, SALIENCY_WIDTH, "pruned", 0.95)
        balanced = results.scores(arm, NOISE_PAIR, SALIENCY_WIDTH, "pruned", 0.95, "balanced_accuracy")
        clean = results.scores(arm, NOISE_PAIR, SALIENCY_WIDTH)
        parts.append(
            f"4v9 h24 at a true 95 %, {arm}: F1 {spread(clean)} -> {spread(f1)}, balanced accuracy {spread(balanced)}"
        )
    return unless_divided_twice("; ".join(parts), unchanged)


def dead(study: Study) -> Judgement:
    """Count hidden units that are 0 on every image, before and after a true 95 %.

    Units whose weight to the output is removed are reported beside: alive or dead, they no longer count.
    """
    results = study.networks
    parts, none = [], {}
    for arm in ARMS:
        appeared = {}
        for pair, width in DEAD_UNITS_AT:
            found = results.of(arm, pair, width)
            if found:
                before, after = (np.mean([result["dead"][when] for result in found]) for when in ("dense", "pruned"))
                cut_off = np.mean([result["cut_off"] for result in found])
                text = f"{pair_name(pair)} h{width} {before:.1f} -> {after:.1f}, but {cut_off:.1f} cut off"
                appeared[text] = after > before
        parts.append(f"{arm}: {'; '.join(appeared)}")
        none[arm] = not any(appeared.values())
    return by_arm("; ".join(parts), none)


def robustness(study: Study) -> Judgement:
    """Compare h64 with h24 on 4v9 under every corruption, seed by seed, in F1 and in the F1 lost from clean."""
    results = study.networks
    conditions = [(DAMAGE[0], sigma) for sigma in SIGMAS] + [(DAMAGE[1], PATCH)]
    parts, higher, smaller_drop = [], [], []
    for arm in ARMS:
        gains, savings = [], []
        for condition, level in conditions:
            f1 = [results.scores(arm, NOISE_PAIR, width, condition, level) for width in (SMALL, LARGE)]
            change = [results.change(arm, NOISE_PAIR, width, condition, level) for width in (SMALL, LARGE)]
            gains.append(f1[1] - f1[0])
            savings.append(change[1] - change[0])
        wins, drops = (sum(interval(values)[0] > 0 for values in found) for found in (gains, savings))
        parts.append(
            f"{arm}: h64 has the higher F1 in {wins} and the smaller drop in {drops} of {len(conditions)}; at sigma "
            f"{SIGMAS[-1]} its F1 is higher by {spread(gains[len(SIGMAS) - 1])} and its drop smaller by "
            f"{spread(savings[len(SIGMAS) - 1])}"
        )
        higher.append(wins == len(conditions))
        smaller_drop.append(drops == len(conditions))
    measured = "; ".join(parts)
    if results.seeds(CORRECTED) < 2:
        return Judgement(measured, Verdict.OPEN)
    if all(higher) and all(smaller_drop):
        return Judgement(measured, Verdict.HOLDS)
    if all(higher):
        return Judgement(measured, Verdict.CONDITIONAL, "F1 itself is compared, not what is lost from the clean F1")
    return Judgement(measured, Verdict.FAILS)


def moderate(study: Study) -> Judgement:
    """Count networks and sparsities up to 50 % at which F1 rises, and at which it falls: their interval excludes 0."""
    results = study.networks
    parts, more = [], {}
    for arm in ARMS:
        rises = falls = cells = 0
        largest = 0.0
        for pair in results.pairs:
            for width in [width for width in results.widths if width > WIDTHS[0]]:
                for level in [percent / 100 for percent in PRUNED_PERCENT if percent / 100 <= MODERATE]:
                    change = results.change(arm, pair, width, "pruned", level)
                    lowest, highest = interval(change)
                    cells += 1
                    falls += highest < 0
                    rises += lowest > 0
                    largest = max(largest, change.mean())
        parts.append(f"{arm}: rises in {rises}, falls in {falls} of {cells} cells; largest mean rise {largest:+.4f}")
        more[arm] = rises > falls
    if results.seeds(CORRECTED) < 2:
        return Judgement("; ".join(parts), Verdict.OPEN)
    return by_arm("; ".join(parts), more)


CLAIMS: tuple[Claim[Study], ...] = (
    Claim(
        "Best training F1 against width looks like Figure 3 (our reproduction, as released)",
        "55 means of three seeds, read off the plot to about 0.005",
        f"holds if at least 53 of 55 cells (that share of those run) are within {NEAR_FIGURE_3}; judged with the "
        "paper's three seeds only",
        figure_3,
        "capacity.png",
        REPRODUCTION,
    ),
    Claim(
        'What the released code removes at "10 %" to "99 %", dividing by 100 twice, changes F1 by less than 0.1 %',
        "changes of at most about 0.03 %",
        f"holds if the mean change of F1 is below {BARELY:.1%} for every pair, width >= 4 and percentage, in both arms",
        divided_twice,
        "pruning_f1.png",
        REPRODUCTION,
    ),
    Claim(
        "The smallest sufficient width grows with the difficulty of the digit pair",
        "0v1: 4, 1v7 and 5v6: about 10, 4v9: 12 to 24",
        f"smallest width from which on mean F1 > {ENOUGH_F1} with a deviation over seeds < {STABLE}; holds if it never "
        "falls along the paper's order of pairs and is larger at its end than at its start, in both arms",
        capacity,
        "capacity.png",
        OF_THE_PAPER,
    ),
    Claim(
        "Magnitude pruning to 95 % without retraining leaves F1 unchanged",
        "changes of at most about 0.03 %, even at 99 %",
        f"holds if mean F1 changes by at most {UNCHANGED} for every pair and width >= 4 at a true 95 %, in both arms; "
        "a condition if that is so only with the released division",
        pruning,
        "collapse.png",
        OF_THE_PAPER,
        ("pruning_f1.png", "pruning_balanced_accuracy.png"),
    ),
    Claim(
        "No hidden unit dies at 95 %",
        "0 -> 0 for 0v1 h12, 3v8 h16 and 4v9 h24",
        "holds if in none of these networks the mean number of units that are 0 on every image rises, in both arms",
        dead,
        "dead_units.png",
        OF_THE_PAPER,
    ),
    Claim(
        "A wider network (h64) is more robust to noise and occlusion than a narrow one (h24), on 4v9",
        "F1 at sigma 0.1 to 0.5: h24 .881 to .669, h64 .917 to .766; occlusion: .847, .862",
        "holds if h64 has both the higher F1 and the smaller drop from clean under all six corruptions, in both arms: "
        "the interval over seeds of the difference lies above 0; a condition if only the F1 is higher",
        robustness,
        "gaussian_noise.png",
        OF_THE_PAPER,
    ),
    Claim(
        "Moderate pruning sometimes improves F1",
        "single cells of the pruning figure",
        "cells: pair x width >= 4 x sparsity up to 50 %; holds if the change's interval over seeds lies above 0 in "
        "more of them than below 0, in both arms",
        moderate,
        "pruning_f1.png",
        OF_THE_PAPER,
    ),
)
