"""The functions of `backends/fused/native/vmath.h`, each with its oracle in mpmath. A new function is one line.

The oracles of `ACCURATE` take and give mpmath numbers, those of `EXACT` arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath as mp
import numpy as np
import torch


@dataclass(frozen=True)
class Function:
    """A function, its exact value by mpmath, how many arguments it has, and whether C's library has it by this name.

    Its error is measured in units in the last place of its value, or of `scale` where the value is smaller, at every
    `step`-th argument, for some take mpmath long.
    """

    name: str
    exact: Callable[..., Any]
    arity: int = 1
    in_c: bool = True
    scale: float = 0.0
    step: int = 1


@dataclass(frozen=True)
class Exact:
    """A function whose value is one number exactly, that of `array`."""

    name: str
    array: Callable[..., Any]
    arity: int = 1


def by_torch(name: str) -> Callable[..., Any]:
    """torch's function of that name, of numpy arrays."""
    function = getattr(torch, name)
    return lambda *arrays: function(*map(torch.from_numpy, arrays)).numpy()


def polygamma(order: int) -> Callable[..., Any]:
    """The derivative of digamma of that order, but not where mpmath takes minutes."""
    return lambda x: mp.polygamma(order, x) if x > -1000 else mp.nan


def remainder(a: Any, b: Any) -> Any:
    """numpy's remainder, but a zero has the sign of the dividend, as torch's has."""
    value = np.remainder(a, b)
    return np.where(value == 0, np.copysign(0, a), value)


ACCURATE = (
    Function("exp", mp.exp),
    Function("exp2", lambda x: mp.power(2, x)),
    Function("expm1", mp.expm1),
    Function("log", mp.log),
    Function("log2", lambda x: mp.log(x) / mp.ln2),
    Function("log10", lambda x: mp.log(x) / mp.ln10),
    Function("log1p", mp.log1p),
    Function("sin", mp.sin),
    Function("cos", mp.cos),
    Function("tan", mp.tan),
    Function("asin", mp.asin),
    Function("acos", mp.acos),
    Function("atan", mp.atan),
    Function("sinh", mp.sinh),
    Function("cosh", mp.cosh),
    Function("tanh", mp.tanh),
    Function("asinh", mp.asinh),
    Function("acosh", mp.acosh),
    Function("atanh", mp.atanh),
    Function("erf", mp.erf),
    Function("erfc", mp.erfc),
    Function("cbrt", lambda x: mp.sign(x) * mp.cbrt(abs(x))),
    Function("lgamma", lambda x: mp.re(mp.loggamma(x))),
    Function("sigmoid", lambda x: 1 / (1 + mp.exp(-x)), in_c=False),
    Function("rsqrt", lambda x: 1 / mp.sqrt(x), in_c=False),
    Function("digamma", mp.digamma, in_c=False, scale=1.0),
    *(Function(f"polygamma{n}", polygamma(n), in_c=False, step=4) for n in (1, 2, 3)),
    Function("erfcx", lambda x: mp.exp(x * x) * mp.erfc(x), in_c=False),
    Function("erfinv", mp.erfinv, in_c=False),
    Function("pow", mp.power, arity=2),
    Function("atan2", mp.atan2, arity=2),
    Function("hypot", mp.hypot, arity=2),
)
"""Accurate to 4 ulp."""

EXACT = (
    Exact("sqrt", np.sqrt),
    Exact("floor", np.floor),
    Exact("ceil", np.ceil),
    Exact("trunc", np.trunc),
    Exact("round", np.rint),
    Exact("abs", np.abs),
    Exact("sign", by_torch("sign")),
    Exact("mantissa", lambda x: np.frexp(x)[0]),
    Exact("copysign", np.copysign, arity=2),
    Exact("max", by_torch("maximum"), arity=2),
    Exact("min", by_torch("minimum"), arity=2),
    Exact("fmax", by_torch("fmax"), arity=2),
    Exact("fmin", by_torch("fmin"), arity=2),
    Exact("fmod", np.fmod, arity=2),
    Exact("remainder", remainder, arity=2),
)
"""Equal to numpy's or torch's."""
