"""The pointwise operations of the lane IR: what C++ they become, and what they are on constants.

A new operation is one line here, and one in `lower` for the ATen names that mean it. `{0}`, `{1}` are vectors, one
element a lane; functions of `lw::` are those of `vmath.h`. Masks are integer vectors, -1 or 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from string import Formatter
from typing import Any

import numpy as np
import torch

from backends.errors import ExtensionError


@dataclass(frozen=True)
class Op:
    """C++ text, the same on NumPy arrays, the kind of its result ("same" as the arguments, or "mask"), and flops.

    Raises ExtensionError for text without arguments, another kind of result, what cannot be called, negative flops.
    """

    text: str
    numpy: Callable[..., Any]
    result: str = "same"
    flops: int = 1

    def __post_init__(self) -> None:
        places = {place for _, place, _, _ in Formatter().parse(self.text) if place is not None}
        if not places or places != {str(k) for k in range(len(places))}:
            raise ExtensionError(
                f"operation {self.text!r}: its text has the places {sorted(places)}; expected C++ with {{0}} for the first "
                "argument, {1} for the second: number them from 0"
            )
        if not callable(self.numpy):
            raise ExtensionError(
                f"operation {self.text!r}: numpy came as {self.numpy!r}; expected a function of arrays, as np.exp: give it"
            )
        if self.result not in ("same", "mask"):
            raise ExtensionError(
                f"operation {self.text!r}: result came as {self.result!r}; expected 'same' or 'mask': a mask for a truth"
            )
        if not isinstance(self.flops, int) or self.flops < 0:
            raise ExtensionError(
                f"operation {self.text!r}: flops came as {self.flops!r}; expected a whole number, 0 or more: count additions and products"
            )


def _function(name: str, numpy: Callable[..., Any], flops: int = 20) -> Op:
    return Op(f"lw::{name}({{0}})", numpy, "same", flops)


def _each(f: Callable[..., float]) -> Callable[..., Any]:
    return lambda *a: np.vectorize(f, otypes=[np.result_type(*a)])(*a)


def _torch(f: Callable[..., Any], *first: object) -> Callable[..., Any]:
    return lambda a: f(*first, torch.as_tensor(np.asarray(a))).numpy()


_CALLS = "exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh tanh cbrt"
_RENAMED = {
    "asin": "arcsin",
    "acos": "arccos",
    "atan": "arctan",
    "asinh": "arcsinh",
    "acosh": "arccosh",
    "atanh": "arctanh",
}

OPS: dict[str, Op] = {
    "copy": Op("{0}", np.asarray, "same", 0),
    "add": Op("({0} + {1})", np.add),
    "sub": Op("({0} - {1})", np.subtract),
    "mul": Op("({0} * {1})", np.multiply),
    "div": Op("({0} / {1})", np.divide),
    "idiv": Op("lw::floor_divide({0}, {1})", np.floor_divide),
    "tdiv": Op("lw::trunc_divide({0}, {1})", lambda a, b: np.trunc(a / b)),
    "neg": Op("(-{0})", np.negative),
    "abs": Op("lw::abs({0})", np.abs),
    "sqrt": Op("lw::sqrt({0})", np.sqrt),
    "floor": Op("lw::floor({0})", np.floor),
    "ceil": Op("lw::ceil({0})", np.ceil),
    "trunc": Op("lw::trunc({0})", np.trunc),
    "round": Op("lw::round({0})", np.round),
    "sign": Op("lw::sign({0})", np.sign),
    "mantissa": Op("lw::mantissa({0})", lambda a: np.frexp(a)[0]),
    "exponent": Op("mask(lw::exponent({0}))", lambda a: np.frexp(a)[1]),
    "max": Op("lw::max({0}, {1})", np.maximum),
    "min": Op("lw::min({0}, {1})", np.minimum),
    "fmax": Op("lw::fmax({0}, {1})", np.fmax),
    "fmin": Op("lw::fmin({0}, {1})", np.fmin),
    "pow": Op("lw::pow({0}, {1})", np.power, "same", 40),
    "atan2": Op("lw::atan2({0}, {1})", np.arctan2, "same", 20),
    "hypot": Op("lw::hypot({0}, {1})", np.hypot, "same", 20),
    "fmod": Op("lw::fmod({0}, {1})", np.fmod, "same", 20),
    "remainder": Op("lw::remainder({0}, {1})", np.remainder, "same", 20),
    "copysign": Op("lw::copysign({0}, {1})", np.copysign),
    "erf": Op("lw::erf({0})", _each(math.erf), "same", 20),
    "erfc": Op("lw::erfc({0})", _each(math.erfc), "same", 20),
    "lgamma": Op("lw::lgamma({0})", _each(math.lgamma), "same", 40),
    "digamma": Op("lw::digamma({0})", _torch(torch.digamma), "same", 40),
    **{f"polygamma{n}": Op(f"lw::polygamma{n}({{0}})", _torch(torch.polygamma, n), "same", 60) for n in (1, 2, 3)},
    "erfinv": Op("lw::erfinv({0})", _torch(torch.erfinv), "same", 60),
    "erfcx": Op("lw::erfcx({0})", _torch(torch.special.erfcx), "same", 40),
    "isnan": Op("({0} != {0})", np.isnan, "mask"),
    "isfinite": Op("lw::isfinite({0})", np.isfinite, "mask"),
    "eq": Op("({0} == {1})", np.equal, "mask"),
    "ne": Op("({0} != {1})", np.not_equal, "mask"),
    "lt": Op("({0} < {1})", np.less, "mask"),
    "le": Op("({0} <= {1})", np.less_equal, "mask"),
    "gt": Op("({0} > {1})", np.greater, "mask"),
    "ge": Op("({0} >= {1})", np.greater_equal, "mask"),
    "and": Op("({0} & {1})", np.bitwise_and),
    "or": Op("({0} | {1})", np.bitwise_or),
    "xor": Op("({0} ^ {1})", np.bitwise_xor),
    "not": Op("(~{0})", np.invert),
    "select": Op("select({0}, {1}, {2})", np.where),
}
OPS |= {name: _function(name, getattr(np, name)) for name in _CALLS.split()}
OPS |= {name: _function(name, getattr(np, numpy)) for name, numpy in _RENAMED.items()}

REDUCTIONS: dict[str, tuple[str, Callable[..., Any]]] = {
    "sum": ("add", np.sum),
    "prod": ("mul", np.prod),
    "amax": ("max", np.max),
    "amin": ("min", np.min),
    "all": ("and", np.all),
    "any": ("or", np.any),
}
"""Reduction -> the operation that joins two values, and the same on NumPy arrays."""
