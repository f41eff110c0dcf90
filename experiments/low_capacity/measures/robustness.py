"""Robustness without the confound: what corruption leaves of networks that are equally accurate on clean images.

A wider network is more accurate, and may do better under noise for no other reason. So each network is followed along
its training, and two are compared where they had the same clean accuracy.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from experiments.low_capacity.protocol import AS_RELEASED, CORRECTED, Task, Trial, network
from experiments.low_capacity.published import NOISE_WIDTHS
from npnet.fast import Training, forward
from npnet.metrics import accuracy, predict
from npnet.mlp import MLP

WIDTHS = (4, 12, *NOISE_WIDTHS)
# At which networks are looked at, beside the one that is kept: evenly spaced, or about so in their logarithm, for a
# minibatch epoch does most at first.
EPOCHS = {AS_RELEASED: tuple(range(10, 100, 10)), CORRECTED: (1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90)}

Theta = NDArray[np.floating]
Corrupted = tuple[str, float, NDArray[np.floating]]  # condition, level and all the test images
Row = dict[str, float]


class Checkpoints:
    """Keeps the parameters of networks in training at `EPOCHS`, for the trials of one `train_group` and of `WIDTHS`.

    It is what `protocol.trained` calls after each epoch.
    """

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._trials = trials
        self._passed = [0] * len(trials)
        self._kept: list[list[tuple[int, Theta]]] = [[] for _ in trials]

    def __call__(self, number: int, theta: Theta) -> dict[str, float]:
        """An epoch of a network is over; nothing joins its row."""
        self._passed[number] += 1
        trial, epoch = self._trials[number], self._passed[number]
        if trial.width in WIDTHS and epoch in EPOCHS[trial.arm]:
            self._kept[number].append((epoch, theta))
        return {}

    def until(self, number: int, training: Training) -> list[tuple[int, Theta]]:
        """Epoch and parameters of a network, in order; the last are those that its training returned."""
        before = [(epoch, theta) for epoch, theta in self._kept[number] if epoch < training.epoch]
        return [*before, (training.epoch, training.theta)]


def measure(
    trials: Sequence[Trial],
    trainings: Sequence[Training],
    checkpoints: Checkpoints,
    examples: Task,
    corrupted: Sequence[Corrupted],
) -> list[dict[str, Any]]:
    """The "trajectory" of each network of one `train_group`, see there, and nothing of networks of other widths."""
    return [
        {"trajectory": trajectory(network(trial, examples), checkpoints.until(number, training), examples, corrupted)}
        if trial.width in WIDTHS
        else {}
        for number, (trial, training) in enumerate(zip(trials, trainings, strict=True))
    ]


def trajectory(
    net: MLP, checkpoints: Sequence[tuple[int, Theta]], examples: Task, corrupted: Sequence[Corrupted]
) -> list[Row]:
    """Accuracy on the test examples along training: a row per checkpoint.

    A row has "epoch", "clean", and a number for each corruption under its condition and level: "gaussian noise 0.3".
    """
    conditions: list[tuple[str, NDArray[Any]]] = [("clean", examples.test.images)]
    conditions += [(f"{condition} {level:g}", images) for condition, level, images in corrupted]
    labels = examples.test.labels
    return [
        {"epoch": epoch} | {name: accuracy(labels, predict(forward(net, theta, images))) for name, images in conditions}
        for epoch, theta in checkpoints
    ]


def matched(trajectories: Mapping[int, Sequence[Row]], name: str) -> tuple[float, dict[int, float]]:
    """Accuracy under a corruption where all networks have the same clean accuracy, the largest that all reach.

    Parameters
    ----------
    trajectories
        Rows of `trajectory`, by width.
    name
        Of the corruption, as in the rows.

    Returns
    -------
    (float, dict)
        The clean accuracy, and the corrupted one by width as of `at_clean`.
    """
    level = min(max(row["clean"] for row in rows) for rows in trajectories.values())
    return level, {width: at_clean(rows, level, name) for width, rows in trajectories.items()}


def at_clean(rows: Sequence[Row], level: float, name: str) -> float:
    """The accuracy under the corruption `name` when the clean one first rises to `level` along a `trajectory`.

    Between two checkpoints both are taken to change in proportion. NaN if the level was passed before the first
    checkpoint or is never reached.
    """
    k = next((k for k, row in enumerate(rows) if row["clean"] >= level), None)
    if k is not None and rows[k]["clean"] == level:
        return rows[k][name]
    if not k:
        return np.nan
    before, after = rows[k - 1], rows[k]
    share = (level - before["clean"]) / (after["clean"] - before["clean"])
    return before[name] + share * (after[name] - before[name])
