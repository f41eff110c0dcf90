"""The IDX format of the MNIST files: one array of numbers in one file, plain or gzip-compressed.

A file is ``00 00``, a type code, the number of axes, one big-endian 32-bit length per axis, then the elements,
big-endian, in row-major order. Nothing in it is optional, so an array determines its bytes and back. DataError is
raised for files that cannot be read or written, ArgumentError for arrays that the format cannot hold.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database", section "File formats".
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from npnet.errors import ArgumentError, DataError

_TYPES: dict[int, np.dtype[Any]] = {
    0x08: np.dtype(">u1"),
    0x09: np.dtype(">i1"),
    0x0B: np.dtype(">i2"),
    0x0C: np.dtype(">i4"),
    0x0D: np.dtype(">f4"),
    0x0E: np.dtype(">f8"),
}
_CODES = {dtype.newbyteorder("="): code for code, dtype in _TYPES.items()}
_LONGEST = 2**32 - 1  # an axis
_GZIP = b"\x1f\x8b"
_CHUNK = 2**16  # bytes read or decompressed at a time: what an overlong file can cost beyond its promise


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """The array in an IDX file: new, writeable, in native byte order; of shape () if there are no axes.

    gzip is recognised by its first two bytes, whatever the file is called. No more than the header promises is read
    or decompressed (give or take 64 KiB), and no more is allocated than has been read: a header that lies costs
    nothing and a gzip bomb what it admits to.

    Raises
    ------
    DataError
        If the file cannot be read, is no IDX file, is cut off, goes on after its last element, is damaged gzip, or
        holds an array that NumPy cannot (more than 64 axes).
    """
    try:
        with open(path, "rb") as file:
            return _decode(path, _chunks(path, file))
    except OSError as error:
        raise DataError(f"{path}: found nothing readable ({error.strerror or error}), expected an IDX file") from error


def write_idx(path: str | os.PathLike[str], array: ArrayLike, *, compress: bool = False) -> None:
    """Write an array as an IDX file, replaced if it exists; `read_idx` gives it back, bit for bit.

    The array is uint8, int8, int16, int32, float32 or float64, of any shape and byte order; nothing is cast. With
    `compress` by gzip, without name and time stamp, so that equal arrays give equal files.
    """
    content = encode(array)
    if compress:
        content = gzip.compress(content, mtime=0)
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise DataError(f"{path}: found nothing writeable ({error.strerror or error}), expected a file") from error


def encode(array: ArrayLike) -> bytes:
    """The content of the file that `write_idx` writes without compression; raises ArgumentError as it does."""
    array = np.asarray(array)
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        accepted = ", ".join(str(dtype) for dtype in _CODES)
        raise ArgumentError(f"array: found dtype {array.dtype}, expected one that IDX can hold: {accepted}")
    if max(array.shape, default=0) > _LONGEST:
        raise ArgumentError(f"array: found shape {array.shape}, expected axes of at most {_LONGEST}")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    data: bytes = array.astype(_TYPES[code]).tobytes()
    return header + data


def _decode(path: str | os.PathLike[str], chunks: Iterator[bytes]) -> NDArray[Any]:
    content = bytearray()

    def read_up_to(size: int) -> int:
        while len(content) < size and (chunk := next(chunks, None)) is not None:
            content.extend(chunk)
        return len(content)

    if read_up_to(4) < 4:
        raise DataError(f"{path}: found {len(content)} bytes, expected an IDX file, of at least 4")
    if content[:2] != b"\0\0" or content[2] not in _TYPES:
        codes = " ".join(f"{code:02x}" for code in _TYPES)
        wanted = f"an IDX file, that is 00 00, a type code ({codes}) and the number of axes"
        raise DataError(f"{path}: found {content[:4].hex(' ')} at its beginning, expected {wanted}")
    dtype, axes = _TYPES[content[2]], content[3]
    start = 4 + 4 * axes
    if read_up_to(start) < start:
        raise DataError(f"{path}: found {len(content)} bytes, expected a header of {start} for {axes} axes")
    shape = struct.unpack_from(f">{axes}I", content, 4)
    # Python integers: the product of 255 lengths fits in no machine word.
    promised = math.prod(shape) * dtype.itemsize
    size = read_up_to(start + promised + 1) - start
    if size != promised:
        found = size if size < promised else f"more than {promised}"
        raise DataError(f"{path}: found {found} bytes of data, expected {promised} for shape {shape} of {dtype.name}")
    try:
        array: NDArray[Any] = np.ndarray(shape, dtype, content, start)
    except ValueError as error:
        raise DataError(f"{path}: found {axes} axes, expected a shape that NumPy can hold ({error})") from error
    return array.astype(dtype.newbyteorder("="))


def _chunks(path: str | os.PathLike[str], file: BinaryIO) -> Iterator[bytes]:
    """The content of a file in chunks of at most `_CHUNK` bytes, decompressed if it is gzip.

    Stricter than `gzip.open`, which accepts zeros after the last member.
    """
    chunk = file.read(_CHUNK)
    if not chunk.startswith(_GZIP):
        while chunk:
            yield chunk
            chunk = file.read(_CHUNK)
        return
    while chunk:
        if not chunk.startswith(_GZIP):
            raise DataError(f"{path}: found other bytes after gzip data, expected the end or another gzip member")
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            # What the last turn left unread comes first; at a member's start that is the chunk in hand.
            chunk = chunk or file.read(_CHUNK)
            if not chunk:
                raise DataError(f"{path}: found gzip data that is cut off, expected all of it")
            try:
                content = member.decompress(chunk, _CHUNK)
            except zlib.error as error:
                raise DataError(f"{path}: found damaged gzip data ({error}), expected it intact") from error
            yield content
            chunk = member.unconsumed_tail
        chunk = member.unused_data + file.read(_CHUNK)
