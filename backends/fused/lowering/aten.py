"""What ATen operations mean in the lane IR: one entry an operation, by its name without overload. Needs `ir`.

An entry is called with a `Lowering` (where to make nodes, and what torch says of the result), then with the operation's
own arguments, tensors as views. To add an operation, add it here; if it is pointwise and new, in `ops` too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from backends.fused.ir.graph import View
from backends.fused.lowering import linalg, ordering
from backends.fused.lowering.call import Dim, LoweringContext, Operand

LoweringRule = Callable[..., Any]


def _pointwise(name: str) -> LoweringRule:
    return lambda ctx, *args, **_: ctx.map(name, *args)


def _compare(name: str) -> LoweringRule:
    def lowering(ctx: LoweringContext, a: Operand, b: Operand) -> View:
        common = _common(a, b)
        return ctx.graph.map(name, ctx.cast(a, common), ctx.cast(b, common))

    return lowering


def _common(*values: Any) -> str:
    """torch's promotion: tensors with axes outrank those without, which outrank numbers, within one kind of dtype."""
    tensors = [torch.zeros(v.shape, dtype=getattr(torch, v.dtype)) if isinstance(v, View) else v for v in values]
    found = tensors[0]
    for other in tensors[1:]:
        found = torch.zeros(
            (1,) * max(getattr(found, "ndim", 0), getattr(other, "ndim", 0)), dtype=torch.result_type(found, other)
        )
    return str(found.dtype).removeprefix("torch.")


def _add(ctx: LoweringContext, a: Operand, b: Operand, alpha: Operand = 1) -> View:
    return ctx.map("or" if ctx.dtype == "bool" else "add", a, b if alpha == 1 else ctx.map("mul", b, alpha))


def _sub(ctx: LoweringContext, a: Operand, b: Operand, alpha: Operand = 1) -> View:
    return ctx.map("sub", a, b if alpha == 1 else ctx.map("mul", b, alpha))


def _mul(ctx: LoweringContext, a: Operand, b: Operand) -> View:
    return ctx.map("and" if ctx.dtype == "bool" else "mul", a, b)


def _div(ctx: LoweringContext, a: Operand, b: Operand, rounding_mode: str | None = None) -> View:
    if rounding_mode is None:
        return ctx.map("div", a, b)
    if not ctx.dtype.startswith("float"):
        return ctx.map({"floor": "idiv", "trunc": "tdiv"}[rounding_mode], a, b)
    if rounding_mode == "trunc":
        return ctx.map("trunc", ctx.map("div", a, b))
    return _floor_divide(ctx, ctx.cast(a), ctx.cast(b))


def _floor_divide(ctx: LoweringContext, a: View, b: View) -> View:
    """As Python's // of floats, and torch's: by the remainder, for the rounded quotient may have passed a whole number."""
    graph, zero, one = ctx.graph, ctx.number(0), ctx.number(1)
    rest = graph.map("fmod", a, b)
    whole = graph.map("div", graph.map("sub", a, rest), b)
    turned = graph.map("xor", graph.map("lt", b, zero), graph.map("lt", rest, zero))
    below = graph.map("and", graph.map("ne", rest, zero), turned)
    whole = graph.map("select", below, graph.map("sub", whole, one), whole)
    floor = graph.map("floor", whole)
    near = graph.map("gt", graph.map("sub", whole, floor), ctx.number(0.5))
    floor = graph.map("select", near, graph.map("add", floor, one), floor)
    quotient = graph.map("div", a, b)
    floor = graph.map("select", graph.map("ne", whole, zero), floor, graph.map("copysign", zero, quotient))
    return graph.map("select", graph.map("eq", b, zero), quotient, floor)


def _pow(ctx: LoweringContext, a: Operand, b: Operand) -> View:
    known: Any = b.constant() if isinstance(b, View) else np.asarray(b)
    exponent = known.reshape(-1)[0] if known is not None and known.size == 1 else None
    if exponent is None or not isinstance(a, View):
        return ctx.map("pow", a, b)
    x, power = ctx.cast(a), float(exponent)
    if power == 0.5:
        return ctx.map("sqrt", x)
    if power == -0.5:
        return ctx.map("div", 1, ctx.map("sqrt", x))
    if power.is_integer() and abs(power) <= 4:
        result = ctx.number(1)
        for _ in range(int(abs(power))):
            result = ctx.map("mul", result, x)
        result = ctx.wide(result)
        return result if power >= 0 else ctx.map("div", 1, result)
    return ctx.map("pow", x, exponent)


def _to_copy(ctx: LoweringContext, a: View, **_: object) -> View:
    return ctx.cast(a)


def _clamp(ctx: LoweringContext, a: View, low: object = None, high: object = None) -> View:
    found = ctx.cast(a)
    if low is not None:
        found = ctx.map("max", found, low)
    return found if high is None else ctx.map("min", found, high)


def _where(ctx: LoweringContext, condition: View, a: Operand, b: Operand) -> View:
    return ctx.graph.map("select", ctx.cast(condition, "bool"), ctx.cast(a), ctx.cast(b))


def _masked_fill(ctx: LoweringContext, a: View, mask: View, value: Operand) -> View:
    return _where(ctx, mask, value, a)


def _full(ctx: LoweringContext, value: object) -> View:
    return ctx.graph.const(np.full(ctx.shape, value, ctx.dtype))


def _filled(value: Operand) -> LoweringRule:
    return lambda ctx, *_, **__: _full(ctx, value)


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


def _extreme(name: str, better: str) -> LoweringRule:
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


def _fill(ctx: LoweringContext, a: View, value: Operand) -> View:
    return ctx.wide(ctx.cast(value))


def _sigmoid(ctx: LoweringContext, a: View) -> View:
    return ctx.map("div", 1, ctx.map("add", 1, ctx.map("exp", ctx.map("neg", a))))


def _lerp(ctx: LoweringContext, a: View, b: View, weight: Operand) -> View:
    """torch's two branches, which meet at weight 1/2."""
    w, difference = ctx.cast(weight), ctx.map("sub", b, a)
    near = ctx.map("add", a, ctx.map("mul", w, difference))
    far = ctx.map("sub", b, ctx.map("mul", difference, ctx.map("sub", 1, w)))
    small = ctx.graph.map("lt", ctx.map("abs", w), ctx.number(0.5))
    return ctx.graph.map("select", small, near, far)


def _isinf(ctx: LoweringContext, a: View) -> View:
    return ctx.graph.map("eq", ctx.graph.map("abs", a), ctx.number(math.inf, a.dtype))


def _polygamma(ctx: LoweringContext, order: int, a: View) -> View:
    if order == 0:
        return ctx.map("digamma", a)
    if order > 3:
        raise NotImplementedError(f"polygamma of order {order}, more than 3")
    return ctx.map(f"polygamma{order}", a)


def _round(ctx: LoweringContext, a: View, decimals: int = 0) -> View:
    scale = float(10 ** abs(decimals))
    if decimals >= 0:
        return ctx.map("div", ctx.map("round", ctx.map("mul", a, scale)), scale)
    return ctx.map("mul", ctx.map("round", ctx.map("div", a, scale)), scale)


def _variance(ctx: LoweringContext, a: View, dim: Dim = None, correction: Any = 1, keepdim: bool = False, **_: Any) -> list[View]:
    """The variance and the mean."""
    x, axes = ctx.cast(a), _axes(a, dim)
    count = math.prod(a.shape[axis] for axis in axes) if a.shape else 1
    mean = ctx.map("div", ctx.graph.reduce("sum", x, axes, True), count)
    off = ctx.map("sub", x, mean)
    degrees = max(0.0, count - (1 if correction is None else correction))
    spread = ctx.map("div", ctx.graph.reduce("sum", ctx.map("mul", off, off), axes, keepdim), degrees)
    return [spread, mean if keepdim else mean.at(mean.index.reshape(spread.shape))]


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


def _logical(name: str) -> LoweringRule:
    return lambda ctx, *args: ctx.graph.map(name, *(ctx.cast(a, "bool") for a in args))


def _sign(ctx: LoweringContext, a: View) -> View:
    return ctx.map("sign", a)


def _unary_of_float(name: str) -> LoweringRule:
    return lambda ctx, a: ctx.graph.map(name, a)


LOWERINGS: dict[str, LoweringRule] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "true_divide": _div, "divide": _div, "multiply": _mul, "subtract": _sub,
    "rsub": lambda ctx, a, b, alpha=1: _sub(ctx, b, a, alpha),
    "pow": _pow, "square": lambda ctx, a: ctx.map("mul", a, a), "reciprocal": lambda ctx, a: ctx.map("div", 1, a),
    "rsqrt": lambda ctx, a: ctx.map("div", 1, ctx.map("sqrt", a)), "sigmoid": _sigmoid,
    "relu": lambda ctx, a: ctx.map("max", a, 0), "lerp": _lerp,
    "clamp": _clamp, "clamp_min": _clamp, "clamp_max": lambda ctx, a, high: _clamp(ctx, a, None, high), "clip": _clamp,
    "where": _where, "masked_fill": _masked_fill, "fill": _fill, "_to_copy": _to_copy, "to": _to_copy,
    "full": lambda ctx, size, value, **_: _full(ctx, value), "full_like": lambda ctx, a, value, **_: _full(ctx, value),
    "new_full": lambda ctx, a, size, value, **_: _full(ctx, value),
    "zeros": _filled(0), "zeros_like": _filled(0), "new_zeros": _filled(0), "ones": _filled(1), "ones_like": _filled(1),
    "_new_zeros_with_same_feature_meta": _filled(0),
    "new_ones": _filled(1), "empty_like": _filled(0), "new_empty": _filled(0), "empty": _filled(0),
    "scalar_tensor": lambda ctx, value, **_: _full(ctx, value),
    "mm": _matmul, "bmm": _matmul, "mv": _matmul, "dot": _matmul, "vdot": _matmul, "addmm": _addmm, "baddbmm": _addmm,
    "sum": _reduction("sum"), "prod": _reduction("prod"), "amax": _reduction("amax"), "amin": _reduction("amin"),
    "mean": _mean, "all": _truth("all"), "any": _truth("any"), "max": _extreme("amax", "gt"), "min": _extreme("amin", "lt"),
    "argmax": _arg("amax"), "argmin": _arg("amin"), "cumsum": _cumulative("add"), "cumprod": _cumulative("mul"),
    "linalg_vector_norm": _norm, "scatter": _scatter, "scatter_add": _scatter_add,
    "index_select": _picked, "index": _index, "_unsafe_index": _index, "gather": _gather, "index_put": _index_put,
    "_unsafe_index_put": _index_put,
    "isnan": _unary_of_float("isnan"), "isfinite": _unary_of_float("isfinite"), "isinf": _isinf,
    "sign": _sign, "sgn": _sign,
    "frexp": lambda ctx, a: [ctx.graph.map("mantissa", a), ctx.graph.map("exponent", a, dtype="int32")],
    "maximum": _pointwise("max"), "minimum": _pointwise("min"),
}  # fmt: skip
LOWERINGS |= {f"logical_{name}": _logical(name) for name in ("and", "or", "xor", "not")}
LOWERINGS |= {f"bitwise_{name}": _pointwise(name) for name in ("and", "or", "xor", "not")}
LOWERINGS |= {name: _compare(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
LOWERINGS |= {
    name: _pointwise(name)
    for name in (
        "neg abs sqrt floor ceil trunc round exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh asin acos atan "
        "asinh acosh atanh erf erfc lgamma fmax fmin atan2 hypot fmod remainder copysign"
    ).split()
}

LOWERINGS |= {
    "digamma": _pointwise("digamma"),
    "polygamma": _polygamma,
    "erfinv": _pointwise("erfinv"),
    "erf_inv": _pointwise("erfinv"),
    "special_erfcx": _pointwise("erfcx"),
    "round": _round,
    "constant_pad_nd": _pad,
    "var_mean": _variance,
}
LOWERINGS |= {
    "var": lambda ctx, *args, **kwargs: _variance(ctx, *args, **kwargs)[0],
    "copy": lambda ctx, a, source, *_: ctx.wide(ctx.cast(source)),
    "signbit": lambda ctx, a: ctx.graph.map("lt", ctx.graph.map("copysign", ctx.number(1, a.dtype), a), ctx.number(0, a.dtype)),
}
LOWERINGS |= {"erfcx": _pointwise("erfcx")}
LOWERINGS |= ordering.ORDERED
LOWERINGS["_linalg_check_errors"] = lambda ctx, *_, **__: None  # raises for all lanes; the results tell lane by lane


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
