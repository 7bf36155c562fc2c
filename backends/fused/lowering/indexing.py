"""ATen's reads and writes at indices that each lane has of its own, in the lane IR. Needs `call`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends.fused.ir.graph import View
from backends.fused.lowering.call import LoweringContext, LoweringRule, Operand


def _picked(ctx: LoweringContext, a: View, dim: int, which: View) -> View:
    """index_select by an index that each lane has of its own."""
    table = np.moveaxis(a.index, dim, -1)
    rest = table.shape[:-1]
    picked = ctx.graph.take_along(
        a.at(np.broadcast_to(table[..., None, :], (*rest, which.index.size, a.shape[dim]))),
        which.at(np.broadcast_to(which.index.reshape(-1), (*rest, which.index.size))),
    )
    return picked.at(np.moveaxis(picked.index, -1, dim))


def _one_index(indices: list[Any]) -> int:
    """The only axis that is indexed."""
    places = [k for k, i in enumerate(indices) if i is not None]
    if len(places) != 1 or indices[places[0]].dtype == "bool":
        raise NotImplementedError("indexing along several axes, or by a mask, with numbers of a lane")
    return places[0]


def _from_front(ctx: LoweringContext, which: View, size: int) -> View:
    """Indices without negative ones, which count from the end."""
    ahead = ctx.graph.map("add", which, ctx.graph.const(size, which.dtype))
    return ctx.graph.map("select", ctx.graph.map("lt", which, ctx.graph.const(0, which.dtype)), ahead, which)


def _index(ctx: LoweringContext, a: View, indices: list[Any]) -> View:
    axis = _one_index(indices)
    found = _picked(ctx, a, axis, _from_front(ctx, indices[axis], a.shape[axis]))
    return found.at(found.index.reshape(ctx.shape))


def _gather(ctx: LoweringContext, a: View, dim: int, which: View, **_: object) -> View:
    rows = np.moveaxis(a.index, dim, -1)[tuple(slice(0, s) for s in np.moveaxis(which.index, dim, -1).shape[:-1])]
    index = np.moveaxis(which.index, dim, -1)
    picked = ctx.graph.take_along(a.at(np.broadcast_to(rows[..., None, :], (*index.shape, a.shape[dim]))), which.at(index))
    return picked.at(np.moveaxis(picked.index, -1, dim))


def _index_put(ctx: LoweringContext, a: View, indices: list[Any], values: View, accumulate: bool = False, *_: object) -> View:
    """Add values at constant places: each element sums what lands on it."""
    if not accumulate:
        raise NotImplementedError("writing over places that depend on a lane's numbers")
    if any(i is not None and i.node.value is None for i in indices):
        return _added_at(ctx, a, indices, values)
    places = torch.arange(math.prod(a.shape)).reshape(a.shape)
    known = [None if i is None else torch.from_numpy(np.ascontiguousarray(i.constant())).reshape(i.shape) for i in indices]
    landed = torch.ops.aten.index.Tensor(places, known).numpy()
    flat = np.broadcast_to(values.index, landed.shape).reshape(-1)
    lists: list[list[int]] = [[] for _ in range(places.numel())]
    for place, source in zip(landed.reshape(-1), flat, strict=True):
        lists[int(place)].append(int(source))
    most = max(map(len, lists), default=0)
    joined = ctx.graph.concat([ctx.graph.const(np.zeros(1), ctx.dtype), values.at(np.arange(values.node.size))], 0)
    table = np.array([[joined.index[1 + s] for s in row] + [joined.index[0]] * (most - len(row)) for row in lists])
    total = ctx.graph.reduce("sum", joined.at(table), [1])
    return ctx.map("add", a, total.at(total.index.reshape(a.shape)))


def _added_at(ctx: LoweringContext, a: View, indices: list[Any], values: View) -> View:
    """Add values at places that are a lane's own numbers: each element sums those that name it."""
    axis = _one_index(indices)
    which, size = _from_front(ctx, indices[axis], a.shape[axis]), a.shape[axis]
    if len(which.shape) != 1:
        raise NotImplementedError("writing at places that several axes of a lane's numbers name")
    shape = (*a.shape[:axis], len(which.index), *a.shape[axis + 1 :])
    rows = np.moveaxis(np.broadcast_to(values.index, shape), axis, -1)[..., None, :]
    named = ctx.graph.map("eq", which.at(which.index[None, :]), ctx.graph.const(np.arange(size)[:, None], which.dtype))
    landed = ctx.graph.map("select", named, values.at(rows), ctx.number(0, values.dtype))
    total = ctx.graph.reduce("sum", landed, [-1])
    return ctx.map("add", a, total.at(np.moveaxis(total.index, -1, axis)))


def _scatter(ctx: LoweringContext, a: View, dim: int, which: View, value: Operand, **_: object) -> View:
    """Written one after the other: the last that names a place stays."""
    return _landed(ctx, a, dim, which, value, lambda old, new: new)


def _scatter_add(ctx: LoweringContext, a: View, dim: int, which: View, value: View) -> View:
    return _landed(ctx, a, dim, which, value, lambda old, new: ctx.map("add", old, new))


def _landed(ctx: LoweringContext, a: View, dim: int, which: View, value: Operand, join: Callable[[View, View], View]) -> View:
    """Values joined to the places along an axis that an index, a lane's own numbers or known, names."""
    if not a.shape:
        return join(a, ctx.cast(value))
    source = ctx.cast(value)
    index = np.moveaxis(which.index, dim, 0)
    given = np.broadcast_to(source.index, which.shape) if not source.shape else source.index[tuple(map(slice, which.shape))]
    given = np.moveaxis(given, dim, 0)
    rows = [a.at(row) for row in np.moveaxis(a.index, dim, 0)]
    if index.shape[1:] != rows[0].shape:
        raise NotImplementedError("an index that is shorter than the array along another axis")
    for k in range(len(index)):
        for place, row in enumerate(rows):
            here = ctx.graph.map("eq", which.at(index[k]), ctx.graph.const(place, which.dtype))
            rows[place] = ctx.graph.map("select", here, join(row, source.at(given[k])), row)
    joined = ctx.graph.concat([row.at(row.index[None]) for row in rows], 0)
    return joined.at(np.moveaxis(joined.index, 0, dim))


def _pad(ctx: LoweringContext, a: View, pad: list[int], value: Operand = 0) -> View:
    inside, place = np.zeros(ctx.shape, bool), np.zeros(ctx.shape, np.intp)
    cut: list[Any] = [slice(None)] * len(a.shape)
    own = list(cut)
    for k in range(len(pad) // 2):
        axis, before, after = len(a.shape) - 1 - k, pad[2 * k], pad[2 * k + 1]
        cut[axis] = slice(max(before, 0), ctx.shape[axis] - max(after, 0))
        own[axis] = slice(max(-before, 0), a.shape[axis] - max(-after, 0))
    inside[tuple(cut)], place[tuple(cut)] = True, a.index[tuple(own)]
    return ctx.graph.map("select", ctx.graph.const(inside), a.at(place), ctx.number(value))


INDEXING: dict[str, LoweringRule] = {
    "index_select": _picked, "index": _index, "_unsafe_index": _index, "gather": _gather, "index_put": _index_put,
    "_unsafe_index_put": _index_put, "scatter": _scatter, "scatter_add": _scatter_add, "constant_pad_nd": _pad,
}  # fmt: skip
"""ATen name -> its meaning: places that are data."""
