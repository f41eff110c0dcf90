"""What the hidden units of 4v9 say of the digit, and how selective they are, along pruning and unit by unit."""

from pathlib import Path

import numpy as np

from experiments.low_capacity.figures.axes import line, seeds
from experiments.low_capacity.judgements.inside import information as numbers
from experiments.low_capacity.measures.representation import WIDTHS
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import PRUNED_PERCENT, SALIENCY_PAIR, SALIENCY_WIDTH
from experiments.low_capacity.results import Results
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save

_ROWS = {
    "output": "information of\nthe output (bit)",
    "largest": "of the best hidden\nunit (bit)",
    "mean": "mean over hidden\nunits (bit)",
    "mean_selectivity": "mean selectivity\nof hidden units",
}
_SHOWN = {"dense": "dense", "pruned": "true 95 % removed"}


def information(results: Results, folder: Path) -> Drawn:
    """Information and selectivity against true sparsity, a line per width, both arms."""
    widths = [width for width in results.widths if width in WIDTHS]
    percents = [0, *PRUNED_PERCENT]
    with figure(len(_ROWS), 2, panel=(7.0, 3.0), sharex=True, sharey="row") as (drawing, grid):
        for row, (name, title) in zip(grid, _ROWS.items(), strict=True):
            for axes, arm in zip(row, ARMS, strict=True):
                for number, width in enumerate(widths):
                    samples = [numbers(results, arm, width, percent / 100, name) for percent in percents]
                    line(axes, percents, samples, number, f"h{width}")
            row[0].set_ylabel(title)
        for axes, arm in zip(grid[0], ARMS, strict=True):
            axes.set_title(f"4v9, {arm}")
        for axes in grid[-1]:
            axes.set_xlabel("weights removed (%)")
        grid[2, 0].legend(fontsize=13, ncols=2, loc="upper right")
        caption = (
            "What output and hidden units say of the digit on the test images, after one-shot magnitude pruning "
            "of a true share of the weights: mutual information with the label (16 equally filled bins, "
            "bias-corrected; the label has 1 bit), and class selectivity (0: active alike on 4 and 9; 1: on one only). "
            f"Mean and standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "information.png", caption)


def units(results: Results, folder: Path) -> Drawn:
    """Information and selectivity of each hidden unit, dense and pruned by 95 %, for the first seed of both arms."""
    rows = {"information": "information (bit)", "selectivity": "selectivity"}
    with figure(2, 2, panel=(7.0, 3.4), sharex=True, sharey="row") as (drawing, grid):
        for column, arm in enumerate(ARMS):
            found = results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)[0]["units"]
            order = np.argsort(found["dense"]["information"])[::-1]
            place = np.arange(1, len(order) + 1)
            for axes, measure in zip(grid[:, column], rows, strict=True):
                dense, pruned = (np.array(found[name][measure])[order] for name in _SHOWN)
                axes.vlines(place, dense, pruned, color="grey", linewidth=1)
                for number, (values, label) in enumerate(zip((dense, pruned), _SHOWN.values(), strict=True)):
                    axes.plot(place, values, MARKERS[number], color=COLOURS[number], label=label)
            grid[0, column].set_title(f"4v9 h{SALIENCY_WIDTH}, {arm}")
            grid[1, column].set_xlabel("hidden unit, by its information in the dense network")
        for axes, title in zip(grid[:, 0], rows.values(), strict=True):
            axes.set_ylabel(title)
        grid[0, 0].legend(fontsize=13)
        spared = {
            arm: [r["spared"]["incoming"] for r in results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)] for arm in ARMS
        }
        caption = (
            f"What each of the {SALIENCY_WIDTH} hidden units of 4v9 says of the digit, and how selective it is for "
            "one, before and after a true 95 % is removed; the first seed of each arm (n = 1). Rank correlation of a "
            "unit's information with the share of its incoming weights that a cut of 80 % keeps, mean over seeds: "
            f"{', '.join(f'{np.mean(values):.2f} {arm}' for arm, values in spared.items())}. {seeds(results)}."
        )
        return save(drawing, folder, "units.png", caption)
