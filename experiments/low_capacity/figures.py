"""The figures of the study, drawn from results alone: the curves here, the images in `pictures`."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import pictures
from experiments.low_capacity.axes import MARKERS, line, seeds, width_axis
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED, Task
from experiments.low_capacity.published import (
    FIGURE_3,
    GAUSSIAN_F1,
    NOISE_PAIR,
    NOISE_WIDTHS,
    OCCLUSION_F1,
    PATCH,
    PRUNED_PERCENT,
    SALIENCY_PAIR,
    SALIENCY_WIDTH,
    SIGMAS,
    WIDTHS,
)
from experiments.low_capacity.results import Results, pair_name
from experiments.style import COLOURS, figure, save

_JUDGED = {AS_RELEASED: "held-out fifth of the training file", CORRECTED: "official test file"}


def draw_all(results: Results, example: Task, folder: Path) -> list[Path]:
    """Draw every figure into `folder`/figures; `example` is a task of 4v9 whose images show the corruptions."""
    return [
        capacity(results, folder),
        training_curves(results, folder),
        pruning(results, "f1", "F1", folder),
        pruning(results, "balanced_accuracy", "balanced accuracy", folder),
        collapse(results, folder),
        dead_units(results, folder),
        gaussian(results, folder),
        occlusion(results, folder),
        pictures.corruptions(example, folder),
        pictures.saliency(results, folder),
        pictures.saliency_agreement(results, folder),
    ]


def capacity(results: Results, folder: Path) -> Path:
    """F1 against width, with the points of the paper's Figure 3."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            for number, pair in enumerate(results.pairs):
                samples = [results.best_f1(arm, pair, width) for width in results.widths]
                line(axes, results.widths, samples, number, pair_name(pair))
                if arm == AS_RELEASED:
                    published = [FIGURE_3[pair][WIDTHS.index(width)] for width in results.widths]
                    axes.plot(
                        results.widths, published, "x", color="black", markersize=7, markeredgewidth=1.5, zorder=3
                    )
            axes.axhline(0.9, color="grey", linewidth=1, linestyle="--")
            width_axis(axes, results.widths)
        grid[0, 0].plot([], [], "x", color="black", label="published (Fig. 3)")
        grid[0, 0].set(title="as released", ylabel="F1", ylim=(0.45, 1.01))
        grid[0, 1].set(title="corrected")
        zoom = grid[0, 1].inset_axes((0.12, 0.12, 0.84, 0.58))
        for number, pair in enumerate(results.pairs):
            line(zoom, results.widths, [results.best_f1(CORRECTED, pair, w) for w in results.widths], number, "")
        zoom.set(title="the same, enlarged", ylim=(0.96, 1.002))
        width_axis(zoom, results.widths)
        zoom.set_xlabel("")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        caption = (
            "F1 against the width of the hidden layer; mean and standard deviation over seeds. Left: best F1 on the "
            f"training set in 100 full-batch steps; right: F1 on the official test file. {seeds(results)}."
        )
        return save(drawing, folder, "capacity.png", caption)


def training_curves(results: Results, folder: Path) -> Path:
    """Training F1 against epoch, one panel a pair, one row an arm."""
    widths = [width for width in results.widths if width in (2, 4, 12, 24, 64)]
    with figure(2, len(results.pairs), panel=(4.0, 3.6), sharey="row", sharex="row") as (drawing, grid):
        for row, arm in zip(grid, ARMS, strict=True):
            for axes, pair in zip(row, results.pairs, strict=True):
                for number, width in enumerate(widths):
                    curves = [result["curves"]["train_f1"] for result in results.of(arm, pair, width)]
                    epochs = min(map(len, curves))
                    mean = np.mean([curve[:epochs] for curve in curves], axis=0)
                    for curve in curves:
                        axes.plot(np.arange(1, len(curve) + 1), curve, color=COLOURS[number], linewidth=0.8, alpha=0.35)
                    axes.plot(np.arange(1, epochs + 1), mean, color=COLOURS[number], label=f"h{width}")
                axes.set_title(f"{pair_name(pair)}, {arm}", fontsize=14)
                axes.set_xlabel("epoch")
            row[0].set_ylabel("training F1")
        grid[0, -1].legend(loc="lower right", fontsize=12)
        grid[1, 0].set_ylim(0.9, 1.003)
        caption = (
            "F1 on the training set against epochs: thin lines are seeds, thick ones their mean as far as all seeds "
            "run. "
            "As released an epoch is one full-batch step; corrected, one pass of minibatches (F1 while they pass), "
            "until "
            f"the validation loss stops falling. {seeds(results)}."
        )
        return save(drawing, folder, "training_curves.png", caption)


def pruning(results: Results, metric: str, label: str, folder: Path) -> Path:
    """A metric against the true sparsity, one panel a pair, one row an arm."""
    widths = [width for width in results.widths if width in (4, 8, 16, 24, 64)]
    levels = [percent / 100 for percent in PRUNED_PERCENT]
    with figure(2, len(results.pairs), panel=(4.0, 3.6), sharey=True, sharex=True) as (drawing, grid):
        for row, arm in zip(grid, ARMS, strict=True):
            for axes, pair in zip(row, results.pairs, strict=True):
                for number, width in enumerate(widths):
                    samples = [results.scores(arm, pair, width, metric=metric)]
                    samples += [results.scores(arm, pair, width, "pruned", level, metric) for level in levels]
                    line(axes, [0, *PRUNED_PERCENT], samples, number, f"h{width}")
                twice = [
                    results.scores(arm, pair, widths[-1], "divided twice", level, metric).mean() for level in levels
                ]
                axes.plot(PRUNED_PERCENT, twice, "k:", label=f'h{widths[-1]}, divided\ntwice: "95 %" is\n0.95 %')
                axes.set_title(f"{pair_name(pair)}, {arm}", fontsize=14)
        for axes in grid[1]:
            axes.set_xlabel("weights removed (%)")
        for axes in grid[:, 0]:
            axes.set_ylabel(label)
        grid[0, 0].set_ylim(-0.03, 1.03)
        grid[0, 0].legend(loc="lower left", fontsize=11)
        caption = (
            f"{label[0].upper()}{label[1:]} after one-shot magnitude pruning, layer by layer, without retraining, "
            f"against "
            "the share of weights truly removed; mean and standard deviation over seeds. Dotted: what the released "
            "code "
            f"removes when asked for that percentage. {seeds(results)}; as released on the {_JUDGED[AS_RELEASED]}, "
            f"corrected on the {_JUDGED[CORRECTED]}."
        )
        return save(drawing, folder, f"pruning_{metric}.png", caption)


def collapse(results: Results, folder: Path) -> Path:
    """4v9 h24, seed by seed: F1 and balanced accuracy against sparsity, true and divided twice."""
    levels = [percent / 100 for percent in PRUNED_PERCENT]
    pair, width = SALIENCY_PAIR, SALIENCY_WIDTH
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            for number, (metric, label) in enumerate((("f1", "F1"), ("balanced_accuracy", "balanced accuracy"))):
                clean = results.scores(arm, pair, width, metric=metric)
                curves = np.array([clean] + [results.scores(arm, pair, width, "pruned", s, metric) for s in levels])
                axes.plot([0, *PRUNED_PERCENT], curves, color=COLOURS[number], linewidth=1, alpha=0.5)
                axes.plot(
                    [0, *PRUNED_PERCENT],
                    curves.mean(axis=1),
                    color=COLOURS[number],
                    marker=MARKERS[number],
                    label=label,
                )
            twice = [results.scores(arm, pair, width, "divided twice", level).mean() for level in levels]
            axes.plot(PRUNED_PERCENT, twice, "k:", label="F1 as the released code prunes")
            axes.axvline(95, color="grey", linewidth=1, linestyle="--")
            axes.set(title=arm, xlabel="weights removed (%)", ylim=(-0.03, 1.03))
        grid[0, 0].set_ylabel("score")
        grid[0, 0].legend(loc="lower left", fontsize=13)
        caption = (
            "4v9 with 24 hidden units under one-shot magnitude pruning without retraining: thin lines are seeds, thick "
            "ones their mean. Dashed: a true 95 %. Dotted: the released code divides the percentage by 100 twice, "
            "so at "
            f'"95 %" it removes 0.95 %. {seeds(results)}.'
        )
        return save(drawing, folder, "collapse.png", caption)


def dead_units(results: Results, folder: Path) -> Path:
    """Share of dead hidden units against width, dense and at a true 95 %."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            for number, pair in enumerate(results.pairs):

                def shares(when: str, arm: str = arm, pair: tuple[int, int] = pair) -> list[NDArray[np.float64]]:
                    return [
                        np.array([100 * result["dead"][when] / width for result in results.of(arm, pair, width)])
                        for width in results.widths
                    ]

                line(axes, results.widths, shares("pruned"), number, f"{pair_name(pair)}, 95 %")
                dense = [values.mean() for values in shares("dense")]
                axes.plot(results.widths, dense, color=COLOURS[number], linestyle=":")
            axes.set_title(arm)
            width_axis(axes, results.widths)
        grid[0, 0].plot([], [], "k:", label="dense")
        grid[0, 0].set(ylabel="dead hidden units (%)", ylim=(-2, 50))
        grid[0, 0].legend(fontsize=12)
        caption = (
            "Hidden units that output 0 on every image judged by, dense (dotted) and after a true 95 % of the "
            "weights is "
            f"removed (solid); mean and standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "dead_units.png", caption)


def gaussian(results: Results, folder: Path) -> Path:
    """F1 on 4v9 against noise, and what is lost from the clean F1."""
    widths = [width for width in results.widths if width in NOISE_WIDTHS]

    def samples(value: Callable[..., NDArray[np.float64]], arm: str, width: int) -> list[NDArray[np.float64]]:
        return [value(arm, NOISE_PAIR, width, "gaussian noise", sigma) for sigma in SIGMAS]

    with figure(2, 2, panel=(7.0, 4.2), sharex=True, sharey="row") as (drawing, grid):
        for column, arm in enumerate(ARMS):
            for number, width in enumerate(widths):
                clean = results.scores(arm, NOISE_PAIR, width)
                f1 = [clean, *samples(results.scores, arm, width)]
                lost = [0 * clean, *samples(results.change, arm, width)]
                line(grid[0, column], [0, *SIGMAS], f1, number, f"h{width}")
                line(grid[1, column], [0, *SIGMAS], lost, number, f"h{width}")
                if arm == AS_RELEASED and width in GAUSSIAN_F1:
                    published = GAUSSIAN_F1[width]
                    grid[0, 0].plot(SIGMAS, published, "x", color=COLOURS[number], markeredgewidth=2.5, zorder=3)
            grid[0, column].set_title(f"4v9, {arm}")
            grid[1, column].set_xlabel("standard deviation of the noise (pixel range 0 to 1)")
        grid[0, 0].plot([], [], "kx", markeredgewidth=2.5, label="published")
        grid[0, 0].set_ylabel("F1")
        grid[1, 0].set_ylabel("F1 minus clean F1")
        grid[0, 0].legend(loc="lower left", fontsize=13)
        caption = (
            "4v9 under Gaussian pixel noise, clipped to [0, 1], without retraining. Above: F1; below: what is lost "
            "from the "
            f"clean F1 of the same network. Mean and standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "gaussian_noise.png", caption)


def occlusion(results: Results, folder: Path) -> Path:
    """F1 on 4v9 against width, clean and with a patch of zeros."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            clean = [results.scores(arm, NOISE_PAIR, width) for width in results.widths]
            patched = [results.scores(arm, NOISE_PAIR, width, "occlusion", PATCH) for width in results.widths]
            line(axes, results.widths, clean, 0, "clean")
            line(axes, results.widths, patched, 1, f"{PATCH} x {PATCH} patch of zeros")
            axes.set_title(f"4v9, {arm}")
            width_axis(axes, results.widths)
        grid[0, 0].plot(list(OCCLUSION_F1), list(OCCLUSION_F1.values()), "kx", markeredgewidth=2.5, label="published")
        grid[0, 0].set_ylabel("F1")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        caption = (
            "4v9 with one patch of zeros at a random place in each image, without retraining, against width; mean and "
            f"standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "occlusion.png", caption)
