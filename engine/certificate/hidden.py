"""Nearly parallel columns that the rounding of one datum hides: elimination with pivots tells them apart. Needs `projection`.

Source:
    Peters and Wilkinson, The least squares problem and pseudo-inverses, Computer Journal 13 (1970).
"""

from __future__ import annotations

from backends import fori_loop
from backends.types import Array, array_namespace
from engine.certificate.verdict import largest, ratio
from engine.projection import ROUNDING
from engine.smalllinalg import first_largest

FAINT = 1e3
"""Times its rounding that a change of a residual, or an entry of a column, is told from noise by."""

MISSED = 0.1
"""Share of its data above which a residual is no rounding, whatever other residuals are the difference of."""

BELOW = 512.0
"""Units in the last place of its length within which the orthogonalisation cannot tell what is left of a column."""


def shared_terms(vector: Array, squares: Array, data: Array) -> Array:
    """The squared terms of each residual, of all together where a residual may be rounding: not one as large as its data."""
    xp = array_namespace(vector)
    own = (vector * vector > MISSED * MISSED * data) & (data > 0)
    return xp.where(own, squares, xp.sum(squares))


def hidden_share(columns: Array, vector: Array, squares: Array, grid: Array) -> Array:
    """The squared length of the residual along what is left of a column far below its rounding, where that is no rounding.

    Where one datum has the longest entries of several columns, as the only pixel under a spike, its rounding hides the small
    entries that tell them apart. Elimination with complete pivots leaves these, row by row, and each is compared with the
    terms that it is the difference of. What the rounding of the terms, or of a parameter's own size, makes of the residual
    counts as nothing.

    Source:
        Peters and Wilkinson, The least squares problem and pseudo-inverses, Computer Journal 13 (1970); Higham, Accuracy and
        Stability of Numerical Algorithms, section 3.1 (running error analysis).
    """
    # Complete pivoting by masks instead of exchanges: all rounds are alike, and a compiler makes them a loop. `terms` is a running
    # error bound: the sum of the sizes whose difference an entry is; an entry below FAINT of their rounding is taken for noise. In
    # the row of a pivot the difference is 0 whatever its rounding: an error of the share is a multiple of the pivot's own column.
    xp = array_namespace(vector)
    size, eps = columns.shape[0], float(xp.finfo(vector.dtype).eps)

    def round_(left: Array, terms: Array, open_: Array) -> tuple[Array, ...]:
        firm = xp.where(xp.abs(left) > FAINT * eps * terms, left, xp.zeros_like(left))
        _, pick = first_largest(xp.max(xp.abs(firm), axis=1) * open_)
        _, row = first_largest(xp.abs(pick @ firm))
        own, others = pick @ left, open_ * (1 - pick)
        share, kept = others * ratio(left @ row, xp.sum(own * row)), 1 - others[:, None] * row
        return (left - share[:, None] * own) * kept, (terms + xp.abs(share)[:, None] * (pick @ terms)) * kept, others

    left, terms, _ = fori_loop(round_, size, columns, xp.abs(columns), columns[:, 0] * 0 + 1)
    noise = xp.where(xp.abs(left) > FAINT * eps * terms, xp.zeros_like(left), left)
    left = left - noise
    most = xp.max(xp.abs(left), axis=1)
    unit = xp.where(most > 0, most, xp.ones_like(most))[:, None]
    left, unsure = left / unit, (ROUNDING * eps * terms + xp.abs(noise)) / unit
    square, moves = left * left, left @ xp.matrix_transpose(columns) * grid
    rounding = ROUNDING * eps * xp.sqrt(square @ squares + xp.sum(moves * moves, axis=1)) + unsure @ xp.abs(vector)
    along = xp.abs(left @ vector) - rounding
    along = xp.where((most <= BELOW * eps) & (along > 0), along, xp.zeros_like(along))
    return largest(ratio(along * along, xp.sum(square, axis=1)), vector[0])
