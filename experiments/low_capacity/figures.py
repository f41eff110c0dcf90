"""The figures of the study, drawn from results alone."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

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
from npnet.corruptions import gaussian_noise, occlude

_MARKERS = ("o", "s", "^", "D", "v", "P", "X")
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
        corruptions(example, folder),
        saliency(results, folder),
        saliency_agreement(results, folder),
    ]


def _seeds(results: Results) -> str:
    return f"{results.seeds(AS_RELEASED)} seeds as released, {results.seeds(CORRECTED)} corrected"


def _line(axes: Axes, x: Sequence[float], samples: Sequence[NDArray[np.float64]], number: int, label: str) -> None:
    """A line through the means over seeds, with a band of one standard deviation."""
    means = np.array([values.mean() for values in samples])
    spread = np.array([values.std(ddof=1) if values.size > 1 else 0.0 for values in samples])
    colour = COLOURS[number % len(COLOURS)]
    axes.plot(x, means, color=colour, marker=_MARKERS[number % len(_MARKERS)], label=label)
    axes.fill_between(x, means - spread, means + spread, color=colour, alpha=0.15, linewidth=0)


def _width_axis(axes: Axes, widths: Sequence[int]) -> None:
    axes.set_xscale("log", base=2)
    axes.set_xticks([w for w in widths if w in (2, 4, 8, 16, 24, 32, 64)], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("hidden units")


def capacity(results: Results, folder: Path) -> Path:
    """F1 against width, with the points of the paper's Figure 3."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            for number, pair in enumerate(results.pairs):
                samples = [results.best_f1(arm, pair, width) for width in results.widths]
                _line(axes, results.widths, samples, number, pair_name(pair))
                if arm == AS_RELEASED:
                    published = [FIGURE_3[pair][WIDTHS.index(width)] for width in results.widths]
                    axes.plot(
                        results.widths, published, "x", color="black", markersize=7, markeredgewidth=1.5, zorder=3
                    )
            axes.axhline(0.9, color="grey", linewidth=1, linestyle="--")
            _width_axis(axes, results.widths)
        grid[0, 0].plot([], [], "x", color="black", label="published (Fig. 3)")
        grid[0, 0].set(title="as released", ylabel="F1", ylim=(0.45, 1.01))
        grid[0, 1].set(title="corrected")
        zoom = grid[0, 1].inset_axes((0.12, 0.12, 0.84, 0.58))
        for number, pair in enumerate(results.pairs):
            _line(zoom, results.widths, [results.best_f1(CORRECTED, pair, w) for w in results.widths], number, "")
        zoom.set(title="the same, enlarged", ylim=(0.96, 1.002))
        _width_axis(zoom, results.widths)
        zoom.set_xlabel("")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        caption = (
            "F1 against the width of the hidden layer; mean and standard deviation over seeds. Left: best F1 on the "
            f"training set in 100 full-batch steps; right: F1 on the official test file. {_seeds(results)}."
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
            f"the validation loss stops falling. {_seeds(results)}."
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
                    _line(axes, [0, *PRUNED_PERCENT], samples, number, f"h{width}")
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
            f"removes when asked for that percentage. {_seeds(results)}; as released on the {_JUDGED[AS_RELEASED]}, "
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
                    marker=_MARKERS[number],
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
            f'"95 %" it removes 0.95 %. {_seeds(results)}.'
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

                _line(axes, results.widths, shares("pruned"), number, f"{pair_name(pair)}, 95 %")
                dense = [values.mean() for values in shares("dense")]
                axes.plot(results.widths, dense, color=COLOURS[number], linestyle=":")
            axes.set_title(arm)
            _width_axis(axes, results.widths)
        grid[0, 0].plot([], [], "k:", label="dense")
        grid[0, 0].set(ylabel="dead hidden units (%)", ylim=(-2, 50))
        grid[0, 0].legend(fontsize=12)
        caption = (
            "Hidden units that output 0 on every image judged by, dense (dotted) and after a true 95 % of the "
            "weights is "
            f"removed (solid); mean and standard deviation over seeds. {_seeds(results)}."
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
                _line(grid[0, column], [0, *SIGMAS], f1, number, f"h{width}")
                _line(grid[1, column], [0, *SIGMAS], lost, number, f"h{width}")
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
            f"clean F1 of the same network. Mean and standard deviation over seeds. {_seeds(results)}."
        )
        return save(drawing, folder, "gaussian_noise.png", caption)


def occlusion(results: Results, folder: Path) -> Path:
    """F1 on 4v9 against width, clean and with a patch of zeros."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            clean = [results.scores(arm, NOISE_PAIR, width) for width in results.widths]
            patched = [results.scores(arm, NOISE_PAIR, width, "occlusion", PATCH) for width in results.widths]
            _line(axes, results.widths, clean, 0, "clean")
            _line(axes, results.widths, patched, 1, f"{PATCH} x {PATCH} patch of zeros")
            axes.set_title(f"4v9, {arm}")
            _width_axis(axes, results.widths)
        grid[0, 0].plot(list(OCCLUSION_F1), list(OCCLUSION_F1.values()), "kx", markeredgewidth=2.5, label="published")
        grid[0, 0].set_ylabel("F1")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        caption = (
            "4v9 with one patch of zeros at a random place in each image, without retraining, against width; mean and "
            f"standard deviation over seeds. {_seeds(results)}."
        )
        return save(drawing, folder, "occlusion.png", caption)


def corruptions(example: Task, folder: Path) -> Path:
    """What the corruptions look like, on one image of each digit."""
    judged = example.judged
    images = np.stack([judged.images[np.flatnonzero(judged.labels == label)[0]] for label in (0, 1)])
    columns: list[tuple[str, NDArray[np.floating]]] = [("clean", images / 255)]
    columns += [(rf"$\sigma$ = {sigma}", gaussian_noise(images, sigma, np.random.default_rng(0))) for sigma in SIGMAS]
    columns.append((f"{PATCH} x {PATCH} patch", occlude(images, PATCH, np.random.default_rng(0))))
    with figure(2, len(columns), panel=(2.2, 2.3)) as (drawing, grid):
        for column, (title, shown) in enumerate(columns):
            for row, image in enumerate(shown):
                grid[row, column].imshow(image, cmap="gray", vmin=0, vmax=1)
                grid[row, column].set_axis_off()
            grid[0, column].set_title(title)
        caption = (
            "The corruptions of 4v9 on one image of each digit (n = 2): Gaussian pixel noise, clipped; an occlusion."
        )
        return save(drawing, folder, "corruptions.png", caption)


def saliency(results: Results, folder: Path) -> Path:
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


def saliency_agreement(results: Results, folder: Path) -> Path:
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
                    _line(axes, results.widths, samples, number, label)
                _width_axis(axes, results.widths)
            row[0].set(ylabel=title, ylim=(-0.1, 1.1))
        for axes, arm in zip(grid[0], ARMS, strict=True):
            axes.set(title=f"4v9, {arm}", xlabel="")
        grid[1, 0].legend(loc="center right", fontsize=13)
        caption = (
            "How far the absolute input gradients of the pruned network, and of one with permuted weights, agree "
            "with those "
            "of the dense one; mean over 200 images, then mean and standard deviation over seeds. A map of a network "
            f"pruned by 95 % is mostly ties, which limits its rank correlation. {_seeds(results)}."
        )
        return save(drawing, folder, "saliency_agreement.png", caption)
