"""Whether it is the paper's experiment, and what the paper claims: rules, written before their numbers were seen."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.claims import Case, Claim, Judgement, verdict
from experiments.low_capacity import published as paper
from experiments.low_capacity.measures import LARGE, SMALL
from experiments.low_capacity.networks import AS_RELEASED, CORRECTED, NETWORKS, RATES
from experiments.statistics import interval, spread
from experiments.table import Table

Floats = NDArray[np.float64]

NEAR_FIGURE_3, CELLS_NEAR = 0.015, 53 / 55
WIDTHS_BEST = 9 / 11
BARELY, UNCHANGED, STABLE, MODERATE, KEPT = 0.001, 0.01, 0.02, 0.5, 0.5
MAY_LOSE = {"separability": 0.01, "silhouette": 0.05}

TRAINED = {
    AS_RELEASED: "the networks are trained as released, by 100 full-batch steps",
    CORRECTED: "the networks are trained to convergence",
}
# What a claim is about, and the weaker form of it that may be true, each with what its rule is given; the condition.
PRUNINGS = {"a true 95 %": "pruned", "divided by 100 twice": "divided twice"}
_DAMAGES = {"the smaller drop from clean, too": ("f1", "change"), "the higher F1": ("f1",)}
_F1_ALONE = "F1 itself is compared, not what is lost from the clean F1"


def in_both_arms(
    judge: Callable[[Table], Case], table: Table, *, part: str = NETWORKS, about: str = "", seeds: int = 1
) -> Judgement:
    """Judge the networks of each arm; holds if true in both, a condition if in one, open with fewer `seeds`."""
    arms = table.where(part=part).by("arm")
    return verdict(
        {arm: judge(rows) for arm, rows in arms.items()},
        TRAINED,
        about=about,
        few=len(arms[CORRECTED].by("seed")) < seeds,
    )


def or_weaker(
    cases: Mapping[str, Any],
    condition: str,
    judge: Callable[[Table, Any], Case],
    table: Table,
    *,
    about: str = "",
    seeds: int = 1,
) -> Judgement:
    """Judge both arms in two cases; holds if true in both arms in the first, the condition if only in the second."""
    arms = table.where(part=NETWORKS).by("arm")
    found, true = {}, False
    for name, case in cases.items():
        judged = {arm: judge(rows, case) for arm, rows in arms.items()}
        true |= all(as_claimed for _, as_claimed in judged.values())
        found[name] = "; ".join(f"{arm} {text}" for arm, (text, _) in judged.items()), true
    return verdict(found, {name: condition}, about=about, few=len(arms[CORRECTED].by("seed")) < seeds)


unless_divided_twice = partial(or_weaker, PRUNINGS, 'the "95 %" is divided by 100 twice and removes 0.95 %')


def close(rows: Table) -> Table:
    """The networks that are looked at closely, 4v9 h24."""
    return rows.where(pair=paper.CLOSE_PAIR, width=paper.CLOSE_WIDTH)


def wide(rows: Table) -> Table:
    """Without the narrowest networks, which the paper does not prune."""
    return rows.where(width=lambda width: width > paper.WIDTHS[0])


def farthest(values: Mapping[str, float]) -> str:
    """The name of the number that is farthest from 0."""
    return max(values, key=lambda name: abs(values[name]))


def smallest_width(enough: NDArray[np.bool_], widths: Sequence[int]) -> Floats:
    """The smallest width from which on all are enough, infinite if the largest is not; `enough` is (..., widths)."""
    from_here = np.logical_and.accumulate(enough[..., ::-1], axis=-1)[..., ::-1]
    return np.where(from_here.any(axis=-1), np.take(np.array(widths, dtype=float), from_here.argmax(axis=-1)), np.inf)


def _like_figure_3(table: Table) -> Judgement:
    rows = table.where(part=NETWORKS, arm=AS_RELEASED)
    differences = {
        f"{digits} h{width}": each["f1"].mean() - paper.FIGURE_3[pair][paper.WIDTHS.index(width)]
        for (digits, pair, width), each in rows.by("digits", "pair", "width").items()
    }
    near, seeds = sum(abs(each) <= NEAR_FIGURE_3 for each in differences.values()), len(rows.by("seed"))
    worst = farthest(differences)
    text = (
        f"{near} of {len(differences)} cells within {NEAR_FIGURE_3} (means of {seeds} seeds); the largest difference "
        f"is {differences[worst]:+.3f}, {worst}"
    )
    return verdict({"": (text, near >= CELLS_NEAR * len(differences))}, few=seeds < len(paper.SEEDS))


def _unchanged_divided_twice(networks: Table) -> Case:
    rows = wide(networks).each("scores").where(condition="divided twice")
    mean = {
        f"{digits} h{width}, {100 * level:g} %": each["change"].mean()
        for (digits, width, level), each in rows.by("digits", "width", "level").items()
    }
    at_95 = rows.where(level=paper.CLOSE_SHARE).by("pair", "width")
    removed = [100 * each["removed"].mean() for each in at_95.values()]
    worst = farthest(mean)
    text = f'"95 %" removes {min(removed):.2f} to {max(removed):.2f} % of the weights'
    return f"largest change {mean[worst]:+.5f} ({worst}); {text}", abs(mean[worst]) < BARELY


def searched(rows: Table, name: str) -> Floats:
    """A number of the networks of an arm that the search for the learning rate has trained: (widths, rates, seeds)."""
    return np.array([[one[name] for one in each.by("learning_rate").values()] for each in rows.by("width").values()])


def _best_rate(table: Table) -> Judgement:
    rows = table.where(part=RATES, arm=AS_RELEASED)
    rates, f1 = list(rows.by("learning_rate")), searched(rows, "best_train_f1")
    won = [rates[column] for column in f1.mean(axis=2).argmax(axis=1)].count(paper.RATE)
    published = np.array(
        [[paper.RATE_F1[width][paper.RATES.index(rate)] for rate in rates] for width in rows.by("width")]
    )

    def by_rate(numbers: Floats) -> str:
        return ", ".join(f"{rate:g}: {number:.3f}" for rate, number in zip(rates, numbers.mean(axis=0), strict=True))

    away, last = (np.abs(each.mean(axis=2) - published) for each in (f1, searched(rows, "last_train_f1")))
    text = (
        f"best at {won} of {len(f1)} widths (means of {f1.shape[2]} seeds); mean distance from the published F1, by "
        f"rate, {by_rate(away)}; if the last F1 were meant and not the best, {by_rate(last)}"
    )
    if f1.shape[2] > 1:
        text += f"; deviation over seeds, mean over widths, {by_rate(f1.std(axis=2, ddof=1))}"
    return verdict({"": (text, won >= WIDTHS_BEST * len(f1))})


def minimum_width(networks: Table) -> tuple[float, tuple[float, float]]:
    """The smallest width from which on F1 is high and stable over seeds, infinite if there is none; its interval."""
    widths = networks.by("width")

    def smallest(f1: Floats) -> Floats:
        deviation = f1.std(axis=1, ddof=1) if f1.shape[1] > 1 else np.zeros((len(f1), len(widths)))
        return smallest_width((f1.mean(axis=1) > paper.ENOUGH_F1) & (deviation < STABLE), list(widths))

    f1 = np.stack([each["f1"] for each in widths.values()], axis=-1)
    return float(smallest(f1[None])[0]), interval(f1, smallest)


def _capacity_grows(networks: Table) -> Case:
    found = {digits: minimum_width(rows) for digits, rows in networks.by("digits").items()}
    widths = [width for width, _ in found.values()]
    text = ", ".join(f"{digits} {width:g} [{low:g}, {high:g}]" for digits, (width, (low, high)) in found.items())
    return text, widths == sorted(widths) and widths[0] < widths[-1]


def _unchanged_pruned(networks: Table, pruning: str) -> Case:
    rows = wide(networks).each("scores").where(condition=pruning, level=paper.CLOSE_SHARE)
    cells = {f"{digits} h{width}": each["change"] for (digits, width), each in rows.by("digits", "width").items()}
    worst = farthest({cell: change.mean() for cell, change in cells.items()})
    dense, cut = close(networks)["scores", 0, "f1"], close(rows)
    text = f"4v9 h24 F1 {spread(dense)} -> {spread(cut['f1'])}, balanced accuracy {spread(cut['balanced_accuracy'])}"
    return f"largest change {spread(cells[worst], 4)} ({worst}), {text}", abs(cells[worst].mean()) <= UNCHANGED


def _no_unit_dies(networks: Table) -> Case:
    appeared = {}
    for pair, width in paper.DEAD_UNITS_AT:
        for digits, rows in networks.where(pair=pair, width=width).by("digits").items():
            before, after = (rows["dead", when].mean() for when in ("dense", "pruned"))
            text = f"{digits} h{width} {before:.1f} -> {after:.1f}, but {rows['cut_off'].mean():.1f} cut off"
            appeared[text] = after > before
    return "; ".join(appeared), not any(appeared.values())


def _separable(networks: Table, pruning: str) -> Case:
    rows = close(networks).each("representation").by("pruning")
    texts, kept = [], True
    for measure, may_lose in MAY_LOSE.items():
        dense, cut = rows["dense"][measure], rows[pruning][measure]
        texts.append(f"{measure} {spread(dense)} dense, change {spread(cut - dense)}")
        kept &= bool((cut - dense).mean() >= -may_lose)
    return ", ".join(texts), kept


def _robust(networks: Table, measures: Sequence[str]) -> Case:
    rows = networks.where(pair=paper.CLOSE_PAIR).each("scores")
    rows = rows.where(condition=lambda condition: condition in ("gaussian noise", "occlusion"))
    small, large = (rows.where(width=width).by("condition", "level") for width in (SMALL, LARGE))
    above = True
    for name in measures:
        gains = {which: large[which][name] - small[which][name] for which in large}
        wins = sum(interval(gain)[0] > 0 for gain in gains.values())
        above &= wins == len(gains)
    most = spread(gains["gaussian noise", paper.SIGMAS[-1]])
    return f"in {wins} of {len(gains)}, at sigma {paper.SIGMAS[-1]} by {most}", above


def overlap(networks: Table, other: str, measure: str = "overlap") -> Floats:
    """How far the maps of 4v9 h24 agree with another network's, a number for each seed."""
    return close(networks).each("saliency").where(other=other)[measure]


def _saliency_kept(networks: Table, pruning: str) -> Case:
    shared, ranks = overlap(networks, pruning), overlap(networks, pruning, "rank_correlation")
    return f"{spread(shared, 2)}, rank correlation {spread(ranks, 2)}", bool(shared.mean() >= KEPT)


def _moderate_improves(networks: Table) -> Case:
    rows = wide(networks).each("scores").where(condition="pruned", level=lambda level: level <= MODERATE)
    cells = [each["change"] for each in rows.by("pair", "width", "level").values()]
    intervals = [interval(change) for change in cells]
    rises, falls = sum(low > 0 for low, _ in intervals), sum(high < 0 for _, high in intervals)
    largest = max(0.0, *(change.mean() for change in cells))
    text = f"rises in {rises}, falls in {falls} of {len(cells)} cells; largest mean rise {largest:+.4f}"
    return text, rises > falls


_SAME = partial(Claim, group="Is it the same experiment?")
_PAPERS = partial(Claim, group="The paper's claims")
CLAIMS = (
    _SAME(
        statement="Trained as released, networks have the best training F1 of the paper's Figure 3",
        published="55 means of three seeds, read off the plot to about 0.005",
        rule=f"holds if 53 of 55 cells (that share of those run) are within {NEAR_FIGURE_3}; judged with three seeds",
        judge=_like_figure_3,
        figures=("capacity",),
    ),
    _SAME(
        statement='What the released code removes for "10 %" to "99 %", divided by 100 twice, moves F1 by under 0.1 %',
        published="changes of at most about 0.03 %",
        rule=f"holds if the mean change is below {BARELY:.1%} for every pair, width >= 4 and percentage, in both arms",
        judge=partial(in_both_arms, _unchanged_divided_twice),
        figures=("pruning",),
    ),
    _SAME(
        statement="Of the six learning rates 3e-2 is the best, on 4v9 as released",
        published="F1 highest at 3e-2 for all 11 widths",
        rule="holds if the best training F1, mean over seeds, is highest at 3e-2 for 9 of 11 widths (that share of "
        "those run)",
        judge=_best_rate,
        figures=("learning_rate",),
    ),
    _PAPERS(
        statement="The smallest sufficient width grows with the difficulty of the digit pair",
        published="0v1: 4, 1v7 and 5v6: about 10, 4v9: 12 to 24",
        rule=f"smallest width from which on mean F1 > {paper.ENOUGH_F1} with a deviation over seeds < {STABLE}; holds "
        "if it never falls along the paper's order of pairs and is larger at its end than at its start, in both arms",
        judge=partial(in_both_arms, _capacity_grows),
        figures=("capacity",),
    ),
    _PAPERS(
        statement="Magnitude pruning to 95 % without retraining leaves F1 unchanged",
        published="changes of at most about 0.03 %, even at 99 %",
        rule=f"holds if mean F1 changes by at most {UNCHANGED} for every pair and width >= 4 at a true 95 %, in both "
        "arms; a condition if that is so only with the released division",
        judge=partial(unless_divided_twice, _unchanged_pruned),
        figures=("collapse", "pruning"),
    ),
    _PAPERS(
        statement="No hidden unit dies at 95 %, of 0v1 h12, 3v8 h16 and 4v9 h24",
        published="0 -> 0 for each of the three",
        rule="holds if in none of them the mean number of units that are 0 on every image rises, in both arms",
        judge=partial(in_both_arms, _no_unit_dies),
        figures=("dead_units",),
    ),
    _PAPERS(
        statement="The hidden representation pruned by 95 % stays as separable as the dense one, on 4v9 h24",
        published="by eye, on t-SNE",
        rule="holds if at a true 95 % the balanced accuracy of a linear classifier of the hidden activations is in the "
        f"mean lower by at most {MAY_LOSE['separability']}, and their silhouette by at most {MAY_LOSE['silhouette']}, "
        "in both arms; a condition if only with the released division",
        judge=partial(unless_divided_twice, _separable),
        figures=("separability", "representation"),
    ),
    _PAPERS(
        statement="A wider network (h64) is more robust to noise and occlusion than a narrow one (h24), on 4v9",
        published="F1 at sigma 0.1 to 0.5: h24 .881 to .669, h64 .917 to .766; occlusion: .847, .862",
        rule="holds if h64 has both the higher F1 and the smaller drop from clean under all six corruptions, in both "
        "arms: the interval over seeds of the difference lies above 0; a condition if only the F1 is higher",
        judge=partial(or_weaker, _DAMAGES, _F1_ALONE, _robust, about="h64 has", seeds=2),
        figures=("corruption",),
    ),
    _PAPERS(
        statement="The network pruned by 95 % keeps the saliency of the dense one, on 4v9 h24",
        published="by eye, on single images",
        rule=f"holds if its map keeps at least {KEPT:.0%} of the dense map's 5 % most salient pixels, in the mean over "
        "100 images, in both arms; a condition if only with the released division",
        judge=partial(unless_divided_twice, _saliency_kept, about="share of the 5 % most salient pixels kept"),
        figures=("saliency",),
    ),
    _PAPERS(
        statement="Moderate pruning, up to 50 %, sometimes improves F1",
        published="single cells of the pruning figure",
        rule="cells: pair x width >= 4 x sparsity up to 50 %; holds if the change's interval over seeds lies above 0 "
        "in more of them than below 0, in both arms",
        judge=partial(in_both_arms, _moderate_improves, seeds=2),
        figures=("pruning",),
    ),
)
