"""Rules for NumPy functions of perturbed arrays: what passes, what has a rule; the rest is refused by name.

Arguments and results are plain arrays, complex where they carry a derivative. Needs `rules` for ufuncs and
`matrices` for linear algebra, `sequences`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.numpy import matrices, rules, sequences
from backends.numpy import real as plain
from backends.numpy.context import words
from backends.numpy.dual import Operand, Rule, real
from backends.numpy.extremes import LARGEST, LEAST, refusal

_SHAPES = """
    append array_split atleast_1d atleast_2d atleast_3d block broadcast_arrays broadcast_to column_stack compress
    concatenate copy delete diag diagflat diagonal dsplit dstack expand_dims extract flip fliplr flipud hsplit
    hstack matrix_transpose meshgrid moveaxis permute_dims ravel repeat reshape resize roll rollaxis rot90
    select split squeeze stack swapaxes take take_along_axis tile transpose tril triu unstack vsplit vstack
    zeros_like ones_like empty_like
"""
_SUMS = """
    average convolve cross cumprod cumsum cumulative_prod cumulative_sum diff dot einsum inner
    kron linspace outer polyval prod sinc sum tensordot trace trapezoid vander
"""
_BY_REAL_PART = """
    all allclose any argmax argmin argsort argwhere around array_equal array_equiv can_cast count_nonzero digitize
    fix flatnonzero isclose iscomplex iscomplexobj isneginf isposinf isreal isrealobj ndim nonzero result_type
    round searchsorted shape shares_memory may_share_memory common_type min_scalar_type size
"""


Bound = Operand | None
"""An end that `np.clip` may leave open."""


def _named(text: str) -> list[Any]:
    return [getattr(np, word) for word in words(text) if hasattr(np, word)]


def _clip(x: np.ndarray, a_min: Bound = None, a_max: Bound = None, *, min: Bound = None, max: Bound = None) -> Any:
    return rules.clip(x, a_min if min is None else min, a_max if max is None else max)


def _where(condition: Operand, *branches: Operand) -> Any:
    return np.where(real(condition), *branches)


def _nan_to_num(
    x: np.ndarray, copy: bool = True, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None
) -> Any:
    """Numbers for what is not finite, with no derivative there."""
    return np.where(np.isfinite(x.real), x, np.nan_to_num(x.real, nan=nan, posinf=posinf, neginf=neginf))


def _vdot(a: Operand, b: Operand) -> Any:
    return np.dot(np.ravel(a), np.ravel(b))


RULES: dict[Any, Rule] = {function: function for function in _named(_SHAPES + _SUMS)}
RULES |= {function: (lambda f: lambda *a, **k: f(*map(real, a), **k))(function) for function in _named(_BY_REAL_PART)}
RULES |= {
    np.max: LARGEST,
    np.min: LEAST,
    np.ptp: lambda z, axis=None, **k: LARGEST(z, axis, **k) - LEAST(z, axis, **k),
    np.clip: _clip,
    np.where: _where,
    np.mean: plain.mean,
    np.var: plain.var,
    np.std: lambda *a, **k: rules.RULES["sqrt"](plain.var(*a, **k)),
    np.nan_to_num: _nan_to_num,
    np.vdot: _vdot,
    np.real: lambda z: z,
    np.imag: lambda z: np.zeros_like(z.real),
}
RULES |= {f: RULES[g] for f, g in ((np.amax, np.max), (np.amin, np.min))}
RULES |= matrices.RULES | sequences.RULES


def apply(function: Callable[..., object], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The value and derivative of one call. Raises TraceError for a function without a rule."""
    if function not in RULES:
        module = getattr(function, "__module__", None) or "numpy"
        name = f"{module}.{function.__name__}".replace("numpy", "np", 1)
        raise refusal(name, matrices.REMEDIES.get(function.__name__, ""))
    return RULES[function](*args, **kwargs)
