"""From C++ source text to a loaded library: the memory cache, the disk cache, the compiler. Needs GCC or Clang.

    library = build(source, host_target())
    library.handle.kernel(...)

Calls through `handle` release the global interpreter lock.
"""

from __future__ import annotations

import ctypes
import hashlib
import tempfile
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path

from backends.fused import cache
from backends.fused.compiler import Compiler, find_compiler
from backends.fused.target import Target, ToolchainError, host_target

__all__ = ["Library", "Target", "ToolchainError", "build", "host_target"]


@dataclass(frozen=True)
class Library:
    """A loaded library: its functions are attributes of `handle`.

    `origin` is "memory", "disk" or "compiled", `seconds` what compiling took, 0 when nothing was compiled; `note` says
    why the disk cache was not used, empty when it was.
    """

    handle: ctypes.CDLL
    origin: str
    seconds: float
    note: str


_loaded: dict[str, Library] = {}
_locks: dict[str, threading.Lock] = {}


def build(source: str, target: Target) -> Library:
    """The library of `source`, from memory, from the disk cache, or compiled.

    Raises ToolchainError when there is no compiler, or it fails, is killed or takes too long; the text names the cause and
    a remedy. A disk cache that cannot be used, or is not safe, is never an error: see `Library.note`.

    >>> library = build('extern "C" int answer() { return 42; }', host_target())
    >>> library.handle.answer()
    42
    """
    compiler = find_compiler()
    key = _key(source, target, compiler)
    # One thread compiles a kernel while the others that want it wait; another kernel does not.
    with _locks.setdefault(key, threading.Lock()):
        if key in _loaded:
            return replace(_loaded[key], origin="memory", seconds=0.0)
        library = _loaded[key] = _disk(key, source, target, compiler)
        return library


def _key(source: str, target: Target, compiler: Compiler) -> str:
    parts = (source, target.name, str(target.vector_bytes), *target.flags, compiler.identity)
    # Each part by its own digest: no two lists of parts run together to the same text.
    return hashlib.sha256(b"".join(hashlib.sha256(part.encode()).digest() for part in parts)).hexdigest()


def _disk(key: str, source: str, target: Target, compiler: Compiler) -> Library:
    folder, note = None, ""
    try:
        folder = cache.directory()
        entry = cache.lookup(folder, key)
        if entry is not None:
            return Library(ctypes.CDLL(str(entry)), "disk", 0.0, "")
    except OSError as error:
        # What does not load is compiled again; what is not safe to load is not looked at.
        note = str(error)
    return _compiled(folder, note, key, source, target, compiler)


def _compiled(folder: Path | None, note: str, key: str, source: str, target: Target, compiler: Compiler) -> Library:
    """Compiled in a directory of this call alone, which goes when the library is loaded; stored where that can be done."""
    begun = time.perf_counter()
    try:
        with tempfile.TemporaryDirectory(prefix="lanewise-", ignore_cleanup_errors=True) as private:
            text, output = Path(private, "kernel.cpp"), Path(private, "kernel.so")
            text.write_text(source)
            compiler.compile(text, output, target.flags)
            seconds = time.perf_counter() - begun
            if folder is not None:
                try:
                    path = cache.store(folder, key, output.read_bytes())
                    return Library(ctypes.CDLL(str(path)), "compiled", seconds, "")
                except OSError as error:
                    note = f"{folder} cannot be used: {error}"
            return Library(ctypes.CDLL(str(output)), "compiled", seconds, note)
    except OSError as error:
        where = tempfile.gettempdir()
        raise ToolchainError(
            f"a compiled kernel could not be written to or loaded from {where} ({error}); free space there, or set TMPDIR to "
            "a directory of your own that allows execution"
        ) from None
