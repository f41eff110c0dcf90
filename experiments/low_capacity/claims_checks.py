"""Checks of our own, of saliency, robustness and what pruning leaves: rules, written before their numbers were seen."""

from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from experiments.claims import Case, Claim
from experiments.low_capacity import published as paper
from experiments.low_capacity.claims import Floats, close, in_both_arms, overlap, unless_divided_twice
from experiments.low_capacity.inside import CUT
from experiments.low_capacity.measures import LARGE, SMALL
from experiments.low_capacity.saliency import BOTH_PERMUTED, LAST_PERMUTED, REPLICA, UNTRAINED
from experiments.statistics import interval, spread
from experiments.table import Table

LOST = 0.5
ABOVE_ROUNDING, PROPORTIONAL = 10, (0.8, 1.2)
CORRUPTIONS = (*(f"gaussian noise {sigma:g}" for sigma in paper.SIGMAS), f"occlusion {paper.PATCH:g}")


def _like_a_replica(networks: Table, pruning: str) -> Case:
    shared, replica, permuted = (overlap(networks, other) for other in (pruning, REPLICA, BOTH_PERMUTED))
    text = f"{spread(shared, 2)}, trained anew {spread(replica, 2)}, {BOTH_PERMUTED} {spread(permuted, 2)}"
    alike = interval(shared - replica)[1] >= 0 and interval(shared - permuted)[0] > 0
    return f"{text}, less trained anew {spread(shared - replica, 2)}", alike


def _forgets(networks: Table) -> Case:
    shared = {other: overlap(networks, other) for other in (REPLICA, LAST_PERMUTED, BOTH_PERMUTED, UNTRAINED)}
    more = shared[REPLICA] - shared[BOTH_PERMUTED]
    text = ", ".join(f"{other} {spread(values, 2)}" for other, values in shared.items())
    return f"{text}; trained anew minus {BOTH_PERMUTED} {spread(more, 2)}", interval(more)[0] > 0


def slope(errors: Sequence[Mapping[str, float]]) -> float:
    """Slope of log error against log step above rounding; NaN if fewer than two steps are left.

    Rounding grows as the step falls, so where the error is least the two are equal; from ten times that step on
    rounding is a hundredth.
    """
    steps, error = (np.array([row[name] for row in errors]) for name in ("step", "error"))
    above = steps >= ABOVE_ROUNDING * steps[np.argmin(error)]
    if above.sum() < 2:
        return np.nan
    return float(np.polyfit(np.log10(steps[above]), np.log10(error[above]), 1)[0])


def _in_proportion(networks: Table) -> Case:
    found = [row["forward_difference"] for row in close(networks)]
    slopes, papers = [slope(errors) for errors in found], [errors[0]["error"] for errors in found]
    least = np.mean([min(row["error"] for row in errors) for errors in found])
    text = f"relative error {spread(papers)} at a step of {found[0][0]['step']:g}, the least {least:.1e}"
    return f"{text}; slope {spread(slopes, 2)}", bool(PROPORTIONAL[0] <= np.mean(slopes) <= PROPORTIONAL[1])


def at_clean(rows: Sequence[Mapping[str, float]], level: float, name: str) -> float:
    """Accuracy under the corruption `name` when the clean one first rises to `level` along a "trajectory".

    Between two rows both are taken to change in proportion. NaN if the level was passed before the first row, or never.
    """
    k = next((k for k, row in enumerate(rows) if row["clean"] >= level), None)
    if k is not None and rows[k]["clean"] == level:
        return rows[k][name]
    if not k:
        return np.nan
    before, after = rows[k - 1], rows[k]
    share = (level - before["clean"]) / (after["clean"] - before["clean"])
    return before[name] + share * (after[name] - before[name])


def gains(networks: Table, name: str) -> tuple[Floats, Floats, Floats]:
    """How much more accurate h64 is than h24 on 4v9 under a corruption, a number for each seed.

    After training; at the largest clean accuracy that both had in training; and that accuracy.
    """
    small, large = (networks.where(pair=paper.CLOSE_PAIR, width=width) for width in (SMALL, LARGE))
    found = []
    for trajectories in zip(small, large, strict=True):
        one, other = (row["trajectory"] for row in trajectories)
        level = min(max(row["clean"] for row in rows) for rows in (one, other))
        matched = at_clean(other, level, name) - at_clean(one, level, name)
        found.append((other[-1][name] - one[-1][name], matched, level))
    after, matched, levels = np.array(found).T
    return after, matched, levels


def _robust_when_matched(networks: Table) -> Case:
    texts, above = [], True
    for name in CORRUPTIONS:
        after, matched, levels = gains(networks, name)
        texts.append(f"{name} {spread(matched)}, after training {spread(after)}")
        above &= interval(matched)[0] > 0
    return f"at a clean accuracy of {spread(levels)}, {'; '.join(texts)}", above


def _spared(networks: Table) -> Case:
    pairs = networks.where(width=paper.CLOSE_WIDTH).by("pair").values()
    incoming, outgoing = (
        np.mean([rows["spared", name] for rows in pairs], axis=0) for name in ("incoming", "outgoing")
    )
    text = f"{spread(incoming, 2)}, with the size of the weight to the output {spread(outgoing, 2)}"
    return text, interval(incoming)[0] > 0


def _lost(networks: Table) -> Case:
    rows = close(networks).each("information")
    dense, pruned = (rows.where(level=level) for level in (0.0, paper.CLOSE_SHARE))
    left = pruned["output"] / dense["output"]
    text = (
        f"output {spread(dense['output'], 2)} -> {spread(pruned['output'], 2)} bit, a share of {spread(left, 2)}; "
        f"best hidden unit {spread(dense['largest'], 2)} -> {spread(pruned['largest'], 2)} bit"
    )
    return text, interval(left)[1] < LOST


_OWN = partial(Claim, group="Our own checks")
_SHARED = "share of the 5 % most salient pixels shared with the dense network"
CLAIMS = (
    _OWN(
        statement="The saliency map of 4v9 h24 pruned by 95 % is as near to the dense one's as that of a network "
        "trained anew",
        rule="holds if in both arms the interval over seeds of the difference between the two overlaps does not lie "
        "below 0, and that of the difference to a network with permuted weights lies above 0; a condition if only "
        "with the released division",
        judge=partial(unless_divided_twice, _like_a_replica, about=_SHARED, seeds=2),
        figures=("saliency_agreement",),
    ),
    _OWN(
        statement="A saliency map shows what was learnt, on 4v9 h24 (sanity check)",
        rule="holds if permuting the weights of both layers leaves fewer of the 5 % most salient pixels than training "
        "anew does: the interval over seeds of the difference lies above 0, in both arms",
        judge=partial(in_both_arms, _forgets, about=_SHARED, seeds=2),
        figures=("saliency_agreement",),
    ),
    _OWN(
        statement="The error of the paper's forward difference falls in proportion to its step, on 4v9 h24",
        published="a step of 0.1, no check",
        rule=f"holds if the mean slope of log error against log step is between {PROPORTIONAL[0]} and "
        f"{PROPORTIONAL[1]} for steps at least {ABOVE_ROUNDING} times that of the least error, in both arms",
        judge=partial(in_both_arms, _in_proportion),
        figures=("forward_difference",),
    ),
    _OWN(
        statement="A wider network (h64) is more robust than a narrow one (h24) at matched clean accuracy, on 4v9",
        published="clean accuracy not matched",
        rule="both are compared at the largest clean accuracy that both reach in training; holds if the interval over "
        "seeds of the difference in accuracy lies above 0 under all six corruptions, in both arms",
        judge=partial(in_both_arms, _robust_when_matched, about="accuracy of h64 minus that of h24", seeds=2),
        figures=("matched_robustness",),
    ),
    _OWN(
        statement="One-shot pruning spares the hidden units that know the digit (h24, all pairs)",
        published="named as future work",
        rule=f"holds if, at {CUT:.0%}, the rank correlation over units between the mutual information of activation "
        "and label and the share of incoming weights kept, averaged over the pairs, has an interval over seeds above "
        "0, in both arms",
        judge=partial(in_both_arms, _spared, about="rank correlation with the share of incoming weights kept", seeds=2),
        figures=("units",),
    ),
    _OWN(
        statement="What a true 95 % takes is the output's information on the digit, not only its threshold, on 4v9 h24",
        rule="holds if the interval over seeds of the share that is left of the mutual information of logit and label "
        f"lies below {LOST}, in both arms",
        judge=partial(in_both_arms, _lost, seeds=2),
        figures=("information",),
    ),
)
