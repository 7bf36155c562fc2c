"""Triangular matrices, and those that elimination without pivoting solves."""

from __future__ import annotations

from typing import Any

from backends.types import Array, array_namespace


def solve_lower(low: Array, b: Array) -> Array:
    """x with L x = b for a lower triangular L, by columns: `(..., n, n)`, `(..., n, r)` -> `(..., n, r)`.

    A zero on the diagonal gives Inf or NaN, as it does for `solve_upper`.

    Source:
        Golub and Van Loan, Matrix Computations, section 3.1 (column-oriented substitution).

    Example:
        >>> import numpy as np
        >>> solve_lower(np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([[2.0], [9.0]])).tolist()
        [[1.0], [2.0]]
    """
    xp = array_namespace(low)
    rows = []
    for j in range(low.shape[-1]):
        row = b[..., :1, :] / low[..., j, j][..., None, None]
        rows.append(row)
        b = b[..., 1:, :] - low[..., j + 1 :, j][..., :, None] * row
    return xp.concat(rows, axis=-2)


def solve_upper(up: Array, b: Array) -> Array:
    """x with R x = b for an upper triangular R, by columns; shapes as for `solve_lower`.

    Example:
        >>> import numpy as np
        >>> solve_upper(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([[4.0], [8.0]])).tolist()
        [[1.0], [2.0]]
    """
    xp = array_namespace(up)
    rows: list[Array] = []
    for j in reversed(range(up.shape[-1])):
        row = b[..., -1:, :] / up[..., j, j][..., None, None]
        rows.insert(0, row)
        b = b[..., :-1, :] - up[..., :j, j][..., :, None] * row
    return xp.concat(rows, axis=-2)


def solve_unpivoted(a: Array, b: Array) -> Array:
    """x with A x = b by elimination without pivoting, for A with a positive definite symmetric part.

    Shapes as for `solve_lower`. Such a matrix has positive pivots, and their growth is bounded by its condition
    (Golub and Van Loan, Matrix Computations, section 4.2, unsymmetric positive definite systems).

    Example:
        >>> import numpy as np
        >>> solve_unpivoted(np.array([[1.0, 1.0], [-1.0, 1.0]]), np.array([[3.0], [1.0]])).tolist()
        [[1.0], [2.0]]
    """
    xp = array_namespace(a)
    heads, rows, inverses = [], [], []
    for _ in range(a.shape[-1]):
        inverse = 1 / a[..., 0, 0]
        column = (a[..., 1:, 0] * inverse[..., None])[..., :, None]
        heads.append(b[..., :1, :])
        rows.append(a[..., 0, 1:])
        inverses.append(inverse)
        b = b[..., 1:, :] - column * b[..., :1, :]
        a = a[..., 1:, 1:] - column * a[..., :1, 1:]
    x: Any = None
    for head, row, inverse in zip(reversed(heads), reversed(rows), reversed(inverses), strict=True):
        rest = head if x is None else head - row[..., None, :] @ x
        rest = rest * inverse[..., None, None]
        x = rest if x is None else xp.concat([rest, x], axis=-2)
    found: Array = x
    return found
