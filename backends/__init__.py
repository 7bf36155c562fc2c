"""Backends: how pure one-lane functions become batched ones. One file or folder each, one line here.

Nothing here imports an array library until arrays of it, or its name, come.
"""

from __future__ import annotations

import importlib
from functools import cache
from typing import cast

from backends.base import Array, Backend, Executable, Outcome, Program, Run, TraceError, Unsupported

__all__ = ["NAMES", "Array", "Backend", "Executable", "Outcome", "Program", "Run", "TraceError", "Unsupported", "get"]

NAMES = {
    "fused": "backends.fused",
    "inductor": "backends.torch.inductor",
    "torch": "backends.torch",
    "numpy": "backends.numpy",
}
"""Name of a backend -> the module whose `BACKEND` it is."""

AUTO = {"cpu": ("fused", "inductor", "torch")}
"""Device -> the backends that `"auto"` asks in turn; `"torch"` elsewhere."""


@cache
def get(name: str) -> Backend:
    """The backend of that name.

    Raises ValueError for an unknown name, with the names there are.

    >>> get("numpy").name
    'numpy'
    """
    if name not in NAMES:
        raise ValueError(f"backend: got {name!r}; expected one of {', '.join(map(repr, ('auto', *NAMES)))}")
    return cast(Backend, importlib.import_module(NAMES[name]).BACKEND)
