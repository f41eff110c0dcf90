"""The format of CIFAR-10's binary version: small colour images and their labels in one file.

A file is one record of 3073 bytes after the other: the label, then the red, the green and the blue plane of
32 x 32 pixels, row by row. It has no header, so images and labels determine its bytes and back.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the format is described
at https://www.cs.toronto.edu/~kriz/cifar.html, section "Binary version".
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npnet.errors import DataError

_CLASSES = 10
_SHAPE = (3, 32, 32)  # of an image: red, green and blue; rows; columns
_RECORD = 1 + 3 * 32 * 32


def read_cifar10(path: str | os.PathLike[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Images (n, 3, 32, 32) and labels (n,), 0 to 9, of a file of any n > 0: new, writeable arrays of uint8.

    Raises
    ------
    DataError
        If the file cannot be read, is no positive multiple of 3073 bytes long, or holds a label above 9.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise DataError(f"{path}: found nothing readable ({reason}), expected CIFAR-10's binary version") from error
    if not content or len(content) % _RECORD:
        wanted = f"a positive multiple of {_RECORD}, as in CIFAR-10's binary version"
        raise DataError(f"{path}: found {len(content)} bytes, expected {wanted}")
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].copy()
    outside = labels >= _CLASSES
    if outside.any():
        first = int(outside.argmax())
        raise DataError(f"{path}: found the label {labels[first]} at index {first}, expected 0 to {_CLASSES - 1}")
    return records[:, 1:].copy().reshape(-1, *_SHAPE), labels


def encode(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
    """The content of the file of which `read_cifar10` makes these images and labels, which are not checked."""
    return np.hstack([labels[:, None], images.reshape(len(images), -1)], dtype=np.uint8).tobytes()
