"""How sparse the networks can be, with and without retraining."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.claims import deviation
from experiments.low_capacity.figures.axes import seeds, width_axis
from experiments.low_capacity.limits import DENSE, METHODS, POINT, RETRAINED, curve, largest
from experiments.low_capacity.protocol import ARMS, CORRECTED
from experiments.low_capacity.published import SEARCH_PAIR
from experiments.low_capacity.results import Results, pair_name
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save

_REMOVED = (0, 50, 80, 90, 95, 98, 99, 99.5, 99.9)
_RIGHT = (50, 80, 90, 95, 98, 99, 99.5)
_SHOWN = (4, 12, 24, 64)


def limit(results: Results, folder: Path) -> Drawn:
    """The largest sparsity within one point of dense accuracy against width, one panel per pair, one row an arm."""
    shape = {"gridspec_kw": {"height_ratios": (1, 1.6)}}
    with figure(2, len(results.pairs), panel=(4.4, 5.0), sharex=True, sharey=True, **shape) as (drawing, grid):
        for row, arm in zip(grid, ARMS, strict=True):
            for axes, pair in zip(row, results.pairs, strict=True):
                for number, method in enumerate(_methods(results, arm)):
                    found = [largest(results, arm, pair, width, method) for width in results.widths]
                    _stepped(axes, results.widths, found, number, method)
                axes.axhline(1 - 0.95, color="black", linewidth=1.5, linestyle="--", zorder=1)
                axes.set_title(f"{pair_name(pair)}, {arm}", fontsize=15)
                _complement_axis(axes, "y", _REMOVED)
                axes.set_ylim(1.25, 0.0008)
        for axes in grid[1]:
            width_axis(axes, results.widths)
            axes.tick_params(axis="x", labelsize=12)
        for axes in grid[:, 0]:
            axes.set_ylabel("most weights that can\nbe removed (%)")
        handles, labels = grid[1, 0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=15)
        levels, _ = curve(results, CORRECTED, results.pairs[0], results.widths[0], RETRAINED[0])
        caption = (
            "The largest true sparsity, in percent of all weights, at which (and at every lower one that was tried) "
            "accuracy is at most one point (0.01) below that of the dense networks, against the width of the hidden "
            f"layer; 0 is not even the lowest. Dashed: 95 %. With retraining {100 * levels[0]:g} to "
            f"{100 * levels[-1]:g} % was tried. The vertical axis is logarithmic in the share that is kept. Points of "
            "one width are drawn side by side; a bar reaches from the lowest to the highest seed. A random mask keeps "
            f"as many weights in each layer as the rewound one. {seeds(results)}; as released on the held-out fifth of "
            "the training file, where nothing is trained again, as in the paper; corrected on the official test file."
        )
        return save(drawing, folder, "limits.png", caption)


def accuracy(results: Results, folder: Path) -> Drawn:
    """4v9 at four widths: accuracy against sparsity, by every method, and the hidden units that are disconnected."""
    widths = [width for width in results.widths if width in _SHOWN]
    with figure(3, len(widths), panel=(5.2, 4.2), sharex=True, sharey="row") as (drawing, grid):
        for column, width in enumerate(widths):
            for axes, arm in zip(grid[:2, column], ARMS, strict=True):
                _, dense = curve(results, arm, SEARCH_PAIR, width, DENSE)
                axes.axhspan(1 - dense.mean(), 1 - dense.mean() + POINT, color="grey", alpha=0.3, linewidth=0)
                for number, method in enumerate(_methods(results, arm)):
                    levels, values = curve(results, arm, SEARCH_PAIR, width, method)
                    _band(axes, 1 - np.array(levels), 1 - values, number, method)
                _complement_axis(axes, "y", _RIGHT)
                axes.set_title(f"h{width}, {arm}", fontsize=15)
            axes = grid[2, column]
            for number, method in enumerate(_methods(results, CORRECTED)):
                levels, units = curve(results, CORRECTED, SEARCH_PAIR, width, method, "disconnected")
                _band(axes, 1 - np.array(levels), 100 * units / width, number, method)
            axes.set_title(f"h{width}, {CORRECTED}", fontsize=15)
            axes.set_xlabel("weights removed (%)")
            _complement_axis(axes, "x", _REMOVED[1:])
            axes.set_xlim(0.55, 0.0008)
        for axes, label in zip(grid[:, 0], (*["accuracy (%)"] * 2, "hidden units\ndisconnected (%)"), strict=True):
            axes.set_ylabel(label)
        for axes in grid[:2, 0]:
            axes.set_ylim(0.6, 0.006)
        handles, labels = grid[1, 0].get_legend_handles_labels()
        drawing.legend(handles, labels, loc="outside upper center", ncols=4, fontsize=15)
        caption = (
            f"{pair_name(SEARCH_PAIR)}: accuracy against the true sparsity, as released (above, nothing is trained "
            "again, as in the paper) and corrected (middle); mean and standard deviation over seeds. Grey: from dense "
            "accuracy to one point below it. Below: hidden units that have lost all weights from the inputs or the "
            "weight to the output. Both axes of the accuracy are logarithmic, in what is kept and in the error. "
            f"{seeds(results)}; as released on the held-out fifth of the training file, corrected on the official "
            "test file."
        )
        return save(drawing, folder, "sparse_accuracy.png", caption)


def _methods(results: Results, arm: str) -> list[str]:
    """The methods that an arm has, in an order that gives each its colour and marker."""
    return [m for m in METHODS if curve(results, arm, results.pairs[0], results.widths[0], m)[0]]


def _stepped(
    axes: Axes, widths: Sequence[int], found: Sequence[tuple[float, NDArray[np.float64]]], number: int, label: str
) -> None:
    """Limits against width, moved aside a little, for those of several methods are often equal."""
    x = np.array(widths) * 1.035 ** (number - len(METHODS) // 2)
    kept = 1 - np.array([each for each, _ in found])
    each_seed = 1 - np.array([values for _, values in found])
    axes.plot(x, kept, label=label, color=COLOURS[number], marker=MARKERS[number], linewidth=1.5, markersize=9)
    if each_seed.shape[1] > 1:
        axes.vlines(x, each_seed.min(axis=1), each_seed.max(axis=1), color=COLOURS[number], linewidth=1.5, alpha=0.6)


def _band(axes: Axes, x: NDArray[np.float64], values: NDArray[np.float64], number: int, label: str) -> None:
    """A line through the means over seeds with a band of one standard deviation; `values` is (seeds, x)."""
    mean, spread = values.mean(axis=0), np.array([deviation(column) for column in values.T])
    axes.plot(x, mean, color=COLOURS[number], marker=MARKERS[number], label=label, linewidth=2, markersize=7)
    axes.fill_between(x, mean - spread, mean + spread, color=COLOURS[number], alpha=0.15, linewidth=0)


def _complement_axis(axes: Axes, which: str, percent: Sequence[float]) -> None:
    """A logarithmic axis of what is missing to one, labelled with what is there in percent."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_ticks([1 - each / 100 for each in percent], labels=[f"{each:g}" for each in percent])
    axis.set_ticks([], minor=True)
