"""A name for a program that is the same in every process, for problems made of this project's own functions.

A solve of the catalogue is traced once per installation: what was worked out is kept on disk under this name. The name holds
the source of the three packages, and the declaration itself down to bytecode, captured numbers and globals, as it was
frozen. Whatever cannot be told wholly (a user's function or solver, an array, an object) has no name. Needs `captures`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import sys
import sysconfig
import types
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import backends
from engine.problem import Param, Problem

PACKAGES = ("backends", "engine", "problems")
LIBRARIES = frozenset({"array_api_compat", "numpy", "torch", *sys.stdlib_module_names})
"""Whose functions are told by their names; a backend that keeps anything knows the versions."""


class _Untold(Exception):
    """A value that has no name."""


def identity(problem: Problem, *rest: Any) -> str:
    """A digest of a problem's declaration and of plain values; empty where something of them cannot be told.

    >>> import problems
    >>> identity(problems.inverse()) == identity(problems.inverse()) != identity(problems.svd())
    True
    """
    try:
        told = (_sources(), _Teller().tell((*_declaration(problem), *rest)))
    except (_Untold, OSError, RecursionError):
        return ""
    return hashlib.sha256(repr(told).encode()).hexdigest()


def _declaration(problem: Problem) -> tuple[Any, ...]:
    """What of a problem is part of a program; starts and weights that are numbers are inputs of it."""
    if any(frozen.readers for frozen in problem.frozen.values()):
        raise _Untold("a captured array")
    functions = {role: frozen.bind([]) for role, frozen in problem.frozen.items()}
    params = {name: (p.axes, p.domain) for name, p in problem.params.items() if isinstance(p, Param)}
    weights = tuple(problem.weights) if isinstance(problem.weights, Mapping) else problem.weights is None
    return (problem.name, dict(problem.data), params, problem.exact, weights, functions)


@cache
def _sources() -> str:
    """A digest of all source files, where what is loaded is what they hold.

    Raises _Untold when one was changed since, or too shortly before to tell.
    """
    digest = hashlib.sha256()
    for package in PACKAGES:
        module = sys.modules.get(package)
        if module is None or not module.__file__:
            continue
        root = Path(module.__file__).parent
        for path in sorted(p for p in root.rglob("*") if p.suffix in (".py", ".h")):
            content = path.read_bytes()
            if path.stat().st_ctime > backends.LOADED - 1.0:
                raise _Untold(f"{path} changed")
            digest.update(f"{package}/{path.relative_to(root)}\0{len(content)}\0".encode() + content)
    return digest.hexdigest()


class _Teller:
    """Values as nested tuples of strings; what was told before is told by its place."""

    def __init__(self) -> None:
        self.seen: dict[int, int] = {}
        self.kept: list[Any] = []  # or an id could come again

    def tell(self, value: Any) -> Any:
        """The description of a value. Raises _Untold."""
        if value is None or value is ... or type(value) in (bool, int, float, str, bytes):
            return type(value).__name__, value.hex() if isinstance(value, float) else repr(value)
        if type(value) in (tuple, list):
            return type(value).__name__, *(self.tell(v) for v in value)
        if type(value) is dict:
            return "dict", *((self.tell(k), self.tell(v)) for k, v in value.items())
        if type(value) is frozenset:
            return "set", *sorted(repr(self.tell(v)) for v in value)
        if id(value) in self.seen:
            return "again", self.seen[id(value)]
        self.seen[id(value)] = len(self.seen)
        self.kept.append(value)
        return self._object(value)

    def _object(self, value: Any) -> Any:
        if isinstance(value, types.CodeType):
            plain = (value.co_code, value.co_names, value.co_varnames, value.co_freevars, value.co_cellvars, value.co_flags)
            counts = (value.co_argcount, value.co_posonlyargcount, value.co_kwonlyargcount)
            return "code", self.tell((*plain, *counts, value.co_exceptiontable, value.co_consts))
        if isinstance(value, types.FunctionType) and _root(value) in PACKAGES:
            return "function", self._function(value)
        if isinstance(value, types.ModuleType | types.FunctionType | types.BuiltinFunctionType | type):
            return self._named(value)
        if dataclasses.is_dataclass(value) and _root(type(value)) in PACKAGES:
            fields = {f.name: getattr(value, f.name) for f in dataclasses.fields(value)}
            return "record", self.tell(type(value)), self.tell(fields)
        raise _Untold(repr(value))

    def _function(self, function: types.FunctionType) -> Any:
        """Its code and everything outside of its arguments that the code may read."""
        names = sorted(_names(function.__code__))
        scope = {name: function.__globals__[name] for name in names if name in function.__globals__}
        for key, module in list(scope.items()):
            if isinstance(module, types.ModuleType) and module.__name__.partition(".")[0] in PACKAGES:
                scope |= {f"{key}.{name}": getattr(module, name) for name in names if hasattr(module, name)}
        cells = [cell.cell_contents for cell in function.__closure__ or ()]
        return self.tell((function.__code__, scope, cells, function.__defaults__, function.__kwdefaults__))

    def _named(self, value: Any) -> Any:
        """What a library or a package of this project calls by this name, and nothing else that goes by it."""
        module = value.__name__ if isinstance(value, types.ModuleType) else value.__module__
        path = [] if isinstance(value, types.ModuleType) else value.__qualname__.split(".")
        found: Any = sys.modules.get(module)
        for name in path:
            found = getattr(found, name, None)
        root = module.partition(".")[0]
        if found is not value or not (root in PACKAGES or (root in LIBRARIES and _is_installed(root))):
            raise _Untold(repr(value))
        return "named", module, *path


def _is_installed(root: str) -> bool:
    """Whether a module is Python's own or a package, and no file of the user's that goes by the same name."""
    origin = getattr(sys.modules[root].__spec__, "origin", None)
    homes = tuple(str(Path(path).resolve()) for path in sysconfig.get_paths().values())
    return origin in ("built-in", "frozen") or (origin is not None and str(Path(origin).resolve()).startswith(homes))


def _root(value: Any) -> str:
    return str(value.__module__).partition(".")[0]


def _names(code: types.CodeType) -> set[str]:
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(_names(inner) for inner in nested))
