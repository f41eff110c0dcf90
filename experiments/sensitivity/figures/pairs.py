"""Experiment 3: networks that differ in one factor."""

from pathlib import Path

import numpy as np

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import diagonal, drawable, look, say
from experiments.sensitivity.protocol import FACTORS, SHIFT
from experiments.sensitivity.results import Study
from experiments.style import figure, save

MEASURES = {"gap": "generalization gap", "jacobian": "mean Jacobian norm", "transitions": "transitions"}
_COPIES = FACTORS["augmentation"]["copies"]
SIDES = {
    "labels": ("true labels", "random labels"),
    "augmentation": ("no augmentation", f"{_COPIES} shifted copies of each image"),
    "nonlinearity": ("relu", "hard sigmoid"),
    "optimiser": ("mini-batches", "full batches"),
}
# The factors whose second side is published to generalize worse.
_WORSE = ("labels", "nonlinearity", "optimiser")


def pairs(study: Study, folder: Path) -> Drawn:
    """Each side of a pair against the other: a row a measure, a column a factor."""
    with figure(len(MEASURES), len(FACTORS), panel=(4.9, 4.4)) as (drawing, grid):
        for column, factor in enumerate(FACTORS):
            one, other = study.pairs[factor]
            for axes, (name, title) in zip(grid[:, column], MEASURES.items(), strict=True):
                axes.set_title(title, fontsize=14)
                axes.set(xlabel=SIDES[factor][0], ylabel=SIDES[factor][1].replace(" of ", "\nof "))
                axes.set_box_aspect(1)
                if not one:
                    say(axes, "no pair of which\nboth networks fit")
                    axes.set(xticks=[], yticks=[])
                    continue
                x, y = one.column(name), other.column(name)
                if name == "gap":
                    shown = drawable(axes, linear=[x, y])
                else:
                    axes.set(xscale="log", yscale="log")
                    shown = drawable(axes, x, y)
                axes.plot(x[shown], y[shown], **look(column), linestyle="none", markeredgecolor="white", alpha=0.8)
                low, high = diagonal(axes, np.concatenate([x[shown], y[shown]]))
                worse = high if factor in _WORSE else low
                axes.fill_between([low, high], [low, high], worse, color="grey", alpha=0.15, linewidth=0)
                axes.set_title(f"{title}: {np.sum(y > x)} of {len(x)} above", fontsize=14)
        sizes = ", ".join(f"{SIDES[factor][1]} {len(study.pairs[factor][0])}" for factor in FACTORS)
        lost = sum(study.lost.values())
        images = sorted({trial.examples for both in study.pairs.values() for trial in both[0].trials})
        caption = (
            "Networks that differ in one thing only, which the axes name: a dot is a pair, above the diagonal where "
            "the network of the vertical axis has more. Grey: where a dot lies if the side that is published to "
            "generalize worse has more; the paper finds this in all panels, but for the transitions of full batches. "
            f"Augmentation: copies shifted by up to {SHIFT} pixels, wrapped. Pairs of which both networks fit their "
            f"training examples, n: {sizes}; {lost} pairs more do not. Training images: "
            f"{' or '.join(f'{size:,}' for size in images) or 'none'}."
        )
        return save(drawing, folder, "pairs.png", caption)
