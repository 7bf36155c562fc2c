"""Whether this project's loaded code is what its source files say: a module's contents are noted as soon as it is loaded.

`sources()` is the digest of all source files of this project, loaded or not, so that it is the same in every process that runs
the same code. It is empty as soon as a module holds something else than when it was loaded (a replaced function, method,
constant, default or table entry), was loaded from another text, or was loaded before this file. The loader of this project's
modules takes the notes; nothing else may, as a later note would miss what a user replaced before. Needs Python alone.
"""

from __future__ import annotations

import functools
import hashlib
import importlib.abc
import importlib.machinery
import operator
import os
import re
import sys
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any

PACKAGES = frozenset({"backends", "engine", "problems"})
"""This project's own."""

FRONT = "engine.cli"
"""The command line: no program depends on it, and click fills its commands as they run."""

STATE = frozenset({
    "backends._LOADED", "backends.pristine._DIGESTS", "backends.pristine._NOTES", "backends.pristine._SEEN",
    "backends.numpy.context._depth", "backends.numpy.lane_array._inside", "backends.torch.numpy_dispatch._inside", "backends.torch.numpy_dispatch._RUNNING", "backends.torch.numpy_dispatch._LOCK", "backends.fused.lowering.lower.BODIES", "backends.torch.fori_loop.BODIES", "backends.torch.fori_loop._NUMBERS", "backends.torch.fori_loop._LOCK",
    "backends.fused.build.toolchain._loaded",
    "backends.torch.opaque._calls", "backends.torch.opaque._number", "backends.torch.opaque._reads", "engine.problem.BY_ID",
    "backends.fused.build.toolchain._locks", "backends.fused.build.nvrtc._loaded", "backends.fused.build.nvrtc._locks",
    "engine.bytecode._KNOWN", "engine.fingerprint.reads._KNOWN", "engine.warn._TOLD",
})  # fmt: skip
"""Variables that a process fills as it runs: what the code did, no part of the code."""

WRAPPERS: Mapping[type, tuple[str, ...]] = {
    classmethod: ("__func__",),
    staticmethod: ("__func__",),
    property: ("fget", "fset", "fdel"),
    functools.cached_property: ("func",),
    functools.partial: ("func", "args", "keywords"),
    functools.partialmethod: ("func", "args", "keywords"),
    type(functools.cache(len)): ("__wrapped__",),
    types.MethodType: ("__func__", "__self__"),
}
"""Objects of Python's own that are what they hold."""

PLANTED = re.compile(r"_\d{6,}_c\d+")
"""Names that torch.compile puts into the modules whose functions it compiles: an object's number and the compile's."""

Stamp = tuple[int, ...]


class Note:
    """Contents of a module when it was loaded: each of its functions, classes, tables and objects, and the parts of each."""

    def __init__(self, module: types.ModuleType, path: str, stamp: Stamp) -> None:
        self.module, self.path, self.stamp = module, path, stamp
        self.parts: list[tuple[Any, list[Any], list[Any]]] = []
        found: list[Any] = [module]
        while found:
            value = found.pop()
            if id(value) not in _SEEN or value is module:
                _SEEN[id(value)] = value
                parts = _parts(value)
                self.parts.append((value, _whole(value), parts))
                found += filter(_is_noted, parts)

    def holds(self) -> bool:
        """Whether the module is in its place, and all it held is as it was."""
        return all(map(_is_same, self.parts))


_NOTES: list[Note] = []
_SEEN: dict[int, Any] = {}
"""Objects that were noted; one that is gone would leave its id to another."""
_DIGESTS: dict[str, tuple[Stamp, bytes]] = {}


class _Loader(importlib.machinery.SourceFileLoader):
    def exec_module(self, module: types.ModuleType) -> None:
        stamp = _stamp(self.path)
        super().exec_module(module)
        note(module, stamp)


class _Finder(importlib.abc.MetaPathFinder):
    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: types.ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a module of this project by the other finders, with the loader that notes it."""
        if name.partition(".")[0] not in PACKAGES:
            return None
        others = (finder for finder in sys.meta_path if finder is not self and hasattr(finder, "find_spec"))
        for spec in (finder.find_spec(name, path, target) for finder in others):
            if spec is not None:
                if type(spec.loader) is importlib.machinery.SourceFileLoader:
                    spec.loader = _Loader(spec.loader.name, str(spec.loader.path))
                return spec
        return None


def note(module: types.ModuleType, stamp: Stamp | None = None) -> None:
    """Note a module that was just loaded."""
    if module.__name__.startswith(FRONT):
        return
    path = str(module.__file__)
    made = Note(module, path, _stamp(path) if stamp is None else stamp)
    for known in [known for known in _NOTES if known.module is module]:  # of a module that is loaded again
        made.parts += (part for part in known.parts if part[0] is not module)
        _NOTES.remove(known)
    _NOTES.append(made)


def sources() -> str:
    """The digest of all source files of this project; empty where the loaded code may be other than they say."""
    noted = {known.module.__name__: known for known in _NOTES}
    for name, module in sys.modules.copy().items():
        counts = name.partition(".")[0] in PACKAGES and not name.startswith(FRONT)
        if counts and (name not in noted or noted[name].module is not module):
            return ""
    if not all(known.stamp == _stamp(known.path) and known.holds() for known in _NOTES):
        return ""
    whole = hashlib.sha256(str(sys.flags.optimize).encode())
    for name, path in _files():
        whole.update(name.encode() + _digest(path))
    return whole.hexdigest()


@functools.cache
def _files() -> list[tuple[str, str]]:
    """The source files by their places below the folder that has this project's packages."""
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    found = [
        os.path.join(folder, file)
        for package in PACKAGES
        for folder, _, files in os.walk(os.path.join(root, package))
        for file in files
        if file.endswith(".py")
    ]
    return sorted((os.path.relpath(path, root), path) for path in found)


def _digest(path: str) -> bytes:
    stamp = _stamp(path)
    known = _DIGESTS.get(path)
    if known is None or known[0] != stamp:
        with open(path, "rb") as file:
            known = _DIGESTS[path] = stamp, hashlib.sha256(file.read()).digest()
    return known[1]


def _stamp(path: str) -> Stamp:
    """Numbers that change when a file is written or exchanged."""
    try:
        about = os.stat(path)
    except OSError:
        return ()
    return about.st_mtime_ns, about.st_size, about.st_ino, about.st_ctime_ns


def _is_same(noted: tuple[Any, list[Any], list[Any]]) -> bool:
    value, whole, parts = noted
    return _are_same(_whole(value), whole) or _are_same(_parts(value), parts)


def _are_same(now: list[Any], before: list[Any]) -> bool:
    return len(now) == len(before) and all(map(operator.is_, now, before))


def _is_noted(value: object) -> bool:
    """Whether a part has parts of its own that a user may replace."""
    kind = type(value)
    if kind is types.FunctionType or isinstance(value, type):
        return str(value.__module__).partition(".")[0] in PACKAGES
    return (kind in PARTS and kind is not types.ModuleType) or (
        kind.__module__.partition(".")[0] in PACKAGES and hasattr(value, "__dict__")
    )


def _whole(value: object) -> list[Any]:
    """All that a value holds, which is fast; also what Python adds to it."""
    return _items(vars(value)) if type(value) in (types.ModuleType, type) else _parts(value)


def _parts(value: object) -> list[Any]:
    other: Callable[[Any], list[Any]] = _class if isinstance(value, type) else _object
    read = PARTS.get(type(value), other)
    return read(value)


def _module(module: types.ModuleType) -> list[Any]:
    found: list[Any] = []
    for name, value in vars(module).copy().items():
        full = f"{module.__name__}.{name}"
        if name[:2] == "__" or not name.isidentifier() or PLANTED.fullmatch(name) or full in STATE:
            continue  # no source holds a name that is no identifier: a test runner puts them beside the assertions that it rewrites
        if type(value) is types.ModuleType and sys.modules.get(full) is value:
            continue  # a package holds its modules as soon as they are loaded, used or not
        found += (name, value)
    return found


def _class(value: type) -> list[Any]:
    found: list[Any] = list(value.__bases__)
    for name, member in vars(value).copy().items():
        if name != "_abc_impl" and (name[:2] != "__" or isinstance(member, (types.FunctionType, *WRAPPERS)) or member is None):
            found += (name, member)
    return found


def _function(function: types.FunctionType) -> list[Any]:
    found: list[Any] = [function.__code__, function.__defaults__]
    for more in (function.__kwdefaults__, vars(function)):
        if more:
            found += _items(more)
    if function.__closure__:
        found += map(_content, function.__closure__)
    return found


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return None


def _object(value: object) -> list[Any]:
    return _items(vars(value))


def _items(mapping: Mapping[Any, Any]) -> list[Any]:
    return [*mapping.keys(), *mapping.values()]


def _wrapped(value: object) -> list[Any]:
    return [getattr(value, name) for name in WRAPPERS[type(value)]]


PARTS: Mapping[type, Callable[[Any], list[Any]]] = {
    types.ModuleType: _module,
    types.FunctionType: _function,
    dict: _items,
    types.MappingProxyType: _items,
    types.SimpleNamespace: _object,
    **dict.fromkeys((list, tuple, set, frozenset), list),
    **dict.fromkeys(WRAPPERS, _wrapped),
}

sys.meta_path.insert(0, _Finder())
note(sys.modules[__name__])
