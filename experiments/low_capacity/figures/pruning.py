"""What one-shot pruning without retraining does to the scores and to the hidden units."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.figures.axes import line, seeds, width_axis
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, CORRECTED
from experiments.low_capacity.published import (
    PRUNED_PERCENT,
    SALIENCY_PAIR,
    SALIENCY_WIDTH,
)
from experiments.low_capacity.results import Results, pair_name
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save

_JUDGED = {AS_RELEASED: "held-out fifth of the training file", CORRECTED: "official test file"}


def pruning(results: Results, metric: str, label: str, folder: Path) -> Drawn:
    """A metric against the true sparsity, one panel per pair, one row an arm."""
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


def collapse(results: Results, folder: Path) -> Drawn:
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


def dead_units(results: Results, folder: Path) -> Drawn:
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
        grid[0, 0].set_ylabel("dead hidden units (%)")
        grid[0, 0].legend(fontsize=12)
        caption = (
            "Hidden units that output 0 on every test image, dense (dotted) and after a true 95 % of the "
            "weights is "
            f"removed (solid); mean and standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "dead_units.png", caption)
