"""The disk cache of native libraries and notes: private to the user, whole or absent, bounded. Needs a POSIX file system.

An entry is the library followed by a digest of its key and its bytes. A loader ignores what follows a library, so one
file, put in place by one rename, holds both: an entry that was cut short, or that belongs to another key, is not loaded.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import stat
import tempfile
import time
from pathlib import Path

__all__ = ["LIMIT", "Refused", "digest", "directory", "lookup", "read", "seal", "store"]

LIMIT = 512 * 2**20
"""Bytes that the cache may hold; the entries used longest ago go first."""

FOREIGN_WRITE = stat.S_IWGRP | stat.S_IWOTH
STALE = 3600.0  # seconds after which a temporary file is taken for one that a killed process left


SUFFIXES = (".so", ".o", ".json", ".cubin")
"""Endings of the files that are entries."""


class Refused(OSError):
    """The cache directory is not safe to load code from; the text says why, and a remedy."""


def directory() -> Path:
    """`LANEWISE_CACHE`, else `lanewise` under the user's cache directory; made, private, where it is not there.

    Raises Refused when somebody else owns it or may write it or exchange it, OSError when it cannot be made.
    """
    # Links are followed once, here; everything after uses the path that was checked.
    path = Path(os.path.realpath(_wanted()))
    for parent in [*reversed(path.parents), path]:
        # Another process may be making it too.
        with contextlib.suppress(FileExistsError):
            if not parent.exists():
                os.mkdir(parent, 0o700)
        _check(parent, leaf=parent == path)
    return path


def digest(*parts: str) -> str:
    """A key that names some texts, each by its own digest: no two lists of texts run together to the same key.

    >>> digest("ab", "c") == digest("a", "bc")
    False
    """
    return hashlib.sha256(b"".join(hashlib.sha256(part.encode()).digest() for part in parts)).hexdigest()


def lookup(folder: Path, key: str) -> Path | None:
    """The whole, own and private entry of `key`, or None."""
    return folder / f"{key}.so" if read(folder, key, ".so") is not None else None


def read(folder: Path, key: str, suffix: str) -> bytes | None:
    """The content of the whole, own and private entry of `key`, or None."""
    path = folder / f"{key}{suffix}"
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(handle, "rb") as file:
            about = os.fstat(handle)
            private = stat.S_ISREG(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & FOREIGN_WRITE
            entry = file.read() if private else b""
            if not _whole(key, entry):
                return None
    except OSError:
        return None
    # The time of use, by which entries are dropped.
    with contextlib.suppress(OSError):
        os.utime(path)
    return entry[:-32]


def store(folder: Path, key: str, content: bytes, suffix: str = ".so") -> Path:
    """Puts a library, or another thing by its suffix, under `key`, at once and whole. Raises OSError when the directory does not take it."""
    handle, name = tempfile.mkstemp(prefix="new-", dir=folder)
    try:
        with open(handle, "wb") as file:
            file.write(seal(key, content))
        path = folder / f"{key}{suffix}"
        os.replace(name, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise
    _evict(folder, keep=path)
    return path


def seal(key: str, library: bytes) -> bytes:
    """The bytes of an entry."""
    return library + hashlib.sha256(key.encode() + library).digest()


def _whole(key: str, entry: bytes) -> bool:
    return len(entry) > 32 and seal(key, entry[:-32]) == entry


def _wanted() -> Path:
    if named := os.environ.get("LANEWISE_CACHE"):
        return Path(named).expanduser()
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    # The XDG specification has relative paths ignored.
    return (base if base.is_absolute() else Path("~/.cache").expanduser()) / "lanewise"


def _check(path: Path, leaf: bool) -> None:
    about = path.stat()
    if not stat.S_ISDIR(about.st_mode):
        raise Refused(f"{path} is not a directory; remove it, or set LANEWISE_CACHE to a directory of your own")
    if about.st_uid not in ((os.getuid(),) if leaf else (os.getuid(), 0)):
        raise Refused(f"{path} belongs to another user; set LANEWISE_CACHE to a directory of your own")
    # In a sticky directory such as /tmp, others cannot exchange what is mine.
    if about.st_mode & FOREIGN_WRITE and (leaf or not about.st_mode & stat.S_ISVTX):
        raise Refused(f"others may write {path}; run chmod go-w on it, or set LANEWISE_CACHE to a directory of your own")


def _evict(folder: Path, keep: Path) -> None:
    """Drops the entries used longest ago beyond `LIMIT`, and what killed processes left. What fails is left for later."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as listing:
            found = [(entry.stat(follow_symlinks=False), entry.path) for entry in listing]
        spent = [path for about, path in found if Path(path).name.startswith("new-") and about.st_mtime < time.time() - STALE]
        entries = sorted((about.st_mtime, about.st_size, path) for about, path in found if path.endswith(SUFFIXES))
        excess = sum(size for _, size, _ in entries) - LIMIT
        for _, size, path in entries:
            if excess > 0 and path != str(keep):
                spent.append(path)
                excess -= size
        for path in spent:
            with contextlib.suppress(OSError):
                os.unlink(path)
