"""The two ways of training, and the trials that an experiment is made of.

*As released*: what the paper's code does. Full-batch gradient descent, 100 steps, balanced data, the paper's own draws;
judged on the training set and on the held-out fifth of the training file.

*Corrected*: minibatch SGD until the loss on a validation fifth has not improved for five epochs, the parameters of
the best epoch, new draws for each trial; judged once, on the official test file. The initialisation is the paper's, so
that only the training differs. Of the learning rates 0.03, 0.1 and 0.3 (0v1, 3v8 and 4v9, widths 2 to 64) the largest
converged in the fewest epochs and lost nothing on validation.
"""

import functools
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity import released
from experiments.low_capacity.published import EPOCHS, HELD_OUT, LEARNING_RATE, PAIRS, SEEDS, WIDTHS
from npnet.backprop import forward
from npnet.datasets import Dataset, digit_pair, stratified_split
from npnet.errors import DataError
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping
from npnet.sgd import Training, train_together

AS_RELEASED, CORRECTED = ARMS = ("as released", "corrected")

CORRECTED_RATE = 0.3
BATCH = 64
PATIENCE = 5
MOST_EPOCHS = 100
QUICK_PAIRS, QUICK_WIDTHS = ((0, 1), (4, 9)), (4, 24, 64)


@dataclass(frozen=True)
class Trial:
    """One network of one arm: which digits, how many hidden units, which seed, on which data (see `fingerprint`)."""

    arm: str
    low: int
    high: int
    width: int
    seed: int
    data: str

    @property
    def pair(self) -> tuple[int, int]:
        """The two digits, the lower one first; it is class 0."""
        return self.low, self.high


def cost(trial: Trial) -> float:
    """Time that a trial takes compared with others: a part for each example, and one for each example and unit."""
    return (100 if trial.arm == AS_RELEASED else 30) * (5.0 + trial.width)


def fingerprint(checksums: Mapping[str, str]) -> str:
    """Twelve hexadecimal digits that stand for the content of the data files."""
    return hashlib.sha256("".join(f"{name} {checksums[name]}\n" for name in sorted(checksums)).encode()).hexdigest()[
        :12
    ]


def trials(data: str, seeds: int, quick: bool) -> list[Trial]:
    """All trials: `seeds` for the corrected arm, of which the released one takes as many as the paper had.

    The corrected arm's seeds are 0, 1, 2, ... The quick form has fewer pairs and widths.
    """
    pairs, widths = (QUICK_PAIRS, QUICK_WIDTHS) if quick else (PAIRS, WIDTHS)
    arm_seeds = {AS_RELEASED: SEEDS[:seeds], CORRECTED: range(seeds)}
    return [
        Trial(arm, low, high, width, seed, data)
        for arm in ARMS
        for low, high in pairs
        for width in widths
        for seed in arm_seeds[arm]
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
    """The examples of a trial: to train on, to stop by, and to judge by. As released, the last two are the same."""

    training: Examples
    validation: Examples
    judged: Examples


@functools.lru_cache(maxsize=4)
def task(arm: str, pair: tuple[int, int], seed: int, data: Dataset) -> Task:
    """The task of a trial, cut from `data`."""
    images, labels = digit_pair(data.train_images, data.train_labels, *pair)
    if arm == AS_RELEASED:
        training, validation = released.split(labels, seed)
    else:
        training, validation = stratified_split(labels, HELD_OUT, np.random.default_rng([seed, *pair]))
    held_out = Examples(images[validation], labels[validation])
    test = Examples(*digit_pair(data.test_images, data.test_labels, *pair))
    return Task(Examples(images[training], labels[training]), held_out, held_out if arm == AS_RELEASED else test)


def company(trial: Trial) -> tuple[str, tuple[int, int], int]:
    """What trials share whose networks see the same images in the same order, and so can be trained together."""
    return trial.arm, trial.pair, trial.seed


def network(trial: Trial, examples: Task) -> MLP:
    """The trial's architecture: pixels, one hidden layer of relu units, one logit."""
    return MLP((examples.training.images[0].size, trial.width, 1))


def trained(trials: Sequence[Trial], examples: Task) -> list[Training]:
    """Train the networks of trials of one `company` as their arm says."""
    arm, pair, seed = company(trials[0])
    nets = [network(trial, examples) for trial in trials]
    if arm == AS_RELEASED:
        thetas = [released.initial_theta(net, pair, seed) for net in nets]
        settings: dict[str, Any] = {"epochs": EPOCHS, "learning_rate": LEARNING_RATE}
        return train_together(nets, thetas, *examples.training, metrics=("f1",), **settings)

    def validate(number: int, theta: NDArray[np.floating]) -> dict[str, float]:
        logits = forward(nets[number], theta, examples.validation.images)
        scores = evaluate(examples.validation.labels, logits, ("loss", "f1"))
        return {f"validation_{name}": value for name, value in scores.items()}

    return train_together(
        nets,
        [net.init(np.random.default_rng([seed, *pair, net.widths[1]]), "normal") for net in nets],
        *examples.training,
        epochs=MOST_EPOCHS,
        learning_rate=CORRECTED_RATE,
        batch_size=min(BATCH, len(examples.training.labels)),
        # Of the batches; no network has a width of 0.
        rng=np.random.default_rng([seed, *pair, 0]),
        metrics=("f1",),
        evaluate_theta=validate,
        stop=EarlyStopping("validation_loss", PATIENCE),
    )
