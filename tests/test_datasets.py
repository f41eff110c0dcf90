"""Data sets read from their files, and which of their examples a trial sees."""

import hashlib
import pickle
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from strategies import refusal

from npnet.data import cifar, datasets, idx
from npnet.data.datasets import balance, corrupt_labels, digit_pair, load, stratified_split, subset
from npnet.errors import ArgumentError, DataError

MNIST = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
CIFAR10 = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
DEBIAN = "; the Debian package dataset-fashion-mnist installs this set"
ARCHIVE = (
    "; data_batch_1.bin to data_batch_5.bin and test_batch.bin come in cifar-10-binary.tar.gz,"
    " the binary version at https://www.cs.toronto.edu/~kriz/cifar.html"
)
FILES = {
    "mnist": "the four files of mnist",
    "fashion-mnist": f"the four files of fashion-mnist{DEBIAN}",
    "cifar10": f"the six binary files of cifar10{ARCHIVE}",
}

seeds = st.integers(0, 2**32 - 1)
thousandths = st.integers(0, 1000)
few_classes = hnp.arrays(np.uint8, st.integers(1, 40), elements=st.integers(0, 4))


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def _no_named_folder(monkeypatch):
    monkeypatch.delenv("NPNET_DATA", raising=False)


def arrays_of(dataset):
    return [dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels]


def assert_holds(dataset, arrays):
    for found, expected in zip(arrays_of(dataset), arrays, strict=True):
        np.testing.assert_array_equal(found, expected, strict=True)
        assert not found.flags.writeable


GREY = [np.arange(24).reshape(3, 2, 4), np.array([5, 0, 4]), np.arange(16).reshape(2, 2, 4), np.array([7, 2])]
GREY = [array.astype(np.uint8) for array in GREY]

# All pixels of an image are alike: 1 to 9 in the training images, 101 to 104 in the tests. Labels are last digits.
COLOURS = [np.arange(1, 10, dtype=np.uint8), np.arange(101, 105, dtype=np.uint8)]
COLOURFUL = [array for n in COLOURS for array in (np.tile(n[:, None, None, None], (1, 3, 32, 32)), n % 10)]


@pytest.fixture
def grey(tmp_path):
    """A folder with 3 training and 2 test images of 2 x 4 pixels."""
    folder = tmp_path / "grey"
    folder.mkdir()
    for file, array in zip(MNIST, GREY, strict=True):
        idx.write_idx(folder / file, array)
    return folder


@pytest.fixture
def colourful(tmp_path):
    """A folder with 1, 2, 3, 1 and 2 training images of CIFAR-10's form and 4 test images."""
    folder = tmp_path / "colourful"
    folder.mkdir()
    images, labels = (np.concatenate(arrays) for arrays in (COLOURFUL[::2], COLOURFUL[1::2]))
    ends = [1, 3, 6, 7, 9]
    for file, *batch in zip(CIFAR10, np.split(images, ends), np.split(labels, ends), strict=True):
        (folder / file).write_bytes(cifar.encode(*batch))
    return folder


@pytest.fixture(params=FILES)
def named(request):
    """The name of a data set, a folder with its files, and what they hold."""
    if request.param == "cifar10":
        return request.param, request.getfixturevalue("colourful"), COLOURFUL
    return request.param, request.getfixturevalue("grey"), GREY


# Loading.


def test_the_bundled_files_are_mnist(monkeypatch):
    mnist = load()
    assert mnist.name == "mnist"
    assert list(mnist.checksums.items()) == list(MNIST.items())
    assert [array.shape for array in arrays_of(mnist)] == [(60000, 28, 28), (60000,), (10000, 28, 28), (10000,)]
    assert {array.dtype for array in arrays_of(mnist)} == {np.dtype(np.uint8)}
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    monkeypatch.setenv("NPNET_DATA", "")  # names no folder
    assert load().checksums == MNIST


def test_the_bundled_files_are_read_once_and_cannot_be_damaged():
    first = load()
    assert load("mnist").train_images is first.train_images
    assert not any(array.flags.writeable for array in arrays_of(first))
    first.checksums["train-images-idx3-ubyte"] = "damaged"
    assert load().checksums == MNIST


def test_a_folder_named_by_argument_or_else_by_the_environment(named, monkeypatch):
    name, folder, arrays = named
    assert load(name, folder).name == name
    assert_holds(load(name, str(folder)), arrays)
    monkeypatch.setenv("NPNET_DATA", str(folder))
    assert_holds(load(name), arrays)
    missing = folder / "none"
    monkeypatch.setenv("NPNET_DATA", str(missing))
    assert_holds(load(name, folder), arrays)
    for place in (missing, folder / next(folder.iterdir())):
        expected = f"{place}: found no folder, expected one with {FILES[name]}"
        assert refusal(DataError, load, name, place) == expected
    assert refusal(DataError, load, name).startswith(f"{missing}: found no folder, ")


@given(st.lists(st.sampled_from(["", ".gz"]), min_size=4, max_size=4), st.integers(0, 2), st.booleans())
def test_files_and_checksums_compressed_or_not(tmp_path_factory, suffixes, n, compress):
    folder, arrays = tmp_path_factory.mktemp("drawn"), [array[:n] for array in GREY]
    for file, array, suffix in zip(MNIST, arrays, suffixes, strict=True):
        idx.write_idx(folder / f"{file}{suffix}", array, compress=compress)
    dataset = load(folder=folder)
    assert_holds(dataset, arrays)
    digests = [hashlib.sha256(idx.encode(array)).hexdigest() for array in arrays]
    assert list(dataset.checksums.items()) == list(zip(MNIST, digests, strict=True))


def test_named_folders_are_read_anew_and_the_plain_file_first(grey):
    labels = np.array([1, 1, 1], np.uint8)
    idx.write_idx(grey / "train-labels-idx1-ubyte.gz", labels)
    assert_holds(load(folder=grey), GREY)
    idx.write_idx(grey / "train-labels-idx1-ubyte", labels + 1)
    assert load(folder=grey).train_labels.tolist() == [2, 2, 2]


def test_fashion_mnist_is_where_debian_installs_it(grey, monkeypatch):
    assert datasets._FOLDERS["fashion-mnist"] == Path("/usr/share/datasets/fashion-mnist")
    monkeypatch.setitem(datasets._FOLDERS, "fashion-mnist", grey)
    assert_holds(load("fashion-mnist"), GREY)
    assert load("fashion-mnist").train_images is load("fashion-mnist").train_images


@pytest.mark.parametrize("variable", [None, ""])
def test_cifar10_has_no_folder_of_its_own(monkeypatch, variable):
    if variable is not None:
        monkeypatch.setenv("NPNET_DATA", variable)
    assert refusal(DataError, load, "cifar10") == (
        "folder: found none for cifar10, expected the argument folder or the environment variable NPNET_DATA"
        f" to name the one with its files{ARCHIVE}"
    )


def test_unknown_names(grey):
    for name in ("cifar", None, 1, ["mnist"]):
        expected = f"name: found {name!r}, expected one of mnist, fashion-mnist, cifar10"
        assert refusal(ArgumentError, load, name, grey) == expected


# Files that are missing, broken or do not fit together.


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
@pytest.mark.parametrize("file", MNIST)
def test_a_missing_file(grey, name, file):
    (grey / file).unlink()
    assert refusal(DataError, load, name, grey) == f"{grey}: found neither {file} nor {file}.gz, expected {FILES[name]}"


def test_a_broken_file(named):
    name, folder, _ = named
    for path in folder.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[:-1])
        assert refusal(DataError, load, name, folder).startswith(f"{path}: found ")
        path.write_bytes(content)


@given(
    dtype=st.sampled_from([np.uint8, np.int8, np.float32]),
    rank=st.integers(0, 4),
    file=st.sampled_from(list(MNIST)),
)
@example(dtype=np.int8, rank=1, file="train-labels-idx1-ubyte")
@example(dtype=np.float32, rank=3, file="t10k-images-idx3-ubyte")
def test_a_file_of_another_kind(tmp_path_factory, dtype, rank, file):
    folder, wanted = tmp_path_factory.mktemp("kinds"), 3 if "images" in file else 1
    assume(dtype != np.uint8 or rank != wanted)
    for other in MNIST:
        idx.write_idx(folder / other, np.zeros((2,) * (3 if "images" in other else 1), np.uint8))
    idx.write_idx(folder / file, np.zeros((2,) * rank, dtype))
    expected = f"{folder / file}: found {np.dtype(dtype)} of rank {rank}, expected uint8 of rank {wanted}"
    assert refusal(DataError, load, "mnist", folder) == expected


@pytest.mark.parametrize(("part", "images"), [("train", 3), ("t10k", 2)])
@pytest.mark.parametrize("labels", [0, 1, 4])
def test_images_and_labels_of_unequal_number(grey, part, images, labels):
    here, there = grey / f"{part}-labels-idx1-ubyte", grey / f"{part}-images-idx3-ubyte"
    idx.write_idx(here, np.zeros(labels, np.uint8))
    expected = f"{here}: found {labels} labels, expected {images}, one for each image in {there}"
    assert refusal(DataError, load, "mnist", grey) == expected


@pytest.mark.parametrize("size", [(4, 2), (2, 5), (3, 4)])
def test_images_of_two_sizes(grey, size):
    here, there = grey / "t10k-images-idx3-ubyte", grey / "train-images-idx3-ubyte"
    idx.write_idx(here, np.zeros((2, *size), np.uint8))
    expected = f"{here}: found images of {size} pixels, expected (2, 4) as in {there}"
    assert refusal(DataError, load, "mnist", grey) == expected


def test_cifar10_in_the_folder_that_the_archive_makes(colourful):
    unpacked = colourful.rename(colourful.with_name("cifar-10-batches-bin"))
    for file in CIFAR10:
        (unpacked.parent / file).write_bytes(b"")  # not looked at
    assert_holds(load("cifar10", unpacked), COLOURFUL)
    assert_holds(load("cifar10", unpacked.parent), COLOURFUL)
    (unpacked / "test_batch.bin").unlink()
    expected = f"{unpacked}: found no test_batch.bin, expected {FILES['cifar10']}"
    assert refusal(DataError, load, "cifar10", unpacked.parent) == expected


def test_checksums_of_cifar10_are_of_its_files(colourful):
    digests = {file: hashlib.sha256((colourful / file).read_bytes()).hexdigest() for file in CIFAR10}
    assert list(load("cifar10", colourful).checksums.items()) == list(digests.items())


@pytest.mark.parametrize("file", CIFAR10)
@pytest.mark.parametrize("inner", [None, ".", "cifar-10-batches-py"])
def test_a_missing_file_of_cifar10_and_its_python_version(colourful, file, inner):
    found = f"no {file}"
    if inner is not None:
        pickled = colourful / inner / file.removesuffix(".bin")
        pickled.parent.mkdir(exist_ok=True)
        pickled.write_bytes(pickle.dumps({"data": None}))
        found += f" but {pickled} of the Python version"
    assert_holds(load("cifar10", colourful), COLOURFUL)
    (colourful / file).unlink()
    expected = f"{colourful}: found {found}, expected {FILES['cifar10']}"
    assert refusal(DataError, load, "cifar10", colourful) == expected


# Labels of any kind.


ON_LABELS = [
    lambda labels: digit_pair(np.zeros(np.size(labels)), labels, 0, 1),
    lambda labels: corrupt_labels(labels, 0.5, 2, rng()),
    lambda labels: balance(labels, rng()),
    lambda labels: stratified_split(labels, 0.5, rng()),
    lambda labels: subset(labels, 1, rng()),
]


@pytest.mark.parametrize("function", ON_LABELS)
@pytest.mark.parametrize("labels", [[0.0, 1.0], [[0, 1]], 1, [True, False], ["0", "1"]])
def test_labels_are_vectors_of_integers(function, labels):
    array = np.array(labels)
    expected = f"labels: found {array.dtype} of shape {array.shape}, expected a vector of integers"
    assert refusal(ArgumentError, function, labels) == expected


@pytest.mark.parametrize("function", ON_LABELS[2:])
def test_no_labels_at_all(function):
    assert refusal(ArgumentError, function, np.array([], int)) == "labels: found none, expected at least one"
    assert corrupt_labels(np.array([], int), 0.5, 2, rng()).shape == (0,)


# Pairs of digits.


@given(labels=few_classes, data=st.data())
def test_a_pair_in_file_order(labels, data):
    images = np.arange(2 * len(labels)).reshape(-1, 2)
    pair = data.draw(st.lists(st.integers(0, 5), min_size=2, max_size=2, unique=True), label="pair")
    missing = [digit for digit in pair if digit not in labels]
    if missing:
        occurring = " ".join(str(label) for label in sorted(set(labels.tolist())))
        expected = f"labels: found {occurring}, expected {missing[0]} among them"
        assert refusal(DataError, digit_pair, images, labels, *pair) == expected
        return
    chosen, targets = digit_pair(images, labels, *pair)
    places = [place for place, label in enumerate(labels) if label in pair]
    np.testing.assert_array_equal(chosen, images[places], strict=True)
    np.testing.assert_array_equal(targets, np.array([pair.index(labels[i]) for i in places], np.uint8), strict=True)
    assert not np.shares_memory(chosen, images)


def test_pairs_that_are_none():
    images, labels = np.zeros((3, 2)), [0, 1, 3]
    expected = "low and high: found 7 for both, expected two different labels"
    assert refusal(ArgumentError, digit_pair, images, labels, 7, 7) == expected
    expected = "images: found 2, expected 3, one for each of the labels"
    assert refusal(ArgumentError, digit_pair, images[:2], labels, 0, 1) == expected
    none = "labels: found none, expected 0 among them"
    assert refusal(DataError, digit_pair, images[:0], np.array([], int), 0, 1) == none
    for digit in (-1, True, 1.0, "1", None):
        expected = f"found {digit!r}, expected an integer of at least 0"
        assert refusal(ArgumentError, digit_pair, images, labels, digit, 3) == f"low: {expected}"
        assert refusal(ArgumentError, digit_pair, images, labels, 3, digit) == f"high: {expected}"


# Balance, splits and subsets.


@given(labels=few_classes, seed=seeds)
def test_balanced_sets_have_as_many_of_each_class_as_there_are_of_the_rarest(labels, seed):
    labels.flags.writeable = False
    indices = balance(labels, rng(seed))
    assert (np.diff(indices) > 0).all()
    counts = Counter(labels.tolist())
    rarest = min(counts.values())
    assert Counter(labels[indices].tolist()) == dict.fromkeys(counts, rarest)
    draws = rng(seed)
    chosen = [draws.choice(np.flatnonzero(labels == label), rarest, replace=False) for label in sorted(counts)]
    assert indices.tolist() == sorted(np.concatenate(chosen))


def rounded(thousandths, n):
    """thousandths / 1000 * n, half rounded up, in whole numbers."""
    return (2 * thousandths * n + 1000) // 2000


@given(labels=few_classes.map(lambda labels: labels.astype(np.int16) * 3 - 2), share=thousandths, seed=seeds)
@example(labels=np.repeat([0, 1], [20, 80]), share=145, seed=0)  # 0.145 * 100 < 14.5 in binary
@example(labels=np.repeat([0, 1], [100, 100]), share=290, seed=0)
def test_splits_are_partitions_in_proportion_and_in_random_order(labels, share, seed):
    assume(share > 0)
    counts, fraction = Counter(labels.tolist()), share / 1000
    shares = {label: Fraction(share, 1000) * count for label, count in counts.items()}
    try:
        rest, held_out = stratified_split(labels, fraction, rng(seed))
    except ArgumentError:
        assert any(not 1 <= shares[label] <= counts[label] - 1 for label in counts)
        return
    assert sorted([*rest, *held_out]) == list(range(len(labels)))
    assert len(held_out) == rounded(share, len(labels))
    held = Counter(labels[held_out].tolist())
    assert all(0 < held[label] < counts[label] and abs(held[label] - shares[label]) < 1 for label in counts)
    draws = rng(seed)
    orders = [draws.permutation(np.flatnonzero(labels == label)) for label in sorted(counts)]
    parts = [np.split(order, [len(order) - held[labels[order[0]]]]) for order in orders]
    for found, pieces in zip((rest, held_out), zip(*parts, strict=True), strict=True):
        np.testing.assert_array_equal(found, draws.permutation(np.concatenate(pieces)), strict=True)


@pytest.mark.parametrize(
    ("counts", "fraction", "held"),
    [
        ([5, 5], 0.3, [2, 1]),  # 1.5 + 1.5: the smaller label gains
        ([5, 5, 5], 0.3, [2, 2, 1]),  # 4.5 rounds up to 5
        ([3, 4, 3], 0.5, [2, 2, 1]),
        ([4, 6, 10], 0.35, [1, 2, 4]),  # 1.4, 2.1, 3.5
        ([7, 7, 7], 1 / 3, [3, 2, 2]),
        ([10, 30], np.float32(0.3), [3, 9]),
    ],
)
def test_largest_remainders(counts, fraction, held):
    labels = np.repeat(np.arange(len(counts)), counts)
    for number in (fraction, np.float64(str(fraction))):
        _, held_out = stratified_split(labels, number, rng())
        assert np.bincount(labels[held_out]).tolist() == held


def test_fractions_that_split_nothing():
    for fraction in (0, 0.0, -0.1, 1.1, 2, np.nan, np.inf, True, "0.5", None):
        expected = f"fraction: found {fraction!r}, expected a finite number above 0 and at most 1"
        assert refusal(ArgumentError, stratified_split, [0, 0, 1, 1], fraction, rng()) == expected
    for labels, fraction, found in (
        ([4] * 10 + [7], 0.2, "0.2, which holds out 0 of 1 of label 7"),
        ([4] * 2 + [7] * 10, 0.9, "0.9, which holds out 2 of 2 of label 4"),
        ([4, 4], 1, "1, which holds out 2 of 2 of label 4"),
    ):
        expected = f"fraction: found {found}, expected some on both sides"
        assert refusal(ArgumentError, stratified_split, labels, fraction, rng()) == expected


@given(labels=few_classes, place=st.integers(0, 39), seed=seeds)
def test_subsets_are_in_proportion(labels, place, seed):
    n = 1 + place % len(labels)
    indices = subset(labels, np.int64(n), rng(seed))
    assert len(indices) == len(set(indices.tolist())) == n
    for label, count in Counter(labels.tolist()).items():
        assert abs(np.count_nonzero(labels[indices] == label) - Fraction(count * n, len(labels))) < 1


@given(labels=few_classes, share=thousandths, seed=seeds)
@example(labels=np.repeat([0, 1], 10), share=250, seed=0)
def test_a_subset_is_the_held_out_part_of_a_split(labels, share, seed):
    n = share * len(labels) // 1000
    assume(n > 0 and all(1 <= count * n / len(labels) <= count - 1 for count in Counter(labels.tolist()).values()))
    held_out = stratified_split(labels, Fraction(n, len(labels)), rng(seed))[1]
    np.testing.assert_array_equal(subset(labels, n, rng(seed)), held_out)


def test_subsets_that_do_not_exist():
    for n in (0, -1, 5, 2.0, True, np.nan, "2", None):
        expected = f"n: found {n!r}, expected an integer from 1 to 4, the number of labels"
        assert refusal(ArgumentError, subset, [0, 0, 1, 1], n, rng()) == expected


# Label noise.


@given(labels=few_classes, share=thousandths, classes=st.integers(5, 256), seed=seeds)
@example(labels=np.array([0, 255, 128], np.uint8), share=1000, classes=256, seed=0)
@example(labels=np.full(9, 127, np.int8), share=1000, classes=128, seed=0)
@example(labels=np.array([2**60 + 1], np.uint64), share=1000, classes=2**61, seed=0)  # is no float64
@example(labels=np.zeros(100, np.uint8), share=145, classes=2, seed=0)  # 0.145 * 100 < 14.5 in binary
def test_just_so_many_labels_are_wrong(labels, share, classes, seed):
    labels.flags.writeable = False
    noisy = corrupt_labels(labels, share / 1000, np.int64(classes), rng(seed))
    assert noisy.dtype == labels.dtype
    assert not np.shares_memory(noisy, labels)
    number = rounded(share, len(labels))
    assert np.count_nonzero(noisy != labels) == number
    assert ((noisy >= 0) & (noisy < classes)).all()
    draws, expected = rng(seed), labels.astype(int)
    wrong = draws.choice(len(labels), number, replace=False)
    expected[wrong] += draws.integers(1, classes, number)
    np.testing.assert_array_equal(noisy, expected % classes)


@given(labels=st.lists(st.integers(-3, 5), min_size=1), classes=st.integers(2, 5))
def test_the_first_label_outside_the_classes_is_refused(labels, classes):
    outside = [index for index, label in enumerate(labels) if not 0 <= label < classes]
    assume(outside)
    expected = f"labels: found {labels[outside[0]]} at index {outside[0]}, expected 0 to {classes - 1}"
    assert refusal(DataError, corrupt_labels, labels, 0.5, classes, rng()) == expected


def test_noise_that_is_none():
    labels = np.zeros(3, np.uint8)
    for fraction in (-0.01, 1.01, np.nan, np.inf, True, "0.5", None):
        expected = f"fraction: found {fraction!r}, expected a finite number of at least 0 and at most 1"
        assert refusal(ArgumentError, corrupt_labels, labels, fraction, 2, rng()) == expected
    for classes in (1, 0, -2, 257, 2.0, True, "2", None):
        expected = f"classes: found {classes!r}, expected an integer from 2 to 256, all that uint8 can tell apart"
        assert refusal(ArgumentError, corrupt_labels, labels, 0.5, classes, rng()) == expected
