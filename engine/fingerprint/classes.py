"""Users' classes and their objects, taken apart into values that can be described one by one. Needs `libraries`."""

from __future__ import annotations

import abc
import collections
import contextlib
import dataclasses
import types
import typing
from collections.abc import Iterator
from typing import Any

from engine.bytecode import code_digest
from engine.fingerprint.reads import reads
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


WRITERS = frozenset({"collections", "typing", "dataclasses", "reprlib"})
"""Modules of Python's own that write methods for users' classes."""

WRITTEN = frozenset(
    """
    _tuple_new object type super hash tuple NotImplemented FrozenInstanceError TypeError __class__ __setattr__ __delattr__ __qualname__
    __dataclass_builtins_object__ __dataclass_self__ _HAS_DEFAULT_FACTORY MISSING
    """.split()
)
"""Names that methods read that `dataclass` and `namedtuple` write, beside fields; none of it holds anything of the user's."""

MARKS = (dataclasses.FrozenInstanceError, dataclasses.MISSING, getattr(dataclasses, "_HAS_DEFAULT_FACTORY", dataclasses.MISSING))

GETTER = type(vars(collections.namedtuple("_Named", "field"))["field"])


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
        function = getattr(value, "__func__", value)  # of a class method, or of `__new__`
        if isinstance(value, types.MemberDescriptorType | types.GetSetDescriptorType) or type(value) is GETTER:
            yield name, "a field"
        elif isinstance(function, types.FunctionType) and _is_written(kind, function):
            closure = [] if has_library_code(function) else [content(cell) for cell in function.__closure__ or ()]
            yield name, code_digest(function.__code__)
            for parts in (function.__defaults__ or (), (function.__kwdefaults__ or {}).values(), closure):
                yield name, [repr(part) if any(part is mark for mark in MARKS) else part for part in parts]
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
    with contextlib.suppress(AttributeError):
        found |= object.__getattribute__(value, "__dict__")
    return found


def _is_written(kind: type, function: types.FunctionType) -> bool:
    """Whether a library wrote a method, of a named tuple or a dataclass, or it reads no more than such a one does."""
    if function.__globals__.get("__name__") in WRITERS and has_library_code(function):
        return True
    try:
        found = reads(function.__code__)
    except Unhashable:
        return False
    names = {name for base in kind.__mro__ for name in getattr(base, "__dataclass_fields__", ())}
    return not found.modules and found.names <= WRITTEN and found.attributes | found.written <= names | WRITTEN


def content(cell: types.CellType) -> Any:
    """The content of a cell of a closure. Raises Unhashable where that is nothing yet."""
    try:
        return cell.cell_contents
    except ValueError:
        raise Unhashable("a variable that has no value yet") from None


def _mangled(kind: type, name: str) -> str:
    return f"_{kind.__name__.lstrip('_')}{name}" if name[:2] == "__" and name[-2:] != "__" else name


def _is_set(member: types.MemberDescriptorType, value: object) -> bool:
    try:
        member.__get__(value)
    except AttributeError:
        return False
    return True
