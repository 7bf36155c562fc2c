"""Pointwise ATen operations, and constant arrays, in the lane IR. Needs `call`."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from backends.fused.ir.graph import View
from backends.fused.lowering.call import LoweringContext, LoweringRule, Operand


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


def _logical(name: str) -> LoweringRule:
    return lambda ctx, *args: ctx.graph.map(name, *(ctx.cast(a, "bool") for a in args))


def _unary_of_float(name: str) -> LoweringRule:
    return lambda ctx, a: ctx.graph.map(name, a)


POINTWISE: dict[str, LoweringRule] = {
    "add": _add, "sub": _sub, "mul": _mul, "div": _div, "true_divide": _div, "divide": _div, "multiply": _mul, "subtract": _sub,
    "rsub": lambda ctx, a, b, alpha=1: _sub(ctx, b, a, alpha),
    "pow": _pow, "square": lambda ctx, a: ctx.map("mul", a, a), "reciprocal": lambda ctx, a: ctx.map("div", 1, a),
    "rsqrt": lambda ctx, a: ctx.map("div", 1, ctx.map("sqrt", a)), "sigmoid": _sigmoid,
    "relu": lambda ctx, a: ctx.map("max", a, 0), "lerp": _lerp, "polygamma": _polygamma, "round": _round,
    "clamp": _clamp, "clamp_min": _clamp, "clamp_max": lambda ctx, a, high: _clamp(ctx, a, None, high), "clip": _clamp,
    "where": _where, "masked_fill": _masked_fill, "fill": _fill, "_to_copy": _to_copy, "to": _to_copy,
    "copy": lambda ctx, a, source, *_: ctx.wide(ctx.cast(source)),
    "full": lambda ctx, size, value, **_: _full(ctx, value), "full_like": lambda ctx, a, value, **_: _full(ctx, value),
    "new_full": lambda ctx, a, size, value, **_: _full(ctx, value), "scalar_tensor": lambda ctx, value, **_: _full(ctx, value),
    "isnan": _unary_of_float("isnan"), "isfinite": _unary_of_float("isfinite"), "isinf": _isinf, "sign": _pointwise("sign"), "sgn": _pointwise("sign"),
    "signbit": lambda ctx, a: ctx.graph.map("lt", ctx.graph.map("copysign", ctx.number(1, a.dtype), a), ctx.number(0, a.dtype)),
    "frexp": lambda ctx, a: [ctx.graph.map("mantissa", a), ctx.graph.map("exponent", a, dtype="int32")],
    "maximum": _pointwise("max"), "minimum": _pointwise("min"), "erf_inv": _pointwise("erfinv"),
    "special_erfcx": _pointwise("erfcx"),
}  # fmt: skip
POINTWISE |= dict.fromkeys("zeros zeros_like new_zeros _new_zeros_with_same_feature_meta".split(), _filled(0))
POINTWISE |= dict.fromkeys("empty empty_like new_empty".split(), _filled(0))
POINTWISE |= dict.fromkeys("ones ones_like new_ones".split(), _filled(1))
POINTWISE |= {f"logical_{name}": _logical(name) for name in ("and", "or", "xor", "not")}
POINTWISE |= {f"bitwise_{name}": _pointwise(name) for name in ("and", "or", "xor", "not")}
POINTWISE |= {name: _compare(name) for name in ("eq", "ne", "lt", "le", "gt", "ge")}
POINTWISE |= {
    name: _pointwise(name)
    for name in (
        "neg abs sqrt floor ceil trunc exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh asin acos atan "
        "asinh acosh atanh erf erfc erfcx erfinv lgamma digamma fmax fmin atan2 hypot fmod remainder copysign"
    ).split()
}
"""ATen name -> its meaning: one node for each element."""
