"""What an epoch of the fast kernels works on, and the step of `npnet.training.sgd` in one pass over the parameters."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.fast.kernels.sparse import Rows
from npnet.kernels.passes import Integers, Matrix, Vector
from npnet.kernels.policy import kernel


class Shape(NamedTuple):
    """Of the networks: their `widths`, whether they have biases, the numbers of their activation and loss."""

    widths: NDArray[np.int64]
    bias: bool
    activation: int
    loss: int


class Vectors(NamedTuple):
    """An entry for each parameter, in the layout of the path. An epoch updates all but the mask."""

    theta: Vector
    velocity: Vector
    mask: NDArray[np.bool_]
    gradient: Vector


class Examples(NamedTuple):
    """What is trained on: examples (N, inputs), the same as compressed rows or no rows, targets (N, k)."""

    dense: Matrix
    rows: Rows
    targets: Matrix


class Rule(NamedTuple):
    """v <- momentum v + gradient + weight_decay theta;  theta <- theta - rate v, after each `batch_size` examples."""

    batch_size: int
    momentum: float
    weight_decay: float


class Seen(NamedTuple):
    """What an epoch leaves behind: `logits` (networks, N, k) and `losses` (networks, N).

    They are those that each example had when its batch was visited, before that batch's step.
    """

    logits: NDArray[np.floating]
    losses: Matrix


@kernel
def take(targets: Matrix, rows: Integers, out: Matrix) -> None:
    """Copy the `rows` of `targets` into `out`."""
    for i in range(rows.size):
        for c in range(out.shape[1]):
            out[i, c] = targets[rows[i], c]


@kernel
def sgd_step(vectors: Vectors, first: int, rate: float, rule: Rule) -> None:
    """The step on the parameters from `first` on that the mask keeps; the others are not touched.

    Without momentum the velocity is neither read nor written.
    """
    # Views that begin at 0: an index that could be negative would be tested for it.
    theta, velocity = vectors.theta[first:], vectors.velocity[first:]
    mask, gradient = vectors.mask[first:], vectors.gradient[first:]
    rate, momentum = theta.dtype.type(rate), theta.dtype.type(rule.momentum)
    decay = theta.dtype.type(rule.weight_decay)
    if momentum == 0:
        for i in range(theta.size):
            if mask[i]:
                theta[i] -= rate * (gradient[i] + decay * theta[i])
        return
    for i in range(theta.size):
        if mask[i]:
            velocity[i] = momentum * velocity[i] + (gradient[i] + decay * theta[i])
            theta[i] -= rate * velocity[i]
