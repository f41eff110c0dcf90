"""The search for the learning rate: how good each rate is at each width."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from experiments.low_capacity import protocol
from experiments.low_capacity.figures.axes import seeds
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED
from experiments.low_capacity.published import EPOCHS, LEARNING_RATES, RATE_F1
from experiments.low_capacity.rates import f1_table, table, validation_loss
from experiments.low_capacity.results import Results
from experiments.page import Drawn
from experiments.style import figure, save

_F1 = {AS_RELEASED: "best F1 on the training set", CORRECTED: "F1 on the validation set"}
# The lowest F1 of the colours and of the axis, and how many digits are written.
_SCALE = {AS_RELEASED: (0.0, 2), CORRECTED: (0.95, 3)}
_TITLES = {arm: f"{arm}:\n{name}" for arm, name in _F1.items()}


def heat_maps(results: Results, folder: Path) -> Drawn:
    """Mean F1 for each width and rate, with the best rate of each width framed, and what did not converge marked."""
    with figure(1, 2, panel=(8.5, 8.0)) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            rates, means = results.rates[arm], f1_table(results, arm).mean(axis=2)
            most = protocol.MOST_EPOCHS if arm == CORRECTED else np.inf
            unfinished = table(results, arm, "epochs").max(axis=2) >= most
            lowest, digits = _SCALE[arm]
            image = axes.imshow(means, vmin=lowest, vmax=1, aspect="auto")
            for row, column in np.ndindex(means.shape):
                f1 = means[row, column]
                # What is not a number has no colour: black on white.
                ink = "white" if f1 < (lowest + 1) / 2 else "black"
                text = f"{f1:.{digits}f}{'*' if unfinished[row, column] else ''}"
                axes.text(column, row, text, ha="center", va="center", color=ink, fontsize=14)
            for row in np.flatnonzero(np.isfinite(means).any(axis=1)).tolist():
                axes.add_patch(_frame(int(np.nanargmax(means[row])), row))
            axes.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
            axes.set_yticks(range(len(results.widths)), map(str, results.widths))
            axes.set(title=_TITLES[arm], xlabel="learning rate", ylabel="hidden units")
            axes.grid(visible=False)
            drawing.colorbar(image, ax=axes, label="F1", shrink=0.8, extend="min" if lowest else "neither")
        losses = {rate: validation_loss(results, rate) for rate in results.rates[CORRECTED]}
        listed = ", ".join(f"{rate:g}: {loss:.4f}" for rate, loss in losses.items())
        published = sorted({LEARNING_RATES[int(np.argmax(RATE_F1[width]))] for width in results.widths})
        caption = (
            "4v9: mean F1 for each width and learning rate; the frame is the best rate of a width, which in the paper "
            f"is {' or '.join(f'{rate:g}' for rate in published)} at each of these widths. As released in "
            f"{EPOCHS} full-batch steps; corrected until the validation loss stops falling. Asterisk: "
            f"some network of that cell had not stopped after {protocol.MOST_EPOCHS} epochs, the most that it is "
            "given. The corrected arm takes the rate with the lowest mean validation loss "
            f"({listed}). {seeds(results)}."
        )
        return save(drawing, folder, "learning_rate_heat_map.png", caption)


def scatter(results: Results, folder: Path) -> Drawn:
    """F1 of every network against its rate, with the published values; what lies below the axis is at its edge."""
    with figure(1, 2, panel=(7.5, 5.5)) as (drawing, grid):
        norm = LogNorm(min(results.widths), max(max(results.widths), min(results.widths) + 1))
        for axes, arm in zip(grid[0], ARMS, strict=True):
            f1, (lowest, _) = f1_table(results, arm), _SCALE[arm]
            for row, width in enumerate(results.widths):
                x = np.repeat(results.rates[arm], f1.shape[2]) * (1 + 0.03 * (row - len(results.widths) / 2))
                y = f1[row].ravel()
                look = {"norm": norm, "edgecolor": "white", "clip_on": False, "zorder": 3}
                inside = y >= lowest
                axes.scatter(x[inside], y[inside], c=np.full(inside.sum(), width), s=60, **look)
                outside = np.full((~inside).sum(), lowest)
                axes.scatter(x[~inside], outside, c=np.full(outside.size, width), s=140, marker="v", **look)
                if arm == AS_RELEASED:
                    known = [column for column, rate in enumerate(LEARNING_RATES) if rate in results.rates[arm]]
                    points = [RATE_F1[width][column] for column in known]
                    _published(axes, [LEARNING_RATES[column] for column in known], points, row == 0)
            axes.set(xscale="log", title=_TITLES[arm], xlabel="learning rate (widths side by side)")
            axes.set_ylim(lowest - 0.03 * (1 - lowest), 1 + 0.03 * (1 - lowest))
            axes.set_ylabel("F1")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        scale = ScalarMappable(norm, "cividis")
        bar = drawing.colorbar(scale, ax=grid[0], label="hidden units")
        bar.set_ticks([width for width in results.widths if width in (2, 4, 8, 16, 32, 64)], minor=False)
        bar.ax.set_yticks([], minor=True)
        bar.ax.yaxis.set_major_formatter("{x:g}")
        f1, (lowest, _) = f1_table(results, CORRECTED), _SCALE[CORRECTED]
        outside = f1[~(f1 >= lowest)]
        down = f" (n = {outside.size}, down to {outside.min():.3f})" if outside.size else " (none)"
        caption = (
            "4v9: F1 of every network against its learning rate, a point per network. Crosses: the paper's, of one run "
            "whose draws are not known; at the smaller rates 100 steps barely move the weights, and F1 is the luck of "
            f"the draw. Triangles at the lower edge: corrected networks below {lowest}, or without an F1{down}. "
            f"{seeds(results)}."
        )
        return save(drawing, folder, "learning_rate_scatter.png", caption)


def _frame(column: int, row: int) -> Rectangle:
    return Rectangle((column - 0.47, row - 0.46), 0.94, 0.92, fill=False, color="#D55E00", linewidth=4)


def _published(axes: Axes, rates: list[float], points: list[float], first: bool) -> None:
    axes.plot(
        rates,
        points,
        "x",
        color="#D55E00",
        markersize=8,
        markeredgewidth=2,
        zorder=4,
        label="published" if first else None,
    )
