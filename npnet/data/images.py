"""Images as experiments want them: each of mean zero and deviation one, or shifted at random.

Both functions take images (n, ..., rows, columns), return new arrays of the same shape, and raise ArgumentError for
arguments that are not as documented.
"""

from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike, NDArray

from npnet import arguments
from npnet.errors import ArgumentError, DataError

# Images that are in memory as float64 at one time.
_BLOCK = 256


def standardised(images: ArrayLike) -> NDArray[np.float32]:
    """(x - mean) / standard deviation of each image by itself, over all its pixels; float32, of the same shape.

    Computed in float64. An image of d pixels then has the norm sqrt(d), on which derivatives by the input depend.
    DataError names the first image whose deviation is 0, or that holds NaN or inf.
    """
    images = np.asarray(images)
    if images.ndim < 2 or images.size == 0:
        raise ArgumentError(f"images: found shape {images.shape}, expected (n, ...) with at least one pixel")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ArgumentError(f"images: found {images.dtype}, expected uint8 or floating-point numbers")
    pixels = images.reshape(len(images), -1)
    result = np.empty(pixels.shape, dtype=np.float32)
    for start in range(0, len(pixels), _BLOCK):
        block = pixels[start : start + _BLOCK].astype(np.float64)
        if not (finite := np.isfinite(block).all(axis=1)).all():
            image = start + int(finite.argmin())
            raise DataError(f"images: found NaN or inf in image {image}, expected finite numbers")
        # Whatever the rounding of its mean, an image of one value is exactly 0 then.
        block -= block[:, :1].copy()
        block -= block.mean(axis=1, keepdims=True)
        largest = np.abs(block).max(axis=1, keepdims=True)
        if not largest.all():
            image = start + int(largest.argmin())
            raise DataError(f"images: found deviation 0 in image {image}, expected pixels that differ")
        # No square overflows or vanishes then.
        block /= largest
        block /= np.sqrt((block**2).mean(axis=1, keepdims=True))
        result[start : start + _BLOCK] = block
    return result.reshape(images.shape)


def wrapped_shifts(images: NDArray[Any], most: int, rng: np.random.Generator) -> NDArray[Any]:
    """Each image shifted by its own (dy, dx); what leaves one side enters at the other. A copy of the same dtype.

    dy and dx are uniform integers from -most to most, two draws for each image, all of whose channels shift together.
    """
    images = np.asarray(images)
    if images.ndim < 3:
        raise ArgumentError(f"images: found shape {images.shape}, expected (n, ..., rows, columns)")
    most = arguments.integer("most", most, 0)
    down, right = rng.integers(-most, most, (2, len(images)), endpoint=True)
    margins = [(0, 0)] * (images.ndim - 2) + [(most, most)] * 2
    windows = sliding_window_view(np.pad(images, margins, mode="wrap"), images.shape[-2:], axis=(-2, -1))
    return windows[np.arange(len(images)), ..., most - down, most - right, :, :]
