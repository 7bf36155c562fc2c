"""ATen's sums, products, extremes, norms and matrix products in the lane IR. Needs `call`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from backends.fused.ir.graph import View
from backends.fused.lowering.call import Dim, LoweringContext, LoweringRule, Operand


def _matmul(ctx: LoweringContext, a: View, b: View) -> View:
    """mm, bmm, mv, dot: one product over leading axes."""
    left = a.at(a.index.reshape(math.prod(a.shape[:-2]), *(a.shape[-2:] if len(a.shape) > 1 else (1, a.shape[0]))))
    right = b.at(b.index.reshape(math.prod(b.shape[:-2]), *(b.shape[-2:] if len(b.shape) > 1 else (b.shape[0], 1))))
    found = ctx.graph.contract(ctx.cast(left), ctx.cast(right))
    return found.at(found.index.reshape(ctx.shape))


def _addmm(ctx: LoweringContext, bias: View, a: View, b: View, beta: Operand = 1, alpha: Operand = 1) -> View:
    product = _matmul(ctx, a, b)
    return ctx.map(
        "add", bias if beta == 1 else ctx.map("mul", bias, beta), product if alpha == 1 else ctx.map("mul", product, alpha)
    )


def _axes(a: View, dim: Dim) -> list[int]:
    if dim is None or dim == []:
        return list(range(len(a.shape)))
    return [dim] if isinstance(dim, int) else list(dim)


def _reduction(name: str) -> LoweringRule:
    def lowering(ctx: LoweringContext, a: View, dim: Dim = None, keepdim: bool = False, **_: object) -> View:
        return ctx.graph.reduce(name, ctx.cast(a), _axes(a, dim), keepdim)

    return lowering


def _mean(ctx: LoweringContext, a: View, dim: Dim = None, keepdim: bool = False, **_: object) -> View:
    axes = _axes(a, dim)
    total = ctx.graph.reduce("sum", ctx.cast(a), axes, keepdim)
    return ctx.map("div", total, math.prod(a.shape[axis] for axis in axes) if a.shape else 1)


def _truth(name: str) -> LoweringRule:
    def lowering(ctx: LoweringContext, a: View, dim: Dim = None, keepdim: bool = False) -> View:
        return ctx.graph.reduce(name, ctx.cast(a, "bool"), _axes(a, dim), keepdim)

    return lowering


def _extreme(name: str) -> LoweringRule:
    """max.dim and min.dim: values and the first index that has them; NaN wins."""

    def lowering(ctx: LoweringContext, a: View, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return ctx.graph.reduce(name, a, range(len(a.shape)))
        return [ctx.graph.reduce(name, a, [dim], keepdim), _first(ctx, a, dim, keepdim, name)]

    return lowering


def _first(ctx: LoweringContext, a: View, dim: int | None, keepdim: bool, name: str) -> View:
    """The first index along an axis at which the extreme stands."""
    if dim is None:
        a, dim = a.at(a.index.reshape(-1)), 0
    best = ctx.graph.reduce(name, a, [dim], True)
    there = ctx.graph.map("eq", a, best)
    if a.dtype.startswith("float"):
        there = ctx.graph.map("or", there, ctx.graph.map("isnan", a))
    size = a.shape[dim]
    places = np.arange(size).reshape([-1 if axis == dim % len(a.shape) else 1 for axis in range(len(a.shape))])
    chosen = ctx.graph.map("select", there, ctx.graph.const(places, "int64"), ctx.graph.const(size, "int64"))
    return ctx.graph.reduce("amin", chosen, [dim], keepdim)


def _arg(name: str) -> LoweringRule:
    return lambda ctx, a, dim=None, keepdim=False: _first(ctx, a, dim, keepdim, name)


def _cumulative(name: str) -> LoweringRule:
    def lowering(ctx: LoweringContext, a: View, dim: int, **_: object) -> View:
        rows = np.moveaxis(ctx.cast(a).index, dim, 0) if a.shape else ctx.cast(a).index[None]
        source = ctx.cast(a)
        parts: list[View] = []
        for row in rows:
            part = source.at(row[None])
            parts.append(ctx.graph.map(name, parts[-1], part) if parts else part)
        joined = ctx.graph.concat(parts, 0)
        return joined.at(np.moveaxis(joined.index, 0, dim) if a.shape else joined.index[0])

    return lowering


def _norm(ctx: LoweringContext, a: View, ord: Any = 2, dim: Dim = None, keepdim: bool = False, **_: Any) -> View:
    x, axes = ctx.cast(a), _axes(a, dim)
    if ord == 2:
        return ctx.map("sqrt", ctx.graph.reduce("sum", ctx.map("mul", x, x), axes, keepdim))
    size = ctx.map("abs", x)
    if ord in (math.inf, -math.inf):
        return ctx.graph.reduce("amax" if ord > 0 else "amin", size, axes, keepdim)
    if ord == 0:
        return ctx.graph.reduce("sum", ctx.cast(ctx.graph.map("ne", x, ctx.number(0))), axes, keepdim)
    if ord == 1:
        return ctx.graph.reduce("sum", size, axes, keepdim)
    return ctx.map("pow", ctx.graph.reduce("sum", ctx.map("pow", size, ord), axes, keepdim), 1 / ord)


def _variance(ctx: LoweringContext, a: View, dim: Dim = None, correction: Any = 1, keepdim: bool = False, **_: Any) -> list[View]:
    """The variance and the mean."""
    x, axes = ctx.cast(a), _axes(a, dim)
    count = math.prod(a.shape[axis] for axis in axes) if a.shape else 1
    mean = ctx.map("div", ctx.graph.reduce("sum", x, axes, True), count)
    off = ctx.map("sub", x, mean)
    degrees = max(0.0, count - (1 if correction is None else correction))
    spread = ctx.map("div", ctx.graph.reduce("sum", ctx.map("mul", off, off), axes, keepdim), degrees)
    return [spread, mean if keepdim else mean.at(mean.index.reshape(spread.shape))]


REDUCTIONS: dict[str, LoweringRule] = {
    "mm": _matmul, "bmm": _matmul, "mv": _matmul, "dot": _matmul, "vdot": _matmul, "addmm": _addmm, "baddbmm": _addmm,
    "sum": _reduction("sum"), "prod": _reduction("prod"), "amax": _reduction("amax"), "amin": _reduction("amin"),
    "mean": _mean, "all": _truth("all"), "any": _truth("any"), "max": _extreme("amax"), "min": _extreme("amin"),
    "argmax": _arg("amax"), "argmin": _arg("amin"), "cumsum": _cumulative("add"), "cumprod": _cumulative("mul"),
    "linalg_vector_norm": _norm, "var_mean": _variance, "var": lambda ctx, *args, **kwargs: _variance(ctx, *args, **kwargs)[0],
}  # fmt: skip
"""ATen name -> its meaning: elements along some axes joined."""
