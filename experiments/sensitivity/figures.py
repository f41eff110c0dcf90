"""The figures of the sweep, of the pairs and of the portraits, drawn from results alone."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from experiments.plots import count, diagonal, dots, drawable, legend, log_ticks, look, matrix, say
from experiments.sensitivity import measures
from experiments.sensitivity.networks import (
    ACTIVATIONS,
    DEPTHS,
    FACTORS,
    PAIRS,
    PORTRAITS,
    SHIFT,
    Array,
    by_title,
    fitted,
    paired,
)
from experiments.statistics import FEWEST, correlation, correlation_within
from experiments.style import Drawing, panels
from experiments.table import Table

GAP = "generalization gap"
UNFITTED = "no network fits\nits training images"
_WAYS = {"all networks": correlation, "within architectures": correlation_within}
_QUANTITIES = {"norm": r"Jacobian norm $\|J\|_F$", "density": "transitions to the next angle"}
_ANCHORS = {0: "0", 1 / 3: "1/3", 1: "1", 5 / 3: "5/3", 2: "2"}  # multiples of pi


def gap(table: Table) -> Drawing:
    """Generalization gap against mean Jacobian norm, a panel per data set, a dot per network."""
    sweep = fitted(table)
    drawing, grid = panels(1, len(sweep), panel=(7.0, 4.6))
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        words = {word: networks.where(activation=each) for each, word in ACTIVATIONS.items()}
        dots(axes, words, "jacobian", "gap", "x")
        if not networks:
            say(axes, "no network,\nor too few, fit their\ntraining images")
        log_ticks(axes, "x")
        found = measures.follows_gap(networks, "jacobian")
        told = f"no rank correlation (n = {found.networks})" if np.isnan(found.value) else f"Spearman {found}"
        axes.set_title(f"{title}\n{told}", fontsize=14)
        axes.set(xlabel=r"Jacobian norm, mean $\|J\|_F$ at test images", ylabel=GAP)
    legend(drawing, grid.flat)
    return drawing, (
        "The more sensitive a network is to its input, the larger its generalization gap (training minus test "
        "accuracy), if the dots rise to the right. A dot per network of the sweep that classifies all its training "
        "images right. J is the derivative of the ten probabilities by the standardised image; its norm is the mean "
        f"over {measures.NORM_POINTS:,} test images. Spearman's rank correlation with its 95 % bootstrap interval over "
        f"architectures. {_counts(table)}."
    )


def predictors(table: Table) -> Drawing:
    """Rank correlation of each predictor with the gap, over all networks and within architectures."""
    sweep = fitted(table)
    drawing, grid = panels(1, len(sweep), panel=(8.0, 5.4), sharey=True)
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        for number, (label, way) in enumerate(_WAYS.items()):
            for row, name in enumerate(measures.PREDICTORS):
                # One way is drawn a little above the middle of the row, the other below it.
                found, y = measures.follows_gap(networks, name, way), row + 0.22 * (2 * number - 1)
                if np.isnan(found.value):
                    why = "too few networks" if found.networks < FEWEST else "the same for all"
                    axes.text(0.03, y, why, va="center", fontsize=13, color=look(number)["color"])
                    continue
                axes.plot([found.low, found.high], [y, y], color=look(number)["color"])
                axes.plot(found.value, y, **look(number), markersize=11, linestyle="none", label=label)
        axes.axvline(0, color="black", linewidth=1.5)
        axes.set(title=title, xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1], xlabel=f"Spearman correlation with the {GAP}")
    grid[0, 0].set_yticks(range(len(measures.PREDICTORS)), list(measures.PREDICTORS.values()))
    grid[0, 0].set_ylim(len(measures.PREDICTORS) - 0.5, -0.5)
    legend(drawing, grid.flat)
    groups = {
        title: measures.follows_gap(networks, "jacobian", correlation_within) for title, networks in sweep.items()
    }
    listed = "; ".join(f"{title} {each.networks} in {each.groups}" for title, each in groups.items())
    return drawing, (
        "How well the rank of a network by each measure tells its rank by generalization gap: 1 is the same order, 0 "
        "none, -1 the reverse. Bars: 95 % bootstrap intervals over architectures. Within architectures: the weighted "
        f"mean over those of at least {FEWEST} networks (n in architectures: {listed}). {_counts(table)}."
    )


def unfitted(table: Table) -> Drawing:
    """Share of networks that fit by activation and depth, a panel per data set."""
    sweep = by_title(table)
    drawing, grid = panels(1, len(sweep), panel=(7.0, 4.6))
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        cells = [
            [networks.where(activation=name, depth=depth)["training_accuracy"] == 1 for depth in DEPTHS]
            for name in ACTIVATIONS
        ]
        share = np.array([[100 * cell.mean() if cell.size else np.nan for cell in row] for row in cells])
        texts = [[f"{cell.sum()} of {cell.size}" if cell.size else "none" for cell in row] for row in cells]
        names, depths = list(ACTIVATIONS.values()), [str(depth) for depth in DEPTHS]
        image = matrix(axes, share, texts, names, depths, lowest=0, highest=100)
        axes.set(title=title, xlabel="hidden layers")
        drawing.colorbar(image, ax=axes, label="share that fits (%)")
    return drawing, (
        "Which networks of the sweep came to classify all their training images right; only these are compared in the "
        f"other figures. How many of how many, by activation and number of hidden layers. {_counts(table)}."
    )


def pairs(table: Table) -> Drawing:
    """Each side of a pair against the other: a row per measure, a column per factor."""
    shown = {"gap": GAP, "jacobian": "mean Jacobian norm", "transitions": "transitions"}
    found = {factor: paired(table, factor) for factor in FACTORS}
    depths = sorted(set(table.where(part=PAIRS)["depth"].tolist()))
    drawing, grid = panels(len(shown), len(FACTORS), panel=(4.9, 4.4))
    for row, (name, title) in zip(grid, shown.items(), strict=True):
        for axes, (factor, (both, _)) in zip(row, found.items(), strict=True):
            _, one, other, second_is_worse, transitions_too = FACTORS[factor]
            groups = {count(depth, "hidden layer"): both.where(depth=depth) for depth in depths}
            drawn = dots(axes, groups, ("first", name), ("second", name), "" if name == "gap" else "xy")
            low, high = diagonal(axes, drawn)
            if name != "transitions" or transitions_too:
                worse = high if second_is_worse else low
                axes.fill_between([low, high], [low, high], worse, color="grey", alpha=0.15, linewidth=0)
            above = np.sum(both["second", name] > both["first", name])
            axes.set_title(f"{title}: {above} of {len(both)} above", fontsize=14)
            axes.set(xlabel=one, ylabel=other)
            if not both:
                say(axes, "no pair of which\nboth networks fit")
    legend(drawing, grid.flat)
    sizes = ", ".join(f"{FACTORS[factor].second} {len(both)}" for factor, (both, _) in found.items())
    return drawing, (
        "Networks that differ in one thing only, which the axes name: a dot per pair, above the diagonal where the "
        "network of the vertical axis has more. Grey: where the paper finds the dots, the side that generalizes worse "
        "has more; of the transitions of full batches it does not find it. Shifted copies: "
        f"{FACTORS['augmentation'].change['copies']} of each image, by up to {SHIFT} pixels each way. Pairs of which "
        f"both networks fit, n: {sizes}; {sum(lost for _, lost in found.values())} pairs more do not."
    )


def detection(table: Table) -> Drawing:
    """How well the norm and doubt tell misclassified test images from others."""
    drawing, ((axes,),) = panels(panel=(7.0, 5.8))
    groups = {}
    for title, networks in fitted(table).items():
        above = np.sum(networks["norm_finds_errors"] > networks["doubt_finds_errors"])
        groups[f"{title}: {above} of {len(networks)} above the diagonal"] = networks
    diagonal(axes, dots(axes, groups, "doubt_finds_errors", "norm_finds_errors"))
    axes.set(xlabel="by doubt (1 minus the largest probability)", ylabel="by the Jacobian norm")
    axes.set_title("area under the ROC curve")
    if not any(groups.values()):
        say(axes, UNFITTED)
    legend(drawing, [axes], ncols=1)
    return drawing, (
        "Area under the ROC curve with which the Jacobian norm, and doubt, tell misclassified test images from the "
        "others, for all networks of the sweep, a dot each; 0.5 is chance, 1 is no mistake; above the diagonal the "
        f"norm is better. {measures.NORM_POINTS:,} test images each. {_counts(table)}."
    )


def _counts(table: Table) -> str:
    """The sample size of the sweep, for a caption."""
    fit = fitted(table)
    return "; ".join(
        f"{title}: n = {count(len(fit[title]), 'network')}, {len(every) - len(fit[title]):,} more did not fit"
        for title, every in by_title(table).items()
    )


def trajectories(table: Table) -> Drawing:
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
        f"pieces crossed from one of {measures.ANGLES} angles to the next. Lines: median over {measures.ELLIPSES} "
        "ellipses of each kind, bands: quartiles; with several networks, the median of theirs at each angle. "
        f"{_looked_at(table)}."
    )


def plane(table: Table) -> Drawing:
    """The picture of the first network of each gain, before and after training, in the same colours."""
    portraits = _by_gain(table)
    drawing, grid = panels(max(1, len(portraits)), 2, panel=(6.4, 5.8), sharex=True, sharey=True)
    extent = (-measures.MARGIN, 1 + measures.MARGIN, -measures.MARGIN, 1 + measures.MARGIN)
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
        f"network of each gain of the initial weights, {len(portraits)} of {_looked_at(table)}."
    )


def points(table: Table) -> Drawing:
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
        f"Jacobian norm against cross-entropy loss at {measures.POINTS:,} test images, for the first network of each "
        "gain of the initial weights. Curve: what two competing classes would give, sqrt(2) s (1 - s) g, where s = "
        "exp(-loss) and g the norm of the gradient of the difference of their logits, here the median of norm / "
        "(sqrt(2) s (1 - s)) over the images that are classified right. It is highest at loss = ln 2 (dashed). "
        f"{len(portraits)} of {_looked_at(table)}."
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
    for number, kind in enumerate(measures.KINDS):
        found = np.median(networks["ellipses", kind, quantity], axis=0)
        low, middle, high = np.column_stack([found, found[:, :1]])  # closed
        # What is counted lies between two angles.
        angles = 2 * (np.arange(len(low)) + 0.5 * (quantity == "density")) / (len(low) - 1)
        axes.fill_between(angles, low, high, color=look(number)["color"], alpha=0.15, linewidth=0)
        axes.plot(angles, middle, **look(number), label=kind, linewidth=2, markersize=7, markevery=(4 * number, 12))


def _by_gain(table: Table) -> dict[float, Table]:
    """The portraits that fit."""
    return table.where(part=PORTRAITS, training_accuracy=1).by("gain")


def _looked_at(table: Table) -> str:
    """The sample size of the portraits, and what they are, for a caption."""
    every = table.where(part=PORTRAITS)
    n = len(every.where(training_accuracy=1))
    what = {f"{r['depth']} hidden layers of {r['width']} units, {r['examples']:,} training images" for r in every}
    return "; ".join([f"n = {count(n, 'network')}, {len(every) - n} more did not fit", *sorted(what)])
