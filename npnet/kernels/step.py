"""Stochastic gradient descent: one step, and an epoch of them."""

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.passes import Integers, Matrix, Vector, batch_gradient
from npnet.kernels.policy import kernel


@kernel
def sgd_step(
    theta: Vector,
    velocity: Vector,
    mask: NDArray[np.bool_],
    gradient: Vector,
    rate: float,
    momentum: float,
    weight_decay: float,
) -> None:
    """One step on the parameters that `mask` keeps; the others are not touched.

    v <- momentum v + gradient + weight_decay theta;  theta <- theta - rate v.
    """
    rate, momentum = theta.dtype.type(rate), theta.dtype.type(momentum)
    weight_decay = theta.dtype.type(weight_decay)
    for i in range(theta.size):
        if mask[i]:
            velocity[i] = momentum * velocity[i] + gradient[i] + weight_decay * theta[i]
            theta[i] -= rate * velocity[i]


@kernel
def sgd_epoch(
    theta: Vector,
    velocity: Vector,
    mask: NDArray[np.bool_],
    gradient: Vector,
    widths: Integers,
    bias: bool,
    activation: int,
    loss: int,
    examples: Matrix,
    targets: Matrix,
    order: Integers,
    batch_size: int,
    rates: NDArray[np.float64],
    momentum: float,
    weight_decay: float,
    trace: Vector,
    deltas: Vector,
    logits: Matrix,
    losses: Vector,
) -> None:
    """One pass over the examples in `order`, a step for each `batch_size` of them with its own learning rate.

    `theta` and `velocity` are updated in place. `logits` and `losses` are those that each example had when its batch
    was visited, before that batch's step.
    """
    for step in range(rates.size):
        rows = order[step * batch_size : (step + 1) * batch_size]
        batch_gradient(
            theta, widths, bias, activation, loss, examples, targets, rows, trace, deltas, logits, losses, gradient
        )
        sgd_step(theta, velocity, mask, gradient, rates[step], momentum, weight_decay)
