"""What the figures of the study share: a line with its spread over seeds, the axis of widths, the sample size."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from experiments.claims import deviation
from experiments.low_capacity.protocol import AS_RELEASED, CORRECTED
from experiments.low_capacity.results import Results
from experiments.style import COLOURS, MARKERS


def seeds(results: Results) -> str:
    """The sample size, for a caption."""
    return f"Seeds: {results.seeds(AS_RELEASED)} as released, {results.seeds(CORRECTED)} corrected"


def line(axes: Axes, x: Sequence[float], samples: Sequence[NDArray[np.float64]], number: int, label: str) -> None:
    """A line through the means over seeds, with a band of one standard deviation."""
    means = np.array([values.mean() for values in samples])
    spread = np.array([deviation(values) for values in samples])
    colour = COLOURS[number % len(COLOURS)]
    axes.plot(x, means, color=colour, marker=MARKERS[number % len(MARKERS)], label=label)
    axes.fill_between(x, means - spread, means + spread, color=colour, alpha=0.15, linewidth=0)


def width_axis(axes: Axes, widths: Sequence[int]) -> None:
    """A logarithmic axis with the widths that fit."""
    axes.set_xscale("log", base=2)
    axes.set_xticks([w for w in widths if w in (2, 4, 8, 16, 24, 32, 64)], minor=False)
    axes.set_xticks([], minor=True)
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("hidden units")
