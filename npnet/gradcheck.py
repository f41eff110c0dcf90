"""Check a gradient derived by hand against numbers: central differences, or the complex step.

    def loss(theta): ...                       # float64 array -> float
    check_gradient(loss, gradient(theta), theta, name=net.parameter_name)

A central difference has a truncation error of order step^2 and a rounding error of about eps |f| / step. The
complex step, f'(x) = Im f(x + ih) / h, subtracts nothing and is exact to rounding, but f must be analytic
(tanh, exp and @, but not abs, relu or a comparison) and compute in complex numbers. At a kink neither means
anything: see `one_sided_slopes`.

Arrays must be float64, f's result too (complex128 for the complex step): ArgumentError is raised for others, for
shapes that do not fit, and where theta is so large that the step is lost in it.
"""

from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError, GradientError

Method = Literal["central", "complex"]

_STEPS = {"central": 1e-6, "complex": 1e-30}
_TOLERANCES = {"central": 1e-6, "complex": 1e-10}
# An f of some thousand additions is taken to be right to this many units in the last place.
_ULPS = 4


class GradientCheck(NamedTuple):
    """A check that passed: the largest |analytic - numeric| / scale, and where it was found."""

    relative_error: float
    where: str


def check_gradient(
    f: Callable[[NDArray[Any]], Any],
    gradient: NDArray[np.float64],
    theta: NDArray[np.float64],
    *,
    method: Method = "central",
    directions: int | None = None,
    rng: np.random.Generator | None = None,
    step: float | None = None,
    rtol: float | None = None,
    name: Callable[[int], str] | None = None,
) -> GradientCheck:
    """Compare an analytic gradient with a numeric one; raise GradientError where they differ.

    An entry is right when |analytic - numeric| <= rtol * scale + floor. The scale is the largest |analytic|
    or |numeric| found (at least the root mean square of `gradient`), so the test is the same for f and for
    1e-12 f. The floor, 4 eps max|f| / step, is the rounding error of a central difference (0 for the complex
    step). A floor above rtol * scale would let wrong gradients pass, and is refused; so to pass means
    agreement to 2 rtol * scale. Entries far below the largest are thus checked loosely: check such a block by
    itself, with an f of that block alone.

    Parameters
    ----------
    f : callable, float64 array -> float
        Gets arrays of theta's shape; of complex128, and returning complex, for the complex step.
    gradient : float64 array of theta's shape
        The analytic gradient of f at theta.
    theta : float64 array
        Of any shape, not empty. float32 cannot be checked: f's rounding error, 1e-7 |f|, is larger than its
        change over a step. Run the same code in float64.
    method : {"central", "complex"}
    directions : int, optional
        Compare derivatives along so many random unit vectors instead of each coordinate in turn: 2
        evaluations of f (1 for the complex step) for each direction instead of each parameter.
    rng : numpy.random.Generator
        Draws the directions; required with them.
    step : float, optional
        1e-6 for central differences, 1e-30 for the complex step.
    rtol : float, optional
        1e-6 for central differences, 1e-10 for the complex step.
    name : callable int -> str, optional
        Name of the parameter at a flat index, for messages: `net.parameter_name`. Default "theta[17]", or
        "theta[1, 2]" for a matrix.

    Returns
    -------
    GradientCheck

    Raises
    ------
    GradientError
        If an entry is wrong or not finite. The message has the worst parameter's name, its analytic and
        numeric values, and how many entries are wrong.
    ArgumentError
        If the floor is too high to tell right from wrong.
    """
    theta, gradient = _float64("theta", theta), _float64("gradient", gradient)
    if gradient.shape != theta.shape:
        raise ArgumentError(f"gradient: found shape {gradient.shape}, expected {theta.shape}, that of theta")
    h = _checked_step(method, step)
    tolerance = _positive("rtol", _TOLERANCES[method] if rtol is None else rtol)

    if directions is None:
        vectors, analytic, kind = _basis(theta), gradient.ravel(), "coordinates"
    else:
        units = _random_units(theta, directions, rng)
        vectors, kind = iter(units), "random directions"
        analytic = np.array([np.vdot(gradient, unit) for unit in units])

    def plain_name(index: int) -> str:
        return f"theta[{', '.join(map(str, np.unravel_index(index, theta.shape)))}]"

    slopes = [_slope(f, theta, vector, method, h) for vector in vectors]
    if slopes[0][0].shape != ():
        raise ArgumentError(f"f: found a result of shape {slopes[0][0].shape}, expected one number")
    numeric, floors = np.array(slopes, dtype=np.float64).T

    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(analytic - numeric)
        sizes = np.abs(np.hstack((np.sqrt(np.mean(gradient**2)), analytic, numeric)))
    # What is not finite is wrong by itself and must not widen the tolerance of the rest.
    scale = np.max(sizes, where=np.isfinite(sizes), initial=0.0)
    floor = np.max(floors, where=np.isfinite(floors), initial=0.0)
    right = error <= tolerance * scale + floor

    # The first NaN, if there is one: argmax takes it for the largest.
    worst = int(np.argmax(error))
    where = f"random direction {worst}" if directions is not None else (name or plain_name)(worst)
    if not right.all():
        raise GradientError(
            f"gradient: found {np.count_nonzero(~right)} of {right.size} {kind} wrong, the worst at {where}: "
            f"analytic {analytic[worst]}, numeric {numeric[worst]}, "
            f"expected to differ by at most {tolerance * scale + floor:.3g}"
        )
    if floor > tolerance * scale > 0:
        raise ArgumentError(
            f"step: found a rounding error of {floor:.2g} with step {h:g}, expected at most rtol * scale = "
            f"{tolerance * scale:.2g} to judge the gradient; take a larger step or rtol, or method 'complex'"
        )
    return GradientCheck(float(error[worst] / scale) if scale > 0 else 0.0, where)


def numeric_derivative(
    f: Callable[[NDArray[Any]], Any],
    x: NDArray[np.float64],
    *,
    method: Method = "central",
    step: float | None = None,
) -> NDArray[np.float64]:
    """Numeric derivative df/dx of a scalar- or array-valued f: a gradient, a Jacobian, per-example gradients.

    Parameters
    ----------
    f : callable, float64 array -> float or float64 array
    x : float64 array, not empty
    method : {"central", "complex"}
    step : float, optional
        1e-6 for central differences, 1e-30 for the complex step.

    Returns
    -------
    float64 array of shape f(x).shape + x.shape
        Entry [i, j] is d f_i / d x_j.
    """
    x = _float64("x", x)
    h = _checked_step(method, step)
    slopes = np.stack([_slope(f, x, vector, method, h)[0] for vector in _basis(x)], axis=-1)
    return slopes.reshape(slopes.shape[:-1] + x.shape)


def one_sided_slopes(
    f: Callable[[NDArray[Any]], Any],
    theta: NDArray[np.float64],
    direction: int | NDArray[np.float64],
    step: float = 1e-6,
) -> tuple[float, float]:
    """Slopes of f just left and right of theta, (f(t) - f(t - hd)) / h and (f(t + hd) - f(t)) / h.

    At a kink of ReLU they differ and a central difference gives their mean, which is no derivative. A
    subgradient, as backprop returns, lies between them. Their truncation error is of order h, not h^2.

    Parameters
    ----------
    f : callable, float64 array -> float
    theta : float64 array
    direction : int or float64 array of theta's shape
        A parameter's flat index, or d itself, of any length above 0: slopes are for d as given.
    step : float
        h.

    Returns
    -------
    (left, right) : floats
    """
    theta = _float64("theta", theta)
    h = _positive("step", step)
    if isinstance(direction, int | np.integer):
        if not 0 <= direction < theta.size:
            raise ArgumentError(f"direction: found {direction}, expected an index from 0 to {theta.size - 1}")
        vector = _basis_vector(theta, int(direction))
    else:
        vector = _float64("direction", direction)
        if vector.shape != theta.shape or not vector.any():
            raise ArgumentError(
                f"direction: found shape {vector.shape} with {np.count_nonzero(vector)} entries not 0, "
                f"expected shape {theta.shape}, not all 0"
            )
    left, _ = _secant(f, theta - h * vector, theta, vector)
    right, _ = _secant(f, theta, theta + h * vector, vector)
    return float(left), float(right)


def _checked_step(method: Method, step: float | None) -> float:
    if method not in _STEPS:
        raise ArgumentError(f"method: found {method!r}, expected 'central' or 'complex'")
    return _positive("step", _STEPS[method] if step is None else step)


def _slope(
    f: Callable[[NDArray[Any]], Any],
    x: NDArray[np.float64],
    direction: NDArray[np.float64],
    method: Method,
    step: float,
) -> tuple[NDArray[np.float64], float]:
    """Derivative of f along `direction`, and the rounding error to expect of it."""
    if method == "complex":
        return _value(f, x + 1j * step * direction).imag / step, 0.0
    return _secant(f, x - step * direction, x + step * direction, direction)


def _secant(
    f: Callable[[NDArray[Any]], Any],
    start: NDArray[np.float64],
    end: NDArray[np.float64],
    direction: NDArray[np.float64],
) -> tuple[NDArray[np.float64], float]:
    """Slope of f from start to end for each length of `direction`, and the rounding error to expect of it."""
    # Not 2 * step: adding the step to theta was rounded, by 1e-10 of theta's size relative to a step of 1e-6.
    with np.errstate(invalid="ignore"):
        distance = np.vdot(end - start, direction) / np.vdot(direction, direction)
    if distance == 0:
        raise ArgumentError("step: found one too small to change theta, expected one above theta's rounding error")
    low, high = _value(f, start), _value(f, end)
    with np.errstate(invalid="ignore", over="ignore"):
        slope = (high - low) / distance
    largest = max(np.abs(low).max(), np.abs(high).max())
    return slope, 2 * _ULPS * np.finfo(np.float64).eps * largest / distance


def _value(f: Callable[[NDArray[Any]], Any], x: NDArray[Any]) -> NDArray[Any]:
    value = np.asarray(f(x))
    if value.dtype != x.dtype:
        raise ArgumentError(f"f: found a result of {value.dtype} for an array of {x.dtype}, expected {x.dtype}")
    return value


def _basis_vector(theta: NDArray[np.float64], index: int) -> NDArray[np.float64]:
    vector = np.zeros(theta.size)
    vector[index] = 1.0
    return vector.reshape(theta.shape)


def _basis(theta: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    return (_basis_vector(theta, index) for index in range(theta.size))


def _random_units(theta: NDArray[np.float64], count: int, rng: np.random.Generator | None) -> list[NDArray[np.float64]]:
    if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
        raise ArgumentError(f"directions: found {count!r}, expected an integer of at least 1")
    if rng is None:
        raise ArgumentError("rng: found None, expected a numpy.random.Generator to draw the directions from")
    draws = [rng.standard_normal(theta.shape) for _ in range(count)]
    return [draw / np.linalg.norm(draw) for draw in draws]


def _float64(name: str, array: NDArray[np.float64]) -> NDArray[np.float64]:
    array = np.asarray(array)
    if array.dtype != np.float64 or array.size == 0:
        raise ArgumentError(
            f"{name}: found {array.size} numbers of {array.dtype}, expected one or more of float64, "
            f"as float32 rounds by more than f changes over a step"
        )
    return array


def _positive(name: str, value: float) -> float:
    if isinstance(value, bool) or not isinstance(value, Real) or not 0 < value < np.inf:
        raise ArgumentError(f"{name}: found {value!r}, expected a number above 0")
    return float(value)
