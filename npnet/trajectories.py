"""Closed paths through the space of inputs: k points (k, d), of which the last is followed by the first again.

Points are rows, as a network takes them, so images are flat. Source: Novak et al. 2018, arXiv 1802.08760.
"""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.arguments import integer
from npnet.errors import ArgumentError

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
