"""Symmetric matrices: factors and solutions, with pivots that are guarded and reported."""

from __future__ import annotations

from typing import Any

from backends.types import Array, array_namespace


def solve_symmetric(a: Array, b: Array) -> tuple[Array, Array]:
    """x with A x = b by LDL' without pivoting, and the largest A_jj / d_j: `(..., n)`, `(...)`.

    Where A = J'J, that is the largest inflation of a variance by the columns before it: the digits that A x = b loses. It
    is 1 / eps where a pivot was not positive beyond rounding.

    Args:
        a: symmetric, `(..., n, n)`. Each pivot d becomes max(|d|, eps A_jj), so that A + E is positive definite.
        b: `(..., n)`.

    Source:
        Golub and Van Loan, Matrix Computations, section 4.1 (LDL').

    Example:
        >>> import numpy as np
        >>> x, inflation = solve_symmetric(np.array([[4.0, 2.0], [2.0, 3.0]]), np.array([2.0, 5.0]))
        >>> x.tolist(), float(inflation)
        ([-0.5, 2.0], 1.5)
    """
    xp = array_namespace(a)
    floor, lost = _floor(a), 1 / float(xp.finfo(a.dtype).eps)
    diagonal = xp.linalg.diagonal(a)
    columns, inverses, values = [], [], []
    inflation: Any = None
    for j in range(a.shape[-1]):
        pivot, broken = _guarded(a[..., 0, 0], floor[..., j])
        inverse = 1 / pivot
        own = xp.where(broken, xp.ones_like(pivot) * lost, diagonal[..., j] * inverse)
        inflation = own if inflation is None else xp.maximum(inflation, own)
        column = a[..., 1:, 0] * inverse[..., None]
        inverses.append(inverse)
        columns.append(column)
        values.append(b[..., 0])
        if j + 1 < floor.shape[-1]:
            b = b[..., 1:] - column * b[..., :1]
            a = a[..., 1:, 1:] - column[..., :, None] * a[..., :1, 1:]
    x: Any = None
    for column, inverse, value in zip(reversed(columns), reversed(inverses), reversed(values), strict=True):
        head = value * inverse
        x = head[..., None] if x is None else xp.concat([(head - xp.sum(column * x, axis=-1))[..., None], x], axis=-1)
    return x, inflation


def cholesky(a: Array) -> tuple[Array, Array]:
    """L lower triangular with L L' = A, and where a pivot was not positive: `(..., n, n)`, `(...)`.

    A is symmetric, `(..., n, n)`; its lower triangle is read. Pivots are guarded as by `solve_symmetric`.

    Source:
        Golub and Van Loan, Matrix Computations, section 4.2 (outer product Cholesky).

    Example:
        >>> import numpy as np
        >>> low, broken = cholesky(np.array([[4.0, 2.0], [2.0, 10.0]]))
        >>> low.tolist(), bool(broken)
        ([[2.0, 0.0], [1.0, 3.0]], False)
    """
    xp = array_namespace(a)
    floor = _floor(a)
    columns: list[Array] = []
    broken: Any = None
    for j in range(a.shape[-1]):
        pivot, here = _guarded(a[..., 0, 0], floor[..., j])
        broken = here if broken is None else broken | here
        root = xp.sqrt(pivot)
        below = a[..., 1:, 0] / root[..., None]
        above = xp.zeros_like(floor[..., :j])
        columns.append(xp.concat([above, root[..., None], below], axis=-1))
        a = a[..., 1:, 1:] - below[..., :, None] * below[..., None, :]
    return xp.stack(columns, axis=-1), broken


def condition(low: Array) -> Array:
    """A lower bound on the 2-norm condition of A = L L': (max_j L_jj / min_j L_jj)^2, `(..., n, n)` -> `(...)`.

    L is lower triangular with a positive diagonal; one that holds a zero gives Inf or NaN.

    Source:
        Higham, A survey of condition number estimation for triangular matrices, SIAM Review 29 (1987).

    Example:
        >>> import numpy as np
        >>> float(condition(np.array([[2.0, 0.0], [5.0, 1.0]])))
        4.0
    """
    xp = array_namespace(low)
    pivots = xp.linalg.diagonal(low)
    return (xp.max(pivots, axis=-1) / xp.min(pivots, axis=-1)) ** 2


def _guarded(pivot: Array, floor: Array) -> tuple[Array, Array]:
    """The pivot at work, and where it was not positive."""
    xp = array_namespace(pivot)
    size = xp.abs(pivot)
    return xp.where(size > floor, size, floor), ~(pivot > floor)


def _floor(a: Array) -> Array:
    """eps A_jj, or the smallest normal number, below which a pivot is rounding: `(..., n)`."""
    xp = array_namespace(a)
    info = xp.finfo(a.dtype)
    return xp.abs(xp.linalg.diagonal(a)) * float(info.eps) + float(info.smallest_normal)
