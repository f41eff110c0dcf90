"""Experiment 5, over the sweep: whether the Jacobian norm finds the test images that a network gets wrong."""

from pathlib import Path

import numpy as np

from experiments.page import Drawn
from experiments.sensitivity.figures.axes import UNFITTED, diagonal, drawable, legend, look, say
from experiments.sensitivity.figures.gap import counts
from experiments.sensitivity.measures import NORM_POINTS
from experiments.sensitivity.protocol import TITLES
from experiments.sensitivity.results import Study
from experiments.style import figure, save

_SPREAD = 0.25


def detection(study: Study, folder: Path) -> Drawn:
    """How well norm and doubt tell misclassified test images from others, and how norm and loss go together."""
    rng = np.random.default_rng(0)
    with figure(1, 2, panel=(7.0, 5.8)) as (drawing, (panels,)):
        left, right = panels
        areas = []
        for number, (name, networks) in enumerate(study.sweep.items()):
            style = {**look(number), "linestyle": "none", "markeredgecolor": "white", "alpha": 0.6}
            norm, doubt, together = map(networks.column, ("norm_finds_errors", "doubt_finds_errors", "norm_and_loss"))
            shown = drawable(left, linear=[norm, doubt])
            above = f"{TITLES[name]}: {np.sum(norm > doubt)} of {len(norm)} above the diagonal"
            left.plot(doubt[shown], norm[shown], **style, label=above)
            areas += [norm[shown], doubt[shown]]
            shown = drawable(right, linear=[together])
            right.plot(together[shown], number + rng.uniform(-_SPREAD, _SPREAD, shown.sum()), **style)
            if shown.any():
                low, middle, high = np.quantile(together[shown], [0.25, 0.5, 0.75])
                right.plot([low, high], [number, number], color="black", linewidth=4)
                right.plot(middle, number, "k|", markersize=26, markeredgewidth=4)
        diagonal(left, np.concatenate(areas))
        left.set(title="area under the ROC curve", ylabel="by the Jacobian norm")
        left.set_xlabel("by doubt (1 minus the largest probability)")
        right.set_yticks(range(len(study.sweep)), [TITLES[name] for name in study.sweep])
        right.set_ylim(len(study.sweep) - 0.5, -0.5)
        right.set(title="norm and loss of test images", xlabel="Spearman correlation")
        if not any(map(len, study.sweep.values())):
            for axes in panels:
                say(axes, UNFITTED)
        legend(drawing, [left])
        caption = (
            "Single test images, over all networks of the sweep; a dot per network. Left: area under the ROC curve "
            "with which the Jacobian norm, and doubt, tell misclassified images from the others; 0.5 is chance, 1 is "
            "no mistake; above the diagonal the norm is better. Right: Spearman's rank correlation of norm and loss "
            "over the images; black: median and quartiles over networks; dots are moved up or down at random. "
            f"{NORM_POINTS:,} test images each. {counts(study)}."
        )
        return save(drawing, folder, "detection.png", caption)
