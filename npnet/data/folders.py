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

Parts = tuple[dict[str, NDArray[np.uint8]], dict[str, str]]


@dataclass(frozen=True)
class FileSet:
    """The files that a data set consists of.

    Attributes
    ----------
    number : how many they are, in letters.
    read : reads them all from a folder; its second argument ends the sentence that says that one is missing.
    hint : what else that sentence says: who offers the files.
    """

    number: str
    read: Callable[[Path, str], Parts]
    hint: str = ""


def read_folder(name: str, folder: Path) -> Parts:
    """Read all files of a data set.

    Parameters
    ----------
    name : one of `SETS`.
    folder : folder with the files that `npnet.data.datasets.load` describes.

    Returns
    -------
    arrays : train_images, train_labels, test_images and test_labels, each uint8.
    checksums : standard file name -> SHA-256 (hexadecimal) of the file's content once decompressed.

    Raises
    ------
    DataError : if a file is missing or broken, or the files do not fit together.
    """
    files = SETS[name]
    if not os.path.isdir(folder):
        raise DataError(f"{folder} is not a folder, expected the {files.number} files of {name} there{files.hint}")
    return files.read(folder, f"files of {name}{files.hint}")


def _read_idx_files(folder: Path, wanted: str) -> Parts:
    paths: dict[str, Path] = {}
    arrays: dict[str, NDArray[np.uint8]] = {}
    checksums: dict[str, str] = {}
    for part, prefix in (("train", "train"), ("test", "t10k")):
        for kind, rank in (("images", 3), ("labels", 1)):
            file = f"{prefix}-{kind}-idx{rank}-ubyte"
            path = next((p for p in (folder / file, folder / f"{file}.gz") if os.path.exists(p)), None)
            if path is None:
                raise DataError(f"{folder} has neither {file} nor {file}.gz, {wanted}")
            array = idx.read_idx(path)
            if array.ndim != rank or array.dtype != np.uint8:
                raise DataError(f"{path} holds {array.dtype} of rank {array.ndim}, expected uint8 of rank {rank}")
            paths[f"{part}_{kind}"], arrays[f"{part}_{kind}"] = path, array
            checksums[file] = hashlib.sha256(idx.encode(array)).hexdigest()
        images, labels = f"{part}_images", f"{part}_labels"
        if (n := len(arrays[images])) != (m := len(arrays[labels])):
            raise DataError(f"{paths[images]} holds {n} images and {paths[labels]} {m} labels, expected equal numbers")
    train, test = arrays["train_images"].shape[1:], arrays["test_images"].shape[1:]
    if train != test:
        here, there = paths["train_images"], paths["test_images"]
        raise DataError(f"{here} holds images of {train} pixels and {there} of {test}, expected one size")
    return arrays, checksums


def _read_cifar10_files(folder: Path, wanted: str) -> Parts:
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
                raise DataError(f"{folder} has no {file}{found}, expected the binary {wanted}")
            batches.append(cifar.read_cifar10(folder / file))
            checksums[file] = hashlib.sha256(cifar.encode(*batches[-1])).hexdigest()
        images, labels = zip(*batches, strict=True)
        arrays[f"{part}_images"], arrays[f"{part}_labels"] = np.concatenate(images), np.concatenate(labels)
    return arrays, checksums


SETS = {
    "mnist": FileSet("four", _read_idx_files),
    "fashion-mnist": FileSet("four", _read_idx_files, "; the Debian package dataset-fashion-mnist installs this set"),
    "cifar10": FileSet(
        "six",
        _read_cifar10_files,
        "; data_batch_1.bin to data_batch_5.bin and test_batch.bin come in cifar-10-binary.tar.gz,"
        " the binary version at https://www.cs.toronto.edu/~kriz/cifar.html",
    ),
}
