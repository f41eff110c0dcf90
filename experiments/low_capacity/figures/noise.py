"""4v9 under noise and occlusion."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.figures.axes import line, seeds, width_axis
from experiments.low_capacity.protocol import ARMS, AS_RELEASED, Task
from experiments.low_capacity.published import (
    GAUSSIAN_F1,
    NOISE_PAIR,
    NOISE_WIDTHS,
    OCCLUSION_F1,
    PATCH,
    SIGMAS,
)
from experiments.low_capacity.results import Results
from experiments.page import Drawn
from experiments.style import COLOURS, figure, save
from npnet.data.corruptions import gaussian_noise, occlude


def corruptions(example: Task, folder: Path) -> Drawn:
    """What the corruptions look like, on one image of each digit."""
    test = example.test
    images = np.stack([test.images[np.flatnonzero(test.labels == label)[0]] for label in (0, 1)])
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


def gaussian(results: Results, folder: Path) -> Drawn:
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
                line(grid[0, column], [0, *SIGMAS], f1, number, f"h{width}")
                line(grid[1, column], [0, *SIGMAS], lost, number, f"h{width}")
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
            f"clean F1 of the same network. Mean and standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "gaussian_noise.png", caption)


def occlusion(results: Results, folder: Path) -> Drawn:
    """F1 on 4v9 against width, clean and with a patch of zeros."""
    with figure(1, 2, panel=(7.0, 5.0), sharey=True) as (drawing, grid):
        for axes, arm in zip(grid[0], ARMS, strict=True):
            clean = [results.scores(arm, NOISE_PAIR, width) for width in results.widths]
            patched = [results.scores(arm, NOISE_PAIR, width, "occlusion", PATCH) for width in results.widths]
            line(axes, results.widths, clean, 0, "clean")
            line(axes, results.widths, patched, 1, f"{PATCH} x {PATCH} patch of zeros")
            axes.set_title(f"4v9, {arm}")
            width_axis(axes, results.widths)
        grid[0, 0].plot(list(OCCLUSION_F1), list(OCCLUSION_F1.values()), "kx", markeredgewidth=2.5, label="published")
        grid[0, 0].set_ylabel("F1")
        grid[0, 0].legend(loc="lower right", fontsize=13)
        caption = (
            "4v9 with one patch of zeros at a random place in each image, without retraining, against width; mean and "
            f"standard deviation over seeds. {seeds(results)}."
        )
        return save(drawing, folder, "occlusion.png", caption)
