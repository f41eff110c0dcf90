"""The figures of the portraits: along ellipses, in a plane and at single test images."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from experiments.plots import count, dots, drawable, legend, look, say
from experiments.sensitivity.figures import UNFITTED
from experiments.sensitivity.networks import PORTRAITS, Array
from experiments.sensitivity.portraits import ANGLES, ELLIPSES, KINDS, MARGIN, POINTS
from experiments.style import panels
from experiments.table import Table

_QUANTITIES = {"norm": r"Jacobian norm $\|J\|_F$", "density": "transitions to the next angle"}
_ANCHORS = {0: "0", 1 / 3: "1/3", 1: "1", 5 / 3: "5/3", 2: "2"}  # multiples of pi


def trajectories(table: Table) -> tuple[Figure, str]:
    """Jacobian norm and density of transitions against the angle, a row per gain of the initial weights."""
    portraits = _by_gain(table)
    drawing, grid = panels(max(1, len(portraits)), 2, panel=(8.0, 4.8), sharex=True)
    for row, (gain, networks) in zip(grid, portraits.items(), strict=False):
        for axes, (quantity, label) in zip(row, _QUANTITIES.items(), strict=True):
            _around(axes, networks, quantity)
            axes.set(title=f"initial weights x {gain:g} ({count(len(networks), 'network')})", ylabel=label)
    for axes in grid.flat:
        axes.set_xticks(list(_ANCHORS), list(_ANCHORS.values()))
        axes.grid(visible=False, axis="x")
        for anchor in list(_ANCHORS)[1:-1]:
            axes.axvline(anchor, color="black", linewidth=1.2, linestyle="--", zorder=1)
        if not portraits:
            say(axes, UNFITTED)
    for left, right in grid:
        left.set_yscale("log")
        right.set_ylim(bottom=0)
    for axes in grid[-1]:
        axes.set_xlabel(r"angle along the ellipse (multiples of $\pi$)")
    legend(drawing, grid.flat)
    return drawing, (
        "Sensitivity along ellipses through three training images of different classes, of one class, or three points "
        "of standardised noise; dashed: where the three are. Left: Jacobian norm of the probabilities. Right: linear "
        f"pieces crossed from one of {ANGLES} angles to the next. Lines: median over {ELLIPSES} ellipses of each kind, "
        f"bands: quartiles; with several networks, the median of theirs at each angle. {_counts(table)}."
    )


def plane(table: Table) -> tuple[Figure, str]:
    """The picture of the first network of each gain, before and after training, in the same colours."""
    portraits = _by_gain(table)
    drawing, grid = panels(max(1, len(portraits)), 2, panel=(6.4, 5.8), sharex=True, sharey=True)
    extent = (-MARGIN, 1 + MARGIN, -MARGIN, 1 + MARGIN)
    for row, (gain, networks) in zip(grid, portraits.items(), strict=False):
        pictures = {time: np.array(networks.rows[0]["pictures"][time]) for time in ("before", "after")}
        most = max(1, *(picture.max() for picture in pictures.values()))
        for axes, (time, picture) in zip(row, pictures.items(), strict=True):
            image = axes.imshow(picture, origin="lower", extent=extent, vmin=0, vmax=most, interpolation="nearest")
            axes.plot([0, 1, 0], [0, 0, 1], "wo", markersize=13, markerfacecolor="none", markeredgewidth=3)
            axes.set_title(f"{time} training, initial weights x {gain:g}", fontsize=15)
        drawing.colorbar(image, ax=row, label="units that change", ticks=MaxNLocator(6, integer=True))
        row[0].set_ylabel("towards the third image")
    for axes in grid.flat:
        axes.set(xticks=[0, 1], yticks=[0, 1], aspect="equal")
        axes.grid(visible=False)
        if not portraits:
            say(axes, UNFITTED)
    for axes in grid[-1]:
        axes.set_xlabel("towards the second image")
    return drawing, (
        "The plane through three training images of different classes (circles; the first at 0, 0). Colour: how many "
        "units of the last hidden layer pass to another linear piece from a point to its neighbours on the right and "
        "above; lines are the boundaries of pieces. As published, training would clear them away from the circles. "
        "The two directions are drawn at right angles and equally long, whatever they are among images. The first "
        f"network of each gain of the initial weights, {len(portraits)} of {_counts(table)}."
    )


def points(table: Table) -> tuple[Figure, str]:
    """Norm against loss of single test images, for the first network of each gain, with the curve of two classes."""
    portraits = _by_gain(table)
    drawing, grid = panels(1, max(1, len(portraits)), panel=(7.5, 5.8))
    for axes, (gain, networks) in zip(grid.flat, portraits.items(), strict=False):
        found = networks.rows[0]["points"]
        _scatter(axes, Table(dict(zip(found, values, strict=True)) for values in zip(*found.values(), strict=True)))
        axes.set_title(f"initial weights x {gain:g}")
    for axes in grid.flat:
        axes.set(xscale="log", yscale="log", xlabel="loss of a test image (nats)")
        if not portraits:
            say(axes, UNFITTED)
    grid[0, 0].set_ylabel(r"Jacobian norm $\|J\|_F$ at it")
    legend(drawing, grid.flat, ncols=4)
    return drawing, (
        f"Jacobian norm against cross-entropy loss at {POINTS:,} test images, for the first network of each gain of "
        "the initial weights. Curve: what two competing classes would give, sqrt(2) s (1 - s) g, where s = "
        "exp(-loss) and g the norm of the gradient of the difference of their logits, here the median of norm / "
        "(sqrt(2) s (1 - s)) over the images that are classified right. It is highest at loss = ln 2 (dashed). "
        f"{len(portraits)} of {_counts(table)}."
    )


def two_classes(loss: Array) -> Array:
    """sqrt(2) s (1 - s), s = exp(-loss): the norm of the Jacobian with two classes whose logits differ by a unit."""
    return np.asarray(np.sqrt(2) * np.exp(-loss) * -np.expm1(-loss))


def _scatter(axes: Axes, images: Table) -> None:
    """A dot for each image, and the curve of two classes."""
    groups = {"right": images.where(wrong=0), "misclassified": images.where(wrong=1)}
    loss, norm = dots(axes, groups, "loss", "norm", "xy", markersize=6, markeredgewidth=0, alpha=0.5)
    axes.axvline(np.log(2), color="black", linewidth=1.5, linestyle="--", label="loss = ln 2")
    with np.errstate(divide="ignore", invalid="ignore"):
        gradient = groups["right"]["norm"] / two_classes(groups["right"]["loss"])
    if (known := gradient[drawable(gradient, log=True)]).size:
        x = np.geomspace(loss.min(), loss.max(), 300)
        # The curve falls far below the points of large losses.
        axes.set_ylim(norm.min() / 3, norm.max() * 3)
        axes.plot(x, two_classes(x) * np.median(known), color="black", linewidth=2, label="two competing classes")


def _around(axes: Axes, networks: Table, quantity: str) -> None:
    """Lower quartile, median and upper quartile over the ellipses at each angle; of each the median over networks."""
    for number, kind in enumerate(KINDS):
        found = np.median(networks["ellipses", kind, quantity], axis=0)
        low, middle, high = np.column_stack([found, found[:, :1]])  # closed
        # What is counted lies between two angles.
        angles = 2 * (np.arange(len(low)) + 0.5 * (quantity == "density")) / (len(low) - 1)
        axes.fill_between(angles, low, high, color=look(number)["color"], alpha=0.15, linewidth=0)
        axes.plot(angles, middle, **look(number), label=kind, linewidth=2, markersize=7, markevery=(4 * number, 12))


def _by_gain(table: Table) -> dict[float, Table]:
    """The portraits that fit."""
    return table.where(part=PORTRAITS, training_accuracy=1).by("gain")


def _counts(table: Table) -> str:
    """The sample size of the portraits, and what they are, for a caption."""
    every = table.where(part=PORTRAITS)
    n = len(every.where(training_accuracy=1))
    what = {f"{r['depth']} hidden layers of {r['width']} units, {r['examples']:,} training images" for r in every}
    return "; ".join([f"n = {count(n, 'network')}, {len(every) - n} more did not fit", *sorted(what)])
