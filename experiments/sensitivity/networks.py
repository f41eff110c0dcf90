"""The networks of the study: which there are, how much of it is run, and which of them are compared.

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
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from experiments.table import Table
from experiments.trials import fingerprint, stream
from npnet.data.datasets import Dataset
from npnet.errors import ArgumentError, DataError

TITLES = {"mnist": "MNIST", "fashion-mnist": "Fashion-MNIST", "cifar10": "CIFAR-10"}
SWEEP, PAIRS, PORTRAITS = ("sweep", "pairs", "portraits")
RELU = "relu"
ACTIVATIONS = (RELU, "relu6", "hard_tanh", "hard_sigmoid")
DEPTHS, WIDTHS = (1, 2, 4), (50, 100, 200)
BATCHES = (16, 32, 64, 128)
MOMENTA = (0.0, 0.9)
CLASSES = 10
SHIFT = 4  # pixels
# Gains of the portraits' initial weights, and a learning rate that each bears.
PORTRAIT_GAINS: Mapping[float, float] = MappingProxyType({1.0: 0.05, 1.4: 0.01})


@dataclass(frozen=True)
class Trial:
    """One network: its part of the study, data (see `experiments.trials.fingerprint`), architecture and training.

    Attributes
    ----------
    seed
        Of all draws; it also tells the sweep's networks apart, and what belongs to one pair.
    depth, width, activation
        Hidden layers, and units in each.
    gain
        Of the initial weights: their variance is gain² 2 / fan_in for relu and relu6, gain² / fan_in for the others.
    batch
        Examples a step; None for all.
    examples
        Training images.
    random_labels
        Whether a label is right only as often as chance would have it.
    copies
        Shifted copies of each training image that are added to it, by up to SHIFT pixels each way.
    """

    part: str
    dataset: str
    data: str
    seed: int
    depth: int
    width: int
    activation: str
    gain: float
    learning_rate: float
    batch: int | None
    examples: int
    momentum: float = 0.0
    random_labels: bool = False
    copies: int = 0

    @property
    def architecture(self) -> tuple[int, int, str]:
        """Depth, width and activation."""
        return self.depth, self.width, self.activation


@dataclass(frozen=True)
class Scale:
    """How much of the study is run: networks of the sweep for each data set, pairs for each factor, portraits.

    `examples` are the training images of the sweep's networks and of the portraits, `pair_examples` those of the
    pairs. So many networks of an architecture as `block` says follow one another in the sweep.
    """

    networks: int
    pairs: int
    portraits: int
    examples: int = 2000
    pair_examples: int = 1000
    block: int = 8  # enough for a rank correlation within an architecture


QUICK, DEFAULT, FULL = Scale(16, 3, 1, 300, 150, block=2), Scale(80, 42, 2), Scale(700, 44, 3)


class Factor(NamedTuple):
    """What the second network of a pair has that the first has not, and both sides in words.

    The paper finds that one side generalizes worse and has the larger Jacobian norm, and where `transitions_too` says
    so more transitions.
    """

    change: Mapping[str, Any]
    first: str
    second: str
    second_is_worse: bool = True
    transitions_too: bool = True


FACTORS: Mapping[str, Factor] = MappingProxyType(
    {
        "labels": Factor({"random_labels": True}, "true labels", "random labels"),
        "augmentation": Factor({"copies": 16}, "no augmentation", "shifted copies", second_is_worse=False),
        "nonlinearity": Factor({"activation": "hard_sigmoid"}, RELU, "hard sigmoid"),
        "optimiser": Factor({"batch": None}, "mini-batches", "full batches", transitions_too=False),
    }
)


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
    """The sweep on all data sets, the pairs and portraits on the first; raises what `check` raises."""
    check(data.values(), scale)
    named = [(name, fingerprint(each.checksums)) for name, each in data.items()]
    everywhere = [trial for each in named for trial in sweep(*each, scale)]
    # The first of a pair is there for every factor.
    return list(dict.fromkeys([*everywhere, *pairs(*named[0], scale), *portraits(*named[0], scale)]))


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
    looks = 3e4 if trial.part != PORTRAITS else 3e6
    return weights * (epochs * trial.examples * (1 + trial.copies / 2) + looks)


def check(datasets: Iterable[Dataset], scale: Scale) -> None:
    """Raise an error unless there are classes 0 to 9 in both files of each data set, and images enough to draw from.

    Raises
    ------
    ArgumentError
        For more examples than there are training images, or less than three of a class, which an ellipse goes through.
    DataError
        For other classes, or fewer training images than a pair is trained on.
    """
    for data in datasets:
        for part, labels in (("training", data.train_labels), ("test", data.test_labels)):
            if wrong := sorted(set(range(CLASSES)).symmetric_difference(np.unique(labels).tolist())):
                found = f"{'no' if wrong[0] < CLASSES else 'the'} label {wrong[0]} in the {part} file"
                raise DataError(f"{data.name}: found {found}, expected all of 0 to 9")
        n = len(data.train_labels)
        if scale.examples > n:
            images = f"{n}, the training images of {data.name}"
            raise ArgumentError(f"--examples: found {scale.examples}, expected at most {images}")
        # A class has its share of the examples, rounded down at worst.
        least = math.ceil(3 * n / np.bincount(data.train_labels).min())
        if scale.examples < least:
            found = f"found {scale.examples}, expected at least {least}"
            raise ArgumentError(f"--examples: {found}, three images of each class")
        if scale.pair_examples > n:
            wanted = f"expected at least {scale.pair_examples}, on which the pairs are trained"
            raise DataError(f"{data.name}: found {n} training images, {wanted}")


def swept(table: Table) -> dict[str, Table]:
    """The sweep's networks of each data set, by its title."""
    # Without any there is still an empty panel to draw.
    rows = table.where(part=SWEEP).by("dataset") or {"mnist": Table()}
    return {TITLES[name]: each for name, each in rows.items()}


def fitted(table: Table) -> dict[str, Table]:
    """The sweep's networks of each data set, by its title, that classify all their training examples right."""
    return {title: rows.where(training_accuracy=1) for title, rows in swept(table).items()}


def paired(table: Table, factor: str) -> tuple[Table, int]:
    """The pairs of a factor of which both networks fit, and the number of those that are lost.

    A row has the "first" and the "second" network of a pair, each a row of `table`, and the "depth" of both.
    """
    rows = table.where(part=PAIRS)
    seconds = rows.where(**FACTORS[factor].change)
    changes = [change for each in FACTORS.values() for change in each.change.items()]
    firsts = [row for row in rows if not any(row[name] == value for name, value in changes)]
    both = [
        {"depth": first["depth"], "first": first, "second": second}
        for first, second in zip(firsts, seconds, strict=True)
        if first["training_accuracy"] == second["training_accuracy"] == 1
    ]
    return Table(both), len(seconds) - len(both)
