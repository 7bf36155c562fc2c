"""Descriptions of what this project made, and of values that it holds.

`backends.pristine` vouches for the code: a function, class or object of this project counts by the name under which its module
holds it. What a call made (a closure, a copy on other globals, a solver) counts by its code and contents. A user's functions and
objects go to `users`, which asks more of them.
"""

from __future__ import annotations

import builtins
import dataclasses
import enum
import re
import sys
import types
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from backends.pristine import PACKAGES, WRAPPERS
from engine import libraries
from engine.bytecode import code_digest, global_names
from engine.fingerprint.classes import content
from engine.fingerprint.hasher import Hasher
from engine.fingerprint.users import Users
from engine.libraries import Unhashable, package
from engine.places import is_users


def hashers() -> tuple[Hasher, Users]:
    """A hasher of values of this project, and one of users' functions, which writes to the same lines."""
    users = Users()
    users.own = Hasher(partial(_describe, users), "own", users.lines)
    return users.own, users


def _describe(users: Users, hasher: Hasher, value: Any) -> None:
    """Describe a value that is no plain number or text. Raises Unhashable."""
    kind = type(value)
    if kind in HANDLERS:
        HANDLERS[kind](hasher, value)
    elif kind is types.FunctionType:
        _function(users, hasher, value)
    elif kind in (partial, types.MethodType) and not _is_own(value):
        users.add(value)
    elif kind in WRAPPERS:
        hasher.lines.append(kind.__name__)
        hasher.add(*(getattr(value, name) for name in WRAPPERS[kind]))
    elif isinstance(value, type):
        hasher.lines.append(_held(value) or libraries.text(value))
    elif package(kind) in PACKAGES:
        _instance(hasher, value)
    elif kind.__flags__ & libraries.HEAP and is_users(kind):
        users.add(value)
    else:
        hasher.lines.append(libraries.text(value))


def _is_own(value: Any) -> bool:
    function = value.func if isinstance(value, partial) else value.__func__
    return isinstance(function, types.FunctionType) and libraries.has_project_code(function)


def _held(value: Any) -> str:
    """The name under which a module of this project holds a function or class; empty where none does."""
    module = sys.modules.get(str(value.__module__))
    if module is None or package(value) not in PACKAGES or libraries.at(value.__module__, value.__qualname__) is not value:
        return ""
    return f"{module.__name__}:{value.__qualname__}"


def _function(users: Users, hasher: Hasher, function: types.FunctionType) -> None:
    names, code = function.__globals__, function.__code__
    if not libraries.has_project_code(function):
        name = libraries.holds(function) if libraries.owns(names) else ""
        if name:
            hasher.lines.append(f"library {name}")
        else:
            users.add(function)
        return
    if name := _held(function):
        hasher.lines.append(name)
        return
    hasher.lines.append(code_digest(code))
    hasher.add(function.__defaults__, function.__kwdefaults__, vars(function))
    hasher.add([content(cell) for cell in function.__closure__ or ()])
    module = sys.modules.get(str(names.get("__name__")))
    if module is not None and vars(module) is names and package(function) in PACKAGES:
        hasher.lines.append(f"in {module.__name__}")
    elif names.get("__builtins__", builtins) not in (builtins, vars(builtins)):
        raise Unhashable(f"{function!r} with builtins of its own")
    else:  # rebuilt by `closures` on copies of the names that it reads
        hasher.add({name: names[name] for name in sorted(global_names(code)) if name in names})


def _instance(hasher: Hasher, value: object) -> None:
    """An object of this project by its fields."""
    if isinstance(value, enum.Enum):
        hasher.add("member", type(value), value.name, value.value)
        return
    if not hasattr(value, "__dict__"):
        raise Unhashable(f"{value!r}, which hides its fields")
    names = [f.name for f in dataclasses.fields(value)] if dataclasses.is_dataclass(value) else sorted(vars(value))
    hasher.add("object", type(value), {name: getattr(value, name) for name in names})


def _module(hasher: Hasher, module: types.ModuleType) -> None:
    name = module.__name__
    if sys.modules.get(name) is not module or not (name.partition(".")[0] in PACKAGES or libraries.is_library(name)):
        raise Unhashable(f"{module!r}, which is the user's or in the place of the loaded one")
    hasher.lines.append(f"import {name}")


def _dict(hasher: Hasher, value: Mapping[Any, Any]) -> None:
    hasher.lines.append(f"dict {len(value)}")
    for key, member in value.items():
        hasher.add(key, member)


def _set(hasher: Hasher, value: Any) -> None:
    if not all(type(member) in (bool, int, float, str) for member in value):
        raise Unhashable(f"{value!r}, a set of more than numbers and names")
    hasher.add("set", sorted(value, key=repr))


HANDLERS: Mapping[type, Callable[[Hasher, Any], None]] = {
    types.ModuleType: _module,
    types.CodeType: lambda hasher, code: hasher.lines.append(code_digest(code)),
    types.SimpleNamespace: lambda hasher, value: _dict(hasher, vars(value)),
    re.Pattern: lambda hasher, value: _dict(hasher, {"pattern": value.pattern, "flags": value.flags}),
    dict: _dict,
    types.MappingProxyType: _dict,
    set: _set,
    frozenset: _set,
}
