"""What an argument must be, said in one sentence: ``X: found A, expected B``, with X the argument's name."""

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.errors import ArgumentError


def integer(name: str, value: object, lowest: int, highest: int | None = None) -> int:
    """`value` as an int from `lowest` to `highest`, both allowed; else ArgumentError. A bool or a float is none."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or int(value) < lowest or (highest is not None and int(value) > highest):  # type: ignore[call-overload]
        wanted = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise ArgumentError(f"{name}: found {value!r}, expected an integer {wanted}")
    return int(value)  # type: ignore[call-overload]


def number(
    name: str, value: object, lowest: float = -math.inf, highest: float = math.inf, *, above: bool = False
) -> float:
    """`value` as a finite float from `lowest` to `highest`, both allowed; else ArgumentError. A bool or a str is none.

    With `above` it must be more than `lowest`.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not lowest <= value <= highest or (above and value == lowest):  # type: ignore[arg-type, operator]
        least = "" if lowest == -math.inf else f" above {lowest:g}" if above else f" of at least {lowest:g}"
        most = "" if highest == math.inf else f"{' and' if least else ' of'} at most {highest:g}"
        raise ArgumentError(f"{name}: found {value!r}, expected a finite number{least}{most}")
    return float(value)  # type: ignore[arg-type]


def one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    """`value`, which must be one of `choices`; else ArgumentError."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{name}: found {value!r}, expected one of {', '.join(choices)}")
    return value


def booleans(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """`value` as a boolean array of this shape, such as a mask; else ArgumentError."""
    array = np.asarray(value)
    if array.dtype != np.bool_ or array.shape != shape:
        raise ArgumentError(f"{name}: found {array.dtype} of shape {array.shape}, expected booleans of shape {shape}")
    return array


def reals(name: str, values: ArrayLike, kinds: str = "biuf") -> NDArray[Any]:
    """The values as an array of real numbers, of these kinds of dtype; else ArgumentError."""
    array = np.asarray(values)
    if array.dtype.kind not in kinds:
        raise ArgumentError(f"{name}: found {array.dtype}, expected real numbers")
    return array


def table(name: str, values: ArrayLike) -> NDArray[Any]:
    """The values as an array (n, columns) of finite real numbers, not empty; else ArgumentError."""
    array = reals(name, values)
    if array.ndim != 2 or array.size == 0:
        raise ArgumentError(f"{name}: found shape {array.shape}, expected (n, columns), not empty")
    bad = array.size - np.count_nonzero(np.isfinite(array))
    if bad:
        raise ArgumentError(f"{name}: found {bad} of {array.size} NaN or infinite, expected finite numbers")
    return array


def labels(values: ArrayLike, n: int, at_least: int = 1) -> NDArray[np.intp]:
    """The n labels, numbered anew from 0 to k - 1 for the k >= `at_least` classes that occur; else ArgumentError."""
    array = np.asarray(values)
    if array.dtype.kind not in "biu":
        raise ArgumentError(f"labels: found {array.dtype}, expected integers")
    if array.shape != (n,):
        raise ArgumentError(f"labels: found shape {array.shape}, expected {(n,)}, one a row")
    occurring, classes = np.unique(array, return_inverse=True)
    if occurring.size < at_least:
        raise ArgumentError(f"labels: found {occurring.size} class, expected at least {at_least}")
    return classes
