"""The files of a data set in one folder: what they are called, whether they fit together, and their checksums."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from npnet.data import cifar, idx
from npnet.errors import DataError

#: The four arrays of a `Dataset` by name, each uint8, and its checksums.
Contents = tuple[dict[str, NDArray[np.uint8]], dict[str, str]]


@dataclass(frozen=True)
class FileSet:
    """The files that a data set consists of: how many, "four files", and who offers them, the end of an error.

    `read` reads them all from a folder; its second argument is what an error says was expected.
    """

    description: str
    read: Callable[[Path, str], Contents]
    source: str = ""


def read_folder(name: str, folder: Path) -> Contents:
    """Read all files of the data set of this name in `SETS`, as `npnet.data.datasets.load` describes them."""
    files = SETS[name]
    wanted = f"the {files.description} of {name}{files.source}"
    if not os.path.isdir(folder):
        raise DataError(f"{folder}: found no folder, expected one with {wanted}")
    return files.read(folder, wanted)


def _read_idx_files(folder: Path, wanted: str) -> Contents:
    paths: dict[str, Path] = {}
    arrays: dict[str, NDArray[np.uint8]] = {}
    checksums: dict[str, str] = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for kind, rank in (("images", 3), ("labels", 1)):
            file = f"{prefix}-{kind}-idx{rank}-ubyte"
            path = next((p for p in (folder / file, folder / f"{file}.gz") if os.path.exists(p)), None)
            if path is None:
                raise DataError(f"{folder}: found neither {file} nor {file}.gz, expected {wanted}")
            array = idx.read_idx(path)
            if array.ndim != rank or array.dtype != np.uint8:
                raise DataError(f"{path}: found {array.dtype} of rank {array.ndim}, expected uint8 of rank {rank}")
            paths[f"{part}_{kind}"], arrays[f"{part}_{kind}"] = path, array
            checksums[file] = hashlib.sha256(idx.encode(array)).hexdigest()
        images, labels = f"{part}_images", f"{part}_labels"
        if (n := len(arrays[images])) != (m := len(arrays[labels])):
            raise DataError(f"{paths[labels]}: found {m} labels, expected {n}, one for each image in {paths[images]}")
    train, test = arrays["train_images"].shape[1:], arrays["test_images"].shape[1:]
    if train != test:
        here, there = paths["test_images"], paths["train_images"]
        raise DataError(f"{here}: found images of {test} pixels, expected {train} as in {there}")
    return arrays, checksums


def _read_cifar10_files(folder: Path, wanted: str) -> Contents:
    unpacked = folder / "cifar-10-batches-bin"
    folder = unpacked if os.path.isdir(unpacked) else folder
    arrays: dict[str, NDArray[np.uint8]] = {}
    checksums: dict[str, str] = {}
    for part, names in (("train", [f"data_batch_{number}" for number in range(1, 6)]), ("test", ["test_batch"])):
        batches = []
        for name in names:
            file = f"{name}.bin"
            if not os.path.exists(folder / file):
                pickled = (folder / name, folder / "cifar-10-batches-py" / name)
                found = next((f" but {path} of the Python version" for path in pickled if os.path.exists(path)), "")
                raise DataError(f"{folder}: found no {file}{found}, expected {wanted}")
            batches.append(cifar.read_cifar10(folder / file))
            checksums[file] = hashlib.sha256(cifar.encode(*batches[-1])).hexdigest()
        images, labels = zip(*batches, strict=True)
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = np.concatenate(images), np.concatenate(labels)
    return arrays, checksums


SETS = {
    "mnist": FileSet("four files", _read_idx_files),
    "fashion-mnist": FileSet(
        "four files", _read_idx_files, "; the Debian package dataset-fashion-mnist installs this set"
    ),
    "cifar10": FileSet(
        "six binary files",
        _read_cifar10_files,
        "; data_batch_1.bin to data_batch_5.bin and test_batch.bin come in cifar-10-binary.tar.gz,"
        " the binary version at https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
}
