"""What the figures of the study share: a dot per network, axes, and what is said where nothing can be drawn."""

from collections.abc import Iterable
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from experiments.sensitivity.correlations import Correlation
from experiments.sensitivity.protocol import ACTIVATIONS
from experiments.sensitivity.results import Floats, Networks
from experiments.style import COLOURS, MARKERS

NORM, GAP = r"mean Jacobian norm $\|J\|_F$", "generalization gap"
# Ticks within a decade, the coarser the better, as long as there are three.
_FACTORS: tuple[tuple[float, ...], ...] = (
    (1,),
    (1, 3),
    (1, 2, 5),
    (1, 1.5, 2, 3, 5, 7),
    (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8),
    tuple(k / 10 for k in range(10, 100)),
)
# So many dots are drawn smaller.
_MANY = 150
UNFITTED = "no network fits\nits training images"


def words(name: str) -> str:
    """An activation as a person writes it."""
    return name.replace("_", " ")


def look(number: int) -> dict[str, Any]:
    """Colour and marker of the group of that number."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def count(n: int, what: str) -> str:
    """A number of things."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def say(axes: Axes, text: str) -> None:
    """Words in the middle of a panel that has nothing else to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=14)


def drawable(axes: Axes, *logarithmic: Floats, linear: Iterable[Floats] = ()) -> NDArray[np.bool_]:
    """Which points can be drawn: no NaN nor infinity, nor 0 on a logarithmic axis. The panel says how many cannot."""
    shown = np.all([np.isfinite(values) for values in (*logarithmic, *linear)], axis=0)
    shown &= np.all([values > 0 for values in logarithmic], axis=0)
    if hidden := int((~shown).sum()):
        why = f"{hidden} not drawn: {'0, ' if logarithmic else ''}NaN or infinite"
        axes.text(0.98, 0.02, why, transform=axes.transAxes, ha="right", va="bottom", fontsize=13)
    return np.asarray(shown, dtype=np.bool_)


def dots(axes: Axes, networks: Networks, name: str, other: str = "gap") -> None:
    """A dot a network, by activation: one measure against another, the first on a logarithmic axis."""
    axes.set_xscale("log")
    if not networks:
        say(axes, UNFITTED)
        return
    x, y = networks.column(name), networks.column(other)
    shown = drawable(axes, x, linear=[y])
    activation = np.array(networks.setting(lambda trial: trial.activation))
    for number, one in enumerate(ACTIVATIONS):
        mine = shown & (activation == one)
        if mine.any():
            axes.plot(
                x[mine],
                y[mine],
                **look(number),
                linestyle="none",
                markersize=8 if len(networks) < _MANY else 6,
                markeredgewidth=1.0 if len(networks) < _MANY else 0.5,
                markeredgecolor="white",
                alpha=0.75,
                label=words(one),
            )


def diagonal(axes: Axes, values: Floats) -> tuple[float, float]:
    """A line where both are equal, and both axes a little longer than `values` need: their limits."""
    scale = axes.xaxis.get_transform()
    low, high = scale.transform([values.min(), values.max()]) if values.size else (0.0, 1.0)
    margin = 0.08 * (high - low) or 0.1
    low, high = scale.inverted().transform([low - margin, high + margin]).tolist()
    axes.plot([low, high], [low, high], color="black", linewidth=1.5, zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    if axes.get_xscale() == "log":
        log_ticks(axes, "x")
        log_ticks(axes, "y")
    else:
        ticks = MaxNLocator(4, steps=[1, 2, 5, 10]).tick_values(low, high)
        axes.set(xticks=ticks, yticks=ticks, xlim=(low, high), ylim=(low, high))
    return low, high


def log_ticks(axes: Axes, which: str) -> None:
    """A few numbers in full on a logarithmic axis of less than four decades, once all is drawn; others are left."""
    axis, (low, high) = (axes.xaxis, axes.get_xlim()) if which == "x" else (axes.yaxis, axes.get_ylim())
    decades = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    if len(decades) > 6:
        return
    for factors in _FACTORS:
        ticks = np.outer(decades, np.array(factors)).ravel()
        ticks = ticks[(low <= ticks) & (ticks <= high)]
        if len(ticks) >= 3:
            thinned = ticks[:: -(-len(ticks) // 5)]
            axis.set_ticks(thinned, labels=[f"{tick:,.10g}" for tick in thinned])
            axis.set_ticks([], minor=True)
            return


def legend(drawing: Figure, axes: Iterable[Axes], **options: int) -> None:
    """One legend above all panels, of what is in any of them, activations in their own order."""
    found = {label: handle for each in axes for handle, label in zip(*each.get_legend_handles_labels(), strict=True)}
    order = [words(name) for name in ACTIVATIONS]
    labels = sorted(found, key=lambda label: order.index(label) if label in order else len(order))
    if labels:
        handles = [found[label] for label in labels]
        drawing.legend(handles, labels, loc="outside upper center", **{"ncols": 6, "fontsize": 15} | options)


def spearman(found: Correlation) -> str:
    """A rank correlation, for a title."""
    return f"no rank correlation (n = {found.networks})" if np.isnan(found.value) else f"Spearman {found}"
