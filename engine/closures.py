"""Closures of declared functions: arrays are inputs, read at every call; numbers and helpers are fixed.

`freeze` takes a snapshot of a function: closure cells, globals, defaults, the containers in them, and the helpers that it
calls, functions and objects of the user's classes with their attributes. Each place that holds an array becomes a slot, so
that one array under two names has two: `CapturedFunction.arrays()` reads the places as they are now, and
`CapturedFunction.rebuild(arrays)` is the same function with other arrays, the tracer's for instance. Arrays in classes and
modules are no slots; a tracer refuses them.
"""

from __future__ import annotations

import builtins
import copy
import functools
import inspect
import types
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from backends.arrays import is_array
from engine.bytecode import global_names, written_names
from engine.errors import TraceError
from engine.places import CONTAINERS, SCALARS, Place, has_attributes, is_users, members, rebuilt
from engine.surroundings import Surroundings


@dataclass
class Rebuilding:
    """One rebuilding: the arrays by slot, the surroundings, and the copies of functions and objects by the original's id."""

    arrays: list[Any]
    around: Surroundings | None = None
    made: dict[int, Any] = field(default_factory=dict)


Rebuilder = Callable[[Rebuilding], Any]


class CapturedFunction:
    """A snapshot of a function.

    >>> scale = 2.0
    >>> frozen = freeze(lambda x: scale * x)
    >>> scale = 3.0
    >>> frozen.rebuild([])(1.0)
    2.0
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.slots: list[Callable[[], Any]] = []
        self._slot_of: dict[tuple[Any, ...], int] = {}
        self._kept: dict[int, Any] = {}  # helpers that were met; one that is gone would leave its id to another
        self._within: list[int] = []  # ids of the containers around a value
        self._writes: dict[int, list[str]] = {}  # names outside of it that a function writes, by its id
        self._rebuild = self._declared(function)

    @functools.cached_property
    def takes(self) -> Mapping[str, inspect.Parameter]:
        """The arguments of the function."""
        return inspect.signature(self.function).parameters

    def arrays(self) -> list[Any]:
        """The captured arrays as they are now. Raises TypeError where a place holds neither an array nor a number any more."""
        return [read() for read in self.slots]

    def rebuild(self, arrays: list[Any], around: Surroundings | None = None) -> Callable[..., Any]:
        """The function with these arrays for the captured ones, in its own or in other surroundings."""
        rebuilding = Rebuilding(arrays, around)
        bound: Callable[..., Any] = self._rebuild(rebuilding)
        return _watched(bound, [(rebuilding.made[own], names) for own, names in self._writes.items()]) if self._writes else bound

    def _declared(self, value: object) -> Rebuilder:
        """The function itself, the user's wherever it comes from; an object by its `__call__`."""
        if isinstance(value, types.FunctionType):
            return self._function(value)
        call = getattr(type(value), "__call__", None)  # noqa: B004
        if isinstance(call, types.FunctionType) and is_users(call):
            value = types.MethodType(call, value)
        return self._value(value, Place("the function", (), lambda: value))

    def _value(self, value: object, place: Place) -> Rebuilder:
        if is_array(value):
            index = self._slot_of.setdefault(place.key, len(self.slots))
            if index == len(self.slots):
                self.slots.append(place.array)
            return lambda rebuilding: rebuilding.arrays[index]
        if isinstance(value, types.FunctionType) and is_users(value):
            return self._function(value)
        if isinstance(value, functools.partial):
            parts = self._parts(value, "a partial function", lambda: (value.func, value.args, value.keywords))
            return lambda rebuilding: _partial(*parts(rebuilding))
        if isinstance(value, types.MethodType) and is_users(value.__func__):
            pair = self._parts(value, "a method", lambda: (value.__func__, value.__self__))
            return lambda rebuilding: types.MethodType(*pair(rebuilding))
        if members(value) is not None:
            return self._container(value, place)
        if has_attributes(value):
            return self._object(value)
        fixed = _as_number(value) if not isinstance(value, set | bytearray) else copy.copy(value)
        return lambda rebuilding: fixed if rebuilding.around is None else rebuilding.around.see(fixed)

    def _parts(self, value: object, name: str, read: Callable[[], tuple[Any, ...]]) -> Rebuilder:
        self._kept[id(value)] = value
        return self._container(read(), Place(name, (id(value),), read))

    def _container(self, value: object, place: Place) -> Rebuilder:
        """A container by its members, which are read again by index or key."""
        parts = members(value) or {}
        if id(value) in self._within or SCALARS.issuperset(map(type, parts.values())):
            fixed = rebuilt(value, parts)
            return lambda rebuilding: fixed
        self._within.append(id(value))
        rebuilders = {key: self._value(part, place.member(key)) for key, part in parts.items()}
        self._within.pop()
        blank = value if type(value) in CONTAINERS else copy.copy(value)
        return lambda rebuilding: rebuilt(blank, {key: bind(rebuilding) for key, bind in rebuilders.items()})

    def _object(self, value: object) -> Rebuilder:
        """An object by its attributes; it is fixed as a helper function is, whatever its name holds later."""
        if id(value) in self._kept:
            return lambda rebuilding: rebuilding.made[id(value)]
        self._kept[id(value)] = value
        blank = copy.copy(value)
        attributes = {name: self._value(part, _attribute(value, name)) for name, part in vars(value).items()}

        def build(rebuilding: Rebuilding) -> Any:
            made = rebuilding.made[id(value)] = copy.copy(blank)
            vars(made).update({name: bind(rebuilding) for name, bind in attributes.items()})
            return made

        return build

    def _function(self, function: types.FunctionType) -> Rebuilder:
        """Rebuild a function on copies of the globals and cells that it uses; recursion meets its own copy."""
        if id(function) in self._kept:
            return lambda rebuilding: rebuilding.made[id(function)]
        self._kept[id(function)] = function
        known, code = function.__globals__, function.__code__
        if names := written_names(code):
            self._writes[id(function)] = sorted(names)
        scope = {name: self._value(known[name], _global(known, name)) for name in sorted(global_names(code) & set(known))}
        cells = [self._cell(cell, name) for cell, name in zip(function.__closure__ or (), code.co_freevars, strict=True)]
        rest = [self._value(getattr(function, name), _field(function, name)) for name in FIELDS]

        def build(rebuilding: Rebuilding) -> types.FunctionType:
            builtin = known.get("__builtins__", builtins)
            names = {
                "__builtins__": rebuilding.around.builtins(builtin) if rebuilding.around else builtin,
                "__name__": function.__module__,
            }
            closure = tuple(types.CellType() for _ in cells)
            made = types.FunctionType(code, names, function.__name__, None, closure)
            rebuilding.made[id(function)] = made
            names.update({name: bind(rebuilding) for name, bind in scope.items()})
            for cell, bind in zip(closure, cells, strict=True):
                if bind is not None:
                    cell.cell_contents = bind(rebuilding)
            for name, bind in zip(FIELDS, rest, strict=True):
                setattr(made, name, bind(rebuilding))
            return made

        return build

    def _cell(self, cell: types.CellType, name: str) -> Rebuilder | None:
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet: the function itself would raise NameError
            return None
        return self._value(value, Place(name, (id(cell),), lambda: cell.cell_contents))


FIELDS = ("__defaults__", "__kwdefaults__", "__dict__")
"""Fields of a function that may hold arrays."""


def freeze(function: Callable[..., Any]) -> CapturedFunction:
    """The snapshot of a function, made when its Problem is made."""
    return CapturedFunction(function)


def _watched(function: Callable[..., Any], writers: list[tuple[types.FunctionType, list[str]]]) -> Callable[..., Any]:
    """A function that may not change a name outside of itself."""

    def held() -> list[tuple[str, Any]]:
        return [(name, _named(writer, name)) for writer, names in writers for name in names]

    def watched(*args: Any, **named: Any) -> Any:
        before = held()
        found = function(*args, **named)
        for (name, old), (_, new) in zip(before, held(), strict=True):
            if old is not new:
                raise TraceError(f"changes {name!r}, a name outside of it", "it would be frozen in", "what changes as data")
        return found

    return watched


def _named(function: types.FunctionType, name: str) -> Any:
    """The value of a global name, or of one of a function around; None for nothing."""
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
    if name not in cells:
        return function.__globals__.get(name)
    try:
        return cells[name].cell_contents
    except ValueError:
        return None


def _global(names: dict[str, Any], name: str) -> Place:
    return Place(name, (id(names), name), lambda: names[name])


def _attribute(value: object, name: str) -> Place:
    return Place(f"{type(value).__name__}.{name}", (id(value), name), lambda: vars(value)[name])


def _field(function: types.FunctionType, name: str) -> Place:
    return Place(f"{function.__name__}.{name}", (id(function), name), lambda: getattr(function, name))


def _partial(function: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> functools.partial[Any]:
    return functools.partial(function, *args, **keywords)


def _as_number(value: object) -> Any:
    """A NumPy scalar is a number."""
    return value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
