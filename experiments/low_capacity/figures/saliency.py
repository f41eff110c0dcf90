"""Saliency of 4v9: the maps, how far they agree with others, and what corruption and the step of a difference do."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.claims import deviation
from experiments.low_capacity.figures.axes import line, seeds, width_axis
from experiments.low_capacity.measures.saliency import REPLICA
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import (
    NOISE_WIDTHS,
    PATCH,
    SALIENCY_PAIR,
    SALIENCY_WIDTH,
    SIGMAS,
)
from experiments.low_capacity.results import Results
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save

MEASURES = {"overlap": "most salient 5 %\nof pixels shared", "rank_correlation": "rank correlation"}
_PATCH_AT = 0.65  # Where the occlusion stands on the axis of the noise.


def saliency(results: Results, folder: Path) -> Drawn:
    """Input gradients of the logit for right and wrong answers of the paper's network, both arms."""
    titles = {
        "dense": "dense",
        "divided twice": 'pruned\n"95 %"',
        "pruned": "pruned\ntrue 95 %",
        REPLICA: "trained\nanew",
    }
    kinds = [(label, right) for label in (0, 1) for right in (True, False)]
    columns = 1 + len(titles)
    with figure(len(kinds), 2 * columns, panel=(1.8, 2.0)) as (drawing, grid):
        for axes in grid.flat:
            axes.set(xticks=[], yticks=[], frame_on=False)
        for half, arm in enumerate(ARMS):
            entries = results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)[0]["maps"]
            found = {(entry["label"], entry["right"]): entry for entry in entries}
            top = grid[0, columns * half : columns * (half + 1)]
            for axes, title in zip(top, [arm.replace(" ", "\n"), *titles.values()], strict=True):
                axes.set_title(title, fontsize=15)
            for row, (label, right) in enumerate(kinds):
                panels = grid[row, columns * half : columns * (half + 1)]
                panels[0].set_ylabel(f"{SALIENCY_PAIR[label]}, {'right' if right else 'wrong'}")
                if (label, right) not in found:
                    panels[0].text(0.5, 0.5, "no such\nanswer", ha="center", transform=panels[0].transAxes)
                    continue
                image = np.array(found[label, right]["image"])
                panels[0].imshow(image, cmap="gray")
                for axes, name in zip(panels[1:], titles, strict=True):
                    values = np.array(found[label, right][name]).reshape(image.shape)
                    limit = np.abs(values).max()
                    axes.imshow(values, cmap="PuOr", vmin=-limit or -1.0, vmax=limit or 1.0)
                    if limit == 0:
                        axes.text(0.5, 0.5, "zero\neverywhere", ha="center", va="center", transform=axes.transAxes)
        caption = (
            "Input gradient of the logit (orange: more ink here speaks for 4; violet: for 9), each map on its own "
            "scale, for the first right and wrong answers on each digit; 4v9, 24 hidden units, the first seed of each "
            'arm (n = 1). "95 %" is what the released code removes when asked for it, 0.95 %. Trained anew: the same '
            "network on the same data, from another initialisation."
        )
        return save(drawing, folder, "saliency.png", caption)


def saliency_agreement(results: Results, folder: Path) -> Drawn:
    """Agreement of other networks' maps with the dense one's against width."""
    labels = {
        "divided twice": 'pruned "95 %" (0.95 %)',
        "pruned": "pruned, true 95 %",
        REPLICA: "trained anew",
        "last layer randomised": "last layer permuted",
        "randomised": "both layers permuted",
        "untrained": "before training",
    }
    caption = (
        "How far the absolute input gradients of other networks agree with those of the dense one on 4v9: of the same "
        "network pruned, trained anew from another initialisation on the same data, with permuted weights, and before "
        "it was trained; mean over 100 images, then mean and standard deviation over seeds. By chance 5 % of the "
        "pixels are shared. A map of a network pruned by 95 % is mostly ties, which limits its rank correlation. "
        f"{seeds(results)}."
    )
    return _against_width(results, labels, caption, folder, "saliency_agreement.png")


def saliency_across_widths(results: Results, folder: Path) -> Drawn:
    """Agreement of the maps of networks of other widths with those of the paper's, beside a network trained anew."""
    paper = f"h{SALIENCY_WIDTH}"
    labels = {paper: f"with {paper}, trained on the same data", REPLICA: "with the same width, trained anew"}
    caption = (
        f"How far the absolute input gradients of networks of each width agree with those of {paper}, and with those "
        "of a network of their own width that was trained anew; 4v9, mean over 100 images, then mean and standard "
        f"deviation over seeds. {seeds(results)}."
    )
    return _against_width(results, labels, caption, folder, "saliency_across_widths.png")


def _against_width(results: Results, labels: Mapping[str, str], caption: str, folder: Path, name: str) -> Drawn:
    with figure(2, 2, panel=(7.5, 4.4), sharey="row", sharex=True) as (drawing, grid):
        for row, (measure, title) in zip(grid, MEASURES.items(), strict=True):
            for axes, arm in zip(row, ARMS, strict=True):
                for number, (other, label) in enumerate(labels.items()):
                    samples = {
                        width: np.array([r["saliency"][other][measure] for r in results.of(arm, SALIENCY_PAIR, width)])
                        for width in results.widths
                        if other in results.of(arm, SALIENCY_PAIR, width)[0]["saliency"]
                    }
                    line(axes, list(samples), list(samples.values()), number, label)
                width_axis(axes, results.widths)
            row[0].set_ylabel(title)
        for axes, arm in zip(grid[0], ARMS, strict=True):
            axes.set(title=f"4v9, {arm}", xlabel="")
        drawing.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=3, fontsize=15)
        return save(drawing, folder, name, caption)


def saliency_corrupted(results: Results, folder: Path) -> Drawn:
    """Agreement of maps on corrupted images with those on the clean ones, dense and pruned."""
    widths = [width for width in results.widths if width in NOISE_WIDTHS]
    names = {"dense": "dense", "pruned": "pruned, true 95 %"}
    with figure(2, 2, panel=(7.0, 4.2), sharey=True, sharex=True) as (drawing, grid):
        for row, (name, title) in zip(grid, names.items(), strict=True):
            for axes, arm in zip(row, ARMS, strict=True):
                for number, width in enumerate(widths):
                    noise = [_under_corruption(results, arm, width, name, "clean", 0.0)]
                    noise += [_under_corruption(results, arm, width, name, "gaussian noise", sigma) for sigma in SIGMAS]
                    patch = _under_corruption(results, arm, width, name, "occlusion", PATCH)
                    line(axes, [0, *SIGMAS], noise, number, f"h{width}")
                    at = _PATCH_AT + 0.02 * number  # Side by side, for they are close.
                    axes.errorbar(
                        at, patch.mean(), deviation(patch), color=COLOURS[number], marker=MARKERS[number], capsize=4
                    )
                axes.set_title(f"{title}, {arm}")
            row[0].set(ylabel=MEASURES["overlap"], ylim=(0, 1.05))
        for axes in grid[1]:
            axes.set_xlabel("standard deviation of the noise (pixel range 0 to 1)")
            axes.set_xticks([0, *SIGMAS, _PATCH_AT + 0.02], ["0", *map(str, SIGMAS), f"{PATCH} x {PATCH}\npatch"])
        grid[0, 0].legend(loc="lower left", fontsize=14)
        caption = (
            "Share of the 5 % most salient pixels of the clean image's map that the corrupted image's map of the same "
            "network has too: Gaussian noise and, at the right, an occlusion; 4v9, mean over 100 images, then mean and "
            "standard deviation over seeds. Without noise it is below 1 where maps have fewer pixels than that which "
            f"are not 0. {seeds(results)}."
        )
        return save(drawing, folder, "saliency_corrupted.png", caption)


def _under_corruption(
    results: Results, arm: str, width: int, network: str, condition: str, level: float
) -> NDArray[np.float64]:
    wanted = {"network": network, "condition": condition, "level": level}
    return np.array(
        [
            row["overlap"]
            for result in results.of(arm, SALIENCY_PAIR, width)
            for row in result["saliency_corrupted"]
            if wanted.items() <= row.items()
        ]
    )


def forward_difference(results: Results, folder: Path) -> Drawn:
    """Error of the paper's forward difference against its step, with the line of an error in proportion."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            found = [r["forward_difference"] for r in results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)]
            steps = [row["step"] for row in found[0]]
            errors = np.array([[row["error"] for row in each] for each in found])
            axes.plot(steps, errors.T, color=COLOURS[0], linewidth=0.8, alpha=0.5)
            middle = np.median(errors, axis=0)
            axes.plot(steps, middle, color=COLOURS[0], marker="o", label="median of the seeds")
            # Through the middle of the steps, where neither kinks nor rounding matter.
            guide = middle[2] / steps[2] * np.array(steps)
            axes.plot(steps, guide, "k--", linewidth=1.5, label="in proportion to the step")
            axes.set(
                xscale="log", yscale="log", title=f"4v9 h{SALIENCY_WIDTH}, {arm}", xlabel="step (pixel range 0 to 1)"
            )
        grid[0, 0].set_ylabel("relative error")
        grid[0, 0].legend(loc="upper left", fontsize=14)
        caption = (
            "Distance of the forward difference of the probability from its gradient by the pixels, divided by the "
            "gradient's length, in float64; thin: seeds, each the mean over the images of the panels, up to four. The "
            "paper's step is 0.1. A step that crosses the kink of a unit's relu errs more; below some step rounding "
            f"takes over. {seeds(results)}."
        )
        return save(drawing, folder, "forward_difference.png", caption)
