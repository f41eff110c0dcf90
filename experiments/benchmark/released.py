"""The as-released arm of the low-capacity study against a loop in plain NumPy, and against how its author trains.

165 networks of 11 widths on 5 pairs of digits with 3 seeds, 100 steps on all images. npnet trains the 11 widths of a
pair and seed together and computes the F1 after each epoch, as the study does. The loop trains each network by itself
and computes no metric. Both train as many at a time as there are threads, with BLAS on one.

The author's program trains one network after the other in float64, with BLAS on all threads, and asks scikit-learn for
four metrics in each epoch. That takes so long that it is measured on the first networks only.
"""

import argparse
import functools
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

import npnet
from experiments.benchmark.measure import Spread, as_csv, interleaved, seconds
from experiments.low_capacity.networks import (
    AS_RELEASED,
    DEFAULT,
    QUICK,
    Scale,
    Trial,
    initial_theta,
    network,
    task,
    train_group,
    trained,
)
from experiments.low_capacity.published import EPOCHS, RATE, SEEDS
from experiments.store import write_atomically
from npnet.data.datasets import Dataset

Array = NDArray[Any]
TOLERANCE = 1e-3


def main(args: argparse.Namespace) -> None:
    """Print the time of both and their ratio, and write ``released.csv``."""
    data = npnet.load("mnist", args.data)
    wanted = trials(QUICK if args.quick else DEFAULT)
    groups = [list(group) for _, group in groupby(sorted(wanted, key=train_group), key=train_group)]
    print(
        f"{len(wanted)} networks, full batches, {EPOCHS} steps, float32, {args.threads} at a time; seconds for all, "
        "and NumPy's time / npnet's: of the sums, [smallest, largest] of the rounds"
    )
    times = []
    with ThreadPoolExecutor(args.threads) as executor:
        npnet_trained(groups[0], data)  # Compiles.
        for start in range(0, len(groups), args.threads):
            together = groups[start : start + args.threads]
            found: dict[str, list[Array]] = {}

            def ours(together: list[list[Trial]] = together, found: dict[str, list[Array]] = found) -> None:
                found["npnet"] = [
                    theta
                    for thetas in executor.map(lambda group: npnet_trained(group, data), together)
                    for theta in thetas
                ]

            def numpys(together: list[list[Trial]] = together, found: dict[str, list[Array]] = found) -> None:
                each = [trial for group in together for trial in group]
                found["NumPy"] = list(executor.map(lambda trial: numpy_trained(trial, data), each))

            times.append(interleaved([ours, numpys], 1)[0])
            for theta, other in zip(found["npnet"], found["NumPy"], strict=True):
                np.testing.assert_allclose(theta, other, rtol=TOLERANCE, atol=TOLERANCE)
    both = np.array(times)
    total = both.sum(axis=0)
    ratio = Spread.of(both[:, 1] / both[:, 0])
    print(
        f"npnet {total[0]:.1f} s, NumPy {total[1]:.1f} s, ratio {total[1] / total[0]:.2f} "
        f"[{ratio.lowest:.2f}, {ratio.highest:.2f}]; all end with the same parameters to {TOLERANCE:g}"
    )
    rows = [{"round": k, "npnet_s": float(a), "numpy_s": float(b)} for k, (a, b) in enumerate(both)]
    write_atomically(args.out / "released.csv", as_csv(rows))
    if importlib.util.find_spec("sklearn") and importlib.util.find_spec("threadpoolctl"):
        against_the_author(groups[0], data, args.threads, float(total[0]) / len(wanted))
    else:
        print("as the author trains: needs scikit-learn and threadpoolctl: pip install -e '.[bench]'")


def trials(scale: Scale) -> list[Trial]:
    """The networks of the paper, as released."""
    return [
        Trial(AS_RELEASED, *pair, width, seed, "", RATE)
        for pair in scale.pairs
        for width in scale.widths
        for seed in SEEDS
    ]


def against_the_author(group: list[Trial], data: Dataset, threads: int, ours: float) -> None:
    """Print what a training takes as the author's program does it, in seconds, and its ratio to npnet's."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(threads, "blas"):
        times = np.array([seconds(functools.partial(authors_trained, trial, data)) for trial in group])
    for trial in group[:1]:
        thetas = authors_trained(trial, data), npnet_trained([trial], data)[0]
        np.testing.assert_allclose(*thetas, rtol=TOLERANCE, atol=TOLERANCE)
    print(
        f"as the author trains: {Spread.of(times).text(2)} s a training ({len(times)} of them, one after the other, "
        f"BLAS on {threads} threads), npnet {ours:.3f} s: ratio of the means {times.mean() / ours:.1f}"
    )


def npnet_trained(group: list[Trial], data: Dataset) -> list[Array]:
    """Parameters of the networks of one `train_group`, trained as the study does, with the F1 of each epoch."""
    return [training.theta for training in trained(group, task(group[0].arm, group[0].pair, group[0].seed, data))]


def numpy_trained(trial: Trial, data: Dataset) -> Array:
    """Parameters of one network after full-batch gradient descent in NumPy, into arrays made beforehand."""
    examples = task(trial.arm, trial.pair, trial.seed, data)
    net = network(trial, examples)
    theta = initial_theta(trial, net)
    (w1, b1), (w2, b2) = net.unpack(theta)
    assert b1 is not None
    assert b2 is not None
    n = len(examples.training.labels)
    x = examples.training.images.reshape(n, -1) * np.float32(1 / 255)
    y = examples.training.labels.astype(np.float32)[:, None]
    a, below, gradient = (
        np.empty((n, trial.width), np.float32),
        np.empty((n, trial.width), np.float32),
        np.empty_like(w1),
    )
    for _ in range(EPOCHS):
        np.matmul(x, w1.T, out=a)
        a += b1
        np.maximum(a, 0, out=a)
        logits = a @ w2.T + b2
        delta = (1 / (1 + np.exp(-logits)) - y) * np.float32(RATE / n)
        np.multiply(delta, w2, out=below)
        below *= a > 0
        w2 -= delta.T @ a
        b2 -= delta.sum()
        np.matmul(below.T, x, out=gradient)
        w1 -= gradient
        b1 -= below.sum(axis=0)
    return theta


def authors_trained(trial: Trial, data: Dataset) -> Array:
    """Parameters of one network after the same descent in float64, with the metrics of every epoch by scikit-learn."""
    from sklearn.metrics import f1_score, precision_score, recall_score, roc_auc_score

    examples = task(trial.arm, trial.pair, trial.seed, data)
    net = network(trial, examples)
    theta = initial_theta(trial, net).astype(np.float64)
    (w1, b1), (w2, b2) = net.unpack(theta)
    assert b1 is not None
    assert b2 is not None
    n = len(examples.training.labels)
    x = examples.training.images.reshape(n, -1) / np.float32(255)  # The author's images are float32.
    labels = examples.training.labels.astype(np.int64)
    history = []
    for _ in range(EPOCHS):
        z = x @ w1.T + b1
        a = np.maximum(z, 0)
        p = 1 / (1 + np.exp(-(a @ w2.T + b2)))[:, 0]
        answers = (p >= 0.5).astype(np.int64)
        loss = -np.mean(labels * np.log(p) + (1 - labels) * np.log(1 - p))
        metrics = [metric(labels, answers, zero_division=0) for metric in (precision_score, recall_score, f1_score)]
        history.append([loss, np.mean(answers == labels), *metrics, roc_auc_score(labels, p)])
        delta = (p - labels)[:, None]
        below = delta @ w2 * (z > 0)
        w2 -= RATE * (delta.T @ a) / n
        b2 -= RATE * delta.mean()
        w1 -= RATE * (below.T @ x) / n
        b1 -= RATE * below.mean(axis=0)
    return theta
