"""Named rules for ufuncs of perturbed arrays, where the complex operation is not the continuation of the real one.

Arguments and results are plain arrays: complex ones carry x + i h t, real ones are constants. A ufunc that is
neither in `RULES` nor in `HOLOMORPHIC` is refused by name. Needs `dual`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.numpy import special
from backends.numpy.context import words
from backends.numpy.dual import Operand, Rule, chain, imag, join, real
from backends.numpy.extremes import LARGEST, LEAST, refusal

HOLOMORPHIC = frozenset(
    words(
        "add subtract multiply divide negative positive matmul matvec square reciprocal exp exp2 expm1 sin cos tan "
        "sinh cosh tanh arcsinh arctan"
    )
)
_BY_REAL_PART = words(
    "equal not_equal less less_equal greater greater_equal logical_and logical_or logical_xor logical_not "
    "isfinite isnan isinf signbit sign floor ceil rint trunc floor_divide heaviside"
)
_REDUCED: dict[str, Rule] = {
    "maximum": LARGEST,
    "minimum": LEAST,
    "logical_and": lambda z, **k: np.all(real(z), **k),
    "logical_or": lambda z, **k: np.any(real(z), **k),
}

_LN2, _LN10, _DEGREE = np.log(np.longdouble(2)), np.log(np.longdouble(10)), np.longdouble(np.pi) / 180


def maximum(a: Operand, b: Operand) -> Any:
    """The larger real part, NaN before all; half of each derivative where they tie."""
    return _either(a, b, np.greater(real(a), real(b)) | np.isnan(real(a)))


def minimum(a: Operand, b: Operand) -> Any:
    """The smaller real part, NaN before all; half of each derivative where they tie."""
    return _either(a, b, np.less(real(a), real(b)) | np.isnan(real(a)))


def clip(x: Operand, low: Operand | None = None, high: Operand | None = None) -> Any:
    """x between low and high; the derivative of x also where it meets a bound."""
    if low is not None:
        x = np.where(np.less(real(x), real(low)) | np.isnan(real(low)), low, x)
    if high is not None:
        x = np.where(np.greater(real(x), real(high)) | np.isnan(real(high)), high, x)
    return x


def _either(a: Operand, b: Operand, first: np.ndarray) -> Any:
    chosen = np.where(first, a, b)
    ties = np.equal(real(a), real(b))
    return join(real(chosen), np.where(ties, (imag(a) + imag(b)) / 2, imag(chosen)))


def _number(a: Operand, b: Operand, rule: Rule) -> Any:
    """fmax and fmin: the other one where one is NaN."""
    return np.where(np.isnan(real(a)), b, np.where(np.isnan(real(b)), a, rule(a, b)))


def _vecdot(a: np.ndarray, b: np.ndarray, axis: int = -1) -> Any:
    return np.sum(np.moveaxis(a, axis, -1) * np.moveaxis(b, axis, -1), axis=-1)


def _power_value(x: Operand, y: Operand) -> Any:
    return np.power(x, y, dtype=np.result_type(x, y, np.float64))


def _share(a: Operand, y: Operand, exp: np.ufunc) -> Any:
    """exp(a - y), the weight of a in logaddexp."""
    return np.where(np.isneginf(y), 0.0, exp(a - y))


RULES: dict[str, Rule] = {
    "absolute": chain(np.abs, lambda x, y: np.sign(x)),
    "sqrt": chain(np.sqrt, lambda x, y: 0.5 / y),
    "cbrt": chain(np.cbrt, lambda x, y: 1 / (3 * y * y)),
    "log": chain(np.log, lambda x, y: 1 / x),
    "log2": chain(np.log2, lambda x, y: 1 / (x * _LN2)),
    "log10": chain(np.log10, lambda x, y: 1 / (x * _LN10)),
    "log1p": chain(np.log1p, lambda x, y: 1 / (1 + x)),
    "arcsin": chain(np.arcsin, lambda x, y: 1 / np.sqrt((1 - x) * (1 + x))),
    "arccos": chain(np.arccos, lambda x, y: -1 / np.sqrt((1 - x) * (1 + x))),
    "arccosh": chain(np.arccosh, lambda x, y: 1 / np.sqrt((x - 1) * (x + 1))),
    "arctanh": chain(np.arctanh, lambda x, y: 1 / ((1 - x) * (1 + x))),
    "deg2rad": chain(np.deg2rad, lambda x, y: _DEGREE),
    "rad2deg": chain(np.rad2deg, lambda x, y: 1 / _DEGREE),
    "arctan2": chain(np.arctan2, lambda a, b, y: b / (a * a + b * b), lambda a, b, y: -a / (a * a + b * b)),
    "hypot": chain(np.hypot, lambda a, b, y: a / y, lambda a, b, y: b / y),
    "logaddexp": chain(np.logaddexp, lambda a, b, y: _share(a, y, np.exp), lambda a, b, y: _share(b, y, np.exp)),
    "logaddexp2": chain(np.logaddexp2, lambda a, b, y: _share(a, y, np.exp2), lambda a, b, y: _share(b, y, np.exp2)),
    "power": chain(
        _power_value,
        lambda a, b, y: np.where(b == 0, 0.0, b * _power_value(a, b - 1.0)),
        lambda a, b, y: np.where((a == 0) & (b > 0), 0.0, y * np.log(a)),
    ),
    "remainder": chain(np.remainder, lambda a, b, y: np.ones_like(y), lambda a, b, y: -np.floor(a / b)),
    "fmod": chain(np.fmod, lambda a, b, y: np.ones_like(y), lambda a, b, y: -np.trunc(a / b)),
    "copysign": lambda a, b: np.where(np.signbit(real(a)) == np.signbit(real(b)), a, -a),
    "maximum": maximum,
    "minimum": minimum,
    "fmax": lambda a, b: _number(a, b, maximum),
    "fmin": lambda a, b: _number(a, b, minimum),
    "clip": clip,
    "conjugate": lambda x: x,
    "vecdot": _vecdot,
    "vecmat": lambda a, b: np.matmul(a[..., None, :], b)[..., 0, :],
}
RULES |= special.RULES
RULES |= {"fabs": RULES["absolute"], "float_power": RULES["power"]}
RULES |= {"radians": RULES["deg2rad"], "degrees": RULES["rad2deg"]}


def apply(ufunc: np.ufunc, method: str, inputs: list[Any], kwargs: dict[str, Any]) -> Any:
    """The value and derivative of one call of a ufunc. Raises TraceError for what has no rule."""
    name = ufunc.__name__
    if method == "__call__":
        if name in HOLOMORPHIC:
            return ufunc(*inputs, **kwargs)
        if name in RULES:
            return RULES[name](*inputs, **kwargs)
        if name in _BY_REAL_PART:
            return ufunc(*map(real, inputs), **kwargs)
    if method in ("reduce", "accumulate", "reduceat") and name in ("add", "multiply"):
        return getattr(ufunc, method)(*inputs, **kwargs)
    if method == "outer" and name in HOLOMORPHIC and name not in ("matmul", "matvec"):
        return ufunc.outer(*inputs, **kwargs)
    if method == "reduce" and name in _REDUCED:
        return _REDUCED[name](inputs[0], **{"axis": 0} | kwargs)
    owner = "np" if hasattr(np, name) else "scipy.special"
    raise refusal(f"{owner}.{name}" if method == "__call__" else f"{owner}.{name}.{method}")
