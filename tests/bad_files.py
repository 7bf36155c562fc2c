"""Files that are no arrays of numbers, each with a word of why."""

from __future__ import annotations

import io
import struct
import zipfile

import numpy as np

from tests.command import GOOD, saved


def header(text: str, length: int | None = None, version: bytes = b"\x02\x00") -> bytes:
    """An npy file of a header alone, which may lie about its length."""
    size = len(text) if length is None else length
    return b"\x93NUMPY" + version + struct.pack("<I", size) + text.encode()


def zipped(members: dict[str, bytes], **options: int) -> bytes:
    """A zip file."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:  # type: ignore[call-overload]
        for name, value in members.items():
            archive.writestr(name, value)
    return stream.getvalue()


def bomb() -> bytes:
    """Two megabytes that say they inflate to two gigabytes, and do."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("A.npy", b"\0" * (1 << 20))
    data = bytearray(stream.getvalue())
    place = data.index(b"PK\x01\x02") + 24
    data[place : place + 4] = struct.pack("<I", (1 << 31) - 1)
    return bytes(data)


def flipped() -> bytes:
    """An npz file with one byte of its data changed, so that its checksum is wrong."""
    data = bytearray(zipped({"A.npy": saved(GOOD)}))
    data[200] ^= 1
    return bytes(data)


NUMBERS = "{'descr': '<f8', 'fortran_order': False, 'shape': (%s)}"

BAD: dict[str, tuple[bytes, str]] = {
    "an empty file": (b"", "is empty"),
    "text": (b"1,0\n0,1\n", "neither npy nor npz"),
    "half a magic": (b"\x93NUM", "neither npy nor npz"),
    "a magic alone": (b"\x93NUMPY", "damaged header"),
    "a pickle": (b"\x80\x04\x95.", "neither npy nor npz"),
    "objects": (saved(np.array([print, 1], dtype=object), allow_pickle=True), "pickled"),
    "truncated data": (saved(GOOD)[:-8], "truncated"),
    "a truncated header": (saved(GOOD)[:40], "damaged header"),
    "two arrays in one file": (saved(GOOD) * 2, "more than one array"),
    "a header of gigabytes": (header("", 1 << 31), "has a header of 2,147,483,648 bytes"),
    "a shape beyond memory": (header(NUMBERS % "10**9, 10**9"), "damaged header"),
    "data beyond memory": (header(NUMBERS % "1000000000, 1000000000"), "truncated"),
    "a negative axis": (header(NUMBERS % "-1, -1"), "axes of 0 or more"),
    "code in a header": (header("{'descr': __import__('os').getcwd(), 'fortran_order': False, 'shape': ()}"), "damaged header"),
    "a deeply nested header": (header("(" * 5000), "damaged header"),
    "an unknown version": (header(NUMBERS % "1,", version=b"\x09\x00"), "damaged header"),
    "strings": (saved(np.array([["a", "b"], ["c", "d"]])), "dtype str32"),
    "complex numbers": (saved(GOOD + 1j), "complex128"),
    "half precision": (saved(GOOD.astype(np.float16)), "float16"),
    "dates": (saved(np.zeros((2, 2), "M8[s]")), "expected numbers"),
    "a structured dtype": (saved(np.zeros(3, "f8,i4")), "expected numbers"),
    "no square": (saved(np.ones((2, 3, 4))), "square"),
    "too few axes": (saved(np.ones(3)), "2 axes"),
    "a truncated archive": (zipped({"A.npy": saved(GOOD)})[:-30], "damaged or foreign archive"),
    "a wrong checksum": (flipped(), "damaged or foreign archive"),
    "an archive of text": (zipped({"A.txt": b"1"}), "expected an npz file"),
    "an empty archive": (zipped({}), "expected one"),
    "foreign names": (zipped({"B.npy": saved(GOOD), "C.npy": saved(GOOD)}), "no datum 'B'"),
    "a wrong name that steers a terminal": (zipped({"\x1b[2J.npy": saved(GOOD), "C.npy": saved(GOOD)}), "no datum"),
    "an array too many": (zipped({"arr_0.npy": saved(GOOD), "arr_1.npy": saved(GOOD)}), "one array too many"),
    "an archive that inflates": (bomb(), "would inflate"),
    "an archive that lies about a member": (zipped({"A.npy": header(NUMBERS % "9999,")}), "truncated"),
}
