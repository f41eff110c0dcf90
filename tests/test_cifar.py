"""Files of CIFAR-10's binary version: all images and labels there and back, and every damaged file refused."""

from unittest import mock

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.data.cifar import encode, read_cifar10
from npnet.errors import DataError

RECORD = 3073

pixels = hnp.arrays(np.uint8, st.tuples(st.integers(1, 3), st.just(RECORD - 1)))


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
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@given(pixels=pixels, data=st.data())
def test_images_and_labels_there_and_back(folder, pixels, data):
    labels = data.draw(hnp.arrays(np.uint8, len(pixels), elements=st.integers(0, 9)))
    content = b"".join(bytes([label]) + image.tobytes() for label, image in zip(labels, pixels, strict=True))
    path = written(folder, content)
    for given_path in (path, str(path)):
        found = read_cifar10(given_path)
        for array, original in zip(found, (pixels.reshape(-1, 3, 32, 32), labels), strict=True):
            np.testing.assert_array_equal(array, original, strict=True)
            assert array.flags.carray
        assert encode(*found) == encode(np.asfortranarray(found[0]), found[1]) == content


@given(length=st.integers(0, 3 * RECORD).filter(lambda length: length == 0 or length % RECORD))
@example(length=0)
@example(length=RECORD - 1)
@example(length=2 * RECORD + 1)
def test_files_of_another_length(folder, length):
    expected = "expected a positive multiple of 3073, as in CIFAR-10's binary version"
    assert refusal(written(folder, bytes(length))) == f"found {length} bytes, {expected}"


@given(labels=st.lists(st.integers(0, 255), min_size=1, max_size=4).filter(lambda labels: max(labels) > 9))
@example(labels=[10])
@example(labels=[9, 255, 99])
def test_the_first_label_above_nine_is_refused(folder, labels):
    content = b"".join(bytes([label]) + bytes(RECORD - 1) for label in labels)
    first = next(index for index, label in enumerate(labels) if label > 9)
    assert refusal(written(folder, content)) == f"found the label {labels[first]} at index {first}, expected 0 to 9"


def test_files_that_cannot_be_read(folder):
    wanted = "expected CIFAR-10's binary version"
    assert refusal(folder / "none") == f"found nothing readable (No such file or directory), {wanted}"
    assert refusal(folder) == f"found nothing readable (Is a directory), {wanted}"
    with mock.patch("pathlib.Path.read_bytes", side_effect=OSError("the disk is gone")):
        assert refusal(folder) == f"found nothing readable (the disk is gone), {wanted}"
