"""The figures of pruning: what it costs without retraining, how far it goes with retraining."""

import itertools
from collections.abc import Sequence

from matplotlib.axes import Axes

from experiments.low_capacity.claims import close
from experiments.low_capacity.claims_limits import POINT, limits_of
from experiments.low_capacity.figures import in_arms, sampled
from experiments.low_capacity.limits import DENSE
from experiments.low_capacity.networks import AS_RELEASED, CORRECTED, LIMITS, NETWORKS
from experiments.low_capacity.published import CLOSE_PAIR
from experiments.plots import legend, lines, look, width_axis
from experiments.style import Drawing, panels
from experiments.table import Table

_SCORES = {"f1": "F1", "balanced_accuracy": "balanced accuracy"}
_REMOVED = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.9)


def collapse(table: Table) -> Drawing:
    """4v9 h24: F1 and balanced accuracy against sparsity, true and divided twice."""
    rows = close(table.where(part=NETWORKS))
    kinds = {"F1": ("pruned", "f1"), "balanced accuracy": ("pruned", "balanced_accuracy")}
    kinds["F1 as the released code prunes"] = "divided twice", "f1"
    scores = Table(
        {**row, "kind": kind, "score": row[metric]}
        for kind, (pruning, metric) in kinds.items()
        for row in rows.each("scores")
        if row["condition"] in ("clean", pruning)
    )
    drawing, (both,) = in_arms(scores, {"score": "4v9 h24"}, "kind", "level", panel=(7.0, 5.0))
    for axes in both:
        axes.axvline(0.95, color="grey", linewidth=1, linestyle="--")
        axes.set(xlabel="share of the weights removed", ylim=(-0.03, 1.03))
    legend(drawing, both)
    return drawing, (
        "4v9 with 24 hidden units under one-shot magnitude pruning without retraining; mean and standard deviation "
        "over seeds. Dashed: a true 95 %. The released code divides the percentage by 100 twice, so at "
        f'"95 %" it removes 0.95 %. {sampled(rows)}'
    )


def pruning(table: Table) -> Drawing:
    """F1 and balanced accuracy against the true sparsity, one column per pair, two rows an arm."""
    rows = table.where(part=NETWORKS, width=lambda width: width in (4, 8, 16, 24, 64))
    pairs, widest, scores = list(rows.by("digits")), max(rows["width"]), rows.each("scores")
    drawing, grid = panels(4, len(pairs), panel=(4.0, 3.3), sharey=True, sharex=True)
    panel = itertools.product(rows.by("arm"), _SCORES, pairs)
    for axes, (arm, metric, digits) in zip(grid.flat, panel, strict=True):
        shown = scores.where(arm=arm, digits=digits)
        true = shown.where(condition=lambda name: name in ("clean", "pruned"))
        lines(axes, true.by("width"), "level", metric, "h{}")
        twice = shown.where(condition="divided twice", width=widest).by("level")
        label = f'h{widest}, divided twice: "95 %" is 0.95 %'
        axes.plot(list(twice), [each[metric].mean() for each in twice.values()], "k:", label=label)
        axes.set(title=f"{digits}, {arm}", ylabel=_SCORES[metric], ylim=(-0.03, 1.03), xlabel="share removed")
        axes.label_outer()
    legend(drawing, [grid[0, 0]])
    return drawing, (
        "F1 and balanced accuracy after one-shot magnitude pruning, layer by layer, without retraining, against the "
        "share of weights truly removed; mean and standard deviation over seeds. Dotted: what the released code "
        f"removes when asked for that percentage. {sampled(rows)}"
    )


def dead_units(table: Table) -> Drawing:
    """Share of dead hidden units against width, dense and at a true 95 %."""
    rows = table.where(part=NETWORKS)
    shares = Table({**row, **{when: 100 * row["dead"][when] / row["width"] for when in row["dead"]}} for row in rows)
    measures = {"dense": "dense", "pruned": "a true 95 % removed"}
    drawing, grid = in_arms(shares, measures, "digits", "width", panel=(7.0, 3.0), sharey=True)
    grid[0, 0].set_ylabel("dead hidden units (%)")
    legend(drawing, grid.flat)
    return drawing, (
        "Hidden units that output 0 on every test image, dense and after a true 95 % of the weights is removed; mean "
        f"and standard deviation over seeds. {sampled(rows)}"
    )


def limits(table: Table) -> Drawing:
    """The largest sparsity within one point of dense accuracy against width, one panel per pair, one row an arm."""
    rows = table.where(part=LIMITS)
    arms, pairs, found = rows.by("arm"), list(rows.by("digits")), limits_of(rows)
    shape = {"gridspec_kw": {"height_ratios": (1, 1.6)}}
    drawing, grid = panels(2, len(pairs), panel=(4.4, 5.0), sharex=True, sharey=True, **shape)
    for axes, (arm, digits) in zip(grid.flat, itertools.product(arms, pairs), strict=True):
        for number, (method, each) in enumerate(found.where(arm=arm, digits=digits).by("method").items()):
            # Aside a little, for those of several methods are often equal.
            x, by_seed = each["width"] * 1.035 ** (number - 3), 1 - each["each_seed"]
            axes.plot(x, 1 - each["limit"], **look(number), label=method, linewidth=1.5)
            axes.vlines(x, by_seed.min(axis=1), by_seed.max(axis=1), color=look(number)["color"], linewidth=1.5)
        axes.axhline(1 - 0.95, color="black", linewidth=1.5, linestyle="--", zorder=1)
        _complement_axis(axes, "y", _REMOVED)
        width_axis(axes, rows["width"])
        axes.set(title=f"{digits}, {arm}", ylabel="most weights that can\nbe removed (%)", ylim=(1.25, 0.0008))
        axes.tick_params(axis="x", labelsize=12)
        axes.label_outer()
    legend(drawing, [grid[1, 0]], ncols=4)
    levels = arms[CORRECTED]["levels"]
    return drawing, (
        "The largest true sparsity, in percent of all weights, at which (and at every lower one that was tried) "
        "accuracy is at most one point (0.01) below that of the dense networks, against the width of the hidden layer; "
        f"0 is not even the lowest. Dashed: 95 %. With retraining {100 * levels.min():g} to {100 * levels.max():g} % "
        "was tried; as released nothing is trained again, as in the paper. The vertical axis is logarithmic in the "
        "share that is kept. Points of one width are drawn side by side; a bar reaches from the lowest to the highest "
        f"seed. A random mask keeps as many weights in each layer as the rewound one. {sampled(rows)}"
    )


def sparse_accuracy(table: Table) -> Drawing:
    """4v9 at four widths: accuracy against sparsity, by every method, and the hidden units that are disconnected."""
    rows = table.where(part=LIMITS, pair=CLOSE_PAIR, width=lambda width: width in (4, 12, 24, 64))
    scores = Table(
        {
            **row,
            "kept": 1 - row["level"],
            "error": 1 - row["accuracy"],
            "lost": 100 * row["disconnected"] / row["width"],
        }
        for row in rows.each("rows")
    )
    measures = [(AS_RELEASED, "error"), (CORRECTED, "error"), (CORRECTED, "lost")]
    drawing, grid = panels(3, len(rows.by("width")), panel=(5.2, 4.2), sharex=True, sharey="row")
    for axes, ((arm, measure), width) in zip(grid.flat, itertools.product(measures, rows.by("width")), strict=True):
        methods = scores.where(arm=arm, width=width).by("method")
        dense = methods.pop(DENSE)["error"].mean()
        lines(axes, methods, "kept", measure)
        axes.set(title=f"h{width}, {arm}", xlabel="weights removed (%)", ylabel="hidden units\ndisconnected (%)")
        _complement_axis(axes, "x", _REMOVED[1:])
        axes.set_xlim(0.55, 0.0008)
        if measure == "error":
            axes.axhspan(dense, dense + POINT, color="grey", alpha=0.3, linewidth=0)
            _complement_axis(axes, "y", _REMOVED[1:-1])
            axes.set(ylabel="accuracy (%)", ylim=(0.6, 0.006))
        axes.label_outer()
    legend(drawing, [grid[1, 0]], ncols=4)
    return drawing, (
        "4v9: accuracy against the true sparsity; mean and standard deviation over seeds. Grey: from dense accuracy to "
        "one point below it. Below: hidden units that have lost all weights from the inputs or the weight to the "
        "output. Both axes of the accuracy are logarithmic, in what is kept and in the error. As released nothing is "
        f"trained again, as in the paper. {sampled(rows)}"
    )


def _complement_axis(axes: Axes, which: str, percent: Sequence[float]) -> None:
    """A logarithmic axis of what is missing to one, labelled with what is there in percent."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks([1 - each / 100 for each in percent], labels=[f"{each:g}" for each in percent])
    axis.set_ticks([], minor=True)
