"""Operations that compare a lane's own numbers along an axis, in the lane IR: sorting, ranks, running extremes.

A lane cannot branch, so each entry's rank is counted: of n entries n^2 comparisons, for small axes. Needs `ir`; `aten`
lists the entries. Values with their places come as two views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.fused.ir.graph import View
from backends.fused.lowering.call import LoweringContext


def sort(ctx: LoweringContext, a: View, *args: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> list[View]:
    """Values and indices: each entry's rank is how many come before it; NaN is the largest."""
    numbers = [v for v in args if isinstance(v, int) and not isinstance(v, bool)]
    flags = [v for v in args if isinstance(v, bool)]
    dim, descending = (numbers[0] if numbers else dim), (flags[-1] if flags else descending)
    x = a.at(np.moveaxis(a.index, dim, -1)) if a.shape else a.at(a.index[None])
    n = x.shape[-1]
    one, other = x.at(x.index[..., :, None]), x.at(x.index[..., None, :])  # rank of `one` counts the `other`s before it
    nan, nan_other = ctx.graph.map("isnan", one), ctx.graph.map("isnan", other)
    lead, tail = (other, one) if descending else (one, other)
    before = ctx.graph.map("gt", lead, tail)
    before = ctx.graph.map(
        "or",
        before,
        ctx.graph.map("and", nan_other, ctx.graph.map("not", nan))
        if descending
        else ctx.graph.map("and", nan, ctx.graph.map("not", nan_other)),
    )
    ties = ctx.graph.map("or", ctx.graph.map("eq", one, other), ctx.graph.map("and", nan, nan_other))
    earlier = ctx.graph.const(np.arange(n)[None, :] < np.arange(n)[:, None])
    before = ctx.graph.map("or", before, ctx.graph.map("and", ties, earlier))
    rank = ctx.graph.reduce("sum", ctx.graph.map("copy", before, dtype="int64"), [-1])
    at = ctx.graph.map("eq", rank.at(rank.index[..., None, :]), ctx.graph.const(np.arange(n)[:, None], "int64"))
    order = ctx.graph.reduce(
        "sum", ctx.graph.map("select", at, ctx.graph.const(np.arange(n), "int64"), ctx.graph.const(0, "int64")), [-1]
    )
    values = ctx.graph.take_along(x.at(np.broadcast_to(x.index[..., None, :], (*x.shape, n))), order)
    return [v.at(np.moveaxis(v.index, -1, dim) if a.shape else v.index[0]) for v in (values, order)]


def _argsort(ctx: LoweringContext, a: View, *args: Any, **kwargs: Any) -> View:
    return sort(ctx, a, *args, **kwargs)[1]


def _part(pair: list[View], dim: int, where: Any) -> list[View]:
    """Some of the entries along an axis, of values and places."""
    return [v.at(np.moveaxis(np.moveaxis(v.index, dim, 0)[where], 0, dim) if v.shape else v.index) for v in pair]


def _topk(ctx: LoweringContext, a: View, k: int, dim: int = -1, largest: bool = True, *_: object) -> list[View]:
    return _part(sort(ctx, a, dim=dim, descending=largest), dim, slice(0, k))


def _kept(pair: list[View], dim: int, keepdim: bool) -> list[View]:
    """One entry along an axis: the axis goes, or stays with size one."""
    return [v if keepdim or not v.shape else v.at(np.squeeze(v.index, dim)) for v in pair]


def _kthvalue(ctx: LoweringContext, a: View, k: int, dim: int = -1, keepdim: bool = False) -> list[View]:
    return _kept(_part(sort(ctx, a, dim=dim), dim, slice(k - 1, k)), dim, keepdim)


def _median(skip_nan: bool) -> Callable[..., Any]:
    """The lower one of two in the middle. NaN sorts last: it is the median where there is one, or does not count."""

    def lowering(ctx: LoweringContext, a: View, dim: int | None = None, keepdim: bool = False) -> Any:
        flat = a.at(a.index.reshape(-1)) if dim is None or not a.shape else a
        axis = 0 if dim is None or not a.shape else dim
        pair = [v.at(np.moveaxis(v.index, axis, -1)) for v in sort(ctx, flat, dim=axis)]
        n, nan = flat.shape[axis], ctx.graph.map("isnan", pair[0])
        count = ctx.graph.reduce("sum", ctx.graph.map("copy", nan, dtype="int64"), [-1])
        valid = ctx.graph.map("sub", ctx.graph.const(n, "int64"), count)
        # where all are NaN the first is as good as any: no number is below 0
        middle = ctx.graph.map("idiv", ctx.graph.map("sub", valid, ctx.graph.const(1, "int64")), ctx.graph.const(2, "int64"))
        middle = ctx.graph.map("max", middle, ctx.graph.const(0, "int64"))
        if not skip_nan:
            at = ctx.graph.const((n - 1) // 2, "int64")
            middle = ctx.graph.map("select", ctx.graph.map("eq", count, ctx.graph.const(0, "int64")), at, valid)
        found = [ctx.graph.take_along(v, middle) for v in pair]
        if dim is None:
            return found[0]
        if not a.shape:
            return [v.at(v.index.reshape(())) for v in found]
        return [v.at(np.expand_dims(v.index, dim)) for v in found] if keepdim else found

    return lowering


def _running(better: str) -> Callable[..., Any]:
    """The extreme so far and the last place that has it; NaN from the first NaN on."""

    def lowering(ctx: LoweringContext, a: View, dim: int) -> list[View]:
        rows = [a.at(row) for row in (np.moveaxis(a.index, dim, 0) if a.shape else a.index[None])]
        values, places = [rows[0]], [ctx.graph.const(np.zeros(rows[0].shape), "int64")]
        for k, row in enumerate(rows[1:], 1):
            best = values[-1]
            alive = ctx.graph.map("not", ctx.graph.map("isnan", best))
            wins = ctx.graph.map("and", alive, ctx.graph.map(better, row, best))
            wins = ctx.graph.map("or", wins, ctx.graph.map("isnan", row))
            values.append(ctx.graph.map("select", wins, row, best))
            places.append(ctx.graph.map("select", wins, ctx.graph.const(k, "int64"), places[-1]))
        return [_stacked(ctx, parts, dim, bool(a.shape)) for parts in (values, places)]

    return lowering


def _log_sum_so_far(ctx: LoweringContext, a: View, dim: int) -> View:
    """Larger + log1p(exp(smaller - larger)), one entry after the other."""
    rows = [a.at(row) for row in (np.moveaxis(a.index, dim, 0) if a.shape else a.index[None])]
    found = [rows[0]]
    for row in rows[1:]:
        low, high = ctx.graph.map("min", row, found[-1]), ctx.graph.map("max", row, found[-1])
        more = ctx.graph.map("log1p", ctx.graph.map("exp", ctx.graph.map("sub", low, high)))
        same = ctx.graph.map("and", ctx.graph.map("eq", low, high), ctx.graph.map("not", ctx.graph.map("isfinite", low)))
        found.append(ctx.graph.map("select", same, high, ctx.graph.map("add", high, more)))  # infinity less infinity is no number
    return _stacked(ctx, found, dim, bool(a.shape))


def _stacked(ctx: LoweringContext, rows: list[View], dim: int, axes: bool) -> View:
    """Rows along an axis; one row of no axes as it is."""
    if not axes:
        return rows[0]
    joined = ctx.graph.concat([row.at(row.index[None]) for row in rows], 0)
    return joined.at(np.moveaxis(joined.index, 0, dim))


ORDERED: dict[str, Callable[..., Any]] = {
    "sort": sort, "argsort": _argsort, "topk": _topk, "kthvalue": _kthvalue, "median": _median(False),
    "nanmedian": _median(True), "cummax": _running("ge"), "cummin": _running("le"), "logcumsumexp": _log_sum_so_far,
}  # fmt: skip
"""ATen name -> what it means."""
