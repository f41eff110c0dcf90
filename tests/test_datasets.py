import gzip
import hashlib
import pickle
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.backprop import forward
from npnet.data import datasets
from npnet.data.cifar import write_cifar10
from npnet.data.datasets import (
    balance,
    binary_targets,
    corrupt_labels,
    digit_pair,
    load,
    stratified_split,
    subset,
)
from npnet.data.idx import write_idx
from npnet.errors import ArgumentError, DataError
from npnet.mlp import MLP

PUBLISHED = {
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train-labels-idx1-ubyte": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "t10k-labels-idx1-ubyte": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}

labels_of_few_classes = hnp.arrays(np.uint8, st.integers(1, 60), elements=st.integers(0, 4))
seeds = st.integers(0, 2**32 - 1)


def rng(seed=0):
    return np.random.default_rng(seed)


@pytest.fixture(autouse=True)
def _no_named_folder(monkeypatch):
    monkeypatch.delenv("NPNET_DATA", raising=False)


@pytest.fixture
def tiny(tmp_path):
    """A folder with 3 training and 2 test images of 2 x 4 pixels, some of the files compressed."""
    folder = tmp_path / "tiny"
    folder.mkdir()
    images = np.arange(40, dtype=np.uint8).reshape(5, 2, 4)
    write_idx(folder / "train-images-idx3-ubyte.gz", images[:3], compress=True)
    write_idx(folder / "train-labels-idx1-ubyte", np.array([5, 0, 4], np.uint8))
    write_idx(folder / "t10k-images-idx3-ubyte", images[3:])
    write_idx(folder / "t10k-labels-idx1-ubyte.gz", np.array([7, 2], np.uint8))  # plain in spite of its name
    return folder


def assert_tiny(dataset):
    images = np.arange(40, dtype=np.uint8).reshape(5, 2, 4)
    np.testing.assert_array_equal(dataset.train_images, images[:3])
    np.testing.assert_array_equal(dataset.test_images, images[3:])
    assert dataset.train_labels.tolist() == [5, 0, 4]
    assert dataset.test_labels.tolist() == [7, 2]


# --- loading


def test_the_bundled_files_are_mnist():
    mnist = load()
    assert mnist.name == "mnist"
    assert mnist.checksums == PUBLISHED
    assert list(mnist.checksums) == list(PUBLISHED)
    assert mnist.train_images.shape == (60000, 28, 28)
    assert mnist.train_labels.shape == (60000,)
    assert mnist.test_images.shape == (10000, 28, 28)
    assert mnist.test_labels.shape == (10000,)
    assert mnist.train_labels[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert mnist.test_labels[:5].tolist() == [7, 2, 1, 0, 4]
    assert np.bincount(mnist.train_labels).tolist() == [
        5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949,
    ]  # fmt: skip
    assert {a.dtype for a in (mnist.train_images, mnist.train_labels, mnist.test_images, mnist.test_labels)} == {
        np.dtype(np.uint8)
    }


def test_the_bundled_files_are_read_once_and_cannot_be_damaged():
    first = load()
    assert load("mnist").train_images is first.train_images
    for array in (first.train_images, first.train_labels, first.test_images, first.test_labels):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    first.checksums["train-images-idx3-ubyte"] = "damaged"
    assert load().checksums == PUBLISHED


def test_a_dataset_is_a_value_without_equality(tiny):
    dataset = load(folder=tiny)
    with pytest.raises(AttributeError):
        dataset.name = "other"
    assert dataset != load(folder=tiny)
    assert_tiny(pickle.loads(pickle.dumps(dataset)))


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_named_folders(tiny, monkeypatch, name):
    dataset = load(name, tiny)
    assert dataset.name == name
    assert_tiny(dataset)
    assert_tiny(load(name, str(tiny)))
    monkeypatch.setenv("NPNET_DATA", str(tiny))
    assert_tiny(load(name))
    monkeypatch.setenv("NPNET_DATA", str(tiny / "none"))
    assert_tiny(load(name, tiny))
    with pytest.raises(DataError, match=re.escape(str(tiny / "none"))):
        load(name)


def test_an_empty_variable_names_no_folder(monkeypatch):
    monkeypatch.setenv("NPNET_DATA", "")
    assert load().checksums == PUBLISHED


def test_checksums_are_of_the_content(tiny):
    dataset = load(folder=tiny)
    # sha256sum of the 4 + 4 + 3 bytes 00000801 00000003 050004
    assert dataset.checksums["train-labels-idx1-ubyte"] == (
        "d229e0bc81fa2cb9dfab445bf40dd0a1b6516dd17c6b48c15a016dfd84e4c526"
    )
    assert list(dataset.checksums) == list(PUBLISHED)
    path = tiny / "train-labels-idx1-ubyte"
    path.with_suffix(".gz").write_bytes(gzip.compress(path.read_bytes()))
    path.unlink()
    assert load(folder=tiny).checksums == dataset.checksums


def test_named_folders_are_read_anew_and_the_plain_file_first(tiny):
    assert_tiny(load(folder=tiny))
    write_idx(tiny / "train-labels-idx1-ubyte.gz", np.array([1, 1, 1], np.uint8))
    assert_tiny(load(folder=tiny))
    write_idx(tiny / "train-labels-idx1-ubyte", np.array([2, 2, 2], np.uint8))
    assert load(folder=tiny).train_labels.tolist() == [2, 2, 2]


def test_fashion_mnist_is_where_debian_installs_it(tiny, monkeypatch):
    assert datasets._PLACES["fashion-mnist"] == Path("/usr/share/datasets/fashion-mnist")
    monkeypatch.setitem(datasets._PLACES, "fashion-mnist", tiny)
    assert_tiny(load("fashion-mnist"))
    assert load("fashion-mnist").train_images is load("fashion-mnist").train_images
    missing = tiny / "none"
    monkeypatch.setitem(datasets._PLACES, "fashion-mnist", missing)
    with pytest.raises(DataError) as caught:
        load("fashion-mnist")
    assert str(caught.value) == (
        f"{missing} is not a folder, expected the four files of fashion-mnist there;"
        " the Debian package dataset-fashion-mnist installs this set"
    )


def test_an_unknown_name(tiny):
    with pytest.raises(ArgumentError, match=r"^name is 'cifar', expected one of 'mnist', 'fashion-mnist', 'cifar10'$"):
        load("cifar", tiny)


@pytest.mark.parametrize("file", PUBLISHED)
def test_a_missing_file(tiny, file):
    for path in tiny.glob(f"{file}*"):
        path.unlink()
    with pytest.raises(DataError) as caught:
        load(folder=tiny)
    assert str(caught.value) == f"{tiny} has neither {file} nor {file}.gz, files of mnist"
    with pytest.raises(DataError, match=r"; the Debian package dataset-fashion-mnist installs this set$"):
        load("fashion-mnist", tiny)


def test_a_folder_that_is_a_file(tiny):
    path = tiny / "train-labels-idx1-ubyte"
    with pytest.raises(DataError) as caught:
        load(folder=path)
    assert str(caught.value) == f"{path} is not a folder, expected the four files of mnist there"


def test_a_broken_file(tiny):
    path = tiny / "t10k-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=re.escape(f"{path} is cut off: 15 bytes of data, expected 16")):
        load(folder=tiny)


@pytest.mark.parametrize(
    ("file", "array", "found"),
    [
        ("train-labels-idx1-ubyte", np.zeros(3, np.int8), "int8 of rank 1, expected uint8 of rank 1"),
        ("train-labels-idx1-ubyte", np.zeros((3, 1), np.uint8), "uint8 of rank 2, expected uint8 of rank 1"),
        ("t10k-images-idx3-ubyte", np.zeros((2, 8), np.uint8), "uint8 of rank 2, expected uint8 of rank 3"),
        (
            "t10k-images-idx3-ubyte",
            np.zeros((2, 2, 4), np.float32),
            "float32 of rank 3, expected uint8 of rank 3",
        ),
    ],
)
def test_a_file_of_another_kind(tiny, file, array, found):
    write_idx(tiny / file, array)
    with pytest.raises(DataError) as caught:
        load(folder=tiny)
    assert str(caught.value) == f"{tiny / file} holds {found}"


def test_images_and_labels_of_unequal_number(tiny):
    labels, images = tiny / "train-labels-idx1-ubyte", tiny / "train-images-idx3-ubyte.gz"
    write_idx(labels, np.zeros(4, np.uint8))
    with pytest.raises(DataError) as caught:
        load(folder=tiny)
    assert str(caught.value) == f"{images} holds 3 images and {labels} 4 labels, expected equal numbers"
    write_idx(labels, np.zeros(3, np.uint8))
    labels, images = tiny / "t10k-labels-idx1-ubyte.gz", tiny / "t10k-images-idx3-ubyte"
    write_idx(labels, np.zeros(1, np.uint8))
    with pytest.raises(DataError) as caught:
        load(folder=tiny)
    assert str(caught.value) == f"{images} holds 2 images and {labels} 1 labels, expected equal numbers"


@pytest.mark.parametrize("size", [(4, 2), (2, 5), (3, 4)])
def test_images_of_two_sizes(tiny, size):
    train, test = tiny / "train-images-idx3-ubyte.gz", tiny / "t10k-images-idx3-ubyte"
    write_idx(test, np.zeros((2, *size), np.uint8))
    with pytest.raises(DataError) as caught:
        load(folder=tiny)
    assert str(caught.value) == f"{train} holds images of (2, 4) pixels and {test} of {size}, expected one size"


# --- CIFAR-10

CIFAR10 = [*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin"]
HINT = (
    "; data_batch_1.bin to data_batch_5.bin and test_batch.bin come in cifar-10-binary.tar.gz,"
    " the binary version at https://www.cs.toronto.edu/~kriz/cifar.html"
)


@pytest.fixture
def cifar10(tmp_path):
    """A folder with 1, 2, 3, 1 and 2 training images of CIFAR-10's form and 4 test images.

    All pixels of an image are alike: 1 to 9 in the order of the training images, 101 to 104 in that of the tests.
    The labels are those numbers' last digits.
    """
    folder = tmp_path / "cifar10"
    folder.mkdir()
    for file, numbers in zip(CIFAR10, ([1], [2, 3], [4, 5, 6], [7], [8, 9], [101, 102, 103, 104]), strict=True):
        images = np.broadcast_to(np.array(numbers, np.uint8).reshape(-1, 1, 1, 1), (len(numbers), 3, 32, 32))
        write_cifar10(folder / file, images, np.array(numbers) % 10)
    return folder


def assert_cifar10(dataset):
    for images, labels, numbers in (
        (dataset.train_images, dataset.train_labels, range(1, 10)),
        (dataset.test_images, dataset.test_labels, range(101, 105)),
    ):
        assert images.dtype == labels.dtype == np.uint8
        assert images.shape == (len(numbers), 3, 32, 32)
        assert (images == np.reshape(numbers, (-1, 1, 1, 1))).all()
        assert labels.tolist() == [number % 10 for number in numbers]


def cifar10_refusal(*folder):
    with pytest.raises(DataError) as caught:
        load("cifar10", *folder)
    return str(caught.value)


def test_cifar10_in_a_named_folder(cifar10, monkeypatch):
    dataset = load("cifar10", cifar10)
    assert dataset.name == "cifar10"
    assert_cifar10(dataset)
    assert_cifar10(load("cifar10", str(cifar10)))
    monkeypatch.setenv("NPNET_DATA", str(cifar10))
    assert_cifar10(load("cifar10"))
    monkeypatch.setenv("NPNET_DATA", str(cifar10 / "none"))
    assert_cifar10(load("cifar10", cifar10))
    assert cifar10_refusal() == f"{cifar10 / 'none'} is not a folder, expected the six files of cifar10 there{HINT}"


def test_cifar10_is_read_only(cifar10):
    dataset = load("cifar10", cifar10)
    for array in (dataset.train_images, dataset.train_labels, dataset.test_images, dataset.test_labels):
        assert not array.flags.writeable


def test_cifar10_in_the_folder_that_the_archive_makes(cifar10):
    unpacked = cifar10.rename(cifar10.with_name("cifar-10-batches-bin"))
    assert_cifar10(load("cifar10", unpacked))
    assert_cifar10(load("cifar10", unpacked.parent))
    for file in CIFAR10:
        (unpacked.parent / file).write_bytes(b"")
    assert_cifar10(load("cifar10", unpacked.parent))
    (unpacked / "test_batch.bin").unlink()
    assert cifar10_refusal(unpacked.parent).startswith(f"{unpacked} has no test_batch.bin, ")


def test_checksums_of_cifar10_are_of_its_files(cifar10):
    checksums = load("cifar10", cifar10).checksums
    assert list(checksums) == CIFAR10
    for file, checksum in checksums.items():
        assert checksum == hashlib.sha256((cifar10 / file).read_bytes()).hexdigest()
    assert len(set(checksums.values())) == 6


@pytest.mark.parametrize("variable", [None, ""])
def test_cifar10_has_no_place_of_its_own(monkeypatch, variable):
    if variable is not None:
        monkeypatch.setenv("NPNET_DATA", variable)
    assert cifar10_refusal() == (
        "no folder is named for cifar10, expected the argument folder or the environment variable NPNET_DATA"
        f" to name the one with its files{HINT}"
    )


@pytest.mark.parametrize("file", CIFAR10)
def test_a_missing_file_of_cifar10(cifar10, file):
    (cifar10 / file).unlink()
    assert cifar10_refusal(cifar10) == f"{cifar10} has no {file}, expected the binary files of cifar10{HINT}"


@pytest.mark.parametrize("file", CIFAR10)
@pytest.mark.parametrize("inner", [".", "cifar-10-batches-py"])
def test_the_python_version_of_cifar10(cifar10, file, inner):
    pickled = cifar10 / inner / file.removesuffix(".bin")
    pickled.parent.mkdir(exist_ok=True)
    pickled.write_bytes(pickle.dumps({"data": None}))
    assert_cifar10(load("cifar10", cifar10))
    (cifar10 / file).unlink()
    assert cifar10_refusal(cifar10) == (
        f"{cifar10} has no {file} but {pickled} of the Python version, expected the binary files of cifar10{HINT}"
    )


@pytest.mark.parametrize("file", CIFAR10)
def test_a_broken_file_of_cifar10(cifar10, file):
    path = cifar10 / file
    path.write_bytes(path.read_bytes()[:-1])
    assert cifar10_refusal(cifar10).startswith(f"{path} is cut off ")


def test_the_files_of_another_set(cifar10, tiny):
    assert cifar10_refusal(tiny).startswith(f"{tiny} has no data_batch_1.bin, expected ")
    with pytest.raises(DataError, match=re.escape(f"{cifar10} has neither train-images-idx3-ubyte nor ")):
        load("mnist", cifar10)


def test_a_network_sees_one_plane_after_the_other(cifar10):
    planes = np.array([[10, 20, 30], [30, 10, 20]], np.uint8)[:, :, None, None]
    write_cifar10(cifar10 / "test_batch.bin", np.broadcast_to(planes, (2, 3, 32, 32)), [0, 1])
    net = MLP((3 * 32 * 32, 1), bias=False)
    theta = np.repeat([1.0, 0.0, -0.5], 32 * 32)
    logits = forward(net, theta, load("cifar10", cifar10).test_images)
    np.testing.assert_allclose(logits[:, 0], [(10 - 15) * 1024 / 255, (30 - 10) * 1024 / 255])


# --- pairs of digits


def test_a_pair_in_file_order():
    images = np.arange(12).reshape(6, 2)
    labels = np.array([4, 9, 1, 9, 4, 0], np.uint8)
    chosen, targets = digit_pair(images, labels, 4, 9)
    assert chosen.tolist() == [[0, 1], [2, 3], [6, 7], [8, 9]]
    assert targets.tolist() == [0, 1, 1, 0]
    assert targets.dtype == np.uint8
    assert digit_pair(images, labels, 9, 4)[1].tolist() == [1, 0, 0, 1]
    chosen[:] = 0
    assert images[0, 1] == 1


def test_binary_targets():
    assert binary_targets([3, 8, 8, 3], 3, 8).tolist() == [0, 1, 1, 0]
    assert binary_targets(np.array([3, 3], np.int64), 3, 8).tolist() == [0, 0]
    assert binary_targets(np.array([], np.uint8), 3, 8).shape == (0,)
    assert binary_targets([3, 8], 3, 8).dtype == np.uint8


def test_pairs_that_are_none():
    images, labels = np.zeros((3, 2)), np.array([0, 1, 3], np.uint8)
    for low, high in ((1, 1), (7, 7)):
        with pytest.raises(ArgumentError, match=f"^low and high are both {low}, expected two different labels$"):
            digit_pair(images, labels, low, high)
        with pytest.raises(ArgumentError, match="both"):
            binary_targets(labels, low, high)
    for low, high in ((1, 7), (7, 1), (7, 8)):
        with pytest.raises(DataError, match=r"^labels hold no 7, expected one of 0 1 3$"):
            digit_pair(images, labels, low, high)
    with pytest.raises(ArgumentError, match=r"^images are 2 and labels 3, expected as many of both$"):
        digit_pair(images[:2], labels, 0, 1)
    with pytest.raises(DataError, match=r"^labels hold 3 at index 2, expected only 0 and 1$"):
        binary_targets([0, 1, 3, 5], 0, 1)


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0.0, 1.0], r"float64 of shape \(2,\)"),
        ([[0, 1]], r"int64 of shape \(1, 2\)"),
        (1, r"int64 of shape \(\)"),
    ],
)
def test_labels_are_vectors_of_integers(labels, found):
    for call in (
        lambda: digit_pair(np.zeros(2), labels, 0, 1),
        lambda: binary_targets(labels, 0, 1),
        lambda: balance(labels, rng()),
        lambda: stratified_split(labels, 0.5, rng()),
        lambda: subset(labels, 1, rng()),
        lambda: corrupt_labels(labels, 0.5, 2, rng()),
    ):
        with pytest.raises(ArgumentError, match=f"^labels are {found}, expected a vector of integers$"):
            call()


def test_no_labels_at_all():
    none = np.array([], np.uint8)
    for call in (lambda: balance(none, rng()), lambda: stratified_split(none, 0.5, rng())):
        with pytest.raises(ArgumentError, match=r"^labels are empty, expected at least one$"):
            call()
    assert corrupt_labels(none, 0.5, 2, rng()).shape == (0,)


# --- balance


@given(labels=labels_of_few_classes, seed=seeds)
def test_balance(labels, seed):
    before = labels.copy()
    labels.flags.writeable = False
    indices = balance(labels, rng(seed))
    assert (np.diff(indices) > 0).all()
    counts = Counter(labels.tolist())
    assert Counter(labels[indices].tolist()) == dict.fromkeys(counts, min(counts.values()))
    np.testing.assert_array_equal(indices, balance(labels, rng(seed)))
    np.testing.assert_array_equal(labels, before)


def test_balance_draws_one_choice_per_class():
    labels = np.array([1, 0, 1, 0, 1, 1, 0], np.int32)
    generator = rng(42)
    zeros = generator.choice([1, 3, 6], 3, replace=False)
    ones = generator.choice([0, 2, 4, 5], 3, replace=False)
    again = rng(42)
    assert balance(labels, again).tolist() == sorted([*zeros, *ones])
    assert again.random() == generator.random()


def test_balance_chooses_uniformly():
    labels = np.array([0] * 4 + [1], np.uint8)
    generator = rng(1)
    chosen = Counter(int(balance(labels, generator)[0]) for _ in range(400))
    assert sorted(chosen) == [0, 1, 2, 3]
    assert all(70 < count < 130 for count in chosen.values())


# --- splits


@given(
    counts=st.lists(st.integers(2, 40), min_size=1, max_size=6),
    percent=st.integers(1, 99),
    seed=seeds,
)
def test_stratified_split(counts, percent, seed):
    fraction = percent / 100
    labels = rng(seed).permutation(np.repeat(np.arange(len(counts)) * 3 - 2, counts))
    labels.flags.writeable = False
    try:
        rest, held_out = stratified_split(labels, fraction, rng(seed))
    except ArgumentError:
        shares = [Fraction(percent, 100) * count for count in counts]
        assert any(share < 1 or share > count - 1 for share, count in zip(shares, counts, strict=True))
        return
    assert sorted([*rest, *held_out]) == list(range(len(labels)))
    assert len(held_out) == (2 * percent * len(labels) + 100) // 200
    for label, count in enumerate(counts):
        held = np.count_nonzero(labels[held_out] == 3 * label - 2)
        assert abs(held - Fraction(percent, 100) * count) < 1
        assert 0 < held < count
    again = stratified_split(labels, fraction, rng(seed))
    np.testing.assert_array_equal(rest, again[0])
    np.testing.assert_array_equal(held_out, again[1])


@pytest.mark.parametrize(
    ("counts", "fraction", "held"),
    [
        ([10, 10], 0.2, [2, 2]),
        ([5, 5], 0.3, [2, 1]),  # 1.5 + 1.5: the smaller label gains
        ([5, 5, 5], 0.3, [2, 2, 1]),  # 4.5 rounds up to 5
        ([3, 4, 3], 0.5, [2, 2, 1]),
        ([4, 6, 10], 0.35, [1, 2, 4]),  # 1.4, 2.1, 3.5
        ([20, 80], 0.145, [3, 12]),  # 2.9, 11.6; the 14.5 is exact, though 0.145 * 100 < 14.5 in binary
        ([100, 100], 0.29, [29, 29]),  # 0.29 * 100 < 29 in binary
        ([7, 7, 7], 1 / 3, [3, 2, 2]),
        ([1000, 1000], 1e-3, [1, 1]),
    ],
)
def test_largest_remainders(counts, fraction, held):
    labels = np.repeat(np.arange(len(counts)), counts)
    _, held_out = stratified_split(labels, fraction, rng())
    assert np.bincount(labels[held_out]).tolist() == held
    _, held_out = stratified_split(labels, np.float64(fraction), rng())
    assert np.bincount(labels[held_out]).tolist() == held


def test_a_split_by_hand():
    labels = [1, 0, 1, 0, 1, 1, 0, 1, 0]
    draws = rng(4)
    zeros, ones = draws.permutation([1, 3, 6, 8]), draws.permutation([0, 2, 4, 5, 7])
    rest = draws.permutation([*zeros[:2], *ones[:2]])
    held_out = draws.permutation([*zeros[2:], *ones[2:]])  # 2 and 2.5 of them, 4.5 in all
    found = stratified_split(labels, 0.5, rng(4))
    np.testing.assert_array_equal(found[0], rest)
    np.testing.assert_array_equal(found[1], held_out)


def test_splits_are_shuffled():
    labels = np.repeat(np.arange(3), [40, 80, 120])
    rest, held_out = stratified_split(labels, 0.25, rng(0))
    for indices in (rest, held_out):
        assert 0.4 < np.mean(np.diff(indices) > 0) < 0.6
        assert 0.3 < np.mean(np.diff(labels[indices]) == 0) < 0.5  # 0.39 expected, near 1 by class
    other = stratified_split(labels, 0.25, rng(1))[1]
    assert set(other.tolist()) != set(held_out.tolist())
    assert np.issubdtype(rest.dtype, np.integer)


def test_every_example_is_held_out_equally_often():
    labels = np.repeat(np.arange(2), [4, 8])
    generator = rng(3)
    times = np.bincount(np.concatenate([stratified_split(labels, 0.25, generator)[1] for _ in range(400)]))
    assert len(times) == 12
    assert (times > 70).all()
    assert (times < 130).all()


@pytest.mark.parametrize("fraction", [0, 1, 0.0, 1.0, -0.1, 1.1, float("nan"), float("inf")])
def test_fractions_that_split_nothing(fraction):
    with pytest.raises(ArgumentError, match=f"^fraction is {fraction}, expected 0 < fraction < 1$"):
        stratified_split([0, 0, 1, 1], fraction, rng())


def test_classes_too_rare_to_split():
    with pytest.raises(ArgumentError) as caught:
        stratified_split([4] * 10 + [7], 0.2, rng())
    assert str(caught.value) == ("fraction 0.2 holds out 0 of 1 of label 7, expected some on both sides")
    with pytest.raises(ArgumentError, match=r"^fraction 0.9 holds out 2 of 2 of label 4, "):
        stratified_split([4] * 2 + [7] * 10, 0.9, rng())


# --- subsets


@given(labels=labels_of_few_classes, share=st.floats(0, 1), seed=seeds)
def test_subset(labels, share, seed):
    n = max(1, round(share * len(labels)))
    indices = subset(labels, n, rng(seed))
    assert len(indices) == len(set(indices.tolist())) == n
    for label, count in Counter(labels.tolist()).items():
        assert abs(np.count_nonzero(labels[indices] == label) - Fraction(count * n, len(labels))) < 1
    np.testing.assert_array_equal(indices, subset(labels, n, rng(seed)))


def test_subset_of_all_is_a_permutation():
    indices = subset(np.repeat(np.arange(4), 25), 100, rng())
    assert sorted(indices.tolist()) == list(range(100))
    assert 0.35 < np.mean(np.diff(indices) > 0) < 0.65


def test_subset_by_hand():
    labels = np.repeat(np.arange(3), [1, 5, 6])
    assert np.bincount(labels[subset(labels, np.int64(5), rng())], minlength=3).tolist() == [0, 2, 3]
    assert np.bincount(labels[subset(labels, 1, rng())], minlength=3).tolist() == [0, 0, 1]


def test_subset_is_the_held_out_part_of_a_split():
    labels = rng(5).integers(0, 3, 40)
    np.testing.assert_array_equal(subset(labels, 10, rng(8)), stratified_split(labels, 0.25, rng(8))[1])


@pytest.mark.parametrize("n", [0, -1, 5, 2.0, 2.5, "2", None])
def test_subsets_that_do_not_exist(n):
    with pytest.raises(ArgumentError, match=f"^n is {n}, expected an integer from 1 to the 4 labels there are$"):
        subset([0, 0, 1, 1], n, rng())


# --- label noise


@given(
    labels=labels_of_few_classes,
    percent=st.integers(0, 100),
    classes=st.integers(5, 9),
    seed=seeds,
)
def test_label_noise_is_exact(labels, percent, classes, seed):
    before = labels.copy()
    labels.flags.writeable = False
    noisy = corrupt_labels(labels, percent / 100, classes, rng(seed))
    assert noisy.dtype == labels.dtype
    assert np.count_nonzero(noisy != labels) == (2 * percent * len(labels) + 100) // 200
    assert noisy.max() < classes
    np.testing.assert_array_equal(noisy, corrupt_labels(labels, percent / 100, classes, rng(seed)))
    np.testing.assert_array_equal(labels, before)


def test_wrong_labels_are_drawn_uniformly():
    noisy = corrupt_labels(np.full(3000, 2, np.uint8), 1, 4, rng(0))
    counts = np.bincount(noisy)
    assert counts[2] == 0
    assert len(counts) == 4
    assert (abs(counts[[0, 1, 3]] - 1000) < 100).all()


def test_wrong_labels_fall_anywhere():
    labels = np.zeros(1000, np.int64)
    wrong = np.flatnonzero(corrupt_labels(labels, 0.3, 2, rng(0)))
    assert len(wrong) == 300
    assert 450 < wrong.mean() < 550
    assert (np.diff(wrong) > 1).any()
    assert (np.diff(wrong) == 1).any()


def test_label_noise_by_hand():
    draws = rng(6)
    wrong, shift = draws.choice(8, 4, replace=False), draws.integers(1, 5, 4)
    expected = np.array([0, 1, 2, 3, 4, 0, 1, 2], np.uint8)
    for index, step in zip(wrong, shift, strict=True):
        expected[index] = (expected[index] + step) % 5
    np.testing.assert_array_equal(corrupt_labels([0, 1, 2, 3, 4, 0, 1, 2], 0.5, 5, rng(6)), expected)


def test_no_noise_is_a_copy():
    labels = np.array([0, 1, 2], np.int16)
    noisy = corrupt_labels(labels, 0, 3, rng())
    np.testing.assert_array_equal(noisy, labels)
    assert not np.shares_memory(noisy, labels)


def test_two_classes_flip():
    assert corrupt_labels([0, 1, 1, 0], 1.0, 2, rng()).tolist() == [1, 0, 0, 1]


def test_noise_up_to_the_last_label_of_a_dtype():
    labels = np.array([0, 255, 128] * 50, np.uint8)
    noisy = corrupt_labels(labels, 1, 256, rng())
    assert (noisy != labels).all()
    assert (corrupt_labels(np.full(9, 127, np.int8), 1, np.int64(128), rng()) >= 0).all()


@pytest.mark.parametrize("fraction", [-0.01, 1.01, float("nan"), float("inf")])
def test_noise_that_is_no_share(fraction):
    with pytest.raises(ArgumentError, match=f"^fraction is {fraction}, expected 0 <= fraction <= 1$"):
        corrupt_labels([0, 1], fraction, 2, rng())


@pytest.mark.parametrize("classes", [1, 0, -2, 257, 2.0, None])
def test_noise_over_no_classes(classes):
    with pytest.raises(ArgumentError, match=f"^classes is {classes}, expected an integer from 2 to the 256 of uint8$"):
        corrupt_labels(np.zeros(3, np.uint8), 0.5, classes, rng())


@pytest.mark.parametrize(("label", "index"), [(3, 1), (-1, 2), (100, 0)])
def test_labels_outside_the_classes(label, index):
    labels = [0, 2, 1, -5]
    labels[index] = label
    with pytest.raises(DataError, match=f"^labels hold {label} at index {index}, expected 0 to 2$"):
        corrupt_labels(labels, 0.5, 3, rng())
