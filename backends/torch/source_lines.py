"""While a function is traced: write into each node of the graph which line of the user's code it comes from.

What a call of the user's code does, its forward-mode derivatives among it, carries that call's line. Reverse mode runs
later, from no line of the user's: torch's record of each call then carries it. Needs torch alone. It costs time, so a
trace is repeated with it only when a line is wanted.
"""

from __future__ import annotations

import linecache
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import torch
import torch.fx.traceback as marks
from torch import Tensor
from torch.fx.node import Node
from torch.overrides import TorchFunctionMode

from backends.tree import leaves

LIBRARIES = ("torch", "backends", "engine", "array_api_compat", "einops", "numpy", "contextlib", "functools")
"""Modules whose lines are not the user's."""

KEY = "stack_trace"
"""Key under which torch's tracer keeps a node's line while marks are preserved."""


class Lines(TorchFunctionMode):
    """Names the line of every call that is traced inside; `here` is the code object at which the user's code begins."""

    def __init__(self, here: Any) -> None:
        super().__init__()
        self.here = here

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        line = _line(sys._getframe(1), self.here)
        with _marked(line):
            result = func(*args, **(kwargs or {}))
        for tensor in leaves(list(result) if isinstance(result, tuple | list) else [result]):
            if line and isinstance(tensor, Tensor):
                _mark_derivatives(tensor, line)
        return result


@contextmanager
def with_source_lines(here: Any) -> Iterator[None]:
    """Nodes of graphs that are traced inside carry lines, for `line_of`."""
    with marks.preserve_node_meta(), Lines(here):
        yield


def line_of(node: Node) -> str:
    """The line of a node, or of the nearest of those that it is computed from; empty where none has one."""
    near, seen = [node], {node}
    for one in near:  # grows while it is read: nearest first
        if KEY in one.meta:
            return str(one.meta[KEY])
        near += [before for before in one.all_input_nodes if before not in seen]
        seen.update(one.all_input_nodes)
    return ""


@contextmanager
def _marked(line: str) -> Iterator[None]:
    """Nodes made inside carry a line; a call inside a call keeps the inner one's."""
    meta = marks.current_meta
    before = meta.get(KEY, "")
    _set(line or before)
    try:
        yield
    finally:
        _set(before)


def _set(line: str) -> None:
    if line:
        marks.current_meta[KEY] = line
    else:
        marks.current_meta.pop(KEY, None)


def _mark_derivatives(tensor: Tensor, line: str) -> None:
    """Reverse mode's part of a call, at each level of nested derivatives."""
    level: Tensor | None = tensor
    while level is not None:
        near = [level.grad_fn]
        for function in near:
            if function is None:
                continue
            metadata: dict[str, Any] = function.metadata  # type: ignore[assignment]  # a property, says torch's code
            if KEY in metadata:
                continue
            metadata[KEY] = line
            function.register_prehook(lambda _: _set(line))
            function.register_hook(lambda *_: _set(""))
            near += [before for before, _ in function.next_functions]
        wrapped = torch._C._functorch.is_functorch_wrapped_tensor(level)
        level = torch._C._functorch.get_unwrapped(level) if wrapped else None


def _line(frame: FrameType | None, here: Any) -> str:
    """The innermost line of the stack that is the user's."""
    while frame is not None and frame.f_code is not here:
        if str(frame.f_globals.get("__name__", "")).split(".")[0] not in LIBRARIES:
            path, number = frame.f_code.co_filename, frame.f_lineno
            own = os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path
            return f"{own}:{number}: {linecache.getline(path, number).strip()}".removesuffix(": ")
        frame = frame.f_back
    return ""
