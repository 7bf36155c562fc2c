"""Declared functions as bytes: what pickle refuses (lambdas, closures) is written as code, by cloudpickle.

Functions of this project go by name, all others by their code.
"""

from __future__ import annotations

import importlib
import io
import pickle
import types
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Generic, TypeVar

from backends.pristine import PACKAGES
from engine.closures import CapturedFunction
from engine.libraries import at, package

Fields = dict[str, Any]
T = TypeVar("T")


class Kept(Generic[T]):
    """A function that keeps its results, as `functools.cache` does; pickled without them.

    >>> Kept(lambda axes: len(axes))("k n")
    3
    """

    def __init__(self, function: Callable[..., T]) -> None:
        self.function = function
        self.results: dict[tuple[Any, ...], T] = {}

    def __call__(self, *key: Any) -> T:
        if key not in self.results:
            self.results[key] = self.function(*key)
        return self.results[key]

    def __reduce__(self) -> Any:
        return Kept, (self.function,)


def settled(
    fields: Mapping[str, Any], frozen: Mapping[str, CapturedFunction], taken: Callable[[Any], Any]
) -> tuple[Fields, dict[int, Any]]:
    """The fields of a Problem with each declared function as it was fixed, and `taken(arrays)` for the arrays that it captured.

    Params that share a function still do: they share one call. Also the id of each declared function -> what stands for it.
    """
    made: dict[int, Any] = {}

    def fixed(role: str) -> Any:
        function = frozen[role].function
        if id(function) not in made:
            made[id(function)] = frozen[role].rebuild(taken(frozen[role].arrays()))
        return made[id(function)]

    found = {name: dict(value) if isinstance(value, Mapping) else value for name, value in fields.items()}
    found |= {role: fixed(role) for role in ("residual", "loss", "finish") if role in frozen}
    found["measures"] = {name: fixed(f"measures.{name}") for name in fields["measures"]}
    starts = {name: fixed(f"start.{name}") for name in fields["params"] if f"start.{name}" in frozen}
    found |= {"params": {n: replace(p, start=starts[n]) if n in starts else p for n, p in fields["params"].items()}}
    return found, made


def packed(value: object, stands: Mapping[int, Any]) -> bytes:
    """A value as bytes that `pickle.loads` reads; a function whose id stands there is replaced, wherever it is captured."""
    import cloudpickle

    class Pickler(cloudpickle.Pickler):  # type: ignore[misc]
        def reducer_override(self, obj: object) -> Any:
            """A rebuilt function of this project by its name, as the one that it was made from."""
            if id(obj) in stands:
                return itself, (stands[id(obj)],)
            if isinstance(obj, types.FunctionType) and package(obj) in PACKAGES and not obj.__closure__:
                known = at(obj.__module__, obj.__qualname__)
                if known is not obj and getattr(known, "__code__", None) is obj.__code__:
                    return named, (obj.__module__, obj.__qualname__)
            return super().reducer_override(obj)

    file = io.BytesIO()
    Pickler(file, protocol=pickle.HIGHEST_PROTOCOL).dump(value)
    return file.getvalue()


def unpacked(made: Callable[..., Any], data: bytes) -> Any:
    """The object of fields that `packed` wrote."""
    return made(**pickle.loads(data))


def itself(value: T) -> T:
    """The value."""
    return value


def named(module: str, path: str) -> Any:
    """A function of this project by its name."""
    importlib.import_module(module)
    return at(module, path)
