"""A pruned network against the dense one: inference, and training under the mask.

A 784-300-100-10 network is trained on MNIST for an epoch and loses its smallest weights, all layers ranked together.
Inference is `npnet.fast.forward` with the weights before and after. Retraining is an epoch of `npnet.train` under the
mask, by the dense path and by the one that npnet chooses. All on one thread.
"""

import argparse
from typing import Any

import numpy as np
from numpy.typing import NDArray

import npnet
from experiments.benchmark.measure import Spread, as_csv, interleaved
from experiments.store import write_atomically
from npnet.fast import Training, forward
from npnet.fast.paths import DENSE

NET = npnet.MLP((784, 300, 100, 10), loss="softmax")
SPARSITIES = (0.5, 0.8, 0.9, 0.95, 0.98)
ROUNDS, QUICK_ROUNDS = 7, 2
IMAGES, QUICK_IMAGES = 60_000, 6_000

Array = NDArray[Any]


def main(args: argparse.Namespace) -> None:
    """Print a row for each sparsity and write ``pruned.csv``."""
    data = npnet.load("mnist", args.data)
    images, rounds = (QUICK_IMAGES, QUICK_ROUNDS) if args.quick else (IMAGES, ROUNDS)
    x, y = data.train_images[:images], data.train_labels[:images]
    theta = epoch(NET.init(np.random.default_rng(0)), np.ones(NET.size, dtype=np.bool_), x, y).theta
    print(
        f"784-300-100-10, float32, one thread; inference on {len(data.test_images)} images, an epoch of retraining on "
        f"{len(x)}, batches of 64.\nratio: dense time / pruned time, the median of {rounds} interleaved rounds "
        "[smallest, largest]\n"
    )
    header = f"{'sparsity':>8}{'inference, ms':>15}{'ratio':>20}{'an epoch, ms':>15}{'ratio':>20}  path"
    print(header + "\n" + "-" * (len(header) + 10))
    rows = []
    for sparsity in SPARSITIES:
        mask = npnet.prune(NET, npnet.magnitude(NET, theta), sparsity)
        times, path = compare(theta, mask, x, y, data.test_images, rounds)
        inference, retraining = times[:, 0] / times[:, 1], times[:, 2] / times[:, 3]
        row = {"sparsity": sparsity, "path": path}
        for name, ratio, column in (("inference", inference, 1), ("retraining", retraining, 3)):
            spread = Spread.of(ratio)
            row |= {f"{name}_ms": 1e3 * float(np.median(times[:, column])), f"{name}_ratio": spread.median}
            row |= {f"lowest_{name}_ratio": spread.lowest, f"highest_{name}_ratio": spread.highest}
        print(
            f"{sparsity:>8.0%}{row['inference_ms']:>15.1f}{Spread.of(inference).text(2):>20}"
            f"{row['retraining_ms']:>15.0f}{Spread.of(retraining).text(2):>20}  {path}",
            flush=True,
        )
        rows.append(row)
    write_atomically(args.out / "pruned.csv", as_csv(rows))


def epoch(theta: Array, mask: NDArray[np.bool_], x: Array, y: Array, path: str | None = None) -> Training:
    """One epoch of SGD under the mask."""
    sgd = npnet.SGD(epochs=1, learning_rate=0.1, batch_size=64, path=path)
    return npnet.train(NET, theta, x, y, sgd, mask=mask, rng=np.random.default_rng(1))


def compare(
    theta: Array, mask: NDArray[np.bool_], x: Array, y: Array, tested: Array, rounds: int
) -> tuple[NDArray[np.float64], str]:
    """Seconds (rounds, 4) of inference, dense and pruned, and of an epoch, dense and chosen; and the chosen path.

    Both epochs must end at one loss, and both ways to ask the pruned network at the same logits.
    """
    pruned = npnet.apply_mask(theta, mask)
    chosen = epoch(pruned, mask, x, y)
    dense = epoch(pruned, mask, x, y, DENSE)
    np.testing.assert_allclose(chosen.history[0]["train_loss"], dense.history[0]["train_loss"], rtol=1e-3)
    # One example at a time is never worth a layout: these logits come from the dense product.
    single = [forward(NET, pruned, image[None])[0] for image in tested[:20]]
    np.testing.assert_allclose(forward(NET, pruned, tested)[:20], single, rtol=1e-3, atol=1e-3)
    functions = [
        lambda: forward(NET, theta, tested),
        lambda: forward(NET, pruned, tested),
        lambda: epoch(pruned, mask, x, y, DENSE),
        lambda: epoch(pruned, mask, x, y),
    ]
    return interleaved(functions, rounds), chosen.path
