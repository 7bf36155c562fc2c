"""Files that are written whole or not at all. Needs `npz_read` for the word of failure."""

from __future__ import annotations

import os
import secrets
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any

import numpy as np

from backends.errors import FileError


def check_target(path: str) -> None:
    """See that a file can be written there, before work is put into it.

    Raises:
        FileError: the folder is not there or not writable; something that is no regular file has that name.
    """
    if not path or "\0" in path:
        raise FileError(f"{path!r}: is no file name; expected one to write to")
    target = os.path.realpath(path)
    folder = os.path.dirname(target)
    if os.path.exists(target) and not os.path.isfile(target):
        raise FileError(f"{path}: is no regular file; expected a file name to write to")
    if not os.path.isdir(folder):
        raise FileError(f"{path}: there is no folder {folder}; expected one: create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise FileError(f"{path}: the folder {folder} is not writable; expected one that is")


@contextmanager
def whole(path: str) -> Iterator[IO[bytes]]:
    """A file that takes its name only when the block ends well; otherwise it is gone and the old one is untouched.

    Raises:
        FileError: when the system refuses (a full disk).
    """
    target = os.path.realpath(path)
    draft = os.path.join(os.path.dirname(target), f".{os.path.basename(target)[:100]}.{secrets.token_hex(4)}.tmp")
    try:
        try:
            with open(draft, "xb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, target)
        finally:
            if os.path.exists(draft):
                os.unlink(draft)
    except OSError as error:
        raise FileError(f"{path}: could not be written: {error.strerror or error}") from error


def write(path: str, arrays: Mapping[str, Any]) -> None:
    """An npz file of arrays, numbers and strings, whole or not at all.

    Raises:
        FileError: when the system refuses.
    """
    with whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        for name, value in arrays.items():  # numpy.savez takes no array that is called file
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, np.asanyarray(value), allow_pickle=False)
