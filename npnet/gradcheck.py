"""Check a gradient derived by hand against numbers: central differences, or the complex step.

    def loss(theta): ...                       # float64 array -> float
    check_gradient(loss, gradient(theta), theta, name=net.parameter_name)

A central difference has a truncation error of order step^2 and a rounding error of about eps |f| / step. The
complex step, f'(x) = Im f(x + ih) / h, subtracts nothing and is exact to rounding, but f must be analytic
(tanh, exp and @, but not abs, relu or a comparison) and compute in complex numbers. Neither holds at a kink.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from npnet.arguments import integer, number, one_of
from npnet.errors import ArgumentError, GradientError

Function = Callable[[NDArray[Any]], Any]
Floats = NDArray[np.float64]
Method = Literal["central", "complex"]

_STEPS = {"central": 1e-6, "complex": 1e-30}
_TOLERANCES = {"central": 1e-6, "complex": 1e-10}
# An f of some thousand additions is taken to be right to this many units in the last place.
_ROUNDING = 4 * math.ulp(1.0)


class GradientCheck(NamedTuple):
    """A check that passed: the largest |analytic - numeric| / scale, and where it was found."""

    relative_error: float
    where: str


def check_gradient(
    f: Function,
    gradient: Floats,
    theta: Floats,
    *,
    method: Method = "central",
    directions: int | None = None,
    rng: np.random.Generator | None = None,
    step: float | None = None,
    rtol: float | None = None,
    name: Callable[[int], str] | None = None,
) -> GradientCheck:
    """Compare an analytic gradient with a numeric one; raise GradientError where they differ.

    An entry is right when |analytic - numeric| <= rtol * scale + floor. The scale is the largest |analytic| or
    |numeric| found (at least the root mean square of `gradient`): entries far below it are checked loosely, so
    check such a block by itself. Central differences at `step` and twice that are extrapolated to 0; by how much
    is their truncation error, and the floor, 6 eps max|f| / step, their rounding error. An error above
    rtol * scale that could hide a wrong gradient is refused; so to pass means agreement to 2 rtol * scale.

    Parameters
    ----------
    f
        Function of an array like theta, float64 -> float; complex128 -> complex for the complex step.
    gradient, theta
        The analytic gradient of f at theta, and theta: float64 of one shape, not empty.
    directions, rng
        Compare derivatives along so many unit vectors drawn by `rng` instead of each coordinate in turn. Each takes
        4 evaluations of f (1 for the complex step), and each failure 25 more at the worst to see why.
    step, rtol
        1e-6 and 1e-6 for central differences, 1e-30 and 1e-10 for the complex step.
    name
        Name of the parameter at a flat index, for messages: `net.parameter_name`. Default "theta[1, 2]".

    Raises
    ------
    GradientError
        If an entry is wrong or not finite: how many are, and the worst one's name and two values.
    ArgumentError
        If right cannot be told from wrong, as f is random, rough or has a kink near theta, or by the step's errors.
    """
    theta, gradient = _float64("theta", theta), _float64("gradient", gradient)
    if gradient.shape != theta.shape:
        raise ArgumentError(f"gradient: found shape {gradient.shape}, expected {theta.shape}, that of theta")
    one_of("method", method, ("central", "complex"))
    h = number("step", _STEPS[method] if step is None else step, 0, above=True)
    tolerance = number("rtol", _TOLERANCES[method] if rtol is None else rtol, 0, above=True)

    units = None if directions is None else _random_units(theta, directions, rng)
    if units is None:
        analytic, kind = gradient.ravel(), "coordinates"
    else:
        analytic, kind = np.array([np.vdot(gradient, unit) for unit in units]), "random directions"

    def direction(index: int) -> Floats:
        return np.eye(1, theta.size, index).reshape(theta.shape) if units is None else units[index]

    def place(index: int) -> str:
        if units is not None:
            return f"random direction {index}"
        return name(index) if name else f"theta[{', '.join(map(str, np.unravel_index(index, theta.shape)))}]"

    _check_deterministic(f, theta.astype(np.complex128) if method == "complex" else theta)
    measure = _complex_step if method == "complex" else _central
    numeric, floors, cut = np.array([measure(f, theta, direction(index), h) for index in range(analytic.size)]).T

    with np.errstate(invalid="ignore", over="ignore"):
        error = np.abs(analytic - numeric)
        sizes = np.abs(np.hstack((np.sqrt(np.mean(gradient**2)), analytic, numeric)))
    # What is not finite is wrong by itself and must not widen the tolerance of the rest.
    scale = np.max(sizes, where=np.isfinite(sizes), initial=0.0)
    floor = np.max(floors, where=np.isfinite(floors), initial=0.0)
    target = tolerance * scale
    allowed = target + floor
    # Terms of the series shrink alike, so that 8 cut^2 / |numeric| is left of the truncation error.
    cut = np.where(cut > target, cut, 0.0)
    wrong = ~(error <= allowed + cut)
    unsure = ~wrong & (cut > 0) & ((error > allowed) | (8 * cut * (cut / max(target, 1e-300)) > np.abs(numeric)))

    faulty = wrong if wrong.any() else unsure
    # The first NaN, if there is one: argmax takes it for the largest.
    worst = int(np.argmax(np.where(faulty, error, -1.0) if faulty.any() else error))
    if faulty.any() and method == "central" and np.isfinite(error[worst]):
        cause = _explain(f, theta, direction(worst), h, error[worst], allowed)
        if cause:
            raise ArgumentError(f"f: found {cause}, at {place(worst)}, expected a smooth f to judge the gradient by")
    if wrong.any():
        hint = "; f does not change there: is its precision float32?" if numeric[worst] == 0 else ""
        raise GradientError(
            f"gradient: found {np.count_nonzero(wrong)} of {wrong.size} {kind} wrong, the worst at {place(worst)}: "
            f"analytic {analytic[worst]}, numeric {numeric[worst]}, expected to differ by at most {allowed:.3g}{hint}"
        )
    if unsure.any() or floor > target > 0:
        kind, size, change = ("truncation", cut[worst], "smaller") if unsure.any() else ("rounding", floor, "larger")
        raise ArgumentError(
            f"step: found a {kind} error of {size:.2g} with step {h:g}, expected at most rtol * scale = "
            f"{target:.2g} to judge the gradient; take a {change} step or a larger rtol, or method 'complex'"
        )
    return GradientCheck(float(error[worst] / scale) if scale > 0 else 0.0, place(worst))


def _check_deterministic(f: Function, theta: NDArray[Any]) -> None:
    one, two = _value(f, theta), _value(f, theta)
    if not np.isclose(one, two, rtol=_ROUNDING, atol=0, equal_nan=True):
        raise ArgumentError(f"f: found two values {one}, {two} at the same theta, expected one: is it deterministic?")


@np.errstate(invalid="ignore", over="ignore")
def _explain(f: Function, theta: Floats, direction: Floats, step: float, error: float, allowed: float) -> str:
    """What is wrong with f near theta, if that explains the error: float32, a kink or noise; else "".

    The slopes left and right of a point differ by half as much for half the step where f is smooth, as much as before
    at a kink, and more where rounding is all that is seen. So the step is halved around the largest difference.
    """
    centre, half = 0.0, step
    bends, levels = [], []
    for _ in range(5):
        levels.append([_value(f, theta + (centre + k * half) * direction) for k in range(-2, 3)])
        bend = np.abs(np.diff(levels[-1], n=2)) / half
        bends.append(bend.max())
        centre += (int(bend.argmax()) - 1) * half
        half /= 2
    moved = theta + step
    single = np.array_equal(np.array(levels, dtype=np.float32), levels)
    if single and np.ptp(levels) > 0 and np.any(np.float32(moved) != moved):
        return "only values of float32, which lacks the precision"
    if bends[0] / 3 < bends[-1] < 3 * bends[0]:
        return f"a kink within {2 * step:g}, where slopes differ by {bends[-1]:.2g}" if error <= bends[-1] else ""
    # In fourth differences over small steps only rounding is left of a smooth f.
    noise = np.abs(np.diff(levels[2:], n=4)).max() / step
    if allowed < error <= allowed + noise:
        return f"noise or a jump that changes slopes by {noise:.2g}, from cancellation or from lower precision"
    return ""


def _complex_step(f: Function, theta: Floats, direction: Floats, step: float) -> tuple[float, float, float]:
    """Slope of f along `direction`, the rounding error to expect of it, and the truncation error: neither is seen."""
    return _value(f, theta + 1j * step * direction).imag / step, 0.0, 0.0


def _central(f: Function, theta: Floats, direction: Floats, step: float) -> tuple[float, float, float]:
    """Richardson's slope from two steps, the rounding error to expect of it, and the truncation error it removed."""
    near, near_floor = _secant(f, theta, direction, step)
    far, far_floor = _secant(f, theta, direction, 2 * step)
    cut = (near - far) / 3 if math.isfinite(near) else 0.0
    seen = max(abs(cut) - (near_floor + far_floor) / 3, 0.0)
    return near + cut, (4 * near_floor + far_floor) / 3, seen


def _secant(f: Function, theta: Floats, direction: Floats, step: float) -> tuple[float, float]:
    """Slope of f from a step before theta to one behind, and the rounding error to expect of it."""
    start, end = theta - step * direction, theta + step * direction
    # Not 2 * step: adding the step to theta was rounded, by 1e-10 of theta's size relative to a step of 1e-6.
    with np.errstate(invalid="ignore"):
        distance = float(np.vdot(end - start, direction))
    if distance == 0:
        raise ArgumentError("step: found one too small to change theta, expected one above theta's rounding error")
    low, high = _value(f, start), _value(f, end)
    return (high - low) / distance, 2 * _ROUNDING * max(abs(low), abs(high)) / distance


def _value(f: Function, x: NDArray[Any]) -> Any:
    """f(x) as a float, or as a complex for a complex x."""
    value = np.asarray(f(x))
    if value.dtype != x.dtype:
        raise ArgumentError(f"f: found a result of {value.dtype} for an array of {x.dtype}, expected {x.dtype}")
    if value.shape != ():
        raise ArgumentError(f"f: found a result of shape {value.shape}, expected one number")
    return value.item()


def _random_units(theta: Floats, count: int, rng: np.random.Generator | None) -> list[Floats]:
    count = integer("directions", count, 1)
    if rng is None:
        raise ArgumentError("rng: found None, expected a numpy.random.Generator to draw the directions from")
    draws = [rng.standard_normal(theta.shape) for _ in range(count)]
    return [draw / np.linalg.norm(draw) for draw in draws]


def _float64(name: str, array: Floats) -> Floats:
    array = np.asarray(array)
    if array.dtype != np.float64 or array.size == 0:
        raise ArgumentError(
            f"{name}: found {array.size} numbers of {array.dtype}, expected one or more of float64, "
            f"as float32 rounds by more than f changes over a step"
        )
    return array
