"""What a declared function captures: arrays are inputs, read at every call; numbers and helpers are fixed.

Needs `backends.arrays` to know an array when it sees one. `freeze` takes a snapshot of a function and of the
helpers that it calls: closure cells, globals, defaults and containers of them. Arrays in it become slots:
`Frozen.arrays()` reads what they hold now, `Frozen.bind(arrays)` is the same function with others in their
place, the tracer's for instance. Attributes of a captured object are its own business.
"""

from __future__ import annotations

import functools
import sys
import sysconfig
import types
from collections.abc import Callable
from typing import Any

from backends.arrays import is_array

Reader = Callable[[], Any]
Binder = Callable[[list[Any]], Any]

_LIBRARIES = tuple({sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")})


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
        self.readers: list[Reader] = []
        self._seen: dict[int, Any] = {}
        self._slots: dict[int, int] = {}
        self._bind = self._value(function, lambda: function, declared=True)

    def arrays(self) -> list[Any]:
        """The captured arrays as they are now."""
        return [read() for read in self.readers]

    def bind(self, arrays: list[Any]) -> Callable[..., Any]:
        """The function with these arrays for the captured ones."""
        bound: Callable[..., Any] = self._bind(arrays)
        return bound

    def _value(self, value: Any, read: Reader, declared: bool = False) -> Binder:
        if is_array(value):
            return self._array(value, read)
        if isinstance(value, types.FunctionType) and (declared or not _is_library(value)):
            return self._function(value)
        if isinstance(value, functools.partial):
            parts = (value.func, value.args, value.keywords)
            bind = self._container(parts, lambda: parts)
            return lambda arrays: functools.partial(bind(arrays)[0], *bind(arrays)[1], **bind(arrays)[2])
        if isinstance(value, types.MethodType) and not _is_library(value.__func__):
            method = self._value(value.__func__, lambda: value.__func__)
            return lambda arrays: types.MethodType(method(arrays), value.__self__)
        if type(value) in (tuple, list, dict) and len(value) <= 1000:
            return self._container(value, read)
        if hasattr(value, "dtype") and hasattr(value, "item"):  # a NumPy scalar is a number
            number = value.item()
            return lambda arrays: number
        return lambda arrays: value

    def _array(self, value: Any, read: Reader) -> Binder:
        index = self._slots.setdefault(id(value), len(self.readers))
        if index == len(self.readers):
            self.readers.append(lambda: now if is_array(now := read()) else value)
        return lambda arrays: arrays[index]

    def _container(self, value: Any, read: Reader) -> Binder:
        keys = list(value) if isinstance(value, dict) else range(len(value))
        binders = [self._value(value[k], functools.partial(lambda k: read()[k], k)) for k in keys]
        if isinstance(value, dict):
            return lambda arrays: dict(zip(keys, (bind(arrays) for bind in binders), strict=True))
        kind = type(value)
        return lambda arrays: kind(bind(arrays) for bind in binders)

    def _function(self, function: types.FunctionType) -> Binder:
        """Rebuild a function on copies of the globals and cells that it uses; recursion meets its own copy."""
        if id(function) in self._seen:
            return lambda arrays: self._built[id(function)]
        self._seen[id(function)] = function
        used = _names(function.__code__) & set(function.__globals__)
        scope = {name: self._value(function.__globals__[name], _global(function, name)) for name in sorted(used)}
        cells = [self._cell(cell) for cell in function.__closure__ or ()]
        defaults = self._value(function.__defaults__, lambda: function.__defaults__)
        keywords = self._value(function.__kwdefaults__, lambda: function.__kwdefaults__)

        def build(arrays: list[Any]) -> types.FunctionType:
            names = {"__builtins__": function.__globals__.get("__builtins__", __builtins__), "__name__": function.__module__}
            closure = tuple(types.CellType() for _ in cells)
            copy = types.FunctionType(function.__code__, names, function.__name__, None, closure)
            self._built[id(function)] = copy
            names.update({name: bind(arrays) for name, bind in scope.items()})
            for cell, bind in zip(closure, cells, strict=True):
                if bind is not None:
                    cell.cell_contents = bind(arrays)
            copy.__defaults__, copy.__kwdefaults__ = defaults(arrays), keywords(arrays)
            return copy

        return build

    @functools.cached_property
    def _built(self) -> dict[int, types.FunctionType]:
        return {}

    def _cell(self, cell: types.CellType) -> Binder | None:
        try:
            value = cell.cell_contents
        except ValueError:  # not assigned yet: the function itself would raise NameError
            return None
        return self._value(value, lambda: cell.cell_contents)


def freeze(function: Callable[..., Any]) -> Frozen:
    """The snapshot of a function, made when its Problem is made."""
    return Frozen(function)


def _global(function: types.FunctionType, name: str) -> Reader:
    return lambda: function.__globals__.get(name)


def _is_library(function: Callable[..., Any]) -> bool:
    """Installed code is not user code: its globals are its own."""
    module = sys.modules.get(function.__module__ or "")
    return (getattr(module, "__file__", None) or "").startswith(_LIBRARIES)


def _names(code: types.CodeType) -> set[str]:
    """Global names that a code object and those nested in it may read."""
    nested = [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return set(code.co_names).union(*(_names(inner) for inner in nested))
