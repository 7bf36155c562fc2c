"""The quadratic model of a plain loss at an answer: its Newton step, and what rounding makes of it.

Needs `curvature` for gradient and Hessian in tangent coordinates.

Source:
    Golub and Van Loan, Matrix Computations, section 4.2.8 (outer products with diagonal pivots).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from backends import fori_loop
from backends.record import Record
from backends.types import Array, array_namespace
from engine.certificate.rounding import by_data
from engine.certificate.verdict import STILL, ratio
from engine.curvature import hessian as hessian_at
from engine.domains.base import constant
from engine.objective import zero
from engine.params import select
from engine.projection import ROUNDING
from engine.smalllinalg import first_largest
from engine.sparsity.structure import Structure
from engine.tangent import Tangent, rademacher

FLAT = 1e3
"""Units in the last place, relative to its diagonal, within which curvature counts as 0."""

BENT = 10.0
"""Times the bend of a circle about 0 that a curve of equal losses may be bent."""

TURN = 0.375
"""The power of eps that curvature counts as 0 up to at most, however large the gradient."""


@dataclass(frozen=True, eq=False)
class QuadraticModel(Record):
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

    def on_faces(self, room: Array) -> QuadraticModel:
        """The model with coordinates on a face that the Newton step would take beyond it, where that is within 1e-3.

        What the way to the face removes, by the gradient, is added to the decrement.
        """
        xp = array_namespace(room)
        near = self.free & (room < xp.abs(self.step)) & (room <= STILL)
        found = _solved(replace(self, free=self.free & ~near))
        way = 2 * xp.sum(xp.where(near, xp.abs(self.gradient) * room, xp.zeros_like(room)))
        there = xp.where(near, xp.where(self.gradient > 0, room, -room), found.curved)
        found = replace(found, decrement=found.decrement + way, curved=there)
        chosen: QuadraticModel = select(xp.any(near), found, self)
        return chosen


def quadratic_model(tangent: Tangent) -> QuadraticModel:
    """The model at the params of a tangent space, solved on the free set."""
    model = hessian_at(tangent, Structure.dense(tangent.size))
    loss, gradient, hessian = model.loss, model.gradient, model.blocks["0"][0]
    xp, size = array_namespace(loss), tangent.typical_scale()
    eps = float(xp.finfo(loss.dtype).eps)
    mask = tangent.inactive_mask(gradient)
    free = xp.ones_like(size) > 0 if mask is None else mask > 0
    keep, none, nothing = xp.where(free, xp.ones_like(size), xp.zeros_like(size)), 0 * gradient, 0 * loss
    start = QuadraticModel(
        loss=loss,
        gradient=gradient,
        hessian=hessian,
        rounded=xp.stack([ROUNDING * eps * part for part in _rounded(tangent, hessian)]),
        feels=none,
        total=nothing,
        free=free,
        level=FLAT * eps + _turning(gradient * keep, xp.abs(xp.linalg.diagonal(hessian)) * keep, size),
        step=none,
        curved=none,
        decrement=nothing,
        blur=none,
        noise=nothing,
        indefinite=nothing > 0,
    )
    return _solved(start)


def _solved(local: QuadraticModel) -> QuadraticModel:
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
