"""The figures of the sweep and of the pairs, drawn from results alone."""

from collections.abc import Mapping

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from experiments.plots import count, diagonal, dots, legend, log_ticks, look, matrix, say
from experiments.sensitivity.measures import NORM_POINTS, PREDICTORS, follows_gap
from experiments.sensitivity.networks import ACTIVATIONS, DEPTHS, FACTORS, PAIRS, SHIFT, fitted, paired, swept
from experiments.statistics import FEWEST, correlation, correlation_within
from experiments.style import panels
from experiments.table import Table

NORM, GAP = r"mean Jacobian norm $\|J\|_F$", "generalization gap"
UNFITTED = "no network fits\nits training images"
_ARCHITECTURES = 4
_WAYS = {"all networks": correlation, "within architectures": correlation_within}
_SIZES = {"parameters": "number of parameters", "training_loss": "training loss (nats)"}
_SIZES |= {"weight_norm": "norm of the weights"}
_SPEARMAN = "Spearman's rank correlation with its 95 % bootstrap interval"


def gap(table: Table) -> tuple[Figure, str]:
    """Generalization gap against mean Jacobian norm, one panel per data set, a dot per network."""
    sweep = fitted(table)
    drawing, grid = panels(1, len(sweep), panel=(7.0, 5.2))
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        _against_gap(axes, networks, "jacobian", title)
        axes.set_xlabel(f"{NORM} at test images")
        log_ticks(axes, "x")
    grid[0, 0].set_ylabel(f"{GAP}\n(training minus test accuracy)")
    legend(drawing, grid.flat)
    return drawing, (
        "The more sensitive a network is to its input, the larger its generalization gap, if the dots rise to the "
        "right. A dot per network of the sweep that classifies all its training images right; these, the initial "
        "weights and the training were drawn at random. J is the derivative of the ten probabilities by the "
        f"standardised image; its norm is the mean over {NORM_POINTS:,} test images. {_SPEARMAN} over architectures. "
        f"{_counts(table)}."
    )


def predictors(table: Table) -> tuple[Figure, str]:
    """Rank correlation of each predictor with the gap, over all networks and within architectures."""
    sweep = fitted(table)
    drawing, grid = panels(1, len(sweep), panel=(8.0, 5.4), sharey=True)
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        for number, (label, way) in enumerate(_WAYS.items()):
            colour = look(number)["color"]
            for row, name in enumerate(PREDICTORS):
                # One way is drawn a little above the middle of the row, the other below it.
                found, y = follows_gap(networks, name, way), row + 0.22 * (2 * number - 1)
                if np.isnan(found.value):
                    why = "too few networks" if found.networks < FEWEST else "the same for all"
                    axes.text(0.03, y, why, va="center", fontsize=13, color=colour)
                    continue
                axes.plot([found.low, found.high], [y, y], color=colour)
                axes.plot(found.value, y, **look(number), markersize=11, linestyle="none", label=label)
        axes.axvline(0, color="black", linewidth=1.5)
        axes.set(title=title, xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1], xlabel=f"Spearman correlation with the {GAP}")
    grid[0, 0].set_yticks(range(len(PREDICTORS)), list(PREDICTORS.values()))
    grid[0, 0].set_ylim(len(PREDICTORS) - 0.5, -0.5)
    legend(drawing, grid.flat)
    groups = {title: follows_gap(networks, "jacobian", correlation_within) for title, networks in sweep.items()}
    listed = "; ".join(f"{title} {each.networks} in {each.groups}" for title, each in groups.items())
    return drawing, (
        "How well the rank of a network by each measure tells its rank by generalization gap: 1 is the same order, 0 "
        "none, -1 the reverse. Bars: 95 % bootstrap intervals. Within architectures: the mean of the correlations of "
        f"each architecture of at least {FEWEST} networks, weighted by their number, with intervals over architectures "
        f"(n networks in architectures: {listed}); an architecture has one number of parameters, so that this tells "
        f"nothing there. {_counts(table)}."
    )


def size(table: Table) -> tuple[Figure, str]:
    """Gap against number of parameters, training loss and norm of the weights, one row per data set."""
    sweep = fitted(table)
    drawing, grid = panels(len(sweep), len(_SIZES), panel=(5.6, 4.4), sharey="row", sharex="col")
    for row, (title, networks) in zip(grid, sweep.items(), strict=True):
        for axes, name in zip(row, _SIZES, strict=True):
            _against_gap(axes, networks, name, title)
        row[0].set_ylabel(GAP)
    for axes, label in zip(grid[-1], _SIZES.values(), strict=True):
        axes.set_xlabel(label)
        log_ticks(axes, "x")
    legend(drawing, grid.flat)
    return drawing, (
        "Generalization gap against what one would try before the Jacobian norm: the number of parameters, the mean "
        "cross-entropy on the training images and the Euclidean norm of all weights. A dot per network of the sweep. "
        f"{_SPEARMAN} over architectures. {_counts(table)}."
    )


def within(table: Table) -> tuple[Figure, str]:
    """The gap against the norm within the architectures that have most networks, one row per data set."""
    sweep = fitted(table)
    largest = {title: _largest(networks) for title, networks in sweep.items()}
    drawing, grid = panels(len(sweep), max([1, *map(len, largest.values())]), panel=(5.2, 4.2))
    for row, (title, networks) in zip(grid, sweep.items(), strict=True):
        for axes, ((depth, width, activation), group) in zip(row, largest[title], strict=False):
            _against_gap(axes, group, "jacobian", f"{title}: {depth} x {width} {_words(activation)}")
            log_ticks(axes, "x")
        for axes in row[len(largest[title]) :]:
            further = "further " * bool(largest[title])
            say(axes, f"no {further}architecture\nhas {FEWEST} networks" if networks else UNFITTED)
            axes.set(title=title, xticks=[], yticks=[])
        row[0].set_ylabel(GAP)
    for axes in grid[-1]:
        axes.set_xlabel(NORM)
    legend(drawing, grid.flat)
    return drawing, (
        "Generalization gap against mean Jacobian norm, each panel for networks of one architecture (hidden layers x "
        f"units, activation), which differ in training images, initial weights and training: the {_ARCHITECTURES} "
        f"architectures with most networks, if they have {FEWEST} or more. {_SPEARMAN}. {_counts(table)}."
    )


def unfitted(table: Table) -> tuple[Figure, str]:
    """Share that fits by activation and depth, and the training errors of those that do not; a row per data set."""
    sweep = swept(table)
    drawing, grid = panels(len(sweep), 2, panel=(7.0, 4.6))
    words = [_words(each) for each in ACTIVATIONS]
    for (left, right), (title, networks) in zip(grid, sweep.items(), strict=True):
        cells = [[networks.where(activation=each, depth=depth) for depth in DEPTHS] for each in ACTIVATIONS]
        fit = np.array([[len(cell.where(training_accuracy=1)) for cell in row] for row in cells])
        total = np.array([[len(cell) for cell in row] for row in cells])
        share = np.divide(100 * fit, total, out=np.full(total.shape, np.nan), where=total > 0)
        texts = [
            [f"{k} of {n}" if n else "none" for k, n in zip(*row, strict=True)] for row in zip(fit, total, strict=True)
        ]
        image = matrix(left, share, texts, words, [str(depth) for depth in DEPTHS], lowest=0, highest=100)
        left.set(title=f"{title}: networks that fit", xlabel="hidden layers")
        drawing.colorbar(image, ax=left, label="share that fits (%)")
        others = networks.where(training_accuracy=lambda accuracy: accuracy != 1)
        errors = {
            word: 100 * (1 - others.where(activation=each)["training_accuracy"])
            for word, each in zip(words, ACTIVATIONS, strict=True)
        }
        _strips(right, errors, "x")
        if not others:
            say(right, "all networks fit\ntheir training images")
        right.xaxis.set_major_formatter("{x:g}")
        right.set(title=f"{title}: networks that do not", xlabel="training images misclassified (%)")
    return drawing, (
        "Which networks of the sweep came to classify all their training images right; only these are compared in the "
        "other figures. Left: how many of how many, by activation and number of hidden layers. Right: how far the "
        "others were from it when their training ended; a dot per network, moved up or down at random. Chance is 90 %. "
        f"{_counts(table)}."
    )


def pairs(table: Table) -> tuple[Figure, str]:
    """Each side of a pair against the other: a row per measure, a column per factor."""
    measures = {"gap": GAP, "jacobian": "mean Jacobian norm", "transitions": "transitions"}
    found = {factor: paired(table, factor) for factor in FACTORS}
    networks = table.where(part=PAIRS)
    depths = sorted(set(networks["depth"].tolist()))
    drawing, grid = panels(len(measures), len(FACTORS), panel=(4.9, 4.4))
    for row, (name, title) in zip(grid, measures.items(), strict=True):
        for axes, (factor, (both, _)) in zip(row, found.items(), strict=True):
            one, other = FACTORS[factor].first, FACTORS[factor].second
            axes.set(xlabel=one, ylabel=other, box_aspect=1)
            if not both:
                say(axes, "no pair of which\nboth networks fit")
                axes.set(title=title, xticks=[], yticks=[])
                continue
            groups = {count(depth, "hidden layer"): both.where(depth=depth) for depth in depths}
            drawn = dots(axes, groups, ("first", name), ("second", name), "" if name == "gap" else "xy")
            low, high = diagonal(axes, drawn)
            if name != "transitions" or FACTORS[factor].transitions_too:
                worse = high if FACTORS[factor].second_is_worse else low
                axes.fill_between([low, high], [low, high], worse, color="grey", alpha=0.15, linewidth=0)
            above = np.sum(both["second", name] > both["first", name])
            axes.set_title(f"{title}: {above} of {len(both)} above", fontsize=14)
    legend(drawing, grid.flat)
    sizes = ", ".join(f"{FACTORS[factor].second} {len(both)}" for factor, (both, _) in found.items())
    return drawing, (
        "Networks that differ in one thing only, which the axes name: a dot per pair, above the diagonal where the "
        "network of the vertical axis has more. Grey: where the paper finds the dots, the side that generalizes worse "
        "has more; of the transitions of full batches it does not find it. Shifted copies: "
        f"{FACTORS['augmentation'].change['copies']} of each image, by up to {SHIFT} pixels each way. Pairs of which "
        f"both networks fit their training examples, n: {sizes}; {sum(lost for _, lost in found.values())} pairs more "
        f"do not. Training images: {images(networks)}."
    )


def detection(table: Table) -> tuple[Figure, str]:
    """How well norm and doubt tell misclassified test images from others, and how norm and loss go together."""
    sweep = fitted(table)
    drawing, ((left, right),) = panels(1, 2, panel=(7.0, 5.8))
    above = {
        f"{title}: {np.sum(networks['norm_finds_errors'] > networks['doubt_finds_errors'])} of {len(networks)} above "
        "the diagonal": networks
        for title, networks in sweep.items()
    }
    diagonal(left, dots(left, above, "doubt_finds_errors", "norm_finds_errors"))
    left.set(title="area under the ROC curve", ylabel="by the Jacobian norm")
    left.set_xlabel("by doubt (1 minus the largest probability)")
    together = {title: networks["norm_and_loss"] for title, networks in sweep.items()}
    _strips(right, together)
    for number, values in enumerate(together.values()):
        if (known := values[np.isfinite(values)]).size:
            low, middle, high = np.quantile(known, [0.25, 0.5, 0.75])
            right.plot([low, high], [number, number], color="black", linewidth=4)
            right.plot(middle, number, "k|", markersize=26, markeredgewidth=4)
    right.set(title="norm and loss of test images", xlabel="Spearman correlation")
    if not any(sweep.values()):
        say(left, UNFITTED)
        say(right, UNFITTED)
    legend(drawing, [left])
    return drawing, (
        "Single test images, over all networks of the sweep; a dot per network. Left: area under the ROC curve with "
        "which the Jacobian norm, and doubt, tell misclassified images from the others; 0.5 is chance, 1 is no "
        "mistake; above the diagonal the norm is better. Right: Spearman's rank correlation of norm and loss over the "
        "images; black: median and quartiles over networks; dots are moved up or down at random. "
        f"{NORM_POINTS:,} test images each. {_counts(table)}."
    )


def images(networks: Table) -> str:
    """How many training images they have: "2,000"."""
    return " or ".join(f"{size:,}" for size in sorted(set(networks["examples"].tolist()))) or "none"


def _counts(table: Table) -> str:
    """The sample size of the sweep, for a caption."""
    sweep = swept(table)
    return "; ".join(
        f"{title}: n = {count(len(fit), 'network')}, {len(sweep[title]) - len(fit):,} more did not fit, "
        f"{images(sweep[title])} training images"
        for title, fit in fitted(table).items()
    )


def _words(activation: str) -> str:
    """As a person writes it."""
    return activation.replace("_", " ")


def _against_gap(axes: Axes, networks: Table, name: str, heading: str) -> None:
    """Generalization gap against a measure, a dot per network, under the rank correlation of the two."""
    dots(axes, {_words(each): networks.where(activation=each) for each in ACTIVATIONS}, name, "gap", "x")
    if not networks:
        say(axes, UNFITTED)
    found = follows_gap(networks, name)
    told = f"no rank correlation (n = {found.networks})" if np.isnan(found.value) else f"Spearman {found}"
    axes.set_title(f"{heading}\n{told}", fontsize=14)


def _strips(axes: Axes, groups: Mapping[str, ArrayLike], log: str = "") -> None:
    """A row of dots for each group, moved up or down at random."""
    rng = np.random.default_rng(0)
    rows = {
        name: Table({"x": x, "y": row + rng.uniform(-0.25, 0.25)} for x in np.asarray(values))
        for row, (name, values) in enumerate(groups.items())
    }
    dots(axes, rows, "x", "y", log)
    axes.set_yticks(range(len(groups)), list(groups))
    axes.set_ylim(len(groups) - 0.5, -0.5)


def _largest(networks: Table) -> list[tuple[tuple[int, int, str], Table]]:
    """The architectures with most networks, and these; equally many in the order of depth, width and activation."""
    large = [(each, group) for each, group in networks.by("architecture").items() if len(group) >= FEWEST]
    large.sort(key=lambda found: (-len(found[1]), found[0][:2], ACTIVATIONS.index(found[0][2])))
    return large[:_ARCHITECTURES]
