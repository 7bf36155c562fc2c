"""From C++ source text to a loaded library: the memory cache, the disk cache, the compiler. Needs GCC or Clang.

    library = build(source, host_target())
    library.handle.kernel(...)

Calls through `handle` release the global interpreter lock. A library is closed when its last user is gone.
"""

from __future__ import annotations

import contextlib
import re
import tempfile
import time
import weakref
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from backends.fused.build import cache, workplace
from backends.fused.build.compiler import REMEDY, Compiler, find_compiler
from backends.fused.build.locks import Locks
from backends.fused.build.native import Handle
from backends.fused.build.parts import Parts, processors, units
from backends.fused.build.target import Target, ToolchainError, host_target
from backends.stopwatch import span

__all__ = ["Library", "Parts", "Target", "ToolchainError", "build", "host_target", "processors"]


@dataclass(frozen=True)
class Library:
    """A loaded library: its functions are attributes of `handle`.

    `origin` is "memory", "disk" or "compiled", `seconds` what compiling took, 0 when nothing was compiled; `note` says
    why the disk cache was not used, empty when it was.
    """

    handle: Handle
    origin: str
    seconds: float
    note: str


EXPORTED = re.compile(r'^extern "C" [\w *]+?(\w+)\(', re.MULTILINE)
"""The name of a function that a source exports."""

_loaded: weakref.WeakValueDictionary[str, Handle] = weakref.WeakValueDictionary()
_locks = Locks()


def build(source: str, target: Target, parts: Parts | None = None) -> Library:
    """The library of `source`, from memory, from the disk cache, or compiled.

    Raises ToolchainError when there is no compiler, it fails, is killed or takes too long, or its library lacks a function that
    the source exports; the text names the cause and a remedy. `parts` may have begun with some of it. A disk cache that cannot be
    used, or is not safe, is never an error: see `Library.note`.

    >>> library = build('extern "C" int answer() { return 42; }', host_target())
    >>> library.handle.answer()
    42
    """
    compiler = find_compiler()
    key = _key(source, target, compiler)
    with _locks.of(key):
        handle = _loaded.get(key)
        if handle is not None:
            return Library(handle, "memory", 0.0, "")
        library = _from_disk(key, source, target, compiler, parts)
        _loaded[key] = library.handle
        return library


def _key(source: str, target: Target, compiler: Compiler) -> str:
    return cache.digest(source, target.name, str(target.vector_bytes), *target.flags, compiler.identity)


def _from_disk(key: str, source: str, target: Target, compiler: Compiler, parts: Parts | None) -> Library:
    folder, note = None, ""
    try:
        folder = cache.directory()
        found = cache.lookup(folder, key)
        handle = None if found is None else _opened(found, source)
        if handle is not None:
            return Library(handle, "disk", 0.0, "")
    except OSError as error:
        # What does not load is compiled again; what is not safe to load is not looked at.
        note = str(error)
    return _compiled(folder, note, key, source, target, compiler, parts)


def _compiled(
    folder: Path | None, note: str, key: str, source: str, target: Target, compiler: Compiler, parts: Parts | None
) -> Library:
    """Compiled in a directory of this call alone, which goes when the library is loaded; stored where that can be done."""
    begun = time.perf_counter()
    try:
        with workplace.workplace() as private:
            output = Path(private, "kernel.so")
            with span("compile"):
                compiler.compile(_inputs(private, source, target, parts), output, target.flags)
            seconds = time.perf_counter() - begun
            if folder is not None:
                try:
                    path = cache.store(folder, key, output.read_bytes())
                    return Library(_checked(path, source, compiler), "compiled", seconds, "")
                except OSError as error:
                    note = f"{folder} cannot be used: {error}"
            return Library(_checked(output, source, compiler), "compiled", seconds, note)
    except OSError as error:
        where = tempfile.gettempdir()
        raise ToolchainError(
            f"a compiled kernel could not be written to or loaded from {where} ({error}); free space there, or set TMPDIR to "
            "a directory of your own that allows execution"
        ) from None


def _inputs(private: Path, source: str, target: Target, parts: Parts | None) -> list[Path]:
    """Objects of a source's parts, or the source itself where it is one part."""
    separate = units(source)
    if not separate:
        text = private / "kernel.cpp"
        text.write_text(source)
        return [text]
    with nullcontext(parts) if parts is not None else Parts(target) as made:
        objects = made.objects(separate)
    paths = [private / f"kernel-{k}.o" for k in range(len(objects))]
    for path, content in zip(paths, objects, strict=True):
        path.write_bytes(content)
    return paths


def _opened(path: Path, source: str) -> Handle | None:
    """The library of a file; None where it lacks an entry point, and closed then: a loader knows a file by its name."""
    handle = Handle(path)
    return None if _missing(handle, source) else handle


def _missing(handle: Handle, source: str) -> list[str]:
    """Functions that the source exports and the library does not have."""
    return [name for name in EXPORTED.findall(source) if not hasattr(handle, name)]


def _checked(path: Path, source: str, compiler: Compiler) -> Handle:
    """The library of a file, which is removed where it lacks an entry point: nobody may find it later."""
    handle = _opened(path, source)
    if handle is None:
        with contextlib.suppress(OSError):
            path.unlink()
        names = ", ".join(EXPORTED.findall(source))
        raise ToolchainError(f"the C++ compiler {compiler.command[0]} made a library without the functions {names}; {REMEDY}")
    return handle
