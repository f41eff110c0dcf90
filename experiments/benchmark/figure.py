"""The figure: time of a network and epoch against width, one line a system, over what the machine allows."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.ticker import LogLocator

from experiments.benchmark.measure import Row, flops_an_epoch
from experiments.benchmark.peers import SYSTEMS
from experiments.style import COLOURS, MARKERS, panels, save, style


def draw(
    rows: Sequence[Row], images: int, inputs: int, peak: float, bandwidth: float, threads: int, folder: Path
) -> Path:
    """Draw ``figures/training.png``, a panel for each number of networks.

    Parameters
    ----------
    rows
        Of all widths and systems.
    images, inputs
        How many images an epoch has, of how many bytes each.
    peak, bandwidth
        FLOP/s of a large sgemm, bytes/s of a large copy: the two roofs.
    threads
        How many every system had.
    folder
        The results folder.
    """
    networks = sorted({row.networks for row in rows})
    widths = sorted({row.width for row in rows})
    with style():
        drawing, grid = panels(1, len(networks), panel=(8.0, 6.5), sharey=True)
        for axes, number in zip(grid[0], networks, strict=True):
            for k, system in enumerate(SYSTEMS):
                mine = [row for row in rows if (row.networks, row.system) == (number, system)]
                if not mine:
                    continue
                median, lowest, highest = np.array([row.milliseconds for row in mine]).T
                axes.errorbar(
                    [row.width for row in mine],
                    median,
                    [median - lowest, highest - median],
                    color=COLOURS[k % len(COLOURS)],
                    marker=MARKERS[k % len(MARKERS)],
                    linewidth=4 if k == 0 else 2,
                    capsize=3,
                    elinewidth=1.5,
                    zorder=3 if k == 0 else 2,
                    label=system,
                )
            roof = [1e3 * flops_an_epoch(width, inputs, images) / peak for width in widths]
            axes.plot(widths, roof, color="black", linewidth=1.5, linestyle="--", label="the products at sgemm's peak")
            memory = 1e3 * images * inputs / bandwidth
            axes.plot(
                widths,
                [memory] * len(widths),
                color="black",
                linewidth=1.5,
                linestyle=":",
                label="reading the images once",
            )
            axes.set_xscale("log", base=2)
            axes.set_yscale("log")
            axes.set_xticks(widths, minor=False)
            axes.xaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.set(xlabel="hidden units", title=f"{number} network{'s' * (number > 1)}")
        grid[0, 0].set_ylabel("milliseconds per network and epoch")
        # The last panel has all systems; an error bar's handle would come after the lines'.
        handles = dict(zip(*reversed(grid[0, -1].get_legend_handles_labels()), strict=True))
        order = [*(name for name in SYSTEMS if name in handles), *(name for name in handles if name not in SYSTEMS)]
        drawing.legend([handles[name] for name in order], order, loc="outside right upper")
        caption = (
            f"Time to train a network for an epoch on the {images:,} images of 4 and 9 in MNIST, against its width; "
            f"{threads} threads for every system, batches of 64, float32. Markers: the median of interleaved rounds; "
            "bars: the fastest and the slowest. Dashed: the multiply-adds of the three products at the speed of a "
            f"large sgemm ({peak / 1e9:.0f} GFLOP/s). Dotted: the bytes of the images at the speed of a large copy "
            f"({bandwidth / 1e9:.1f} GB/s)."
        )
        return save(drawing, folder / "figures" / "training.png", caption).path
