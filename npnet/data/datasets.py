"""Where the examples come from, and which of them a trial sees: digit pairs, splits, label noise.

Functions on labels return *indices* where that is all there is to say; ``images[indices]`` does the rest.
They raise ArgumentError if labels are not a vector of integers, or another argument is not as documented.
"""

import functools
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.data.folders import SETS, read_folder
from npnet.errors import ArgumentError, DataError

Indices = NDArray[np.intp]
Labels = NDArray[np.integer[Any]]

_PLACES: dict[str, Path | None] = {
    "mnist": Path(__file__).parent / "mnist",
    "fashion-mnist": Path("/usr/share/datasets/fashion-mnist"),
    "cifar10": None,
}
_HALF = Fraction(1, 2)


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, in a training and a test part.

    Attributes
    ----------
    name : "mnist", "fashion-mnist" or "cifar10".
    train_images, test_images : uint8, 0 = dark, 255 = bright; read-only. Grey images have shape
        (n, rows, columns), images in colour (n, channels, rows, columns), the channels red, green and blue.
    train_labels, test_labels : uint8, shape (n,); read-only.
    checksums : standard file name -> SHA-256 (hexadecimal) of the file's content once decompressed.
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

    Parameters
    ----------
    name : "mnist", "fashion-mnist" or "cifar10".
    folder : folder that holds the files.

    Raises
    ------
    ArgumentError : if the name is unknown.
    DataError : if no folder is named for "cifar10", a file is missing or broken, or the files do not fit together.
    """
    if name not in _PLACES:
        raise ArgumentError(f"name is {name!r}, expected one of {', '.join(map(repr, _PLACES))}")
    if folder is not None:
        return _read(name, Path(folder))
    if named := os.environ.get("NPNET_DATA"):
        return _read(name, Path(named))
    place = _PLACES[name]
    if place is None:
        wanted = "expected the argument folder or the environment variable NPNET_DATA to name the one with its files"
        raise DataError(f"no folder is named for {name}, {wanted}{SETS[name].hint}")
    dataset = _read_once(name, place.resolve())
    return replace(dataset, checksums=dict(dataset.checksums))


def digit_pair(images: NDArray[Any], labels: ArrayLike, low: int, high: int) -> tuple[NDArray[Any], NDArray[np.uint8]]:
    """The examples of two digits, in file order, with binary targets.

    Parameters
    ----------
    images : shape (n, ...).
    labels : integers, shape (n,).
    low, high : the two different digits that become target 0 and target 1.

    Returns
    -------
    images : shape (m, ...), a copy, dtype kept.
    targets : uint8, shape (m,).

    Raises
    ------
    DataError : if one of the digits does not occur.
    """
    images, labels = np.asarray(images), _vector(labels)
    if len(images) != len(labels):
        raise ArgumentError(f"images are {len(images)} and labels {len(labels)}, expected as many of both")
    keep = (labels == low) | (labels == high)
    targets = binary_targets(labels[keep], low, high)
    for digit in (low, high):
        if digit not in labels:
            raise DataError(f"labels hold no {digit}, expected one of {' '.join(map(str, np.unique(labels)))}")
    return images[keep], targets


def binary_targets(labels: ArrayLike, low: int, high: int) -> NDArray[np.uint8]:
    """Targets of a binary task: 0 where the label is `low`, 1 where it is `high`.

    Parameters
    ----------
    labels : integers, shape (n,), each equal to `low` or `high`, which differ.

    Returns
    -------
    targets : uint8, shape (n,).

    Raises
    ------
    DataError : if there is any other label.
    """
    labels = _vector(labels)
    if low == high:
        raise ArgumentError(f"low and high are both {low}, expected two different labels")
    other = (labels != low) & (labels != high)
    if other.any():
        first = int(other.argmax())
        raise DataError(f"labels hold {labels[first]} at index {first}, expected only {low} and {high}")
    return np.asarray(labels == high, dtype=np.uint8)


def balance(labels: ArrayLike, rng: np.random.Generator) -> Indices:
    """Indices of a balanced set: every class downsampled to the size of the rarest one.

    Draws one ``rng.choice`` without replacement per class, the rarest included, by ascending label.

    Parameters
    ----------
    labels : integers, shape (n,), n > 0.

    Returns
    -------
    indices : int, shape (classes * size of the rarest,), ascending.
    """
    members = _members(labels)
    rarest = min(map(len, members.values()))
    return np.sort(np.concatenate([rng.choice(own, rarest, replace=False) for own in members.values()]))


def stratified_split(labels: ArrayLike, fraction: float, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """Split the indices in two, each class in the same proportion.

    ``floor(fraction * n + 1/2)`` indices are held out. Each class gives its share ``fraction * count`` rounded
    down, and those with the largest remainders one more until the total is right (of equal remainders the smaller
    label goes first). The arithmetic is exact, `fraction` being the decimal it prints as: 0.145 of 100 is 14.5.

    Parameters
    ----------
    labels : integers, shape (n,), n > 0.
    fraction : share held out, 0 < fraction < 1.

    Returns
    -------
    rest, held_out : int indices, disjoint, together all of 0..n-1, each in random order.

    Raises
    ------
    ArgumentError : if a class would have no example on one of the sides.
    """
    if not 0 < fraction < 1:
        raise ArgumentError(f"fraction is {fraction}, expected 0 < fraction < 1")
    members = _members(labels)
    share = Fraction(str(fraction))
    for (label, own), held in zip(members.items(), _quotas(members, share), strict=True):
        if not 0 < held < len(own):
            found = f"fraction {fraction} holds out {held} of {len(own)} of label {label}"
            raise ArgumentError(f"{found}, expected some on both sides")
    return _draw(members, share, rng)


def subset(labels: ArrayLike, n: int, rng: np.random.Generator) -> Indices:
    """Indices of n examples, each class in its proportion, as `stratified_split` apportions them.

    Parameters
    ----------
    labels : integers, shape (N,).
    n : how many examples, 1 <= n <= N; a class rare enough may have none.

    Returns
    -------
    indices : int, shape (n,), distinct, in random order.
    """
    labels = _vector(labels)
    if not isinstance(n, Integral) or not 1 <= n <= len(labels):
        raise ArgumentError(f"n is {n}, expected an integer from 1 to the {len(labels)} labels there are")
    return _draw(_members(labels), Fraction(int(n), len(labels)), rng)[1]


def corrupt_labels(labels: ArrayLike, fraction: float, classes: int, rng: np.random.Generator) -> Labels:
    """Label noise: give a share of the examples a wrong label.

    Exactly ``floor(fraction * n + 1/2)`` distinct examples get a label drawn uniformly from the *other*
    ``classes - 1``, so `fraction` is the true share of wrong labels. (Drawing from all classes, as some
    papers do, would leave one in `classes` of them right.)

    Parameters
    ----------
    labels : integers in 0..classes-1, shape (n,).
    fraction : share of wrong labels, 0 <= fraction <= 1; taken as the decimal it prints as.
    classes : number of classes, at least 2.

    Returns
    -------
    labels : a copy, dtype kept.

    Raises
    ------
    DataError : if a label lies outside 0..classes-1.
    """
    labels = _vector(labels)
    if not 0 <= fraction <= 1:
        raise ArgumentError(f"fraction is {fraction}, expected 0 <= fraction <= 1")
    most = int(np.iinfo(labels.dtype).max) + 1
    if not isinstance(classes, Integral) or not 2 <= classes <= most:
        raise ArgumentError(f"classes is {classes}, expected an integer from 2 to the {most} of {labels.dtype}")
    outside = (labels < 0) | (labels >= classes)
    if outside.any():
        first = int(outside.argmax())
        raise DataError(f"labels hold {labels[first]} at index {first}, expected 0 to {classes - 1}")
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


def _vector(labels: ArrayLike) -> Labels:
    labels = np.asarray(labels)
    if labels.ndim != 1 or not np.issubdtype(labels.dtype, np.integer):
        raise ArgumentError(f"labels are {labels.dtype} of shape {labels.shape}, expected a vector of integers")
    return labels


def _members(labels: ArrayLike) -> dict[int, Indices]:
    """The indices of each class, by ascending label."""
    labels = _vector(labels)
    if labels.size == 0:
        raise ArgumentError("labels are empty, expected at least one")
    return {int(label): np.flatnonzero(labels == label) for label in np.unique(labels)}


def _quotas(members: dict[int, Indices], share: Fraction) -> list[int]:
    """How many of each class: a share of it by the method of largest remainders."""
    exact = [share * len(own) for own in members.values()]
    quotas = [math.floor(quota) for quota in exact]
    gaps = sorted(range(len(exact)), key=lambda label: quotas[label] - exact[label])
    for label in gaps[: math.floor(sum(exact) + _HALF) - sum(quotas)]:
        quotas[label] += 1
    return quotas


def _draw(members: dict[int, Indices], share: Fraction, rng: np.random.Generator) -> tuple[Indices, Indices]:
    """The indices left over and a stratified share of them, both in random order."""
    quotas = _quotas(members, share)
    parts = [np.split(rng.permutation(own), [len(own) - q]) for own, q in zip(members.values(), quotas, strict=True)]
    left, taken = map(np.concatenate, zip(*parts, strict=True))
    return rng.permutation(left), rng.permutation(taken)
