"""How difficult all pairs of digits are, and how many hidden units they need."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from experiments.low_capacity.difficulty import (
    DEFINITIONS,
    WIDTHS,
    error_interval,
    growth,
    linear_error,
    mean,
    minimum_width,
)
from experiments.low_capacity.figures.axes import seeds
from experiments.low_capacity.protocol import ARMS, CORRECTED
from experiments.low_capacity.published import PAIRS
from experiments.low_capacity.results import Pair, Results, pair_name
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save
from npnet.ranks import rank_correlation

_GREY = "#808080"
_NEAREST, _OTHER = "nearest class mean", "another pair"
# How far points are moved, of a factor of two: the standard deviation, and from one of the paper's pairs to the next.
_JITTER, _STEP = 0.07, 0.11


def difficulty(results: Results, folder: Path) -> Drawn:
    """Error of the linear classifier of every pair in both arms, and how far its class means overlap."""
    pairs = sorted(results.pairs, key=lambda pair: linear_error(results, CORRECTED, pair), reverse=True)
    rows = np.arange(len(pairs))
    with figure(1, 3, panel=(5.4, 2.5 + 0.29 * len(pairs)), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=False):
            nearest = [100 * mean(results, arm, pair, "nearest_mean_error") for pair in pairs]
            axes.plot(nearest, rows, "|", color="black", markersize=9, markeredgewidth=2, label=_NEAREST)
            for row, pair in enumerate(pairs):
                error, bounds = linear_error(results, arm, pair), error_interval(results, arm, pair)
                colour, marker = _look(pair)
                axes.plot([100 * bound for bound in bounds], [row, row], color=colour, linewidth=2)
                axes.plot(100 * error, row, marker, color=colour, markersize=9, label=_label(pair))
            _error_axis(axes)
            axes.set(title=arm, xlabel="error (%)")
        for row, pair in enumerate(pairs):
            colour, marker = _look(pair)
            grid[0, 2].plot(mean(results, CORRECTED, pair, "overlap"), row, marker, color=colour, markersize=9)
        overlaps = [mean(results, CORRECTED, pair, "overlap") for pair in pairs]
        errors = np.array([[linear_error(results, arm, pair) for pair in pairs] for arm in ARMS])
        ranks = rank_correlation(errors, np.array([overlaps, overlaps]))
        grid[0, 2].set(title="overlap of class means", xlabel="cosine similarity")
        grid[0, 0].set_yticks(rows, [pair_name(pair) for pair in pairs], fontsize=14)
        grid[0, 0].set_ylim(len(pairs) - 0.4, -0.6)
        for label, pair in zip(grid[0, 0].get_yticklabels(), pairs, strict=True):
            label.set(color=_look(pair)[0] if pair in PAIRS else "black", weight="bold" if pair in PAIRS else "normal")
        handles, labels = _legend(grid[0, 0], _OTHER, _NEAREST)
        drawing.legend(handles, labels, loc="outside upper center", ncols=7, fontsize=15)
        judged = sorted({int(mean(results, CORRECTED, pair, "judged")) for pair in pairs})
        caption = (
            f"How difficult {len(pairs)} pairs of digits are, the most difficult above: error of a linear classifier, "
            "a network without a hidden layer, on examples it was not trained on. The order is that of the corrected "
            "arm in all panels. In colour: the five pairs of the paper, in its order of difficulty. Bars: Wilson's "
            "95 % interval for the examples that one seed judges "
            f"({judged[0]:,} to {judged[-1]:,} corrected); axes are linear below 0.1 %. Strokes: error of the "
            "nearest class mean. Right: cosine similarity of the mean training images of the two digits; its rank "
            f"correlation with the linear error is {ranks[0]:.2f} as released and {ranks[1]:.2f} corrected. "
            f"{seeds(results)}; as released on the held-out fifth of the training file, corrected on the official test "
            "file."
        )
        return save(drawing, folder, "difficulty.png", caption)


def capacity(results: Results, folder: Path) -> Drawn:
    """Minimum width of every pair against its difficulty, one row a definition, one column an arm."""
    rng = np.random.default_rng(0)
    with figure(2, 2, panel=(7.4, 5.2), sharey=True, sharex=True) as (drawing, grid):
        for row, definition in zip(grid, DEFINITIONS, strict=True):
            for axes, arm in zip(row, ARMS, strict=True):
                none = 2 * max(WIDTHS[arm])
                for pair in reversed(results.pairs):
                    colour, marker = _look(pair)
                    moved = _STEP * (PAIRS.index(pair) - 2) if pair in PAIRS else _JITTER * rng.standard_normal()
                    width = min(minimum_width(results, arm, pair, definition), none)
                    axes.plot(
                        100 * linear_error(results, arm, pair),
                        width * 2**moved,
                        marker,
                        color=colour,
                        markersize=11 if pair in PAIRS else 9,
                        alpha=1.0 if pair in PAIRS else 0.6,
                        markeredgecolor="white",
                        label=_label(pair),
                        zorder=3 if pair in PAIRS else 2,
                    )
                correlation, (lowest, highest) = growth(results, arm, definition)
                axes.set_title(
                    f"{arm}: {definition}\nrank correlation {correlation:.2f} [{lowest:.2f}, {highest:.2f}]",
                    fontsize=14,
                )
                _error_axis(axes)
                axes.set_yscale("log", base=2)
        widths = sorted({width for arm in ARMS for width in WIDTHS[arm]})
        grid[0, 0].set_yticks([*widths, 2 * widths[-1]], [*map(str, widths), "none"])
        grid[0, 0].set_yticks([], minor=True)
        for axes in grid[1]:
            axes.set_xlabel("error of a linear classifier (%)")
        for axes in grid[:, 0]:
            axes.set_ylabel("minimum hidden units")
        handles, labels = _legend(grid[0, 0], _OTHER)
        drawing.legend(handles, labels, loc="outside upper center", ncols=6, fontsize=15)
        tried = "; ".join(f"{arm} {', '.join(map(str, WIDTHS[arm]))}" for arm in ARMS)
        caption = (
            f"The smallest width from which on F1 is enough, by two definitions, against difficulty; a point a pair of "
            f"digits, {len(results.pairs)} pairs. Widths tried: {tried}; none: not even the widest. Points are moved "
            "up or down a little, for many coincide: the paper's pairs in their order, the others at random. The error "
            "axis is linear below 0.1 %. Rank correlation: Spearman's, with its 95 % bootstrap interval over pairs; 0 "
            "where all pairs are equal. Where every F1 is above 0.99 every width is within one point of the widest, so "
            "the easiest pairs cannot be told apart. F1 on the held-out fifth of the training "
            f"file as released, on the official test file corrected. {seeds(results)}."
        )
        return save(drawing, folder, "capacity_difficulty.png", caption)


def _look(pair: Pair) -> tuple[str, str]:
    """Colour and marker: the paper's pairs have their own."""
    if pair not in PAIRS:
        return _GREY, "o"
    number = PAIRS.index(pair)
    return COLOURS[number], MARKERS[number]


def _label(pair: Pair) -> str:
    return pair_name(pair) if pair in PAIRS else _OTHER


def _legend(axes: Axes, *last: str) -> tuple[list[Any], list[str]]:
    """Handles and labels of the paper's pairs in its order, and of the rest."""
    found = dict(zip(*reversed(axes.get_legend_handles_labels()), strict=True))
    labels = [name for name in (*map(pair_name, PAIRS), *last) if name in found]
    return [found[name] for name in labels], labels


def _error_axis(axes: Axes) -> None:
    """A logarithmic axis of errors in percent that has a place for 0."""
    axes.set_xscale("symlog", linthresh=0.1, linscale=0.3)
    axes.set_xticks([0, 0.1, 0.3, 1, 3, 10, 30], ["0", ".1", ".3", "1", "3", "10", "30"])
    axes.set_xticks([], minor=True)
    axes.set_xlim(left=0)
