"""Experiment 5: what the Jacobian norm says of single test images."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import UNFITTED, drawable, legend, look, say
from experiments.sensitivity.figures.trajectories import networks_looked_at
from experiments.sensitivity.results import Floats, Study
from experiments.style import figure, save


def points(study: Study, folder: Path) -> Drawn:
    """Norm against loss of single test images, for the first network of each gain, with the curve of two classes."""
    with figure(1, max(1, len(study.portraits)), panel=(7.5, 5.8)) as (drawing, grid):
        sizes = set()
        for axes, (gain, networks) in zip(grid[0], study.portraits.items(), strict=False):
            found = networks.results[0]["points"]
            norm, loss = (np.array(found[name], dtype=np.float64) for name in ("norm", "loss"))
            sizes.add(len(norm))
            _scatter(axes, norm, loss, np.array(found["wrong"], dtype=np.bool_))
            axes.set_title(f"initial weights x {gain:g}")
        for axes in grid[0]:
            axes.set(xscale="log", yscale="log", xlabel="loss of a test image (nats)")
            if not study.portraits:
                say(axes, UNFITTED)
        grid[0, 0].set_ylabel(r"Jacobian norm $\|J\|_F$ at it")
        legend(drawing, grid.flat, ncols=4)
        images = " or ".join(f"{size:,}" for size in sorted(sizes)) or "no"
        caption = (
            f"Jacobian norm against cross-entropy loss at {images} single test images, for the first network of each "
            "gain of the initial weights. Curve: what two competing classes would give, sqrt(2) s (1 - s) g, where s = "
            "exp(-loss) is the probability of the true class and g the norm of the gradient of the difference of the "
            "two logits, here one number: the median of norm / (sqrt(2) s (1 - s)) over the images that are classified "
            f"right. It is highest at loss = ln 2 (dashed), where a point is undecided. {len(study.portraits)} of "
            f"{networks_looked_at(study)}."
        )
        return save(drawing, folder, "points.png", caption)


def two_classes(loss: Floats, gradient: float) -> Floats:
    """sqrt(2) s (1 - s) g with s = exp(-loss): the norm of the Jacobian with two classes whose logits differ by g."""
    return np.asarray(np.sqrt(2) * np.exp(-loss) * -np.expm1(-loss) * gradient)


def _scatter(axes: Axes, norm: Floats, loss: Floats, wrong: np.ndarray[tuple[int], np.dtype[np.bool_]]) -> None:
    shown = drawable(axes, norm, loss)
    for number, (label, group) in enumerate({"right": shown & ~wrong, "misclassified": shown & wrong}.items()):
        axes.plot(
            loss[group],
            norm[group],
            **look(number),
            linestyle="none",
            markersize=6,
            markeredgewidth=0,
            alpha=0.5,
            label=label,
        )
    if (right := shown & ~wrong).any():
        gradient = float(np.median(norm[right] / two_classes(loss[right], 1.0)))
        x = np.geomspace(loss[shown].min(), loss[shown].max(), 300)
        # The curve falls far below the points of large losses.
        axes.set_ylim(norm[shown].min() / 3, norm[shown].max() * 3)
        axes.plot(x, two_classes(x, gradient), color="black", linewidth=2, label="two competing classes")
    axes.axvline(np.log(2), color="black", linewidth=1.5, linestyle="--", label="loss = ln 2")
