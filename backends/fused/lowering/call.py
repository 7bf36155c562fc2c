"""One call of an ATen operation, as its meaning sees it. Needs `ir` for the nodes that it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from backends.errors import ExtensionError
from backends.fused.ir.graph import Graph, View

Operand = View | float
"""An array or a Python number."""

Dim = int | list[int] | None
"""Axes by number; None: all."""

LoweringRule = Callable[..., Any]
"""The meaning of an operation: (context, its arguments, tensors as views) -> view, or a list of views."""


@dataclass(frozen=True)
class LoweringContext:
    """One call of an operation: `graph` makes nodes, `meta` is a tensor (or several) like the result."""

    graph: Graph
    meta: Any
    dtype_name: Callable[[torch.dtype], str]

    @property
    def dtype(self) -> str:
        """The dtype of the result."""
        return self.dtype_name((self.meta[0] if isinstance(self.meta, tuple | list) else self.meta).dtype)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the result."""
        return tuple((self.meta[0] if isinstance(self.meta, tuple | list) else self.meta).shape)

    def cast(self, value: View | float, dtype: str | None = None) -> View:
        """A view or number in a dtype, that of the result by default."""
        dtype = dtype or self.dtype
        if not isinstance(value, View):
            return self.graph.const(np.asarray(value, dtype))
        if value.dtype == dtype and value.node.value is None:
            return value
        if dtype == "bool" and value.dtype != "bool":
            return self.graph.map("ne", value, self.graph.const(np.zeros((), value.dtype)))
        return self.graph.map("copy", value, dtype=dtype)

    def map(self, name: str, *args: Any, dtype: str | None = None) -> View:
        """A pointwise operation in the dtype of the result, or another."""
        dtype = dtype or self.dtype
        return self.graph.map(name, *(self.cast(a, dtype) for a in args))

    def wide(self, view: View) -> View:
        """A view in the shape of the result."""
        return view.at(np.broadcast_to(view.index, self.shape))

    def number(self, value: View | float, dtype: str | None = None) -> View:
        """A constant scalar."""
        return self.graph.const(np.asarray(value, dtype or self.dtype))


def checked(operation: str, found: Any, meta: Any, dtype_name: Callable[[torch.dtype], str]) -> Any:
    """The result of an operation's entry, if it has the shape and dtype of torch's. Raises ExtensionError."""
    if meta is None or found is None:
        return found
    several = isinstance(meta, tuple | list)
    metas, views = (list(meta), found) if several else ([meta], [found])
    who = f"operation {operation}: its entry in LOWERINGS gave"
    if not isinstance(views, tuple | list) or len(views) != len(metas):
        came = f"{len(views)} results" if isinstance(views, tuple | list) else type(views).__name__
        raise ExtensionError(f"{who} {came}; expected a sequence of {len(metas)} views: return one for each result of torch's")
    for view, like in zip(views, metas, strict=True):
        if not isinstance(view, View):
            raise ExtensionError(f"{who} {type(view).__name__}; expected a View: make it with the call's map, cast or number")
        shape, dtype = tuple(like.shape), dtype_name(like.dtype)
        if view.shape != shape or view.dtype != dtype:
            raise ExtensionError(
                f"{who} {view.dtype} of shape {view.shape}; expected {dtype} of shape {shape}, as torch's: "
                "use the call's cast or wide"
            )
    return found
