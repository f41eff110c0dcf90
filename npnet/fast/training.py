"""Training: stochastic or full-batch gradient descent of one network, or of several together, and its history."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.backprop import as_examples, as_targets, check_theta, compiled_for
from npnet.errors import ArgumentError
from npnet.fast.descent import Examples, Rule, State, begin
from npnet.fast.layouts import Live, compressed, live_columns, no_rows
from npnet.fast.paths import DENSE, SPARSE_INPUTS, check_path, choose
from npnet.fast.validation import Validation
from npnet.metrics import evaluate
from npnet.mlp import MLP
from npnet.schedules import EarlyStopping, Schedule, as_schedule


class Training(NamedTuple):
    """What `train` returns: final (or best) parameters, a row of numbers for each epoch, and which epoch was kept.

    `epoch` counts from 1; without early stopping it is the last. 0 means that no epoch was better than the start:
    the stopping metric was NaN throughout, and `theta` is what training began with. `path` is one of
    `npnet.fast.paths.PATHS`, the way that was taken.
    """

    theta: NDArray[np.floating]
    history: list[dict[str, float]]
    epoch: int
    path: str


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
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    evaluate_theta: Callable[[NDArray[np.floating]], dict[str, float]] | None = None,
    stop: EarlyStopping | None = None,
    path: str | None = None,
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
    validation
        Other examples and their labels, on which the loss and the same metrics are computed after each epoch.
    evaluate_theta
        Called with a copy of the parameters after each epoch; its numbers join the epoch's row.
    stop
        Early stopping; None trains for all `epochs`.
    path
        One of `PATHS` in `npnet.fast.paths`; they agree up to rounding. None: the one that should be fastest for the
        network, mask and share of zeros in `x`.

    Returns
    -------
    Training
        Rows of the history have "epoch" (from 1), "steps" (so far), "learning_rate" (of the last step), "train_loss",
        "train_<metric>", with `validation` also "validation_loss" and "validation_<metric>", and what `evaluate_theta`
        returned. A diverged network shows NaN or inf and is not stopped.

    Raises
    ------
    ArgumentError
        For an argument outside what is said above, naming it.
    """
    (training,) = train_together(
        [net],
        [theta],
        x,
        y,
        epochs=epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        rng=rng,
        momentum=momentum,
        weight_decay=weight_decay,
        masks=None if mask is None else [mask],
        metrics=metrics,
        validation=validation,
        evaluate_theta=None if evaluate_theta is None else lambda _, theta: evaluate_theta(theta),
        stop=stop,
        path=path,
    )
    return training


def train_together(
    nets: Sequence[MLP],
    thetas: Sequence[ArrayLike],
    x: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int,
    learning_rate: float | Schedule,
    batch_size: int | None = None,
    rng: np.random.Generator | None = None,
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    masks: Sequence[NDArray[np.bool_]] | None = None,
    metrics: Sequence[str] = (),
    validation: tuple[ArrayLike, ArrayLike] | None = None,
    evaluate_theta: Callable[[int, NDArray[np.floating]], dict[str, float]] | None = None,
    stop: EarlyStopping | None = None,
    path: str | None = None,
) -> list[Training]:
    """Train several networks on the same examples in the same order: one pass over the images serves them all.

    Each is trained as `train` would, up to rounding. A network that stops early leaves the others.

    Parameters
    ----------
    nets
        Networks that differ in the widths of their hidden layers only.
    thetas, masks
        Initial parameters of each network, of one dtype, and its mask.
    evaluate_theta
        Called with the number of the network and a copy of its parameters.
    x, y, epochs, learning_rate, batch_size, rng, momentum, weight_decay, metrics, validation, stop, path
        As for `train`; the choice of the path looks at all networks together, and holds for all.

    Returns
    -------
    list of Training
        In the order of `nets`.

    Raises
    ------
    ArgumentError
        For an argument outside what is said above, naming it.
    """
    states = _states(nets, thetas, masks)
    net, dtype = nets[0], states[0].theta.dtype
    dense = as_examples(net, x, dtype)
    n = len(dense)
    targets = as_targets(net, y, n, dtype)
    _check(n, epochs, batch_size, rng, momentum, weight_decay)
    if metrics:
        if "loss" in metrics:
            raise ArgumentError("metrics: found 'loss', which is always in the history, as train_loss; expected others")
        # On logits of zero, so that a name or labels that do not fit are found before training.
        evaluate(y, np.zeros((n, net.outputs)), metrics)
    # What is skipped must stay as it is: times zero, infinity would be NaN, and decay needs no gradient.
    finite = all(np.isfinite(state.theta).all() for state in states)
    if path is None:
        path = choose(nets, [state.mask for state in states], dense) if finite else DENSE
    check_path(path, nets)
    judge = validation and Validation(nets, [state.mask for state in states], *validation, metrics, dtype, path)
    skip = path != SPARSE_INPUTS and finite and not weight_decay
    live = Live(nets, live_columns(dense, epochs) if skip else np.arange(net.inputs))
    if len(live.columns) < net.inputs:
        dense = np.take(dense, live.columns, axis=1)
    rows = compressed(dense, dtype) if path == SPARSE_INPUTS and epochs else no_rows(dtype)
    examples = Examples(dense, rows, targets)
    schedule, rule = as_schedule(learning_rate), Rule(batch_size or n, momentum, weight_decay)

    small = [State(live.nets[k], *(live.pack(k, array) for array in state[1:])) for k, state in enumerate(states)]
    descent = begin(small, examples, rule, path)
    runs = [_Run(state.theta) for state in states]
    running = list(range(len(nets)))
    steps_an_epoch = -(-n // rule.batch_size)
    order = np.arange(n)
    for epoch in range(1, epochs + 1):
        if rng is not None:
            order = rng.permutation(n)
        first = (epoch - 1) * steps_an_epoch
        rates = np.array([schedule(step) for step in range(first, first + steps_an_epoch)], dtype=np.float64)
        descent.epoch(order, rates)
        # To put the layers back in order takes a while, for nothing if nobody looks.
        if judge or evaluate_theta or stop or epoch == epochs:
            for number, theta in zip(running, descent.thetas(), strict=True):
                runs[number].theta = live.unpack(number, theta, states[number].theta)
        judged = judge([runs[number].theta for number in running]) if judge else [{} for _ in running]
        for number, z, each, scores in zip(running, descent.logits, descent.losses, judged, strict=True):
            row: dict[str, float] = {"epoch": epoch, "steps": first + steps_an_epoch, "learning_rate": float(rates[-1])}
            row["train_loss"] = float(each.mean(dtype=np.float64))
            if metrics:
                row |= {f"train_{name}": value for name, value in evaluate(y, z, metrics).items()}
            row |= scores
            if evaluate_theta is not None:
                extra = evaluate_theta(number, runs[number].theta.copy())
                if taken := row.keys() & extra.keys():
                    raise ArgumentError(
                        f"evaluate_theta: found {min(taken)!r} in what it returns, expected other names"
                    )
                row |= extra
            runs[number].add(row, stop)
        if any(runs[number].stopped for number in running):
            places = [place for place, number in enumerate(running) if not runs[number].stopped]
            if not places:
                break
            left = descent.states()
            small, running = [left[place] for place in places], [running[place] for place in places]
            judge = judge and judge.of(places)
            descent = begin(small, examples, rule, path)
    return [run.training(path, stop is not None) for run in runs]


class _Run:
    """What is kept of one network while it is trained."""

    def __init__(self, theta: NDArray[np.floating]) -> None:
        self.history: list[dict[str, float]] = []
        self.stopped = False
        self.theta = self._best = theta
        self._best_value, self._best_epoch = math.nan, 0

    def add(self, row: dict[str, float], stop: EarlyStopping | None) -> None:
        """Take the numbers after an epoch, which belong to `theta`, and see whether it was the last."""
        self.history.append(row)
        if stop is None:
            return
        if stop.metric not in row:
            raise ArgumentError(f"stop: found metric {stop.metric!r}, expected one of {', '.join(row)}")
        epoch = len(self.history)
        if stop.improved(row[stop.metric], self._best_value):
            self._best, self._best_value, self._best_epoch = self.theta, row[stop.metric], epoch
        self.stopped = epoch - self._best_epoch >= stop.patience or stop.suffices(row[stop.metric])

    def training(self, path: str, best: bool) -> Training:
        """The result, with the best parameters or the last ones."""
        if best:
            return Training(self._best.copy(), self.history, self._best_epoch, path)
        return Training(self.theta.copy(), self.history, len(self.history), path)


def _states(nets: Sequence[MLP], thetas: Sequence[ArrayLike], masks: Sequence[NDArray[np.bool_]] | None) -> list[State]:
    """The networks before training; ArgumentError for what does not fit together."""
    if not nets:
        raise ArgumentError("nets: found none, expected at least one network")
    for name, given in (("thetas", thetas), ("masks", nets if masks is None else masks)):
        if len(given) != len(nets):
            raise ArgumentError(f"{name}: found {len(given)}, expected {len(nets)}, one for each network")
    states: list[State] = []
    for number, (net, theta) in enumerate(zip(nets, thetas, strict=True)):
        same = (net.inputs, net.outputs, net.depth) == (nets[0].inputs, nets[0].outputs, nets[0].depth)
        if not same or net != replace(nets[0], widths=net.widths):
            raise ArgumentError(f"nets: found {net} beside {nets[0]}, expected other hidden widths at most")
        theta = check_theta(net, theta)
        if theta.dtype.kind != "f":
            raise ArgumentError(f"theta: found dtype {theta.dtype}, expected float32 or float64 to train")
        if states and theta.dtype != states[0].theta.dtype:
            raise ArgumentError(f"thetas: found {theta.dtype} beside {states[0].theta.dtype}, expected one dtype")
        mask = np.ones(net.size, dtype=np.bool_) if masks is None else compiled_for(masks[number])
        _check_mask(net, theta, mask)
        states.append(State(net, theta, np.zeros_like(theta), mask))
    return states


def _check(
    n: int,
    epochs: int,
    batch_size: int | None,
    rng: np.random.Generator | None,
    momentum: float,
    weight_decay: float,
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


def _check_mask(net: MLP, theta: NDArray[np.floating], mask: NDArray[np.bool_]) -> None:
    net.check_shape(mask, "mask")
    if mask.dtype != np.bool_:
        raise ArgumentError(f"mask: found dtype {mask.dtype}, expected bool")
    pruned = np.flatnonzero(~mask & (theta != 0))
    if pruned.size:
        name = net.parameter_name(int(pruned[0]))
        raise ArgumentError(
            f"theta: found {theta[pruned[0]]} at {name}, which the mask removes; expected 0 (apply_mask)"
        )
