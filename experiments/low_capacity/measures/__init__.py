"""What is measured of trained networks: trials in, plain numbers out."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.protocol import Examples, Task, Trial, network, task, trained
from experiments.low_capacity.published import (
    NOISE_PAIR,
    PATCH,
    PRUNED_PERCENT,
    SALIENCY_PAIR,
    SALIENCY_WIDTH,
    SIGMAS,
)
from npnet.backprop import activations, forward
from npnet.corruptions import gaussian_noise, occlude
from npnet.datasets import Dataset
from npnet.derivatives import input_gradient
from npnet.metrics import evaluate, predict
from npnet.mlp import MLP
from npnet.pruning import apply_mask, dead_units, magnitude, prune, sparsity
from npnet.saliency import overlap, randomisations, rank_correlation
from npnet.sgd import Training

METRICS = ("f1", "auc", "balanced_accuracy", "accuracy")
COLLAPSE = 0.95
MAPS = 200  # images whose saliency maps are compared

Theta = NDArray[np.floating]
Corrupted = tuple[str, float, NDArray[np.floating]]


def measure(trials: Sequence[Trial], data: Dataset) -> list[dict[str, Any]]:
    """Train the networks of trials of one company together, and measure each."""
    first = trials[0]
    examples = task(first.arm, first.pair, first.seed, data)
    corrupted = _corrupted(examples.judged.images, first.seed) if first.pair == NOISE_PAIR else []
    trainings = trained(trials, examples)
    return [_measured(trial, training, examples, corrupted) for trial, training in zip(trials, trainings, strict=True)]


def _measured(trial: Trial, training: Training, examples: Task, corrupted: Iterable[Corrupted]) -> dict[str, Any]:
    """Measure a trained network on the examples that its arm judges by.

    Returns
    -------
    dict
        "curves": by epoch; "best_train_f1": the largest of the training F1s; "epochs", "kept_epoch".
        "scores": a row a condition (clean, pruned, divided twice, gaussian noise, occlusion) and level.
        "dead": hidden units that are 0 on every image judged by, dense and at 95 %; "cut_off": those that have lost
        their weight to the output at 95 %, alive or dead.
        "saliency": only for 4v9, see `_saliency`; "maps": only for the paper's network, see `_maps`.
    """
    net = network(trial, examples)
    theta, judged = training.theta, examples.judged
    collapsed = _pruned(net, theta, COLLAPSE)
    names = [name for name in training.history[0] if name.startswith(("train_", "validation_"))]
    result: dict[str, Any] = {
        "curves": {name: [row[name] for row in training.history] for name in names},
        "best_train_f1": max(row["train_f1"] for row in training.history),
        "epochs": len(training.history),
        "kept_epoch": training.epoch,
        "scores": [_scores(net, theta, judged, "clean", 0.0)],
        "dead": {"dense": _dead(net, theta, judged), "pruned": _dead(net, collapsed, judged)},
        "cut_off": int((net.unpack(collapsed)[-1].weights == 0).all(axis=0).sum()),
    }
    for percent in PRUNED_PERCENT:
        # The released code divides the percentage by 100 twice, so its "95 %" removes 0.95 %.
        for condition, share in (("pruned", percent / 100), ("divided twice", percent / 10_000)):
            result["scores"].append(_scores(net, _pruned(net, theta, share), judged, condition, percent / 100))
    for condition, level, images in corrupted:
        result["scores"].append(_scores(net, theta, Examples(images, judged.labels), condition, level))
    if trial.pair == SALIENCY_PAIR:
        result["saliency"] = _saliency(net, theta, judged, trial.seed)
        if trial.width == SALIENCY_WIDTH:
            result["maps"] = _maps(net, theta, judged)
    return result


def _scores(net: MLP, theta: Theta, examples: Examples, condition: str, level: float) -> dict[str, Any]:
    """Metrics on `examples` under a condition, and the share of the weights that are gone."""
    logits = forward(net, theta, examples.images)
    removed = sparsity(net, (theta != 0) | ~net.prunable)
    return {"condition": condition, "level": level, "removed": removed} | evaluate(examples.labels, logits, METRICS)


def _pruned(net: MLP, theta: Theta, share: float) -> Theta:
    """The paper's pruning: one-shot, by magnitude, each weight matrix by itself, biases kept, no retraining."""
    return apply_mask(theta, prune(net, magnitude(net, theta), share, scope="layer"))


def _dead(net: MLP, theta: Theta, examples: Examples) -> int:
    return int(dead_units(activations(net, theta, examples.images)[0]).sum())


def _corrupted(images: NDArray[np.uint8], seed: int) -> list[Corrupted]:
    """Images under Gaussian noise and under occlusion, which depend on the seed only: condition, level, images."""
    noisy = [
        ("gaussian noise", sigma, gaussian_noise(images, sigma, np.random.default_rng([seed, number])))
        for number, sigma in enumerate(SIGMAS)
    ]
    return [*noisy, ("occlusion", PATCH, occlude(images, PATCH, np.random.default_rng([seed, len(SIGMAS)])))]


def _saliency(net: MLP, theta: Theta, judged: Examples, seed: int) -> dict[str, dict[str, float]]:
    """How far the absolute input gradients of other networks agree with the dense one's: means over images.

    Others: the network pruned by 95 %, and by 0.95 %; and as the floor that a sanity check sets, the network with its
    weights permuted within each layer. "rank_correlation" is Spearman's, 0 for a constant map, which correlates with
    nothing; "overlap" is the share of the 5 % most salient pixels that both have.
    """
    images = judged.images[:MAPS]
    *_, (_, forgotten) = randomisations(net, theta, np.random.default_rng(seed), cascading=True)
    others = {
        "pruned": _pruned(net, theta, COLLAPSE),
        "divided twice": _pruned(net, theta, COLLAPSE / 100),
        "randomised": forgotten,
    }
    dense = np.abs(input_gradient(net, theta, images))
    dense_constant = (dense == dense[:, :1]).all(axis=1)
    agreement = {}
    for name, other in others.items():
        maps = np.abs(input_gradient(net, other, images))
        constant = dense_constant | (maps == maps[:, :1]).all(axis=1)
        ranks = np.where(constant, 0.0, rank_correlation(dense, maps))
        agreement[name] = {"rank_correlation": float(ranks.mean()), "overlap": float(overlap(dense, maps).mean())}
    return agreement


def _maps(net: MLP, theta: Theta, judged: Examples) -> list[dict[str, Any]]:
    """Saliency maps of the first right and the first wrong answer on each digit, dense and pruned.

    Input gradients of the logit, to six digits. A digit that has no wrong answer is left out.
    """
    rows = []
    right = predict(forward(net, theta, judged.images)) == judged.labels
    networks = {"dense": theta, "pruned": _pruned(net, theta, COLLAPSE)}
    for label in (0, 1):
        for answer in (True, False):
            found = np.flatnonzero((judged.labels == label) & (right == answer))
            if not found.size:
                continue
            image = judged.images[found[:1]]
            maps = {name: input_gradient(net, other, image)[0] for name, other in networks.items()}
            rows.append(
                {"label": label, "right": answer, "image": image[0].tolist()}
                | {name: [float(f"{value:.6g}") for value in values] for name, values in maps.items()}
            )
    return rows
