"""The two ways of training, and the trials that the study is made of.

*As released*: what the paper's code does. Full-batch gradient descent, 100 steps, balanced data, the paper's own draws;
tested on the training set and on the held-out fifth of the training file.

*Corrected*: minibatch SGD until the loss on a validation fifth has not improved for five epochs, the parameters of
the best epoch, new draws for each trial; tested once, on the official test file. The initialisation is the paper's, so
that only the training differs. The learning rate is the one of those searched with the lowest validation loss.
"""

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import published as paper
from experiments.low_capacity import released
from experiments.table import Table
from experiments.trials import fingerprint, stream
from npnet.data.datasets import Dataset, digit_pair, stratified_split
from npnet.errors import DataError
from npnet.fast import Training, Validation, train_together
from npnet.mlp import MLP
from npnet.pruning import apply_mask, magnitude, prune
from npnet.schedules import EarlyStopping
from npnet.training import SGD

AS_RELEASED, CORRECTED = ARMS = ("as released", "corrected")
# What a trial is for: the networks of both arms with all that is measured of them, and three further parts.
NETWORKS, RATES, DIFFICULTY, LIMITS = ("networks", "learning rates", "difficulty", "limits of sparsity")

EPOCHS = paper.EPOCHS  # as released, each of one step
BATCH, PATIENCE, MOST_EPOCHS = 64, 5, 100
LINEAR = 0  # hidden units of a linear classifier
# Trained to convergence nearly every pair passes the paper's F1 with two units, so there the small widths are dense.
DIFFICULTY_WIDTHS = {AS_RELEASED: (2, 4, 8, 24), CORRECTED: (1, 2, 3, 4, 8, 32)}

Pair = tuple[int, int]
Theta = NDArray[np.floating]
# Is shown the numbers of the networks in training and copies of their parameters after each epoch; returns a row each.
Watch = Callable[[Sequence[int], Sequence[Theta]], list[dict[str, float]]]


@dataclass(frozen=True)
class Trial:
    """One network of one arm, for one part of the study.

    A `width` of 0 is a network without a hidden layer, a linear classifier. `levels` are the sparsities at which the
    network is trained again, in the part on the limits of sparsity.
    """

    arm: str
    low: int
    high: int
    width: int
    seed: int
    data: str
    learning_rate: float
    part: str = NETWORKS
    levels: tuple[float, ...] = ()

    @property
    def pair(self) -> Pair:
        """The two digits, the lower one first; it is class 0."""
        return self.low, self.high

    @property
    def digits(self) -> str:
        """Their name: "4v9"."""
        return f"{self.low}v{self.high}"


@dataclass(frozen=True)
class Scale:
    """How much of the study is run; as released there are no more seeds than the paper's three."""

    pairs: tuple[Pair, ...]
    widths: tuple[int, ...]
    seeds: int
    further_pairs: tuple[Pair, ...]  # of the part on difficulty
    further_widths: tuple[int, ...]  # of that on the limits of sparsity
    further_seeds: int  # of all parts but the first
    released_rates: tuple[float, ...]
    corrected_rates: tuple[float, ...]
    levels: tuple[float, ...]


_CORRECTED_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
_LEVELS = (0.85, 0.95, 0.98, 0.99, 0.995)
_SOME_WIDTHS = (2, 4, 8, 16, 24, 32, 64)
_ALL_PAIRS = tuple(itertools.combinations(range(10), 2))
QUICK = Scale(((0, 1), (4, 9)), (4, 24, 64), 1, ((0, 1), (4, 9)), (4, 64), 1, (0.01, 0.03), (0.1, 0.3), (0.9, 0.95))
DEFAULT = Scale(paper.PAIRS, paper.WIDTHS, 5, _ALL_PAIRS, _SOME_WIDTHS, 1, paper.RATES, _CORRECTED_RATES, _LEVELS)
FULL = dataclasses.replace(DEFAULT, seeds=10, further_widths=paper.WIDTHS, further_seeds=2)


def search(scale: Scale, data: Mapping[str, Dataset], found: Table) -> list[Trial]:
    """The networks of 4v9, of both arms, at every learning rate."""
    rates = {AS_RELEASED: scale.released_rates, CORRECTED: scale.corrected_rates}
    widths = dict.fromkeys(ARMS, scale.widths)
    return _trials(data["mnist"], RATES, rates, [paper.CLOSE_PAIR], widths, scale.further_seeds)


def networks(scale: Scale, data: Mapping[str, Dataset], found: Table) -> list[Trial]:
    """The networks of all other parts, of which the corrected arm has the learning rate that was `found` best."""
    mnist, rates = data["mnist"], {AS_RELEASED: (paper.RATE,), CORRECTED: (chosen_rate(found),)}
    widths, fewer = (dict.fromkeys(ARMS, each) for each in (scale.widths, scale.further_widths))
    with_linear = {arm: (LINEAR, *each) for arm, each in DIFFICULTY_WIDTHS.items()}
    sparse = _trials(mnist, LIMITS, rates, scale.pairs, fewer, scale.further_seeds)
    return [
        *_trials(mnist, NETWORKS, rates, scale.pairs, widths, scale.seeds),
        *(dataclasses.replace(t, levels=scale.levels) if t.arm == CORRECTED else t for t in sparse),
        *_trials(mnist, DIFFICULTY, rates, scale.further_pairs, with_linear, scale.further_seeds),
    ]


def _trials(
    data: Dataset,
    part: str,
    rates: Mapping[str, Sequence[float]],
    pairs: Sequence[Pair],
    widths: Mapping[str, Sequence[int]],
    seeds: int,
) -> list[Trial]:
    """The trials of a part, with learning rates and widths by arm; a DataError if a digit has no examples."""
    for name, labels in (("train-labels-idx1-ubyte", data.train_labels), ("t10k-labels-idx1-ubyte", data.test_labels)):
        missing = sorted({digit for pair in pairs for digit in pair}.difference(np.unique(labels).tolist()))
        if missing:
            raise DataError(f"{name}: found no label {missing[0]}, expected examples of every digit of the pairs")
    checksum = fingerprint(data.checksums)
    return [
        Trial(arm, *pair, width, seed, checksum, rate, part)
        for arm in ARMS
        for pair in pairs
        for rate in rates[arm]
        for width in widths[arm]
        for seed in (paper.SEEDS[:seeds] if arm == AS_RELEASED else range(seeds))
    ]


def chosen_rate(table: Table) -> float:
    """The corrected arm's learning rate: of those with the lowest mean validation loss the smallest.

    A rate at which a network diverged has no such loss and is not chosen.
    """
    losses = validation_losses(table)
    return min(sorted(losses), key=lambda rate: np.nan_to_num(losses[rate], nan=np.inf))


def validation_losses(table: Table) -> dict[float, float]:
    """Mean validation loss of the corrected arm by learning rate, over widths and seeds."""
    searched = table.where(part=RATES, arm=CORRECTED).by("learning_rate")
    return {rate: float(rows["validation_loss"].mean()) for rate, rows in searched.items()}


def cost(trial: Trial) -> float:
    """Time that a trial takes compared with others: a part for each example, and one for each example and unit."""
    trainings = 1 + 5 * len(trial.levels)  # five methods train again at each level
    return trainings * (100 if trial.arm == AS_RELEASED else 30) * (5.0 + trial.width)


class Examples(NamedTuple):
    """Images (n, rows, columns), bytes or corrupted floats, and labels (n,), 1 for the higher digit."""

    images: NDArray[Any]
    labels: NDArray[np.uint8]


class Task(NamedTuple):
    """The examples of a trial: to train on, to stop by, and to test on. As released, the last two are the same."""

    training: Examples
    validation: Examples
    test: Examples


@lru_cache(maxsize=4)
def task(arm: str, pair: Pair, seed: int, data: Dataset) -> Task:
    """The task of a trial, cut from `data`."""
    images, labels = digit_pair(data.train_images, data.train_labels, *pair)
    if arm == AS_RELEASED:
        training, validation = released.split(labels, seed)
    else:
        training, validation = stratified_split(labels, paper.HELD_OUT, stream(Draw.SPLIT, seed, *pair))
    held_out = Examples(images[validation], labels[validation])
    test = Examples(*digit_pair(data.test_images, data.test_labels, *pair))
    return Task(Examples(images[training], labels[training]), held_out, held_out if arm == AS_RELEASED else test)


def train_group(trial: Trial) -> tuple[Any, ...]:
    """What trials share whose networks see the same images in the same order, and so can be trained together."""
    return trial.part, trial.arm, trial.pair, trial.seed, trial.learning_rate, trial.width == LINEAR


def network(trial: Trial, examples: Task) -> MLP:
    """The trial's architecture: pixels, one hidden layer of relu units or none, one logit."""
    inputs = examples.training.images[0].size
    return MLP((inputs, trial.width, 1) if trial.width else (inputs, 1))


class Draw(IntEnum):
    """What random numbers are drawn for; see `stream`."""

    SPLIT = 1
    WEIGHTS = 2
    BATCHES = 3
    NOISE = 4
    PERMUTATION = 5
    PLACES = 6
    NEW_WEIGHTS = 7
    BATCHES_AGAIN = 8


def initial_theta(trial: Trial, net: MLP, *, replica: bool = False) -> Theta:
    """Weights N(0, 0.1²) and zero biases, in the arm of the paper and for its networks by its draws.

    A linear classifier starts from zero: 100 full-batch steps would not forget random weights.
    """
    if not trial.width:
        return np.zeros(net.size, dtype=np.float32)
    if trial.arm == AS_RELEASED and trial.pair in paper.PAIRS and trial.width in paper.WIDTHS and not replica:
        return released.initial_theta(net, trial.pair, trial.seed)
    return net.init(stream(Draw.WEIGHTS, trial.seed, *trial.pair, trial.width, replica), "normal")


def trained(
    trials: Sequence[Trial], examples: Task, *, replica: bool = False, watch: Watch | None = None
) -> list[Training]:
    """Train the networks of trials of one `train_group` as their arm says.

    A `replica` is the same network on the same data from another initialisation and, corrected, in another order.
    """
    nets = [network(trial, examples) for trial in trials]
    thetas = [initial_theta(trial, net, replica=replica) for trial, net in zip(trials, nets, strict=True)]
    first = trials[0]
    if first.arm == CORRECTED:
        batches = stream(Draw.BATCHES, first.seed, *first.pair, replica)
        return converged(nets, thetas, examples, first.learning_rate, batches, watch=watch)
    sgd = SGD(EPOCHS, first.learning_rate)
    return train_together(nets, thetas, *examples.training, sgd, metrics="f1", each_epoch=watch)


def converged(
    nets: Sequence[MLP],
    thetas: Sequence[Theta],
    examples: Task,
    learning_rate: float,
    rng: np.random.Generator,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    watch: Watch | None = None,
) -> list[Training]:
    """Train by minibatches until the loss on the validation examples stops falling; keep the best epoch's parameters.

    `masks` as in `npnet.train_together`; `rng` orders the batches.
    """
    validation = Validation(nets, *examples.validation, "f1", masks)

    def each_epoch(numbers: Sequence[int], thetas: Sequence[Theta]) -> list[dict[str, float]]:
        seen = watch(numbers, thetas) if watch else [{}] * len(numbers)
        return [row | more for row, more in zip(validation(numbers, thetas), seen, strict=True)]

    size, stop = min(BATCH, len(examples.training.labels)), EarlyStopping("validation_loss", PATIENCE)
    sgd = SGD(MOST_EPOCHS, learning_rate, size, stop=stop)
    return train_together(
        nets, thetas, *examples.training, sgd, rng=rng, masks=masks, metrics="f1", each_epoch=each_epoch
    )


def pruned(net: MLP, theta: Theta, share: float) -> Theta:
    """The paper's pruning: one-shot, by magnitude, each weight matrix by itself, biases kept, no retraining."""
    return apply_mask(theta, prune(net, magnitude(net, theta), share, scope="layer"))
