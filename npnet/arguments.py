"""What an argument must be, said in one sentence: ``X: found A, expected B``, with X the argument's name."""

import math
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from npnet.errors import ArgumentError


def integer(name: str, value: Any, lowest: int, highest: int | None = None, note: str = "") -> int:
    """`value` as an int from `lowest` to `highest`, both allowed; else ArgumentError. A bool or a float is none.

    `note` ends the error's sentence: where `highest` comes from.
    """
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or int(value) < lowest or (highest is not None and int(value) > highest):
        wanted = f"of at least {lowest}" if highest is None else f"from {lowest} to {highest}"
        raise ArgumentError(f"{name}: found {value!r}, expected an integer {wanted}{note}")
    return int(value)


def number(
    name: str,
    value: Any,
    lowest: float = -math.inf,
    highest: float = math.inf,
    *,
    above: bool = False,
    note: str = "",
) -> float:
    """`value` as a finite float from `lowest` to `highest`, both allowed; else ArgumentError. A bool or a str is none.

    With `above` it must be more than `lowest`. `note` ends the error's sentence.
    """
    real = isinstance(value, Real) and not isinstance(value, bool)
    if not real or not math.isfinite(value) or not lowest <= value <= highest or (above and value == lowest):
        least = "" if lowest == -math.inf else f" above {lowest:g}" if above else f" of at least {lowest:g}"
        most = "" if highest == math.inf else f"{' and' if least else ' of'} at most {highest:g}"
        raise ArgumentError(f"{name}: found {value!r}, expected a finite number{least}{most}{note}")
    return float(value)


def one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    """`value`, which must be one of `choices`; else ArgumentError."""
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{name}: found {value!r}, expected one of {', '.join(choices)}")
    return value


def floating(name: str, dtype: DTypeLike) -> np.dtype[Any]:
    """`dtype`, which must be float32 or float64, as a NumPy dtype; else ArgumentError."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = np.dtype(np.void)
    if found not in (np.float32, np.float64) or dtype is None:
        raise ArgumentError(f"{name}: found {dtype!r}, expected float32 or float64")
    return found


def array(name: str, values: ArrayLike) -> NDArray[Any]:
    """`values` as an array; ArgumentError for nested sequences of unlike lengths, which are none."""
    try:
        return np.asarray(values)
    except ValueError as error:
        raise ArgumentError(f"{name}: found parts of unlike shapes, expected one array") from error


def booleans(name: str, value: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """`value` as a boolean array of this shape, such as a mask; else ArgumentError."""
    found = array(name, value)
    if found.dtype != np.bool_ or found.shape != shape:
        raise ArgumentError(f"{name}: found {found.dtype} of shape {found.shape}, expected booleans of shape {shape}")
    return found


def reals(name: str, values: ArrayLike, kinds: str = "biuf") -> NDArray[Any]:
    """`values` as an array of real numbers, of these kinds of dtype; else ArgumentError."""
    found = array(name, values)
    if found.dtype.kind not in kinds:
        raise ArgumentError(f"{name}: found {found.dtype}, expected real numbers")
    return found


def table(name: str, values: ArrayLike) -> NDArray[Any]:
    """`values` as an array (n, columns) of finite real numbers, not empty; else ArgumentError."""
    found = reals(name, values)
    if found.ndim != 2 or found.size == 0:
        raise ArgumentError(f"{name}: found shape {found.shape}, expected (n, columns), not empty")
    bad = found.size - np.count_nonzero(np.isfinite(found))
    if bad:
        raise ArgumentError(f"{name}: found {bad} of {found.size} NaN or infinite, expected finite numbers")
    return found


def labels(values: ArrayLike, n: int, at_least: int = 1) -> NDArray[np.intp]:
    """The n labels, numbered anew from 0 to k - 1 for the k >= `at_least` classes that occur; else ArgumentError."""
    found = array("labels", values)
    if found.dtype.kind not in "biu":
        raise ArgumentError(f"labels: found {found.dtype}, expected integers")
    if found.shape != (n,):
        raise ArgumentError(f"labels: found shape {found.shape}, expected {(n,)}, one a row")
    occurring, classes = np.unique(found, return_inverse=True)
    if occurring.size < at_least:
        raise ArgumentError(f"labels: found {occurring.size} class, expected at least {at_least}")
    return classes
