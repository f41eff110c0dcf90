"""The three matrix products of backprop, measured against NumPy's BLAS on one thread."""

import argparse
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from experiments.benchmark.measure import Spread, as_csv, interleaved, seconds
from experiments.store import write_atomically
from npnet.fast.layouts import aligned
from npnet.kernels.matmul import abt, add_atb

INPUTS = 784
BATCHES, QUICK_BATCHES = (32, 64, 128), (64,)
OUTPUTS, QUICK_OUTPUTS = (1, 2, 3, 4, 6, 8, 10, 12, 16, 32, 64, 128), (2, 8, 32, 128)
ROUNDS, SECONDS = 15, 0.004

Matrix = NDArray[np.floating]
Product = tuple[Callable[[], object], Callable[[], object]]


def main(args: argparse.Namespace) -> None:
    """Print the table of the three matrix products, and write it to ``kernels.csv``."""
    print(
        f"float32, {INPUTS} inputs, one thread; GFLOP/s, the median of {ROUNDS} interleaved rounds; ratio: ours / BLAS,"
    )
    print("the median of the rounds' ratios [smallest, largest]\n")
    header = f"{'product':<24}{'batch':>6}{'outputs':>9}{'ours':>8}{'BLAS':>8}{'ratio':>8}"
    print(header + "\n" + "-" * (len(header) + 14))
    rows: list[dict[str, object]] = []
    for batch in QUICK_BATCHES if args.quick else BATCHES:
        for outputs in QUICK_OUTPUTS if args.quick else OUTPUTS:
            flops = 2e-9 * batch * outputs * INPUTS
            for name, (ours, blas) in products(batch, outputs, np.random.default_rng(0)).items():
                times = in_turn(ours, blas)
                ratio = Spread.of(times[:, 1] / times[:, 0])
                speeds = flops / np.median(times, axis=0)
                print(f"{name:<24}{batch:>6}{outputs:>9}{speeds[0]:>8.1f}{speeds[1]:>8.1f}{ratio.median:>8.2f}", end="")
                print(f"  [{ratio.lowest:.2f}, {ratio.highest:.2f}]", flush=True)
                rows.append(
                    {"product": name.split()[0], "batch": batch, "outputs": outputs}
                    | {"gflops": float(speeds[0]), "blas_gflops": float(speeds[1])}
                    | {"ratio": ratio.median, "lowest_ratio": ratio.lowest, "highest_ratio": ratio.highest}
                )
    write_atomically(args.out / "kernels.csv", as_csv(rows))


def products(batch: int, outputs: int, rng: np.random.Generator) -> dict[str, Product]:
    """The three products on random matrices, as pairs (ours, BLAS), checked to agree."""

    def matrix(rows: int, columns: int) -> Matrix:
        # In memory as npnet's own arrays are; BLAS copies its arguments in any case.
        array = aligned((rows, columns), np.float32)
        rng.standard_normal(out=array, dtype=np.float32)
        return array

    x, w, delta = matrix(batch, INPUTS), matrix(outputs, INPUTS), matrix(batch, outputs)
    z, dw, below = matrix(batch, outputs), matrix(outputs, INPUTS), matrix(batch, INPUTS)
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


def in_turn(first: Callable[[], object], second: Callable[[], object]) -> NDArray[np.float64]:
    """Seconds a call, (ROUNDS, 2): in each round both functions run in turn, for about SECONDS each."""
    repeats = max(1, int(SECONDS / max(seconds(second), 1e-7)))

    def repeated(function: Callable[[], object]) -> Callable[[], object]:
        def run() -> None:
            for _ in range(repeats):
                function()

        return run

    return interleaved([repeated(first), repeated(second)], ROUNDS) / repeats
