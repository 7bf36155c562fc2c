"""Arrays from npy and npz files that nobody vouches for. Needs NumPy alone.

Nothing is unpickled, and nothing is allocated on the word of a header that the size of the file does not bear out.
"""

from __future__ import annotations

import io
import math
import os
import stat
import tokenize
import zipfile
import zlib
from typing import IO, Any

import numpy as np

from backends.errors import FileError

KINDS = "biufcU"
"""Numbers; and strings, which say in a saved solution what it is."""

HEADER_LIMIT = 10_000
"""Bytes of an npy header above which it is refused; NumPy's own are 128 or so."""

INFLATED_LIMIT = 1 << 30
"""Bytes that an archive may always inflate to; beyond them it may grow by `INFLATION` only."""

INFLATION = 100
"""How many times an archive larger than that may grow: real matrices shrink by less, a bomb by a thousand."""


def read(path: str) -> dict[str, np.ndarray]:
    """The arrays of a file by name; the one array of an npy file has the name `""`.

    The kind of file is read off its first bytes. Byte order becomes the machine's.

    Raises:
        FileError: no regular file, no npy or npz, truncated, longer than it says, pickled objects, a header or an
            archive that would inflate beyond reason.
    """
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):
            raise FileError("is no regular file; expected a .npy or .npz file")
        with open(path, "rb") as file:
            start = file.read(6)
            file.seek(0)
            if start == b"\x93NUMPY":
                return {"": _array(file, found.st_size)}
            if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
                return _archive(file, found.st_size)
            raise FileError(f"{'is empty' if not start else 'is neither npy nor npz'}; expected a file that numpy.save wrote")
    except FileError as error:
        raise FileError(f"{path}: {error}") from None
    except (OSError, ValueError) as error:  # a name that holds a zero is a ValueError
        words = getattr(error, "strerror", None) or error
        raise FileError(f"{path[:200]}: {words}; expected a .npy or .npz file that can be read: check its name") from error
    except MemoryError as error:
        raise FileError(f"{path}: does not fit into memory") from error


def _archive(file: IO[bytes], size: int) -> dict[str, np.ndarray]:
    """All arrays of a zip file, each under its name without `.npy`."""
    arrays: dict[str, np.ndarray] = {}
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            inflated = sum(member.file_size for member in members)
            if inflated > max(INFLATED_LIMIT, INFLATION * size):
                raise FileError(f"would inflate from {size:,} to {inflated:,} bytes; expected at most {INFLATION} times its size")
            for member in members:
                name = member.filename.removesuffix(".npy")
                if name == member.filename or name in arrays:
                    raise FileError(
                        f"member {member.filename!r} is {'double' if name in arrays else 'no .npy'}; expected an npz file"
                    )
                with archive.open(member) as inner:
                    arrays[name] = _array(inner, member.file_size, f"array {name!r} ")
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, UnicodeDecodeError) as error:
        raise FileError(f"is a damaged or foreign archive ({error}); expected a file that numpy.savez wrote") from error
    return arrays


def _array(file: IO[bytes], size: int, owner: str = "") -> np.ndarray:
    """One npy stream of `size` bytes, which must be just what its header promises."""
    shape, fortran, dtype, used = _header(file, owner)
    if dtype.hasobject:
        raise FileError(f"{owner}holds pickled Python objects, which are never loaded; expected numbers: save with a float dtype")
    if dtype.kind not in KINDS or not dtype.itemsize:
        raise FileError(f"{owner}has dtype {dtype}; expected numbers: save with a float dtype")
    promised = math.prod(shape) * dtype.itemsize
    if used + promised != size:
        raise FileError(
            f"{owner}has {size - used:,} bytes of data; its header promises {promised:,}: {_ending(size - used, promised)}"
        )
    if promised > (memory := _memory()):
        raise FileError(f"{owner}needs {promised:,} bytes of memory; this machine has {memory:,}: split it")
    try:
        array = np.empty(shape, dtype, order="F" if fortran else "C")
    except ValueError as error:
        raise FileError(f"{owner}has the shape {shape}: {error}") from error
    _fill(array.reshape(-1, order="A").view(np.uint8), file, owner)
    return array.astype(dtype.newbyteorder("="), copy=False)


def _fill(buffer: np.ndarray, file: IO[bytes], owner: str) -> None:
    """Read just these bytes, and see that there are no more."""
    done = 0
    while done < len(buffer):
        part = file.read(min(len(buffer) - done, 1 << 24))
        if not part:
            raise FileError(f"{owner}ends after {done:,} of {len(buffer):,} bytes; it is truncated: copy it again")
        buffer[done : done + len(part)] = np.frombuffer(part, np.uint8)
        done += len(part)
    if file.read(1):
        raise FileError(f"{owner}goes on after the {len(buffer):,} bytes that it declares; expected one array")


def _header(file: IO[bytes], owner: str) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, order, dtype and length of a header that is short and literal."""
    start = file.read(8)
    width = 2 if start[6:7] == b"\x01" else 4
    start += file.read(width)
    length = int.from_bytes(start[8:], "little")
    if length > HEADER_LIMIT:
        raise FileError(
            f"{owner}has a header of {length:,} bytes; expected at most {HEADER_LIMIT:,}: save it again with numpy.save"
        )
    stream = io.BytesIO(start + file.read(length))
    try:
        version = np.lib.format.read_magic(stream)
        # Version 3 differs from 2 in the encoding of field names only, and arrays with fields are refused anyway.
        parse = {(1, 0): np.lib.format.read_array_header_1_0}.get(version, np.lib.format.read_array_header_2_0)
        if version not in ((1, 0), (2, 0), (3, 0)):
            raise ValueError(f"version {version}")
        shape, fortran, dtype = parse(stream, max_header_size=HEADER_LIMIT)
    except (ValueError, TypeError, SyntaxError, tokenize.TokenError, RecursionError, MemoryError) as error:
        raise FileError(f"{owner}has a damaged header ({error}); expected a file that numpy.save wrote") from error
    if any(isinstance(axis, bool) or axis < 0 for axis in shape):
        raise FileError(f"{owner}has a damaged header (shape {shape}); expected axes of 0 or more")
    return shape, fortran, dtype, stream.tell()


def _ending(there: int, promised: int) -> str:
    return "it is truncated: copy it again" if there < promised else "it holds more than one array: save one"


def _memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
