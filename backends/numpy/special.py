"""SciPy's functions of real arrays, with derivatives or without.

Needs `dual`. SciPy computes in double precision: the long doubles of nested derivatives are rounded to it on their way in.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

from backends.numpy.dual import Axis, Rule, chain
from backends.numpy.lane_array import inner_dtype

Function = Callable[..., Any]


def meaning(function: Function) -> Function | None:
    """A function of scipy.special on the arrays of one lane; None where there is none."""
    if isinstance(function, np.ufunc):
        return lambda *args, **kwargs: function(*map(_short, args), **kwargs)
    return FUNCTIONS.get(getattr(function, "__name__", ""))


def _short(value: object) -> Any:
    """A plain array in double precision; one with a derivative, which has rules, as it is."""
    if isinstance(value, np.ndarray) and inner_dtype(value).char == "g":
        return np.ndarray.astype(value, np.float64)
    return value


def _scipy(name: str) -> Rule:
    """A function of scipy.special, which is loaded where one is called."""
    return lambda *args: getattr(sys.modules["scipy.special"], name)(*map(_short, args))


def _slope_of_log_ndtr(x: np.ndarray, y: np.ndarray) -> Any:
    return np.exp(-x * x / 2 - y) * _ROOT


_ROOT = 1 / np.sqrt(2 * np.pi)
_ERF = 2 / np.sqrt(np.pi)

RULES: dict[str, Rule] = {
    "erf": chain(_scipy("erf"), lambda x, y: _ERF * np.exp(-x * x)),
    "erfc": chain(_scipy("erfc"), lambda x, y: -_ERF * np.exp(-x * x)),
    "erfcx": chain(_scipy("erfcx"), lambda x, y: 2 * x * y - _ERF),
    "erfinv": chain(_scipy("erfinv"), lambda x, y: np.exp(y * y) / _ERF),
    "ndtr": chain(_scipy("ndtr"), lambda x, y: _ROOT * np.exp(-x * x / 2)),
    "log_ndtr": chain(_scipy("log_ndtr"), _slope_of_log_ndtr),
    "ndtri": chain(_scipy("ndtri"), lambda x, y: np.exp(y * y / 2) / _ROOT),
    "expit": chain(_scipy("expit"), lambda x, y: y * _scipy("expit")(-x)),
    "log_expit": chain(_scipy("log_expit"), lambda x, y: _scipy("expit")(-x)),
    "logit": chain(_scipy("logit"), lambda x, y: 1 / (x * (1 - x))),
    "gammaln": chain(_scipy("gammaln"), lambda x, y: _scipy("psi")(x)),
    "psi": chain(_scipy("psi"), lambda x, y: _scipy("zeta")(2.0, x)),
    "betaln": chain(
        _scipy("betaln"),
        lambda a, b, y: _scipy("psi")(a) - _scipy("psi")(a + b),
        lambda a, b, y: _scipy("psi")(b) - _scipy("psi")(a + b),
    ),
    "entr": chain(_scipy("entr"), lambda x, y: -np.log(x) - 1),
    "xlogy": chain(_scipy("xlogy"), lambda x, y, z: np.log(y), lambda x, y, z: x / y),
    "xlog1py": chain(_scipy("xlog1py"), lambda x, y, z: np.log1p(y), lambda x, y, z: x / (1 + y)),
    "_zeta": chain(_scipy("zeta"), lambda s, x, y: np.nan * x, lambda s, x, y: -s * _scipy("zeta")(s + 1, x)),
    "rel_entr": chain(_scipy("rel_entr"), lambda x, y, z: np.log(x / y) + 1, lambda x, y, z: -x / y),
}
"""Universal functions of perturbed arrays by name: the value and the partial derivatives (zeta has none by its order)."""


def _logsumexp(a: np.ndarray, axis: Axis = None, b: np.ndarray | None = None, keepdims: bool = False) -> Any:
    top = np.max(a, axis=axis, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    terms = np.exp(a - top) if b is None else b * np.exp(a - top)
    total = np.log(np.sum(terms, axis=axis, keepdims=True)) + top
    return total if keepdims else np.sum(total, axis=axis)  # of one element each


def _log_softmax(x: np.ndarray, axis: Axis = None) -> Any:
    return x - _logsumexp(x, axis, keepdims=True)


FUNCTIONS: dict[str, Function] = {
    "logsumexp": _logsumexp,
    "log_softmax": _log_softmax,
    "softmax": lambda x, axis=None: np.exp(_log_softmax(x, axis)),
    "polygamma": lambda n, x: np.exp(_scipy("gammaln")(n + 1.0)) * (-1) ** (n + 1) * _scipy("zeta")(n + 1.0, x) if n else _scipy("psi")(x),
}  # fmt: skip
"""Functions that are no universal ones, written with NumPy's."""
