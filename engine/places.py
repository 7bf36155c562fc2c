"""Places where captured values stand (a name, a member of a container, an attribute), to be read again at every call."""

from __future__ import annotations

import collections
import copy
import sys
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from backends.arrays import as_array, is_array
from backends.pristine import PACKAGES
from engine.errors import DeclarationError
from engine.libraries import is_installed, package

SCALARS = frozenset({type(None), type(...), bool, int, float, complex, str, bytes})
CONTAINERS = frozenset({dict, types.MappingProxyType, list, tuple})
"""Containers that are made of their members alone."""


@dataclass(frozen=True)
class Place:
    """A place: its name for messages, a key that no other place has, and how its value is read.

    >>> box = {"W": [1.0, 2.0]}
    >>> place = Place("box", ("box",), lambda: box).member("W").member(0)
    >>> place.name, place.read()
    ("box['W'][0]", 1.0)
    """

    name: str
    key: tuple[Any, ...]
    read: Callable[[], Any]

    def member(self, key: object) -> Place:
        """The place of a container's member."""
        return Place(f"{self.name}[{key!r}]", (*self.key, key), lambda: self.read()[key])

    def array(self) -> Any:
        """The present content of a place that held an array: an array, or a number in its stead. Raises TypeError for anything else."""
        try:
            value = self.read()
        except (AttributeError, LookupError, TypeError, ValueError):
            came = "is gone"
        else:
            if is_array(value):
                return value
            if isinstance(value, bool | int | float | complex) or (hasattr(value, "dtype") and hasattr(value, "item")):
                return as_array(value)
            came = f"is now {repr(value)[:60]}"
        raise DeclarationError(
            f"{self.name}, which was an array when the function was declared and {came}; expected an array or a number: assign one, or "
            "declare the function again"
        )


def members(value: Any) -> Mapping[Any, Any] | None:
    """The members of a container by index or key; None for what is none."""
    if isinstance(value, dict | types.MappingProxyType):
        return value
    if isinstance(value, list | collections.deque) or type(value) is tuple or hasattr(type(value), "_make"):
        return dict(enumerate(value))
    return None


def rebuilt(value: Any, parts: Mapping[Any, Any]) -> Any:
    """A container like another with other members."""
    kind = type(value)
    if kind in CONTAINERS:
        return kind(dict(parts) if hasattr(kind, "keys") else parts.values())
    if hasattr(kind, "_make"):
        return kind._make(parts.values())
    made = copy.copy(value)  # keeps what a subclass adds
    for key, part in parts.items():
        made[key] = part
    return made


def has_attributes(value: object) -> bool:
    """Whether a value is an object of the user's with attributes of its own, which a copy can have too."""
    kind = type(value)
    if kind is not types.SimpleNamespace and (package(kind) in PACKAGES or not is_users(kind)):
        return False
    if isinstance(value, type | types.ModuleType | types.FunctionType) or not getattr(value, "__dict__", None):
        return False
    try:
        alike = copy.copy(value)
    except Exception:  # whatever an object raises that is not to be copied
        return False
    return type(alike) is kind and alike is not value


def is_users(value: object) -> bool:
    """Whether a function or class is the user's or this project's; other installed code is not: its globals are its own."""
    name = getattr(value, "__module__", None)
    if package(value) in PACKAGES:
        return True
    file = getattr(sys.modules.get(name) if isinstance(name, str) else None, "__file__", None)
    if isinstance(file, str):
        return not is_installed(file)
    return not isinstance(name, str) or name.partition(".")[0] not in sys.stdlib_module_names
