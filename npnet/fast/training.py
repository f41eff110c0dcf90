"""Training, fast: what `npnet.descend` does with `sgd`, of one network or of several together, and its history.

ArgumentError, naming the argument, is raised for what is not as it is described.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import booleans
from npnet.backprop import as_examples, as_targets, check_theta, compiled_for
from npnet.errors import ArgumentError
from npnet.fast.descent import State, begin
from npnet.fast.kernels.step import Examples, Rule
from npnet.fast.layouts import compressed, no_rows
from npnet.fast.paths import DENSE, SPARSE_INPUTS, check_path, choose
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping, as_schedule
from npnet.training import SGD, check_batches

Theta = NDArray[np.floating]
Row = dict[str, float]


class Training(NamedTuple):
    """What `train` returns.

    Attributes
    ----------
    theta, velocity
        Parameters and momentum after the last epoch or, with early stopping, after the best.
    history
        A row of numbers for each epoch.
    epoch
        The epoch that was kept, from 1. 0: none was better than the start, for the stopping metric was NaN throughout,
        and `theta` is what training began with.
    path
        One of `npnet.fast.PATHS`, the way that was taken.
    """

    theta: Theta
    velocity: Theta
    history: list[Row]
    epoch: int
    path: str


def train(
    net: MLP,
    theta: "ArrayLike | Training",
    x: ArrayLike,
    y: ArrayLike,
    sgd: SGD | None = None,
    *,
    rng: np.random.Generator | None = None,
    mask: ArrayLike | None = None,
    metrics: Sequence[str] = (),
    each_epoch: Callable[[Theta], Row] | None = None,
    **settings: Any,
) -> Training:
    """Train by gradient descent on the mean loss of each batch: `npnet.descend`, fast.

    Parameters
    ----------
    net, x, y
        Architecture, examples and labels as in `npnet.backprop`.
    theta
        Initial parameters, float32 or float64, not changed. Or a `Training` to go on from the epoch that was kept: with
        its velocity, and its history, schedule and patience continued.
    sgd, settings
        How: an `SGD`, or its fields as keywords (or both: keywords win).
    rng
        Shuffles the batches, with one permutation an epoch. None for full batches.
    mask
        (net.size,) booleans. Parameters where it is False must be zero in `theta` and stay exactly zero.
    metrics
        Names from `npnet.metrics.METRICS`, computed on the training examples from the logits that each one had when its
        batch was visited. With full batches these are exactly the metrics *before* the epoch's one step.
    each_epoch
        Called with a copy of the parameters after each epoch; the numbers that it returns join the epoch's row.

    Returns
    -------
    Training
        Rows of the history have "epoch" (from 1), "steps" (so far), "learning_rate" (of the last step), "train_loss",
        "train_<metric>", and what `each_epoch` returned. A diverged network shows NaN or inf and is not stopped.
    """
    (training,) = train_together(
        [net],
        [theta],
        x,
        y,
        sgd,
        rng=rng,
        masks=None if mask is None else [mask],
        metrics=metrics,
        each_epoch=None if each_epoch is None else lambda _, thetas: [each_epoch(thetas[0])],
        **settings,
    )
    return training


def train_together(
    nets: Sequence[MLP],
    thetas: Sequence[ArrayLike | Training],
    x: ArrayLike,
    y: ArrayLike,
    sgd: SGD | None = None,
    *,
    rng: np.random.Generator | None = None,
    masks: Sequence[ArrayLike] | None = None,
    metrics: Sequence[str] = (),
    each_epoch: Callable[[list[int], list[Theta]], Sequence[Row]] | None = None,
    **settings: Any,
) -> list[Training]:
    """Train several networks on the same examples in the same order: one pass over the images serves them all.

    Each is trained as `train` would, up to rounding. A network that stops early leaves the others.

    Parameters
    ----------
    nets
        Networks that differ in the widths of their hidden layers only.
    thetas, masks
        For each network what `train` takes; of one dtype, and after equally many epochs.
    each_epoch
        Called with the numbers of the networks that are still trained, and copies of their parameters; returns a row
        for each. See `npnet.fast.Validation`.
    x, y, sgd, rng, metrics, settings
        As for `train`; the choice of the path looks at all networks together, and holds for all.
    """
    sgd = _as_sgd(sgd, settings)
    runs = _runs(nets, thetas, masks, sgd.stop)
    net, dtype, done = nets[0], runs[0].state.theta.dtype, len(runs[0].history)
    dense = as_examples(net, x, dtype)
    n = len(dense)
    targets = as_targets(net, y, n, dtype)
    size = check_batches(n, sgd.batch_size, rng)
    names = (metrics,) if isinstance(metrics, str) else tuple(metrics)
    if "loss" in names:
        raise ArgumentError("metrics: found 'loss', which is always in the history, as train_loss; expected others")
    if names:
        # On logits of zero, so that a name or labels that do not fit are found before training.
        evaluate(y, np.zeros((n, net.outputs)), names)
    path = sgd.path
    if path is None:
        # What a path skips is times zero; that of infinity is NaN, and must be seen.
        finite = all(np.isfinite(run.state.theta).all() for run in runs)
        path = choose(nets, [run.state.mask for run in runs], dense) if finite else DENSE
    check_path(path, nets)
    rows = compressed(dense, dtype) if path == SPARSE_INPUTS and sgd.epochs else no_rows(dtype)
    examples = Examples(dense, rows, targets)
    schedule, rule = as_schedule(sgd.learning_rate), Rule(size, float(sgd.momentum), float(sgd.weight_decay))

    running, descent = runs, begin([run.state for run in runs], examples, rule, path)
    steps_an_epoch = -(-n // size)
    for epoch in range(done + 1, done + sgd.epochs + 1):
        order = np.arange(n) if rng is None else rng.permutation(n)
        steps = range((epoch - 1) * steps_an_epoch, epoch * steps_an_epoch)
        rates = np.array([schedule(step) for step in steps], dtype=np.float64)
        descent.epoch(order, rates)
        # To put the layers back in order takes a while, for nothing if nobody looks.
        if each_epoch or sgd.stop or epoch == done + sgd.epochs:
            for run, state in zip(running, descent.states(), strict=True):
                run.state = state
        extras: Sequence[Row] = [{} for _ in running]
        if each_epoch:
            extras = each_epoch([run.number for run in running], [run.state.theta.copy() for run in running])
            if len(extras) != len(running):
                raise ArgumentError(f"each_epoch: found {len(extras)} rows returned, expected {len(running)}")
        for run, logits, losses, extra in zip(running, *descent.seen, extras, strict=True):
            row = {"epoch": epoch, "steps": steps.stop, "learning_rate": float(rates[-1])}
            row["train_loss"] = float(losses.mean(dtype=np.float64))
            if names:
                row |= {f"train_{name}": value for name, value in evaluate(y, logits, names).items()}
            if not isinstance(extra, dict):
                raise ArgumentError(f"each_epoch: found {extra!r} returned, expected a dict for each network")
            if taken := row.keys() & extra.keys():
                raise ArgumentError(f"each_epoch: found {min(taken)!r} in what it returns, expected other names")
            run.add(row | extra)
        if any(run.stopped for run in running):
            running = [run for run in running if not run.stopped]
            if not running:
                break
            descent = begin([run.state for run in running], examples, rule, path)
    return [run.training(path) for run in runs]


class _Run:
    """What is kept of one network while it is trained."""

    def __init__(
        self, number: int, state: State, history: Sequence[Row], epoch: int, stop: EarlyStopping | None
    ) -> None:
        self.number, self.state, self._stop = number, state, stop
        self.history = list(history)
        self.stopped = False
        self._best, self._best_epoch = state, epoch
        self._best_value = self._metric(history[epoch - 1]) if epoch else math.nan

    def add(self, row: Row) -> None:
        """Take the numbers after an epoch, which belong to the state, and see whether it was the last."""
        self.history.append(row)
        if self._stop is None:
            return
        value, epoch = self._metric(row), len(self.history)
        enough = self._stop.suffices(value)
        if enough or self._stop.improved(value, self._best_value):
            self._best, self._best_value, self._best_epoch = self.state, value, epoch
        self.stopped = enough or epoch - self._best_epoch >= self._stop.patience

    def _metric(self, row: Row) -> float:
        if self._stop is None:
            return math.nan
        if self._stop.metric not in row:
            raise ArgumentError(f"stop: found metric {self._stop.metric!r}, expected one of {', '.join(row)}")
        return row[self._stop.metric]

    def training(self, path: str) -> Training:
        """The result, with the best parameters or the last ones."""
        kept, epoch = (self.state, len(self.history)) if self._stop is None else (self._best, self._best_epoch)
        return Training(kept.theta.copy(), kept.velocity.copy(), self.history, epoch, path)


def _as_sgd(sgd: SGD | None, settings: dict[str, Any]) -> SGD:
    if sgd is None:
        return SGD(**settings)
    if not isinstance(sgd, SGD):
        raise ArgumentError(f"sgd: found {sgd!r}, expected an npnet.SGD, or its fields as keywords")
    return replace(sgd, **settings)


def _runs(
    nets: Sequence[MLP],
    thetas: Sequence[ArrayLike | Training],
    masks: Sequence[ArrayLike] | None,
    stop: EarlyStopping | None,
) -> list[_Run]:
    """The networks before training; ArgumentError for what does not fit together."""
    if not nets:
        raise ArgumentError("nets: found none, expected at least one network")
    for name, given in (("thetas", thetas), ("masks", nets if masks is None else masks)):
        if len(given) != len(nets):
            raise ArgumentError(f"{name}: found {len(given)}, expected {len(nets)}, one for each network")
    runs: list[_Run] = []
    for number, (net, begun) in enumerate(zip(nets, thetas, strict=True)):
        same = (net.inputs, net.outputs, net.depth) == (nets[0].inputs, nets[0].outputs, nets[0].depth)
        if not same or net != replace(nets[0], widths=net.widths):
            raise ArgumentError(f"nets: found {net} beside {nets[0]}, expected other hidden widths at most")
        theta = check_theta(net, begun.theta if isinstance(begun, Training) else begun)
        if theta.dtype.kind != "f":
            raise ArgumentError(f"theta: found dtype {theta.dtype}, expected float32 or float64 to train")
        velocity, history, epoch = np.zeros_like(theta), list[Row](), 0
        if isinstance(begun, Training):
            velocity = compiled_for(net.check_shape(begun.velocity, "velocity"), theta.dtype)
            history, epoch = begun.history, begun.epoch
        mask = np.ones(net.size, dtype=np.bool_)
        if masks is not None:
            mask = compiled_for(booleans("mask", masks[number], (net.size,)))
            _check_removed(net, theta, mask)
        runs.append(_Run(number, State(net, theta, velocity, mask), history, epoch, stop))
        first = runs[0]
        if theta.dtype != first.state.theta.dtype:
            raise ArgumentError(f"thetas: found {theta.dtype} beside {first.state.theta.dtype}, expected one dtype")
        if len(history) != len(first.history):
            both = f"{len(history)} epochs of training beside {len(first.history)}"
            raise ArgumentError(f"thetas: found {both}, expected equally many")
    return runs


def _check_removed(net: MLP, theta: Theta, mask: NDArray[np.bool_]) -> None:
    removed = np.flatnonzero(~mask & (theta != 0))
    if removed.size:
        name = net.parameter_name(int(removed[0]))
        raise ArgumentError(
            f"theta: found {theta[removed[0]]} at {name}, which the mask removes; expected 0 (apply_mask)"
        )
