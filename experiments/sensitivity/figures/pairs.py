"""Experiment 3: networks that differ in one factor."""

from pathlib import Path

import numpy as np

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import count, diagonal, drawable, legend, look, say
from experiments.sensitivity.judgements.pairs import AGREEING, SIDES
from experiments.sensitivity.protocol import FACTORS, SHIFT
from experiments.sensitivity.results import Study
from experiments.style import figure, save

MEASURES = {"gap": "generalization gap", "jacobian": "mean Jacobian norm", "transitions": "transitions"}


def pairs(study: Study, folder: Path) -> Drawn:
    """Each side of a pair against the other: a row per measure, a column per factor."""
    trials = [trial for both in study.pairs.values() for trial in both[0].trials]
    every_depth = sorted({trial.depth for trial in trials})
    with figure(len(MEASURES), len(FACTORS), panel=(4.9, 4.4)) as (drawing, grid):
        for column, factor in enumerate(FACTORS):
            one, other = study.pairs[factor]
            for axes, (name, title) in zip(grid[:, column], MEASURES.items(), strict=True):
                axes.set_title(title, fontsize=14)
                axes.set(xlabel=SIDES[factor].first, ylabel=SIDES[factor].second)
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
                depths = np.array(one.setting(lambda trial: trial.depth))
                for depth in every_depth:
                    mine = shown & (depths == depth)
                    style = {**look(depth - 1), "linestyle": "none", "markeredgecolor": "white", "alpha": 0.8}
                    axes.plot(x[mine], y[mine], **style, label=count(depth, "hidden layer"))
                low, high = diagonal(axes, np.concatenate([x[shown], y[shown]]))
                if name != "transitions" or factor in AGREEING:
                    worse = high if SIDES[factor].second_is_worse else low
                    axes.fill_between([low, high], [low, high], worse, color="grey", alpha=0.15, linewidth=0)
                axes.set_title(f"{title}: {np.sum(y > x)} of {len(x)} above", fontsize=14)
        legend(drawing, grid.flat)
        sizes = ", ".join(f"{SIDES[factor].second} {len(study.pairs[factor][0])}" for factor in FACTORS)
        lost = sum(study.lost.values())
        images = sorted({trial.examples for trial in trials})
        caption = (
            "Networks that differ in one thing only, which the axes name: a dot per pair, above the diagonal where "
            "the network of the vertical axis has more. Grey: where the paper finds the dots, the side that "
            "generalizes worse has more; of the transitions of full batches it does not find it. Shifted copies: "
            f"{FACTORS['augmentation']['copies']} of each image, by up to {SHIFT} pixels each way. Pairs of which both "
            f"networks fit their training examples, n: {sizes}; {lost} pairs more do not. Training images: "
            f"{' or '.join(f'{size:,}' for size in images) or 'none'}."
        )
        return save(drawing, folder, "pairs.png", caption)
