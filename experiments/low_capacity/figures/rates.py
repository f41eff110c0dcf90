"""The search for the learning rate: how good each rate is at each width."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from experiments.low_capacity.figures.axes import seeds
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED
from experiments.low_capacity.published import LEARNING_RATES, RATE_F1
from experiments.low_capacity.rates import f1_table, validation_loss
from experiments.low_capacity.results import Results
from experiments.style import Drawn, figure, save

_F1 = {AS_RELEASED: "best F1 on the training set", CORRECTED: "F1 on the validation set"}
# The lowest F1 of the colours, and how many digits are written.
_SCALE = {AS_RELEASED: (0.0, 2), CORRECTED: (0.95, 3)}
_TITLES = {arm: f"{arm}:\n{name}" for arm, name in _F1.items()}


def heat_maps(results: Results, folder: Path) -> Drawn:
    """Mean F1 for each width and rate, with the best rate of each width framed."""
    with figure(1, 2, panel=(8.5, 8.0)) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            rates, table = results.rates[arm], f1_table(results, arm).mean(axis=2)
            lowest, digits = _SCALE[arm]
            image = axes.imshow(table, vmin=lowest, vmax=1, aspect="auto")
            for row, column in np.ndindex(table.shape):
                f1 = table[row, column]
                ink = "black" if f1 > (0.4 * lowest + 0.6) else "white"
                axes.text(column, row, f"{f1:.{digits}f}", ha="center", va="center", color=ink, fontsize=14)
            for row, column in enumerate(table.argmax(axis=1)):
                axes.add_patch(_frame(column, row))
            axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
            axes.set_yticks(range(len(results.widths)), map(str, results.widths))
            axes.set(title=_TITLES[arm], xlabel="learning rate", ylabel="hidden units")
            axes.grid(visible=False)
            drawing.colorbar(image, ax=axes, label="F1", shrink=0.8)
        losses = {rate: validation_loss(results, rate) for rate in results.rates[CORRECTED]}
        listed = ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in losses.items())
        caption = (
            "4v9: mean F1 for each width and learning rate; the frame is the best rate of a width. As released in 100 "
            "full-batch steps; corrected until the validation loss stops falling, at most 100 epochs. The corrected "
            f"arm takes the rate with the lowest mean validation loss ({listed}). {seeds(results)}."
        )
        return save(drawing, folder, "learning_rate_heat_map.png", caption)


def scatter(results: Results, folder: Path) -> Drawn:
    """F1 of every network against its rate, with the published values."""
    with figure(1, 2, panel=(7.5, 5.5)) as (drawing, grid):
        norm = LogNorm(min(results.widths), max(max(results.widths), min(results.widths) + 1))
        for axes, arm in zip(grid[0], ARMS, strict=True):
            table = f1_table(results, arm)
            for row, width in enumerate(results.widths):
                x = np.repeat(results.rates[arm], table.shape[2]) * (1 + 0.03 * (row - len(results.widths) / 2))
                axes.scatter(x, table[row].ravel(), c=np.full(x.size, width), norm=norm, s=60, edgecolor="white")
                if arm == AS_RELEASED:
                    known = [column for column, rate in enumerate(LEARNING_RATES) if rate in results.rates[arm]]
                    points = [RATE_F1[width][column] for column in known]
                    _published(axes, [LEARNING_RATES[column] for column in known], points, row == 0)
            axes.set(xscale="log", title=_TITLES[arm], xlabel="learning rate (widths side by side)")
            axes.set_ylim((-0.03, 1.03) if arm == AS_RELEASED else (0.95, 1.0))
            axes.set_ylabel("F1")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        scale = ScalarMappable(norm, "cividis")
        bar = drawing.colorbar(scale, ax=grid[0], label="hidden units")
        bar.set_ticks([width for width in results.widths if width in (2, 4, 8, 16, 32, 64)], minor=False)
        bar.ax.set_yticks([], minor=True)
        bar.ax.yaxis.set_major_formatter("{x:g}")
        caption = (
            "4v9: F1 of every network against its learning rate, a point a network. Crosses: the paper's, of one run "
            "whose draws are not known; at the smaller rates 100 steps barely move the weights, and F1 is the luck of "
            f"the draw. {seeds(results)}."
        )
        return save(drawing, folder, "learning_rate_scatter.png", caption)


def _frame(column: int, row: int) -> Rectangle:
    return Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, fill=False, color="#D55E00", linewidth=4)


def _published(axes: Axes, rates: list[float], points: list[float], first: bool) -> None:
    axes.plot(
        rates, points, "x", color="#D55E00", markersize=8, markeredgewidth=2, label="published" if first else None
    )
