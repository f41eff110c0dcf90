"""The figures of capacity, difficulty and robustness, and what most figures are: lines in a panel for each arm."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from experiments.low_capacity import networks
from experiments.low_capacity.claims import F1, LARGE, SMALL, changes, searched
from experiments.low_capacity.claims_further import CORRUPTIONS, DEFINITIONS, difficulties, gains, growth
from experiments.low_capacity.networks import AS_RELEASED, CORRECTED, DIFFICULTY, DIFFICULTY_WIDTHS, NETWORKS, RATES
from experiments.low_capacity.published import (
    CLOSE_PAIR,
    FIGURE_3,
    GAUSSIAN_F1,
    LEARNING_RATES,
    NOISE_WIDTHS,
    OCCLUSION_F1,
    PAIRS,
    PATCH,
    RATE_F1,
    SIGMAS,
    WIDTHS,
)
from experiments.plots import legend, lines, look, matrix, width_axis
from experiments.statistics import deviation, interval
from experiments.style import panels
from experiments.table import Table
from npnet.ranks import rank_correlation

_CROSS: dict[str, Any] = {"color": "black", "markersize": 8, "markeredgewidth": 2, "zorder": 3}
_OTHERS = {"color": "#808080", "marker": "o"}
TESTED_ON = "as released on the held-out fifth of the training file, corrected on the official test file"
_PATCH_AT = 0.65  # where the occlusion stands on the axis of the noise


def seeds(rows: Table) -> str:
    """The sample size, for a caption."""
    return "Seeds: " + ", ".join(f"{len(each.by('seed'))} {arm}" for arm, each in rows.by("arm").items())


def in_arms(
    rows: Table, measures: Mapping[str, str], groups: str, x: str, label: str = "{}", height: float = 4.4
) -> tuple[Figure, Any]:
    """Lines for each of `groups`, a column of panels for each arm, a row for each measure, named by its words."""
    drawing, grid = panels(len(measures), 2, panel=(7.0, height), sharex=True, sharey="row")
    for column, (arm, each) in zip(grid.T, rows.by("arm").items(), strict=True):
        for axes, (name, words) in zip(column, measures.items(), strict=True):
            lines(axes, each.by(groups), x, name, label)
            axes.set(title=f"{words}, {arm}", xlabel="", ylabel="")
    return drawing, grid


def capacity(table: Table) -> tuple[Figure, str]:
    """F1 against width, with the points of the paper's Figure 3."""
    rows = table.where(part=NETWORKS)
    f1 = Table({**row, "f1": Table([row])[F1[row["arm"]]][0]} for row in rows)
    drawing, ((released, corrected),) = in_arms(f1, {"f1": "F1"}, "digits", "width")
    for pair in rows.by("pair"):
        published = dict(zip(WIDTHS, FIGURE_3[pair], strict=True))
        widths = list(rows.by("width"))
        released.plot(widths, [published[width] for width in widths], "x", **_CROSS, label="published (Fig. 3)")
    zoom = corrected.inset_axes((0.12, 0.12, 0.84, 0.58))
    lines(zoom, f1.where(arm=CORRECTED).by("digits"), "width", "f1")
    zoom.set(ylim=(0.96, 1.002), ylabel="")
    for axes in (released, corrected, zoom):
        width_axis(axes, rows["width"])
        axes.axhline(0.9, color="grey", linewidth=1, linestyle="--")
    zoom.set(title="the same, enlarged", xlabel="")
    released.set(ylabel="F1", ylim=(0.45, 1.01))
    legend(drawing, [released])
    return drawing, (
        "F1 against the width of the hidden layer; mean and standard deviation over seeds. Left: best F1 on the "
        f"training set in 100 full-batch steps; right: F1 on the official test file. {seeds(rows)}."
    )


def learning_rate(table: Table) -> tuple[Figure, str]:
    """Mean F1 for each width and rate, with the best rate of each width framed, and what did not converge marked."""
    rows = table.where(part=RATES)
    drawing, grid = panels(1, 2, panel=(8.5, 8.0))
    # Of each arm the F1, where its colours begin, how many digits are written, and the most epochs.
    shown = {
        AS_RELEASED: ("best_train_f1", "best F1 on the training set", 0.0, 2, np.inf),
        CORRECTED: ("validation_f1", "F1 on the validation set", 0.95, 3, networks.MOST_EPOCHS),
    }
    for axes, (arm, each) in zip(grid[0], rows.by("arm").items(), strict=True):
        name, words, lowest, digits, most = shown[arm]
        means, epochs = searched(each, name).mean(axis=2), searched(each, "epochs").max(axis=2)
        texts = [
            [f"{f1:.{digits}f}{'*' if ran >= most else ''}" for f1, ran in zip(*both, strict=True)]
            for both in zip(means, epochs, strict=True)
        ]
        widths, rates = ([f"{value:g}" for value in each.by(name)] for name in ("width", "learning_rate"))
        image = matrix(axes, means, texts, widths, rates, lowest=lowest, highest=1)
        for row in np.flatnonzero(np.isfinite(means).any(axis=1)).tolist():
            corner = int(np.nanargmax(means[row])) - 0.47, row - 0.46
            axes.add_patch(Rectangle(corner, 0.94, 0.92, fill=False, color=look(1)["color"], linewidth=4))
        axes.set(title=f"{arm}:\n{words}", xlabel="learning rate", ylabel="hidden units")
        drawing.colorbar(image, ax=axes, label="F1", shrink=0.8, extend="min" if lowest else "neither")
    losses = ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in networks.validation_losses(table).items())
    best = sorted({LEARNING_RATES[int(np.argmax(RATE_F1[width]))] for width in rows.by("width")})
    return drawing, (
        "4v9: mean F1 for each width and learning rate; the frame is the best rate of a width, which in the paper is "
        f"{' or '.join(f'{rate:g}' for rate in best)} at each of these widths. As released in {networks.EPOCHS} "
        "full-batch steps; corrected until the validation loss stops falling. Asterisk: some network of that cell had "
        f"not stopped after {networks.MOST_EPOCHS} epochs, the most that it is given. The corrected arm takes the rate "
        f"with the lowest mean validation loss ({losses}). {seeds(rows)}."
    )


def difficulty(table: Table) -> tuple[Figure, str]:
    """Error of the linear classifier of every pair in both arms, and how far its class means overlap."""
    arms = difficulties(table).by("arm")
    order = [row["digits"] for row in sorted(arms[CORRECTED], key=lambda row: row["error"], reverse=True)]
    drawing, ((*errors, overlaps),) = panels(1, 3, panel=(5.4, 2.5 + 0.29 * len(order)), sharey=True)
    for axes, (arm, pairs) in zip(errors, arms.items(), strict=True):
        for row in pairs:
            place, style = order.index(row["digits"]), _pair_style(row)
            axes.plot([100 * row["low"], 100 * row["high"]], [place, place], color=style["color"])
            axes.plot(100 * row["error"], place, **style, linestyle="none", markersize=9)
            axes.plot(100 * row["nearest_mean_error"], place, "|", **_CROSS, label="nearest class mean")
        _error_axis(axes)
        axes.set(title=arm, xlabel="error (%)")
    for row in arms[CORRECTED]:
        overlaps.plot(row["overlap"], order.index(row["digits"]), **_pair_style(row), markersize=9)
    overlaps.set(title="overlap of class means", xlabel="cosine similarity")
    errors[0].set_yticks(range(len(order)), order, fontsize=14)
    errors[0].set_ylim(len(order) - 0.4, -0.6)
    legend(drawing, errors[:1], ncols=7)
    ranks = ", ".join(
        f"{rank_correlation(pairs['error'], arms[CORRECTED]['overlap']):.2f} {arm}" for arm, pairs in arms.items()
    )
    judged = arms[CORRECTED]["judged"]
    return drawing, (
        f"How difficult {len(order)} pairs of digits are, the most difficult above: error of a linear classifier, a "
        "network without a hidden layer, on examples it was not trained on. The order is that of the corrected arm in "
        "all panels. In colour: the five pairs of the paper, in its order of difficulty. Bars: Wilson's 95 % interval "
        f"for the examples that one seed is tested on ({min(judged):,.0f} to {max(judged):,.0f} corrected); axes are "
        "linear below 0.1 %. Strokes: error of the nearest class mean. Right: cosine similarity of the mean training "
        f"images of the two digits; its rank correlation with the linear error is {ranks}. "
        f"{seeds(table.where(part=DIFFICULTY))}; {TESTED_ON}."
    )


def capacity_difficulty(table: Table) -> tuple[Figure, str]:
    """Minimum width of every pair against its difficulty, one row per definition, one column per arm."""
    arms, rng = difficulties(table).by("arm"), np.random.default_rng(0)
    tried = sorted({width for widths in DIFFICULTY_WIDTHS.values() for width in widths})
    drawing, grid = panels(2, 2, panel=(7.4, 5.2), sharey=True, sharex=True)
    for axes, (definition, arm) in zip(grid.flat, itertools.product(DEFINITIONS, arms), strict=True):
        for row in arms[arm]:
            # Many coincide: the paper's pairs lie in their order, others at random.
            ours = row["pair"] in PAIRS
            moved = 0.11 * (PAIRS.index(row["pair"]) - 2) if ours else 0.07 * rng.standard_normal()
            width = min(row[definition], 2 * max(DIFFICULTY_WIDTHS[arm])) * 2**moved
            marks = {"markersize": 11, "zorder": 3} if ours else {"markersize": 9, "alpha": 0.6}
            axes.plot(100 * row["error"], width, **_pair_style(row), **marks, linestyle="none", markeredgecolor="white")
        value, (low, high) = growth(arms[arm], definition)
        axes.set_title(f"{arm}: {definition}\nrank correlation {value:.2f} [{low:.2f}, {high:.2f}]", fontsize=14)
        _error_axis(axes)
        axes.set_yscale("log", base=2)
        axes.set_yticks([*tried, 2 * tried[-1]], [*map(str, tried), "none"])
        axes.set_yticks([], minor=True)
    for axes in grid[1]:
        axes.set_xlabel("error of a linear classifier (%)")
    for axes in grid[:, 0]:
        axes.set_ylabel("minimum hidden units")
    legend(drawing, grid.flat)
    widths = "; ".join(f"{arm} {', '.join(map(str, each))}" for arm, each in DIFFICULTY_WIDTHS.items())
    return drawing, (
        "The smallest width from which on F1 is enough, by two definitions, against difficulty; a point per pair of "
        f"digits, {len(arms[CORRECTED])} pairs. Widths tried: {widths}; none: not even the widest. Points are moved up "
        "or down a little, for many coincide. The error axis is linear below 0.1 %. Rank correlation: Spearman's, with "
        "its 95 % bootstrap interval over pairs; 0 where all pairs are equal. Where every F1 is above 0.99 every width "
        "is within one point of the widest, so the easiest pairs cannot be told apart. "
        f"{seeds(table.where(part=DIFFICULTY))}; {TESTED_ON}."
    )


def _pair_style(row: Mapping[str, Any]) -> dict[str, Any]:
    """Colour, marker and label: the paper's pairs have their own."""
    if row["pair"] in PAIRS:
        return look(PAIRS.index(row["pair"])) | {"label": row["digits"]}
    return _OTHERS | {"label": "another pair"}


def _error_axis(axes: Axes) -> None:
    """A logarithmic axis of errors in percent that has a place for 0."""
    axes.set_xscale("symlog", linthresh=0.1, linscale=0.3)
    axes.set_xticks([0, 0.1, 0.3, 1, 3, 10, 30], ["0", ".1", ".3", "1", "3", "10", "30"])
    axes.set_xticks([], minor=True)
    axes.set_xlim(left=0)


def corruption(table: Table) -> tuple[Figure, str]:
    """F1 on 4v9 under noise and occlusion, and what is lost from the clean F1."""
    rows = changes(table.where(part=NETWORKS, pair=CLOSE_PAIR, width=lambda width: width in NOISE_WIDTHS))
    noise = rows.where(condition=lambda name: name in ("clean", "gaussian noise"))
    measures = {"f1": "F1", "change": "F1 minus clean F1"}
    drawing, grid = in_arms(noise, measures, "width", "level", "h{}")
    for column, each in zip(grid.T, rows.where(condition="occlusion").by("arm").values(), strict=True):
        for axes, name in zip(column, measures, strict=True):
            for number, patched in enumerate(each.by("width").values()):
                # Side by side, for they are close.
                at, f1 = _PATCH_AT + 0.02 * number, patched[name]
                axes.errorbar(at, f1.mean(), deviation(f1), **look(number), capsize=4)
        column[1].set(xlabel="standard deviation of the noise (pixel range 0 to 1)")
    for number, width in enumerate(rows.by("width")):
        if width in GAUSSIAN_F1:
            grid[0, 0].plot(SIGMAS, GAUSSIAN_F1[width], "x", **_CROSS | {"color": look(number)["color"]})
        grid[0, 0].plot(
            _PATCH_AT + 0.02 * number, OCCLUSION_F1[width], "x", **_CROSS | {"color": look(number)["color"]}
        )
    grid[0, 0].plot([], [], "x", **_CROSS, label="published")
    ticks = {0.0: "0", **{sigma: f"{sigma:g}" for sigma in SIGMAS}, _PATCH_AT + 0.02: f"{PATCH} x {PATCH}\npatch"}
    grid[0, 0].set_xticks(list(ticks), list(ticks.values()))
    legend(drawing, [grid[0, 0]])
    return drawing, (
        f"4v9 under Gaussian pixel noise, clipped to [0, 1], and with one {PATCH} x {PATCH} patch of zeros at a random "
        "place in each image, without retraining. Above: F1; below: what is lost from the clean F1 of the same "
        f"network. Mean and standard deviation over seeds. {seeds(rows)}."
    )


def matched_robustness(table: Table) -> tuple[Figure, str]:
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
        axes.set_xticks(places, [*(f"noise {sigma:g}" for sigma in SIGMAS), "patch"], fontsize=12)
        axes.set(title=f"4v9, {arm}", xlabel="corruption")
    grid[0, 0].set_ylabel(f"accuracy of h{LARGE} minus\nthat of h{SMALL} (percentage points)")
    legend(drawing, grid[0])
    return drawing, (
        f"What {LARGE} hidden units gain over {SMALL} under Gaussian noise of standard deviation {SIGMAS[0]:g} to "
        f"{SIGMAS[-1]:g} and under a {PATCH} x {PATCH} patch of zeros: of the trained networks, and at the largest "
        "clean accuracy that both had in training. Mean and 95 % bootstrap interval over seeds (none of one seed). "
        f"{seeds(rows)}."
    )
