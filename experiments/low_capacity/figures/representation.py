"""The hidden layer of 4v9, dense and pruned: a picture of its activations, and how separable they leave the digits."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.figures.axes import line, seeds, width_axis
from experiments.low_capacity.judgements.inside import representation
from experiments.low_capacity.measures.representation import COMPARED, PRUNINGS, WIDTHS
from experiments.low_capacity.protocol import ARMS
from experiments.low_capacity.published import SALIENCY_PAIR, SALIENCY_WIDTH
from experiments.low_capacity.results import Results
from experiments.page import Drawn
from experiments.style import COLOURS, MARKERS, figure, save
from npnet.representation import principal_components

LABELS = {"dense": "dense", "divided twice": '"95 %" divided twice', "pruned": "true 95 %"}
PERPLEXITY = 30
_HOW = {
    "t-SNE": f"By t-SNE of scikit-learn (perplexity {PERPLEXITY}, from the principal components, random state 0). "
    "Distances between clusters mean nothing; without scikit-learn the two principal components are drawn",
    "principal components": "By the two principal components, with their share of the variance; t-SNE is drawn if "
    "scikit-learn is there (pip install 'npnet[tsne]')",
}


def scatter(results: Results, folder: Path) -> Drawn:
    """Hidden activations of the test images in two dimensions, dense, divided twice and pruned, both arms."""
    with figure(2, len(PRUNINGS), panel=(5.0, 4.2)) as (drawing, grid):
        for row, arm in zip(grid, ARMS, strict=True):
            found = results.of(arm, SALIENCY_PAIR, SALIENCY_WIDTH)[0]["points"]
            classes = np.array(found["labels"])
            for axes, name in zip(row, PRUNINGS, strict=True):
                points = np.array(found[name])
                how, shown, text = embedded(points)
                for label in (0, 1):
                    x, y = shown[classes == label].T
                    axes.plot(x, y, MARKERS[label], color=COLOURS[label], markersize=5, alpha=0.6, markeredgewidth=0)
                axes.set_title("\n".join([f"{arm}, {LABELS[name]}", *text, *_degenerate(points)]), fontsize=14)
                axes.set(xticks=[], yticks=[])
                axes.set_xlabel(f"{how}, first axis", fontsize=12)
            row[0].set_ylabel(f"{how}, second axis", fontsize=12)
        for label, digit in enumerate(SALIENCY_PAIR):
            grid[0, 0].plot([], [], MARKERS[label], color=COLOURS[label], label=str(digit))
        grid[0, 0].legend(fontsize=14, loc="best", handletextpad=0)
        caption = (
            f"Activations of the {SALIENCY_WIDTH} hidden units of 4v9 on test images, dense and pruned, for the "
            f"first seed of each arm (n = 1). {_HOW[how]}. Constant units, and points that are those of other images "
            "to five digits, are counted where there are any. A picture is no measure of separability, see "
            "separability.png."
        )
        return save(drawing, folder, "representation.png", caption)


def embedded(points: NDArray[np.float64]) -> tuple[str, NDArray[np.float64], list[str]]:
    """Points (n, d) in two dimensions: how that was done, (n, 2) coordinates, and what to say of this picture.

    By t-SNE if scikit-learn can be imported, else the first two principal components.
    """
    try:
        from sklearn.manifold import TSNE
        from threadpoolctl import threadpool_limits
    except ImportError:
        scores, share = principal_components(points, 2)
        return "principal components", scores, [f"{share[0]:.0%} and {share[1]:.0%} of the variance"]
    if (points == points[0]).all():
        # From principal components of no variance t-SNE cannot start.
        return "t-SNE", np.zeros((len(points), 2)), []
    tsne: Any = TSNE(init="pca", random_state=0, perplexity=min(PERPLEXITY, (len(points) - 1) / 3))
    # In one thread: the same bits on every machine, and many times as fast where others compute too.
    with threadpool_limits(1):
        return "t-SNE", tsne.fit_transform(points), []


def _degenerate(points: NDArray[np.float64]) -> list[str]:
    """How many units are constant, and how many points are those of other images, where there are any."""
    constant = int((points == points[0]).all(axis=0).sum())
    again = len(points) - len(np.unique(points, axis=0))
    units, points_again = f"{constant} of {points.shape[1]} units constant", f"{again} of {len(points)} points coincide"
    return [units] * bool(constant) + [points_again] * bool(again)


def separability(results: Results, folder: Path) -> Drawn:
    """Linear separability and silhouette of the hidden activations against width, dense and pruned, both arms."""
    widths = [width for width in results.widths if width in WIDTHS]
    rows = {"separability": "balanced accuracy of\na linear classifier", "silhouette": "silhouette"}
    with figure(2, 2, panel=(7.0, 3.8), sharex=True, sharey="row") as (drawing, grid):
        for row, (measure, title) in zip(grid, rows.items(), strict=True):
            for axes, arm in zip(row, ARMS, strict=True):
                for number, name in enumerate(PRUNINGS):
                    samples = [representation(results, arm, width, name, measure) for width in widths]
                    line(axes, widths, samples, number, LABELS[name])
                    axes.lines[-1].set_markersize(15 - 4 * number)  # The first two are mostly one over the other.
                own = [results.scores(arm, SALIENCY_PAIR, w, "pruned", 0.95, "balanced_accuracy") for w in widths]
                if measure == "separability":
                    axes.plot(widths, [each.mean() for each in own], "k:", label="its own output, true 95 %")
                    axes.set_title(f"4v9, {arm}")
                width_axis(axes, widths)
                axes.set_xticks(widths)
            row[0].set_ylabel(title)
        for axes in grid[0]:
            axes.set_xlabel("")
        grid[1, 0].legend(*grid[0, 0].get_legend_handles_labels(), fontsize=12, loc="upper right")
        caption = (
            "How far the hidden layer separates 4 from 9, dense and pruned, against width. Above: a linear classifier "
            "trained anew on the hidden activations of the training images, on the test images; dotted, the pruned "
            f"network's own output. Below: mean silhouette of {COMPARED} test images at most. Mean and standard "
            f"deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "separability.png", caption)
