"""Corrupted images, to see how a trained network degrades.

Every function takes images as uint8, scaled here by 1/255 to float32, or as floats in [0, 1], whose dtype is
kept, and returns new floats of the same shape, clipped to [0, 1] as the papers do. A generator in the same
state gives the same bits. A corruption of no strength returns the scaled images and draws nothing.

All raise DataError for images of another dtype or with a value outside [0, 1] (NaN included), and
ArgumentError for a parameter outside its range.

Sources: Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (Gaussian noise); Mu & Gilmer 2019, "MNIST-C" (shot and impulse noise); Kumar 2025,
arXiv 2507.16278 (occlusion).
"""

import math
from collections.abc import Mapping
from numbers import Integral
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet.errors import ArgumentError, DataError

Floats = NDArray[np.floating[Any]]

_MAX_RATE = 1e18  # NumPy's Poisson draws are 64-bit integers

#: Name -> parameter at severity 1 to 5. Gaussian noise: Hendrycks & Dietterich 2019; shot and impulse noise:
#: MNIST-C; the sizes of `occlude` are our own choice, around the 7 x 7 patch of Kumar 2025.
SEVERITIES: Mapping[str, tuple[float, ...]] = MappingProxyType(
    {
        "gaussian_noise": (0.08, 0.12, 0.18, 0.26, 0.38),
        "shot_noise": (60, 25, 12, 5, 3),
        "impulse_noise": (0.03, 0.06, 0.09, 0.17, 0.27),
        "occlude": (3, 5, 7, 9, 11),
    }
)


def gaussian_noise(images: NDArray[Any], sigma: float, rng: np.random.Generator) -> Floats:
    """Additive noise: ``clip(x + sigma * N(0, 1), 0, 1)``, independent for each pixel.

    Parameters
    ----------
    images : any shape.
    sigma : standard deviation before clipping, 0 <= sigma < inf; 0 is the identity.
    """
    if not 0 <= sigma < math.inf:
        raise ArgumentError(f"sigma is {sigma}, expected 0 <= sigma < inf")
    clean = _scaled(images)
    if sigma == 0:
        return clean
    noisy = rng.standard_normal(clean.shape, np.float64 if clean.itemsize >= 8 else np.float32)
    noisy *= float(sigma)
    noisy += clean
    return np.asarray(np.clip(noisy, 0, 1, out=noisy), dtype=clean.dtype)


def shot_noise(images: NDArray[Any], rate: float, rng: np.random.Generator) -> Floats:
    """Photon counting: ``clip(Poisson(rate * x) / rate, 0, 1)``, independent for each pixel.

    Parameters
    ----------
    images : any shape.
    rate : mean number of photons of a white pixel, 0 < rate <= 1e18; ``math.inf`` is the identity.
    """
    if not (0 < rate <= _MAX_RATE or rate == math.inf):
        raise ArgumentError(f"rate is {rate}, expected 0 < rate <= {_MAX_RATE:g} or inf")
    clean = _scaled(images)
    if rate == math.inf:
        return clean
    counts = rng.poisson(clean.astype(np.float64) * rate)
    return np.asarray(np.minimum(counts / rate, 1), dtype=clean.dtype)


def impulse_noise(images: NDArray[Any], share: float, rng: np.random.Generator) -> Floats:
    """Salt and pepper: each pixel becomes 0 with probability ``share / 2``, 1 with ``share / 2``.

    Parameters
    ----------
    images : any shape.
    share : probability that a pixel is hit, 0 <= share <= 1; 0 is the identity.
    """
    if not 0 <= share <= 1:
        raise ArgumentError(f"share is {share}, expected 0 <= share <= 1")
    noisy = _scaled(images)
    if share > 0:
        # One draw decides both whether a pixel is hit and by what.
        draws = rng.random(noisy.shape, np.float32)
        noisy[draws < float(share)] = 1
        noisy[draws < float(share) / 2] = 0
    return noisy


def occlude(images: NDArray[Any], size: int, rng: np.random.Generator) -> Floats:
    """Black out one square patch of each image, at a place drawn uniformly among those fully inside it.

    Parameters
    ----------
    images : shape (..., rows, columns), with at least one leading axis: flat images have no patches.
    size : side of the patch in pixels, 0 <= size <= min(rows, columns); 0 is the identity.
    """
    shape = np.shape(images)
    if len(shape) < 3:
        raise ArgumentError(f"images have shape {shape}, expected (n, rows, columns)")
    *several, rows, columns = shape
    if not isinstance(size, Integral) or not 0 <= size <= min(rows, columns):
        raise ArgumentError(f"size is {size}, expected an integer from 0 to {min(rows, columns)} in {rows} x {columns}")
    patched = _scaled(images)
    if size > 0:
        top = rng.integers(0, rows - size, (*several, 1), endpoint=True)
        left = rng.integers(0, columns - size, (*several, 1), endpoint=True)
        row, column = np.arange(rows), np.arange(columns)
        in_rows = (row >= top) & (row < top + size)
        in_columns = (column >= left) & (column < left + size)
        patched[in_rows[..., :, None] & in_columns[..., None, :]] = 0
    return patched


_CORRUPTIONS = {corruption.__name__: corruption for corruption in (gaussian_noise, shot_noise, impulse_noise, occlude)}


def corrupt(images: NDArray[Any], name: str, severity: int, rng: np.random.Generator) -> Floats:
    """Apply a corruption by name at one of the strengths of `SEVERITIES`.

    Parameters
    ----------
    images : shape (..., rows, columns) for "occlude", any shape for the others.
    name : a key of `SEVERITIES`.
    severity : 0 to 5; 0 is the identity.
    """
    if name not in SEVERITIES:
        raise ArgumentError(f"name is {name!r}, expected one of {', '.join(map(repr, SEVERITIES))}")
    if not isinstance(severity, Integral) or not 0 <= severity <= 5:
        raise ArgumentError(f"severity is {severity}, expected an integer from 0 to 5")
    if severity == 0:
        return _scaled(images)
    return _CORRUPTIONS[name](images, SEVERITIES[name][severity - 1], rng)


def _scaled(images: NDArray[Any]) -> Floats:
    """A new C-ordered float array of the images, checked to lie in [0, 1]."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return np.asarray(np.divide(images, 255, dtype=np.float32, order="C"))
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"images are {images.dtype}, expected uint8, or floats in [0, 1]")
    outside = ~((images >= 0) & (images <= 1))
    if outside.any():
        index = tuple(int(i) for i in np.unravel_index(outside.argmax(), images.shape))
        raise DataError(f"images hold {images[index]} at index {index}, expected values in [0, 1]")
    return np.array(images, order="C")
