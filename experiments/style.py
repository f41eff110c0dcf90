"""How all figures look: colours that the colour-blind can tell apart, text that is legible at half size.

Figures are made without pyplot, so there is no display, no window and no global list of figures.
"""

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib.style
from cycler import cycler
from matplotlib.figure import Figure
from numpy.typing import NDArray

from experiments.page import Drawn
from experiments.store import write_atomically

# M. Okabe and K. Ito, "Color Universal Design" (2008), without the yellow that is lost on white.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
# What has a colour has a marker as well.
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

Drawing = tuple[Figure, str]  # a figure and its caption

_DPI, _PADDING = 120, 0.1  # dots an inch, and inches around the image
_STYLE: dict[str, Any] = {
    "axes.prop_cycle": cycler(color=COLOURS),
    "axes.spines.right": False,
    "axes.spines.top": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "font.size": 15,
    "image.cmap": "cividis",
    "legend.frameon": False,
    "lines.linewidth": 2.5,
    "lines.markersize": 8,
}


@contextmanager
def style() -> Iterator[None]:
    """Inside ``with``, figures look as they all do: they are drawn and saved there."""
    # From Matplotlib's own defaults, so that a user's matplotlibrc does not change the figures.
    with matplotlib.style.context(["default", _STYLE]):
        yield


def panels(
    rows: int = 1, columns: int = 1, *, panel: tuple[float, float] = (6.0, 4.5), **subplots: Any
) -> tuple[Figure, NDArray[Any]]:
    """A figure and its axes, of shape (rows, columns), to draw on.

    Parameters
    ----------
    rows, columns
        How many panels.
    panel
        Width and height of a panel in inches.
    **subplots
        For `matplotlib.figure.Figure.subplots`, such as ``sharey=True``.
    """
    width, height = panel
    drawing = Figure(figsize=(columns * width, rows * height), layout="constrained")
    axes: NDArray[Any] = drawing.subplots(rows, columns, squeeze=False, **subplots)
    return drawing, axes


def save(drawing: Figure, path: Path, caption: str) -> Drawn:
    """Write a figure as PNG; equal figures, equal bytes.

    Parameters
    ----------
    drawing
        A figure from `panels`.
    path
        Of the file.
    caption
        What the figure shows and over how many samples; it is the file's description, and stands beside it on a page.

    Returns
    -------
    Drawn
        Where it is, and its caption.

    Raises
    ------
    StoreError
        If the file cannot be written.
    """
    png = io.BytesIO()
    metadata = {"Software": None, "Description": caption}
    drawing.savefig(png, format="png", dpi=_DPI, bbox_inches="tight", pad_inches=_PADDING, metadata=metadata)
    write_atomically(path, png.getvalue())
    return Drawn(path, caption)
