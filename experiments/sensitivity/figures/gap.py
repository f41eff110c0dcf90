"""Experiment 4: the generalization gap against the Jacobian norm, over the sweep and within architectures."""

from collections import Counter
from pathlib import Path

import numpy as np

from experiments.page import Drawn
from experiments.sensitivity.correlations import FEWEST, correlation
from experiments.sensitivity.figures.axes import (
    GAP,
    NORM,
    UNFITTED,
    count,
    dots,
    legend,
    log_ticks,
    say,
    spearman,
    words,
)
from experiments.sensitivity.measures import NORM_POINTS
from experiments.sensitivity.protocol import ACTIVATIONS, TITLES
from experiments.sensitivity.results import Networks, Study
from experiments.style import figure, save

_ARCHITECTURES = 4


def gap(study: Study, folder: Path) -> Drawn:
    """Generalization gap against mean Jacobian norm, one panel per data set, a dot per network."""
    with figure(1, len(study.sweep), panel=(7.0, 5.2)) as (drawing, grid):
        for axes, (name, networks) in zip(grid[0], study.sweep.items(), strict=True):
            dots(axes, networks, "jacobian")
            log_ticks(axes, "x")
            axes.set_title(f"{TITLES[name]}\n{spearman(correlation(networks, 'jacobian'))}", fontsize=15)
            axes.set_xlabel(f"{NORM} at test images")
        grid[0, 0].set_ylabel(f"{GAP}\n(training minus test accuracy)")
        legend(drawing, grid.flat)
        caption = (
            "The more sensitive a network is to its input, the larger its generalization gap, if the dots rise to the "
            "right. A dot per network of the sweep that classifies all its training images right; these, the "
            "initial weights and the training were drawn at random. J is the derivative of the ten probabilities by "
            f"the standardised image; its norm is the mean over {NORM_POINTS:,} test images. Spearman's rank "
            f"correlation with its 95 % bootstrap interval over architectures. {counts(study)}."
        )
        return save(drawing, folder, "gap.png", caption)


def within(study: Study, folder: Path) -> Drawn:
    """The same within the architectures that have most networks, one row per data set."""
    largest = {name: _largest(networks) for name, networks in study.sweep.items()}
    with figure(len(study.sweep), max([1, *map(len, largest.values())]), panel=(4.8, 4.2)) as (drawing, grid):
        for row, (name, networks) in zip(grid, study.sweep.items(), strict=True):
            groups = largest[name]
            for number, axes in enumerate(row):
                axes.set_xlabel(NORM)
                if number >= len(groups):
                    say(
                        axes,
                        f"no {'further ' * bool(groups)}architecture\nhas {FEWEST} networks" if networks else UNFITTED,
                    )
                    axes.set(title=TITLES[name], xticks=[], yticks=[])
                    continue
                (depth, width, activation), group = groups[number]
                dots(axes, group, "jacobian")
                log_ticks(axes, "x")
                found = correlation(group, "jacobian")
                heading = f"{TITLES[name]}: {depth} x {width} {words(activation)}"
                # The interval has a line of its own: four panels are side by side.
                axes.set_title(f"{heading}\n{spearman(found).replace(' (', chr(10) + '(')}", fontsize=14)
            row[0].set_ylabel(GAP)
        legend(drawing, grid.flat)
        caption = (
            "Generalization gap against mean Jacobian norm, each panel for networks of one architecture (hidden layers "
            "x units, activation), which differ in training images, initial weights and training: the "
            f"{_ARCHITECTURES} architectures with most networks, if they have {FEWEST} or more. Spearman's rank "
            f"correlation with its 95 % bootstrap interval. {counts(study)}."
        )
        return save(drawing, folder, "within.png", caption)


def counts(study: Study) -> str:
    """The sample size of the sweep, for a caption."""
    found = []
    for name, networks in study.sweep.items():
        lost = study.unfitted[name]
        sizes = sorted({trial.examples for trial in (*networks.trials, *lost.trials)})
        images = " or ".join(f"{size:,}" for size in sizes)
        found.append(
            f"{TITLES[name]}: n = {count(len(networks), 'network')}, {len(lost):,} more did not fit, {images} training "
            "images"
        )
    return "; ".join(found)


def _largest(networks: Networks) -> list[tuple[tuple[int, int, str], Networks]]:
    """The architectures with most networks, and these; equally many in the order of depth, width and activation."""
    architectures = networks.setting(lambda trial: trial.architecture)
    large = [(n, each) for each, n in Counter(architectures).items() if n >= FEWEST]
    large.sort(key=lambda found: (-found[0], found[1][:2], ACTIVATIONS.index(found[1][2])))
    return [
        (each, networks.where(np.array([one == each for one in architectures]))) for _, each in large[:_ARCHITECTURES]
    ]
