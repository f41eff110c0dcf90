"""IDX files: every array there and back, and every damaged file refused."""

import errno
import gzip
import re
import struct
import tracemalloc
from itertools import pairwise
from unittest import mock

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.data import idx
from npnet.data.idx import encode, read_idx, write_idx
from npnet.errors import ArgumentError, DataError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}

# The 2 x 3 int16 array [[1, -2, 3], [256, 0, -32768]], byte by byte.
SMALL = bytes.fromhex("00000b02 00000002 00000003 0001 fffe 0003 0100 0000 8000")
SMALL_ARRAY = np.array([[1, -2, 3], [256, 0, -32768]], np.int16)

arrays = st.sampled_from(sorted(CODES)).flatmap(
    lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("idx")


def written(folder, content, name="file"):
    path = folder / name
    path.write_bytes(content)
    return path


def refusal(path):
    with pytest.raises(DataError) as caught:
        read_idx(path)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"{path}: found ")
    assert ", expected " in message
    return message.removeprefix(f"{path}: ")


def assert_same_bits(found, array):
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    assert found.tobytes() == array.tobytes()  # NaN and -0.0 included


# There and back.


@given(
    array=arrays,
    name=st.sampled_from(["x", "x.gz", "x.bin", "x.gz.txt"]),
    compress=st.booleans(),
    order=st.sampled_from("<>"),
    layout=st.sampled_from(["C", "F", "strided", "read-only"]),
)
def test_reading_gives_back_what_was_written(folder, array, name, compress, order, layout):
    original = array.astype(array.dtype.newbyteorder(order), order="F" if layout == "F" else "C")
    if layout == "strided" and array.ndim:
        original = np.repeat(original, 2, axis=0)[::2]
    original.flags.writeable = layout != "read-only"
    write_idx(folder / name, original, compress=compress)
    for path in (folder / name, str(folder / name)):
        found = read_idx(path)
        assert_same_bits(found, array)
        assert found.dtype.isnative
        assert found.flags.carray
        assert found.flags.writeable


@given(array=arrays)
def test_the_bytes_of_a_file(folder, array):
    assert encode(SMALL_ARRAY) == encode(list(SMALL_ARRAY)) == SMALL
    lengths = b"".join(struct.pack(">I", length) for length in array.shape)
    elements = b"".join(struct.pack(f">{array.dtype.char}", element) for element in array.flat)
    content = bytes([0, 0, CODES[array.dtype.name], array.ndim]) + lengths + elements
    write_idx(folder / "plain", array)
    write_idx(folder / "gzip", array, compress=True)
    assert encode(array) == (folder / "plain").read_bytes() == content
    compressed = (folder / "gzip").read_bytes()
    assert gzip.decompress(compressed) == content
    assert compressed[:8] == b"\x1f\x8b\x08\x00" + bytes(4)  # flags 0: no name; time stamp 0


def gzip_members(content, cuts, level):
    """The content as one gzip member after the other, cut there."""
    places = [0, *sorted(cut % (len(content) + 1) for cut in cuts), len(content)]
    parts = [content[start:stop] for start, stop in pairwise(places)]
    return b"".join(gzip.compress(part, level, mtime=0) for part in parts)


@given(
    array=arrays,
    cuts=st.lists(st.integers(0, 300), max_size=4),
    level=st.sampled_from([0, 9]),
    chunk=st.integers(2, 40),
)
@example(array=np.zeros(1000, np.uint8), cuts=[], level=9, chunk=2)  # Much content from one chunk of the file.
def test_gzip_members_and_chunks_may_meet_anywhere(folder, array, cuts, level, chunk):
    for content in (encode(array), gzip_members(encode(array), cuts, level)):
        path = written(folder, content)
        with mock.patch.object(idx, "_CHUNK", chunk):
            assert_same_bits(read_idx(path), array)


# Damaged files.


@given(array=arrays, place=st.integers(0, 500))
@example(array=SMALL_ARRAY, place=3)
@example(array=SMALL_ARRAY, place=11)
@example(array=SMALL_ARRAY, place=12)
def test_a_file_cut_anywhere_is_refused(folder, array, place):
    content, header = encode(array), 4 + 4 * array.ndim
    length = place % len(content)
    if length < 4:
        expected = f"found {length} bytes, expected an IDX file, of at least 4"
    elif length < header:
        expected = f"found {length} bytes, expected a header of {header} for {array.ndim} axes"
    else:
        promised = f"{array.nbytes} for shape {array.shape} of {array.dtype}"
        expected = f"found {length - header} bytes of data, expected {promised}"
    assert refusal(written(folder, content[:length])) == expected
    assert refusal(written(folder, gzip.compress(content[:length]))) == expected


@given(array=arrays, place=st.integers(0, 500))
@example(array=SMALL_ARRAY, place=-1)
@example(array=np.zeros(2**17, np.uint8), place=-1)  # All of the numbers are there, but not the check sum.
def test_gzip_data_cut_anywhere_are_refused(folder, array, place):
    content = gzip.compress(encode(array))
    length = 2 + place % (len(content) - 2)
    expected = "found gzip data that is cut off, expected all of it"
    assert refusal(written(folder, content[:length])) == expected


@given(array=arrays, tail=st.binary(min_size=1, max_size=40))
@example(array=SMALL_ARRAY, tail=b"\0")  # gzip.open ignores zeros after the last member.
@example(array=SMALL_ARRAY, tail=SMALL)
def test_what_follows_the_last_element_is_refused(folder, array, tail):
    content, size = encode(array), array.nbytes
    expected = f"found more than {size} bytes of data, expected {size} for shape {array.shape} of {array.dtype}"
    assert refusal(written(folder, content + tail)) == expected
    assert refusal(written(folder, gzip.compress(content + tail))) == expected
    assert refusal(written(folder, gzip.compress(content) + gzip.compress(tail))) == expected
    cut_off = refusal(written(folder, gzip.compress(content) + gzip.compress(tail)[:-1]))
    assert cut_off in (expected, "found gzip data that is cut off, expected all of it")
    if not tail.startswith(b"\x1f\x8b"):
        expected = "found other bytes after gzip data, expected the end or another gzip member"
        assert refusal(written(folder, gzip.compress(content) + tail)) == expected


@given(array=arrays, place=st.integers(0, 500), bit=st.integers(0, 7))
def test_a_flipped_bit_in_gzip_data_never_gives_other_numbers(folder, array, place, bit):
    content = bytearray(gzip.compress(encode(array), mtime=0))
    content[place % len(content)] ^= 1 << bit
    try:
        found = read_idx(written(folder, content))
    except DataError:
        return
    assert_same_bits(found, array)  # The time stamp and the like are nobody's data.


@given(magic=st.binary(min_size=4, max_size=4), tail=st.binary(max_size=20))
@example(magic=bytes.fromhex("00000a01"), tail=SMALL)
@example(magic=bytes.fromhex("01000801"), tail=SMALL)
@example(magic=bytes.fromhex("00010801"), tail=SMALL)
def test_files_of_another_format(folder, magic, tail):
    assume(magic[:2] != b"\x1f\x8b" and (magic[:2] != b"\0\0" or magic[2] not in CODES.values()))
    assert refusal(written(folder, magic + tail)) == (
        f"found {magic.hex(' ')} at its beginning,"
        " expected an IDX file, that is 00 00, a type code (08 09 0b 0c 0d 0e) and the number of axes"
    )


def refusal_without_memory(path):
    tracemalloc.start()
    try:
        message = refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 2**21
    finally:
        tracemalloc.stop()
    return message


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("axes", [2, 64, 255])
def test_a_header_that_promises_the_world_allocates_nothing(folder, pack, axes):
    path = written(folder, pack(bytes([0, 0, 0x0E, axes]) + b"\xff" * (4 * axes + 5)))
    expected = f"found 5 bytes of data, expected {8 * (2**32 - 1) ** axes} for shape "
    assert refusal_without_memory(path).startswith(expected)


@pytest.mark.parametrize("promised", [0, 10])
def test_a_gzip_bomb_is_not_expanded(folder, promised):
    path = written(folder, gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, promised]) + bytes(2**25)))
    assert refusal_without_memory(path).startswith(f"found more than {promised} bytes of data, ")


def test_shapes_beyond_numpy(folder):
    ones = struct.pack(">65I", *[1] * 65)
    assert read_idx(written(folder, bytes([0, 0, 8, 64]) + ones[:-4] + b"\x07")).shape == (1,) * 64
    message = refusal(written(folder, bytes([0, 0, 8, 65]) + ones + b"\x07"))
    assert message.startswith("found 65 axes, expected a shape that NumPy can hold (")
    message = refusal(written(folder, bytes([0, 0, 8, 4, 0, 0, 0, 0]) + b"\xff" * 12))
    assert message.startswith("found 4 axes, expected a shape that NumPy can hold (")


# Files that cannot be read, arrays that cannot be written.


def test_files_that_cannot_be_read(folder):
    below = written(folder, SMALL) / "below"
    for path, reason in (
        (folder / "none", "No such file or directory"),
        (folder, "Is a directory"),
        (below, "Not a directory"),
    ):
        assert refusal(path) == f"found nothing readable ({reason}), expected an IDX file"


@pytest.mark.parametrize("error", [OSError(errno.EIO, "no answer"), OSError("no answer")])
def test_a_read_that_fails_halfway(folder, error):
    path = written(folder, SMALL)
    with mock.patch("builtins.open", mock.mock_open()) as opened:
        opened.return_value.read.side_effect = error
        assert refusal(path) == "found nothing readable (no answer), expected an IDX file"


def test_places_that_cannot_be_written(folder):
    for place, reason in ((folder, "Is a directory"), (folder / "none" / "x", "No such file or directory")):
        with pytest.raises(DataError, match=re.escape(f"{place}: found nothing writeable ({reason}), expected a file")):
            write_idx(place, SMALL_ARRAY)


@given(dtype=hnp.scalar_dtypes().filter(lambda dtype: dtype.newbyteorder("=").name not in CODES))
@example(dtype=np.dtype("O"))
def test_types_that_idx_has_no_code_for(folder, dtype):
    path = folder / "unwritten"
    with pytest.raises(ArgumentError) as caught:
        write_idx(path, np.zeros(2, dtype))
    accepted = "uint8, int8, int16, int32, float32, float64"
    assert str(caught.value) == f"array: found dtype {dtype}, expected one that IDX can hold: {accepted}"
    assert not path.exists()


def test_axes_that_idx_has_no_room_for():
    assert encode(np.empty((0, 2**32 - 1), np.uint8)) == bytes.fromhex("00000802 00000000 ffffffff")
    expected = r"^array: found shape \(0, 4294967296\), expected axes of at most 4294967295$"
    with pytest.raises(ArgumentError, match=expected):
        encode(np.empty((0, 2**32), np.uint8))
