"""The arguments of declared functions: read before anything is called, refused by name where they cannot be."""

from __future__ import annotations

import functools
import inspect
import types
from collections.abc import Iterable, Mapping

from engine.errors import DeclarationError


def parameters(function: object, owner: str, names: Iterable[str]) -> Mapping[str, inspect.Parameter]:
    """The parameters of a function that was expected to take some of these names.

    Raises TypeError naming the owner, for what is no function that returns a value, or whose parameters cannot be read.
    """
    expected = f"expected a function of {', '.join(names)}"
    if not callable(function):
        raise DeclarationError(f"{owner} came as {_short(function)}; {expected}")
    if inspect.isclass(function):
        raise DeclarationError(
            f"{owner} came as the class {_short(function)}; {expected}: give an object of it, or one of its methods"
        )
    if inspect.isgeneratorfunction(function) or inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function):
        raise DeclarationError(f"{owner} came as {_short(function)}, a generator or coroutine; {expected}: return the value")
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        raise DeclarationError(
            f"{owner} came as {_short(function)}, whose arguments cannot be read; {expected}: {wrapping(function, names)}"
        ) from None


def is_compiled(function: object) -> bool:
    """Whether a callable is no Python code, as NumPy's universal functions: its parameters have no names of the user's."""
    while isinstance(function, functools.partial):
        function = function.func
    if isinstance(function, types.FunctionType | types.MethodType):
        return False
    return not isinstance(getattr(type(function), "__call__", None), types.FunctionType)  # noqa: B004


def wrapping(function: object, names: Iterable[str]) -> str:
    """The remedy for a function that cannot be called by these names."""
    name = str(getattr(function, "__name__", ""))
    arguments = ", ".join(names)
    return f"wrap it, as lambda {arguments}: {name if name.isidentifier() else 'f'}({arguments})"


def _short(value: object) -> str:
    return repr(value)[:80]
