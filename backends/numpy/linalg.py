"""Linear algebra of real arrays that neither raises for singular matrices nor stops at long doubles.

Arguments and results are plain arrays. NumPy's LAPACK knows float32 and float64: long doubles are computed in
float64, and `solve` and `inv` refine the answer with residuals in long double.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeGuard

import numpy as np

from backends.numpy.context import words

FACTORISATIONS = words(
    "cholesky cond det eig eigh eigvals eigvalsh lstsq matrix_power matrix_rank pinv qr slogdet svd svdvals tensorinv tensorsolve"
)
"""Functions of np.linalg that fail, print or hang on matrices that are not finite."""


def safe(function: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """A function of np.linalg; NaN in the shapes of its results where it fails or a matrix is not finite.

    Raises LinAlgError for wrong shapes only.
    """
    long = any(_is_long(a) for a in args)
    args = tuple(_short(a) for a in args)
    with np.errstate(all="ignore"):
        if all(np.isfinite(a).all() for a in args if isinstance(a, np.ndarray)):
            try:
                return _mapped(_long, function(*args, **kwargs)) if long else function(*args, **kwargs)
            except np.linalg.LinAlgError:
                pass  # NaN below, unless the shapes were wrong, which the stand-ins show
        found = function(*map(_stand_in, args), **kwargs)
    return _mapped(lambda a: _nan(_long(a) if long else a), found)


def safe_norm(function: Callable[..., Any], x: np.ndarray, *args: object, **kwargs: object) -> Any:
    """A norm; NaN where the singular values that it needs do not come out."""
    try:
        return function(x, *args, **kwargs)
    except (np.linalg.LinAlgError, TypeError):  # TypeError: singular values of long doubles
        return safe(function, x, *args, **kwargs)


def solve(a: np.ndarray, b: np.ndarray) -> Any:
    """x with a x = b; b is a vector when 1-d. NaN where a is singular or not finite."""
    a, b = np.asarray(a), np.asarray(b)
    return solver(a.astype(b.dtype) if _is_long(b) else a)(b)


def solver(a: np.ndarray) -> Callable[[np.ndarray], Any]:
    """b -> x with a x = b, for several b; of long doubles by one inverse and residuals."""
    if not _is_long(a):
        return lambda b: safe(np.linalg.solve, a, b)
    inverse = safe(np.linalg.inv, a)

    def solved(b: np.ndarray) -> Any:
        x = inverse @ b
        for _ in range(2):  # each round gains the digits that float64 holds over the condition
            x = x + inverse @ (b - a @ x)
        return x

    return solved


def inv(a: np.ndarray) -> Any:
    """The inverse; NaN where a is singular or not finite."""
    return solve(a, np.eye(a.shape[-1], dtype=a.dtype)) if _is_long(a) else safe(np.linalg.inv, a)


def _is_long(array: object) -> TypeGuard[np.ndarray]:
    return isinstance(array, np.ndarray) and array.dtype.char in "gG"


def _short(array: object) -> Any:
    if not _is_long(array):
        return array
    return array.astype(np.float64 if array.dtype.char == "g" else np.complex128)


def _long(array: object) -> Any:
    array = np.asarray(array)
    return array.astype({"f": np.longdouble, "c": np.clongdouble}.get(array.dtype.kind, array.dtype))


def _stand_in(array: object) -> Any:
    """Harmless numbers of the same shape and dtype."""
    if not isinstance(array, np.ndarray) or not array.ndim:
        return array
    if array.ndim == 1:
        return np.ones_like(array)
    return np.broadcast_to(np.eye(*array.shape[-2:], dtype=array.dtype), array.shape)


def _nan(array: object) -> Any:
    array = np.asarray(array)
    values = {"f": np.nan, "c": complex(np.nan, np.nan)}
    return np.full_like(array, values.get(array.dtype.kind, 0))


def _mapped(f: Callable[[Any], Any], result: object) -> Any:
    """f of an array or of each array of a named tuple."""
    if isinstance(result, tuple):
        return type(result)(*map(f, result)) if hasattr(result, "_fields") else tuple(map(f, result))
    return f(result)
