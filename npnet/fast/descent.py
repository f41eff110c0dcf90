"""An epoch of gradient descent, on each of the paths: what `npnet.fast.training` calls again and again.

A descent holds the state of its networks, in the layout of its path, and the memory that the kernels need.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.fast.kernels import pruned, stack
from npnet.fast.kernels.pruned import pruned_epoch
from npnet.fast.kernels.stack import stack_epoch
from npnet.fast.kernels.step import Examples, Rule, Seen, Shape, Vectors
from npnet.fast.layouts import Pruned, Stack, aligned
from npnet.fast.paths import SPARSE_INPUTS, SPARSE_WEIGHTS
from npnet.kernels.losses import LOSSES
from npnet.kernels.passes import CHUNK
from npnet.mlp import MLP

Array = NDArray[Any]


class State(NamedTuple):
    """A network in training: its parameters, its velocity and its mask, all shaped like theta."""

    net: MLP
    theta: Array
    velocity: Array
    mask: NDArray[np.bool_]


class Descent:
    """Descent of several networks at once.

    Attributes
    ----------
    seen
        Logits and losses of each example as its batch was visited, in the last epoch.
    """

    def __init__(self, layout: Stack | Pruned, states: Sequence[State], examples: Examples, rule: Rule) -> None:
        self._layout, self._states, self._examples, self._rule = layout, tuple(states), examples, rule
        self._thetas, self._velocities, masks = zip(*(state[1:] for state in states), strict=True)
        theta = layout.pack(self._thetas)
        gradient = aligned(theta.size, theta.dtype)
        self._vectors = Vectors(theta, layout.pack(self._velocities), layout.pack(masks), gradient)
        _, bias, activation = states[0].net.structure
        self._shape = Shape(layout.widths, bias, activation, LOSSES.index(states[0].net.loss))
        targets = examples.targets
        logits = np.empty((len(states), *targets.shape), dtype=theta.dtype)
        self.seen = Seen(logits, np.empty(logits.shape[:2], dtype=theta.dtype))
        memory = (CHUNK, states[0].net.inputs), (CHUNK, targets.shape[1]), CHUNK
        self._memory = tuple(aligned(shape, theta.dtype) for shape in memory)

    def states(self) -> list[State]:
        """The networks as they are now."""
        thetas = self._layout.unpack(self._vectors.theta, self._thetas)
        velocities = self._velocities
        if self._rule.momentum:
            velocities = self._layout.unpack(self._vectors.velocity, velocities)
        together = zip(self._states, thetas, velocities, strict=True)
        return [state._replace(theta=theta, velocity=velocity) for state, theta, velocity in together]


class StackDescent(Descent):
    """Descent on the paths "dense" and "sparse inputs"."""

    def __init__(self, states: Sequence[State], examples: Examples, rule: Rule, sparse: bool) -> None:
        layout = Stack([state.net for state in states], sparse)
        super().__init__(layout, states, examples, rule)
        self._sparse, dtype = sparse, self._vectors.theta.dtype
        self._plain = not rule.momentum and not rule.weight_decay and all(state.mask.all() for state in states)
        widest = CHUNK * int(layout.widths.sum(axis=1).max())
        shapes = (CHUNK, layout.units), (CHUNK, layout.units), widest, widest
        self._workspace = stack.Workspace(*self._memory, *(aligned(shape, dtype) for shape in shapes))

    def epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> None:
        """Visit the examples in `order`, with a learning rate for each step."""
        stack_epoch(
            self._vectors, self._shape, self._sparse, self._plain, self._examples, order, rates, self._rule,
            self._workspace, self.seen,
        )  # fmt: skip


class PrunedDescent(Descent):
    """Descent on the path "sparse weights"."""

    def __init__(self, states: Sequence[State], examples: Examples, rule: Rule) -> None:
        nets, masks = [state.net for state in states], [state.mask for state in states]
        layout = Pruned(nets, masks, _moving_inputs(states, examples, rule))
        super().__init__(layout, states, examples, rule)
        self._kept = layout.kept
        units = [aligned(CHUNK * int(layout.widths.sum()), self._vectors.theta.dtype) for _ in range(2)]
        self._workspace = pruned.Workspace(*self._memory, *units)

    def epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> None:
        """Visit the examples in `order`, with a learning rate for each step."""
        pruned_epoch(
            self._vectors, self._kept, self._shape, self._examples, order, rates, self._rule, self._workspace, self.seen
        )


def _moving_inputs(states: Sequence[State], examples: Examples, rule: Rule) -> NDArray[np.bool_]:
    """The inputs whose weights may change or be seen: not those that are zero in every example, and left alone."""
    moving = np.asarray(examples.dense.any(axis=0)) | bool(rule.weight_decay)
    for net, theta, velocity, _ in states:
        # Times zero, infinity is NaN.
        moving |= ~np.isfinite(net.unpack(theta)[0].weights).all(axis=0)
        moving |= net.unpack(velocity)[0].weights.any(axis=0)
    return moving


def begin(states: Sequence[State], examples: Examples, rule: Rule, path: str) -> StackDescent | PrunedDescent:
    """A descent of the networks from where they are, on one of `npnet.fast.paths.PATHS`."""
    if path == SPARSE_WEIGHTS:
        return PrunedDescent(states, examples, rule)
    return StackDescent(states, examples, rule, path == SPARSE_INPUTS)
