"""The networks of the study: which there are, how they are trained, and which of them are compared.

All are trained by SGD on the softmax cross-entropy, without biases, on a small part of a data set's training file whose
images are standardised one by one, until every training example is classified right; those that do not get there are
counted. The generalization gap is the training accuracy minus the accuracy on the official test file.

*Sweep*: networks of all architectures of a grid, whose training images, initial weights and training are drawn at
random. *Pairs*: networks that differ from another one in a single factor. *Portraits*: a few deep networks, trained for
longer, that are looked at along paths, in a plane and at single test points.
"""

import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.table import Table
from experiments.trials import fingerprint, stream
from npnet.data.datasets import Dataset, corrupt_labels, subset
from npnet.data.images import standardised, wrapped_shifts
from npnet.errors import ArgumentError, DataError
from npnet.fast import Training, forward, train
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping
from npnet.training import SGD

Array = NDArray[Any]

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
SWEEP, PAIRS, PORTRAITS = ("sweep", "pairs", "portraits")
RELU = "relu"
# Those with kinks, as a person writes them.
ACTIVATIONS = {RELU: "relu", "relu6": "relu6", "hard_tanh": "hard tanh", "hard_sigmoid": "hard sigmoid"}
DEPTHS, WIDTHS = (1, 2, 4), (50, 100, 200)
BATCHES = (16, 32, 64, 128)
MOMENTA = (0.0, 0.9)
CLASSES = 10
SHIFT = 4  # pixels
# Gains of the portraits' initial weights, and a learning rate that each bears.
PORTRAIT_GAINS = {1.0: 0.05, 1.4: 0.01}
# A portrait's loss on its training examples, at which it is certain of them.
CERTAIN = 3e-4


@dataclass(frozen=True)
class Trial:
    """One network: its part of the study, its architecture, and how it is trained."""

    part: str
    dataset: str
    data: str  # see `experiments.trials.fingerprint`
    seed: int  # of all draws; it also tells the sweep's networks apart, and what belongs to one pair
    depth: int  # hidden layers
    width: int  # units in each
    activation: str
    gain: float  # of the initial weights: variance gain² 2 / fan_in for relu and relu6, gain² / fan_in for the others
    learning_rate: float
    batch: int | None  # examples a step; None for all
    examples: int  # training images
    momentum: float = 0.0
    random_labels: bool = False  # whether a label is right only as often as chance would have it
    copies: int = 0  # shifted copies of each training image that are added to it, by up to SHIFT pixels each way

    @property
    def architecture(self) -> tuple[int, int, str]:
        """Depth, width and activation."""
        return self.depth, self.width, self.activation


@dataclass(frozen=True)
class Scale:
    """How much of the study is run."""

    networks: int  # of the sweep, on each data set
    pairs: int  # for each factor
    portraits: int  # for each gain of the initial weights
    examples: int = 2000  # training images of the sweep's networks and of the portraits
    pair_examples: int = 1000
    block: int = 8  # so many of an architecture follow one another, enough for a rank correlation


QUICK, DEFAULT, FULL = Scale(16, 3, 1, 300, 150, block=2), Scale(80, 42, 2), Scale(700, 44, 3)


class Factor(NamedTuple):
    """What the second network of a pair has that the first has not, both sides in words, and what is published."""

    change: Mapping[str, Any]
    first: str
    second: str
    second_is_worse: bool = True  # generalizes worse and has the larger Jacobian norm, else the first
    transitions_too: bool = True  # that side has more transitions as well


FACTORS = {
    "labels": Factor({"random_labels": True}, "true labels", "random labels"),
    "augmentation": Factor({"copies": 16}, "no augmentation", "shifted copies", second_is_worse=False),
    "nonlinearity": Factor({"activation": "hard_sigmoid"}, RELU, "hard sigmoid"),
    "optimiser": Factor({"batch": None}, "mini-batches", "full batches", transitions_too=False),
}


class Draw(IntEnum):
    """What random numbers are drawn for; see `experiments.trials.stream`."""

    SETTINGS = 1
    EXAMPLES = 2
    WEIGHTS = 3
    BATCHES = 4
    LABELS = 5
    SHIFTS = 6
    POINTS = 7
    ANCHORS = 8
    PAIR_SETTINGS = 9
    ARCHITECTURES = 10


def networks(scale: Scale, data: Mapping[str, Dataset], table: Table) -> list[Trial]:
    """All of them, once: the sweep on all data sets, the pairs and portraits on the first; see `check`."""
    check(data.values(), scale)
    named = [(name, fingerprint(each.checksums)) for name, each in data.items()]
    swept = [trial for each in named for trial in sweep(*each, scale)]
    return list(dict.fromkeys([*swept, *pairs(*named[0], scale), *portraits(*named[0], scale)]))


def sweep(dataset: str, data: str, scale: Scale) -> list[Trial]:
    """Networks with settings drawn at random, the same for every data set; block after block of one architecture."""
    architectures = list(itertools.product(DEPTHS, WIDTHS, ACTIVATIONS))
    order = stream(Draw.ARCHITECTURES).permutation(len(architectures))
    trials = []
    for seed in range(scale.networks):
        depth, width, activation = architectures[order[seed // scale.block % len(order)]]
        rng = stream(Draw.SETTINGS, seed)
        momentum = float(rng.choice(MOMENTA))
        gain = _log_uniform(rng, 0.5, 2.5)
        # Momentum m makes steps 1 / (1 - m) times as long.
        rate = _log_uniform(rng, 0.02 * (1 - momentum), 0.15 * (1 - momentum))
        batch, n = int(rng.choice(BATCHES)), scale.examples
        trials.append(Trial(SWEEP, dataset, data, seed, depth, width, activation, gain, rate, batch, n, momentum))
    return trials


def pairs(dataset: str, data: str, scale: Scale) -> list[Trial]:
    """For each factor, networks and what they become by it. The first of a pair is the same for all factors."""
    firsts = []
    for seed in range(scale.pairs):
        rng = stream(Draw.PAIR_SETTINGS, seed)
        depth, width = int(rng.integers(1, 4, endpoint=True)), round(_log_uniform(rng, 64, 150))
        gain, rate = _log_uniform(rng, 0.7, 1.4), _log_uniform(rng, 0.03, 0.1)
        batch, n = int(rng.choice(BATCHES[:2])), scale.pair_examples
        firsts.append(Trial(PAIRS, dataset, data, seed, depth, width, RELU, gain, rate, batch, n))
    return [
        trial
        for factor in FACTORS.values()
        for first in firsts
        for trial in (first, dataclasses.replace(first, **factor.change))
    ]


def portraits(dataset: str, data: str, scale: Scale) -> list[Trial]:
    """Deep networks of one architecture, from initial weights of two sizes."""
    return [
        Trial(PORTRAITS, dataset, data, seed, 8, 200, RELU, gain, rate, 32, scale.examples)
        for gain, rate in PORTRAIT_GAINS.items()
        for seed in range(scale.portraits)
    ]


def _log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    """Three digits are enough, and can be read."""
    return float(f"{math.exp(rng.uniform(math.log(low), math.log(high))):.3g}")


def cost(trial: Trial) -> float:
    """Time that a trial takes compared with others, from the multiply-adds of an epoch and a guess at their number."""
    epochs = 25.0 if trial.batch else 200.0
    epochs *= (4 if trial.random_labels else 1) * (4 if trial.activation == "hard_sigmoid" else 1)
    weights = 784 * trial.width + (trial.depth - 1) * trial.width**2
    return weights * (epochs * trial.examples * (1 + trial.copies / 2) + (3e6 if trial.part == PORTRAITS else 3e4))


def check(datasets: Iterable[Dataset], scale: Scale) -> None:
    """Raise an error unless there are classes 0 to 9 in both files of each data set, and images enough to draw from."""
    for data in datasets:
        for part, labels in (("training", data.train_labels), ("test", data.test_labels)):
            if (found := np.unique(labels).tolist()) != list(range(CLASSES)):
                raise DataError(f"{data.name}: found the labels {found} in the {part} file, expected all of 0 to 9")
        n = len(data.train_labels)
        # An ellipse goes through three of a class, which has its share of the examples, rounded down at worst.
        least = math.ceil(3 * n / np.bincount(data.train_labels).min())
        if not least <= scale.examples <= n:
            raise ArgumentError(f"--examples: found {scale.examples}, expected {least} to {n} with {data.name}")
        if scale.pair_examples > n:
            raise DataError(f"{data.name}: found {n} training images, expected the {scale.pair_examples} of a pair")


def examples(trial: Trial, data: Dataset) -> tuple[Array, Array]:
    """What a trial is trained on: standardised images, their shifted copies included, and labels."""
    chosen = subset(data.train_labels, trial.examples, stream(Draw.EXAMPLES, trial.seed))
    images = data.train_images[chosen]
    labels: Array = data.train_labels[chosen]
    if trial.random_labels:
        labels = corrupt_labels(labels, 1 - 1 / CLASSES, CLASSES, stream(Draw.LABELS, trial.seed))
    if trial.copies:
        copies = wrapped_shifts(np.concatenate([images] * trial.copies), SHIFT, stream(Draw.SHIFTS, trial.seed))
        images, labels = np.concatenate([images, copies]), np.tile(labels, 1 + trial.copies)
    return standardised(images), labels


@lru_cache(maxsize=2)
def test_set(data: Dataset) -> Array:
    """All test images, standardised and flat, (n, pixels)."""
    return standardised(data.test_images).reshape(len(data.test_images), -1)


def network(trial: Trial, data: Dataset) -> MLP:
    """The trial's architecture, without biases."""
    widths = (data.train_images[0].size, *(trial.width,) * trial.depth, CLASSES)
    return MLP(widths, trial.activation, "softmax", bias=False)


def initial_theta(trial: Trial, net: MLP) -> Array:
    """Weights of the variance that `Trial` says."""
    scale = 1.0 if trial.activation.startswith(RELU) else math.sqrt(1 / 2)
    return net.init(stream(Draw.WEIGHTS, trial.seed), "he", trial.gain * scale)


def accuracy(net: MLP, theta: Array, x: Array, labels: Array) -> float:
    """Share of the examples whose largest logit is that of their label."""
    return evaluate(labels, forward(net, theta, x), ["accuracy"])["accuracy"]


def fit(trial: Trial, net: MLP, x: Array, labels: Array) -> Training:
    """Train until every example is classified right; portraits until the training loss is CERTAIN as well.

    An epoch in which none was misclassified when its batch was visited tells that this may be so. If some are after it,
    its own steps have spoilt them, and training goes on as if it had not ended. It is given up after the most epochs,
    or a fifth of them without becoming better.
    """
    most = {SWEEP: 120, PAIRS: 50 if trial.copies else 400, PORTRAITS: 500}[trial.part] if trial.batch else 1000
    stop = EarlyStopping("train_accuracy", most // 5, larger_is_better=True, enough=1.0)
    if trial.part == PORTRAITS:
        stop = EarlyStopping("train_loss", most // 5, enough=CERTAIN)
    sgd = SGD(most, trial.learning_rate, trial.batch and min(trial.batch, len(x)), momentum=trial.momentum, stop=stop)
    rng = stream(Draw.BATCHES, trial.seed) if trial.batch else None
    train_on = partial(train, net, x=x, y=labels, sgd=sgd, rng=rng, metrics=("accuracy",))
    training = train_on(initial_theta(trial, net))
    while (left := most - len(training.history)) and stop.suffices(training.history[-1][stop.metric]):
        if accuracy(net, training.theta, x, labels) == 1:
            break
        training = train_on(training, epochs=left)
    return training


def by_title(table: Table) -> dict[str, Table]:
    """The sweep's networks of each data set, by its title; without any, none of MNIST, for an empty panel."""
    rows = table.where(part=SWEEP).by("dataset") or {"mnist": Table()}
    return {TITLES[name]: each for name, each in rows.items()}


def fitted(table: Table) -> dict[str, Table]:
    """Those of them that classify all their training examples right."""
    return {title: rows.where(training_accuracy=1) for title, rows in by_title(table).items()}


def paired(table: Table, factor: str) -> tuple[Table, int]:
    """The pairs of a factor of which both networks fit, and the number of those that are lost.

    A row has the "first" and the "second" network of a pair, each a row of `table`, which of them is published to be
    "worse" and which "better", and their "depth".
    """
    rows = table.where(part=PAIRS)
    seconds = rows.where(**FACTORS[factor].change)
    changes = [change for each in FACTORS.values() for change in each.change.items()]
    firsts = [row for row in rows if not any(row[name] == value for name, value in changes)]
    order = ("better", "worse") if FACTORS[factor].second_is_worse else ("worse", "better")
    both = [
        {"depth": pair[0]["depth"], "first": pair[0], "second": pair[1], **dict(zip(order, pair, strict=True))}
        for pair in zip(firsts, seconds, strict=True)
        if pair[0]["training_accuracy"] == pair[1]["training_accuracy"] == 1
    ]
    return Table(both), len(seconds) - len(both)
