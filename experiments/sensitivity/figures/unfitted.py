"""Which networks of the sweep came to classify all their training images right."""

from pathlib import Path

import numpy as np

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import look, say, words
from experiments.sensitivity.figures.gap import counts
from experiments.sensitivity.protocol import ACTIVATIONS, DEPTHS, TITLES
from experiments.sensitivity.results import Networks, Study
from experiments.style import figure, save

_SPREAD = 0.3


def unfitted(study: Study, folder: Path) -> Drawn:
    """Share that fits by activation and depth, and the training errors of those that do not; a row per data set."""
    rng = np.random.default_rng(0)
    with figure(len(study.sweep), 2, panel=(7.0, 4.6)) as (drawing, grid):
        for (left, right), (name, fitted) in zip(grid, study.sweep.items(), strict=True):
            others = study.unfitted[name]
            fit, lost = (_table(networks) for networks in (fitted, others))
            total = fit + lost
            share = np.divide(fit, total, out=np.full(total.shape, np.nan), where=total > 0)
            image = left.imshow(100 * share, vmin=0, vmax=100, aspect="auto")
            for row, column in np.ndindex(share.shape):
                ink = "white" if share[row, column] < 0.5 else "black"
                text = f"{fit[row, column]} of {total[row, column]}" if total[row, column] else "none"
                left.text(column, row, text, ha="center", va="center", color=ink, fontsize=14)
            left.set_xticks(range(len(DEPTHS)), map(str, DEPTHS))
            left.set_yticks(range(len(ACTIVATIONS)), map(words, ACTIVATIONS))
            left.set(title=f"{TITLES[name]}: networks that fit", xlabel="hidden layers")
            left.grid(visible=False)
            drawing.colorbar(image, ax=left, label="share that fits (%)")
            activation = np.array(others.setting(lambda trial: trial.activation))
            errors = 100 * (1 - others.column("training_accuracy"))
            for number, each in enumerate(ACTIVATIONS):
                mine = errors[activation == each]
                places = number + rng.uniform(-_SPREAD, _SPREAD, len(mine))
                right.plot(mine, places, **look(number), linestyle="none", markeredgecolor="white", alpha=0.75)
            if not others:
                say(right, "all networks fit\ntheir training images")
            right.set_xscale("log")
            right.xaxis.set_major_formatter("{x:g}")
            right.set_yticks(range(len(ACTIVATIONS)), map(words, ACTIVATIONS))
            right.set_ylim(len(ACTIVATIONS) - 0.5, -0.5)
            right.set(title=f"{TITLES[name]}: networks that do not", xlabel="training images misclassified (%)")
        caption = (
            "Which networks of the sweep came to classify all their training images right; only these are compared in "
            "the other figures. Left: how many of how many, by activation and number of hidden layers. Right: how far "
            "the others were from it when their training ended; a dot per network, moved up or down at random. Chance "
            f"is 90 %. {counts(study)}."
        )
        return save(drawing, folder, "unfitted.png", caption)


def _table(networks: Networks) -> np.ndarray[tuple[int, int], np.dtype[np.int64]]:
    """How many networks of each activation (rows) and depth (columns)."""
    found = networks.setting(lambda trial: (trial.activation, trial.depth))
    return np.array([[found.count((activation, depth)) for depth in DEPTHS] for activation in ACTIVATIONS])
