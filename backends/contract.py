"""Checks of a class that extends this project, when it is handed in: methods that are missing or take something else.

Needs `inspect` and a base class whose methods say what is expected; those marked abstract are for the class to write.
"""

from __future__ import annotations

import inspect
import types
from typing import Any

from backends.base import Backend, Executable, Outcome
from backends.errors import ExtensionError

METHODS = (types.FunctionType, staticmethod, classmethod)
"""Methods with a signature; other descriptors answer for themselves."""

LIBRARIES = ("numpy", "torch", "jax")

RESULTS = frozenset({"params", "loss", "residual", "measures", "status", "steps"})
"""Names that a program's `postprocess` gives, and an `Outcome` hands on."""


def check_backend(name: str, backend: object) -> Backend:
    """The backend of a line in `NAMES`. Raises ExtensionError naming it, what came, what was expected, a remedy."""
    who = f"backend {name!r}"
    if isinstance(backend, type):
        raise ExtensionError(f"{who}: BACKEND came as the class {backend.__name__}; expected an object of it: call it")
    if not isinstance(backend, Backend):
        raise ExtensionError(
            f"{who}: BACKEND came as {repr(backend)[:80]}; expected an object of a class that derives from "
            "backends.base.Backend: derive it"
        )
    check_methods(f"{who} ({type(backend).__name__})", backend, Backend)
    if backend.name != name:
        raise ExtensionError(f"{who}: its name came as {backend.name!r}; expected that of its line in NAMES: set name = {name!r}")
    if backend.library not in LIBRARIES:
        raise ExtensionError(
            f"{who}: its library came as {backend.library!r}; expected one of {', '.join(map(repr, LIBRARIES))}: "
            "set library to the one whose arrays it computes with"
        )
    return backend


def check_executable(name: str, executable: object) -> Executable:
    """The executable that `prepare` returned. Raises ExtensionError."""
    if not isinstance(executable, Executable):
        raise ExtensionError(
            f"backend {name!r}: prepare returned {type(executable).__name__}; expected an object of a class that derives from "
            "backends.base.Executable and has iterate(inputs, run): return one"
        )
    check_methods(f"backend {name!r} ({type(executable).__name__})", executable, Executable)
    return executable


def check_outcome(name: str, outcome: object, lanes: int) -> Outcome:
    """The outcome that `iterate` returned. Raises ExtensionError."""
    if not isinstance(outcome, Outcome):
        raise ExtensionError(
            f"backend {name!r}: iterate returned {type(outcome).__name__}; expected a backends.base.Outcome: "
            "return Outcome(results, history, lane_steps)"
        )
    if not outcome.results.keys() >= RESULTS:
        raise ExtensionError(
            f"backend {name!r}: iterate returned the results {sorted(outcome.results)}; expected {sorted(RESULTS)}: "
            "hand on what the program's postprocess gives"
        )
    came = tuple(outcome.results["status"].shape)
    if came != (lanes,):
        raise ExtensionError(
            f"backend {name!r}: iterate returned a status of shape {came} for {lanes} lanes; expected {(lanes,)}: "
            "stack the lanes' results along a leading axis"
        )
    return outcome


def check_methods(who: str, extension: object, base: type) -> None:
    """Refuse an object that lacks an abstract method of a base class, or whose methods take other arguments. Raises ExtensionError."""
    own = type(extension)
    known = {name: value for name, value in vars(base).items() if inspect.isfunction(value) and not name.startswith("_")}
    found = {name: inspect.getattr_static(own, name, None) for name in known}  # nothing is loaded that a descriptor would load
    written = {name for name in known if found[name] not in (None, known[name])}
    missing = [name for name in known if name not in written and getattr(known[name], "__isabstractmethod__", False)]
    if missing:
        calls = ", ".join(name + called(arguments(known[name])) for name in missing)
        raise ExtensionError(
            f"{who} has no {', '.join(missing)}; expected {calls}: write {'it' if len(missing) == 1 else 'them'}"
        )
    for name in sorted(written):
        expected = arguments(known[name])
        if not callable(found[name]) and not hasattr(found[name], "__get__"):
            raise ExtensionError(f"{who}: {name} is {found[name]!r}; expected a method {name}{called(expected)}: rename it")
        if isinstance(found[name], METHODS) and not takes(getattr(extension, name), expected):
            came = called(list(inspect.signature(getattr(extension, name)).parameters.values()))
            raise ExtensionError(f"{who}: {name} takes {came}; expected {name}{called(expected)}: give it these arguments")


def arguments(method: Any) -> list[inspect.Parameter]:
    """The parameters of a function of a class, but for the object itself."""
    return list(inspect.signature(method).parameters.values())[1:]


def called(expected: list[inspect.Parameter]) -> str:
    """Arguments as they are written in a call, without types.

    >>> called(arguments(Backend.load))
    '(array, dtype=None, device=None)'
    """
    words = []
    for argument in expected:
        star = "*" if argument.kind is argument.VAR_POSITIONAL else "**" if argument.kind is argument.VAR_KEYWORD else ""
        default = "" if argument.default is argument.empty else f"={argument.default!r}"
        words.append(f"{star}{argument.name}{default}")
    return f"({', '.join(words)})"


def takes(method: Any, expected: list[inspect.Parameter]) -> bool:
    """Whether a method can be called with these arguments: all of them by position, and the optional ones by name."""
    try:
        signature = inspect.signature(method)
    except ValueError:  # compiled code, which does not say what it takes
        return True
    positions = [a for a in expected if a.kind is a.POSITIONAL_OR_KEYWORD]
    optional = [a.name for a in expected if a.default is not a.empty]
    needed = sum(a.default is a.empty for a in positions)
    return _binds(signature, len(positions), []) and _binds(signature, needed, optional)


def _binds(signature: inspect.Signature, count: int, names: list[str]) -> bool:
    try:
        signature.bind(*[None] * count, **dict.fromkeys(names))
    except TypeError:
        return False
    return True
