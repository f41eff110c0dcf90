import errno
import gzip
import re
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npnet.data.idx import encode, read_idx, write_idx
from npnet.errors import ArgumentError, DataError

CODES = {"uint8": 0x08, "int8": 0x09, "int16": 0x0B, "int32": 0x0C, "float32": 0x0D, "float64": 0x0E}

# The 2 x 3 int16 array [[1, -2, 3], [256, 0, -32768]], byte by byte.
SMALL = bytes.fromhex("00000b02 00000002 00000003 0001 fffe 0003 0100 0000 8000")
SMALL_ARRAY = np.array([[1, -2, 3], [256, 0, -32768]], np.int16)


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
    assert str(path) in message
    assert "\n" not in message
    return message.replace(str(path), "PATH")


@given(
    array=st.sampled_from(sorted(CODES)).flatmap(
        lambda dtype: hnp.arrays(dtype, hnp.array_shapes(min_dims=0, max_dims=5, min_side=0, max_side=4))
    ),
    compress=st.booleans(),
    order=st.sampled_from("<>"),
    layout=st.sampled_from(["C", "F", "strided", "read-only"]),
)
def test_reading_gives_back_what_was_written(folder, array, compress, order, layout):
    original = array.astype(array.dtype.newbyteorder(order))
    if layout == "F":
        original = np.array(original, order="F")
    elif layout == "strided" and array.ndim:
        original = np.repeat(original, 2, axis=0)[::2]
    original.flags.writeable = layout != "read-only"
    write_idx(folder / "round trip", original, compress=compress)
    back = read_idx(folder / "round trip")
    assert back.dtype == array.dtype
    assert back.dtype.isnative
    assert back.shape == array.shape
    assert back.tobytes() == array.tobytes()  # bit for bit: NaN and -0.0 included
    assert back.flags.writeable
    assert back.flags.aligned
    assert back.flags.c_contiguous


@pytest.mark.parametrize(("dtype", "code"), CODES.items())
def test_the_bytes_of_each_type(folder, dtype, code):
    content = bytes([0, 0, code, 1, 0, 0, 0, 2]) + struct.pack(f">2{np.dtype(dtype).char}", 1, 2)
    assert encode(np.array([1, 2], dtype)) == content
    array = read_idx(written(folder, content))
    assert array.dtype == dtype
    assert array.tolist() == [1, 2]


def test_a_file_byte_by_byte(folder):
    assert encode(SMALL_ARRAY) == SMALL
    np.testing.assert_array_equal(read_idx(written(folder, SMALL)), SMALL_ARRAY)


def test_lists_and_scalars_are_arrays(folder):
    write_idx(folder / "scalar", np.float32(2.5))
    assert (folder / "scalar").read_bytes() == bytes.fromhex("00000d00 40200000")
    scalar = read_idx(folder / "scalar")
    assert isinstance(scalar, np.ndarray)
    assert scalar.shape == ()
    assert scalar == 2.5
    assert encode([0.5]) == bytes.fromhex("00000e01 00000001 3fe0000000000000")


@pytest.mark.parametrize("name", ["x.gz", "x", "x.bin", "x.gz.txt"])
def test_gzip_is_recognised_under_any_name(folder, name):
    for content in (SMALL, gzip.compress(SMALL)):
        np.testing.assert_array_equal(read_idx(written(folder, content, name)), SMALL_ARRAY)
        np.testing.assert_array_equal(read_idx(str(folder / name)), SMALL_ARRAY)


def test_several_gzip_members_are_one_content(folder):
    content = gzip.compress(SMALL[:3]) + gzip.compress(b"") + gzip.compress(SMALL[3:])
    np.testing.assert_array_equal(read_idx(written(folder, content)), SMALL_ARRAY)


@pytest.mark.parametrize("shift", range(-12, 3))
def test_gzip_members_may_meet_anywhere(folder, shift):
    # Stored, not compressed: the first member then ends just before, at or after 2**16 bytes of file.
    array = np.zeros(2**16 - 8 - 28 + shift, np.uint8)
    array[-1] = 7
    content = gzip.compress(encode(array)[:-1], 0) + gzip.compress(b"\x07", 0)
    np.testing.assert_array_equal(read_idx(written(folder, content)), array)


@pytest.mark.parametrize("compress", [False, True])
@pytest.mark.parametrize("elements", [2**16 - 9, 2**16 - 8, 2**16 - 7, 3 * 2**16])
def test_content_longer_than_one_piece(folder, compress, elements):
    array = np.random.default_rng(0).integers(0, 256, elements, np.uint8)
    write_idx(folder / "long", array, compress=compress)
    np.testing.assert_array_equal(read_idx(folder / "long"), array)
    blank = np.zeros(elements, np.uint8)  # compresses a thousandfold: much content from one piece of file
    write_idx(folder / "long", blank, compress=compress)
    np.testing.assert_array_equal(read_idx(folder / "long"), blank)


def test_compressed_files_are_deterministic_and_anonymous(folder):
    for name in ("a", "b"):
        write_idx(folder / name, SMALL_ARRAY, compress=True)
    content = (folder / "a").read_bytes()
    assert content == (folder / "b").read_bytes()
    assert content[:8] == b"\x1f\x8b\x08\x00" + bytes(4)  # flags 0: no name; time stamp 0
    assert gzip.decompress(content) == SMALL
    write_idx(folder / "a", SMALL_ARRAY)
    assert (folder / "a").read_bytes() == SMALL


@pytest.mark.parametrize("length", range(len(SMALL)))
def test_cut_anywhere(folder, length):
    message = refusal(written(folder, SMALL[:length]))
    if length == 0:
        assert message == "PATH is empty, expected an IDX file"
    elif length < 4:
        assert message == f"PATH is cut off inside its header: {length} bytes, expected at least 4"
    elif length < 12:
        assert message == f"PATH is cut off inside its header: {length} bytes, expected 12 for 2 axes"
    else:
        assert message == (f"PATH is cut off: {length - 12} bytes of data, expected 12 for shape (2, 3) of int16")


@pytest.mark.parametrize("content", [SMALL, encode(np.zeros(2**17, np.uint8))], ids=["small", "repetitive"])
def test_gzip_cut_anywhere(folder, content):
    compressed = gzip.compress(content)
    for length in range(len(compressed)):
        message = refusal(written(folder, compressed[:length]))
        if length >= 2:
            assert message == "PATH is cut off inside its gzip data"


def test_content_cut_before_it_was_compressed(folder):
    assert refusal(written(folder, gzip.compress(b""))) == "PATH is empty, expected an IDX file"
    message = refusal(written(folder, gzip.compress(SMALL[:-1])))
    assert message == "PATH is cut off: 11 bytes of data, expected 12 for shape (2, 3) of int16"


@pytest.mark.parametrize("tail", [b"\0", b"\0" * 512, b"x", SMALL])
def test_trailing_bytes(folder, tail):
    expected = "PATH goes on after its last element, expected 12 bytes of data for shape (2, 3) of int16"
    assert refusal(written(folder, SMALL + tail)) == expected
    assert refusal(written(folder, gzip.compress(SMALL + tail))) == expected
    assert refusal(written(folder, gzip.compress(SMALL) + gzip.compress(tail))) == expected
    assert refusal(written(folder, gzip.compress(SMALL) + tail)) == (
        "PATH goes on after its gzip data, expected its end or another gzip member"
    )


def test_a_second_gzip_member_cut_off(folder):
    message = refusal(written(folder, gzip.compress(SMALL) + gzip.compress(b"")[:-1]))
    assert message == "PATH is cut off inside its gzip data"


@pytest.mark.parametrize("place", [-8, -1])
def test_gzip_check_sums_are_checked(folder, place):
    content = bytearray(gzip.compress(SMALL))
    content[place] ^= 1
    assert re.fullmatch(r"PATH has damaged gzip data \(.*check.*\)", refusal(written(folder, content)))


@given(place=st.integers(0, 200), bit=st.integers(0, 7))
def test_a_flipped_bit_in_gzip_data_never_gives_other_numbers(folder, place, bit):
    array = np.random.default_rng(0).integers(0, 99, 100, np.uint8)
    content = bytearray(gzip.compress(encode(array), mtime=0))
    content[place % len(content)] ^= 1 << bit
    try:
        back = read_idx(written(folder, content))
    except DataError:
        return
    np.testing.assert_array_equal(back, array)  # the time stamp and the like are nobody's data


@given(
    magic=st.binary(min_size=4, max_size=4).filter(
        lambda m: m[:2] != b"\x1f\x8b" and (m[:2] != b"\0\0" or m[2] not in CODES.values())
    )
)
def test_wrong_magic(folder, magic):
    assert refusal(written(folder, magic + SMALL)) == (
        f"PATH is not an IDX file: it begins with {magic.hex(' ')},"
        " expected 00 00, a type code (08 09 0b 0c 0d 0e) and the number of axes"
    )


@pytest.mark.parametrize("magic", ["01000801", "00010801", "00000a01", "00000701", "00000f01", "504b0304"])
def test_near_magic(folder, magic):
    assert "is not an IDX file" in refusal(written(folder, bytes.fromhex(magic) + bytes(8)))


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("rank", [2, 64, 255])
def test_a_header_that_promises_the_world_allocates_nothing(folder, pack, rank):
    path = written(folder, pack(bytes([0, 0, 0x0E, rank]) + b"\xff" * (4 * rank + 5)))
    tracemalloc.start()
    try:
        message = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21
    assert f"5 bytes of data, expected {8 * (2**32 - 1) ** rank} for shape" in message


@pytest.mark.parametrize("promised", [0, 10])
def test_a_gzip_bomb_is_not_expanded(folder, promised):
    bomb = gzip.compress(bytes([0, 0, 8, 1, 0, 0, 0, promised]) + bytes(2**25))
    path = written(folder, bomb)
    tracemalloc.start()
    try:
        message = refusal(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 2**21
    assert "goes on after its last element" in message


def test_shapes_beyond_numpy(folder):
    ones = struct.pack(">65I", *[1] * 65)
    assert read_idx(written(folder, bytes([0, 0, 8, 64]) + ones[:-4] + b"\x07")).shape == (1,) * 64
    message = refusal(written(folder, bytes([0, 0, 8, 65]) + ones + b"\x07"))
    assert message.startswith("PATH has 65 axes of a shape that NumPy cannot hold (")
    message = refusal(written(folder, bytes([0, 0, 8, 4, 0, 0, 0, 0]) + b"\xff" * 12))
    assert message.startswith("PATH has 4 axes of a shape that NumPy cannot hold (")


def test_files_that_cannot_be_read(folder):
    assert refusal(folder / "none") == "cannot read PATH: No such file or directory"
    assert refusal(folder) == "cannot read PATH: Is a directory"
    plain = written(folder, SMALL)
    assert refusal(plain / "below") == "cannot read PATH: Not a directory"


def test_a_read_that_fails_halfway(folder, monkeypatch):
    class Broken:
        def __init__(self, *arguments):
            pass

        def __enter__(self):
            return self

        def __exit__(self, *arguments):
            return None

        def read(self, size):
            raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("builtins.open", Broken)
    with pytest.raises(DataError, match=r"^cannot read disk: Input/output error$"):
        read_idx("disk")


def test_places_that_cannot_be_written(folder):
    for place, reason in ((folder, "Is a directory"), (folder / "none" / "x", "No such file or directory")):
        with pytest.raises(DataError, match=re.escape(f"cannot write {place}: {reason}")):
            write_idx(place, SMALL_ARRAY)


@pytest.mark.parametrize("dtype", ["bool", "int64", "uint16", "uint32", "uint64", "float16", "complex64", "U3", "O"])
def test_types_that_idx_has_no_code_for(folder, dtype):
    path = folder / "unwritten"
    with pytest.raises(ArgumentError) as caught:
        write_idx(path, np.zeros(2, dtype))
    assert str(caught.value) == (
        f"array has dtype {np.dtype(dtype)}, expected one that IDX can hold:"
        " uint8, int8, int16, int32, float32, float64"
    )
    assert not path.exists()


def test_axes_that_idx_has_no_room_for():
    assert encode(np.empty((0, 2**32 - 1), np.uint8)) == bytes.fromhex("00000802 00000000 ffffffff")
    with pytest.raises(ArgumentError, match=r"shape \(0, 4294967296\), expected axes no longer than 2\*\*32 - 1"):
        encode(np.empty((0, 2**32), np.uint8))


def test_the_array_read_outlives_its_file(folder):
    path = written(folder, zlib.compress(SMALL, wbits=31))
    array = read_idx(path)
    path.unlink()
    array[0, 0] = 9
    np.testing.assert_array_equal(array, [[9, -2, 3], [256, 0, -32768]])
