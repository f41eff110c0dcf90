"""How the learning rate changes from step to step, and when training stops."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from npnet.arguments import integer, number
from npnet.errors import ArgumentError

# The learning rate of a step, from the number of steps taken before it: 0 for the first.
Schedule = Callable[[int], float]


def cosine(rate: float, steps: int) -> Schedule:
    """Learning rate that falls from `rate` to 0 along half a cosine in `steps` steps, and stays there.

    Source: Loshchilov and Hutter 2017, arXiv 1608.03983, equation 5, without restarts.
    """
    rate, steps = number("rate", rate, 0), integer("steps", steps, 1)
    return lambda step: rate * (1 + math.cos(math.pi * min(step, steps) / steps)) / 2


def as_schedule(rate: float | Schedule) -> Schedule:
    """A number as the schedule that never changes; a schedule that must return finite numbers. Else ArgumentError."""
    if callable(rate):
        return lambda step: number("learning_rate", rate(step))
    constant = number("learning_rate", rate, 0)
    return lambda step: constant


@dataclass(frozen=True)
class EarlyStopping:
    """Stop when `metric`, a column of the history, has not improved for `patience` epochs; keep the best parameters.

    Parameters
    ----------
    metric
        Name of a number in each epoch's row of the history, such as "train_loss".
    patience
        Epochs without improvement after which training stops, at least 1.
    larger_is_better
        False for a loss, True for an accuracy.
    enough
        A value of the metric that is good enough: training stops after an epoch that is as good, whose parameters are
        kept. None: no value is.
    """

    metric: str
    patience: int
    larger_is_better: bool = False
    enough: float | None = None

    def __post_init__(self) -> None:
        integer("patience", self.patience, 1)
        if self.enough is not None and (not isinstance(self.enough, Real) or math.isnan(self.enough)):
            raise ArgumentError(f"enough: found {self.enough!r}, expected a number or None")

    def improved(self, value: float, best: float) -> bool:
        """Whether `value` beats `best`. NaN never does, and anything beats NaN, the best before the first epoch."""
        if math.isnan(best):
            return not math.isnan(value)
        return value > best if self.larger_is_better else value < best

    def suffices(self, value: float) -> bool:
        """Whether `value` is at least as good as `enough`. NaN never is."""
        if self.enough is None:
            return False
        return value >= self.enough if self.larger_is_better else value <= self.enough
