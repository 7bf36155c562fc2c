"""A directory for one compile, and the removal of those that killed processes left. Needs a POSIX file system.

The owner of a directory holds a lock on it as long as it lives: where the lock is free, the owner is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
PREFIX = "lanewise-kernel-"
OWN = re.compile(rf"{PREFIX}\w{{8}}")
PARTS = re.compile(r"kernel[-\w]*\.\w+|cc\w+(\.\w+)*")
"""Files that a compile makes: the kernel's, and the compiler's own."""


@contextlib.contextmanager
def workplace() -> Iterator[Path]:
    """A new directory in the system's place for temporary files, removed in the end. Raises OSError."""
    _clear(Path(tempfile.gettempdir()))
    path, handle = _locked()
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)
        os.close(handle)


def _locked() -> tuple[Path, int]:
    """A new directory and the lock on it; another process may take it for one that was left, before it is locked."""
    while True:
        path = Path(tempfile.mkdtemp(prefix=PREFIX))
        with contextlib.suppress(FileNotFoundError):
            handle = os.open(path, FLAGS)
            if _lock(handle) is not False and path.is_dir():
                return path, handle
            os.close(handle)


def _lock(handle: int) -> bool | None:
    """Whether the lock on a directory could be had; None where the file system has no locks."""
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _clear(folder: Path) -> None:
    """Remove what killed processes left. What fails is left for later."""
    with contextlib.suppress(OSError), os.scandir(folder) as listing:
        left = [entry.path for entry in listing if OWN.fullmatch(entry.name) and _is_own(entry)]
        for path in left:
            with contextlib.suppress(OSError):
                _clear_one(path)


def _clear_one(path: str) -> None:
    handle = os.open(path, FLAGS)
    try:
        if _lock(handle) and all(PARTS.fullmatch(name) for name in os.listdir(handle)):
            shutil.rmtree(path, ignore_errors=True)
    finally:
        os.close(handle)


def _is_own(entry: os.DirEntry[str]) -> bool:
    about = entry.stat(follow_symlinks=False)
    return stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and stat.S_IMODE(about.st_mode) == 0o700
