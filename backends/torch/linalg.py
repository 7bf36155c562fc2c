"""Linear algebra inside a declared function, made safe lane by lane.

torch.linalg raises for the whole batch when one matrix is singular or not finite. A traced graph holds these
calls as ATen operations, those of derivative formulas included; each is replaced by a version that hands
LAPACK the identity where a lane is not finite, and returns NaN for that lane alone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from backends.torch.recorder import RecordedGraph


def make_safe(graph: RecordedGraph) -> RecordedGraph:
    """Replace every linear-algebra call of a one-lane graph; drop the checks that raise for all lanes."""
    for node in list(graph.graph.nodes):
        name = getattr(node.target, "__name__", "")
        if name.startswith("_linalg_check_errors"):
            graph.graph.erase_node(node)
        elif name.startswith(("linalg_", "_linalg_", "cholesky", "lu_", "triangular_solve", "linalg.")):
            node.target = _safe(node.target)
    graph.changed()
    return graph


def _safe(operation: Any) -> Callable[..., Any]:
    """The operation for one lane, without a way to raise for what the numbers are."""
    returns = [r.name for r in operation._schema.returns]

    def call(*args: Any, **kwargs: Any) -> Any:
        matrices = [a for a in args if isinstance(a, Tensor) and a.is_floating_point() and a.ndim >= 1]
        finite = torch.stack([torch.isfinite(a).all() for a in matrices]).all()
        clean = [torch.where(finite, a, _identity(a)) if any(a is m for m in matrices) else a for a in args]
        found = operation(*clean, **kwargs)
        parts = found if isinstance(found, tuple) else (found,)
        ok = finite
        for name, part in zip(returns, parts, strict=True):
            ok = ok & (part == 0).all() if name == "info" else ok
        answer = tuple(torch.where(ok, p, torch.nan) if p.is_floating_point() else p for p in parts)
        return answer if isinstance(found, tuple) else answer[0]

    call.__name__ = f"safe_{operation._schema.name.split('::')[1]}"
    return call


def _identity(a: Tensor) -> Tensor:
    if a.ndim < 2:
        return torch.ones_like(a)
    return torch.eye(a.shape[-2], a.shape[-1], dtype=a.dtype, device=a.device).expand(a.shape)
