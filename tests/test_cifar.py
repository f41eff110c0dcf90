import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npnet.data.cifar import encode, read_cifar10, write_cifar10
from npnet.errors import ArgumentError, DataError

RECORD = 3073


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("cifar")


def written(folder, content):
    path = folder / "file.bin"
    path.write_bytes(content)
    return path


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_cifar10(path)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message.replace(str(path), "PATH")


def some(n, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 3, 32, 32), np.uint8), rng.integers(0, 10, n, np.uint8)


@given(
    n=st.integers(1, 5),
    seed=st.integers(0, 2**32 - 1),
    dtype=st.sampled_from(["uint8", "int8", "int64", ">i4"]),
    layout=st.sampled_from(["C", "F", "strided", "read-only"]),
)
def test_reading_gives_back_what_was_written(folder, n, seed, dtype, layout):
    images, labels = some(n, seed)
    given_images, given_labels = images, labels.astype(dtype)
    if layout == "F":
        given_images = np.array(images, order="F")
    elif layout == "strided":
        given_images, given_labels = np.repeat(images, 2, axis=2)[:, :, ::2], np.repeat(given_labels, 2)[::2]
    given_images.flags.writeable = given_labels.flags.writeable = layout != "read-only"
    write_cifar10(folder / "round trip", given_images, given_labels)
    for path in (folder / "round trip", str(folder / "round trip")):
        back = read_cifar10(path)
        for array, original in zip(back, (images, labels), strict=True):
            assert array.dtype == np.uint8
            assert array.flags.writeable
            assert array.flags.c_contiguous
            np.testing.assert_array_equal(array, original)
    assert encode(*back) == (folder / "round trip").read_bytes()


@given(records=st.lists(st.tuples(st.integers(0, 9), st.integers(0, 255)), min_size=1, max_size=4))
def test_writing_gives_back_what_was_read(folder, records):
    content = b"".join(bytes([label]) + bytes((first + 7 * i) % 256 for i in range(3072)) for label, first in records)
    path = written(folder, content)
    write_cifar10(path, *read_cifar10(path))
    assert path.read_bytes() == content


def test_a_file_byte_by_byte(folder):
    content = bytearray(2 * RECORD)
    content[0] = 9  # the first label
    content[1] = 10  # red, top left
    content[1 + 31] = 11  # red, top right
    content[1 + 32] = 12  # red, the second row's left
    content[1 + 1024] = 13  # green, top left
    content[1 + 2048] = 14  # blue, top left
    content[3073 + 0] = 4  # the second label
    content[-1] = 15  # blue, bottom right
    images, labels = np.zeros((2, 3, 32, 32), np.uint8), np.array([9, 4])
    images[0, 0, 0, 0], images[0, 0, 0, 31], images[0, 0, 1, 0] = 10, 11, 12
    images[0, 1, 0, 0], images[0, 2, 0, 0] = 13, 14
    images[1, 2, 31, 31] = 15
    found = read_cifar10(written(folder, content))
    np.testing.assert_array_equal(found[0], images)
    np.testing.assert_array_equal(found[1], labels)
    assert encode(images, labels) == content


def test_lists_are_arrays():
    images, _ = some(2)
    assert encode(list(images), [3, 7]) == encode(images, np.array([3, 7], np.uint8))


@pytest.mark.parametrize("length", [0, 1, 3072, 3074, 2 * 3073 - 1, 2 * 3073 + 1, 2 * 3074, 2 * 3072])
def test_files_of_another_length(folder, length):
    assert refusal(written(folder, bytes(length))) == (
        f"PATH is cut off or not of CIFAR-10's binary version: {length} bytes, expected a positive multiple of 3073"
    )


@pytest.mark.parametrize(("index", "label"), [(0, 10), (1, 255), (2, 11)])
def test_labels_above_nine_in_a_file(folder, index, label):
    content = bytearray(3 * RECORD)
    content[2 * RECORD] = 99
    content[index * RECORD] = label
    assert refusal(written(folder, content)) == f"PATH holds the label {label} at index {index}, expected 0 to 9"


def test_files_that_cannot_be_read(folder):
    assert refusal(folder / "none") == "cannot read PATH: No such file or directory"
    assert refusal(folder) == "cannot read PATH: Is a directory"


def test_an_error_without_words(folder, monkeypatch):
    def fail(*arguments):
        raise OSError("the disk is gone")

    monkeypatch.setattr("pathlib.Path.read_bytes", fail)
    assert refusal(folder / "x") == "cannot read PATH: the disk is gone"
    monkeypatch.setattr("pathlib.Path.write_bytes", fail)
    with pytest.raises(DataError, match=re.escape(f"cannot write {folder / 'x'}: the disk is gone")):
        write_cifar10(folder / "x", *some(1))


def test_places_that_cannot_be_written(folder):
    for place, reason in ((folder, "Is a directory"), (folder / "none" / "x", "No such file or directory")):
        with pytest.raises(DataError, match=re.escape(f"cannot write {place}: {reason}")):
            write_cifar10(place, *some(1))


@pytest.mark.parametrize(
    ("images", "found"),
    [
        (np.zeros((2, 3, 32, 32)), "float64 of shape (2, 3, 32, 32)"),
        (np.zeros((2, 3, 32, 32), np.int8), "int8 of shape (2, 3, 32, 32)"),
        (np.zeros((2, 32, 32, 3), np.uint8), "uint8 of shape (2, 32, 32, 3)"),
        (np.zeros((2, 3, 32, 31), np.uint8), "uint8 of shape (2, 3, 32, 31)"),
        (np.zeros((2, 3072), np.uint8), "uint8 of shape (2, 3072)"),
        (np.zeros((3, 32, 32), np.uint8), "uint8 of shape (3, 32, 32)"),
        (np.zeros((0, 3, 32, 32), np.uint8), "uint8 of shape (0, 3, 32, 32)"),
        (np.uint8(0), "uint8 of shape ()"),
    ],
)
def test_images_that_are_none(folder, images, found):
    path = folder / "unwritten"
    with pytest.raises(ArgumentError) as caught:
        write_cifar10(path, images, np.zeros(len(images) if images.ndim else 1, np.uint8))
    assert str(caught.value) == f"images are {found}, expected uint8 of shape (n, 3, 32, 32), n > 0"
    assert not path.exists()


@pytest.mark.parametrize(
    ("labels", "found"),
    [
        ([0.0, 1.0], "float64 of shape (2,)"),
        ([True, False], "bool of shape (2,)"),
        ([[0], [1]], "int64 of shape (2, 1)"),
        ([0, 1, 2], "int64 of shape (3,)"),
        (3, "int64 of shape ()"),
    ],
)
def test_labels_that_do_not_fit(labels, found):
    with pytest.raises(ArgumentError) as caught:
        encode(some(2)[0], labels)
    assert str(caught.value) == f"labels are {found}, expected integers of shape (2,)"


@pytest.mark.parametrize(("labels", "found"), [([0, 10, 11], (10, 1)), ([-1, 0, 9], (-1, 0)), ([9, 0, 256], (256, 2))])
def test_labels_of_no_class(labels, found):
    with pytest.raises(ArgumentError) as caught:
        encode(some(3)[0], labels)
    assert str(caught.value) == f"labels hold {found[0]} at index {found[1]}, expected 0 to 9"
