"""Backends: how pure one-lane functions become batched ones. One file or folder each, one line here.

Nothing here imports an array library until arrays of it, or its name, come.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from backends import pristine  # first: it notes what is loaded after it
from backends.alone import ALONE
from backends.base import Backend, Executable, Outcome, Program, Run
from backends.contract import check_backend
from backends.errors import ArgumentError, ExtensionError, TraceError, Unsupported
from backends.renamed import renamed
from backends.stopwatch import span
from backends.types import Array

__all__ = [
    "NAMES",
    "Backend",
    "Executable",
    "Outcome",
    "Program",
    "Run",
    "TraceError",
    "Unsupported",
    "get",
    "fori_loop",
]

NAMES = {
    "fused": "backends.fused",
    "inductor": "backends.torch.inductor",
    "torch": "backends.torch",
    "numpy": "backends.numpy",
}
"""Name of a backend -> the module whose `BACKEND` it is."""

AUTO = {"cpu": ("fused", "inductor", "torch"), "cuda": ("fused", "inductor", "torch")}
"""Kind of device -> the backends that `"auto"` asks in turn; `"torch"` elsewhere."""


_LOADED: dict[str, Backend] = {}  # a plain dict: torch.compile traces a look-up, not a cache or an import


def get(name: str) -> Backend:
    """The backend of that name, checked when it is first asked for.

    Raises:
        ArgumentError: an unknown name, with the names there are.
        ExtensionError: a line of `NAMES` that leads to no backend, or to one that does not keep its contract.

    >>> get("numpy").name
    'numpy'
    """
    if name not in NAMES:
        raise ArgumentError(f"backend: got {name!r}; expected one of {', '.join(map(repr, ('auto', *NAMES)))}")
    if name not in _LOADED:
        with ALONE, span("import"):
            _LOADED[name] = check_backend(name, _module(name).BACKEND)
    return _LOADED[name]


def _module(name: str) -> Any:
    """The module that a line of `NAMES` names. Raises ExtensionError where it is not there, or has no `BACKEND`."""
    module = NAMES[name]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if not f"{module}.".startswith(f"{error.name}."):
            raise  # the module is there, and misses another
        raise ExtensionError(
            f"backend {name!r}: NAMES gives {module!r}, which is not there; expected a module: correct the line"
        ) from error
    if not hasattr(found, "BACKEND"):
        raise ExtensionError(f"backend {name!r}: the module {module!r} has no BACKEND; expected an object: add BACKEND = ...")
    return found


def fori_loop(step: Callable[..., tuple[Any, ...]], count: int, *state: Array) -> tuple[Array, ...]:
    """step(step(... step(*state))): a step on its own results, `count` times. A compiled backend makes it a loop.

    Args:
        step: pure, from the state to a tuple of as many arrays of the same shapes and dtypes, any they are. It sees a lane
            by its state alone; a captured array of the lane would be frozen in.
        count: fixed; 0 gives the state as it came.
        state: one array or more, of one library.

    Raises:
        IndexError: no state.

    >>> import numpy as np
    >>> fori_loop(lambda a, b: (b, a + b), 5, np.array(0.0), np.array(1.0))[0].tolist()
    5.0
    """
    if type(state[0]).__module__.partition(".")[0] == "torch":
        found: tuple[Array, ...] = importlib.import_module("backends.torch.fori_loop").fori_loop(step, count, state)
        return found
    for _ in range(count):
        state = step(*state)
    return state


pristine.note(sys.modules[__name__])


if not TYPE_CHECKING:  # to a type checker it would be every name

    def __getattr__(name: str) -> Any:
        """`fori_loop`, by its name before version 0.2."""
        if name == "repeat":
            renamed("backends.repeat", "backends.fori_loop")
            return fori_loop
        raise AttributeError(f"module 'backends' has no attribute {name!r}")
