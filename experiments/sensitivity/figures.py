"""The figures of the sweep and of the pairs, drawn from results alone."""

import numpy as np
from matplotlib.figure import Figure

from experiments.plots import count, diagonal, dots, legend, log_ticks, look, matrix, say
from experiments.sensitivity.measures import NORM_POINTS, PREDICTORS, follows_gap
from experiments.sensitivity.networks import ACTIVATIONS, DEPTHS, FACTORS, PAIRS, SHIFT, by_title, fitted, paired
from experiments.statistics import FEWEST, correlation, correlation_within
from experiments.style import panels
from experiments.table import Table

GAP = "generalization gap"
UNFITTED = "no network fits\nits training images"
_WAYS = {"all networks": correlation, "within architectures": correlation_within}


def gap(table: Table) -> tuple[Figure, str]:
    """Generalization gap against mean Jacobian norm, a panel per data set, a dot per network."""
    sweep = fitted(table)
    drawing, grid = panels(1, len(sweep), panel=(7.0, 4.6))
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        words = {word: networks.where(activation=each) for each, word in ACTIVATIONS.items()}
        dots(axes, words, "jacobian", "gap", "x")
        if not networks:
            say(axes, "no network,\nor too few, fit their\ntraining images")
        log_ticks(axes, "x")
        found = follows_gap(networks, "jacobian")
        told = f"no rank correlation (n = {found.networks})" if np.isnan(found.value) else f"Spearman {found}"
        axes.set_title(f"{title}\n{told}", fontsize=14)
        axes.set(xlabel=r"Jacobian norm, mean $\|J\|_F$ at test images", ylabel=GAP)
    legend(drawing, grid.flat)
    return drawing, (
        "The more sensitive a network is to its input, the larger its generalization gap (training minus test "
        "accuracy), if the dots rise to the right. A dot per network of the sweep that classifies all its training "
        "images right. J is the derivative of the ten probabilities by the standardised image; its norm is the mean "
        f"over {NORM_POINTS:,} test images. Spearman's rank correlation with its 95 % bootstrap interval over "
        f"architectures. {_counts(table)}."
    )


def predictors(table: Table) -> tuple[Figure, str]:
    """Rank correlation of each predictor with the gap, over all networks and within architectures."""
    sweep = fitted(table)
    drawing, grid = panels(1, len(sweep), panel=(8.0, 5.4), sharey=True)
    for axes, (title, networks) in zip(grid[0], sweep.items(), strict=True):
        for number, (label, way) in enumerate(_WAYS.items()):
            for row, name in enumerate(PREDICTORS):
                # One way is drawn a little above the middle of the row, the other below it.
                found, y = follows_gap(networks, name, way), row + 0.22 * (2 * number - 1)
                if np.isnan(found.value):
                    why = "too few networks" if found.networks < FEWEST else "the same for all"
                    axes.text(0.03, y, why, va="center", fontsize=13, color=look(number)["color"])
                    continue
                axes.plot([found.low, found.high], [y, y], color=look(number)["color"])
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
        "none, -1 the reverse. Bars: 95 % bootstrap intervals over architectures. Within architectures: the weighted "
        f"mean over those of at least {FEWEST} networks (n in architectures: {listed}). {_counts(table)}."
    )


def unfitted(table: Table) -> tuple[Figure, str]:
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


def pairs(table: Table) -> tuple[Figure, str]:
    """Each side of a pair against the other: a row per measure, a column per factor."""
    measures = {"gap": GAP, "jacobian": "mean Jacobian norm", "transitions": "transitions"}
    found = {factor: paired(table, factor) for factor in FACTORS}
    depths = sorted(set(table.where(part=PAIRS)["depth"].tolist()))
    drawing, grid = panels(len(measures), len(FACTORS), panel=(4.9, 4.4))
    for row, (name, title) in zip(grid, measures.items(), strict=True):
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


def detection(table: Table) -> tuple[Figure, str]:
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
        f"norm is better. {NORM_POINTS:,} test images each. {_counts(table)}."
    )


def _counts(table: Table) -> str:
    """The sample size of the sweep, for a caption."""
    fit = fitted(table)
    return "; ".join(
        f"{title}: n = {count(len(fit[title]), 'network')}, {len(every) - len(fit[title]):,} more did not fit"
        for title, every in by_title(table).items()
    )
