"""Derivatives without torch.compile: torch turns its compiler off around its own internals, and to do so loads it.

Loading it takes longer than tracing a problem, and so does sympy, which torch asks whether a size is a symbol. Where they are
not loaded there is nothing to turn off and no symbol, so that stand-ins take their places, which load them when anything else
is asked of them. Needs nothing but torch.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
import warnings
from collections.abc import Callable, Iterator
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from backends.alone import ALONE

NAME = "torch._dynamo"
RULES = "torch._decomp.decompositions_for_jvp"
"""Module of torch's forward rules that are made of others: for the trace of a matrix, for normalisations. It compiles them first."""
DISABLED = "__dynamo_disable"
"""The attribute where torch keeps a function with its compiler turned off, once it has made one."""


class Mode(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """A dispatch mode that does not load the compiler: to keep it out of what a mode calls, torch would."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False


@contextlib.contextmanager
def no_dynamo() -> Iterator[None]:
    """Within it, what torch's derivatives call is taken for its own version without a compiler.

    Nothing is left behind: whoever compiles later finds torch as it was. An import of the compiler loads it, as ever.
    """
    with ALONE:
        yield from _without()


def _without() -> Iterator[None]:
    if NAME in sys.modules or "_dynamo" in torch.__dict__:
        yield
        return
    changed = [function for function in _guarded() if not hasattr(function, DISABLED)]
    for function in changed:
        setattr(function, DISABLED, function)
    torch._dynamo = _DYNAMO
    standing = [module for module in _PLAIN if sys.modules.setdefault(module.__name__, module) is module]
    try:
        yield
    finally:
        for module in standing:
            module.leave()
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


class _Plain(ModuleType):
    """A module in a world where all sizes are plain numbers: some of its functions, and the real one for all others."""

    def __init__(self, name: str, **known: object) -> None:
        super().__init__(name)
        self.__dict__.update(known)

    def leave(self) -> None:
        """Make room for the real one."""
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        for module in _PLAIN:  # the real ones want one another
            module.leave()
        with _disable_current_modes():
            return getattr(importlib.import_module(self.__name__), name)


def _holds(truth: object, *_: object, **__: object) -> bool:
    return bool(truth)


_RULES = _Plain(RULES)
_PLAIN = (
    _Plain("sympy", Basic=type("Basic", (), {})),
    _Plain(
        "torch.fx.experimental.symbolic_shapes",
        **dict.fromkeys(
            ("expect_true", "guard_or_false", "guard_or_true", "guard_size_oblivious", "statically_known_true"), _holds
        ),
        **dict.fromkeys(("has_guarding_hint", "is_nested_int"), lambda _: False),
        free_unbacked_symbols=lambda _: set(),
        guarding_hint_or_throw=lambda size: size,
        sym_and=lambda *truths: all(truths),
        sym_eq=lambda a, b: a == b,
        sym_or=lambda *truths: any(truths),
    ),
    _RULES,
)


def forward(call: Callable[[], Any]) -> Any:
    """A forward derivative; where torch misses a rule that is made of others, they are loaded, and it is taken again."""
    with ALONE:
        return _forward(call)


def _forward(call: Callable[[], Any]) -> Any:
    try:
        return call()
    except Exception as error:
        if "forward AD" not in str(error) or not isinstance(sys.modules.get(RULES, _RULES), _Plain):
            raise
    for module in _PLAIN:
        module.leave()
    with _disable_current_modes(), torch._C.DisableTorchFunction(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own internals
        importlib.import_module(RULES)
    return call()


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
