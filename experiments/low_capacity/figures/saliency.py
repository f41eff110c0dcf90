"""Input gradients of the logit, dense and pruned, and how far they agree."""

from pathlib import Path

import numpy as np

from experiments.low_capacity.figures.axes import line, seeds, width_axis
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import (
    SALIENCY_PAIR,
    SALIENCY_WIDTH,
)
from experiments.low_capacity.results import Results
from experiments.style import Drawn, figure, save


def saliency(results: Results, folder: Path) -> Drawn:
    """Input gradients of the logit for right and wrong answers, dense and pruned, both arms."""
    maps = {arm: results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)[0]["maps"] for arm in ARMS}
    kinds = [(label, right) for label in (0, 1) for right in (True, False)]
    with figure(len(kinds), 6, panel=(2.4, 2.5)) as (drawing, grid):
        for axes in grid.flat:
            axes.set_axis_off()
        for half, arm in enumerate(ARMS):
            for row, (label, right) in enumerate(kinds):
                panels = grid[row, 3 * half : 3 * half + 3]
                panels[0].set_title(f"{SALIENCY_PAIR[label]}, {'right' if right else 'wrong'}", fontsize=14)
                found = [entry for entry in maps[arm] if (entry["label"], entry["right"]) == (label, right)]
                if not found:
                    panels[0].text(0.5, 0.5, "no such\nanswer", ha="center", transform=panels[0].transAxes)
                    continue
                image = np.array(found[0]["image"])
                panels[0].imshow(image, cmap="gray")
                for axes, name in zip(panels[1:], ("dense", "pruned"), strict=True):
                    values = np.array(found[0][name]).reshape(image.shape)
                    limit = np.abs(values).max()
                    axes.imshow(values, cmap="PuOr", vmin=-limit or -1.0, vmax=limit or 1.0)
                    if limit == 0:
                        axes.text(0.5, 0.5, "zero\neverywhere", ha="center", va="center", transform=axes.transAxes)
                    axes.set_title({"dense": f"{arm}\ndense", "pruned": "true 95 %\nremoved"}[name], fontsize=12)
        caption = (
            "Input gradient of the logit (orange: more ink here speaks for 4; violet: for 9), each map on its own "
            "scale, for "
            "the first right and wrong answers on each digit; 4v9, 24 hidden units, the first seed of each arm (n = 1)."
        )
        return save(drawing, folder, "saliency.png", caption)


def saliency_agreement(results: Results, folder: Path) -> Drawn:
    """Agreement of dense and pruned saliency against width, with the floor of a randomised network."""
    labels = {
        "divided twice": 'pruned, "95 %" divided twice',
        "pruned": "pruned, true 95 %",
        "randomised": "randomised",
    }
    measures = {
        "overlap": "most salient 5 %\nof pixels kept",
        "rank_correlation": "rank correlation\nwith the dense map",
    }
    with figure(2, 2, panel=(7.0, 3.8), sharey="row", sharex=True) as (drawing, grid):
        for row, (measure, title) in zip(grid, measures.items(), strict=True):
            for axes, arm in zip(row, ARMS, strict=True):
                for number, (name, label) in enumerate(labels.items()):
                    samples = [
                        np.array([r["saliency"][name][measure] for r in results.of(arm, SALIENCY_PAIR, width)])
                        for width in results.widths
                    ]
                    line(axes, results.widths, samples, number, label)
                width_axis(axes, results.widths)
            row[0].set(ylabel=title, ylim=(-0.1, 1.1))
        for axes, arm in zip(grid[0], ARMS, strict=True):
            axes.set(title=f"4v9, {arm}", xlabel="")
        grid[1, 0].legend(loc="center right", fontsize=13)
        caption = (
            "How far the absolute input gradients of the pruned network, and of one with permuted weights, agree "
            "with those "
            "of the dense one; mean over 200 images, then mean and standard deviation over seeds. A map of a network "
            f"pruned by 95 % is mostly ties, which limits its rank correlation. {seeds(results)}."
        )
        return save(drawing, folder, "saliency_agreement.png", caption)
