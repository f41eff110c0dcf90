"""Stochastic gradient descent: one step."""

import numpy as np
from numpy.typing import NDArray

from npnet.kernels.passes import Vector
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

    v <- momentum v + gradient + weight_decay theta;  theta <- theta - rate v. Without momentum, `velocity` is neither
    read nor written.
    """
    rate, momentum = theta.dtype.type(rate), theta.dtype.type(momentum)
    weight_decay = theta.dtype.type(weight_decay)
    if momentum == 0:
        for i in range(theta.size):
            if mask[i]:
                theta[i] -= rate * (gradient[i] + weight_decay * theta[i])
        return
    for i in range(theta.size):
        if mask[i]:
            velocity[i] = momentum * velocity[i] + gradient[i] + weight_decay * theta[i]
            theta[i] -= rate * velocity[i]
