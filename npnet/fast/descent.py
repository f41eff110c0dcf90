"""An epoch of gradient descent, on each of the paths: what `npnet.fast.training` calls again and again.

A descent holds the state of its networks, in the layout of its path, and the memory that the kernels need.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.fast.kernels.pruned import pruned_epoch
from npnet.fast.kernels.sparse import Rows
from npnet.fast.kernels.stack import Room, stack_epoch
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


class Examples(NamedTuple):
    """What is trained on: examples (n, inputs), the same as compressed rows or no rows, targets (n, outputs)."""

    dense: Array
    rows: Rows
    targets: Array


class Rule(NamedTuple):
    """v <- momentum v + gradient + weight_decay theta;  theta <- theta - rate v, after each `batch_size` examples."""

    batch_size: int
    momentum: float
    weight_decay: float


class _Descent:
    """Descent of several networks at once.

    Attributes
    ----------
    logits, losses
        (networks, n, outputs) and (networks, n), as each example had them when its batch was visited.
    """

    def __init__(self, layout: Stack | Pruned, states: Sequence[State], examples: Examples, rule: Rule) -> None:
        self._layout, self._states, self._examples, self._rule = layout, states, examples, rule
        self._net = states[0].net
        self._theta, self._velocity, self._mask = map(layout.pack, zip(*(state[1:] for state in states), strict=True))
        dtype = self._theta.dtype
        self._gradient = aligned(self._theta.size, dtype)
        self._x = aligned((CHUNK, self._net.inputs), dtype)
        self.logits = np.empty((len(states), *examples.targets.shape), dtype=dtype)
        self.losses = np.empty(self.logits.shape[:2], dtype=dtype)

    def thetas(self) -> list[Array]:
        """The parameters of each network as they are now, as copies."""
        return self._layout.unpack(self._theta)

    def states(self) -> list[State]:
        """The networks as they are now."""
        arrays = zip(self._states, self.thetas(), self._layout.unpack(self._velocity), strict=True)
        return [State(state.net, theta, velocity, state.mask) for state, theta, velocity in arrays]


class StackDescent(_Descent):
    """Descent on the paths "dense" and "sparse inputs"."""

    def __init__(self, states: Sequence[State], examples: Examples, rule: Rule, sparse: bool) -> None:
        stack = Stack([state.net for state in states], sparse)
        super().__init__(stack, states, examples, rule)
        self._stack, dtype = stack, self._theta.dtype
        self._plain = not rule.momentum and not rule.weight_decay and all(state.mask.all() for state in states)
        widest = CHUNK * max(sum(net.widths[1:]) for net in stack.nets)
        self._room = Room(
            x=self._x,
            z=aligned((CHUNK, stack.units), dtype),
            delta=aligned((CHUNK, stack.units), dtype),
            trace=aligned(widest, dtype),
            deltas=aligned(widest, dtype),
        )

    def epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> None:
        """Visit the examples in `order`, with a learning rate for each step."""
        rule, examples = self._rule, self._examples
        _, bias, activation = self._net.structure
        stack_epoch(
            self._theta, self._velocity, self._mask, self._gradient, self._stack.widths, bias, activation,
            LOSSES.index(self._net.loss), self._stack.sparse, examples.dense, examples.rows, examples.targets, order,
            rule.batch_size, rates, rule.momentum, rule.weight_decay, self._plain, self._room, self.logits, self.losses,
        )  # fmt: skip


class PrunedDescent(_Descent):
    """Descent on the path "sparse weights"."""

    def __init__(self, states: Sequence[State], examples: Examples, rule: Rule) -> None:
        pruned = Pruned([state.net for state in states], [state.mask for state in states])
        super().__init__(pruned, states, examples, rule)
        self._pruned = pruned
        self._trace, self._deltas = (aligned(CHUNK * int(pruned.widths.sum()), self._theta.dtype) for _ in range(2))

    def epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> None:
        """Visit the examples in `order`, with a learning rate for each step."""
        rule, examples = self._rule, self._examples
        _, bias, activation = self._net.structure
        pruned_epoch(
            self._theta, self._velocity, self._mask, self._gradient, self._pruned.kept, self._pruned.widths, bias,
            activation, LOSSES.index(self._net.loss), examples.dense, examples.targets, order, rule.batch_size, rates,
            rule.momentum, rule.weight_decay, self._x, self._trace, self._deltas, self.logits, self.losses,
        )  # fmt: skip


def begin(states: Sequence[State], examples: Examples, rule: Rule, path: str) -> StackDescent | PrunedDescent:
    """A descent of the networks from where they are, on one of `npnet.fast.paths.PATHS`."""
    if path == SPARSE_WEIGHTS:
        return PrunedDescent(states, examples, rule)
    return StackDescent(states, examples, rule, path == SPARSE_INPUTS)
