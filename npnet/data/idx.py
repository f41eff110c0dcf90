"""The IDX format of the MNIST files: one array of numbers in one file, plain or gzip-compressed.

A file is ``00 00``, a type code, the rank, one big-endian 32-bit length per axis, then the elements,
big-endian, in row-major order. Nothing in it is optional, so an array determines its bytes and back.

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
_GZIP = b"\x1f\x8b"
_PIECE = 2**16  # bytes read or decompressed at a time: what an overlong file can cost beyond its promise


def read_idx(path: str | os.PathLike[str]) -> NDArray[Any]:
    """Read an IDX file, plain or gzip-compressed.

    gzip is recognised by its first two bytes, whatever the file is called. No more than the header
    promises is read or decompressed (give or take 64 KiB), and no more is allocated than has been read: a
    header that lies costs nothing and a gzip bomb what it admits to.

    Parameters
    ----------
    path : path of the file.

    Returns
    -------
    array : a new, writeable array in native byte order, of uint8, int8, int16, int32, float32 or float64.
        Rank 0 gives an array of shape ``()``.

    Raises
    ------
    DataError
        If the file cannot be read, is empty, has a wrong magic number, is cut off, goes on after its last
        element, is damaged gzip, or holds an array that NumPy cannot (more than 64 axes).
    """
    try:
        with open(path, "rb") as file:
            return _decode(path, _pieces(path, file))
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


def write_idx(path: str | os.PathLike[str], array: ArrayLike, *, compress: bool = False) -> None:
    """Write an array as an IDX file; `read_idx` gives it back, bit for bit.

    Parameters
    ----------
    path : path of the file, replaced if it exists.
    array : uint8, int8, int16, int32, float32 or float64, of any shape and byte order; nothing is cast.
    compress : compress with gzip, without name and time stamp, so that equal arrays give equal files.

    Raises
    ------
    ArgumentError
        If the format has no code for the dtype or an axis is longer than 2**32 - 1.
    DataError
        If the file cannot be written.
    """
    content = encode(array)
    if compress:
        content = gzip.compress(content, mtime=0)
    try:
        Path(path).write_bytes(content)
    except OSError as error:
        raise DataError(f"cannot write {path}: {error.strerror or error}") from error


def encode(array: ArrayLike) -> bytes:
    """The bytes of an array in the IDX format, uncompressed: the content of its file.

    Parameters
    ----------
    array : as for `write_idx`.

    Raises
    ------
    ArgumentError
        As `write_idx`.
    """
    array = np.asarray(array)
    code = _CODES.get(array.dtype.newbyteorder("="))
    if code is None:
        accepted = ", ".join(str(dtype) for dtype in _CODES)
        raise ArgumentError(f"array has dtype {array.dtype}, expected one that IDX can hold: {accepted}")
    if max(array.shape, default=0) >= 2**32:
        raise ArgumentError(f"array has shape {array.shape}, expected axes no longer than 2**32 - 1")
    header = struct.pack(f">HBB{array.ndim}I", 0, code, array.ndim, *array.shape)
    data: bytes = array.astype(_TYPES[code]).tobytes()
    return header + data


def _decode(path: str | os.PathLike[str], pieces: Iterator[bytes]) -> NDArray[Any]:
    content = bytearray()

    def read_up_to(size: int) -> int:
        while len(content) < size and (piece := next(pieces, None)) is not None:
            content.extend(piece)
        return len(content)

    if read_up_to(4) == 0:
        raise DataError(f"{path} is empty, expected an IDX file")
    if len(content) < 4:
        raise DataError(f"{path} is cut off inside its header: {len(content)} bytes, expected at least 4")
    if content[:2] != b"\0\0" or content[2] not in _TYPES:
        codes = " ".join(f"{code:02x}" for code in _TYPES)
        raise DataError(
            f"{path} is not an IDX file: it begins with {content[:4].hex(' ')},"
            f" expected 00 00, a type code ({codes}) and the number of axes"
        )
    dtype, rank = _TYPES[content[2]], content[3]
    start = 4 + 4 * rank
    if read_up_to(start) < start:
        raise DataError(f"{path} is cut off inside its header: {len(content)} bytes, expected {start} for {rank} axes")
    shape = struct.unpack_from(f">{rank}I", content, 4)
    # Python integers: the product of 255 lengths fits in no machine word.
    promised = math.prod(shape) * dtype.itemsize
    found = read_up_to(start + promised + 1) - start
    if found < promised:
        raise DataError(
            f"{path} is cut off: {found} bytes of data, expected {promised} for shape {shape} of {dtype.name}"
        )
    if found > promised:
        raise DataError(
            f"{path} goes on after its last element, expected {promised} bytes of data"
            f" for shape {shape} of {dtype.name}"
        )
    try:
        array: NDArray[Any] = np.ndarray(shape, dtype, content, start)
    except ValueError as error:
        raise DataError(f"{path} has {rank} axes of a shape that NumPy cannot hold ({error})") from error
    return array.astype(dtype.newbyteorder("="))


def _pieces(path: str | os.PathLike[str], file: BinaryIO) -> Iterator[bytes]:
    """The content of a file in pieces of at most `_PIECE` bytes, decompressed if it is gzip.

    Stricter than `gzip.open`, which accepts zeros after the last member.
    """
    piece = file.read(_PIECE)
    if not piece.startswith(_GZIP):
        while piece:
            yield piece
            piece = file.read(_PIECE)
        return
    while piece:
        if not piece.startswith(_GZIP):
            raise DataError(f"{path} goes on after its gzip data, expected its end or another gzip member")
        member = zlib.decompressobj(wbits=31)
        while not member.eof:
            # What the last turn left unread comes first; at a member's start that is the piece in hand.
            piece = piece or file.read(_PIECE)
            if not piece:
                raise DataError(f"{path} is cut off inside its gzip data")
            try:
                content = member.decompress(piece, _PIECE)
            except zlib.error as error:
                raise DataError(f"{path} has damaged gzip data ({error})") from error
            yield content
            piece = member.unconsumed_tail
        piece = member.unused_data + file.read(_PIECE)
