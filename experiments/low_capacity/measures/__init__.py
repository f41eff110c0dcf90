"""What is measured of trained networks: trials in, plain numbers out."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.measures import information, representation, robustness, saliency
from experiments.low_capacity.measures.one_shot import COLLAPSE, pruned
from experiments.low_capacity.measures.saliency import Corrupted
from experiments.low_capacity.protocol import Draw, Examples, Task, Trial, network, task, trained
from experiments.low_capacity.published import (
    NOISE_PAIR,
    PATCH,
    PRUNED_PERCENT,
    SALIENCY_PAIR,
    SIGMAS,
)
from experiments.trials import stream
from npnet.backprop import activations
from npnet.data.corruptions import gaussian_noise, occlude
from npnet.data.datasets import Dataset
from npnet.fast import Training, forward
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.pruning import dead_units, sparsity

METRICS = ("f1", "auc", "balanced_accuracy", "accuracy")

Theta = NDArray[np.floating]


def measure(trials: Sequence[Trial], data: Dataset) -> list[dict[str, Any]]:
    """Train the networks of one `train_group` together, and measure each.

    Returns
    -------
    list of dict
        As of `_measured`, and for 4v9 of `saliency.measure` and `robustness.measure`.
    """
    first = trials[0]
    examples = task(first.arm, first.pair, first.seed, data)
    corrupted = _corrupted(examples.test.images, first.seed) if first.pair == NOISE_PAIR else []
    checkpoints = robustness.Checkpoints(trials)
    trainings = trained(trials, examples, watch=checkpoints if first.pair == NOISE_PAIR else None)
    results = [
        _measured(trial, training, examples, corrupted) for trial, training in zip(trials, trainings, strict=True)
    ]
    if first.pair == NOISE_PAIR:
        followed = robustness.measure(trials, trainings, checkpoints, examples, corrupted)
        results = [result | found for result, found in zip(results, followed, strict=True)]
    if first.pair == SALIENCY_PAIR:
        thetas, replicas = (
            [training.theta for training in each] for each in (trainings, trained(trials, examples, replica=True))
        )
        compared = saliency.measure(trials, thetas, replicas, examples, corrupted)
        results = [result | found for result, found in zip(results, compared, strict=True)]
    return results


def _measured(trial: Trial, training: Training, examples: Task, corrupted: Iterable[Corrupted]) -> dict[str, Any]:
    """Measure a trained network on the test examples of its arm.

    Returns
    -------
    dict
        "curves": by epoch; "best_train_f1": the largest of the training F1s; "epochs", "kept_epoch".
        "scores": a row per condition (clean, pruned, divided twice, gaussian noise, occlusion) and level.
        "dead": hidden units that are 0 on every test image, dense and at 95 %; "cut_off": those that have lost
        their weight to the output at 95 %, alive or dead.
        For some widths what `information.measure` returns, and for 4v9 `representation.measure`.
    """
    net = network(trial, examples)
    theta, test = training.theta, examples.test
    collapsed = pruned(net, theta, COLLAPSE)
    names = [name for name in training.history[0] if name.startswith(("train_", "validation_"))]
    result: dict[str, Any] = {
        "curves": {name: [row[name] for row in training.history] for name in names},
        "best_train_f1": max(row["train_f1"] for row in training.history),
        "epochs": len(training.history),
        "kept_epoch": training.epoch,
        "scores": [_scores(net, theta, test, "clean", 0.0)],
        "dead": {"dense": _dead(net, theta, test), "pruned": _dead(net, collapsed, test)},
        "cut_off": int((net.unpack(collapsed)[-1].weights == 0).all(axis=0).sum()),
    }
    for percent in PRUNED_PERCENT:
        # The released code divides the percentage by 100 twice, so its "95 %" removes 0.95 %.
        for condition, share in (("pruned", percent / 100), ("divided twice", percent / 10_000)):
            result["scores"].append(_scores(net, pruned(net, theta, share), test, condition, percent / 100))
    for condition, level, images in corrupted:
        result["scores"].append(_scores(net, theta, Examples(images, test.labels), condition, level))
    if trial.width in representation.WIDTHS:
        result |= information.measure(trial, net, theta, test)
        if trial.pair == SALIENCY_PAIR:
            result |= representation.measure(trial, net, theta, examples)
    return result


def _scores(net: MLP, theta: Theta, examples: Examples, condition: str, level: float) -> dict[str, Any]:
    """Metrics on `examples` under a condition, and the share of the weights that are gone."""
    logits = forward(net, theta, examples.images)
    removed = sparsity(net, (theta != 0) | ~net.prunable)
    return {"condition": condition, "level": level, "removed": removed} | evaluate(examples.labels, logits, METRICS)


def _dead(net: MLP, theta: Theta, examples: Examples) -> int:
    return int(dead_units(activations(net, theta, examples.images)[0]).sum())


def _corrupted(images: NDArray[np.uint8], seed: int) -> list[Corrupted]:
    """Images under Gaussian noise and under occlusion, which depend on the seed only: condition, level, images."""
    noisy = [
        ("gaussian noise", sigma, gaussian_noise(images, sigma, stream(Draw.NOISE, seed, number)))
        for number, sigma in enumerate(SIGMAS)
    ]
    return [*noisy, ("occlusion", PATCH, occlude(images, PATCH, stream(Draw.NOISE, seed, len(SIGMAS))))]
