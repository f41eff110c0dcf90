"""Training: stochastic or full-batch gradient descent, schedules, early stopping and a history."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.backprop import as_examples, as_targets, check_theta, compiled_for
from npnet.errors import ArgumentError
from npnet.kernels.losses import LOSSES
from npnet.kernels.passes import CHUNK
from npnet.kernels.step import sgd_epoch
from npnet.metrics import evaluate
from npnet.mlp import MLP

Schedule = Callable[[int], float]


def step_decay(rate: float, every: int, factor: float = 0.1) -> Schedule:
    """Learning rate `rate` * `factor`^floor(step / every): multiplied by `factor` each `every` steps."""
    _check_steps("every", every)
    return lambda step: rate * factor ** (step // every)


def cosine(rate: float, steps: int) -> Schedule:
    """Learning rate that falls from `rate` to 0 along half a cosine in `steps` steps, and stays there.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts.
    """
    _check_steps("steps", steps)
    return lambda step: rate * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2


def warmup(schedule: float | Schedule, steps: int) -> Schedule:
    """`schedule` times a factor that grows linearly from 1/`steps` to 1 in the first `steps` steps."""
    _check_steps("steps", steps)
    then = _as_schedule(schedule)
    return lambda step: then(step) * min(1.0, (step + 1) / steps)


def _check_steps(name: str, steps: int) -> None:
    if steps < 1:
        raise ArgumentError(f"{name}: found {steps}, expected at least 1")


def _as_schedule(rate: float | Schedule) -> Schedule:
    return rate if callable(rate) else lambda step: rate


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `metric`, a column of the history, has not improved for `patience` epochs; keep the best parameters.

    Parameters
    ----------
    metric
        Name of a number in each epoch's row of the history, such as "train_loss" or a key of `evaluate`'s result.
    patience
        Epochs without improvement after which training stops, at least 1.
    larger_is_better
        False for a loss, True for an accuracy.
    """

    metric: str
    patience: int
    larger_is_better: bool = False

    def __post_init__(self) -> None:
        if self.patience < 1:
            raise ArgumentError(f"patience: found {self.patience}, expected at least 1")

    def improved(self, value: float, best: float) -> bool:
        """Whether `value` beats `best`. NaN never does, and anything beats NaN, the best before the first epoch."""
        if math.isnan(best):
            return not math.isnan(value)
        return value > best if self.larger_is_better else value < best


class Training(NamedTuple):
    """What `train` returns: final (or best) parameters, a row of numbers for each epoch, and which epoch was kept.

    `epoch` counts from 1; without early stopping it is the last. 0 means that no epoch was better than the start:
    the stopping metric was NaN throughout, and `theta` is what training began with.
    """

    theta: NDArray[np.floating]
    history: list[dict[str, float]]
    epoch: int


def train(
    net: MLP,
    theta: ArrayLike,
    x: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int,
    learning_rate: float | Schedule,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    mask: NDArray[np.bool_] | None = None,
    metrics: Sequence[str] = (),
    evaluate_theta: Callable[[NDArray[np.floating]], dict[str, float]] | None = None,
    stop: EarlyStopping | None = None,
) -> Training:
    """Train by gradient descent on the mean loss of each batch.

    v <- momentum v + gradient + weight_decay theta;  theta <- theta - rate v. Weight decay acts on all parameters,
    biases included. The last batch of an epoch is smaller when `batch_size` does not divide the number of examples.

    Parameters
    ----------
    net, theta, x, y
        Architecture, initial parameters (float32 or float64, not changed), examples and labels as in `npnet.backprop`.
    epochs
        Passes over the examples, at least 0.
    learning_rate
        A number, or a function of the number of steps taken so far (`step_decay`, `cosine`, `warmup`, your own).
    batch_size, rng
        Examples a step, shuffled anew by `rng` each epoch. None: full-batch gradient descent in the order of `x`,
        which draws nothing.
    momentum, weight_decay
        As in the equation above; 0 <= momentum < 1, weight_decay >= 0.
    mask
        (net.size,) booleans. Parameters where it is False must be zero in `theta` and stay exactly zero.
    metrics
        Names from `npnet.metrics.METRICS`, computed on the training examples from the logits that each one had when its
        batch was visited. With full batches these are exactly the metrics *before* the epoch's one step.
    evaluate_theta
        Called with a copy of the parameters after each epoch; its numbers join the epoch's row.
    stop
        Early stopping; None trains for all `epochs`.

    Returns
    -------
    Training
        Rows of the history have "epoch" (from 1), "steps" (so far), "learning_rate" (of the last step), "train_loss",
        "train_<metric>" and what `evaluate_theta` returned. A diverged network shows NaN or inf and is not stopped.

    Raises
    ------
    ArgumentError
        For an argument outside what is said above, naming it.
    """
    theta = check_theta(net, theta).copy()
    if theta.dtype.kind != "f":
        raise ArgumentError(f"theta: found dtype {theta.dtype}, expected float32 or float64 to train")
    examples = as_examples(net, x, theta.dtype)
    n = len(examples)
    targets = as_targets(net, y, n, theta.dtype)
    mask = np.ones(net.size, dtype=np.bool_) if mask is None else compiled_for(mask)
    _check(net, theta, n, epochs, batch_size, rng, momentum, weight_decay, mask)
    if metrics:
        if "loss" in metrics:
            raise ArgumentError("metrics: found 'loss', which is always in the history, as train_loss; expected others")
        # On logits of zero, so that a name or labels that do not fit are found before training.
        evaluate(y, np.zeros((n, net.outputs)), metrics)
    schedule, size = _as_schedule(learning_rate), batch_size or n

    steps_an_epoch = -(-n // size)
    velocity, gradient = np.zeros_like(theta), np.empty_like(theta)
    trace = np.empty(CHUNK * sum(net.widths), dtype=theta.dtype)
    deltas = np.empty_like(trace)
    logits, losses = np.empty((n, net.outputs), dtype=theta.dtype), np.empty(n, dtype=theta.dtype)
    order = np.arange(n)
    best, best_value, best_epoch = theta.copy(), math.nan, 0
    history: list[dict[str, float]] = []
    for epoch in range(1, epochs + 1):
        if rng is not None:
            order = rng.permutation(n)
        first = (epoch - 1) * steps_an_epoch
        rates = np.array([schedule(step) for step in range(first, first + steps_an_epoch)], dtype=np.float64)
        sgd_epoch(
            theta, velocity, mask, gradient, *net.structure, LOSSES.index(net.loss), examples, targets, order, size,
            rates, momentum, weight_decay, trace, deltas, logits, losses,
        )  # fmt: skip
        row: dict[str, float] = {"epoch": epoch, "steps": first + steps_an_epoch, "learning_rate": float(rates[-1])}
        row["train_loss"] = float(losses.mean(dtype=np.float64))
        if metrics:
            row |= {f"train_{name}": value for name, value in evaluate(y, logits, metrics).items()}
        if evaluate_theta is not None:
            extra = evaluate_theta(theta.copy())
            if taken := row.keys() & extra.keys():
                raise ArgumentError(f"evaluate_theta: found {min(taken)!r} in what it returns, expected other names")
            row |= extra
        history.append(row)
        if stop is None:
            continue
        if stop.metric not in row:
            raise ArgumentError(f"stop: found metric {stop.metric!r}, expected one of {', '.join(row)}")
        if stop.improved(row[stop.metric], best_value):
            best, best_value, best_epoch = theta.copy(), row[stop.metric], epoch
        elif epoch - best_epoch >= stop.patience:
            break
    return Training(theta, history, len(history)) if stop is None else Training(best, history, best_epoch)


def _check(
    net: MLP,
    theta: NDArray[np.inexact],
    n: int,
    epochs: int,
    batch_size: int | None,
    rng: np.random.Generator | None,
    momentum: float,
    weight_decay: float,
    mask: NDArray[np.bool_],
) -> None:
    if epochs < 0:
        raise ArgumentError(f"epochs: found {epochs}, expected at least 0")
    if batch_size is not None and not 1 <= batch_size <= n:
        raise ArgumentError(
            f"batch_size: found {batch_size}, expected 1 to {n}, the number of examples, or None for all"
        )
    if (rng is None) != (batch_size is None):
        raise ArgumentError("rng: expected a generator with a batch_size, to shuffle the batches, and none without")
    if not 0 <= momentum < 1:
        raise ArgumentError(f"momentum: found {momentum}, expected at least 0 and less than 1")
    if not 0 <= weight_decay < math.inf:
        raise ArgumentError(f"weight_decay: found {weight_decay}, expected a finite number of at least 0")
    net.check_shape(mask, "mask")
    if mask.dtype != np.bool_:
        raise ArgumentError(f"mask: found dtype {mask.dtype}, expected bool")
    pruned = np.flatnonzero(~mask & (theta != 0))
    if pruned.size:
        name = net.parameter_name(int(pruned[0]))
        raise ArgumentError(
            f"theta: found {theta[pruned[0]]} at {name}, which the mask removes; expected 0 (apply_mask)"
        )
