"""The projection of a residual on the columns of J, by orthogonalisation with pivots. Needs `smalllinalg`.

Modified Gram-Schmidt on J with the residual as one more column is as backward stable as Householder's QR. One pivot a
round, chosen by a mask and not by an index: all rounds are alike, so that a compiler makes them a loop.

Source:
    Bjorck, Numerical Methods for Least Squares Problems, sections 2.4 (modified Gram-Schmidt) and 2.7 (rank, pivots).
"""

from __future__ import annotations

from dataclasses import dataclass

from backends import fori_loop
from backends.types import Array, array_namespace
from engine.smalllinalg import eye, first_largest

ROUNDING = 4.0
"""Units in the last place that a term of a residual, or a column of J, is taken to be off by."""


@dataclass(frozen=True)
class Projection:
    """A vector's part in the span of some columns, any leading axes.

    shares       `(..., size)`, by column: the length of that part along its direction, beyond rounding
    depths       `(..., size)`, by column: its length outside of the span of those before it, rounding included
    directions   `(..., size, size)`: the columns times row j have length depth_j, and are orthogonal for different j
    solution     `(..., size)`, the coefficients of that part
    """

    shares: Array
    depths: Array
    directions: Array
    solution: Array


def project(columns: Array, vector: Array, squares: Array, grid: Array) -> Projection:
    """The part of a vector `(..., rows)` in the span of columns of length 1, or 0, given as rows: `(..., size, rows)`.

    Rounding counts as nothing: along a direction q, entries of the vector are off by some eps of their terms, the
    coefficients by eps of what they stand for, and q by eps over its column's depth. What has no depth beyond that is no
    direction.

    Args:
        squares: `(..., rows)`, of the size of the terms that cancel in an entry.
        grid: `(..., size)`, the length that a coefficient's own size gives its column.

    Example:
        >>> import numpy as np
        >>> part = project(np.eye(2, 3), np.array([3.0, 4.0, 5.0]), np.zeros(3), np.zeros(2))
        >>> part.shares.round(9).tolist(), part.solution.tolist()
        ([3.0, 4.0], [3.0, 4.0])
    """
    xp = array_namespace(columns)
    size, rows = columns.shape[-2:]
    eps = ROUNDING * float(xp.finfo(columns.dtype).eps)
    whole = xp.sum(vector * vector, axis=-1)

    def round_(
        columns: Array, turns: Array, rest: Array, depths: Array, solution: Array, shares: Array,
        squares: Array, moves: Array, whole: Array,
    ) -> tuple[Array, ...]:  # fmt: skip
        top, pick = first_largest(xp.sum(columns * columns, axis=-1))
        depth = xp.sqrt(top)
        deep = depth > eps
        inverse = xp.where(deep, 1 / xp.where(deep, depth, depth + 1), 0 * depth)
        direction = (pick[..., None, :] @ columns)[..., 0, :] * inverse[..., None]
        turn = (pick[..., None, :] @ turns)[..., 0, :] * inverse[..., None]
        share, dots = xp.sum(direction * rest, axis=-1), (columns @ direction[..., None])[..., 0]
        rounding = xp.sum(direction * direction * squares, axis=-1) + xp.sum(dots * dots * moves, axis=-1)
        rounding = rounding + inverse * inverse * whole
        beyond = xp.maximum(xp.abs(share) - eps * xp.sqrt(rounding), 0 * share)
        others = 1 - pick
        return (
            (columns - dots[..., None] * direction[..., None, :]) * others[..., None],
            turns - (dots * others)[..., None] * turn[..., None, :],
            rest - share[..., None] * direction,
            depths + pick * depth[..., None],
            solution + share[..., None] * turn,
            shares + pick * beyond[..., None],
            squares,
            moves,
            whole,
        )

    turns = xp.broadcast_to(eye(size, columns), (*columns.shape[:-1], size))
    start = (columns, turns, vector, 0 * grid, 0 * grid, 0 * grid, squares, grid * grid, whole)
    _, turns, _, depths, solution, shares, *_ = fori_loop(round_, min(size, rows), *start)
    return Projection(shares, depths, turns, solution)


def conjugate(matrix: Array) -> tuple[Array, Array]:
    """Directions T, by rows, with T A T' diagonal, and that diagonal: `(n, n)` -> `(n, n)`, `(n,)`.

    A is symmetric. Diagonal entries are eliminated one a round, the largest in size first, so that a flat direction comes last. A
    negative one among them has a direction of negative curvature.

    Source:
        Forsgren, Gill and Murray, Computing modified Newton directions using a partial Cholesky factorization, SIAM Journal on
        Scientific Computing 16 (1995).

    Example:
        >>> import numpy as np
        >>> conjugate(np.array([[1.0, 2.0], [2.0, 1.0]]))[1].tolist()
        [1.0, -3.0]
    """
    xp, size = array_namespace(matrix), matrix.shape[-1]

    def round_(left: Array, turns: Array, values: Array, open_: Array, bottom: Array) -> tuple[Array, ...]:
        diagonal = xp.linalg.diagonal(left)
        _, pick = first_largest(xp.where(open_ > 0, xp.abs(diagonal), bottom))
        value, others = xp.sum(diagonal * pick), open_ * (1 - pick)
        share = others * (left @ pick) / xp.where(value == 0, value + 1, value)
        left = left - share[:, None] * (pick @ left)
        return left * others[:, None] * others, turns - share[:, None] * (pick @ turns), values + value * pick, others, bottom

    nothing = xp.linalg.diagonal(matrix) * 0
    start = (matrix, eye(size, matrix), nothing, nothing + 1, nothing - 1)
    _, turns, values, *_ = fori_loop(round_, size, *start)
    return turns, values
