"""Rules for NumPy functions of plain real arrays: nothing raises or warns for what the numbers do.

Needs `linalg` for the factorisations. `RULES` maps a NumPy function to what a LaneArray calls instead; arguments and
results are plain arrays.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from backends.numpy import linalg
from backends.numpy.context import words
from backends.numpy.dual import Axis
from backends.numpy.sequences import interp

Rule = Callable[..., Any]


def mean(x: np.ndarray, axis: Axis = None, dtype: np.dtype[Any] | type | None = None, *, keepdims: bool = False) -> Any:
    """sum(x) / n, as np.mean, NaN where there is nothing."""
    x = np.asarray(x, dtype)
    total = np.sum(x, axis=axis, keepdims=keepdims)
    count = _count(x, total)
    with np.errstate(all="ignore"):
        return np.divide(total, np.asarray(count, total.dtype if total.dtype.kind in "fc" else np.float64))


def var(
    x: np.ndarray,
    axis: Axis = None,
    dtype: np.dtype[Any] | type | None = None,
    *,
    ddof: float = 0,
    keepdims: bool = False,
    correction: float | None = None,
) -> Any:
    """sum((x - mean)^2) / (n - ddof), analytic where np.var takes |x - mean|^2; NaN where there is nothing."""
    x = np.asarray(x, dtype)
    centred = x - mean(x, axis=axis, keepdims=True)
    total = np.sum(centred * centred, axis=axis, keepdims=keepdims)
    count = _count(x, total)
    left = max(count - (ddof if correction is None else correction), 0)
    with np.errstate(all="ignore"):
        return np.divide(total, np.asarray(left, total.dtype))


def _count(x: np.ndarray, total: np.ndarray) -> int:
    """How many entries went into each total."""
    return x.size // total.size if x.size else 0


def std(x: np.ndarray, *args: Any, **kwargs: Any) -> Any:
    """The square root of `var`."""
    return np.sqrt(var(x, *args, **kwargs))


def _quiet(function: Rule) -> Rule:
    def rule(*args: object, **kwargs: object) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of empty slices; only these functions pay for it
            return function(*args, **kwargs)

    return rule


_WARNING = words("average corrcoef cov median nanmax nanmean nanmedian nanmin nanstd nanvar percentile quantile")

RULES: dict[Any, Rule] = {np.mean: mean, np.var: var, np.std: std}
RULES |= {getattr(np, name): _quiet(getattr(np, name)) for name in _WARNING}
RULES |= {getattr(np.linalg, name): partial(linalg.safe, getattr(np.linalg, name)) for name in linalg.FACTORISATIONS}
RULES |= {function: partial(linalg.safe_norm, function) for function in (np.linalg.norm, np.linalg.matrix_norm)}
RULES |= {np.linalg.solve: linalg.solve, np.linalg.inv: linalg.inv, np.interp: interp}
