"""Closed paths through the space of inputs, and how many linear pieces of a network they cross.

A path is k points (k, d), of which the last is followed by the first again. Points are rows, as a network takes them,
so images are flat. Source: Novak et al. 2018, arXiv 1802.08760.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import integer, number
from npnet.errors import ArgumentError
from npnet.mlp import MLP
from npnet.sensitivity import transitions

Floats = NDArray[np.floating[Any]]


def ellipse(a: ArrayLike, b: ArrayLike, c: ArrayLike, k: int) -> Floats:
    """z(t) = m + u cos t + v sin t at t_i = 2 pi i / k, an ellipse through a, b and c at t = pi/3, pi and 5 pi/3.

    m = (a + b + c) / 3, u = m - b, v = (a - c) / sqrt(3). The three are among the points, up to rounding, if 6
    divides k.

    Parameters
    ----------
    a, b, c
        Anchors, three arrays of d floating-point numbers of one shape.
    k
        Number of points, at least 1.
    """
    a, b, c = _floats("a", a), _floats("b", b), _floats("c", c)
    if not a.shape == b.shape == c.shape:
        raise ArgumentError(f"a, b, c: found shapes {a.shape}, {b.shape} and {c.shape}, expected equal ones")
    k = integer("k", k, 1)
    t = 2 * np.pi * np.arange(k)[:, None] / k
    a, b, c = a.reshape(-1), b.reshape(-1), c.reshape(-1)
    m = (a + b + c) / 3
    return (m + np.cos(t) * (m - b) + np.sin(t) / np.sqrt(3) * (a - c)).astype(m.dtype)


def translations(image: ArrayLike, k: int) -> Floats:
    """Through all horizontal translations of an image, in order: by 0, 1, ..., columns - 1 pixels to the right.

    What leaves the right side enters at the left. Between two translations the path is a straight line, with
    k / columns points at equal distances, the first translation included.

    Parameters
    ----------
    image
        (..., rows, columns) floating-point numbers; all other axes are shifted together.
    k
        Number of points, a multiple of the number of columns.
    """
    image = _floats("image", image)
    if image.ndim < 2 or image.size == 0:
        raise ArgumentError(f"image: found shape {image.shape}, expected (..., rows, columns), not empty")
    columns = image.shape[-1]
    if integer("k", k, columns) % columns:
        raise ArgumentError(f"k: found {k}, expected a multiple of {columns}, the number of columns")
    shifted = np.stack([np.roll(image, shift, axis=-1).reshape(-1) for shift in range(columns)])
    share = (np.arange(k // columns) / (k // columns)).astype(image.dtype)[:, None]
    steps = np.roll(shifted, -1, axis=0) - shifted
    return (shifted[:, None] + share * steps[:, None]).reshape(k, -1)


def _floats(name: str, array: ArrayLike) -> Floats:
    array = np.asarray(array)
    if array.dtype.kind != "f":
        raise ArgumentError(f"{name}: found {array.dtype}, expected floating-point numbers")
    return array


class Transitions(NamedTuple):
    """What `mean_transitions` returns.

    `each` has the number of transitions of each path, (n,), at `k` points, the last that was tried. `change` is how
    much the mean changed when k was doubled last, relative to the larger of the two means: the count has settled if it
    is less than the tolerance. NaN if k was never doubled.
    """

    each: NDArray[np.int64]
    k: int
    change: float


def mean_transitions(
    net: MLP,
    theta: ArrayLike,
    paths: Callable[[int], Iterable[ArrayLike]],
    k: int,
    *,
    tolerance: float,
    most: int,
) -> Transitions:
    """Number of transitions on each of several closed paths, with as many points as their mean needs to settle.

    Parameters
    ----------
    paths
        A function of k that yields a path (k, d) for each example.
    k
        Number of points to begin with, at least 1. It is doubled until the mean changes by less than `tolerance`, or
        would exceed `most`.
    tolerance
        Of the relative change, more than 0.
    most
        The largest k, at least `k`.
    """
    k, tolerance = integer("k", k, 1), number("tolerance", tolerance, 0, above=True)
    most = integer("most", most, k)
    each, change = _totals(net, theta, paths(k), k), math.nan
    while 2 * k <= most and not change < tolerance:
        k, before = 2 * k, each
        each = _totals(net, theta, paths(k), k)
        coarse, fine = before.mean(), each.mean()
        change = float(abs(fine - coarse) / max(fine, coarse)) if fine != coarse else 0.0
    return Transitions(each, k, change)


def _totals(net: MLP, theta: ArrayLike, paths: Iterable[ArrayLike], k: int) -> NDArray[np.int64]:
    totals = []
    for path in paths:
        steps = transitions(net, theta, path)
        if len(steps) != k:
            raise ArgumentError(f"paths: found a path of {len(steps)} points, expected k = {k}")
        totals.append(steps.sum())
    if not totals:
        raise ArgumentError("paths: found none, expected a path for each example")
    return np.array(totals, dtype=np.int64)
