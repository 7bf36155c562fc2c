"""What a declared function captures: arrays are inputs, read at every call; numbers and helpers are fixed.

`freeze` takes a snapshot of a function: closure cells, globals, defaults, the containers in them, and the helpers that it
calls, functions and objects of the user's classes with their attributes. Each place that holds an array becomes a slot, so
that one array under two names has two: `Frozen.arrays()` reads what the places hold now, `Frozen.bind(arrays)` is the same
function with other arrays, the tracer's for instance. Arrays in classes and modules are no slots; a tracer refuses them.
"""

from __future__ import annotations

import builtins
import copy
import functools
import types
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from backends.arrays import is_array
from engine.bytecode import global_names
from engine.places import CONTAINERS, SCALARS, Place, has_attributes, is_users, members, rebuilt
from engine.surroundings import Surroundings


@dataclass
class Binding:
    """One rebuilding: the arrays by slot, the surroundings, and the copies of functions and objects by the original's id."""

    arrays: list[Any]
    around: Surroundings | None = None
    made: dict[int, Any] = field(default_factory=dict)


Binder = Callable[[Binding], Any]


class Frozen:
    """A snapshot of a function.

    >>> scale = 2.0
    >>> frozen = freeze(lambda x: scale * x)
    >>> scale = 3.0
    >>> frozen.bind([])(1.0)
    2.0
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.readers: list[Callable[[], Any]] = []
        self._slots: dict[tuple[Any, ...], int] = {}
        self._kept: dict[int, Any] = {}  # helpers that were met; one that is gone would leave its id to another
        self._within: list[int] = []  # ids of the containers around a value
        self._bind = self._declared(function)

    def arrays(self) -> list[Any]:
        """The captured arrays as they are now. Raises TypeError where a place holds neither an array nor a number any more."""
        return [read() for read in self.readers]

    def bind(self, arrays: list[Any], around: Surroundings | None = None) -> Callable[..., Any]:
        """The function with these arrays for the captured ones, in its own or in other surroundings."""
        bound: Callable[..., Any] = self._bind(Binding(arrays, around))
        return bound

    def _declared(self, value: Any) -> Binder:
        """The function itself, the user's wherever it comes from; an object by its `__call__`."""
        if isinstance(value, types.FunctionType):
            return self._function(value)
        call = getattr(type(value), "__call__", None)  # noqa: B004
        if isinstance(call, types.FunctionType) and is_users(call):
            value = types.MethodType(call, value)
        return self._value(value, Place("the function", (), lambda: value))

    def _value(self, value: Any, place: Place) -> Binder:
        if is_array(value):
            index = self._slots.setdefault(place.key, len(self.readers))
            if index == len(self.readers):
                self.readers.append(place.array)
            return lambda binding: binding.arrays[index]
        if isinstance(value, types.FunctionType) and is_users(value):
            return self._function(value)
        if isinstance(value, functools.partial):
            parts = self._parts(value, "a partial function", lambda: (value.func, value.args, value.keywords))
            return lambda binding: _partial(*parts(binding))
        if isinstance(value, types.MethodType) and is_users(value.__func__):
            pair = self._parts(value, "a method", lambda: (value.__func__, value.__self__))
            return lambda binding: types.MethodType(*pair(binding))
        if members(value) is not None:
            return self._container(value, place)
        if has_attributes(value):
            return self._object(value)
        fixed = _as_number(value) if not isinstance(value, set | bytearray) else copy.copy(value)
        return lambda binding: fixed if binding.around is None else binding.around.see(fixed)

    def _parts(self, value: Any, name: str, read: Callable[[], tuple[Any, ...]]) -> Binder:
        self._kept[id(value)] = value
        return self._container(read(), Place(name, (id(value),), read))

    def _container(self, value: Any, place: Place) -> Binder:
        """A container by its members, which are read again by index or key."""
        parts = members(value) or {}
        if id(value) in self._within or SCALARS.issuperset(map(type, parts.values())):
            fixed = rebuilt(value, parts)
            return lambda binding: fixed
        self._within.append(id(value))
        binders = {key: self._value(part, place.member(key)) for key, part in parts.items()}
        self._within.pop()
        blank = value if type(value) in CONTAINERS else copy.copy(value)
        return lambda binding: rebuilt(blank, {key: bind(binding) for key, bind in binders.items()})

    def _object(self, value: Any) -> Binder:
        """An object by its attributes; it is fixed as a helper function is, whatever its name holds later."""
        if id(value) in self._kept:
            return lambda binding: binding.made[id(value)]
        self._kept[id(value)] = value
        blank = copy.copy(value)
        attributes = {name: self._value(part, _attribute(value, name)) for name, part in vars(value).items()}

        def build(binding: Binding) -> Any:
            made = binding.made[id(value)] = copy.copy(blank)
            vars(made).update({name: bind(binding) for name, bind in attributes.items()})
            return made

        return build

    def _function(self, function: types.FunctionType) -> Binder:
        """Rebuild a function on copies of the globals and cells that it uses; recursion meets its own copy."""
        if id(function) in self._kept:
            return lambda binding: binding.made[id(function)]
        self._kept[id(function)] = function
        known, code = function.__globals__, function.__code__
        scope = {name: self._value(known[name], _global(known, name)) for name in sorted(global_names(code) & set(known))}
        cells = [self._cell(cell, name) for cell, name in zip(function.__closure__ or (), code.co_freevars, strict=True)]
        rest = [self._value(getattr(function, name), _field(function, name)) for name in FIELDS]

        def build(binding: Binding) -> types.FunctionType:
            builtin = known.get("__builtins__", builtins)
            names = {
                "__builtins__": binding.around.builtins(builtin) if binding.around else builtin,
                "__name__": function.__module__,
            }
            closure = tuple(types.CellType() for _ in cells)
            made = types.FunctionType(code, names, function.__name__, None, closure)
            binding.made[id(function)] = made
            names.update({name: bind(binding) for name, bind in scope.items()})
            for cell, bind in zip(closure, cells, strict=True):
                if bind is not None:
                    cell.cell_contents = bind(binding)
            for name, bind in zip(FIELDS, rest, strict=True):
                setattr(made, name, bind(binding))
            return made

        return build

    def _cell(self, cell: types.CellType, name: str) -> Binder | None:
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet: the function itself would raise NameError
            return None
        return self._value(value, Place(name, (id(cell),), lambda: cell.cell_contents))


FIELDS = ("__defaults__", "__kwdefaults__", "__dict__")
"""Fields of a function that may hold arrays."""


def freeze(function: Callable[..., Any]) -> Frozen:
    """The snapshot of a function, made when its Problem is made."""
    return Frozen(function)


def _global(names: dict[str, Any], name: str) -> Place:
    return Place(name, (id(names), name), lambda: names[name])


def _attribute(value: Any, name: str) -> Place:
    return Place(f"{type(value).__name__}.{name}", (id(value), name), lambda: vars(value)[name])


def _field(function: types.FunctionType, name: str) -> Place:
    return Place(f"{function.__name__}.{name}", (id(function), name), lambda: getattr(function, name))


def _partial(function: Any, args: tuple[Any, ...], keywords: dict[str, Any]) -> functools.partial[Any]:
    return functools.partial(function, *args, **keywords)


def _as_number(value: Any) -> Any:
    """A NumPy scalar is a number."""
    return value.item() if hasattr(value, "dtype") and hasattr(value, "item") else value
