"""The figures of capacity, difficulty and robustness, and what most figures are: lines in a panel for each arm."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.low_capacity import networks
from experiments.low_capacity import published as paper
from experiments.low_capacity.claims import searched
from experiments.low_capacity.claims_checks import CORRUPTIONS, gains
from experiments.low_capacity.claims_limits import DEFINITIONS, difficulties, growth
from experiments.low_capacity.networks import AS_RELEASED, CORRECTED, DIFFICULTY, DIFFICULTY_WIDTHS, NETWORKS, RATES
from experiments.plots import legend, lines, look, matrix, width_axis
from experiments.statistics import deviation, interval
from experiments.style import Drawing, panels
from experiments.table import Table

_PATCH_AT = 0.65  # where the occlusion stands on the axis of the noise


def sampled(rows: Table) -> str:
    """How many seeds there are, and what networks are tested on, for a caption."""
    seeds = ", ".join(f"{len(each.by('seed'))} {arm}" for arm, each in rows.by("arm").items())
    return f"Seeds: {seeds}; tested as released on a fifth of the training file, corrected on the official test file."


def in_arms(
    rows: Table, measures: Mapping[str, str], groups: str, x: str, label: str = "{}", **subplots: Any
) -> tuple[Figure, Any]:
    """Lines for each of `groups`, in a column of panels for each arm and a row for each measure, named by its words."""
    options: dict[str, Any] = {"panel": (7.0, 4.0), "sharex": True, "sharey": "row"}
    drawing, grid = panels(len(measures), 2, **options | subplots)
    for column, (arm, each) in zip(grid.T, rows.by("arm").items(), strict=True):
        for axes, (name, words) in zip(column, measures.items(), strict=True):
            lines(axes, each.by(groups), x, name, label)
            axes.set(title=f"{words}, {arm}", xlabel="", ylabel="")
            if x == "width":
                width_axis(axes, rows[x])
    return drawing, grid


def capacity(table: Table) -> Drawing:
    """F1 against width, with the points of the paper's Figure 3."""
    rows = table.where(part=NETWORKS)
    drawing, grid = in_arms(rows, {"f1": "F1"}, "digits", "width", panel=(7.0, 5.0), sharey=False)
    for pair, width in rows.by("pair", "width"):
        published = paper.FIGURE_3[pair][paper.WIDTHS.index(width)]
        grid[0, 0].plot(width, published, "x", color="black", zorder=3, label="published (Fig. 3)")
    grid[0, 0].axhline(paper.ENOUGH_F1, color="grey", linewidth=1, linestyle="--")
    legend(drawing, [grid[0, 0]])
    return drawing, (
        "F1 against the width of the hidden layer, on different scales; mean and standard deviation over seeds. As "
        "released the best F1 on the training set in 100 full-batch steps, as in the paper, with the F1 that a "
        f"sufficient width exceeds (dashed); corrected that on the test file. {sampled(rows)}"
    )


def learning_rate(table: Table) -> Drawing:
    """Mean F1 for each width and rate, with the best rate of each width framed, and what did not converge marked."""
    rows = table.where(part=RATES)
    drawing, grid = panels(1, 2, panel=(8.5, 8.0))
    # Of each arm the F1, its name, where its colours begin, and how many digits are written.
    shown = {
        AS_RELEASED: ("best_train_f1", "best F1 on the training set", 0.0, 2),
        CORRECTED: ("validation_f1", "F1 on the validation set", 0.95, 3),
    }
    for axes, (arm, each) in zip(grid[0], rows.by("arm").items(), strict=True):
        name, words, lowest, digits = shown[arm]
        means = searched(each, name).mean(axis=2)
        ended = searched(each, "epochs").max(axis=2) < networks.MOST_EPOCHS if arm == CORRECTED else np.isreal(means)
        texts = np.where(ended, *[[[f"{f1:.{digits}f}{mark}" for f1 in row] for row in means] for mark in ("", "*")])
        widths, rates = ([f"{value:g}" for value in each.by(name)] for name in ("width", "learning_rate"))
        image = matrix(axes, means, texts.tolist(), widths, rates, lowest=lowest, highest=1)
        for row in np.flatnonzero(np.isfinite(means).any(axis=1)).tolist():
            corner = int(np.nanargmax(means[row])) - 0.47, row - 0.46
            axes.add_patch(Rectangle(corner, 0.94, 0.92, fill=False, color=look(1)["color"], linewidth=4))
        axes.set(title=f"{arm}:\n{words}", xlabel="learning rate", ylabel="hidden units")
        drawing.colorbar(image, ax=axes, label="F1", shrink=0.8, extend="min" if lowest else "neither")
    losses = ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in networks.validation_losses(table).items())
    return drawing, (
        "4v9: mean F1 for each width and learning rate; the frame is the best rate of a width, which in the paper is "
        f"{paper.RATE:g} for all. As released in {networks.EPOCHS} full-batch steps; corrected until the validation "
        f"loss stops falling. Asterisk: a network had not stopped after {networks.MOST_EPOCHS} epochs, the most that "
        f"it is given. The corrected arm takes the rate with the lowest mean validation loss ({losses}). "
        f"{sampled(rows)}"
    )


def difficulty(table: Table) -> Drawing:
    """Error of a linear classifier for every pair, in both arms."""
    arms = difficulties(table).by("arm")
    order = [row["digits"] for row in sorted(arms[CORRECTED], key=lambda row: row["error"], reverse=True)]
    drawing, grid = panels(1, 2, panel=(8.0, 2.5 + 0.29 * len(order)), sharey=True)
    for axes, (arm, pairs) in zip(grid[0], arms.items(), strict=True):
        for row in pairs:
            place, marks = order.index(row["digits"]), _pair_look(row)
            axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=marks["color"])
            axes.plot(100 * row["error"], place, **marks)
        _error_axis(axes)
        axes.set(title=arm, xlabel="error (%)", ylim=(len(order) - 0.4, -0.6))
        axes.set_yticks(range(len(order)), order, fontsize=14)
    legend(drawing, grid[0], ncols=7)
    return drawing, (
        f"How difficult {len(order)} pairs of digits are, the most difficult above, in the order of the corrected arm: "
        "error of a linear classifier, a network without a hidden layer. In colour: the five pairs of the paper. Bars: "
        "Wilson's 95 % interval for the examples that one seed is tested on; axes are linear below 0.1 %. "
        f"{sampled(table.where(part=DIFFICULTY))}"
    )


def capacity_difficulty(table: Table) -> Drawing:
    """Minimum width of every pair against its difficulty, one row per definition, one column per arm."""
    arms, rng = difficulties(table).by("arm"), np.random.default_rng(0)
    tried = sorted({width for widths in DIFFICULTY_WIDTHS.values() for width in widths})
    drawing, grid = panels(2, 2, panel=(7.4, 5.2), sharey=True, sharex=True)
    for axes, (definition, arm) in zip(grid.flat, itertools.product(DEFINITIONS, arms), strict=True):
        for row in arms[arm]:
            width = min(row[definition], 2 * tried[-1])
            moved = 2 ** (0.1 * rng.standard_normal())
            axes.plot(100 * row["error"], width * moved, **_pair_look(row), markeredgecolor="white")
        value, (low, high) = growth(arms[arm], definition)
        axes.set_title(f"{arm}: {definition}\nrank correlation {value:.2f} [{low:.2f}, {high:.2f}]", fontsize=14)
        _error_axis(axes)
        axes.set_yscale("log", base=2)
        axes.set_yticks([*tried, 2 * tried[-1]], [*map(str, tried), "none"])
        axes.set_yticks([], minor=True)
        axes.set(xlabel="error of a linear classifier (%)", ylabel="minimum hidden units")
        axes.label_outer()
    legend(drawing, grid.flat)
    widths = "; ".join(f"{arm} {', '.join(map(str, each))}" for arm, each in DIFFICULTY_WIDTHS.items())
    return drawing, (
        "The smallest width from which on F1 is enough, by two definitions, against difficulty; a point per pair of "
        f"digits, moved up or down at random, for many coincide. Widths tried: {widths}; none: not even the widest. "
        "The error axis is linear below 0.1 %. Rank correlation: Spearman's, with its 95 % bootstrap interval over "
        f"{len(arms[CORRECTED])} pairs; 0 where all pairs are equal. Where every F1 is above 0.99 every width is "
        "within one point of the widest, so the easiest pairs cannot be told apart. "
        f"{sampled(table.where(part=DIFFICULTY))}"
    )


def _pair_look(row: Mapping[str, Any]) -> dict[str, Any]:
    """The paper's pairs have their own colours and markers."""
    marks = {"linestyle": "none", "markersize": 10}
    if row["pair"] in paper.PAIRS:
        return marks | look(paper.PAIRS.index(row["pair"])) | {"label": row["digits"], "zorder": 3}
    return marks | {"color": "grey", "marker": "o", "alpha": 0.6, "label": "another pair"}


def _error_axis(axes: Axes) -> None:
    """A logarithmic axis of errors in percent that has a place for 0."""
    axes.set_xscale("symlog", linthresh=0.1, linscale=0.3)
    axes.set_xticks([0, 0.1, 0.3, 1, 3, 10, 30], ["0", ".1", ".3", "1", "3", "10", "30"])
    axes.set_xticks([], minor=True)
    axes.set_xlim(left=0)


def corruption(table: Table) -> Drawing:
    """F1 on 4v9 under noise and occlusion, and what is lost from the clean F1."""
    rows = table.where(part=NETWORKS, pair=paper.CLOSE_PAIR, width=lambda width: width in paper.NOISE_WIDTHS)
    scores, measures = rows.each("scores"), {"f1": "F1", "change": "F1 minus clean F1"}
    noise = scores.where(condition=lambda name: name in ("clean", "gaussian noise"))
    drawing, grid = in_arms(noise, measures, "width", "level", "h{}")
    for (column, arm), (number, width) in itertools.product(
        zip(grid.T, rows.by("arm"), strict=True), enumerate(rows.by("width"))
    ):
        patched = scores.where(condition="occlusion", arm=arm, width=width)
        at, colour = _PATCH_AT + 0.02 * number, look(number)["color"]  # side by side, for they are close
        for axes, name in zip(column, measures, strict=True):
            axes.errorbar(at, patched[name].mean(), deviation(patched[name]), **look(number), capsize=4)
        if arm == AS_RELEASED:
            column[0].plot(at, paper.OCCLUSION_F1[width], "x", color=colour)
            column[0].plot(paper.SIGMAS, paper.GAUSSIAN_F1.get(width, [np.nan] * 5), "x", color=colour)
        column[1].set_xlabel("standard deviation of the noise (pixel range 0 to 1)")
    ticks = {0: "0"} | {sigma: f"{sigma:g}" for sigma in paper.SIGMAS} | {_PATCH_AT + 0.02: "patch"}
    grid[0, 0].set_xticks(list(ticks), list(ticks.values()))
    grid[0, 0].plot([], [], "kx", label="published")
    legend(drawing, [grid[0, 0]])
    return drawing, (
        f"4v9 under Gaussian pixel noise, clipped to [0, 1], and with one {paper.PATCH} x {paper.PATCH} patch of zeros "
        "at a random place in each image, without retraining. Below: what is lost from the clean F1 of the same "
        f"network. Mean and standard deviation over seeds. {sampled(rows)}"
    )


def matched_robustness(table: Table) -> Drawing:
    """How much more accurate h64 is than h24 under each corruption, after training and at matched clean accuracy."""
    rows, places = table.where(part=NETWORKS), np.arange(len(CORRUPTIONS))
    drawing, grid = panels(1, 2, panel=(7.0, 4.6), sharey=True)
    for axes, (arm, each) in zip(grid[0], rows.by("arm").items(), strict=True):
        found = 100 * np.array([gains(each, name)[:2] for name in CORRUPTIONS])
        for number, label in enumerate(("trained networks", "at matched clean accuracy")):
            x, samples = places + 0.3 * number - 0.15, found[:, number]
            # Of one seed the interval is infinite, and is not drawn.
            axes.vlines(x, *np.array([interval(values) for values in samples]).T, color=look(number)["color"])
            axes.plot(x, samples.mean(axis=1), **look(number), linestyle="none", label=label)
        axes.axhline(0, color="grey", linewidth=1, linestyle="--")
        axes.set_xticks(places, [*(f"noise {sigma:g}" for sigma in paper.SIGMAS), "patch"], fontsize=12)
        axes.set(title=f"4v9, {arm}", xlabel="corruption")
    grid[0, 0].set_ylabel("accuracy of h64 minus\nthat of h24 (percentage points)")
    legend(drawing, grid[0])
    return drawing, (
        "What 64 hidden units gain over 24 under Gaussian noise of these standard deviations and under a patch of "
        "zeros: of the trained networks, and at the largest clean accuracy that both had in training. Mean and 95 % "
        f"bootstrap interval over seeds (none of one seed). {sampled(rows)}"
    )
