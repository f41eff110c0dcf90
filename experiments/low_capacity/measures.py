"""What is measured of networks: trials in, plain numbers out.

Robustness is measured without a confound as well. A wider network is more accurate, and may do better under noise for
no other reason. So each network is followed along its training, and two are compared where they were equally accurate.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import inside, limits, networks, saliency
from experiments.low_capacity import published as paper
from experiments.low_capacity.networks import AS_RELEASED, CORRECTED, Draw, Examples, Task, Theta, Trial, pruned
from experiments.trials import stream
from npnet.backprop import activations
from npnet.data.corruptions import gaussian_noise, occlude
from npnet.data.datasets import Dataset
from npnet.fast import Training, forward
from npnet.metrics import accuracy, evaluate, predict
from npnet.mlp import MLP
from npnet.pruning import dead_units, sparsity

METRICS = ("f1", "auc", "balanced_accuracy", "accuracy")
SMALL, LARGE = COMPARED = 24, 64  # widths, under noise
# At which of their epochs, beside the one that is kept: evenly spaced, or about so in their logarithm, for a minibatch
# epoch does most at first.
FOLLOWED = {AS_RELEASED: tuple(range(10, 100, 10)), CORRECTED: (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90)}

Result = dict[str, Any]
Images = dict[tuple[str, float], NDArray[Any]]  # all the test images by condition and level


def measure(trials: Sequence[Trial], data: Dataset) -> list[Result]:
    """Train the networks of one `train_group` together, and measure each, as its part of the study says."""
    first = trials[0]
    return _MEASURES[first.part](trials, networks.task(first.arm, first.pair, first.seed, data))


def both_arms(trials: Sequence[Trial], examples: Task) -> list[Result]:
    """All that is measured of the networks of both arms: what `_measured` returns, and more of 4v9.

    Of 4v9 also what `saliency.measure` returns, for some widths what `inside.representation` does, and for two
    "trajectory": a row of `accuracies` for each epoch that was `FOLLOWED` before the one that is kept, and for that.
    """
    first, test = trials[0], examples.test
    nets = [networks.network(trial, examples) for trial in trials]
    images = {("clean", 0.0): test.images}
    if first.pair != paper.CLOSE_PAIR:
        trainings = networks.trained(trials, examples)
        return [_measured(*each, test, images) for each in zip(trials, nets, trainings, strict=True)]
    images |= _corrupted(test.images, first.seed)
    epochs = itertools.count(1)

    def follow(numbers: Sequence[int], thetas: Sequence[Theta]) -> list[dict[str, float]]:
        looked_at = next(epochs) in FOLLOWED[first.arm]
        return [
            accuracies(nets[number], theta, images, test) if looked_at and trials[number].width in COMPARED else {}
            for number, theta in zip(numbers, thetas, strict=True)
        ]

    trainings = networks.trained(trials, examples, watch=follow)
    replicas = networks.trained(trials, examples, replica=True)
    results = saliency.measure(trials, trainings, replicas, examples)
    for result, trial, net, training in zip(results, trials, nets, trainings, strict=True):
        result |= _measured(trial, net, training, test, images)
        if trial.width in inside.WIDTHS:
            result |= inside.representation(trial, net, training.theta, examples)
        if trial.width in COMPARED:
            last = accuracies(net, training.theta, images, test)
            before = [row for row in training.history[: max(0, training.epoch - 1)] if "clean" in row]
            result["trajectory"] = [*({name: row[name] for name in last} for row in before), last]
    return results


def accuracies(net: MLP, theta: Theta, images: Images, test: Examples) -> dict[str, float]:
    """Accuracy under each condition, under its name: "clean", "gaussian noise 0.3"."""
    return {
        f"{condition} {level:g}" if level else condition: accuracy(test.labels, predict(forward(net, theta, shown)))
        for (condition, level), shown in images.items()
    }


def _measured(trial: Trial, net: MLP, training: Training, test: Examples, images: Images) -> Result:
    """Measure a trained network on test examples.

    Returns
    -------
    dict
        "scores": a row per "condition" (clean, pruned, divided twice, gaussian noise, occlusion) and "level", with
        `METRICS`, the share of the weights that is "removed", and the "change" of F1 from the clean one.
        "f1": as released the largest on the training examples, as in the paper; corrected the one on the test examples.
        "dead": hidden units that are 0 on every test image, dense and at 95 %; "cut_off": those that have lost
        their weight to the output at 95 %, alive or dead.
        For some widths what `inside.information` returns.
    """
    theta = training.theta
    tested = [("clean", 0.0, theta, test.images)]
    for percent in paper.PRUNED_PERCENT:
        # The released code divides the percentage by 100 twice, so its "95 %" removes 0.95 %.
        for condition, share in (("pruned", percent / 100), ("divided twice", percent / 10_000)):
            tested.append((condition, percent / 100, pruned(net, theta, share), test.images))
    tested += [(*which, theta, shown) for which, shown in images.items() if which != ("clean", 0.0)]
    scores: list[Result] = []
    for condition, level, cut, shown in tested:
        row = {"condition": condition, "level": level, "removed": sparsity(net, (cut != 0) | ~net.prunable)}
        scores.append(row | evaluate(test.labels, forward(net, cut, shown), METRICS))
    scores = [row | {"change": row["f1"] - scores[0]["f1"]} for row in scores]
    collapsed = pruned(net, theta, paper.CLOSE_SHARE)
    hidden = {name: activations(net, cut, test.images)[0] for name, cut in (("dense", theta), ("pruned", collapsed))}
    result = {
        "scores": scores,
        "f1": scores[0]["f1"] if trial.arm == CORRECTED else max(row["train_f1"] for row in training.history),
        "dead": {name: int(dead_units(each).sum()) for name, each in hidden.items()},
        "cut_off": int((net.unpack(collapsed)[-1].weights == 0).all(axis=0).sum()),
    }
    return result | inside.information(trial, net, theta, test) if trial.width in inside.WIDTHS else result


def _corrupted(images: NDArray[np.uint8], seed: int) -> Images:
    """Images under Gaussian noise and under occlusion, which depend on the seed only."""
    corrupted: Images = {
        ("gaussian noise", sigma): gaussian_noise(images, sigma, stream(Draw.NOISE, seed, number))
        for number, sigma in enumerate(paper.SIGMAS)
    }
    draws = stream(Draw.NOISE, seed, len(paper.SIGMAS))
    return corrupted | {("occlusion", paper.PATCH): occlude(images, paper.PATCH, draws)}


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
    for training in networks.trained(trials, examples):
        f1 = [row["train_f1"] for row in training.history]
        result = {"best_train_f1": max(f1), "last_train_f1": f1[-1], "epochs": len(f1)}
        if trials[0].arm == CORRECTED:
            kept = training.history[training.epoch - 1] if training.epoch else {}
            result |= {name: kept.get(name, np.nan) for name in ("validation_loss", "validation_f1")}
        results.append(result)
    return results


def difficulty(trials: Sequence[Trial], examples: Task) -> list[Result]:
    """How well networks tell apart a pair of digits: "f1" and "accuracy" on "judged" test examples."""
    images, labels = examples.test
    results = []
    for trial, training in zip(trials, networks.trained(trials, examples), strict=True):
        logits = forward(networks.network(trial, examples), training.theta, images)
        results.append({"judged": len(labels)} | evaluate(labels, logits, ("f1", "accuracy")))
    return results


_MEASURES: Mapping[str, Callable[[Sequence[Trial], Task], list[Result]]] = {
    networks.NETWORKS: both_arms,
    networks.RATES: rates,
    networks.LIMITS: limits.measure,
    networks.DIFFICULTY: difficulty,
}
