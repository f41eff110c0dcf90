"""How the cost of training grows with networks, epochs and images, and the peak memory of the main job.

Networks of 16 hidden units on 4 and 9 of MNIST, batches of 64, as many at a time as there are threads. One number
grows over two decades while the other two stay.
"""

import argparse
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

import npnet
from experiments.benchmark.job import four_or_nine
from experiments.benchmark.measure import as_csv, interleaved
from experiments.store import write_atomically
from experiments.style import COLOURS, panels, save, style

HIDDEN, BATCH, RATE = 16, 64, 0.1
ROUNDS, QUICK_ROUNDS = 5, 1
_ROOT = Path(__file__).resolve().parents[2]


class Size(NamedTuple):
    """How much is trained."""

    networks: int
    epochs: int
    images: int


SERIES = {
    "networks": [Size(networks, 5, 2000) for networks in (2, 6, 20, 60, 200)],
    "epochs": [Size(2, epochs, 10_000) for epochs in (2, 6, 20, 60, 200)],
    "images": [Size(2, 20, images) for images in (100, 300, 1000, 3000, 10_000)],
}


def main(args: argparse.Namespace) -> None:
    """Print the lines and the memory, write ``scaling.csv`` and the figure."""
    images, labels = four_or_nine(args.data)
    rounds = QUICK_ROUNDS if args.quick else ROUNDS
    times, rows = {}, []
    with ThreadPoolExecutor(args.threads) as executor:
        for name, sizes in SERIES.items():
            functions = [lambda size=size: train(size, images, labels, executor) for size in sizes]
            interleaved(functions[:1], 1)
            times[name] = interleaved(functions, rounds)
            for size, seconds in zip(sizes, times[name].T, strict=True):
                rows.append({"varied": name} | size._asdict() | {"seconds": float(np.median(seconds))})
    print(f"hidden units {HIDDEN}, batches of {BATCH}, {args.threads} threads; seconds, the median of {rounds} rounds")
    for name, sizes in SERIES.items():
        median = np.median(times[name], axis=0)
        values = [getattr(size, name) for size in sizes]
        line = ", ".join(f"{value}: {seconds:.3f}" for value, seconds in zip(values, median, strict=True))
        fixed, each = straight_line(values, median)
        off = np.abs(median / (fixed + each * np.array(values)) - 1).max()
        print(f"{name:>9}: {line}; {1e3 * fixed:.2g} ms + {1e3 * each:.3g} ms each, to {off:.0%}")
    write_atomically(args.out / "scaling.csv", as_csv(rows))
    path = draw(times, args.threads, args.out)
    memory = main_job_memory(args.quick, args.data)
    print(f"peak memory of the main job{' --quick' * args.quick}: {memory:.0f} MB")
    print(f"{args.out}/scaling.csv, {path}")


def train(size: Size, images: NDArray[np.uint8], labels: NDArray[np.uint8], executor: ThreadPoolExecutor) -> None:
    """Train `size.networks` networks, each by itself."""
    net = npnet.MLP((images.shape[1], HIDDEN, 1))
    # Evenly spaced, for in the file one digit follows the other.
    rows = np.linspace(0, len(images) - 1, size.images).astype(int)
    x, y = images[rows], labels[rows]

    def one(seed: int) -> None:
        rng = np.random.default_rng(seed)
        npnet.train(net, net.init(rng), x, y, epochs=size.epochs, learning_rate=RATE, batch_size=BATCH, rng=rng)

    list(executor.map(one, range(size.networks)))


def straight_line(values: Sequence[int], seconds: NDArray[np.floating]) -> tuple[float, float]:
    """Seconds at none and for each one more: the line with the least squares of the relative errors."""
    x = np.array(values, dtype=np.float64)
    weighted = np.stack([1 / seconds, x / seconds], axis=1)
    fixed, each = np.linalg.lstsq(weighted, np.ones(len(x)))[0]
    return float(fixed), float(each)


def main_job_memory(quick: bool, data: Path | None) -> float:
    """Megabytes (10⁶ bytes) that the process of ``python -m experiments low_capacity`` never exceeds."""
    with tempfile.TemporaryDirectory() as out:
        arguments = [
            "low_capacity",
            "--out",
            out,
            *["--quick"] * quick,
            *(["--data", str(data.resolve())] if data else []),
        ]
        code = (
            "import contextlib, io\n"
            "from experiments.__main__ import main\n"
            "from experiments.benchmark.memory import resident_peak\n"
            "with contextlib.redirect_stdout(io.StringIO()):\n"
            f"    status = main({arguments!r})\n"
            "print(resident_peak() / 1e6 if status == 0 else status)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], cwd=_ROOT, capture_output=True, text=True, check=True)
    return float(done.stdout)


def draw(times: dict[str, NDArray[np.float64]], threads: int, folder: Path) -> Path:
    """Draw ``figures/scaling.png``: a panel for each of SERIES."""
    with style():
        drawing, grid = panels(1, len(SERIES), panel=(5.0, 4.5))
        for axes, (name, sizes) in zip(grid[0], SERIES.items(), strict=True):
            values = np.array([getattr(size, name) for size in sizes])
            median = np.median(times[name], axis=0)
            spread = [median - times[name].min(axis=0), times[name].max(axis=0) - median]
            fixed, each = straight_line(values.tolist(), median)
            line = np.geomspace(values[0], values[-1])
            axes.plot(line, fixed + each * line, color="black", linestyle="--", label="straight line")
            axes.errorbar(values, median, spread, color=COLOURS[0], marker="o", capsize=3, label="measured")
            axes.set(xscale="log", yscale="log", xlabel=name)
            axes.set_title(f"{1e3 * fixed:.2g} ms + {1e3 * each:.3g} ms each")
        grid[0, 0].set_ylabel("seconds")
        grid[0, 0].legend()
        others = "; ".join(
            f"{name} with " + " and ".join(f"{v} {k}" for k, v in sizes[0]._asdict().items() if k != name)
            for name, sizes in SERIES.items()
        )
        caption = (
            f"Time to train networks of {HIDDEN} hidden units on 4 and 9 of MNIST in batches of {BATCH}, {threads} "
            f"at a time: {others}. Markers: the median of {len(times['networks'])} interleaved rounds; bars: the "
            "fastest and the slowest. Dashed: the straight line nearest to them, a fixed time and one for each."
        )
        return save(drawing, folder / "figures" / "scaling.png", caption).path
