"""What operations that compare a lane's own numbers along an axis mean in the lane IR: sorting, ranks, running extremes.

A lane cannot branch, so each entry's rank is counted: of n entries n^2 comparisons, for small axes. Needs `ir`; `meanings`
lists the entries. Values with their places come as two views.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.fused.ir.graph import View
from backends.fused.lowering.call import Lowering


def sort(c: Lowering, a: View, *args: Any, dim: int = -1, descending: bool = False, stable: bool = False) -> list[View]:
    """Values and indices: each entry's rank is how many come before it; NaN is the largest."""
    numbers = [v for v in args if isinstance(v, int) and not isinstance(v, bool)]
    flags = [v for v in args if isinstance(v, bool)]
    dim, descending = (numbers[0] if numbers else dim), (flags[-1] if flags else descending)
    x = a.at(np.moveaxis(a.index, dim, -1)) if a.shape else a.at(a.index[None])
    n = x.shape[-1]
    one, other = x.at(x.index[..., :, None]), x.at(x.index[..., None, :])  # rank of `one` counts the `other`s before it
    nan, nan_other = c.into.map("isnan", one), c.into.map("isnan", other)
    lead, tail = (other, one) if descending else (one, other)
    before = c.into.map("gt", lead, tail)
    before = c.into.map(
        "or",
        before,
        c.into.map("and", nan_other, c.into.map("not", nan))
        if descending
        else c.into.map("and", nan, c.into.map("not", nan_other)),
    )
    ties = c.into.map("or", c.into.map("eq", one, other), c.into.map("and", nan, nan_other))
    earlier = c.into.const(np.arange(n)[None, :] < np.arange(n)[:, None])
    before = c.into.map("or", before, c.into.map("and", ties, earlier))
    rank = c.into.reduce("sum", c.into.map("copy", before, dtype="int64"), [-1])
    at = c.into.map("eq", rank.at(rank.index[..., None, :]), c.into.const(np.arange(n)[:, None], "int64"))
    order = c.into.reduce("sum", c.into.map("select", at, c.into.const(np.arange(n), "int64"), c.into.const(0, "int64")), [-1])
    values = c.into.pick(x.at(np.broadcast_to(x.index[..., None, :], (*x.shape, n))), order)
    return [v.at(np.moveaxis(v.index, -1, dim) if a.shape else v.index[0]) for v in (values, order)]


def _argsort(c: Lowering, a: View, *args: Any, **kwargs: Any) -> View:
    return sort(c, a, *args, **kwargs)[1]


def _part(pair: list[View], dim: int, where: Any) -> list[View]:
    """Some of the entries along an axis, of values and places."""
    return [v.at(np.moveaxis(np.moveaxis(v.index, dim, 0)[where], 0, dim) if v.shape else v.index) for v in pair]


def _topk(c: Lowering, a: View, k: int, dim: int = -1, largest: bool = True, *_: Any) -> list[View]:
    return _part(sort(c, a, dim=dim, descending=largest), dim, slice(0, k))


def _kept(pair: list[View], dim: int, keepdim: bool) -> list[View]:
    """One entry along an axis: the axis goes, or stays with size one."""
    return [v if keepdim or not v.shape else v.at(np.squeeze(v.index, dim)) for v in pair]


def _kthvalue(c: Lowering, a: View, k: int, dim: int = -1, keepdim: bool = False) -> list[View]:
    return _kept(_part(sort(c, a, dim=dim), dim, slice(k - 1, k)), dim, keepdim)


def _median(skip_nan: bool) -> Callable[..., Any]:
    """The lower one of two in the middle. NaN sorts last: it is the median where there is one, or does not count."""

    def meaning(c: Lowering, a: View, dim: int | None = None, keepdim: bool = False) -> Any:
        flat = a.at(a.index.reshape(-1)) if dim is None or not a.shape else a
        axis = 0 if dim is None or not a.shape else dim
        pair = [v.at(np.moveaxis(v.index, axis, -1)) for v in sort(c, flat, dim=axis)]
        n, nan = flat.shape[axis], c.into.map("isnan", pair[0])
        count = c.into.reduce("sum", c.into.map("copy", nan, dtype="int64"), [-1])
        valid = c.into.map("sub", c.into.const(n, "int64"), count)
        # where all are NaN the first is as good as any: no number is below 0
        middle = c.into.map("idiv", c.into.map("sub", valid, c.into.const(1, "int64")), c.into.const(2, "int64"))
        middle = c.into.map("max", middle, c.into.const(0, "int64"))
        if not skip_nan:
            at = c.into.const((n - 1) // 2, "int64")
            middle = c.into.map("select", c.into.map("eq", count, c.into.const(0, "int64")), at, valid)
        found = [c.into.pick(v, middle) for v in pair]
        if dim is None:
            return found[0]
        if not a.shape:
            return [v.at(v.index.reshape(())) for v in found]
        return [v.at(np.expand_dims(v.index, dim)) for v in found] if keepdim else found

    return meaning


def _running(better: str) -> Callable[..., Any]:
    """The extreme so far and the last place that has it; NaN from the first NaN on."""

    def meaning(c: Lowering, a: View, dim: int) -> list[View]:
        rows = [a.at(row) for row in (np.moveaxis(a.index, dim, 0) if a.shape else a.index[None])]
        values, places = [rows[0]], [c.into.const(np.zeros(rows[0].shape), "int64")]
        for k, row in enumerate(rows[1:], 1):
            best = values[-1]
            alive = c.into.map("not", c.into.map("isnan", best))
            wins = c.into.map("and", alive, c.into.map(better, row, best))
            wins = c.into.map("or", wins, c.into.map("isnan", row))
            values.append(c.into.map("select", wins, row, best))
            places.append(c.into.map("select", wins, c.into.const(k, "int64"), places[-1]))
        return [_stacked(c, parts, dim, bool(a.shape)) for parts in (values, places)]

    return meaning


def _log_sum_so_far(c: Lowering, a: View, dim: int) -> View:
    """Larger + log1p(exp(smaller - larger)), one entry after the other."""
    rows = [a.at(row) for row in (np.moveaxis(a.index, dim, 0) if a.shape else a.index[None])]
    found = [rows[0]]
    for row in rows[1:]:
        low, high = c.into.map("min", row, found[-1]), c.into.map("max", row, found[-1])
        more = c.into.map("log1p", c.into.map("exp", c.into.map("sub", low, high)))
        same = c.into.map("and", c.into.map("eq", low, high), c.into.map("not", c.into.map("isfinite", low)))
        found.append(c.into.map("select", same, high, c.into.map("add", high, more)))  # infinity less infinity is no number
    return _stacked(c, found, dim, bool(a.shape))


def _stacked(c: Lowering, rows: list[View], dim: int, axes: bool) -> View:
    """Rows along an axis; one row of no axes as it is."""
    if not axes:
        return rows[0]
    joined = c.into.concat([row.at(row.index[None]) for row in rows], 0)
    return joined.at(np.moveaxis(joined.index, 0, dim))


ORDERED: dict[str, Callable[..., Any]] = {
    "sort": sort, "argsort": _argsort, "topk": _topk, "kthvalue": _kthvalue, "median": _median(False),
    "nanmedian": _median(True), "cummax": _running("ge"), "cummin": _running("le"), "logcumsumexp": _log_sum_so_far,
}  # fmt: skip
"""ATen name -> what it means."""
