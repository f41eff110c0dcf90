"""The figures of the inside of 4v9: the hidden layer, what its units know, and saliency."""

import itertools
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.low_capacity.claims import close
from experiments.low_capacity.figures import in_arms, seeds
from experiments.low_capacity.inside import COMPARED, PRUNINGS, WIDTHS
from experiments.low_capacity.networks import NETWORKS
from experiments.low_capacity.published import CLOSE_PAIR, CLOSE_WIDTH
from experiments.low_capacity.saliency import PAPERS, REPLICA
from experiments.plots import legend, look, picture, width_axis
from experiments.style import panels
from experiments.table import Table
from npnet.representation import principal_components

_NAMES = {"dense": "dense", "divided twice": '"95 %" divided twice', "pruned": "true 95 %"}
PERPLEXITY = 30
_HOW = {
    "t-SNE": f"By t-SNE of scikit-learn (perplexity {PERPLEXITY}, from the principal components, random state 0). "
    "Distances between clusters mean nothing; without scikit-learn the two principal components are drawn",
    "principal components": "By the two principal components, with their share of the variance; t-SNE is drawn if "
    "scikit-learn is there (pip install 'npnet[tsne]')",
}


def representation(table: Table) -> tuple[Figure, str]:
    """Hidden activations of the test images in two dimensions, dense, divided twice and pruned, both arms."""
    rows = close(table.where(part=NETWORKS))
    drawing, grid = panels(2, len(PRUNINGS), panel=(5.0, 4.2))
    for axes, ((arm, each), name) in zip(grid.flat, itertools.product(rows.by("arm").items(), PRUNINGS), strict=True):
        points, classes = (np.array(each.rows[0]["points"][which]) for which in (name, "labels"))
        how, shown, text = embedded(points)
        for label, digit in enumerate(CLOSE_PAIR):
            marks = look(label) | {"markersize": 5, "alpha": 0.6, "markeredgewidth": 0, "linestyle": "none"}
            axes.plot(*shown[classes == label].T, **marks, label=str(digit))
        axes.set_title("\n".join([f"{arm}, {_NAMES[name]}", *text, *_degenerate(points)]), fontsize=14)
        axes.set(xticks=[], yticks=[])
        axes.set_xlabel(f"{how}, first axis", fontsize=12)
        axes.set_ylabel("second axis", fontsize=12)
    legend(drawing, [grid[0, 0]])
    return drawing, (
        f"Activations of the {CLOSE_WIDTH} hidden units of 4v9 on test images, dense and pruned, for the first seed of "
        f"each arm (n = 1). {_HOW[how]}. Constant units, and points that are those of other images to five digits, are "
        "counted where there are any. A picture is no measure of separability, which another figure shows."
    )


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


def separability(table: Table) -> tuple[Figure, str]:
    """Linear separability and silhouette of the hidden activations against width, dense and pruned, both arms."""
    rows = table.where(part=NETWORKS, pair=CLOSE_PAIR, width=lambda width: width in WIDTHS)
    found = Table({**row, "name": _NAMES[name], **row["representation"][name]} for name in PRUNINGS for row in rows)
    measures = {"separability": "linear classifier", "silhouette": "silhouette"}
    drawing, grid = in_arms(found, measures, "name", "width", height=3.8)
    outputs = rows.each("scores").where(condition="pruned", level=PRUNINGS["pruned"])
    for (above, below), each in zip(grid.T, outputs.by("arm").values(), strict=True):
        means = {width: own["balanced_accuracy"].mean() for width, own in each.by("width").items()}
        above.plot(list(means), list(means.values()), "k:", label="its own output, true 95 %")
        for axes in (above, below):
            axes.lines[0].set_markersize(15)  # the first two are mostly one over the other
            width_axis(axes, rows["width"])
            axes.set_xticks(list(rows.by("width")))
        above.set_xlabel("")
    grid[0, 0].set_ylabel("balanced accuracy")
    legend(drawing, grid.flat)
    return drawing, (
        "How far the hidden layer separates 4 from 9, dense and pruned, against width. Above: a linear classifier "
        "trained anew on the hidden activations of the training images, on the test images; dotted, the pruned "
        f"network's own output. Below: mean silhouette of {COMPARED} test images at most. Mean and standard deviation "
        f"over seeds. {seeds(rows)}."
    )


def information(table: Table) -> tuple[Figure, str]:
    """Information and selectivity against true sparsity, a line per width, both arms."""
    rows = table.where(part=NETWORKS, pair=CLOSE_PAIR, width=lambda width: width in WIDTHS)
    measures = {"output": "output", "largest": "best hidden unit", "mean": "mean over hidden units"}
    measures["mean_selectivity"] = "mean selectivity of hidden units"
    levels = Table({**row, "percent": 100 * row["level"]} for row in rows.each("information"))
    drawing, grid = in_arms(levels, measures, "width", "percent", "h{}", height=3.0)
    for axes, words in zip(grid[:, 0], [*["information (bit)"] * 3, "selectivity"], strict=True):
        axes.set_ylabel(words)
    for axes in grid[-1]:
        axes.set_xlabel("weights removed (%)")
    legend(drawing, [grid[0, 0]])
    return drawing, (
        "What output and hidden units say of the digit on the test images, after one-shot magnitude pruning of a true "
        "share of the weights: mutual information with the label (16 equally filled bins, bias-corrected; the label "
        "has 1 bit), and class selectivity (0: active alike on 4 and 9; 1: on one only). Mean and standard deviation "
        f"over seeds. {seeds(rows)}."
    )


def units(table: Table) -> tuple[Figure, str]:
    """Information and selectivity of each hidden unit, dense and pruned by 95 %, for the first seed of both arms."""
    rows, measures = (
        close(table.where(part=NETWORKS)),
        {"information": "information (bit)", "selectivity": "selectivity"},
    )
    drawing, grid = panels(2, 2, panel=(7.0, 3.4), sharex=True, sharey="row")
    for column, (arm, each) in zip(grid.T, rows.by("arm").items(), strict=True):
        found = each.rows[0]["units"]
        order = np.argsort(found["dense"]["information"])[::-1]
        place = np.arange(1, len(order) + 1)
        for axes, (measure, words) in zip(column, measures.items(), strict=True):
            dense, pruned = (np.array(found[name][measure])[order] for name in ("dense", "pruned"))
            axes.vlines(place, dense, pruned, color="grey", linewidth=1)
            axes.plot(place, dense, **look(0), linestyle="none", label="dense")
            axes.plot(place, pruned, **look(1), linestyle="none", label="true 95 % removed")
            axes.set(title=f"4v9 h{CLOSE_WIDTH}, {arm}", ylabel=words)
        column[1].set(xlabel="hidden unit, by its information in the dense network", title="")
    legend(drawing, [grid[0, 0]])
    spared = ", ".join(f"{each['spared', 'incoming'].mean():.2f} {arm}" for arm, each in rows.by("arm").items())
    return drawing, (
        f"What each of the {CLOSE_WIDTH} hidden units of 4v9 says of the digit, and how selective it is for one, "
        "before and after a true 95 % is removed; the first seed of each arm (n = 1). Rank correlation of a unit's "
        "information with the share of its incoming weights that a cut of 80 % keeps, mean over seeds: "
        f"{spared}. {seeds(rows)}."
    )


def saliency(table: Table) -> tuple[Figure, str]:
    """Input gradients of the logit for right and wrong answers of the paper's network, both arms."""
    titles = {"image": "{}", "dense": "dense", "divided twice": 'pruned\n"95 %"', "pruned": "pruned\ntrue 95 %"}
    titles[REPLICA] = "trained\nanew"
    kinds, columns = list(itertools.product((0, 1), (True, False))), len(titles)
    drawing, grid = panels(len(kinds), 2 * columns, panel=(1.8, 2.0))
    for half, (arm, rows) in zip(np.hsplit(grid, 2), close(table.where(part=NETWORKS)).by("arm").items(), strict=True):
        found = {(entry["label"], entry["right"]): entry for entry in rows.rows[0]["maps"]}
        for row, kind in zip(half, kinds, strict=True):
            row[0].set_ylabel(f"{CLOSE_PAIR[kind[0]]}, {'right' if kind[1] else 'wrong'}")
            for axes, name in zip(row, titles, strict=True):
                axes.set(xticks=[], yticks=[], frame_on=False)
                if kind in found:
                    side = len(found[kind]["image"])
                    picture(axes, np.reshape(found[kind][name], (side, -1)), signed=name != "image")
        for axes, title in zip(half[0], titles.values(), strict=True):
            axes.set_title(title.format(arm.replace(" ", "\n")), fontsize=15)
    return drawing, (
        "Input gradient of the logit (orange: more ink here speaks for 4; violet: for 9), each map on its own scale, "
        "for the first right and wrong answers on each digit; 4v9, 24 hidden units, the first seed of each arm "
        '(n = 1). "95 %" is what the released code removes when asked for it, 0.95 %. Trained anew: the same network on '
        "the same data, from another initialisation."
    )


def saliency_agreement(table: Table) -> tuple[Figure, str]:
    """Agreement of other networks' maps with the dense one's against width."""
    rows = table.where(part=NETWORKS, pair=CLOSE_PAIR)
    found = Table({**row, "other": other, **agreed} for row in rows for other, agreed in row["saliency"].items())
    measures = {"overlap": "most salient pixels", "rank_correlation": "rank correlation"}
    drawing, grid = in_arms(found, measures, "other", "width")
    for axes in grid.flat:
        width_axis(axes, rows["width"])
    grid[0, 0].set_ylabel("share in common")
    legend(drawing, grid.flat, ncols=4)
    return drawing, (
        "How far the absolute input gradients of other networks agree with those of the dense one on 4v9: of the same "
        f"network pruned, truly by 95 % and divided twice, with permuted weights, and before it was trained; of one "
        f"trained anew from another initialisation on the same data; and of {PAPERS}, trained on the same data. Above: "
        "share of the 5 % most salient pixels that both have. Mean over 100 images, then mean and standard deviation "
        "over seeds. By chance 5 % of the pixels are shared. A map of a network pruned by 95 % is mostly ties, which "
        f"limits its rank correlation. {seeds(rows)}."
    )


def forward_difference(table: Table) -> tuple[Figure, str]:
    """Error of the paper's forward difference against its step, with the line of an error in proportion."""
    rows = close(table.where(part=NETWORKS))
    drawing, grid = panels(1, 2, panel=(7.0, 5.0), sharey=True)
    for axes, (arm, each) in zip(grid[0], rows.by("arm").items(), strict=True):
        found = each.each("forward_difference").by("step")
        steps, errors = np.array(list(found)), np.array([seeds["error"] for seeds in found.values()])
        axes.plot(steps, errors, color=look(0)["color"], linewidth=0.8, alpha=0.5)
        middle = np.median(errors, axis=1)
        axes.plot(steps, middle, **look(0), label="median of the seeds")
        # Through the middle of the steps, where neither kinks nor rounding matter.
        axes.plot(steps, middle[2] / steps[2] * steps, "k--", linewidth=1.5, label="in proportion to the step")
        axes.set(xscale="log", yscale="log", title=f"4v9 h{CLOSE_WIDTH}, {arm}", xlabel="step (pixel range 0 to 1)")
    grid[0, 0].set_ylabel("relative error")
    legend(drawing, grid[0])
    return drawing, (
        "Distance of the forward difference of the probability from its gradient by the pixels, divided by the "
        "gradient's length, in float64; thin: seeds, each the mean over up to four images. The paper's step is 0.1. A "
        "step that crosses the kink of a unit's relu errs more; below some step rounding takes over. "
        f"{seeds(rows)}."
    )
