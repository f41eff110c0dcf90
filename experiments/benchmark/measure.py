"""How things are measured: in turn, so that what disturbs the machine disturbs all, and with their spread."""

import csv
import dataclasses
import io
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class Spread(NamedTuple):
    """The median of some measurements, the smallest and the largest."""

    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: NDArray[np.floating]) -> "Spread":
        """The spread of `values`."""
        return cls(float(np.median(values)), float(values.min()), float(values.max()))

    def text(self, decimals: int) -> str:
        """``median [lowest, highest]``."""
        return f"{self.median:.{decimals}f} [{self.lowest:.{decimals}f}, {self.highest:.{decimals}f}]"


@dataclass(frozen=True)
class Row:
    """One system at one width: milliseconds per network and epoch, and their ratio to npnet's in the same round."""

    networks: int
    width: int
    system: str
    form: str
    milliseconds: Spread
    ratio: Spread
    gflops: float
    share_of_peak: float
    loss: float
    compile_seconds: float
    megabytes: float | None = None

    def record(self) -> dict[str, object]:
        """The row of the CSV file."""
        record: dict[str, object] = {}
        for name, value in ((field.name, getattr(self, field.name)) for field in dataclasses.fields(self)):
            if isinstance(value, Spread):
                record |= {name: value.median, f"lowest_{name}": value.lowest, f"highest_{name}": value.highest}
            else:
                record[name] = value
        return record


def seconds(function: Callable[[], object]) -> float:
    """How long a call takes."""
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def interleaved(functions: Sequence[Callable[[], object]], rounds: int, pause: float = 0.0) -> NDArray[np.float64]:
    """Seconds of each call, (rounds, functions).

    In each round all functions run in turn, and each round begins with another one. `pause` seconds before a call let
    the threads of the one before, which may still be spinning in wait for work, fall asleep.
    """
    found = np.empty((rounds, len(functions)))
    for number, row in enumerate(found):
        for column in np.roll(np.arange(len(functions)), -number):
            time.sleep(pause)
            row[column] = seconds(functions[int(column)])
    return found


def flops_an_epoch(hidden: int, inputs: int, images: int) -> int:
    """Floating-point operations of the three products for all images, two for each multiply-add.

    Forward and gradient: images x (inputs x hidden + hidden x 1) each; backward by the last layer: images x hidden.
    """
    return 2 * images * (2 * (inputs * hidden + hidden) + hidden)


def sgemm_peak(threads: int, size: int = 2048, repeats: int = 10) -> float:
    """FLOP/s of a large float32 matrix product of NumPy's BLAS, the best of `repeats`.

    Each thread multiplies its share of the rows; BLAS itself runs on one thread each, as the command line sets it.
    """
    rng = np.random.default_rng(0)
    a, b = (rng.standard_normal((size, size), dtype=np.float32) for _ in range(2))
    product = np.empty_like(a)
    blocks = list(zip(np.array_split(a, threads), np.array_split(product, threads), strict=True))
    with ThreadPoolExecutor(threads) as executor:

        def multiply() -> None:
            list(executor.map(lambda block: np.matmul(block[0], b, out=block[1]), blocks))

        multiply()
        return 2 * size**3 / min(seconds(multiply) for _ in range(repeats))


def copy_bandwidth(threads: int, size: int = 1 << 28, repeats: int = 5) -> float:
    """Bytes/s that a copy of `size` bytes reads and writes (so 2 `size` bytes move), the best of `repeats`."""
    source = np.ones(size, dtype=np.uint8)
    blocks = list(zip(np.array_split(np.zeros_like(source), threads), np.array_split(source, threads), strict=True))
    with ThreadPoolExecutor(threads) as executor:

        def copy() -> None:
            list(executor.map(lambda block: np.copyto(*block), blocks))

        copy()
        return 2 * size / min(seconds(copy) for _ in range(repeats))


def as_csv(rows: Sequence[Mapping[str, object]]) -> bytes:
    """Rows as a CSV file; the keys of the first are its header, floats have five digits."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: f"{value:.5g}" if isinstance(value, float) else value for key, value in row.items()})
    return text.getvalue().encode()
