"""A plain loss: what a Newton step would still remove, with a Hessian that is positive semidefinite to rounding.

Needs `curvature` for gradient and Hessian in tangent coordinates.

Source:
    Boyd and Vandenberghe, Convex Optimization, section 9.5.1 (Newton decrement); Golub and Van Loan, Matrix
    Computations, section 4.2.8 (outer products with diagonal pivots).
"""

from __future__ import annotations

from backends import fori_loop
from backends.types import Array, array_namespace
from engine.certificate.verdict import STILL, Verdict, ratio, true
from engine.curvature import hessian as hessian_at
from engine.objective import Objective, Params, zero
from engine.projection import ROUNDING
from engine.smalllinalg import first_largest
from engine.sparsity.structure import Structure
from engine.tangent import Tangent

FLAT = 1e3
"""Units in the last place, relative to its diagonal, within which curvature counts as 0."""

BENT = 10.0
"""Times the bend of a circle about 0 that a curve of equal losses may be bent."""

TURN = 0.375
"""The power of eps that curvature counts as 0 up to at most, however large the gradient."""


def newton_decrement(objective: Objective, params: Params, first: Array) -> Verdict:
    """(g'H^-1 g / 2 / (f_start - f + eps |f|))^(1/2) on the free set; infinite where H is indefinite.

    The decrement g'H^-1 g / 2 is what a Newton step would remove by the quadratic model. A parameter is not determined
    where a move by its size, 1 at least, changes the loss by nothing beside what was removed since the start, or where
    that step still moves it by more than 1e-3 of its size while the loss can tell.

    Args:
        first: the loss at the start.
    """
    tangent = Tangent(objective.dense(), params)
    model = hessian_at(tangent, Structure.dense(tangent.size))
    loss, gradient, hessian = model.loss, model.gradient, model.blocks["0"][0]
    xp = array_namespace(loss)
    free = tangent.inactive_mask(gradient)
    if free is not None:
        gradient, hessian = gradient * free, hessian * free[:, None] * free
    feels, size = xp.max(xp.abs(hessian), axis=1), tangent.typical_scale()
    diagonal = xp.abs(xp.linalg.diagonal(hessian))
    scale = xp.where(diagonal > 0, diagonal, xp.where(feels > 0, feels, xp.ones_like(feels)))
    scale = 1 / xp.sqrt(scale)
    eps = ROUNDING * float(xp.finfo(loss.dtype).eps)
    level = FLAT * eps / ROUNDING + _turning(gradient, diagonal, size)
    step, decrement, least = eliminate(hessian * scale[:, None] * scale, gradient * scale, level)
    removed, known = xp.maximum(first - loss, 0 * loss), eps * xp.abs(loss)
    nothing = eps * eps * removed
    far = xp.maximum(size, xp.ones_like(size))
    dead = far * (xp.abs(gradient) + far * feels) <= nothing
    if free is not None:
        dead = dead & (free > 0)
    optimality = xp.sqrt(ratio(decrement, removed + known))
    indefinite = least < -1
    moves = (xp.abs(step * scale) > STILL * size) & (decrement > known + nothing)
    finite = xp.isfinite(loss + decrement + xp.sum(hessian))
    optimality = xp.where(indefinite, optimality + float("inf"), xp.where(finite, optimality, optimality * float("nan")))
    return Verdict(optimality, ~xp.any(dead | moves), true(loss))


def _turning(gradient: Array, diagonal: Array, size: Array) -> Array:
    """How negative the relative curvature may be along a curve of equal losses, where the gradient is not 0 to all digits: `(n,)`.

    Where a group acts on the params and leaves the loss as it is, as rotations do on the factors of B C, its orbits are curved:
    along their tangents x'' . g + x'Hx' = 0, and |x''| is of the size of the params. No more than about the default `tol`.
    """
    xp = array_namespace(gradient)
    found = BENT * ratio(xp.sum(xp.abs(gradient) * size), diagonal * size * size)
    return xp.minimum(found, xp.zeros_like(found) + float(xp.finfo(gradient.dtype).eps) ** TURN)


def eliminate(hessian: Array, gradient: Array, level: Array) -> tuple[Array, Array, Array]:
    """H^-1 g, g'H^-1 g and the least pivot over its level, of a symmetric H of unit diagonal: `(n, n)`, `(n,)` -> `(n,)`, `()`, `()`.

    Gauss-Jordan with the largest diagonal entry as the pivot of each round; one that is 0 to rounding counts as that
    rounding, so that a gradient along a flat direction is not forgotten. What is left of the others is divided by the `level`
    `(n,)` at least, up to which curvature counts as 0: noise over noise is no curvature. Rounds are alike: a compiler makes them
    a loop.
    """
    xp = array_namespace(hessian)
    size = gradient.shape[0]
    flat = FLAT * float(xp.finfo(hessian.dtype).eps)

    def round_(
        hessian: Array, gradient: Array, open_: Array, total: Array, least: Array, bottom: Array, level: Array
    ) -> tuple[Array, ...]:
        diagonal = xp.linalg.diagonal(hessian)
        pivot, pick = first_largest(xp.where(open_ > 0, diagonal, bottom))
        zero_up_to = xp.sum(pick * level)
        inverse, own = 1 / xp.maximum(pivot, zero_up_to), 1 / xp.maximum(pivot, 0 * pivot + flat)
        row, column, slope = pick @ hessian, hessian @ pick, xp.sum(pick * gradient)
        others = 1 - pick
        return (
            (hessian - column[:, None] * (row * inverse)) * others[:, None] + pick[:, None] * (row * inverse),
            (gradient - column * (slope * inverse)) * others + pick * (slope * own),
            open_ * others,
            total + slope * slope * own,
            xp.minimum(least, pivot / zero_up_to),
            bottom,
            level,
        )

    none = zero(gradient)
    start = (hessian, gradient, gradient * 0 + 1, none, none + float("inf"), gradient * 0 - float("inf"), level)
    _, step, _, total, least, *_ = fori_loop(round_, size, *start)
    return step, total, least
