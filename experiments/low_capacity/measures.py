"""What is measured of networks: trials in, plain numbers out.

Robustness is measured without a confound as well. A wider network is more accurate, and may do better under noise for
no other reason. So each network is followed along its training, and two are compared where they were equally accurate.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import inside, limits, saliency
from experiments.low_capacity.networks import (
    AS_RELEASED,
    CORRECTED,
    DIFFICULTY,
    LIMITS,
    LINEAR,
    NETWORKS,
    RATES,
    Draw,
    Examples,
    Task,
    Theta,
    Trial,
    network,
    pruned,
    task,
    trained,
)
from experiments.low_capacity.published import CLOSE_PAIR, CLOSE_SHARE, NOISE_WIDTHS, PATCH, PRUNED_PERCENT, SIGMAS
from experiments.trials import stream
from npnet.backprop import activations
from npnet.data.corruptions import gaussian_noise, occlude
from npnet.data.datasets import Dataset
from npnet.fast import Training, forward
from npnet.metrics import accuracy, evaluate, predict
from npnet.mlp import MLP
from npnet.pruning import dead_units, sparsity

METRICS = ("f1", "auc", "balanced_accuracy", "accuracy")
FOLLOWED_WIDTHS = (4, 12, *NOISE_WIDTHS)
# At which networks are looked at, beside the one that is kept: evenly spaced, or about so in their logarithm, for a
# minibatch epoch does most at first.
FOLLOWED_EPOCHS = {AS_RELEASED: tuple(range(10, 100, 10)), CORRECTED: (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90)}

Result = dict[str, Any]
Corrupted = tuple[str, float, NDArray[Any]]  # condition, level and all the test images


def measure(trials: Sequence[Trial], data: Dataset) -> list[Result]:
    """Train the networks of one `train_group` together, and measure each, as its part of the study says."""
    first = trials[0]
    return _MEASURES[first.part](trials, task(first.arm, first.pair, first.seed, data))


def networks(trials: Sequence[Trial], examples: Task) -> list[Result]:
    """All that is measured of the networks of both arms, on the test examples of their arm.

    Returns
    -------
    list of dict
        "best_train_f1": the largest of the training F1s.
        "scores": a row per condition (clean, pruned, divided twice, gaussian noise, occlusion) and level, with
        `METRICS` and the share of the weights that is "removed".
        "dead": hidden units that are 0 on every test image, dense and at 95 %; "cut_off": those that have lost
        their weight to the output at 95 %, alive or dead.
        For some widths what `inside.information` returns.
        For 4v9 what `saliency.measure` returns, for some widths `inside.representation` and "trajectory", the accuracy
        along training (see `trajectory`).
    """
    first = trials[0]
    if first.pair != CLOSE_PAIR:
        return [_measured(*each, examples, []) for each in zip(trials, trained(trials, examples), strict=True)]
    corrupted, checkpoints = _corrupted(examples.test.images, first.seed), Checkpoints(trials)
    trainings = trained(trials, examples, watch=checkpoints)
    replicas = trained(trials, examples, replica=True)
    thetas = ([training.theta for training in each] for each in (trainings, replicas))
    maps = saliency.measure(trials, *thetas, examples)
    results = []
    for number, (trial, training) in enumerate(zip(trials, trainings, strict=True)):
        result = _measured(trial, training, examples, corrupted) | maps[number]
        if trial.width in inside.WIDTHS:
            result |= inside.representation(trial, network(trial, examples), training.theta, examples)
        if trial.width in FOLLOWED_WIDTHS:
            kept = checkpoints.until(number, training)
            result["trajectory"] = trajectory(network(trial, examples), kept, examples, corrupted)
        results.append(result)
    return results


def _measured(trial: Trial, training: Training, examples: Task, corrupted: Sequence[Corrupted]) -> Result:
    net = network(trial, examples)
    theta, test = training.theta, examples.test
    collapsed = pruned(net, theta, CLOSE_SHARE)
    scores = [_scores(net, theta, test, "clean", 0.0)]
    for percent in PRUNED_PERCENT:
        # The released code divides the percentage by 100 twice, so its "95 %" removes 0.95 %.
        for condition, share in (("pruned", percent / 100), ("divided twice", percent / 10_000)):
            scores.append(_scores(net, pruned(net, theta, share), test, condition, percent / 100))
    scores += [_scores(net, theta, Examples(images, test.labels), *which) for *which, images in corrupted]
    result = {
        "best_train_f1": max(row["train_f1"] for row in training.history),
        "scores": scores,
        "dead": {"dense": _dead(net, theta, test), "pruned": _dead(net, collapsed, test)},
        "cut_off": int((net.unpack(collapsed)[-1].weights == 0).all(axis=0).sum()),
    }
    return result | inside.information(trial, net, theta, test) if trial.width in inside.WIDTHS else result


def _scores(net: MLP, theta: Theta, examples: Examples, condition: str, level: float) -> Result:
    """Metrics on `examples` under a condition, and the share of the weights that are gone."""
    logits = forward(net, theta, examples.images)
    removed = sparsity(net, (theta != 0) | ~net.prunable)
    return {"condition": condition, "level": level, "removed": removed} | evaluate(examples.labels, logits, METRICS)


def _dead(net: MLP, theta: Theta, examples: Examples) -> int:
    return int(dead_units(activations(net, theta, examples.images)[0]).sum())


def _corrupted(images: NDArray[np.uint8], seed: int) -> list[Corrupted]:
    """Images under Gaussian noise and under occlusion, which depend on the seed only."""
    noisy = [
        ("gaussian noise", sigma, gaussian_noise(images, sigma, stream(Draw.NOISE, seed, number)))
        for number, sigma in enumerate(SIGMAS)
    ]
    return [*noisy, ("occlusion", PATCH, occlude(images, PATCH, stream(Draw.NOISE, seed, len(SIGMAS))))]


class Checkpoints:
    """Keeps the parameters of networks of `FOLLOWED_WIDTHS` at `FOLLOWED_EPOCHS`; a `Watch` for one `train_group`."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = trials
        self._epoch = 0
        self._kept: list[list[tuple[int, Theta]]] = [[] for _ in trials]

    def __call__(self, numbers: Sequence[int], thetas: Sequence[Theta]) -> list[dict[str, float]]:
        """An epoch is over; nothing joins the networks' rows."""
        self._epoch += 1
        for number, theta in zip(numbers, thetas, strict=True):
            trial = self._trials[number]
            if trial.width in FOLLOWED_WIDTHS and self._epoch in FOLLOWED_EPOCHS[trial.arm]:
                self._kept[number].append((self._epoch, theta))
        return [{} for _ in numbers]

    def until(self, number: int, training: Training) -> list[tuple[int, Theta]]:
        """Epoch and parameters of a network, in order; the last are those that its training returned."""
        before = [(epoch, theta) for epoch, theta in self._kept[number] if epoch < training.epoch]
        return [*before, (training.epoch, training.theta)]


def trajectory(
    net: MLP, checkpoints: Sequence[tuple[int, Theta]], examples: Task, corrupted: Sequence[Corrupted]
) -> list[dict[str, float]]:
    """Accuracy on the test examples along training: a row per checkpoint.

    A row has "epoch", "clean", and a number for each corruption under its condition and level: "gaussian noise 0.3".
    """
    conditions = {"clean": examples.test.images}
    conditions |= {f"{condition} {level:g}": images for condition, level, images in corrupted}
    labels = examples.test.labels
    return [
        {"epoch": epoch}
        | {name: accuracy(labels, predict(forward(net, theta, images))) for name, images in conditions.items()}
        for epoch, theta in checkpoints
    ]


def rates(trials: Sequence[Trial], examples: Task) -> list[Result]:
    """What the search for the learning rate looks at.

    Returns
    -------
    list of dict
        "best_train_f1" and "last_train_f1": the largest and the last of the training F1s, for the paper does not say
        which of them it shows; "epochs"; and, corrected, "validation_loss", "validation_f1": of the epoch that was
        kept, NaN if there was none.
    """
    results = []
    for training in trained(trials, examples):
        f1 = [row["train_f1"] for row in training.history]
        result = {"best_train_f1": max(f1), "last_train_f1": f1[-1], "epochs": len(f1)}
        if trials[0].arm == CORRECTED:
            kept = training.history[training.epoch - 1] if training.epoch else {}
            result |= {name: kept.get(name, np.nan) for name in ("validation_loss", "validation_f1")}
        results.append(result)
    return results


def difficulty(trials: Sequence[Trial], examples: Task) -> list[Result]:
    """How well networks tell apart a pair of digits.

    Returns
    -------
    list of dict
        "judged": the number of test examples; "f1" and "accuracy" on them; for a linear classifier also what
        `class_means` returns.
    """
    results = []
    for trial, training in zip(trials, trained(trials, examples), strict=True):
        images, labels = examples.test
        logits = forward(network(trial, examples), training.theta, images)
        result = {"judged": len(labels)} | evaluate(labels, logits, ("f1", "accuracy"))
        results.append(result | class_means(examples) if trial.width == LINEAR else result)
    return results


def class_means(examples: Task) -> dict[str, float]:
    """How far the means of the two classes overlap, and how well they classify.

    "overlap": cosine similarity of the mean training images m0 and m1, m0 . m1 / (|m0| |m1|); 1 if one is a multiple of
    the other, NaN if one is black. "nearest_mean_error": share of the test images x that are taken for the
    wrong class, where x is taken for class 1 if |x - m1| < |x - m0|.
    """
    images, labels = examples.training
    zero, one = (images[labels == label].mean(axis=0).ravel() for label in (0, 1))
    with np.errstate(invalid="ignore"):
        overlap = (zero @ one) / np.sqrt((zero @ zero) * (one @ one))
    test = examples.test.images.reshape(len(examples.test.labels), -1)
    # |x - m1|² < |x - m0|² without the |x|² that both have.
    taken_for_one = test @ (one - zero) > (one @ one - zero @ zero) / 2
    return {
        "overlap": float(overlap),
        "nearest_mean_error": float(np.mean(taken_for_one != examples.test.labels)),
    }


_MEASURES: Mapping[str, Callable[[Sequence[Trial], Task], list[Result]]] = {
    NETWORKS: networks,
    RATES: rates,
    LIMITS: limits.measure,
    DIFFICULTY: difficulty,
}
