"""Experiment 1: sensitivity along ellipses through training images and away from them."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import UNFITTED, count, legend, look, say
from experiments.sensitivity.portraits import KINDS
from experiments.sensitivity.results import Floats, Networks, Study
from experiments.style import figure, save

_ANCHORS = {1 / 3: "1/3", 1.0: "1", 5 / 3: "5/3"}  # multiples of pi
_QUANTITIES = {"norm": r"Jacobian norm $\|J\|_F$", "density": "transitions to the next angle"}


def trajectories(study: Study, folder: Path) -> Drawn:
    """Jacobian norm and density of transitions against the angle, a row per gain of the initial weights."""
    rows = max(1, len(study.portraits))
    with figure(rows, 2, panel=(8.0, 4.8), sharex=True) as (drawing, grid):
        for row, (gain, networks) in zip(grid, study.portraits.items(), strict=False):
            for axes, (quantity, label) in zip(row, _QUANTITIES.items(), strict=True):
                _lines(axes, networks, quantity)
                axes.set(title=f"initial weights x {gain:g} ({count(len(networks), 'network')})", ylabel=label)
        for axes in grid.flat:
            axes.set_xticks([0, *_ANCHORS, 2], ["0", *_ANCHORS.values(), "2"])
            axes.grid(visible=False, axis="x")
            for anchor in _ANCHORS:
                axes.axvline(anchor, color="black", linewidth=1.2, linestyle="--", zorder=1)
            if not study.portraits:
                say(axes, UNFITTED)
        for axes in grid[:, 0]:
            axes.set_yscale("log")
        for axes in grid[:, 1]:
            axes.set_ylim(bottom=0)
        for axes in grid[-1]:
            axes.set_xlabel(r"angle along the ellipse (multiples of $\pi$)")
        legend(drawing, grid.flat)
        caption = (
            "Sensitivity along ellipses through three training images of different classes, of one class, or through "
            "three points of standardised noise; dashed: where the ellipse passes through the three. Left: Jacobian "
            f"norm of the probabilities. Right: how many linear pieces are crossed from one of {_angles(study)} angles "
            f"to the next. Lines: median over {_ellipses(study)} ellipses of each kind, bands: quartiles; with several "
            f"networks, the median of theirs at each angle. {networks_looked_at(study)}."
        )
        return save(drawing, folder, "trajectories.png", caption)


def networks_looked_at(study: Study) -> str:
    """The sample size of the portraits, and what they are, for a caption."""
    total = sum(map(len, study.portraits.values()))
    trials = [trial for networks in study.portraits.values() for trial in networks.trials]
    what = sorted({f"{t.depth} hidden layers of {t.width} units, {t.examples:,} training images" for t in trials})
    return "; ".join([f"n = {count(total, 'network')}", *what])


def quartiles(networks: Networks, kind: str, quantity: str) -> Floats:
    """Lower quartile, median and upper quartile over the ellipses at each angle; of each the median over networks."""
    return np.median([result["ellipses"][kind][quantity] for result in networks.results], axis=0)


def _lines(axes: Axes, networks: Networks, quantity: str) -> None:
    for number, kind in enumerate(KINDS):
        found = quartiles(networks, kind, quantity)
        angles = 2 * np.arange(found.shape[1] + 1) / found.shape[1]
        low, middle, high = np.column_stack([found, found[:, :1]])  # closed
        if quantity == "density":
            # What is counted lies between two angles.
            angles = angles + angles[1] / 2
        axes.fill_between(angles, low, high, color=look(number)["color"], alpha=0.15, linewidth=0)
        axes.plot(angles, middle, **look(number), label=kind, linewidth=2, markersize=7, markevery=(4 * number, 12))


def _angles(study: Study) -> str:
    found = {len(r["ellipses"][KINDS[0]]["norm"][0]) for each in study.portraits.values() for r in each.results}
    return " or ".join(map(str, sorted(found))) or "no"


def _ellipses(study: Study) -> str:
    found = {len(r["ellipses"][KINDS[0]]["level"]) for each in study.portraits.values() for r in each.results}
    return " or ".join(map(str, sorted(found))) or "no"
