"""An epoch of gradient descent, on each of the paths of `npnet.layouts`: what `npnet.sgd` calls again and again.

A descent holds the state of its networks, in the layout of its path, and the memory that the kernels need.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.losses import LOSSES
from npnet.kernels.passes import CHUNK
from npnet.kernels.pruned import pruned_epoch
from npnet.kernels.sparse import Rows
from npnet.kernels.stack import Room, stack_epoch
from npnet.layouts import Pruned, Stack, aligned
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


class StackDescent:
    """Descent of several networks at once, dense or with sparse inputs.

    Attributes
    ----------
    logits, losses
        (networks, n, outputs) and (networks, n), as each example had them when its batch was visited.
    """

    def __init__(self, states: Sequence[State], examples: Examples, rule: Rule, sparse: bool) -> None:
        nets = [state.net for state in states]
        self._examples, self._rule, self._stack = examples, rule, Stack(nets, sparse)
        self._theta = self._stack.pack([state.theta for state in states])
        self._velocity = self._stack.pack([state.velocity for state in states])
        self._mask = self._stack.pack([state.mask for state in states])
        self._masks = [state.mask for state in states]
        self._plain = not rule.momentum and not rule.weight_decay and all(mask.all() for mask in self._masks)
        dtype, units = self._theta.dtype, self._stack.units
        self._gradient = aligned(self._theta.size, dtype)
        widest = CHUNK * max(sum(net.widths[1:]) for net in nets)
        self._room = Room(
            x=aligned((CHUNK, nets[0].inputs), dtype),
            z=aligned((CHUNK, units), dtype),
            delta=aligned((CHUNK, units), dtype),
            trace=aligned(widest, dtype),
            deltas=aligned(widest, dtype),
        )
        self.logits = np.empty((len(nets), *examples.targets.shape), dtype=dtype)
        self.losses = np.empty(self.logits.shape[:2], dtype=dtype)

    def epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> None:
        """Visit the examples in `order`, with a learning rate for each step."""
        net, rule, examples = self._stack.nets[0], self._rule, self._examples
        _, bias, activation = net.structure
        stack_epoch(
            self._theta, self._velocity, self._mask, self._gradient, self._stack.widths, bias, activation,
            LOSSES.index(net.loss), self._stack.sparse, examples.dense, examples.rows, examples.targets, order,
            rule.batch_size, rates, rule.momentum, rule.weight_decay, self._plain, self._room, self.logits, self.losses,
        )  # fmt: skip

    def thetas(self) -> list[Array]:
        """The parameters of each network as they are now, as copies."""
        return self._stack.unpack(self._theta)

    def states(self) -> list[State]:
        """The networks as they are now."""
        velocities = self._stack.unpack(self._velocity)
        return [State(*state) for state in zip(self._stack.nets, self.thetas(), velocities, self._masks, strict=True)]


class PrunedDescent:
    """Descent of one network whose mask keeps few weights. Attributes as those of `StackDescent`, of one network."""

    def __init__(self, state: State, examples: Examples, rule: Rule) -> None:
        net, dtype = state.net, state.theta.dtype
        self._net, self._full_mask, self._examples, self._rule = net, state.mask, examples, rule
        self._layout = Pruned(net, state.mask)
        self._theta, self._velocity, self._mask = map(self._layout.pack, state[1:])
        self._gradient = aligned(self._theta.size, dtype)
        self._trace, self._deltas = (aligned(CHUNK * sum(net.widths), dtype) for _ in range(2))
        self.logits = np.empty((1, *examples.targets.shape), dtype=dtype)
        self.losses = np.empty(self.logits.shape[:2], dtype=dtype)

    def epoch(self, order: NDArray[np.int64], rates: NDArray[np.float64]) -> None:
        """Visit the examples in `order`, with a learning rate for each step."""
        rule, examples = self._rule, self._examples
        pruned_epoch(
            self._theta, self._velocity, self._mask, self._gradient, self._layout.kept, *self._net.structure,
            LOSSES.index(self._net.loss), examples.dense, examples.targets, order, rule.batch_size, rates,
            rule.momentum, rule.weight_decay, self._trace, self._deltas, self.logits[0], self.losses[0],
        )  # fmt: skip

    def thetas(self) -> list[Array]:
        """The parameters as they are now, as a copy."""
        return [self._layout.unpack(self._theta)]

    def states(self) -> list[State]:
        """The network as it is now."""
        (theta,) = self.thetas()
        return [State(self._net, theta, self._layout.unpack(self._velocity), self._full_mask)]
