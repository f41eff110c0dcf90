"""Where the examples come from, and which of them a trial sees: digit pairs, splits, label noise.

Functions on labels return *indices* where that is all there is to say; ``images[indices]`` does the rest.
They raise ArgumentError if labels are not a vector of integers, or another argument is not as documented, and
DataError if they are not of the classes that are asked for.
"""

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet import arguments
from npnet.data.folders import SETS, read_folder
from npnet.errors import ArgumentError, DataError

Indices = NDArray[np.intp]
Labels = NDArray[np.integer[Any]]

_FOLDERS: dict[str, Path | None] = {
    "mnist": Path(__file__).parent / "mnist",
    "fashion-mnist": Path("/usr/share/datasets/fashion-mnist"),
    "cifar10": None,
}
_HALF = Fraction(1, 2)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, in a training and a test part; the arrays are read-only.

    Attributes
    ----------
    name
        "mnist", "fashion-mnist" or "cifar10".
    train_images, test_images
        uint8, 0 = dark, 255 = bright. Grey images have shape (n, rows, columns), images in colour
        (n, channels, rows, columns), the channels red, green and blue.
    train_labels, test_labels
        uint8, shape (n,).
    checksums
        Standard file name -> SHA-256 (hexadecimal) of the file's content once decompressed.
    """

    name: str
    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.uint8]
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.uint8]
    checksums: Mapping[str, str]


def load(name: str = "mnist", folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load a data set from its files in a folder.

    "mnist" and "fashion-mnist" are four IDX files, ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``,
    ``t10k-images-idx3-ubyte`` and ``t10k-labels-idx1-ubyte``, each with ``.gz`` added or not (without it is tried
    first). "cifar10" is six files of its binary version, ``data_batch_1.bin`` to ``data_batch_5.bin`` and
    ``test_batch.bin``, with any number of images; where the folder holds a folder ``cifar-10-batches-bin``, as the
    archive ``cifar-10-binary.tar.gz`` does, they are looked for in that one.

    The files are looked for in `folder`; else in the folder that the environment variable NPNET_DATA names, if it
    is set and not empty; else, for "mnist", among the files bundled with npnet and, for "fashion-mnist", where
    Debian's package dataset-fashion-mnist puts them; "cifar10" has no other place. A folder that is named wins for
    every set: it says where the files are, and `Dataset.checksums` tells which set they are. A named folder is
    read on each call, the other places once in a process.

    Raises
    ------
    ArgumentError
        If the name is unknown.
    DataError
        If no folder is named for "cifar10", a file is missing or broken, or the files do not fit together.
    """
    arguments.one_of("name", name, tuple(_FOLDERS))
    if folder is not None:
        return _read(name, Path(folder))
    if named := os.environ.get("NPNET_DATA"):
        return _read(name, Path(named))
    own = _FOLDERS[name]
    if own is None:
        wanted = "the argument folder or the environment variable NPNET_DATA to name the one with its files"
        raise DataError(f"folder: found none for {name}, expected {wanted}{SETS[name].source}")
    dataset = _read_once(name, own.resolve())
    return replace(dataset, checksums=dict(dataset.checksums))


def digit_pair(images: NDArray[Any], labels: ArrayLike, low: int, high: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """Copies of the images of two different digits, in file order, with their targets: 0 for `low`, 1 for `high`."""
    images, labels = np.asarray(images), _integers(labels)
    if len(images) != len(labels):
        raise ArgumentError(f"images: found {len(images)}, expected {len(labels)}, one for each of the labels")
    low, high = arguments.integer("low", low, 0), arguments.integer("high", high, 0)
    if low == high:
        raise ArgumentError(f"low and high: found {low} for both, expected two different labels")
    for digit in (low, high):
        if digit not in labels:
            occurring = " ".join(map(str, np.unique(labels))) or "none"
            raise DataError(f"labels: found {occurring}, expected {digit} among them")
    keep = (labels == low) | (labels == high)
    return images[keep], np.asarray(labels[keep] == high, dtype=np.uint8)


def balance(labels: ArrayLike, rng: np.random.Generator) -> Indices:
    """Indices, ascending, of a balanced set: every class downsampled to the size of the rarest one.

    Draws one ``rng.choice`` without replacement per class, the rarest included, by ascending label.
    """
    classes = _classes(labels)
    rarest = min(map(len, classes.values()))
    return np.sort(np.concatenate([rng.choice(members, rarest, replace=False) for members in classes.values()]))


def stratified_split(labels: ArrayLike, fraction: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Split the indices in two, each class in the same proportion.

    ``floor(fraction * n + 1/2)`` indices are held out. Each class gives its share ``fraction * count`` rounded
    down, and those with the largest remainders one more until the total is right (of equal remainders the smaller
    label goes first). The arithmetic is exact, `fraction` being the decimal it prints as: 0.145 of 100 is 14.5. Some
    examples of every class must be on both sides.

    Returns
    -------
    rest, held_out
        Disjoint, together all of 0..n-1, each in random order.
    """
    arguments.number("fraction", fraction, 0, 1, above=True)
    classes = _classes(labels)
    share = Fraction(str(fraction))
    for (label, members), held in zip(classes.items(), _quotas(classes, share), strict=True):
        if not 0 < held < len(members):
            found = f"{fraction}, which holds out {held} of {len(members)} of label {label}"
            raise ArgumentError(f"fraction: found {found}, expected some on both sides")
    return _draw(classes, share, rng)


def subset(labels: ArrayLike, n: int, rng: np.random.Generator) -> Indices:
    """Distinct indices of n examples in random order, each class in proportion, apportioned as by `stratified_split`.

    A class that is rare enough may have none.
    """
    classes = _classes(labels)
    total = sum(map(len, classes.values()))
    n = arguments.integer("n", n, 1, total, ", the number of labels")
    return _draw(classes, Fraction(n, total), rng)[1]


def corrupt_labels(labels: ArrayLike, fraction: float, classes: int, rng: np.random.Generator) -> Labels:
    """A copy of the labels with noise: a share of the examples has a wrong one.

    Exactly ``floor(fraction * n + 1/2)`` distinct examples get a label drawn uniformly from the *other*
    ``classes - 1``, so `fraction` is the true share of wrong labels. (Drawing from all classes, as some
    papers do, would leave one in `classes` of them right.) DataError is raised for labels outside 0 to classes - 1.
    """
    labels = _integers(labels)
    arguments.number("fraction", fraction, 0, 1)
    most = int(np.iinfo(labels.dtype).max) + 1
    classes = arguments.integer("classes", classes, 2, most, f", all that {labels.dtype} can tell apart")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        first = int(outside.argmax())
        raise DataError(f"labels: found {labels[first]} at index {first}, expected 0 to {classes - 1}")
    wrong = rng.choice(len(labels), math.floor(Fraction(str(fraction)) * len(labels) + _HALF), replace=False)
    noisy = labels.copy()
    noisy[wrong] = (labels[wrong].astype(np.int64) + rng.integers(1, classes, wrong.size)) % classes
    return noisy


def _read(name: str, folder: Path) -> Dataset:
    arrays, checksums = read_folder(name, folder)
    for array in arrays.values():
        array.flags.writeable = False
    return Dataset(name, **arrays, checksums=checksums)


_read_once = functools.lru_cache(_read)


def _integers(labels: ArrayLike) -> Labels:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ArgumentError(f"labels: found {labels.dtype} of shape {labels.shape}, expected a vector of integers")
    return labels


def _classes(labels: ArrayLike) -> dict[int, Indices]:
    """The indices of each class that occurs, by ascending label."""
    labels = _integers(labels)
    if labels.size == 0:
        raise ArgumentError("labels: found none, expected at least one")
    return {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}


def _quotas(classes: dict[int, Indices], share: Fraction) -> list[int]:
    """How many of each class: a share of it by the method of largest remainders."""
    exact = [share * len(members) for members in classes.values()]
    quotas = [math.floor(quota) for quota in exact]
    by_remainder = sorted(range(len(exact)), key=lambda i: quotas[i] - exact[i])
    for i in by_remainder[: math.floor(sum(exact) + _HALF) - sum(quotas)]:
        quotas[i] += 1
    return quotas


def _draw(classes: dict[int, Indices], share: Fraction, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """The indices left over and a stratified share of them, both in random order."""
    parts = [
        np.split(rng.permutation(members), [len(members) - quota])
        for members, quota in zip(classes.values(), _quotas(classes, share), strict=True)
    ]
    left, taken = map(np.concatenate, zip(*parts, strict=True))
    return rng.permutation(left), rng.permutation(taken)
