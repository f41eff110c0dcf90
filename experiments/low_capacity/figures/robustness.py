"""Corruption at matched clean accuracy on 4v9: networks followed along their training."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.claims import interval
from experiments.low_capacity.figures.axes import line, seeds
from experiments.low_capacity.judgements.inside import CORRUPTIONS, LARGE, SMALL, last_change, matched_change
from experiments.low_capacity.measures.robustness import WIDTHS, Row, at_clean
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import NOISE_PAIR, PATCH, SIGMAS
from experiments.low_capacity.results import Results
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save

_FOLLOWED = {"gaussian noise 0.3": "noise, sigma 0.3", "gaussian noise 0.5": "noise, sigma 0.5"}
_FOLLOWED |= {f"occlusion {PATCH}": f"{PATCH} x {PATCH} patch of zeros"}
_TICKS = [*(f"noise {sigma:g}" for sigma in SIGMAS), "patch"]


def trajectories(results: Results, folder: Path) -> Drawn:
    """Accuracy under corruption against clean accuracy along training, a line per width, both arms."""
    widths = [width for width in results.widths if width in WIDTHS]
    with figure(2, len(_FOLLOWED), panel=(5.0, 4.2), sharex="row", sharey="row") as (drawing, grid):
        for row, arm in zip(grid, ARMS, strict=True):
            for axes, (name, title) in zip(row, _FOLLOWED.items(), strict=True):
                for number, width in enumerate(widths):
                    followed = [result["trajectory"] for result in results.of(arm, NOISE_PAIR, width)]
                    levels = _levels(followed)
                    samples = [100 * np.array([at_clean(rows, x, name) for rows in followed]) for x in levels]
                    line(axes, [100 * x for x in levels], samples, number, f"h{width}")
                    axes.lines[-1].set_markevery(3)
                    for rows in followed:
                        last = 100 * rows[-1]["clean"], 100 * rows[-1][name]
                        axes.plot(*last, MARKERS[number], color=COLOURS[number], markersize=6, alpha=0.5)
                axes.set_title(f"{title}, {arm}", fontsize=14)
                axes.set_xlabel("clean accuracy (%)")
            row[0].set_ylabel("accuracy under\ncorruption (%)")
        grid[0, 0].legend(fontsize=12)
        caption = (
            "4v9, accuracy on corrupted images when that on clean ones first reaches a level in training: mean and "
            "standard deviation over seeds, as far as all reach it; single markers are the networks that are kept. At "
            f"one clean accuracy the higher line is the more robust width. {seeds(results)}."
        )
        return save(drawing, folder, "robustness_along_training.png", caption)


def _levels(followed: Sequence[Sequence[Row]]) -> NDArray[np.float64]:
    """Clean accuracies that all of these networks pass between their first checkpoint and their best."""
    first = max(rows[0]["clean"] for rows in followed)
    best = min(max(row["clean"] for row in rows) for rows in followed)
    return np.linspace(first, best, 13) if first < best else np.empty(0)


def matched_robustness(results: Results, folder: Path) -> Drawn:
    """How much more accurate h64 is than h24 under each corruption, after training and at matched clean accuracy."""
    places = np.arange(len(CORRUPTIONS))
    with figure(1, 2, panel=(7.0, 4.6), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            changes = {
                "trained networks": [last_change(results, arm, name) for name in CORRUPTIONS],
                "at matched clean accuracy": [matched_change(results, arm, name)[0] for name in CORRUPTIONS],
            }
            for number, (label, samples) in enumerate(changes.items()):
                x = places + 0.3 * number - 0.15
                means = np.array([100 * values.mean() for values in samples])
                # Of one seed the interval is infinite, and is not drawn.
                axes.vlines(x, *100 * np.array([interval(values) for values in samples]).T, color=COLOURS[number])
                axes.plot(x, means, MARKERS[number], color=COLOURS[number], label=label)
            axes.axhline(0, color="grey", linewidth=1, linestyle="--")
            axes.set_xticks(places, _TICKS, fontsize=12)
            axes.set(title=f"4v9, {arm}", xlabel="corruption")
        grid[0, 0].set_ylabel(f"accuracy of h{LARGE} minus\nthat of h{SMALL} (percentage points)")
        grid[0, 1].legend(fontsize=13, loc="upper left")
        caption = (
            f"What {LARGE} hidden units gain over {SMALL} under Gaussian noise of standard deviation {SIGMAS[0]:g} to "
            f"{SIGMAS[-1]:g} and under a {PATCH} x {PATCH} patch of zeros: of the trained networks, and at the largest "
            "clean accuracy that both had in training. Mean and 95 % bootstrap interval over seeds (none of one seed). "
            f"{seeds(results)}."
        )
        return save(drawing, folder, "matched_robustness.png", caption)
