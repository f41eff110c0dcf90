"""F1 against the width of the hidden layer, and against epochs."""

from pathlib import Path

import numpy as np

from experiments.low_capacity.figures.axes import line, seeds, width_axis
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED
from experiments.low_capacity.published import (
    FIGURE_3,
    WIDTHS,
)
from experiments.low_capacity.results import Results, pair_name
from experiments.page import Drawn
from experiments.style import COLOURS, figure, save


def capacity(results: Results, folder: Path) -> Drawn:
    """F1 against width, with the points of the paper's Figure 3."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            for number, pair in enumerate(results.pairs):
                samples = [results.best_f1(arm, pair, width) for width in results.widths]
                line(axes, results.widths, samples, number, pair_name(pair))
                if arm == AS_RELEASED:
                    published = [FIGURE_3[pair][WIDTHS.index(width)] for width in results.widths]
                    axes.plot(
                        results.widths, published, "x", color="black", markersize=7, markeredgewidth=1.5, zorder=3
                    )
            axes.axhline(0.9, color="grey", linewidth=1, linestyle="--")
            width_axis(axes, results.widths)
        grid[0, 0].plot([], [], "x", color="black", label="published (Fig. 3)")
        grid[0, 0].set(title="as released", ylabel="F1", ylim=(0.45, 1.01))
        grid[0, 1].set(title="corrected")
        zoom = grid[0, 1].inset_axes((0.12, 0.12, 0.84, 0.58))
        for number, pair in enumerate(results.pairs):
            line(zoom, results.widths, [results.best_f1(CORRECTED, pair, w) for w in results.widths], number, "")
        zoom.set(title="the same, enlarged", ylim=(0.96, 1.002))
        width_axis(zoom, results.widths)
        zoom.set_xlabel("")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        caption = (
            "F1 against the width of the hidden layer; mean and standard deviation over seeds. Left: best F1 on the "
            f"training set in 100 full-batch steps; right: F1 on the official test file. {seeds(results)}."
        )
        return save(drawing, folder, "capacity.png", caption)


def training_curves(results: Results, folder: Path) -> Drawn:
    """Training F1 against epoch, one panel per pair, one row an arm."""
    widths = [width for width in results.widths if width in (2, 4, 12, 24, 64)]
    with figure(2, len(results.pairs), panel=(4.0, 3.6), sharey="row", sharex="row") as (drawing, grid):
        for row, arm in zip(grid, ARMS, strict=True):
            for axes, pair in zip(row, results.pairs, strict=True):
                for number, width in enumerate(widths):
                    curves = [result["curves"]["train_f1"] for result in results.of(arm, pair, width)]
                    epochs = min(map(len, curves))
                    mean = np.mean([curve[:epochs] for curve in curves], axis=0)
                    for curve in curves:
                        axes.plot(np.arange(1, len(curve) + 1), curve, color=COLOURS[number], linewidth=0.8, alpha=0.35)
                    axes.plot(np.arange(1, epochs + 1), mean, color=COLOURS[number], label=f"h{width}")
                axes.set_title(f"{pair_name(pair)}, {arm}", fontsize=14)
                axes.set_xlabel("epoch")
            row[0].set_ylabel("training F1")
        grid[0, -1].legend(loc="lower right", fontsize=12)
        grid[1, 0].set_ylim(0.9, 1.003)
        caption = (
            "F1 on the training set against epochs: thin lines are seeds, thick ones their mean as far as all seeds "
            "run. "
            "As released an epoch is one full-batch step; corrected, one pass of minibatches (F1 while they pass), "
            "until "
            f"the validation loss stops falling. {seeds(results)}."
        )
        return save(drawing, folder, "training_curves.png", caption)
