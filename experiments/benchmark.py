"""How fast the kernels are, measured against NumPy's BLAS on one thread in the same run."""

import argparse
import os
import time
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError
from npnet.kernels.matmul import abt, add_atb

INPUTS = 784
BATCHES = (32, 64, 128)
OUTPUTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 32, 64, 128)
ROUNDS, SECONDS = 15, 0.004

Matrix = NDArray[np.floating]
Product = tuple[Callable[[], object], Callable[[], object]]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The one thing to measure so far."""
    parser.add_argument("what", choices=["kernels"], help="kernels: the three matrix products of backprop")


def main(args: argparse.Namespace) -> None:
    """Print the table of the three matrix products."""
    threads = os.environ["OPENBLAS_NUM_THREADS"]
    if threads != "1":
        raise ArgumentError(f"OPENBLAS_NUM_THREADS is {threads}, expected 1 or unset, to compare one thread with one")
    print(
        f"float32, {INPUTS} inputs, one thread; GFLOP/s, the median of {ROUNDS} interleaved rounds; ratio: ours / BLAS,"
    )
    print("the median of the rounds' ratios [smallest, largest]\n")
    header = f"{'product':<24}{'batch':>6}{'outputs':>9}{'ours':>8}{'BLAS':>8}{'ratio':>8}"
    print(header + "\n" + "-" * (len(header) + 14))
    for batch in BATCHES:
        for outputs in OUTPUTS:
            flops = 2e-9 * batch * outputs * INPUTS
            for name, (ours, blas) in products(batch, outputs, np.random.default_rng(0)).items():
                seconds = interleaved(ours, blas)
                ratios = seconds[:, 1] / seconds[:, 0]
                speeds = flops / np.median(seconds, axis=0)
                print(
                    f"{name:<24}{batch:>6}{outputs:>9}{speeds[0]:>8.1f}{speeds[1]:>8.1f}{np.median(ratios):>8.2f}"
                    f"  [{ratios.min():.2f}, {ratios.max():.2f}]"
                )


def products(batch: int, outputs: int, rng: np.random.Generator) -> dict[str, Product]:
    """The three products on random matrices, as pairs (ours, BLAS), checked to agree."""

    def matrix(rows: int, columns: int) -> Matrix:
        return rng.standard_normal((rows, columns), dtype=np.float32)

    x, w, delta = matrix(batch, INPUTS), matrix(outputs, INPUTS), matrix(batch, outputs)
    z, dw, below = matrix(batch, outputs), np.zeros_like(w), np.zeros_like(x)
    pairs: dict[str, Product] = {
        "forward   z = x Wᵀ": (lambda: abt(x, w, z), lambda: np.matmul(x, w.T, out=z)),
        "gradient  dW = deltaᵀ x": (lambda: add_atb(delta, x, dw), lambda: np.matmul(delta.T, x, out=dw)),
        "backward  delta W": (lambda: add_atb(delta.T, w, below), lambda: np.matmul(delta, w, out=below)),
    }
    for (ours, blas), out in zip(pairs.values(), (z, dw, below), strict=True):
        out[:] = 0
        ours()
        computed = out.copy()
        blas()
        np.testing.assert_allclose(computed, out, rtol=1e-3, atol=1e-3)
    return pairs


def interleaved(first: Callable[[], object], second: Callable[[], object]) -> NDArray[np.float64]:
    """Seconds a call, (ROUNDS, 2): in each round both functions run in turn, for about SECONDS each."""
    start = time.perf_counter()
    second()
    repeats = max(1, int(SECONDS / max(time.perf_counter() - start, 1e-7)))
    seconds = np.empty((ROUNDS, 2))
    for row in seconds:
        for column, function in enumerate((first, second)):
            start = time.perf_counter()
            for _ in range(repeats):
                function()
            row[column] = (time.perf_counter() - start) / repeats
    return seconds
