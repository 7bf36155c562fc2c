"""Inverses of the condition's matrix by arithmetic alone, as a native kernel has them, and whether they are good enough.

A matrix that is symmetric is eliminated as it stands, another by its normal equations, without pivots: what an elimination loses
shows in I - M^+ M, and one step of Newton and Schulz squares it. Good enough is an inverse by which two chord steps give all digits.

Source:
    Ben-Israel and Greville, Generalized Inverses, section 7.7 (iterations of Newton and Schulz).
"""

from __future__ import annotations

from backends.torch.pseudo_inverse import RANK
from backends.types import Array, array_namespace
from engine import smalllinalg


def direct_inverse(matrix: Array, symmetric: bool) -> tuple[Array, Array]:
    """H^+ of H `(count, k, k)`, or J^+ of J' `(count, k, m)`, of the shape that came; and `()` whether all of them are good enough.

    Rows of zeros, as of coordinates on a face, stay zeros.

    >>> import numpy as np
    >>> [x.tolist() for x in direct_inverse(np.array([[[4.0, 0.0], [0.0, 0.0]]]), symmetric=True)]
    [[[[0.25, 0.0], [0.0, 0.0]]], True]
    """
    xp = array_namespace(matrix)
    k, m = matrix.shape[-2:]
    if m < k:
        return xp.zeros_like(matrix), xp.any(matrix != matrix) & False
    squares = xp.abs(xp.linalg.diagonal(matrix)) if symmetric else xp.sum(matrix * matrix, axis=-1)
    lengths = xp.sqrt(xp.where(squares > 0, squares, xp.ones_like(squares)))[..., None]
    unit = matrix / lengths
    if symmetric:
        unit = unit / xp.matrix_transpose(lengths)
    eye = smalllinalg.eye(k, matrix)
    held = eye * xp.astype(xp.all(matrix == 0, axis=-1), matrix.dtype)[..., None]
    square = unit + held if symmetric else unit @ xp.matrix_transpose(unit) + held
    inverse = smalllinalg.solve_unpivoted(square, xp.broadcast_to(eye, square.shape) if symmetric else unit)
    wrong = eye - inverse @ square if symmetric else eye - held - inverse @ xp.matrix_transpose(unit)
    right = _is_good(square if symmetric else unit, inverse, wrong)
    inverse = inverse + wrong @ inverse
    return (inverse - held) / lengths / xp.matrix_transpose(lengths) if symmetric else inverse / lengths, right


def _is_good(unit: Array, inverse: Array, wrong: Array) -> Array:
    """Whether all the inverses are right to a quarter of the digits, and no singular value is so small that it counts as zero."""
    xp = array_namespace(unit)
    eps = float(xp.finfo(unit.dtype).eps)
    rounding = RANK * eps * max(unit.shape[-2:])
    error, size, inverse_size = (xp.sum(a * a, axis=(-2, -1)) for a in (wrong, unit, inverse))
    found: Array = xp.all((error < eps**0.5) & (size * inverse_size * rounding**2 < 1))
    return found
