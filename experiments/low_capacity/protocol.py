"""The two ways of training, and the trials that an experiment is made of.

*As released*: what the paper's code does. Full-batch gradient descent, 100 steps, balanced data, the paper's own draws;
tested on the training set and on the held-out fifth of the training file.

*Corrected*: minibatch SGD until the loss on a validation fifth has not improved for five epochs, the parameters of
the best epoch, new draws for each trial; tested once, on the official test file. The initialisation is the paper's, so
that only the training differs. The learning rate is the one of `rates` with the lowest validation loss.

The study has parts, and a trial belongs to one: the networks of both arms with all that is measured of them, the search
for the learning rate, the difficulty of more pairs of digits, and the limits of sparsity.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache, partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import released
from experiments.low_capacity.published import EPOCHS, HELD_OUT, LEARNING_RATE, LEARNING_RATES, PAIRS, SEEDS, WIDTHS
from experiments.trials import stream
from npnet.data.datasets import Dataset, digit_pair, stratified_split
from npnet.errors import DataError
from npnet.fast import Training, Validation, train_together
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping

AS_RELEASED, CORRECTED = ARMS = ("as released", "corrected")

NETWORKS, RATES, DIFFICULTY, LIMITS = PARTS = ("networks", "learning rates", "difficulty", "limits of sparsity")

BATCH = 64
PATIENCE = 5
MOST_EPOCHS = 100


@dataclass(frozen=True)
class Trial:
    """One network of one arm: which digits, how many hidden units, which seed, on which data (see `fingerprint`).

    `part` says what the trial is for; a `width` of 0 is a network without a hidden layer, a linear classifier. `levels`
    are the sparsities at which the network is trained again, in the part on the limits of sparsity.
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
    def pair(self) -> tuple[int, int]:
        """The two digits, the lower one first; it is class 0."""
        return self.low, self.high


@dataclass(frozen=True)
class Scale:
    """How much of the study is run.

    Attributes
    ----------
    pairs, widths, seeds
        Of the networks; as released there are no more seeds than the paper's three.
    further_pairs, further_widths, further_seeds
        Of the other parts, `further_pairs` of the difficulty.
    released_rates, corrected_rates
        Among which the learning rate is looked for.
    levels
        Sparsities at which networks are retrained.
    """

    pairs: tuple[tuple[int, int], ...]
    widths: tuple[int, ...]
    seeds: int
    further_pairs: tuple[tuple[int, int], ...]
    further_widths: tuple[int, ...]
    further_seeds: int
    released_rates: tuple[float, ...]
    corrected_rates: tuple[float, ...]
    levels: tuple[float, ...]

    def arm_seeds(self, arm: str, seeds: int) -> Sequence[int]:
        """The seeds of an arm: 0, 1, 2, ... or, as released, those of the paper."""
        return SEEDS[:seeds] if arm == AS_RELEASED else range(seeds)


Theta = NDArray[np.floating]
Row = dict[str, float]
# Is shown the number of a network and its parameters after each epoch, may keep them, and may add to the epoch's row.
Watch = Callable[[int, Theta], Row]

ALL_PAIRS = tuple(itertools.combinations(range(10), 2))
_CORRECTED_RATES = (0.01, 0.03, 0.1, 0.3, 1.0)
_LEVELS = (0.85, 0.95, 0.98, 0.99, 0.995)
QUICK = Scale(((0, 1), (4, 9)), (4, 24, 64), 1, ((0, 1), (4, 9)), (4, 64), 1, (0.01, 0.03), (0.1, 0.3), (0.9, 0.95))
_SOME_WIDTHS = (2, 4, 8, 16, 24, 32, 64)
DEFAULT = Scale(PAIRS, WIDTHS, 5, ALL_PAIRS, _SOME_WIDTHS, 1, LEARNING_RATES, _CORRECTED_RATES, _LEVELS)
FULL = dataclasses.replace(DEFAULT, seeds=10, further_widths=WIDTHS, further_seeds=2)


def cost(trial: Trial) -> float:
    """Time that a trial takes compared with others: a part for each example, and one for each example and unit."""
    trainings = 1 + 5 * len(trial.levels)  # five methods train again at each level
    return trainings * (100 if trial.arm == AS_RELEASED else 30) * (5.0 + trial.width)


def trials(data: str, scale: Scale, learning_rate: float) -> list[Trial]:
    """The networks of both arms; `learning_rate` is the corrected arm's."""
    rates = {AS_RELEASED: LEARNING_RATE, CORRECTED: learning_rate}
    return [
        Trial(arm, low, high, width, seed, data, rates[arm])
        for arm in ARMS
        for low, high in scale.pairs
        for width in scale.widths
        for seed in scale.arm_seeds(arm, scale.seeds)
    ]


def check_digits(data: Dataset, wanted: Iterable[Trial]) -> None:
    """Raise DataError, naming the file, if a digit of a trial does not occur in the training or the test labels."""
    digits = {digit for trial in wanted for digit in trial.pair}
    for name, labels in (("train-labels-idx1-ubyte", data.train_labels), ("t10k-labels-idx1-ubyte", data.test_labels)):
        missing = sorted(digits.difference(np.unique(labels).tolist()))
        if missing:
            raise DataError(f"{name}: found no label {missing[0]}, expected examples of every digit of the pairs")


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
def task(arm: str, pair: tuple[int, int], seed: int, data: Dataset) -> Task:
    """The task of a trial, cut from `data`."""
    images, labels = digit_pair(data.train_images, data.train_labels, *pair)
    if arm == AS_RELEASED:
        training, validation = released.split(labels, seed)
    else:
        training, validation = stratified_split(labels, HELD_OUT, stream(Draw.SPLIT, seed, *pair))
    held_out = Examples(images[validation], labels[validation])
    test = Examples(*digit_pair(data.test_images, data.test_labels, *pair))
    return Task(Examples(images[training], labels[training]), held_out, held_out if arm == AS_RELEASED else test)


def train_group(trial: Trial) -> tuple[str, str, tuple[int, int], int, float, bool]:
    """What trials share whose networks see the same images in the same order, and so can be trained together."""
    return trial.part, trial.arm, trial.pair, trial.seed, trial.learning_rate, trial.width == 0


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
    if trial.arm == AS_RELEASED and trial.pair in PAIRS and trial.width in WIDTHS and not replica:
        return released.initial_theta(net, trial.pair, trial.seed)
    return net.init(stream(Draw.WEIGHTS, trial.seed, *trial.pair, trial.width, replica), "normal")


def trained(
    trials: Sequence[Trial], examples: Task, *, replica: bool = False, watch: Watch | None = None
) -> list[Training]:
    """Train the networks of trials of one `train_group` as their arm says.

    A `replica` is the same network on the same data from another initialisation and, corrected, in another order.
    `watch` is called with the number of a network and a copy of its parameters after each epoch.
    """
    nets = [network(trial, examples) for trial in trials]
    thetas = [initial_theta(trial, net, replica=replica) for trial, net in zip(trials, nets, strict=True)]
    if trials[0].arm == AS_RELEASED:
        settings: dict[str, Any] = {"epochs": EPOCHS, "learning_rate": trials[0].learning_rate}
        each_epoch = None if watch is None else partial(_watched, watch)
        return train_together(nets, thetas, *examples.training, metrics=("f1",), each_epoch=each_epoch, **settings)
    batches = stream(Draw.BATCHES, trials[0].seed, *trials[0].pair, replica)
    return converged(nets, thetas, examples, trials[0].learning_rate, batches, metrics=("f1",), watch=watch)


def converged(
    nets: Sequence[MLP],
    thetas: Sequence[Theta],
    examples: Task,
    learning_rate: float,
    rng: np.random.Generator,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    *,
    metrics: Sequence[str] = (),
    watch: Watch | None = None,
) -> list[Training]:
    """Train by minibatches until the loss on the validation examples stops falling; keep the best epoch's parameters.

    `masks` and `metrics` as in `npnet.train_together`, and the same metrics of the validation examples; `rng` orders
    the batches; `watch` as in `trained`.
    """
    validation = Validation(nets, *examples.validation, metrics, masks)

    def each_epoch(numbers: Sequence[int], thetas: Sequence[Theta]) -> list[Row]:
        rows = validation(numbers, thetas)
        if watch is None:
            return rows
        return [row | seen for row, seen in zip(rows, _watched(watch, numbers, thetas), strict=True)]

    return train_together(
        nets,
        thetas,
        *examples.training,
        epochs=MOST_EPOCHS,
        learning_rate=learning_rate,
        batch_size=min(BATCH, len(examples.training.labels)),
        rng=rng,
        masks=masks,
        metrics=metrics,
        each_epoch=each_epoch,
        stop=EarlyStopping("validation_loss", PATIENCE),
    )


def _watched(watch: Watch, numbers: Sequence[int], thetas: Sequence[Theta]) -> list[Row]:
    return [watch(number, theta) for number, theta in zip(numbers, thetas, strict=True)]
