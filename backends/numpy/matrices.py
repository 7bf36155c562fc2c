"""Rules for np.linalg of perturbed arrays.

LAPACK conjugates, and a perturbed singular matrix would look regular: values come from the real routines of
`linalg`, derivatives from the product rule. Needs `dual`, `linalg`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.numpy import linalg, rules
from backends.numpy.context import words
from backends.numpy.dual import Axis, Rule, imag, join, real
from backends.numpy.extremes import LARGEST, LEAST, refusal

Order = float | str | None
"""The order of a norm, as in NumPy; None: the default one."""

_FACTORS = "solve, inv, det or cholesky, which have rules, or use backend='torch'"
REMEDIES = dict.fromkeys(words("cond eig eigh eigvals eigvalsh lstsq matrix_rank pinv qr svd svdvals"), _FACTORS)


def solve(a: np.ndarray, b: np.ndarray) -> Any:
    """x with a x = b; dx = a^-1 (db - da x)."""
    solved = linalg.solver(real(a))
    x = solved(real(b))
    change = imag(b) - (imag(a) @ x if np.any(imag(a)) else 0.0)
    return join(x, solved(np.broadcast_to(change, x.shape)))


def inv(a: np.ndarray) -> Any:
    """x = a^-1; dx = -x da x."""
    x = linalg.inv(a.real)
    return join(x, -(x @ a.imag @ x))


def det(a: np.ndarray) -> Any:
    """The determinant, holomorphic in the entries."""
    return np.asarray(linalg.safe(np.linalg.det, a))


def slogdet(a: np.ndarray) -> Any:
    """Sign and log |det|; d log |det| = trace(a^-1 da)."""
    found = linalg.safe(np.linalg.slogdet, a.real)
    slope = np.trace(linalg.solve(a.real, a.imag), axis1=-2, axis2=-1)
    return type(found)(np.asarray(found.sign), join(found.logabsdet, slope))


def cholesky(a: np.ndarray, *, upper: bool = False) -> Any:
    """The Cholesky-Banachiewicz loop, which is holomorphic; reads the lower triangle. NaN where it breaks down."""
    a = np.swapaxes(a, -1, -2) if upper else a
    n = a.shape[-1]
    low = np.zeros_like(a)
    for j in range(n):
        rest = a[..., j, j] - np.sum(low[..., j, :j] ** 2, axis=-1)
        low[..., j, j] = rules.RULES["sqrt"](rest)
        for i in range(j + 1, n):
            low[..., i, j] = (a[..., i, j] - np.sum(low[..., i, :j] * low[..., j, :j], axis=-1)) / low[..., j, j]
    pivots = np.diagonal(low, axis1=-2, axis2=-1).real
    low = np.where((np.isfinite(pivots) & (pivots > 0)).all(axis=-1)[..., None, None], low, complex(np.nan, np.nan))
    return np.swapaxes(low, -1, -2) if upper else low


def matrix_power(a: np.ndarray, n: int) -> Any:
    """a a ... a; of the inverse for n < 0."""
    return np.linalg.matrix_power(inv(a) if n < 0 else a, abs(n))


def vector_norm(z: np.ndarray, *, axis: Axis = None, keepdims: bool = False, ord: Order = 2) -> Any:
    """The norms 1, 2, inf and -inf over any axes; the derivative of the 2-norm at zero is 0, as in torch."""
    size = rules.RULES["absolute"](z)
    if ord in (None, 2):
        y = np.linalg.vector_norm(z.real, axis=axis, keepdims=True)  # type: ignore[arg-type]  # None is all axes
        slope = np.where(y == 0, 0.0, z.real / np.where(y == 0, 1.0, y))
        found = join(y, np.sum(slope * z.imag, axis=axis, keepdims=True))
        return found if keepdims else found.reshape(()) if axis is None else np.squeeze(found, axis=axis)
    if ord == 1:
        return np.sum(size, axis=axis, keepdims=keepdims)
    if ord in (np.inf, -np.inf):
        return (LARGEST if ord > 0 else LEAST)(size, axis=axis, keepdims=keepdims)
    raise refusal(f"np.linalg.norm with ord={ord!r}", "the norms 1, 2 and inf have one")


def matrix_norm(z: np.ndarray, *, ord: Order = "fro", keepdims: bool = False) -> Any:
    """The Frobenius norm, and the largest column (1) or row (inf) sum, of the last two axes."""
    if ord in (None, "fro"):
        return vector_norm(z, axis=(-2, -1), keepdims=keepdims)
    if ord not in (1, np.inf):
        raise refusal(f"np.linalg.norm of a matrix with ord={ord!r}", "'fro', 1 and inf have one")
    sums = vector_norm(z, axis=-2 if ord == 1 else -1, ord=1, keepdims=True)
    return vector_norm(sums, axis=(-2, -1), ord=np.inf, keepdims=keepdims)


def norm(z: np.ndarray, ord: Order = None, axis: Axis = None, keepdims: bool = False) -> Any:
    """np.linalg.norm: of all entries, of vectors along one axis, or of matrices in two."""
    whole = axis is None and (ord is None or z.ndim == 1)
    if whole or (axis is not None and np.size(axis) == 1):
        return vector_norm(z, axis=axis, keepdims=keepdims, ord=ord)
    if isinstance(axis, tuple):
        found = matrix_norm(np.moveaxis(z, axis, (-2, -1)), ord=ord)
        return np.expand_dims(found, tuple(a % z.ndim for a in axis)) if keepdims else found
    return matrix_norm(z, ord=ord, keepdims=keepdims)


def multi_dot(arrays: Sequence[np.ndarray]) -> Any:
    """The product from left to right."""
    found, *others = arrays
    for other in others:
        found = np.dot(found, other)
    return found


RULES: dict[Any, Rule] = {
    np.linalg.solve: solve,
    np.linalg.inv: inv,
    np.linalg.det: det,
    np.linalg.slogdet: slogdet,
    np.linalg.cholesky: cholesky,
    np.linalg.matrix_power: matrix_power,
    np.linalg.norm: norm,
    np.linalg.vector_norm: vector_norm,
    np.linalg.matrix_norm: matrix_norm,
    np.linalg.multi_dot: multi_dot,
    np.linalg.vecdot: lambda a, b, *, axis=-1: rules.RULES["vecdot"](a, b, axis=axis),
    np.linalg.outer: np.outer,
    np.linalg.matmul: np.matmul,
}
for _name in ("cross", "diagonal", "matrix_transpose", "tensordot", "trace"):
    RULES[getattr(np.linalg, _name)] = getattr(np.linalg, _name)
