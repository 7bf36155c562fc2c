"""Checks of a solver when it is handed in. Needs `base`; `states` checks what it returns.

Everything is refused by name, with what came, what was expected and a remedy.
"""

from __future__ import annotations

import dataclasses
import enum
import types
import warnings
from functools import lru_cache
from typing import Any

from backends.arrays import library_or_none
from backends.contract import check_methods
from engine.errors import ExtensionError
from engine.solvers.base import RENAMED, Solver, numbers, said, static_key

EXAMPLE = "GradientDescent(0.1, momentum=0.9)"
PLAIN = (bool, int, float, str, types.NoneType, enum.Enum, type, types.FunctionType, types.BuiltinFunctionType)
"""Settings that cannot change, or functions, which count as pure."""


@dataclasses.dataclass(frozen=True)
class Settings:
    """A solver's settings: what is compiled, and the numbers that are not."""

    static: tuple[Any, ...]
    numbers: list[float]


def settings(solver: Solver, memory: dict[Any, Any]) -> Settings:
    """The settings of a solver, checked, and kept in a memory for the next call with the same one. Raises ExtensionError."""
    last = memory.get("settings")
    if last is None or last[0] is not solver:
        check(solver)
        last = memory["settings"] = solver, Settings(static_key(solver), numbers(solver))
    found: Settings = last[1]
    return found


def check(solver: Any) -> None:
    """Refuse an object that is no solver. Raises ExtensionError."""
    has = any(callable(getattr(solver, name, None)) for name in ("init", "step"))
    if isinstance(solver, type) or not has:
        raise ExtensionError(f"solver came as {solver!r}; expected one of engine.solvers with its settings, such as {EXAMPLE}")
    kind = type(solver)
    check_class(kind)  # type: ignore[arg-type]
    fields = dataclasses.fields(solver)
    for field in fields:
        _check_setting(f"solver {kind.__name__}: setting {field.name!r}", getattr(solver, field.name))
    if more := getattr(solver, "__dict__", {}).keys() - {field.name for field in fields}:
        raise ExtensionError(
            f"solver {kind.__name__}: {min(more)!r} is kept beside its settings; expected settings alone, as compiled code "
            "does not see it change: declare it as a field"
        )


@lru_cache(maxsize=64)
def check_class(kind: type) -> None:
    """Refuse a class that is not that of a solver. Raises ExtensionError."""
    who = f"solver {kind.__name__}"
    check_methods(who, object.__new__(kind), Solver)
    if not dataclasses.is_dataclass(kind):
        raise ExtensionError(
            f"{who} is no dataclass; expected a frozen dataclass, whose fields are its settings: "
            "write @dataclass(frozen=True) above the class"
        )
    if not _is_frozen(kind):
        raise ExtensionError(
            f"{who} is a dataclass whose settings can change; expected a frozen one, as compiled code does not see them "
            "change: write @dataclass(frozen=True)"
        )
    for name, old in RENAMED.items():
        if hasattr(kind, old):
            warnings.warn(f"{who}: {old} is now called {name}: rename it", DeprecationWarning, stacklevel=2)
    for name, least in (("CHECK_EVERY", 1), ("MAX_STEPS", 0)):
        value = said(kind, name)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            raise ExtensionError(
                f"{who}: {name} came as {value!r}; expected a whole number, {least} or more: "
                f"leave it out for {getattr(Solver, name)}"
            )
    if said(kind, "CURVATURE") not in (None, "residual", "loss"):
        raise ExtensionError(
            f"{who}: CURVATURE came as {said(kind, 'CURVATURE')!r}; expected 'residual', 'loss' or None: leave it out for None"
        )
    for name, default in (("OWN_OPTIMALITY", False), ("CERTIFIED", True)):
        if not isinstance(said(kind, name), bool):
            came = repr(said(kind, name))
            raise ExtensionError(f"{who}: {name} came as {came}; expected True or False: leave it out for {default}")


def _is_frozen(kind: Any) -> bool:
    return bool(kind.__dataclass_params__.frozen)


def _check_setting(what: str, value: Any) -> None:
    """Floats become inputs of compiled code, all else is part of it: it must not change."""
    if isinstance(value, PLAIN):
        return
    if isinstance(value, tuple):
        for entry in value:
            _check_setting(what, entry)
    elif dataclasses.is_dataclass(value) and _is_frozen(type(value)):
        for field in dataclasses.fields(value):
            _check_setting(f"{what}, its {field.name!r}", getattr(value, field.name))
    elif library_or_none(value) is not None:
        raise ExtensionError(
            f"{what} holds {type(value).__name__} numbers of an array library; expected numbers, text, True or False, "
            "or tuples of them: give float(...) or a tuple of floats, or declare it as data"
        )
    elif type(value).__hash__ is None or getattr(value, "__dict__", None):
        raise ExtensionError(
            f"{what} holds {repr(value)[:60]}, a {type(value).__name__}, which may change; expected numbers, text, True or "
            "False, or tuples of them: give a tuple, or a frozen dataclass"
        )
