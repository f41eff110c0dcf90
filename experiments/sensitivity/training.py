"""How the networks of the study are trained: on what, from which weights, and until when."""

import functools
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.sensitivity.protocol import CLASSES, PAIRS, PORTRAITS, RELU, SHIFT, SWEEP, Draw, Trial
from experiments.trials import stream
from npnet.backprop import forward
from npnet.data.datasets import Dataset, corrupt_labels, subset
from npnet.data.images import standardised, wrapped_shifts
from npnet.fast.training import train
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping

# A portrait's loss on its training examples, at which it is certain of them.
CERTAIN = 3e-4


def examples(trial: Trial, data: Dataset) -> tuple[NDArray[np.float32], NDArray[np.integer[Any]]]:
    """What a trial is trained on: standardised images, their shifted copies included, and labels."""
    chosen = subset(data.train_labels, trial.examples, stream(Draw.EXAMPLES, trial.seed))
    images = data.train_images[chosen]
    labels: NDArray[np.integer[Any]] = data.train_labels[chosen]
    if trial.random_labels:
        share = (CLASSES - 1) / CLASSES
        labels = corrupt_labels(labels, share, CLASSES, stream(Draw.LABELS, trial.seed))
    if trial.copies:
        copies = wrapped_shifts(np.concatenate([images] * trial.copies), SHIFT, stream(Draw.SHIFTS, trial.seed))
        images, labels = np.concatenate([images, copies]), np.tile(labels, 1 + trial.copies)
    return standardised(images), labels


@functools.lru_cache(maxsize=2)
def test_images(data: Dataset) -> NDArray[np.float32]:
    """All test images, standardised and flat, (n, pixels)."""
    return standardised(data.test_images).reshape(len(data.test_images), -1)


def network(trial: Trial, data: Dataset) -> MLP:
    """The trial's architecture, without biases."""
    hidden = (trial.width,) * trial.depth
    return MLP((data.train_images[0].size, *hidden, CLASSES), trial.activation, "softmax", bias=False)


def initial_theta(trial: Trial, net: MLP) -> NDArray[np.floating]:
    """Weights of the variance that `Trial` says."""
    scale = 1.0 if trial.activation.startswith(RELU) else math.sqrt(1 / 2)
    return net.init(stream(Draw.WEIGHTS, trial.seed), "he", trial.gain * scale)


def accuracy(net: MLP, theta: NDArray[np.floating], x: NDArray[Any], labels: NDArray[np.integer[Any]]) -> float:
    """Share of the examples whose largest logit is that of their label."""
    return evaluate(labels, forward(net, theta, x), ["accuracy"])["accuracy"]


def most_epochs(trial: Trial) -> int:
    """After how many epochs training is given up; after a fifth of them if nothing has become better."""
    if trial.batch is None:
        return 1000
    return {SWEEP: 120, PAIRS: 50 if trial.copies else 400, PORTRAITS: 500}[trial.part]


class Trained(NamedTuple):
    """Parameters after training, and a row of numbers for each epoch (see `npnet.train`)."""

    theta: NDArray[np.floating]
    history: list[dict[str, float]]


def trained(trial: Trial, net: MLP, x: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> Trained:
    """Train until every example is classified right; portraits until the training loss is CERTAIN as well.

    An epoch in which none was misclassified when its batch was visited tells that this may be so. If some are after it,
    its own steps have spoilt them, and training goes on.
    """
    most = most_epochs(trial)
    stop = EarlyStopping("train_accuracy", most // 5, larger_is_better=True, enough=1.0)
    if trial.part == PORTRAITS:
        stop = EarlyStopping("train_loss", most // 5, enough=CERTAIN)
    rng = stream(Draw.BATCHES, trial.seed) if trial.batch else None
    theta, history = initial_theta(trial, net), list[dict[str, float]]()
    while len(history) < most:
        training = train(
            net,
            theta,
            x,
            labels,
            epochs=most - len(history),
            learning_rate=trial.learning_rate,
            batch_size=trial.batch and min(trial.batch, len(x)),
            rng=rng,
            momentum=trial.momentum,
            metrics=("accuracy",),
            stop=stop,
        )
        theta = training.theta
        history += training.history
        if not stop.suffices(history[-1][stop.metric]) or accuracy(net, theta, x, labels) == 1:
            break
    return Trained(theta, history)
