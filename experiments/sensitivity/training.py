"""How the networks of the study are trained: on what, from which weights, and until when."""

import math
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.sensitivity.networks import CLASSES, PAIRS, PORTRAITS, RELU, SHIFT, SWEEP, Draw, Trial
from experiments.trials import stream
from npnet.data.datasets import Dataset, corrupt_labels, subset
from npnet.data.images import standardised, wrapped_shifts
from npnet.fast import Training, forward, train
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping
from npnet.training import SGD

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


@lru_cache(maxsize=2)
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


def trained(trial: Trial, net: MLP, x: NDArray[np.float32], labels: NDArray[np.integer[Any]]) -> Training:
    """Train until every example is classified right; portraits until the training loss is CERTAIN as well.

    An epoch in which none was misclassified when its batch was visited tells that this may be so. If some are after it,
    its own steps have spoilt them, and training goes on as if it had not ended.
    """
    most = most_epochs(trial)
    stop = EarlyStopping("train_accuracy", most // 5, larger_is_better=True, enough=1.0)
    if trial.part == PORTRAITS:
        stop = EarlyStopping("train_loss", most // 5, enough=CERTAIN)
    sgd = SGD(most, trial.learning_rate, trial.batch and min(trial.batch, len(x)), momentum=trial.momentum, stop=stop)
    rng = stream(Draw.BATCHES, trial.seed) if trial.batch else None
    train_on = partial(train, net, x=x, y=labels, sgd=sgd, rng=rng, metrics=("accuracy",))
    training = train_on(initial_theta(trial, net))
    while stop.suffices(training.history[-1][stop.metric]) and accuracy(net, training.theta, x, labels) != 1:
        left = most - len(training.history)
        if not left:
            break
        training = train_on(training, epochs=left)
    return training
