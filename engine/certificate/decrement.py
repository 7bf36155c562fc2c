"""A plain loss: what a Newton step would still remove, with a Hessian that is positive semidefinite to rounding.

Needs `curvature` for gradient and Hessian in tangent coordinates.

Source:
    Boyd and Vandenberghe, Convex Optimization, section 9.5.1 (Newton decrement); Golub and Van Loan, Matrix
    Computations, section 4.2.8 (outer products with diagonal pivots).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backends import fori_loop
from backends.record import Record
from backends.types import Array, array_namespace
from engine.certificate.nearby import values_nearby
from engine.certificate.rounding import by_data
from engine.certificate.verdict import STILL, Verdict, ratio, true
from engine.curvature import hessian as hessian_at
from engine.domains.base import constant
from engine.objective import Objective, Params, zero
from engine.params import select
from engine.projection import ROUNDING
from engine.smalllinalg import first_largest
from engine.sparsity.structure import Structure
from engine.tangent import Tangent, rademacher

FLAT = 1e3
"""Units in the last place, relative to its diagonal, within which curvature counts as 0."""

VANISHING = 10.0
"""Times the share of what was removed that a Newton step leaves at most of a loss that goes to 0: it converges quadratically."""

BENT = 10.0
"""Times the bend of a circle about 0 that a curve of equal losses may be bent."""

TURN = 0.375
"""The power of eps that curvature counts as 0 up to at most, however large the gradient."""


def newton_decrement(objective: Objective, params: Params, first: Array) -> Verdict:
    """(g'H^-1 g / 2 / min(f_start - f, |f|))^(1/2) on the free set, beyond rounding; infinite where H is indefinite.

    The decrement g'H^-1 g / 2 is what a Newton step would remove by the quadratic model, or what a step nearby does remove where
    that is more. It is a share of the loss, as for least squares, whatever the start; of what was removed since then, where that is
    less, since nobody knows what a loss has as a constant (but half of its digits count at least), or where the loss goes to 0, so
    that a share of what is left would be removed for ever. What rounding of the data and the params makes of it counts as nothing.
    A coordinate that a step would take to a face close by counts with the slope of the way there.

    A parameter is not determined where a move by its size, 1 at least, changes the loss by nothing beside what was removed
    since the start, or by no more than the loss is known to, where that step still moves it by more than 1e-3 of its size and
    its own part of the decrement is one that the loss can tell, or where rounding would, and changes all that is left of the loss by it.

    Args:
        first: the loss at the start.
    """
    tangent = Tangent(objective.dense(), params)
    local = _local(tangent)
    loss, size = local.loss, tangent.typical_scale()
    xp = array_namespace(loss)
    eps = ROUNDING * float(xp.finfo(loss.dtype).eps)
    removed, known = xp.maximum(first - loss, 0 * loss), eps * xp.abs(loss)
    nearby = values_nearby(tangent, loss, local.gradient, local.free, known)
    if tangent.closed:
        local = local.on_faces(nearby.room)
    nothing, silent, decrement = eps * eps * removed, xp.maximum(known, local.noise), local.decrement

    after = xp.abs(objective.loss(tangent.move(-local.curved)))
    vanishes = after <= VANISHING * ratio(decrement, removed + known) * xp.abs(loss) + silent
    whole = xp.where(vanishes, xp.maximum(removed, whole_of(loss, first)), whole_of(loss, first))
    root, blind = xp.sqrt(decrement), xp.sqrt(local.noise)
    below = xp.minimum(root, eps / ROUNDING * xp.sqrt(whole))  # rounding hides it, and that is all that is known
    optimality = ratio(xp.maximum(xp.maximum(root - blind, below), xp.sqrt(nearby.lower)), xp.sqrt(whole))
    finite = xp.isfinite(loss + decrement + local.total)
    optimality = xp.where(local.indefinite, optimality + float("inf"), xp.where(finite, optimality, optimality * float("nan")))

    far = xp.maximum(size, xp.ones_like(size))
    dead = local.free & (far * (xp.abs(local.gradient) + far * local.feels) <= nothing)
    # of a simplex as its entries move: its coordinates are one more than its dimensions
    step = tangent.effective_step(tangent.move(-local.step), -local.step)
    heard = (decrement > silent + nothing) & (xp.abs(step * local.gradient) > silent + nothing)
    moves = (xp.abs(step) > STILL * size) & heard & local.free
    blurred = (local.blur > STILL * size) & (local.noise > xp.abs(loss))
    return Verdict(optimality, ~xp.any(dead | (nearby.idle & local.free) | moves | blurred), true(loss))


def whole_of(loss: Array, first: Array) -> Array:
    """The amount that a decrement is a share of: the loss, or what was removed since the start; half of the loss's digits at least."""
    xp = array_namespace(loss)
    size, removed = xp.abs(loss), xp.maximum(first - loss, 0 * loss)
    return xp.maximum(xp.minimum(removed, size), float(xp.finfo(loss.dtype).eps) ** 0.5 * size)


@dataclass(frozen=True, eq=False)
class _Local(Record):
    """The quadratic model at some params, with halves of gradient and Hessian as the loss's, on the free set.

    hessian      `(size, size)`, and `rounded`: changes of the gradient `(k, size)` that are rounding of data and params
    feels        `(size,)`, the largest entry of each row of the Hessian; `total` is the sum of all, and `free` says which are free
    step         `(size,)`, H^-1 g, with rounding in place of flat curvature; `curved` without flat directions
    decrement    g'H^-1 g
    blur, noise  by how much rounding of data and params may move a parameter `(size,)`, and the decrement of such moves
    indefinite   whether H has negative curvature beyond rounding
    """

    loss: Array
    gradient: Array
    hessian: Array
    rounded: Array
    feels: Array
    total: Array
    free: Array
    level: Array
    step: Array
    curved: Array
    decrement: Array
    blur: Array
    noise: Array
    indefinite: Array

    def on_faces(self, room: Array) -> _Local:
        """The model with coordinates on a face that the Newton step would take beyond it, where it is within 1e-3 of their size.

        What the way to the face removes, by the gradient, is added to the decrement.
        """
        xp = array_namespace(room)
        near = self.free & (room < xp.abs(self.step)) & (room <= STILL)
        found = _solved(replace(self, free=self.free & ~near))
        way = 2 * xp.sum(xp.where(near, xp.abs(self.gradient) * room, xp.zeros_like(room)))
        there = xp.where(near, xp.where(self.gradient > 0, room, -room), found.curved)
        found = replace(found, decrement=found.decrement + way, curved=there)
        chosen: _Local = select(xp.any(near), found, self)
        return chosen


def _local(tangent: Tangent) -> _Local:
    model = hessian_at(tangent, Structure.dense(tangent.size))
    loss, gradient, hessian = model.loss, model.gradient, model.blocks["0"][0]
    xp, size = array_namespace(loss), tangent.typical_scale()
    eps = float(xp.finfo(loss.dtype).eps)
    rounded = xp.stack([ROUNDING * eps * part for part in _rounded(tangent, hessian)])
    mask = tangent.inactive_mask(gradient)
    free = xp.ones_like(size) > 0 if mask is None else mask > 0
    none, nothing, keep = gradient * 0, loss * 0, xp.where(free, xp.ones_like(size), xp.zeros_like(size))
    level = FLAT * eps + _turning(gradient * keep, xp.abs(xp.linalg.diagonal(hessian)) * keep, size)
    return _solved(
        _Local(loss, gradient, hessian, rounded, none, nothing, free, level, none, none, nothing, none, nothing, nothing > 0)
    )


def _solved(local: _Local) -> _Local:
    """The model with its step, decrement and rounding on the free set."""
    xp = array_namespace(local.loss)
    keep = xp.where(local.free, xp.ones_like(local.gradient), xp.zeros_like(local.gradient))
    gradient, rounded, hessian = local.gradient * keep, local.rounded * keep, local.hessian * keep[:, None] * keep
    feels, diagonal = xp.max(xp.abs(hessian), axis=1), xp.abs(xp.linalg.diagonal(hessian))
    scale = 1 / xp.sqrt(xp.where(diagonal > 0, diagonal, xp.where(feels > 0, feels, xp.ones_like(feels))))
    slopes = xp.concat([gradient[None], gradient[None], rounded])
    steps, decrements, least = eliminate(hessian * scale[:, None] * scale, slopes * scale, local.level)
    steps = steps * scale
    return replace(
        local, feels=feels, total=xp.sum(hessian), step=steps[0], curved=steps[1], decrement=decrements[0],
        blur=xp.max(xp.abs(steps[2:]), axis=0), noise=xp.sum(decrements[2:]), indefinite=least < -1,
    )  # fmt: skip


def _rounded(tangent: Tangent, hessian: Array) -> list[Array]:
    """Changes of half the gradient along signs of the data and of the params, each as large as what it is changed by: `(n,)`.

    Times eps they are what rounding of those makes of it; of data only where the derivative is finite.
    """
    objective, origin = tangent.objective, tangent.zeros()
    xp = array_namespace(hessian)

    def loss(v: Array, given: dict[str, Any]) -> Array:
        return objective.given(**given).loss(tangent.second_order_retraction(v))

    def slope(given: dict[str, Any]) -> Array:
        found: Array = objective.backend.grad(loss)(origin, given)
        return found / 2

    size = tangent.typical_scale()
    found = [xp.where(xp.isfinite(part), part, xp.zeros_like(part)) for part in by_data(objective, slope)]
    return [*found, hessian @ (size * rademacher(size, "param"))]


def _turning(gradient: Array, diagonal: Array, size: Array) -> Array:
    """How negative the relative curvature may be along a curve of equal losses, where the gradient is not 0 to all digits: `(n,)`.

    Where a group acts on the params and leaves the loss as it is, as rotations do on the factors of B C, its orbits are curved:
    along their tangents x'' . g + x'Hx' = 0, and |x''| is of the size of the params. No more than about the default `tol`.
    """
    xp = array_namespace(gradient)
    found = BENT * ratio(xp.sum(xp.abs(gradient) * size), diagonal * size * size)
    return xp.minimum(found, xp.zeros_like(found) + float(xp.finfo(gradient.dtype).eps) ** TURN)


def eliminate(hessian: Array, gradients: Array, level: Array) -> tuple[Array, Array, Array]:
    """H^-1 g and g'H^-1 g for some g, and the least pivot over its level: `(n, n)`, `(k, n)` -> `(k, n)`, `(k,)`, `()`.

    H is symmetric, of unit diagonal.

    Gauss-Jordan with the largest diagonal entry as the pivot of each round; one that is 0 to rounding counts as that
    rounding, so that a gradient along a flat direction is not forgotten. What is left of the others is divided by the `level`
    `(n,)` at least, up to which curvature counts as 0: noise over noise is no curvature. Rounds are alike: a compiler makes them
    a loop. Of all g but the first, flat directions are left out.
    """
    xp = array_namespace(hessian)
    size = hessian.shape[0]
    flat = FLAT * float(xp.finfo(hessian.dtype).eps)

    def round_(
        hessian: Array, gradients: Array, open_: Array, totals: Array, least: Array, bottom: Array, level: Array, is_first: Array
    ) -> tuple[Array, ...]:
        diagonal = xp.linalg.diagonal(hessian)
        pivot, pick = first_largest(xp.where(open_ > 0, diagonal, bottom))
        zero_up_to = xp.sum(pick * level)
        inverse, firm = 1 / xp.maximum(pivot, zero_up_to), 1 / xp.maximum(pivot, 0 * pivot + flat)
        row, column, slopes = pick @ hessian, hessian @ pick, gradients @ pick
        slopes = xp.where((is_first > 0) | (pivot > zero_up_to), slopes, 0 * slopes)
        others = 1 - pick
        return (
            (hessian - column[:, None] * (row * inverse)) * others[:, None] + pick[:, None] * (row * inverse),
            (gradients - slopes[:, None] * inverse * column) * others + (slopes * firm)[:, None] * pick,
            open_ * others,
            totals + slopes * slopes * firm,
            xp.minimum(least, pivot / zero_up_to),
            bottom,
            level,
            is_first,
        )

    none, totals = level * 0, gradients[:, 0] * 0
    is_first = constant([float(k == 0) for k in range(totals.shape[0])], totals, totals.shape)
    start = (hessian, gradients, none + 1, totals, zero(level) + float("inf"), none - float("inf"), level, is_first)
    _, steps, _, totals, least, *_ = fori_loop(round_, size, *start)
    return steps, totals, least
