"""Training as one reads it: a loop that goes down a gradient, and what one may put into it.

`descend` is the definition. Whatever is done to gradients is a function `gradient_of`, whatever is done with them a
function `update`, and whoever wants to see a step stands in the loop::

    steps = descend(theta, batches(len(x), 64, rng), batch_gradient(net, x, y), sgd(0.1))
    for step in islice(steps, 1000):
        ...  # step.number, step.rows, step.loss, step.theta

`npnet.train` is this loop with `sgd`, faster, and with a history. ArgumentError is raised for what is not as it is
described.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.arguments import integer, number
from npnet.errors import ArgumentError
from npnet.pruning import Mask, apply_mask
from npnet.schedules import EarlyStopping, Schedule, as_schedule

Theta = NDArray[np.floating]
Rows = NDArray[np.int64]
Update = Callable[[Theta, Theta, int], Theta]


class Step(NamedTuple):
    """What `descend` yields after each step.

    Attributes
    ----------
    number
        Of the step, from 0.
    rows
        The batch.
    loss
        What `gradient_of` gave, at the parameters before the step.
    theta
        The parameters after it. Not a copy: do not write to it.
    """

    number: int
    rows: Rows
    loss: Any
    theta: Theta


def descend(
    theta: Theta,
    batches: Iterable[Rows],
    gradient_of: Callable[[Theta, Rows], tuple[Any, Theta]],
    update: Update,
    mask: Mask | None = None,
) -> Iterator[Step]:
    """Descend: for each batch a gradient, and a step from it.

    Parameters
    ----------
    theta
        Where to begin, any array of floating-point numbers: parameters, or whatever else is trained. Not changed.
    batches
        What `gradient_of` is to look at in each step, in general the numbers of examples. See `batches`.
    gradient_of
        A function of (theta, rows) that returns a loss and an array like theta. See `npnet.batch_gradient`.
    update
        A function of (theta, gradient, number of the step) that returns the next theta, a new array. See `sgd`.
    mask
        Booleans like theta. Where it is False, theta is zero from the start and stays exactly zero, and `update` is
        shown a gradient of zero.

    Yields
    ------
    Step
        As long as there are batches; leave the loop when you like.
    """
    if not isinstance(theta, np.ndarray) or theta.dtype.kind != "f":
        found = theta.dtype if isinstance(theta, np.ndarray) else type(theta).__name__
        raise ArgumentError(f"theta: found {found}, expected an array of floating-point numbers")
    theta = theta.copy() if mask is None else apply_mask(theta, mask)
    for step, rows in enumerate(batches):
        loss, gradient = gradient_of(theta, rows)
        if mask is not None:
            gradient = apply_mask(gradient, mask)
        new = np.asarray(update(theta, gradient, step))
        if new.shape != theta.shape or new.dtype.kind != "f":
            returned = f"{new.dtype} of shape {new.shape}"
            raise ArgumentError(f"update: found {returned} returned, expected floating-point numbers of {theta.shape}")
        theta = new if mask is None else apply_mask(new, mask)
        yield Step(step, rows, loss, theta)


def batches(n: int, size: int | None = None, rng: np.random.Generator | None = None) -> Iterator[Rows]:
    """Numbers of the examples 0 to n - 1 in batches, for ever: all of them, in an order drawn by `rng`, then anew.

    Parameters
    ----------
    n, size
        Examples in all, and in a batch; the last of each epoch is smaller where `size` does not divide `n`.
    rng
        Draws one permutation an epoch. Without `size` and `rng` every batch is all examples in their order.
    """
    step = check_batches(n, size, rng)

    def endless() -> Iterator[Rows]:
        while True:
            order = np.arange(n) if rng is None else rng.permutation(n)
            for start in range(0, n, step):
                yield order[start : start + step]

    return endless()


def check_batches(n: int, size: int | None, rng: np.random.Generator | None) -> int:
    """The size of batches of n examples, all n for None; ArgumentError as `batches` says."""
    n = integer("n", n, 1)
    if (rng is None) != (size is None):
        raise ArgumentError(
            f"rng: found {rng!r} with batch_size {size}, expected a generator with a batch size, to shuffle the "
            "batches, and none without"
        )
    return n if size is None else integer("batch_size", size, 1, n)


@dataclass
class sgd:
    """Update by gradient descent: v <- momentum v + gradient + weight_decay theta;  theta <- theta - rate v.

    Parameters
    ----------
    learning_rate
        A number, or a function of the number of steps taken so far (`cosine`, your own).
    momentum, weight_decay
        As in the equation; 0 <= momentum < 1, weight_decay >= 0. Decay acts on all parameters, biases included.
    velocity
        v, which every step replaces. Take it out of one descent and give it to the next, and they are one.
    """

    learning_rate: float | Schedule
    momentum: float = 0.0
    weight_decay: float = 0.0
    velocity: Theta | None = None

    def __post_init__(self) -> None:
        as_schedule(self.learning_rate)
        number("weight_decay", self.weight_decay, 0)
        if number("momentum", self.momentum, 0, 1) == 1:
            raise ArgumentError(f"momentum: found {self.momentum}, expected a finite number from 0 to below 1")

    def __call__(self, theta: Theta, gradient: Theta, step: int) -> Theta:
        """The parameters after the step."""
        rate = as_schedule(self.learning_rate)(step) if callable(self.learning_rate) else self.learning_rate
        decayed = gradient + theta.dtype.type(self.weight_decay) * theta
        self.velocity = decayed if self.velocity is None else theta.dtype.type(self.momentum) * self.velocity + decayed
        return theta - theta.dtype.type(rate) * self.velocity


@dataclass(frozen=True)
class SGD:
    """How `npnet.train` trains; it checks itself.

    Parameters
    ----------
    epochs
        Passes over the examples, at least 0.
    learning_rate
        As for `sgd`.
    batch_size
        Examples a step, shuffled anew each epoch. None: full-batch gradient descent in the order of the examples.
    momentum, weight_decay
        As for `sgd`.
    stop
        Early stopping; None trains for all `epochs`.
    path
        One of `npnet.fast.PATHS`, ways to compute that agree up to rounding; "dense" agrees with `descend` to the bit.
        None: the one that should be fastest.
    """

    epochs: int
    learning_rate: float | Schedule
    batch_size: int | None = None
    momentum: float = 0.0
    weight_decay: float = 0.0
    stop: EarlyStopping | None = None
    path: str | None = None

    def __post_init__(self) -> None:
        integer("epochs", self.epochs, 0)
        if self.batch_size is not None:
            integer("batch_size", self.batch_size, 1)
        sgd(self.learning_rate, self.momentum, self.weight_decay)
        if not isinstance(self.stop, EarlyStopping | None):
            raise ArgumentError(f"stop: found {self.stop!r}, expected an EarlyStopping or None")


def adam(learning_rate: float | Schedule, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8) -> Update:
    """Update by Adam: theta <- theta - rate m / (sqrt(v) + epsilon), m and v running means of g and g².

    m <- beta1 m + (1 - beta1) g and v <- beta2 v + (1 - beta2) g², each divided by 1 - beta^t after t steps.
    Source: Kingma and Ba 2015, arXiv 1412.6980, algorithm 1.
    """
    rate = as_schedule(learning_rate)
    beta1, beta2 = number("beta1", beta1, 0, 1), number("beta2", beta2, 0, 1)
    epsilon = number("epsilon", epsilon, 0, above=True)
    m: Any = 0.0
    v: Any = 0.0
    t = 0

    def update(theta: Theta, gradient: Theta, step: int) -> Theta:
        nonlocal m, v, t
        t += 1
        m = beta1 * m + (1 - beta1) * gradient
        v = beta2 * v + (1 - beta2) * gradient**2
        return theta - rate(step) * (m / (1 - beta1**t)) / (np.sqrt(v / (1 - beta2**t)) + epsilon)

    return update


def langevin(learning_rate: float | Schedule, temperature: float, rng: np.random.Generator) -> Update:
    """Update by Langevin dynamics: theta <- theta - rate gradient + sqrt(2 rate temperature) N(0, 1).

    For small rates and the gradient of all examples theta is distributed as exp(-loss / temperature) in the end; with
    the mean loss of N examples and temperature 1/N that is the posterior under a flat prior.
    Source: Welling and Teh 2011, "Bayesian learning via stochastic gradient Langevin dynamics", equation 4.
    """
    rate, temperature = as_schedule(learning_rate), number("temperature", temperature, 0)

    def update(theta: Theta, gradient: Theta, step: int) -> Theta:
        now = rate(step)
        noise = rng.standard_normal(theta.shape).astype(theta.dtype)
        return theta - now * gradient + math.sqrt(2 * now * temperature) * noise

    return update
