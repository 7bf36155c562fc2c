"""One rounding for a lane wherever it stands: torch's CPU kernels take some functions two ways.

A contiguous array goes through vector code, its last few elements (and the last few of each thread's part)
through scalar code, and for functions such as cosh or a power the two round differently: a lane would change
with its place in the batch. On strided operands the scalar code is always taken, so these operations get them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from backends.torch.recorder import RecordedGraph

# correctly rounded, or the same library call for every element of an array
EVEN = frozenset(
    "abs acos add asin atan bitwise_and bitwise_not bitwise_or bitwise_xor ceil clamp clamp_max clamp_min clone copy "
    "cos div eq erf erfc exp expm1 fill floor fmax fmin ge gt isinf isnan isfinite le log log10 log1p log2 logical_and "
    "logical_not logical_or logical_xor lt masked_fill maximum minimum mul ne neg reciprocal relu round rsqrt rsub sgn "
    "sign signbit sin sqrt square sub tan tanh threshold trunc where _to_copy tril triu".split()
)
EVEN_POWERS = (-2, -1, -0.5, 0.5, 1, 2, 3)


def make_batch_invariant(graph: RecordedGraph) -> None:
    """Hand strided operands to every pointwise operation that is not known to be even."""
    for node in graph.graph.nodes:
        if torch.Tag.pointwise not in getattr(node.target, "tags", ()):
            continue
        name = node.target._schema.name.split("::")[1]
        even_power = name == "pow" and len(node.args) == 2 and node.args[1] in EVEN_POWERS
        if name not in EVEN and not even_power:
            node.target = _strided(node.target)
    graph.changed()


def _strided(operation: Any) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return operation(*(_spread(a) if isinstance(a, Tensor) else a for a in args), **kwargs)

    call.__name__ = f"uniform_{operation._schema.name.split('::')[1]}"
    return call


def _spread(a: Tensor) -> Tensor:
    """The same values, two elements apart in memory."""
    return torch.stack([a, a], dim=-1)[..., 0]
