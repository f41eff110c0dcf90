"""What the paper does not ask: how sparse networks can be, how difficult pairs of digits are, and checks of our own.

The rules were written before their numbers were seen. A *cell* is a pair of digits and a width of at least 4. A method
*reaches* a sparsity in a cell if there, and at every lower level that was tried, mean accuracy is at most one point
below that of the dense networks.
"""

import itertools
from collections.abc import Mapping, Sequence
from functools import partial
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Claim, Judgement, verdict
from experiments.low_capacity.claims import (
    LARGE,
    SMALL,
    TRAINED,
    Judged,
    close,
    in_both_arms,
    overlap,
    smallest_width,
    unless_divided_twice,
    wide,
)
from experiments.low_capacity.inside import CUT
from experiments.low_capacity.limits import DENSE, NEW_WEIGHTS, RANDOM, RETRAINED, REWOUND, SCOPES
from experiments.low_capacity.networks import ARMS, CORRECTED, DIFFICULTY, DIFFICULTY_WIDTHS, LIMITS, LINEAR
from experiments.low_capacity.published import CLOSE_PAIR, CLOSE_SHARE, CLOSE_WIDTH, ENOUGH_F1, PAIRS, PATCH, SIGMAS
from experiments.low_capacity.saliency import BOTH_PERMUTED, LAST_PERMUTED, REPLICA, UNTRAINED
from experiments.statistics import interval, spread
from experiments.table import Table
from npnet.ranks import rank_correlation

POINT = 0.01
ROUNDING = 1e-9  # 0.99 - 0.98 is more than 0.01 in floating point
LOST = 0.5
ABOVE_ROUNDING, PROPORTIONAL = 10, (0.8, 1.2)
ABSOLUTE, RELATIVE = DEFINITIONS = (
    f"mean F1 above {ENOUGH_F1:.2f}",
    "mean F1 within one point of the widest network's",
)
CORRUPTIONS = (*(f"gaussian noise {sigma:g}" for sigma in SIGMAS), f"occlusion {PATCH:g}")

Floats = NDArray[np.float64]

_SPARSE = partial(Claim, group="How sparse can they be?")
_DIFFICULT = partial(Claim, group="How difficult are the pairs?")
_OWN = partial(Claim, group="Our own checks")

# How sparse they can be.


def limit(dense: Floats, pruned: Floats, levels: Sequence[float]) -> Floats:
    """Largest level such that here and at all lower levels mean accuracy is at most one point below the dense one.

    A level that recovers above one that does not is not counted. A difference of exactly one point is counted; NaN is
    not.

    Parameters
    ----------
    dense : float array (..., seeds)
        Accuracies of the dense networks.
    pruned : float array (..., seeds, levels)
    levels : ascending

    Returns
    -------
    float array (...)
        0 if not even the lowest level is within one point.
    """
    lost = dense.mean(axis=-1)[..., None] - pruned.mean(axis=-2)
    run = np.logical_and.accumulate(lost <= POINT + ROUNDING, axis=-1).sum(axis=-1)
    return np.array([0.0, *levels])[run]


def limits_of(table: Table) -> Table:
    """A row for each arm, pair, width and method, with the `limit` of the means over seeds, and that of "each_seed"."""
    found = []
    cells = table.where(part=LIMITS).each("rows").by("arm", "digits", "width")
    for (arm, digits, width), rows in cells.items():
        methods = rows.by("method")
        dense = methods.pop(DENSE)["accuracy"]
        for method, tried in methods.items():
            levels = tried.by("level")
            pruned = np.stack([each["accuracy"] for each in levels.values()], axis=1)
            row = {"arm": arm, "digits": digits, "width": width, "method": method}
            row |= {"limit": float(limit(dense, pruned, list(levels)))}
            found.append(row | {"each_seed": limit(dense[:, None], pruned[:, None], list(levels)).tolist()})
    return Table(found)


def _with_retraining(table: Table) -> Judgement:
    cells = wide(limits_of(table)).where(arm=CORRECTED, method=lambda method: method in RETRAINED)
    texts, widths = {}, {}
    for method, rows in cells.by("method").items():
        reached = rows["limit"] >= CLOSE_SHARE
        by_seed = (rows["each_seed"] >= CLOSE_SHARE).sum(axis=0)
        texts[method] = f"{reached.sum()} of {len(rows)}, by seed {spread(by_seed, 1)}"
        if method not in (RANDOM, NEW_WEIGHTS):
            short = max(rows["width"][~reached], default=0)
            widths[method] = min((width for width in rows.by("width") if width > short), default=np.inf)
    best = min(widths, key=widths.__getitem__)
    everywhere = widths[best] == min(cells.by("width"))
    found = {method: (text, everywhere) for method, text in texts.items()}
    found["all cells"] = f"from h >= {widths[best]} on, {best}", bool(np.isfinite(widths[best]))
    only_if = {"all cells": f"h >= {widths[best]} ({best})"}
    return verdict(found, only_if, about="cells that reach a true 95 %")


def advantage(table: Table, control: str) -> Floats:
    """Mean accuracy of the rewound tickets minus that of a control, over seeds and levels from 95 % on; by cell."""
    rows = wide(table.where(part=LIMITS, arm=CORRECTED)).each("rows").where(level=lambda level: level >= CLOSE_SHARE)
    tickets, others = (rows.where(method=method).by("digits", "width") for method in (REWOUND, control))
    return np.array([(tickets[cell]["accuracy"] - others[cell]["accuracy"]).mean() for cell in tickets])


def _tickets_are_better(table: Table) -> Judgement:
    found = {}
    for control in (RANDOM, NEW_WEIGHTS):
        differences = advantage(table, control)
        text = f"{spread(differences, 4)}, better in {np.sum(differences > 0)} cells"
        found[control] = text, interval(differences)[0] > 0
    about = "accuracy of the tickets minus that of a control, mean over cells and levels"
    return verdict(found, "compared with a {} alone", about=about)


def _without_retraining(table: Table) -> Judgement:
    cells = wide(limits_of(table)).where(method=lambda method: method in SCOPES)
    texts, reached = {}, {}
    for (arm, method), rows in cells.by("arm", "method").items():
        ends = (pick(rows, key=lambda row: row["limit"]) for pick in (min, max))
        extremes = " to ".join(f"{100 * row['limit']:g} % ({row['digits']} h{row['width']})" for row in ends)
        medians = 100 * np.median(rows["each_seed"], axis=0)
        texts[arm, method] = f"{method} {extremes}, median by seed {spread(medians, 1)} %"
        reached[arm, method] = bool((rows["limit"] >= CLOSE_SHARE).all())
    better = max(SCOPES, key=lambda method: sum(reached[arm, method] for arm in ARMS))
    found = {arm: ("; ".join(texts[arm, method] for method in SCOPES), reached[arm, better]) for arm in ARMS}
    return verdict(found, "the networks are trained {}")


# How difficult pairs are, and how many hidden units they need.


def wilson(p: float, n: float) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n examples.

    (p + z²/2n -+ z sqrt(p (1 - p)/n + z²/4n²)) / (1 + z²/n).

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    z = NormalDist().inv_cdf(0.975)
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return float((middle - half) / (1 + z * z / n)), float((middle + half) / (1 + z * z / n))


def difficulties(table: Table) -> Table:
    """How difficult each pair is: a row for each arm and pair, the paper's first, in its order; means over seeds.

    "error": the share of the test examples that a linear classifier gets wrong; "low" and "high": its `wilson` interval
    for as many examples as one seed has, since the seeds have the same test examples, or many of the same; "overlap"
    and "nearest_mean_error": see `measures.class_means`.

    The minimum width is the smallest from which on F1 is enough, infinite if there is none. `ABSOLUTE`, the paper's:
    more than 0.90; whether seeds are stable is not asked. `RELATIVE`: at most one point (0.01) below the widest
    network's of that arm and pair.
    """
    found = []
    for (arm, pair, digits), rows in table.where(part=DIFFICULTY).by("arm", "pair", "digits").items():
        linear = rows.where(width=LINEAR)
        row: dict[str, Any] = {name: linear[name].mean() for name in ("judged", "overlap", "nearest_mean_error")}
        error = 1 - linear["accuracy"].mean()
        low, high = wilson(error, row["judged"])
        f1 = np.array([rows.where(width=width)["f1"].mean() for width in DIFFICULTY_WIDTHS[arm]])
        for definition, enough in ((ABSOLUTE, f1 > ENOUGH_F1), (RELATIVE, f1[-1] - f1 <= POINT + ROUNDING)):
            row[definition] = float(smallest_width(enough, DIFFICULTY_WIDTHS[arm]))
        found.append({"arm": arm, "pair": pair, "digits": digits, "error": error, "low": low, "high": high} | row)
    return Table(sorted(found, key=lambda row: PAIRS.index(row["pair"]) if row["pair"] in PAIRS else len(PAIRS)))


def growth(pairs: Table, definition: str) -> tuple[float, tuple[float, float]]:
    """Spearman's rank correlation, over `difficulties` of an arm, of error and minimum width; its interval over pairs.

    0 if all pairs, or all of a resample, are equal in one of the two: then nothing grows.
    """

    def correlation(samples: Floats) -> Floats:
        constant = (samples == samples[:, :1]).all(axis=1).any(axis=1)
        return np.where(constant, 0.0, rank_correlation(samples[..., 0], samples[..., 1]))

    both = np.stack([pairs["error"], pairs[definition]], axis=1)
    return float(correlation(both[None])[0]), interval(both, correlation)


def _in_order(table: Table) -> Judgement:
    found = {}
    for arm, pairs in difficulties(table).by("arm").items():
        papers = pairs.where(pair=lambda pair: pair in PAIRS)
        ranks = [1 + np.sum(pairs["error"] < row["error"]) for row in papers]
        text = ", ".join(
            f"{row['digits']} {100 * row['error']:.2f} % [{100 * row['low']:.2f}, {100 * row['high']:.2f}], rank {rank}"
            for row, rank in zip(papers, ranks, strict=True)
        )
        found[arm] = text, all(easier < harder for easier, harder in itertools.pairwise(papers["error"]))
    about = f"error of a linear classifier, rank among {len(pairs)} pairs"
    return verdict(found, TRAINED, about=about, few=len(papers) < len(PAIRS))


def _width_grows(table: Table) -> Judgement:
    found = {}
    for arm, pairs in difficulties(table).by("arm").items():
        grown = {definition: growth(pairs, definition) for definition in DEFINITIONS}
        text = ", ".join(
            f"{value:.2f} [{low:.2f}, {high:.2f}] ({name})" for name, (value, (low, high)) in grown.items()
        )
        found[arm] = text, grown[RELATIVE][1][0] > 0
    about = f"rank correlation of minimum width and linear error over {len(pairs)} pairs"
    return verdict(found, TRAINED, about=about, few=len(pairs) <= len(PAIRS))


# Our own checks.


def _like_a_replica(networks: Table, pruning: str) -> Judged:
    shared, replica, permuted = (overlap(networks, other) for other in (pruning, REPLICA, BOTH_PERMUTED))
    text = f"{spread(shared, 2)}, trained anew {spread(replica, 2)}, {BOTH_PERMUTED} {spread(permuted, 2)}"
    alike = interval(shared - replica)[1] >= 0 and interval(shared - permuted)[0] > 0
    return f"{text}, less trained anew {spread(shared - replica, 2)}", alike


def _forgets(networks: Table) -> Judged:
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
    x, y = np.log10(steps[above]), np.log10(error[above])
    x -= x.mean()
    return float(x @ y / (x @ x))


def _in_proportion(networks: Table) -> Judged:
    found = [row["forward_difference"] for row in close(networks)]
    slopes, papers = [slope(errors) for errors in found], [errors[0]["error"] for errors in found]
    least = np.mean([min(row["error"] for row in errors) for errors in found])
    text = f"relative error {spread(papers)} at a step of {found[0][0]['step']:g}, the least {least:.1e}"
    return f"{text}; slope {spread(slopes, 2)}", bool(PROPORTIONAL[0] <= np.mean(slopes) <= PROPORTIONAL[1])


def at_clean(rows: Sequence[Mapping[str, float]], level: float, name: str) -> float:
    """Accuracy under the corruption `name` when the clean one first rises to `level` along a `measures.trajectory`.

    Between two checkpoints both are taken to change in proportion. NaN if the level was passed before the first
    checkpoint or is never reached.
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
    small, large = (networks.where(pair=CLOSE_PAIR, width=width) for width in (SMALL, LARGE))
    found = []
    for trajectories in zip(small, large, strict=True):
        one, other = (row["trajectory"] for row in trajectories)
        level = min(max(row["clean"] for row in rows) for rows in (one, other))
        matched = at_clean(other, level, name) - at_clean(one, level, name)
        found.append((other[-1][name] - one[-1][name], matched, level))
    after, matched, levels = np.array(found).T
    return after, matched, levels


def _robust_when_matched(networks: Table) -> Judged:
    texts, above = [], True
    for name in CORRUPTIONS:
        after, matched, levels = gains(networks, name)
        texts.append(f"{name} {spread(matched)}, after training {spread(after)}")
        above &= interval(matched)[0] > 0
    return f"at a clean accuracy of {spread(levels)}, {'; '.join(texts)}", above


def _spared(networks: Table) -> Judged:
    pairs = networks.where(width=CLOSE_WIDTH).by("pair").values()
    incoming, outgoing = (
        np.mean([rows["spared", name] for rows in pairs], axis=0) for name in ("incoming", "outgoing")
    )
    text = f"{spread(incoming, 2)}, with the size of the weight to the output {spread(outgoing, 2)}"
    return text, interval(incoming)[0] > 0


def _lost(networks: Table) -> Judged:
    rows = close(networks).each("information")
    dense, pruned = (rows.where(level=level) for level in (0.0, CLOSE_SHARE))
    left = pruned["output"] / dense["output"]
    text = (
        f"output {spread(dense['output'], 2)} -> {spread(pruned['output'], 2)} bit, a share of {spread(left, 2)}; "
        f"best hidden unit {spread(dense['largest'], 2)} -> {spread(pruned['largest'], 2)} bit"
    )
    return text, interval(left)[1] < LOST


_SHARED = "share of the 5 % most salient pixels shared with the dense network"
CLAIMS = (
    _SPARSE(
        statement="With retraining after the cut, 95 % of the weights can be removed within one point of dense "
        "accuracy",
        published='not studied; the paper removes its "95 %" without retraining',
        rule="a cell (pair x width >= 4) reaches 95 % if there and at every lower level tried mean accuracy is at most "
        "one point below dense; holds if all cells reach it by one of fine-tuning, iterative fine-tuning and "
        "rewinding; a condition if all from some width on do; corrected arm",
        judge=_with_retraining,
        figures=("limits",),
    ),
    _SPARSE(
        statement="At a true 95 % and above, lottery tickets beat random masks and their own masks with new weights",
        published="not studied; Frankle & Carbin 2019 for other networks",
        rule="for each cell (pair x width >= 4) the mean difference in accuracy over levels >= 95 % and seeds; holds "
        "if its interval over cells lies above 0 for both controls, a condition if for one; corrected arm",
        judge=_tickets_are_better,
        figures=("sparse_accuracy",),
    ),
    _SPARSE(
        statement="Without retraining, a true 95 % stays within one point of dense accuracy",
        published="changes of F1 of at most about 0.03 %, even at 99 %",
        rule="holds if all cells (pair x width >= 4) of both arms reach 95 %, ranked layer by layer or globally; a "
        "condition if those of one arm do",
        judge=_without_retraining,
        figures=("limits",),
    ),
    _DIFFICULT(
        statement="0v1, 1v7, 5v6, 3v8, 4v9 is an order of difficulty",
        published="asserted; no difficulty is measured",
        rule="holds if the error of a linear classifier on the test examples, mean over seeds, increases along it, in "
        "both arms",
        judge=_in_order,
        figures=("difficulty",),
    ),
    _DIFFICULT(
        statement="The minimum width grows with difficulty, over all pairs of digits",
        published="said of five pairs, whose difficulty is not measured",
        rule="holds if the 95 % interval, over pairs, of Spearman's correlation between a linear classifier's error "
        f"and the minimum width ({RELATIVE}) lies above 0, in both arms (0 where all pairs are equal); reported beside "
        f"it: the paper's {ABSOLUTE}",
        judge=_width_grows,
        figures=("capacity_difficulty",),
    ),
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
        rule="holds if its relative error falls in proportion to the step: mean slope of log error against log step "
        f"between {PROPORTIONAL[0]} and {PROPORTIONAL[1]} for steps at least {ABOVE_ROUNDING} times that of the least "
        "error, in both arms",
        judge=partial(in_both_arms, _in_proportion),
        figures=("forward_difference",),
    ),
    _OWN(
        statement="A wider network (h64) is more robust than a narrow one (h24) at matched clean accuracy, on 4v9",
        published="clean accuracy not matched",
        rule="each network is followed along its training, and both are compared at the largest clean accuracy that "
        "both reach; holds if the interval over seeds of the difference in accuracy lies above 0 under all six "
        "corruptions, in both arms",
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
        rule="holds if the interval over seeds of the share of the mutual information of logit and label that is left "
        f"lies below {LOST}, in both arms",
        judge=partial(in_both_arms, _lost, seeds=2),
        figures=("information",),
    ),
)
