"""What the figures of several studies are made of; all take Matplotlib's axes and draw on them."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray

from experiments.statistics import deviation
from experiments.style import COLOURS, MARKERS
from experiments.table import Table

Floats = NDArray[np.float64]

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


def look(number: int) -> dict[str, Any]:
    """Colour and marker of the group of that number."""
    return {"color": COLOURS[number % len(COLOURS)], "marker": MARKERS[number % len(MARKERS)]}


def count(n: int, what: str) -> str:
    """A number of things: "1 network", "2,000 networks"."""
    return f"{n:,} {what}{'s' * (n != 1)}"


def lines(
    axes: Axes, groups: Mapping[Any, Table], x: str, y: str | tuple[str | int, ...], label: str = "{}", **line: Any
) -> None:
    """For each group of rows a line through the means of the column `y` at each `x`, in a band of one deviation.

    The axes are named after the columns, unless they have names already.

    Parameters
    ----------
    groups
        As from `Table.by`.
    label
        Words with ``{}`` for the name of the group, such as ``"h{}"``.
    **line
        For `matplotlib.axes.Axes.plot`.
    """
    axes.set_xlabel(axes.get_xlabel() or x)
    axes.set_ylabel(axes.get_ylabel() or (y if isinstance(y, str) else str(y[-1])))
    for number, (name, rows) in enumerate(groups.items()):
        places = dict(sorted(rows.by(x).items()))
        # Of infinities there may be no mean, which leaves a gap.
        with np.errstate(invalid="ignore"):
            means = np.array([each[y].mean(dtype=np.float64) for each in places.values()])
            deviations = np.array([deviation(each[y]) for each in places.values()])
            low, high = means - deviations, means + deviations
        axes.plot(list(places), means, **{**look(number), "label": label.format(name), **line})
        axes.fill_between(list(places), low, high, color=look(number)["color"], alpha=0.15, linewidth=0)


def dots(
    axes: Axes,
    groups: Mapping[str, Table],
    x: str | tuple[str | int, ...],
    y: str | tuple[str | int, ...],
    log: str = "",
    **marks: Any,
) -> Floats:
    """A dot for each row, in the colour of its group: the column `y` against `x`; returns what is shown, (2, n).

    Parameters
    ----------
    groups
        As from `Table.by`; a group of no rows keeps its colour.
    log
        Which axes are logarithmic: "", "x", "y" or "xy".
    **marks
        For `matplotlib.axes.Axes.plot`.
    """
    axes.set(**{f"{each}scale": "log" for each in log})
    many = sum(map(len, groups.values())) >= _MANY
    usual = {"linestyle": "none", "markersize": 6 if many else 8, "markeredgewidth": 0.5 if many else 1.0}
    usual |= {"markeredgecolor": "white", "alpha": 0.75}
    drawn, hidden = [], 0
    for number, (name, rows) in enumerate(groups.items()):
        points = np.array([rows[x], rows[y]], dtype=np.float64)
        shown = drawable(points[0], "x" in log) & drawable(points[1], "y" in log)
        hidden += int((~shown).sum())
        drawn.append(points[:, shown])
        if shown.any():
            axes.plot(*points[:, shown], **{**look(number), **usual, "label": name, **marks})
    if hidden:
        why = f"{hidden} not drawn: NaN, infinite or, on a logarithmic axis, 0"
        axes.text(0.98, 0.02, why, transform=axes.transAxes, ha="right", va="bottom", fontsize=13)
    return np.concatenate(drawn, axis=1) if drawn else np.empty((2, 0))


def drawable(values: Floats, log: bool = False) -> NDArray[np.bool_]:
    """Which numbers can be drawn: no NaN nor infinity, nor 0 and less on a logarithmic axis."""
    return np.asarray(np.isfinite(values) & (values > 0) if log else np.isfinite(values))


def say(axes: Axes, text: str) -> None:
    """Words in the middle of a panel that has nothing else to show."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", fontsize=14)


def matrix(
    axes: Axes,
    values: Floats,
    texts: Sequence[Sequence[str]],
    rows: Sequence[str],
    columns: Sequence[str],
    *,
    lowest: float,
    highest: float,
) -> AxesImage:
    """Numbers as colours with a text in each cell; what is not a number has no colour.

    Parameters
    ----------
    values
        (rows, columns).
    texts
        Of each cell.
    rows, columns
        Their names, at the ticks.
    lowest, highest
        The numbers at both ends of the colours.
    """
    image = axes.imshow(values, vmin=lowest, vmax=highest, aspect="auto")
    for row, column in np.ndindex(values.shape):
        ink = "white" if values[row, column] < (lowest + highest) / 2 else "black"
        axes.text(column, row, texts[row][column], ha="center", va="center", color=ink, fontsize=14)
    axes.set_xticks(range(len(columns)), columns)
    axes.set_yticks(range(len(rows)), rows)
    axes.grid(visible=False)
    return image


def picture(axes: Axes, values: ArrayLike, *, signed: bool = False, title: str = "") -> None:
    """An image in grey, or a `signed` map with 0 in the middle of the colours, which says so if it is 0 everywhere."""
    values = np.asarray(values)
    axes.set(xticks=[], yticks=[], frame_on=False)
    if title:
        axes.set_title(title, fontsize=15)
    if not signed:
        axes.imshow(values, cmap="gray")
        return
    finite = np.isfinite(values)
    limit = np.abs(values[finite]).max(initial=0.0)
    axes.imshow(values, cmap="PuOr", vmin=-limit or -1.0, vmax=limit or 1.0)
    if not finite.all():
        say(axes, "NaN or infinite")
    elif limit == 0:
        say(axes, "zero\neverywhere")


def width_axis(axes: Axes, widths: Iterable[int]) -> None:
    """A logarithmic axis of hidden units, with the widths that fit."""
    axes.set_xscale("log", base=2)
    axes.set_xticks([width for width in sorted(set(widths)) if width in (1, 2, 4, 8, 16, 24, 32, 64)], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("hidden units")


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


def legend(drawing: Figure, axes: Iterable[Axes], **options: int) -> None:
    """One legend above all panels, of what is in any of them, in the order in which it was drawn."""
    found = {label: handle for each in axes for handle, label in zip(*each.get_legend_handles_labels(), strict=True)}
    if found:
        usual = {"ncols": 6, "fontsize": 15}
        drawing.legend(found.values(), found.keys(), loc="outside upper center", **usual | options)
