"""Corrupted images, to see how a trained network degrades.

Every function takes images of any shape as uint8, scaled here by 1/255 to float32, or as floats in [0, 1], whose
dtype is kept, and returns new floats of the same shape, clipped to [0, 1] as the papers do. A generator in the same
state gives the same bits. A corruption of no strength returns the scaled images and draws nothing.

All raise DataError for images of another dtype or with a value outside [0, 1] (NaN included), and
ArgumentError for a parameter outside its range.

Sources: Hendrycks & Dietterich 2019, "Benchmarking Neural Network Robustness to Common Corruptions and
Perturbations" (Gaussian noise); Mu & Gilmer 2019, "MNIST-C" (shot and impulse noise); Kumar 2025,
arXiv 2507.16278 (occlusion).
"""

import math
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from npnet import arguments
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
    """Additive noise, 0 <= sigma < inf: ``clip(x + sigma * N(0, 1), 0, 1)``, independent for each pixel."""
    sigma = arguments.number("sigma", sigma, 0)
    clean = _scaled(images)
    if sigma == 0:
        return clean
    noisy = rng.standard_normal(clean.shape, np.float64 if clean.itemsize >= 8 else np.float32)
    with np.errstate(over="ignore"):  # What overflows is clipped.
        noisy *= sigma
    noisy += clean
    return np.asarray(np.clip(noisy, 0, 1, out=noisy), dtype=clean.dtype)


def shot_noise(images: NDArray[Any], rate: float, rng: np.random.Generator) -> Floats:
    """Photon counting: ``clip(Poisson(rate * x) / rate, 0, 1)``, independent for each pixel.

    `rate` is the mean number of photons of a white pixel, 0 < rate <= 1e18; ``math.inf`` is the identity.
    """
    if isinstance(rate, float | np.floating) and rate == math.inf:
        return _scaled(images)
    rate = arguments.number("rate", rate, 0, _MAX_RATE, above=True, note=", or inf")
    clean = _scaled(images)
    counts = rng.poisson(clean.astype(np.float64) * rate)
    return np.asarray(np.minimum(counts / rate, 1), dtype=clean.dtype)


def impulse_noise(images: NDArray[Any], share: float, rng: np.random.Generator) -> Floats:
    """Salt and pepper, 0 <= share <= 1: each pixel becomes 0 with probability ``share / 2``, 1 with ``share / 2``."""
    share = arguments.number("share", share, 0, 1)
    noisy = _scaled(images)
    if share > 0:
        # One draw decides both whether a pixel is hit and by what.
        draws = rng.random(noisy.shape, np.float32)
        noisy[draws < share] = 1
        noisy[draws < share / 2] = 0
    return noisy


def occlude(images: NDArray[Any], size: int, rng: np.random.Generator) -> Floats:
    """Black out one square patch of each image, at a place drawn uniformly among those fully inside it.

    Parameters
    ----------
    images
        (n, ..., rows, columns): flat images have no patches. The patch is the same in all channels of an image.
    size
        Side of the patch in pixels, 0 <= size <= min(rows, columns); 0 is the identity.
    """
    shape = np.shape(images)
    if len(shape) < 3:
        raise ArgumentError(f"images: found shape {shape}, expected (n, ..., rows, columns)")
    n, *channels, rows, columns = shape
    size = arguments.integer("size", size, 0, min(rows, columns), f" in {rows} x {columns} pixels")
    patched = _scaled(images)
    if size > 0:
        one_per_image = (n, *(1 for _ in channels), 1, 1)
        top = rng.integers(0, rows - size, one_per_image, endpoint=True)
        left = rng.integers(0, columns - size, one_per_image, endpoint=True)
        row, column = np.arange(rows)[:, None], np.arange(columns)
        inside = (top <= row) & (row < top + size) & (left <= column) & (column < left + size)
        np.copyto(patched, 0, where=inside)
    return patched


_CORRUPTIONS: dict[str, Callable[..., Floats]] = {
    corruption.__name__: corruption for corruption in (gaussian_noise, shot_noise, impulse_noise, occlude)
}


def corrupt(images: NDArray[Any], name: str, severity: int, rng: np.random.Generator) -> Floats:
    """Apply the corruption `name`, a key of `SEVERITIES`, at one of its strengths 1 to 5; 0 is the identity."""
    arguments.one_of("name", name, tuple(SEVERITIES))
    severity = arguments.integer("severity", severity, 0, 5)
    if severity == 0:
        return _scaled(images)
    return _CORRUPTIONS[name](images, SEVERITIES[name][severity - 1], rng)


def _scaled(images: NDArray[Any]) -> Floats:
    """A new C-ordered float array of the images, checked to lie in [0, 1]."""
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return np.asarray(np.divide(images, 255, dtype=np.float32, order="C"))
    if not np.issubdtype(images.dtype, np.floating):
        raise DataError(f"images: found {images.dtype}, expected uint8, or floats in [0, 1]")
    outside = ~((images >= 0) & (images <= 1))
    if outside.any():
        index = tuple(int(i) for i in np.unravel_index(outside.argmax(), images.shape))
        raise DataError(f"images: found {images[index]} at index {index}, expected values in [0, 1]")
    return np.array(images, order="C")
