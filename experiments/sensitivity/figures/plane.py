"""Experiment 2: the linear pieces in a plane through three training images, before and after training."""

from pathlib import Path

import numpy as np
from matplotlib.ticker import MaxNLocator

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import UNFITTED, say
from experiments.sensitivity.figures.trajectories import networks_looked_at
from experiments.sensitivity.portraits import MARGIN
from experiments.sensitivity.results import Study
from experiments.style import COLOURS, figure, save

_TIMES = {"before": "before training", "after": "after training"}
_ANCHORS = np.array([[0, 1, 0], [0, 0, 1]])


def plane(study: Study, folder: Path) -> Drawn:
    """The picture of the first network of each gain, before and after training, in the same colours."""
    rows = max(1, len(study.portraits))
    with figure(rows, 2, panel=(6.4, 5.8), sharex=True, sharey=True) as (drawing, grid):
        for row, (gain, networks) in zip(grid, study.portraits.items(), strict=False):
            pictures = {time: np.array(networks.results[0]["pictures"][time]) for time in _TIMES}
            most = max(1, *(picture.max() for picture in pictures.values()))
            for axes, (time, title) in zip(row, _TIMES.items(), strict=True):
                image = axes.imshow(
                    pictures[time],
                    origin="lower",
                    extent=(-MARGIN, 1 + MARGIN, -MARGIN, 1 + MARGIN),
                    vmin=0,
                    vmax=most,
                    interpolation="nearest",
                )
                axes.plot(
                    *_ANCHORS, "o", markersize=13, markerfacecolor="none", markeredgecolor="white", markeredgewidth=4
                )
                axes.plot(*_ANCHORS, "o", markersize=13, markerfacecolor="none", markeredgecolor=COLOURS[1])
                axes.set_title(f"{title}, initial weights x {gain:g}", fontsize=15)
            drawing.colorbar(image, ax=row, label="units that change", ticks=MaxNLocator(6, integer=True))
            row[0].set_ylabel("towards the third image")
        for axes in grid.flat:
            axes.set_aspect("equal")
            axes.set(xticks=[0, 1], yticks=[0, 1])
            axes.grid(visible=False)
            if not study.portraits:
                say(axes, UNFITTED)
        for axes in grid[-1]:
            axes.set_xlabel("towards the second image")
        caption = (
            "The plane through three training images of different classes (circles: the first at 0, 0). The colour is "
            "the number of units of the last hidden layer that pass to another linear piece from a point to its "
            "neighbours on the right and above; lines are the boundaries of pieces. As published, training would clear "
            "them away from the images: dark around the circles. The two directions are drawn at right angles and "
            "equally long, whatever they are among images. The first network of each gain of the "
            f"initial weights, {len(study.portraits)} of {networks_looked_at(study)}."
        )
        return save(drawing, folder, "plane.png", caption)
