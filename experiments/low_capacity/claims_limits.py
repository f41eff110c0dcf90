"""What the paper does not ask: how sparse networks can be, and how difficult pairs of digits are.

The rules were written before their numbers were seen.
"""

import itertools
import math
from collections.abc import Sequence
from functools import partial
from statistics import NormalDist

import numpy as np

from experiments.claims import Claim, Judgement, verdict
from experiments.low_capacity import published as paper
from experiments.low_capacity.claims import TRAINED, Floats, smallest_width, wide
from experiments.low_capacity.limits import DENSE, NEW_WEIGHTS, RANDOM, RETRAINED, REWOUND, SCOPES
from experiments.low_capacity.networks import ARMS, CORRECTED, DIFFICULTY, DIFFICULTY_WIDTHS, LIMITS, LINEAR
from experiments.statistics import interval, spread
from experiments.table import Table
from npnet.ranks import rank_correlation

POINT = 0.01
ROUNDING = 1e-9  # 0.99 - 0.98 is more than 0.01 in floating point
ABSOLUTE, RELATIVE = DEFINITIONS = (
    f"mean F1 above {paper.ENOUGH_F1:.2f}",
    "mean F1 within one point of the widest network's",
)


def limit(dense: Floats, pruned: Floats, levels: Sequence[float]) -> Floats:
    """Largest of ascending levels such that there and at all lower ones mean accuracy is within one point of dense.

    Of accuracies (..., seeds) of dense networks and (..., seeds, levels) of pruned ones; 0 if not even the lowest level
    is. A difference of exactly one point is counted; NaN is not.
    """
    lost = dense.mean(axis=-1)[..., None] - pruned.mean(axis=-2)
    run = np.logical_and.accumulate(lost <= POINT + ROUNDING, axis=-1).sum(axis=-1)
    return np.array([0.0, *levels])[run]


def limits_of(table: Table) -> Table:
    """A row for each arm, pair, width and method, with the `limit` of the means over seeds, and that of "each_seed"."""
    found = []
    names = ("arm", "digits", "width")
    for cell, rows in table.where(part=LIMITS).each("rows").by(*names).items():
        methods = rows.by("method")
        dense = methods.pop(DENSE)["accuracy"]
        for method, tried in methods.items():
            levels = tried.by("level")
            pruned = np.stack([each["accuracy"] for each in levels.values()], axis=1)
            row = {"method": method, "limit": float(limit(dense, pruned, list(levels)))}
            row["each_seed"] = limit(dense[:, None], pruned[:, None], list(levels)).tolist()
            found.append(dict(zip(names, cell, strict=True)) | row)
    return Table(found)


def _with_retraining(table: Table) -> Judgement:
    cells = wide(limits_of(table)).where(arm=CORRECTED, method=lambda method: method in RETRAINED)
    texts, widths = {}, {}
    for method, rows in cells.by("method").items():
        reached = rows["limit"] >= paper.CLOSE_SHARE
        by_seed = (rows["each_seed"] >= paper.CLOSE_SHARE).sum(axis=0)
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
    rows = (
        wide(table.where(part=LIMITS, arm=CORRECTED)).each("rows").where(level=lambda level: level >= paper.CLOSE_SHARE)
    )
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
        reached[arm, method] = bool((rows["limit"] >= paper.CLOSE_SHARE).all())
    better = max(SCOPES, key=lambda method: sum(reached[arm, method] for arm in ARMS))
    found = {arm: ("; ".join(texts[arm, method] for method in SCOPES), reached[arm, better]) for arm in ARMS}
    return verdict(found, "the networks are trained {}")


def wilson(p: float, n: float) -> tuple[float, float]:
    """95 % interval of a share of n (Wilson 1927): (p + z²/2n -+ z sqrt(p (1 - p)/n + z²/4n²)) / (1 + z²/n)."""
    z = NormalDist().inv_cdf(0.975)
    middle, half = p + z * z / (2 * n), z * math.sqrt(p * (1 - p) / n + (z / (2 * n)) ** 2)
    return (middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n)


def difficulties(table: Table) -> Table:
    """How difficult each pair is: a row for each arm and pair, the paper's first, in its order; means over seeds.

    "error" is a linear classifier's; "low" and "high" its `wilson` interval for as many examples as one seed has, since
    the seeds have the same, or many of the same. The minimum width, by two definitions, is the smallest from which on
    F1 is enough, infinite if there is none; whether seeds are stable is not asked.
    """
    found = []
    for (arm, pair, digits), rows in table.where(part=DIFFICULTY).by("arm", "pair", "digits").items():
        linear, widths = rows.where(width=LINEAR), DIFFICULTY_WIDTHS[arm]
        error, f1 = 1 - linear["accuracy"].mean(), np.array([rows.where(width=w)["f1"].mean() for w in widths])
        low, high = wilson(error, linear["judged"].mean())
        row = {"arm": arm, "pair": pair, "digits": digits, "error": error, "low": low, "high": high}
        row[ABSOLUTE] = float(smallest_width(f1 > paper.ENOUGH_F1, widths))
        row[RELATIVE] = float(smallest_width(f1[-1] - f1 <= POINT + ROUNDING, widths))
        found.append(row)
    return Table(sorted(found, key=lambda row: [*paper.PAIRS, row["pair"]].index(row["pair"])))


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
        papers = pairs.where(pair=lambda pair: pair in paper.PAIRS)
        ranks = [1 + np.sum(pairs["error"] < row["error"]) for row in papers]
        text = ", ".join(
            f"{row['digits']} {100 * row['error']:.2f} % [{100 * row['low']:.2f}, {100 * row['high']:.2f}], rank {rank}"
            for row, rank in zip(papers, ranks, strict=True)
        )
        found[arm] = text, all(easier < harder for easier, harder in itertools.pairwise(papers["error"]))
    about = f"error of a linear classifier, rank among {len(pairs)} pairs"
    return verdict(found, TRAINED, about=about, few=len(papers) < len(paper.PAIRS))


def _width_grows(table: Table) -> Judgement:
    found = {}
    for arm, pairs in difficulties(table).by("arm").items():
        grown = {definition: growth(pairs, definition) for definition in DEFINITIONS}
        text = ", ".join(
            f"{value:.2f} [{low:.2f}, {high:.2f}] ({name})" for name, (value, (low, high)) in grown.items()
        )
        found[arm] = text, grown[RELATIVE][1][0] > 0
    about = f"rank correlation of minimum width and linear error over {len(pairs)} pairs"
    return verdict(found, TRAINED, about=about, few=len(pairs) <= len(paper.PAIRS))


_REACHED = (
    "a cell (pair x width >= 4) reaches it if there and at every lower level tried mean accuracy is at most one point "
    "below dense"
)
_SPARSE = partial(Claim, group="How sparse can they be?")
_DIFFICULT = partial(Claim, group="How difficult are the pairs?")
CLAIMS = (
    _SPARSE(
        statement="With retraining after the cut, 95 % of the weights can go within one point of dense accuracy",
        published='not studied; the paper removes its "95 %" without retraining',
        rule="holds if all cells reach 95 % by one of fine-tuning, iterative fine-tuning and rewinding; a condition if "
        f"all from some width on do; corrected arm; {_REACHED}",
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
        rule="holds if all cells of both arms reach 95 %, ranked layer by layer or globally; a condition if those of "
        f"one arm do; {_REACHED}",
        judge=_without_retraining,
        figures=("limits",),
    ),
    _DIFFICULT(
        statement="0v1, 1v7, 5v6, 3v8, 4v9 is an order of difficulty",
        published="asserted; no difficulty is measured",
        rule="holds if a linear classifier's error on the test examples, mean over seeds, increases along it, in both "
        "arms",
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
)
