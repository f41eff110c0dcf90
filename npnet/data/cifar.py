"""The format of CIFAR-10's binary version: small colour images and their labels in one file.

A file is one record of 3073 bytes after the other: the label, then the red, the green and the blue plane of
32 x 32 pixels, row by row. It has no header, so images and labels determine its bytes and back.

Source: A. Krizhevsky, "Learning Multiple Layers of Features from Tiny Images", 2009; the format is described
at https://www.cs.toronto.edu/~kriz/cifar.html, section "Binary version".
"""

import os
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.errors import ArgumentError, DataError

_CLASSES = 10
_SHAPE = (3, 32, 32)  # of an image: red, green and blue; rows; columns
_RECORD = 1 + 3 * 32 * 32


def read_cifar10(path: str | os.PathLike[str]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read a file of CIFAR-10's binary version, of any number of images.

    Parameters
    ----------
    path : path of the file.

    Returns
    -------
    images : uint8, shape (n, 3, 32, 32), n > 0: a new, writeable array.
    labels : uint8, shape (n,), 0 to 9: a new, writeable array.

    Raises
    ------
    DataError
        If the file cannot be read, is no positive multiple of 3073 bytes long, or holds a label above 9.
    """
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error
    if not content or len(content) % _RECORD:
        raise DataError(
            f"{path} is cut off or not of CIFAR-10's binary version: {len(content)} bytes,"
            f" expected a positive multiple of {_RECORD}"
        )
    records = np.frombuffer(content, np.uint8).reshape(-1, _RECORD)
    labels = records[:, 0].copy()
    outside = labels >= _CLASSES
    if outside.any():
        first = int(outside.argmax())
        raise DataError(f"{path} holds the label {labels[first]} at index {first}, expected 0 to {_CLASSES - 1}")
    return records[:, 1:].copy().reshape(-1, *_SHAPE), labels


def write_cifar10(path: str | os.PathLike[str], images: ArrayLike, labels: ArrayLike) -> None:
    """Write images and labels as a file of CIFAR-10's binary version; `read_cifar10` gives them back.

    Parameters
    ----------
    path : path of the file, replaced if it exists.
    images : uint8, shape (n, 3, 32, 32), n > 0.
    labels : integers, shape (n,), 0 to 9.

    Raises
    ------
    ArgumentError
        If images or labels are not as documented.
    DataError
        If the file cannot be written.
    """
    content = encode(images, labels)
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error


def encode(images: ArrayLike, labels: ArrayLike) -> bytes:
    """The bytes of images and labels in CIFAR-10's binary version: the content of their file.

    Parameters
    ----------
    images, labels : as for `write_cifar10`.

    Raises
    ------
    ArgumentError
        As `write_cifar10`.
    """
    images, labels = np.asarray(images), np.asarray(labels)
    if images.dtype != np.uint8 or images.shape[1:] != _SHAPE or len(images) == 0:
        raise ArgumentError(
            f"images are {images.dtype} of shape {images.shape}, expected uint8 of shape (n, 3, 32, 32), n > 0"
        )
    if not np.issubdtype(labels.dtype, np.integer) or labels.shape != images.shape[:1]:
        raise ArgumentError(
            f"labels are {labels.dtype} of shape {labels.shape}, expected integers of shape {images.shape[:1]}"
        )
    outside = (labels < 0) | (labels >= _CLASSES)
    if outside.any():
        first = int(outside.argmax())
        raise ArgumentError(f"labels hold {labels[first]} at index {first}, expected 0 to {_CLASSES - 1}")
    records = np.empty((len(images), _RECORD), np.uint8)
    records[:, 0], records[:, 1:] = labels, images.reshape(len(images), -1)
    return records.tobytes()
