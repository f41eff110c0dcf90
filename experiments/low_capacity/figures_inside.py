"""The figures of the inside of 4v9: the hidden layer, what its units know, and saliency."""

import itertools

import numpy as np

from experiments.low_capacity.claims import close
from experiments.low_capacity.figures import in_arms, sampled
from experiments.low_capacity.inside import COMPARED, PRUNINGS, WIDTHS
from experiments.low_capacity.networks import NETWORKS
from experiments.low_capacity.published import CLOSE_PAIR, CLOSE_SHARE, CLOSE_WIDTH
from experiments.low_capacity.saliency import REPLICA
from experiments.plots import legend, look, picture
from experiments.style import Drawing, panels
from experiments.table import Table
from npnet.representation import principal_components


def representation(table: Table) -> Drawing:
    """Principal components of the hidden activations, dense, divided twice and pruned, both arms."""
    rows = close(table.where(part=NETWORKS))
    drawing, grid = panels(2, len(PRUNINGS), panel=(5.0, 4.2))
    for axes, ((arm, each), name) in zip(grid.flat, itertools.product(rows.by("arm").items(), PRUNINGS), strict=True):
        points, classes = (np.array(each.rows[0]["points"][which]) for which in (name, "labels"))
        shown, share = principal_components(points, 2)
        for label, digit in enumerate(CLOSE_PAIR):
            marks = look(label) | {"markersize": 5, "alpha": 0.6, "markeredgewidth": 0, "linestyle": "none"}
            axes.plot(*shown[classes == label].T, **marks, label=str(digit))
        axes.set_title(f"{arm}, {name}\n{share[0]:.0%} and {share[1]:.0%} of the variance", fontsize=14)
        axes.set(xticks=[], yticks=[], xlabel="first component", ylabel="second component")
    legend(drawing, [grid[0, 0]])
    return drawing, (
        f"Activations of the {CLOSE_WIDTH} hidden units of 4v9 on test images by their two principal components, dense "
        "and pruned by 95 %, truly and as the released code does, divided twice; the first seed of each arm (n = 1). A "
        "picture is no measure of separability, which another figure shows."
    )


def separability(table: Table) -> Drawing:
    """Linear separability and silhouette of the hidden activations against width, dense and pruned, both arms."""
    rows = table.where(part=NETWORKS, pair=CLOSE_PAIR, width=lambda width: width in WIDTHS)
    measures = {"separability": "linear classifier", "silhouette": "silhouette"}
    drawing, grid = in_arms(rows.each("representation"), measures, "pruning", "width")
    outputs = rows.each("scores").where(condition="pruned", level=CLOSE_SHARE)
    for axes, each in zip(grid[0], outputs.by("arm").values(), strict=True):
        means = {width: own["balanced_accuracy"].mean() for width, own in each.by("width").items()}
        axes.plot(list(means), list(means.values()), "k:", label="the pruned network's own output")
    for axes in grid.flat:
        axes.lines[0].set_markersize(15)  # the first two are mostly one over the other
        axes.set_xticks(list(rows.by("width")))
    grid[0, 0].set_ylabel("balanced accuracy")
    legend(drawing, grid.flat)
    return drawing, (
        "How far the hidden layer separates 4 from 9, dense and pruned by 95 %, against width. Above: a linear "
        "classifier trained anew on the hidden activations of the training images, on the test images. Below: mean "
        f"silhouette of {COMPARED} test images at most. Mean and standard deviation over seeds. {sampled(rows)}"
    )


def information(table: Table) -> Drawing:
    """Information against true sparsity, a line per width, both arms."""
    rows = table.where(part=NETWORKS, pair=CLOSE_PAIR, width=lambda width: width in WIDTHS)
    measures = {"output": "output", "largest": "best hidden unit", "mean": "mean over hidden units"}
    drawing, grid = in_arms(rows.each("information"), measures, "width", "level", "h{}", panel=(7.0, 3.0))
    for axes in grid[:, 0]:
        axes.set_ylabel("information (bit)")
    for axes in grid[-1]:
        axes.set_xlabel("share of the weights removed")
    legend(drawing, [grid[0, 0]])
    return drawing, (
        "What output and hidden units of 4v9 say of the digit on the test images, after one-shot magnitude pruning of "
        "a true share of the weights: mutual information with the label (16 equally filled bins, bias-corrected; the "
        f"label has 1 bit). Mean and standard deviation over seeds. {sampled(rows)}"
    )


def units(table: Table) -> Drawing:
    """Information of each hidden unit, dense and pruned by 95 %, for the first seed of both arms."""
    rows = close(table.where(part=NETWORKS))
    drawing, grid = panels(1, 2, panel=(7.0, 3.8), sharey=True)
    for axes, (arm, each) in zip(grid[0], rows.by("arm").items(), strict=True):
        found = each.rows[0]["units"]
        order = np.argsort(found["dense"])[::-1]
        place = np.arange(1, len(order) + 1)
        dense, pruned = (np.array(found[name])[order] for name in ("dense", "pruned"))
        axes.vlines(place, dense, pruned, color="grey", linewidth=1)
        axes.plot(place, dense, **look(0), linestyle="none", label="dense")
        axes.plot(place, pruned, **look(1), linestyle="none", label="true 95 % removed")
        axes.set(title=f"4v9 h{CLOSE_WIDTH}, {arm}", xlabel="hidden unit, by information when dense")
    grid[0, 0].set_ylabel("information (bit)")
    legend(drawing, [grid[0, 0]])
    spared = ", ".join(f"{each['spared', 'incoming'].mean():.2f} {arm}" for arm, each in rows.by("arm").items())
    return drawing, (
        f"What each of the {CLOSE_WIDTH} hidden units of 4v9 says of the digit, before and after a true 95 % is "
        "removed; the first seed of each arm (n = 1). Rank correlation of a unit's information with the share of its "
        f"incoming weights that a cut of 80 % keeps, mean over seeds: {spared}. {sampled(rows)}"
    )


def saliency(table: Table) -> Drawing:
    """Input gradients of the logit for right and wrong answers of the paper's network, both arms."""
    titles = {"image": "{}", "dense": "dense", "divided twice": 'pruned\n"95 %"', "pruned": "pruned\ntrue 95 %"}
    titles[REPLICA] = "trained\nanew"
    kinds = list(itertools.product((0, 1), (True, False)))
    drawing, grid = panels(len(kinds), 2 * len(titles), panel=(1.8, 2.0))
    for half, (arm, rows) in zip(np.hsplit(grid, 2), close(table.where(part=NETWORKS)).by("arm").items(), strict=True):
        found = {(entry["label"], entry["right"]): entry for entry in rows.rows[0]["maps"]}
        for number, (row, kind) in enumerate(zip(half, kinds, strict=True)):
            row[0].set_ylabel(f"{CLOSE_PAIR[kind[0]]}, {'right' if kind[1] else 'wrong'}")
            for axes, (name, title) in zip(row, titles.items(), strict=True):
                image = found[kind]["image"] if kind in found else [[0]]
                values = np.reshape(found[kind][name] if kind in found else [0], np.shape(image))
                heading = title.format(arm.replace(" ", "\n")) if number == 0 else ""
                picture(axes, values, signed=name != "image", title=heading)
    return drawing, (
        "Input gradient of the logit (orange: more ink here speaks for 4; violet: for 9), each map on its own scale, "
        "for the first right and wrong answers on each digit (black if there is none); 4v9, 24 hidden units, the first "
        'seed of each arm (n = 1). "95 %" is what the released code removes when asked for it, 0.95 %. Trained anew: '
        "the same network on the same data, from another initialisation."
    )


def saliency_agreement(table: Table) -> Drawing:
    """Agreement of other networks' maps with the dense one's against width."""
    rows = table.where(part=NETWORKS, pair=CLOSE_PAIR)
    measures = {"overlap": "share of the most salient pixels", "rank_correlation": "rank correlation"}
    drawing, grid = in_arms(rows.each("saliency"), measures, "other", "width")
    legend(drawing, grid.flat, ncols=4)
    return drawing, (
        "How far the absolute input gradients of other networks agree with those of the dense one on 4v9: of the same "
        "network pruned by 95 %, truly and divided twice, with permuted weights, and before it was trained; of one "
        f"trained anew from another initialisation on the same data; and of h{CLOSE_WIDTH}. Above: share of the 5 % "
        "most salient pixels that both have, 5 % by chance. Mean over 100 images, then mean and standard deviation "
        "over seeds. A map of a network pruned by 95 % is mostly ties, which limits its rank correlation. "
        f"{sampled(rows)}"
    )


def forward_difference(table: Table) -> Drawing:
    """Error of the paper's forward difference against its step, with the line of an error in proportion."""
    rows = close(table.where(part=NETWORKS))
    errors = rows.each("forward_difference")
    drawing, (both,) = in_arms(errors, {"error": f"4v9 h{CLOSE_WIDTH}"}, "seed", "step", "", panel=(7.0, 5.0))
    for axes, each in zip(both, errors.by("arm").values(), strict=True):
        middle = {step: np.median(at["error"]) for step, at in each.by("step").items()}
        # Through the middle of the steps, where neither kinks nor rounding matter.
        guide = [middle[1e-3] / 1e-3 * step for step in middle]
        axes.plot(list(middle), guide, "k--", label="in proportion to the step")
        axes.set(xscale="log", yscale="log", xlabel="step (pixel range 0 to 1)", ylabel="relative error")
    legend(drawing, both)
    return drawing, (
        "Distance of the forward difference of the probability from its gradient by the pixels, divided by the "
        "gradient's length, in float64, the mean over up to four images; a line for each seed. The paper's step is "
        "0.1. A step that crosses the kink of a unit's relu errs more; below some step rounding takes over. "
        f"{sampled(rows)}"
    )
