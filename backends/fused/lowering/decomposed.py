"""ATen operations as torch functions of others, traced and lowered in their place. Needs torch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from backends.fused.lowering import linalg


def _shrink_backward(g: torch.Tensor, x: torch.Tensor, lambd: float) -> torch.Tensor:
    return torch.where(x.abs() <= lambd, 0.0, g)


def _glu_jvp(y: torch.Tensor, x: torch.Tensor, dx: torch.Tensor, dim: int) -> torch.Tensor:
    (_, b), (da, db) = x.chunk(2, dim), dx.chunk(2, dim)
    gate = torch.sigmoid(b)
    return da * gate + y * (1 - gate) * db


def _glu_backward_jvp(
    _: torch.Tensor, g: torch.Tensor, x: torch.Tensor, dg: torch.Tensor, dx: torch.Tensor, dim: int
) -> torch.Tensor:
    (a, b), (da, db) = x.chunk(2, dim), dx.chunk(2, dim)
    gate = torch.sigmoid(b)
    slope = gate * (1 - gate)
    bent = slope * (1 - 2 * gate)
    return torch.cat([dg * gate + g * slope * db, dg * a * slope + g * (da * slope + a * bent * db)], dim)


def _trilinear(
    a: torch.Tensor, b: torch.Tensor, c: torch.Tensor, more_a: list[int], more_b: list[int], more_c: list[int],
    gone: list[int], unroll: int = 1,
) -> torch.Tensor:  # fmt: skip
    """The sum over some axes of a product of three arrays, each with axes put in."""
    wide = []
    for x, axes in ((a, more_a), (b, more_b), (c, more_c)):
        for axis in axes:
            x = x.unsqueeze(axis)
        wide.append(x)
    return (wide[0] * wide[1] * wide[2]).sum(gone) if gone else wide[0] * wide[1] * wide[2]


def _replication_pad_backward(g: torch.Tensor, x: torch.Tensor, padding: list[int]) -> torch.Tensor:
    """Gradients of copied edges are added to them, axis by axis from the last."""
    for k in range(len(padding) // 2):
        axis, size = -1 - k, x.shape[-1 - k]
        source = torch.arange(-padding[2 * k], size + padding[2 * k + 1]).clamp(0, size - 1)
        shape = [*g.shape[:axis], size, *g.shape[g.ndim + axis + 1 :]]
        g = g.new_zeros(shape).index_add(axis, source, g)
    return g


DECOMPOSED: dict[str, Callable[..., Any]] = linalg.OPERATIONS | {
    "softshrink_backward": _shrink_backward,
    "hardshrink_backward": _shrink_backward,
    **{f"replication_pad{n}d_backward": _replication_pad_backward for n in (1, 2, 3)},
    "glu_jvp": _glu_jvp,
    "glu_backward_jvp": _glu_backward_jvp,
    "_trilinear": _trilinear,
    "addbmm": lambda bias, a, b, *, beta=1, alpha=1: beta * bias + alpha * torch.bmm(a, b).sum(0),
}
"""Operations written as a torch function of others, traced and lowered in their place."""
