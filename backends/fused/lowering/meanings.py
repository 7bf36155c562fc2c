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
from backends.fused.lowering.call import Lowering

Meaning = Callable[..., Any]


def _pointwise(name: str) -> Meaning:
    return lambda c, *args, **_: c.map(name, *args)


def _compare(name: str) -> Meaning:
    def meaning(c: Lowering, a: Any, b: Any) -> View:
        common = _common(a, b)
        return c.into.map(name, c.cast(a, common), c.cast(b, common))

    return meaning


def _common(*values: Any) -> str:
    """torch's promotion: tensors with axes outrank those without, which outrank numbers, within one kind of dtype."""
    tensors = [torch.zeros(v.shape, dtype=getattr(torch, v.dtype)) if isinstance(v, View) else v for v in values]
    found = tensors[0]
    for other in tensors[1:]:
        found = torch.zeros(
            (1,) * max(getattr(found, "ndim", 0), getattr(other, "ndim", 0)), dtype=torch.result_type(found, other)
        )
    return str(found.dtype).removeprefix("torch.")


def _add(c: Lowering, a: Any, b: Any, alpha: Any = 1) -> View:
    return c.map("or" if c.dtype == "bool" else "add", a, b if alpha == 1 else c.map("mul", b, alpha))


def _sub(c: Lowering, a: Any, b: Any, alpha: Any = 1) -> View:
    return c.map("sub", a, b if alpha == 1 else c.map("mul", b, alpha))


def _mul(c: Lowering, a: Any, b: Any) -> View:
    return c.map("and" if c.dtype == "bool" else "mul", a, b)


def _div(c: Lowering, a: Any, b: Any, rounding_mode: str | None = None) -> View:
    if rounding_mode is None:
        return c.map("div", a, b)
    if not c.dtype.startswith("float"):
        return c.map({"floor": "idiv", "trunc": "tdiv"}[rounding_mode], a, b)
    if rounding_mode == "trunc":
        return c.map("trunc", c.map("div", a, b))
    return _floor_divide(c, c.cast(a), c.cast(b))


def _floor_divide(c: Lowering, a: View, b: View) -> View:
    """As Python's // of floats, and torch's: by the remainder, for the rounded quotient may have passed a whole number."""
    into, zero, one = c.into, c.number(0), c.number(1)
    rest = into.map("fmod", a, b)
    whole = into.map("div", into.map("sub", a, rest), b)
    turned = into.map("xor", into.map("lt", b, zero), into.map("lt", rest, zero))
    below = into.map("and", into.map("ne", rest, zero), turned)
    whole = into.map("select", below, into.map("sub", whole, one), whole)
    floor = into.map("floor", whole)
    near = into.map("gt", into.map("sub", whole, floor), c.number(0.5))
    floor = into.map("select", near, into.map("add", floor, one), floor)
    quotient = into.map("div", a, b)
    floor = into.map("select", into.map("ne", whole, zero), floor, into.map("copysign", zero, quotient))
    return into.map("select", into.map("eq", b, zero), quotient, floor)


def _pow(c: Lowering, a: Any, b: Any) -> View:
    known: Any = b.constant() if isinstance(b, View) else np.asarray(b)
    exponent = known.reshape(-1)[0] if known is not None and known.size == 1 else None
    if exponent is None or not isinstance(a, View):
        return c.map("pow", a, b)
    x, power = c.cast(a), float(exponent)
    if power == 0.5:
        return c.map("sqrt", x)
    if power == -0.5:
        return c.map("div", 1, c.map("sqrt", x))
    if power.is_integer() and abs(power) <= 4:
        result = c.number(1)
        for _ in range(int(abs(power))):
            result = c.map("mul", result, x)
        result = c.wide(result)
        return result if power >= 0 else c.map("div", 1, result)
    return c.map("pow", x, exponent)


def _to_copy(c: Lowering, a: View, **_: Any) -> View:
    return c.cast(a)


def _clamp(c: Lowering, a: View, low: Any = None, high: Any = None) -> View:
    found = c.cast(a)
    if low is not None:
        found = c.map("max", found, low)
    return found if high is None else c.map("min", found, high)


def _where(c: Lowering, condition: View, a: Any, b: Any) -> View:
    return c.into.map("select", c.cast(condition, "bool"), c.cast(a), c.cast(b))


def _masked_fill(c: Lowering, a: View, mask: View, value: Any) -> View:
    return _where(c, mask, value, a)


def _full(c: Lowering, value: Any) -> View:
    return c.into.const(np.full(c.shape, value, c.dtype))


def _filled(value: Any) -> Meaning:
    return lambda c, *_, **__: _full(c, value)


def _matmul(c: Lowering, a: View, b: View) -> View:
    """mm, bmm, mv, dot: one product over leading axes."""
    left = a.at(a.index.reshape(math.prod(a.shape[:-2]), *(a.shape[-2:] if len(a.shape) > 1 else (1, a.shape[0]))))
    right = b.at(b.index.reshape(math.prod(b.shape[:-2]), *(b.shape[-2:] if len(b.shape) > 1 else (b.shape[0], 1))))
    found = c.into.contract(c.cast(left), c.cast(right))
    return found.at(found.index.reshape(c.shape))


def _addmm(c: Lowering, bias: View, a: View, b: View, beta: Any = 1, alpha: Any = 1) -> View:
    product = _matmul(c, a, b)
    return c.map("add", bias if beta == 1 else c.map("mul", bias, beta), product if alpha == 1 else c.map("mul", product, alpha))


def _axes(a: View, dim: Any) -> list[int]:
    if dim is None or dim == []:
        return list(range(len(a.shape)))
    return [dim] if isinstance(dim, int) else list(dim)


def _reduction(name: str) -> Meaning:
    def meaning(c: Lowering, a: View, dim: Any = None, keepdim: bool = False, **_: Any) -> View:
        return c.into.reduce(name, c.cast(a), _axes(a, dim), keepdim)

    return meaning


def _mean(c: Lowering, a: View, dim: Any = None, keepdim: bool = False, **_: Any) -> View:
    axes = _axes(a, dim)
    total = c.into.reduce("sum", c.cast(a), axes, keepdim)
    return c.map("div", total, math.prod(a.shape[axis] for axis in axes) if a.shape else 1)


def _truth(name: str) -> Meaning:
    def meaning(c: Lowering, a: View, dim: Any = None, keepdim: bool = False) -> View:
        return c.into.reduce(name, c.cast(a, "bool"), _axes(a, dim), keepdim)

    return meaning


def _extreme(name: str, better: str) -> Meaning:
    """max.dim and min.dim: values and the first index that has them; NaN wins."""

    def meaning(c: Lowering, a: View, dim: int | None = None, keepdim: bool = False) -> Any:
        if dim is None:
            return c.into.reduce(name, a, range(len(a.shape)))
        return [c.into.reduce(name, a, [dim], keepdim), _first(c, a, dim, keepdim, name)]

    return meaning


def _first(c: Lowering, a: View, dim: int | None, keepdim: bool, name: str) -> View:
    """The first index along an axis at which the extreme stands."""
    if dim is None:
        a, dim = a.at(a.index.reshape(-1)), 0
    best = c.into.reduce(name, a, [dim], True)
    there = c.into.map("eq", a, best)
    if a.dtype.startswith("float"):
        there = c.into.map("or", there, c.into.map("isnan", a))
    size = a.shape[dim]
    places = np.arange(size).reshape([-1 if axis == dim % len(a.shape) else 1 for axis in range(len(a.shape))])
    chosen = c.into.map("select", there, c.into.const(places, "int64"), c.into.const(size, "int64"))
    return c.into.reduce("amin", chosen, [dim], keepdim)


def _arg(name: str) -> Meaning:
    return lambda c, a, dim=None, keepdim=False: _first(c, a, dim, keepdim, name)


def _cumulative(name: str) -> Meaning:
    def meaning(c: Lowering, a: View, dim: int, **_: Any) -> View:
        rows = np.moveaxis(c.cast(a).index, dim, 0) if a.shape else c.cast(a).index[None]
        source = c.cast(a)
        parts: list[View] = []
        for row in rows:
            part = source.at(row[None])
            parts.append(c.into.map(name, parts[-1], part) if parts else part)
        joined = c.into.concat(parts, 0)
        return joined.at(np.moveaxis(joined.index, 0, dim) if a.shape else joined.index[0])

    return meaning


def _norm(c: Lowering, a: View, ord: Any = 2, dim: Any = None, keepdim: bool = False, **_: Any) -> View:
    x, axes = c.cast(a), _axes(a, dim)
    if ord == 2:
        return c.map("sqrt", c.into.reduce("sum", c.map("mul", x, x), axes, keepdim))
    size = c.map("abs", x)
    if ord in (math.inf, -math.inf):
        return c.into.reduce("amax" if ord > 0 else "amin", size, axes, keepdim)
    if ord == 0:
        return c.into.reduce("sum", c.cast(c.into.map("ne", x, c.number(0))), axes, keepdim)
    if ord == 1:
        return c.into.reduce("sum", size, axes, keepdim)
    return c.map("pow", c.into.reduce("sum", c.map("pow", size, ord), axes, keepdim), 1 / ord)


def _picked(c: Lowering, a: View, dim: int, which: View) -> View:
    """index_select by an index that each lane has of its own."""
    table = np.moveaxis(a.index, dim, -1)
    rest = table.shape[:-1]
    picked = c.into.pick(
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


def _from_front(c: Lowering, which: View, size: int) -> View:
    """Indices without negative ones, which count from the end."""
    ahead = c.into.map("add", which, c.into.const(size, which.dtype))
    return c.into.map("select", c.into.map("lt", which, c.into.const(0, which.dtype)), ahead, which)


def _index(c: Lowering, a: View, indices: list[Any]) -> View:
    axis = _one_index(indices)
    found = _picked(c, a, axis, _from_front(c, indices[axis], a.shape[axis]))
    return found.at(found.index.reshape(c.shape))


def _gather(c: Lowering, a: View, dim: int, which: View, **_: Any) -> View:
    rows = np.moveaxis(a.index, dim, -1)[tuple(slice(0, s) for s in np.moveaxis(which.index, dim, -1).shape[:-1])]
    index = np.moveaxis(which.index, dim, -1)
    picked = c.into.pick(a.at(np.broadcast_to(rows[..., None, :], (*index.shape, a.shape[dim]))), which.at(index))
    return picked.at(np.moveaxis(picked.index, -1, dim))


def _index_put(c: Lowering, a: View, indices: list[Any], values: View, accumulate: bool = False, *_: Any) -> View:
    """Add values at constant places: each element sums what lands on it."""
    if not accumulate:
        raise NotImplementedError("writing over places that depend on a lane's numbers")
    if any(i is not None and i.node.value is None for i in indices):
        return _added_at(c, a, indices, values)
    places = torch.arange(math.prod(a.shape)).reshape(a.shape)
    known = [None if i is None else torch.from_numpy(np.ascontiguousarray(i.constant())).reshape(i.shape) for i in indices]
    landed = torch.ops.aten.index.Tensor(places, known).numpy()
    flat = np.broadcast_to(values.index, landed.shape).reshape(-1)
    lists: list[list[int]] = [[] for _ in range(places.numel())]
    for place, source in zip(landed.reshape(-1), flat, strict=True):
        lists[int(place)].append(int(source))
    most = max(map(len, lists), default=0)
    joined = c.into.concat([c.into.const(np.zeros(1), c.dtype), values.at(np.arange(values.node.size))], 0)
    table = np.array([[joined.index[1 + s] for s in row] + [joined.index[0]] * (most - len(row)) for row in lists])
    total = c.into.reduce("sum", joined.at(table), [1])
    return c.map("add", a, total.at(total.index.reshape(a.shape)))


def _added_at(c: Lowering, a: View, indices: list[Any], values: View) -> View:
    """Add values at places that are a lane's own numbers: each element sums those that name it."""
    axis = _one_index(indices)
    which, size = _from_front(c, indices[axis], a.shape[axis]), a.shape[axis]
    if len(which.shape) != 1:
        raise NotImplementedError("writing at places that several axes of a lane's numbers name")
    shape = (*a.shape[:axis], len(which.index), *a.shape[axis + 1 :])
    rows = np.moveaxis(np.broadcast_to(values.index, shape), axis, -1)[..., None, :]
    named = c.into.map("eq", which.at(which.index[None, :]), c.into.const(np.arange(size)[:, None], which.dtype))
    landed = c.into.map("select", named, values.at(rows), c.number(0, values.dtype))
    total = c.into.reduce("sum", landed, [-1])
    return c.map("add", a, total.at(np.moveaxis(total.index, -1, axis)))


def _scatter(c: Lowering, a: View, dim: int, which: View, value: Any, **_: Any) -> View:
    """Written one after the other: the last that names a place stays."""
    return _landed(c, a, dim, which, value, lambda old, new: new)


def _scatter_add(c: Lowering, a: View, dim: int, which: View, value: View) -> View:
    return _landed(c, a, dim, which, value, lambda old, new: c.map("add", old, new))


def _landed(c: Lowering, a: View, dim: int, which: View, value: Any, join: Callable[[View, View], View]) -> View:
    """Values joined to the places along an axis that an index, a lane's own numbers or known, names."""
    if not a.shape:
        return join(a, c.cast(value))
    source = c.cast(value)
    index = np.moveaxis(which.index, dim, 0)
    given = np.broadcast_to(source.index, which.shape) if not source.shape else source.index[tuple(map(slice, which.shape))]
    given = np.moveaxis(given, dim, 0)
    rows = [a.at(row) for row in np.moveaxis(a.index, dim, 0)]
    if index.shape[1:] != rows[0].shape:
        raise NotImplementedError("an index that is shorter than the array along another axis")
    for k in range(len(index)):
        for place, row in enumerate(rows):
            here = c.into.map("eq", which.at(index[k]), c.into.const(place, which.dtype))
            rows[place] = c.into.map("select", here, join(row, source.at(given[k])), row)
    joined = c.into.concat([row.at(row.index[None]) for row in rows], 0)
    return joined.at(np.moveaxis(joined.index, 0, dim))


def _fill(c: Lowering, a: View, value: Any) -> View:
    return c.wide(c.cast(value))


def _sigmoid(c: Lowering, a: View) -> View:
    return c.map("div", 1, c.map("add", 1, c.map("exp", c.map("neg", a))))


def _lerp(c: Lowering, a: View, b: View, weight: Any) -> View:
    """torch's two branches, which meet at weight 1/2."""
    w, difference = c.cast(weight), c.map("sub", b, a)
    near = c.map("add", a, c.map("mul", w, difference))
    far = c.map("sub", b, c.map("mul", difference, c.map("sub", 1, w)))
    small = c.into.map("lt", c.map("abs", w), c.number(0.5))
    return c.into.map("select", small, near, far)


def _isinf(c: Lowering, a: View) -> View:
    return c.into.map("eq", c.into.map("abs", a), c.number(math.inf, a.dtype))


def _polygamma(c: Lowering, order: int, a: View) -> View:
    if order == 0:
        return c.map("digamma", a)
    if order > 3:
        raise NotImplementedError(f"polygamma of order {order}, more than 3")
    return c.map(f"polygamma{order}", a)


def _round(c: Lowering, a: View, decimals: int = 0) -> View:
    scale = float(10 ** abs(decimals))
    if decimals >= 0:
        return c.map("div", c.map("round", c.map("mul", a, scale)), scale)
    return c.map("mul", c.map("round", c.map("div", a, scale)), scale)


def _variance(c: Lowering, a: View, dim: Any = None, correction: Any = 1, keepdim: bool = False, **_: Any) -> list[View]:
    """The variance and the mean."""
    x, axes = c.cast(a), _axes(a, dim)
    count = math.prod(a.shape[axis] for axis in axes) if a.shape else 1
    mean = c.map("div", c.into.reduce("sum", x, axes, True), count)
    off = c.map("sub", x, mean)
    degrees = max(0.0, count - (1 if correction is None else correction))
    spread = c.map("div", c.into.reduce("sum", c.map("mul", off, off), axes, keepdim), degrees)
    return [spread, mean if keepdim else mean.at(mean.index.reshape(spread.shape))]


def _pad(c: Lowering, a: View, pad: list[int], value: Any = 0) -> View:
    inside, place = np.zeros(c.shape, bool), np.zeros(c.shape, np.intp)
    cut: list[Any] = [slice(None)] * len(a.shape)
    own = list(cut)
    for k in range(len(pad) // 2):
        axis, before, after = len(a.shape) - 1 - k, pad[2 * k], pad[2 * k + 1]
        cut[axis] = slice(max(before, 0), c.shape[axis] - max(after, 0))
        own[axis] = slice(max(-before, 0), a.shape[axis] - max(-after, 0))
    inside[tuple(cut)], place[tuple(cut)] = True, a.index[tuple(own)]
    return c.into.map("select", c.into.const(inside), a.at(place), c.number(value))


def _logical(name: str) -> Meaning:
    return lambda c, *args: c.into.map(name, *(c.cast(a, "bool") for a in args))


def _sign(c: Lowering, a: View) -> View:
    return c.map("sign", a)


def _unary_of_float(name: str) -> Meaning:
    return lambda c, a: c.into.map(name, a)


MEANINGS: dict[str, Meaning] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "true_divide": _div, "divide": _div, "multiply": _mul, "subtract": _sub,
    "rsub": lambda c, a, b, alpha=1: _sub(c, b, a, alpha),
    "pow": _pow, "square": lambda c, a: c.map("mul", a, a), "reciprocal": lambda c, a: c.map("div", 1, a),
    "rsqrt": lambda c, a: c.map("div", 1, c.map("sqrt", a)), "sigmoid": _sigmoid,
    "relu": lambda c, a: c.map("max", a, 0), "lerp": _lerp,
    "clamp": _clamp, "clamp_min": _clamp, "clamp_max": lambda c, a, high: _clamp(c, a, None, high), "clip": _clamp,
    "where": _where, "masked_fill": _masked_fill, "fill": _fill, "_to_copy": _to_copy, "to": _to_copy,
    "full": lambda c, size, value, **_: _full(c, value), "full_like": lambda c, a, value, **_: _full(c, value),
    "new_full": lambda c, a, size, value, **_: _full(c, value),
    "zeros": _filled(0), "zeros_like": _filled(0), "new_zeros": _filled(0), "ones": _filled(1), "ones_like": _filled(1),
    "_new_zeros_with_same_feature_meta": _filled(0),
    "new_ones": _filled(1), "empty_like": _filled(0), "new_empty": _filled(0), "empty": _filled(0),
    "scalar_tensor": lambda c, value, **_: _full(c, value),
    "mm": _matmul, "bmm": _matmul, "mv": _matmul, "dot": _matmul, "vdot": _matmul, "addmm": _addmm, "baddbmm": _addmm,
    "sum": _reduction("sum"), "prod": _reduction("prod"), "amax": _reduction("amax"), "amin": _reduction("amin"),
    "mean": _mean, "all": _truth("all"), "any": _truth("any"), "max": _extreme("amax", "gt"), "min": _extreme("amin", "lt"),
    "argmax": _arg("amax"), "argmin": _arg("amin"), "cumsum": _cumulative("add"), "cumprod": _cumulative("mul"),
    "linalg_vector_norm": _norm, "scatter": _scatter, "scatter_add": _scatter_add,
    "index_select": _picked, "index": _index, "_unsafe_index": _index, "gather": _gather, "index_put": _index_put,
    "_unsafe_index_put": _index_put,
    "isnan": _unary_of_float("isnan"), "isfinite": _unary_of_float("isfinite"), "isinf": _isinf,
    "sign": _sign, "sgn": _sign,
    "frexp": lambda c, a: [c.into.map("mantissa", a), c.into.map("exponent", a, dtype="int32")],
    "maximum": _pointwise("max"), "minimum": _pointwise("min"),
}  # fmt: skip
MEANINGS |= {f"logical_{name}": _logical(name) for name in ("and", "or", "xor", "not")}
MEANINGS |= {f"bitwise_{name}": _pointwise(name) for name in ("and", "or", "xor", "not")}
MEANINGS |= {name: _compare(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
MEANINGS |= {
    name: _pointwise(name)
    for name in (
        "neg abs sqrt floor ceil trunc round exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh asin acos atan "
        "asinh acosh atanh erf erfc lgamma fmax fmin atan2 hypot fmod remainder copysign"
    ).split()
}

MEANINGS |= {
    "digamma": _pointwise("digamma"),
    "polygamma": _polygamma,
    "erfinv": _pointwise("erfinv"),
    "erf_inv": _pointwise("erfinv"),
    "special_erfcx": _pointwise("erfcx"),
    "round": _round,
    "constant_pad_nd": _pad,
    "var_mean": _variance,
}
MEANINGS |= {
    "var": lambda c, *args, **kwargs: _variance(c, *args, **kwargs)[0],
    "copy": lambda c, a, source, *_: c.wide(c.cast(source)),
    "signbit": lambda c, a: c.into.map("lt", c.into.map("copysign", c.number(1, a.dtype), a), c.number(0, a.dtype)),
}
MEANINGS |= {"erfcx": _pointwise("erfcx")}
MEANINGS |= ordering.ORDERED
MEANINGS["_linalg_check_errors"] = lambda c, *_, **__: None  # raises for all lanes; the results tell lane by lane


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
    """What the edges were copied to is added to them, axis by axis from the last."""
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
