"""What else one would try to tell the generalization gap by."""

from pathlib import Path

import numpy as np

from experiments.page import Drawn
from experiments.sensitivity.correlations import FEWEST, PREDICTORS, correlation, within
from experiments.sensitivity.figures.axes import GAP, dots, legend, log_ticks, look, spearman
from experiments.sensitivity.figures.gap import counts
from experiments.sensitivity.protocol import TITLES
from experiments.sensitivity.results import Study
from experiments.style import figure, save

_WAYS = {"all networks": correlation, "within architectures": within}
_SIZES = ("parameters", "training_loss", "weight_norm")
_APART = 0.22  # of the distance of two rows: how far a mark is from the middle of its row


def predictors(study: Study, folder: Path) -> Drawn:
    """Rank correlation of each predictor with the gap, over all networks and within architectures."""
    rows = np.arange(len(PREDICTORS))
    with figure(1, len(study.sweep), panel=(8.0, 5.4), sharey=True) as (drawing, grid):
        for axes, (name, networks) in zip(grid[0], study.sweep.items(), strict=True):
            for number, (label, way) in enumerate(_WAYS.items()):
                axes.plot([], [], **look(number), markersize=11, label=label)
                for row, predictor in enumerate(PREDICTORS):
                    found, y = way(networks, predictor), row + _APART * (2 * number - 1)
                    if np.isnan(found.value):
                        why = "too few networks" if found.networks < FEWEST else "the same for all"
                        axes.text(0.03, y, why, va="center", fontsize=13, color=look(number)["color"])
                        continue
                    axes.plot([found.low, found.high], [y, y], color=look(number)["color"])
                    axes.plot(found.value, y, **look(number), markersize=11)
            axes.axvline(0, color="black", linewidth=1.5)
            axes.set(title=TITLES[name], xlim=(-1, 1), xticks=[-1, -0.5, 0, 0.5, 1])
            axes.set(xlabel=f"Spearman correlation with the {GAP}")
        grid[0, 0].set_yticks(rows, list(PREDICTORS.values()))
        grid[0, 0].set_ylim(len(rows) - 0.5, -0.5)
        legend(drawing, grid.flat)
        architectures = {TITLES[name]: within(each, "jacobian") for name, each in study.sweep.items()}
        listed = "; ".join(f"{name} {each.networks} in {each.groups}" for name, each in architectures.items())
        caption = (
            "How well the rank of a network by each measure tells its rank by generalization gap: 1 is the same order, "
            "0 none, -1 the reverse. Bars: 95 % bootstrap intervals. Within architectures: the mean of the "
            f"correlations of each architecture of at least {FEWEST} networks, weighted by their number, with "
            f"intervals over architectures (n networks in architectures: {listed}); an architecture has one number of "
            f"parameters, so that this tells nothing there. {counts(study)}."
        )
        return save(drawing, folder, "predictors.png", caption)


def size(study: Study, folder: Path) -> Drawn:
    """Gap against number of parameters, training loss and norm of the weights, one row per data set."""
    with figure(len(study.sweep), len(_SIZES), panel=(5.6, 4.4), sharey="row", sharex="col") as (drawing, grid):
        for row, (name, networks) in zip(grid, study.sweep.items(), strict=True):
            for axes, predictor in zip(row, _SIZES, strict=True):
                dots(axes, networks, predictor)
                axes.set_title(f"{TITLES[name]}\n{spearman(correlation(networks, predictor))}", fontsize=14)
            row[0].set_ylabel(GAP)
        for axes, predictor in zip(grid[-1], _SIZES, strict=True):
            log_ticks(axes, "x")
            axes.set_xlabel(PREDICTORS[predictor] + " (nats)" * (predictor == "training_loss"))
        legend(drawing, grid.flat)
        caption = (
            "Generalization gap against what one would try before the Jacobian norm: the number of parameters, the "
            "mean cross-entropy on the training images and the Euclidean norm of all weights. A dot per network of "
            "the sweep. Spearman's rank correlation with its 95 % bootstrap interval over architectures. "
            f"{counts(study)}."
        )
        return save(drawing, folder, "size.png", caption)
