"""Users' classes and their objects, taken apart into values that can be described one by one. Needs `libraries`."""

from __future__ import annotations

import abc
import types
import typing
from collections.abc import Iterator
from typing import Any

from engine.bytecode import code_digest
from engine.libraries import HEAP, Unhashable, has_library_code
from engine.places import is_users

BASES = frozenset({object, type, tuple, abc.ABC, typing.Generic, typing.Protocol})
"""Classes of Python's own that a user's class may rest on; an object of another one holds more than its fields."""

METACLASSES = frozenset({type, abc.ABCMeta, type(typing.Protocol)})

SKIPPED = frozenset(
    """
    __dict__ __weakref__ __doc__ __module__ __qualname__ __annotations__ __annotations_cache__ __annotate__ __annotate_func__
    __firstlineno__ __static_attributes__ __dataclass_fields__ __dataclass_params__ __match_args__ __abstractmethods__ __orig_bases__
    __parameters__ __type_params__ __protocol_attrs__ __non_callable_proto_members__ __subclasshook__ _abc_impl _is_protocol
    _is_runtime_protocol
    """.split()
)
"""Attributes that Python adds, and that no function reads but by a name between underscores."""


def is_users_class(kind: type) -> bool:
    """Whether a class was made by the user's code."""
    return bool(kind.__flags__ & HEAP) and kind not in BASES and is_users(kind)


def bases(kind: type) -> Iterator[Any]:
    """The bases and the metaclass of a user's class: names of Python's own, or classes of the user's. Raises Unhashable."""
    for base in (*kind.__bases__, type(kind)):
        if base in BASES or base in METACLASSES:
            yield base.__qualname__
        elif is_users_class(base):
            yield base
        else:
            raise Unhashable(f"{kind!r} rests on {base!r}")


def attributes(kind: type) -> Iterator[tuple[str, Any]]:
    """The attributes of a user's class by name; functions that a library wrote by their code. Raises Unhashable."""
    for name, value in vars(kind).items():
        if name in SKIPPED:
            continue
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType) or type(value).__name__ == "_tuplegetter":
            yield name, "a field"
        elif (
            isinstance(value, classmethod | staticmethod)
            and isinstance(value.__func__, types.FunctionType)
            and _is_written(kind, value.__func__)
        ):
            yield name, code_digest(value.__func__.__code__)
        elif isinstance(value, types.FunctionType) and _is_written(kind, value):
            told = (
                getattr(value, "__wrapped__", value) if name == "__repr__" else value
            )  # a dataclass guards it against recursion
            yield name, [code_digest(told.__code__), told.__defaults__, told.__kwdefaults__ and dict(told.__kwdefaults__)]
            if name == "__init__":
                yield name, [_content(cell) for cell in told.__closure__ or ()]
        else:
            yield name, value


def fields(value: Any) -> dict[str, Any]:
    """The fields of an object of a user's class, and what it holds as a tuple. Raises Unhashable."""
    found: dict[str, Any] = {}
    for kind in type(value).__mro__:
        if kind not in BASES and not is_users_class(kind):
            raise Unhashable(f"an object of {kind!r}, which may hold more than its fields")
        slots = vars(kind).get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            member = vars(kind).get(_mangled(kind, name))
            if isinstance(member, types.MemberDescriptorType):
                found[name] = member.__get__(value) if _is_set(member, value) else ...
    if isinstance(value, tuple):
        found[""] = list(tuple.__iter__(value))
    if "__dict__" in dir(type(value)):
        found |= object.__getattribute__(value, "__dict__")
    return found


def _is_written(kind: type, function: types.FunctionType) -> bool:
    """Whether a library wrote a method: of a dataclass, or of a named tuple."""
    made = "__dataclass_fields__" in vars(kind) or (tuple in kind.__mro__ and "_fields" in vars(kind))
    return made and (has_library_code(function) or function.__code__.co_filename == "<string>")


def _mangled(kind: type, name: str) -> str:
    return f"_{kind.__name__.lstrip('_')}{name}" if name[:2] == "__" and name[-2:] != "__" else name


def _is_set(member: types.MemberDescriptorType, value: Any) -> bool:
    try:
        member.__get__(value)
    except AttributeError:
        return False
    return True


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # not assigned yet
        return ...
