"""Descriptions of users' functions, by all that they can read: nothing else may enter a program that is kept on disk.

A function counts by its bytecode, defaults, closure and attributes, by every global that it reads and by what its helpers read in
turn; a class by its attributes, bases and metaclass, an object by its class and fields, a module of the user's by its attributes that
are read. A library's functions count by name, if `pure` lists them and the library still holds its own (`genuine`). Names that are
computed, state, clocks, files, random numbers, sets and whatever else cannot be hashed completely raise `Unhashable`.
"""

from __future__ import annotations

import builtins
import functools
import importlib.util
import sys
import types
from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

from backends import pristine
from backends.arrays import is_array
from backends.pristine import PACKAGES
from engine import libraries
from engine.bytecode import code_digest
from engine.fingerprint import classes
from engine.fingerprint.hasher import Hasher
from engine.fingerprint.pure import BUILTINS, DUNDERS, IMPURE, MODULES, NAMES, OWN, OWN_NAMES, VERSIONED
from engine.fingerprint.reads import reads
from engine.libraries import LIBRARIES, Unhashable, package

CACHED = type(functools.cache(len))
WRAPPERS: Mapping[type, tuple[str, ...]] = {
    **{kind: parts for kind, parts in pristine.WRAPPERS.items() if kind is not CACHED},
    slice: ("start", "stop", "step"),
    range: ("start", "stop", "step"),
}
"""Objects of Python's own that are what they hold. A cached function is not: its cache may hold what it gave before a change."""


class Users:
    """Describes users' functions; `own` describes what they reach of this project."""

    own: Hasher

    def __init__(self) -> None:
        self.hasher = Hasher(self._describe, "user's")
        self.lines = self.hasher.lines
        self.modules: list[types.ModuleType] = []
        self.libraries: set[str] = set()
        self.read: set[str] = set()
        self.defined: set[str] = set()

    def add(self, value: Any) -> None:
        """Describe a user's function or object, and all that it reads. Raises Unhashable."""
        self.hasher.add(value)

    def finish(self) -> None:
        """Describe what users' modules hold under the names that were read, and check all names. Raises Unhashable."""
        described: set[tuple[int, str]] = set()
        while wanted := [pair for pair in self._of_modules() if pair not in described]:
            for place, name in wanted:
                described.add((place, name))
                self.lines.append(f"attribute {place} {name}")
                self.hasher.add(vars(self.modules[place])[name])
                self.defined.add(name)
        for name in sorted(self.read):
            self._check_name(name)
        for library in sorted(self.libraries & VERSIONED):
            self.lines.append(f"{library} {version(library)}")

    def _of_modules(self) -> list[tuple[int, str]]:
        return [(place, name) for place, module in enumerate(self.modules) for name in sorted(self.read & vars(module).keys())]

    def _check_name(self, name: str) -> None:
        """A name must be known as pure in every library, or be the user's own and no library's."""
        fine = name in DUNDERS if name[:2] == "__" == name[-2:] else name in NAMES | OWN_NAMES
        fine = fine or (
            name in self.defined and name not in IMPURE and name not in vars(sys.modules["numpy"]) and name[:2] != "__"
        )
        if not fine:
            raise Unhashable(f"an attribute {name!r}, which may be anything")

    def _describe(self, hasher: Hasher, value: Any) -> None:
        kind = type(value)
        if kind is types.FunctionType:
            self._function(value)
        elif kind is types.ModuleType:
            self._module(value)
        elif kind in (dict, types.MappingProxyType):
            self.lines.append(f"{kind.__name__} {len(value)}")
            for pair in value.items():
                hasher.add(*pair)
        elif kind is types.SimpleNamespace:
            self._object(kind.__name__, vars(value))
        elif kind in WRAPPERS:
            self.lines.append(kind.__name__)
            hasher.add(*(getattr(value, name) for name in WRAPPERS[kind]))
            if kind is functools.partial:
                self._object("partial", vars(value))
        elif isinstance(value, type) and classes.is_users_class(value) and package(value) not in PACKAGES:
            self._class(value)
        elif kind.__module__ == "numpy" and hasattr(value, "tobytes") and not is_array(value):
            self.lines.append(libraries.text(value))
        elif package(kind) in PACKAGES:
            self.own.add(value)
        elif classes.is_users_class(kind):
            hasher.add(kind)
            self._object("object", classes.fields(value))
        else:
            self._library(value)

    def _object(self, kind: str, fields: Mapping[str, Any]) -> None:
        self.lines.append(f"{kind} {len(fields)}")
        for name, value in fields.items():
            self.defined.add(name)
            self.hasher.add(name, value)

    def _class(self, kind: type) -> None:
        self.lines.append(f"class {kind.__qualname__!r}")
        self.hasher.add(*classes.bases(kind))
        for name, value in classes.attributes(kind):
            self.defined.add(name)
            self.hasher.add(name, value)

    def _function(self, function: types.FunctionType) -> None:
        names, code = function.__globals__, function.__code__
        if libraries.has_project_code(function):
            if function.__module__ not in OWN:
                raise Unhashable(f"{function!r}, which is not for users' functions")
            self.own.add(function)
            return
        if libraries.owns(names):
            self._library(function)
            return
        if names.get("__builtins__", builtins) not in (builtins, vars(builtins)):
            raise Unhashable(f"{function!r} with builtins of its own")
        self.lines.append(code_digest(code))
        self.hasher.add(function.__defaults__, function.__kwdefaults__)
        self.hasher.add([classes.content(cell) for cell in function.__closure__ or ()])
        self._object("function", vars(function))
        self._reads(code, names)

    def _reads(self, code: types.CodeType, names: Mapping[str, Any]) -> None:
        found = reads(code)
        self.read |= found.attributes | found.written
        self.defined |= found.written
        for name in sorted(found.modules):
            self._import(name)
        for name in sorted(found.names):
            self.lines.append(name)
            if name in names:
                self.hasher.add(names[name])
            elif name not in BUILTINS and hasattr(builtins, name):
                raise Unhashable(f"{name}() of Python's own, which may give anything")

    def _module(self, module: types.ModuleType) -> None:
        name = module.__name__
        if name.partition(".")[0] in LIBRARIES | PACKAGES:
            if sys.modules.get(name) is not module:
                raise Unhashable(f"{module!r} in the place of the loaded one")
            self._import(name)
        elif "__getattr__" in vars(module):
            raise Unhashable(f"{module!r}, whose attributes are computed")
        else:
            self.lines.append(f"module {len(self.modules)}")
            self.modules.append(module)

    def _import(self, name: str) -> None:
        top = name.partition(".")[0]
        if name not in MODULES | OWN:
            raise Unhashable(f"the module {name}, which may hold anything")
        if top not in PACKAGES:
            spec = getattr(sys.modules[top], "__spec__", None) if top in sys.modules else importlib.util.find_spec(top)
            if not libraries.is_installed(getattr(spec, "origin", None)):
                raise Unhashable(f"the module {name}, which is the user's")
        self.libraries.add(top)
        self.lines.append(f"import {name}")

    def _library(self, value: object) -> None:
        """A library's function or class by a name under which `MODULES` hold it."""
        called = str(getattr(value, "__name__", "")) or str(value).rpartition(".")[2]  # a dtype of torch's has no name
        for module in sorted(MODULES & sys.modules.keys()):
            for name in (called, called.partition("_")[2]):
                if name in NAMES and vars(sys.modules[module]).get(name, self) is value:
                    self._import(module)
                    self.lines.append(f"{module}.{name}")
                    self.read.add(name)
                    return
        if called in BUILTINS and getattr(builtins, called) is value:
            self.lines.append(called)
        elif f"{type(value).__module__}.{type(value).__qualname__}".startswith(("numpy.dtypes.", "torch.dtype")):
            self.lines.append(libraries.text(value))
        else:
            raise Unhashable(f"{called or type(value).__qualname__!r}, which is not known as pure")
