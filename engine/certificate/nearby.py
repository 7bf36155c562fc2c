"""Values of a plain loss around an answer, where its quadratic model may hold for a hair's breadth alone. Needs Tangent."""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import device

from backends.types import Array, array_namespace
from engine.certificate.verdict import STILL, largest
from engine.tangent import Tangent, rademacher

REACHES = (1.0, 0.03, STILL)
"""Shares of a coordinate's size, 1 at least, that the values are taken at."""

ULPS = 8.0
"""Units in the last place by which all params are moved at once, for what the loss makes of it."""

PATTERNS = 2
"""Patterns of signs of such moves."""

HEARD = 16.0
"""Times its rounding that a loss must change by."""

STRAIGHT = 2.0
"""Times what the gradient promises that a loss may be lower by, or another valley has been met."""


@dataclass(frozen=True)
class Nearby:
    """Findings of the values.

    lower   `()`, by how much the loss is less nearby, where the gradient promises as much
    room    `(size,)`, how far each coordinate may go against the gradient, up to its size
    idle    `(size,)`, which coordinates leave the loss as it is, to its rounding, wherever they go
    """

    lower: Array
    room: Array
    idle: Array


def values_nearby(tangent: Tangent, loss: Array, gradient: Array, free: Array, rounding: Array) -> Nearby:
    """The values at steps against the gradient, coordinate by coordinate and along all.

    Where a loss bends sharply in a small place, as entropies, barriers and smoothed norms do beside a face or a kink, a Newton step
    is a small part of the way. What a guarded `where` has for a slope on a face may not be one: a short step inward tells. A loss
    that is a difference of large terms is known less well than to its own last place: moves of the params by a few ulps show it.

    Args:
        gradient: half of the loss's, `(size,)`; `free` is where a step may go.
        rounding: what is known of the loss at best.
    """
    xp, size = array_namespace(gradient), tangent.typical_scale()
    eps = float(xp.finfo(loss.dtype).eps)
    far = xp.maximum(size, xp.ones_like(size))
    slope = xp.where(free, gradient, xp.zeros_like(gradient))
    along = -slope * far
    length = xp.sqrt(xp.sum(along * along))
    down = xp.where(gradient > 0, -far, far)
    unit = xp.eye(tangent.size, dtype=far.dtype, device=device(far))
    alone, inward = unit * xp.where(free, down, xp.zeros_like(down)), unit * xp.where(free, xp.zeros_like(down), -STILL * down)
    steps = xp.concat([alone, (along * far / xp.where(length > 0, length, length + 1))[None]])
    ulps = [ULPS * eps * size * rademacher(size, f"ulps.{k}") for k in range(PATTERNS)]
    changes = xp.concat([*(reach * steps for reach in REACHES), inward, xp.stack(ulps)])

    def at(u: Array) -> tuple[Array, Array]:
        moved = tangent.move(u)
        return tangent.objective.loss(moved), tangent.effective_step(moved, u)

    values, covered = tangent.objective.backend.vmap(at)(changes)
    change, count = values - loss, tangent.size
    known = xp.maximum(rounding, _most(change[-PATTERNS:]))
    change, covered = change[:-PATTERNS], covered[:-PATTERNS]
    lower, promised = -change - HEARD * known, -2 * (covered @ slope)
    kept = xp.where(lower <= STRAIGHT * promised, lower, xp.zeros_like(lower))  # of a step inward nothing is promised
    lower = xp.concat([kept[:-count], lower[-count:]])
    lower = xp.where(xp.isfinite(lower), lower, xp.zeros_like(lower))
    room = xp.abs(xp.linalg.diagonal(covered[:count]))
    first, second = change[:count], change[count + 1 : 2 * count + 1]
    idle = free & (xp.abs(first) <= HEARD * known) & (xp.abs(second) <= HEARD * known) & (room > far / 2)
    return Nearby(largest(lower, loss), room, idle)


def _most(change: Array) -> Array:
    """The largest finite change."""
    xp = array_namespace(change)
    return largest(xp.where(xp.isfinite(change), xp.abs(change), xp.zeros_like(change)), change[0])
