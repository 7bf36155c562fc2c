"""Derivatives without torch.compile: torch turns its compiler off around its own internals, and to do so loads it.

Loading it takes longer than tracing a problem. Where it is not loaded there is nothing to turn off, so that a stand-in
takes its place, which loads it when anything else is asked of it. Needs nothing but torch.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Callable, Iterator
from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

NAME = "torch._dynamo"
DISABLED = "__dynamo_disable"
"""The attribute where torch keeps a function with its compiler turned off, once it has made one."""


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that does not load the compiler: to keep it out of what a mode calls, torch would."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


@contextlib.contextmanager
def lean() -> Iterator[None]:
    """Within it, what torch's derivatives call is taken for its own version without a compiler.

    Nothing is left behind: whoever compiles later finds torch as it was. An import of the compiler loads it, as ever.
    """
    if NAME in sys.modules or "_dynamo" in torch.__dict__:
        yield
        return
    changed = [function for function in _guarded() if not hasattr(function, DISABLED)]
    for function in changed:
        setattr(function, DISABLED, function)
    torch._dynamo = _DYNAMO
    try:
        yield
    finally:
        if torch.__dict__.get("_dynamo") is _DYNAMO:
            del torch._dynamo
        for function in changed:
            if getattr(function, DISABLED, None) is function:
                delattr(function, DISABLED)


class _StandIn:
    compiled_autograd = SimpleNamespace(_disable=contextlib.nullcontext)

    def __getattr__(self, name: str) -> Any:
        with _disable_current_modes():  # loading it is no part of a trace
            return getattr(importlib.import_module(NAME), name)


_DYNAMO: Any = _StandIn()


@cache
def _guarded() -> tuple[Callable[..., Any], ...]:
    """The functions behind the wrappers of `torch._compile` among those by which torch finds shapes."""
    wrapper = torch._compile._disable_dynamo(_guarded).__code__
    found: dict[int, Callable[..., Any]] = {}
    for function in vars(torch._refs).values():
        while callable(function) and hasattr(function, "__wrapped__"):
            if getattr(function, "__code__", None) is wrapper:
                guarded = dict(zip(wrapper.co_freevars, function.__closure__ or (), strict=True))["fn"].cell_contents
                found[id(guarded)] = guarded
            function = function.__wrapped__
    return tuple(found.values())
