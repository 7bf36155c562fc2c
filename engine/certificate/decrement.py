"""A plain loss: what a Newton step would still remove, with a Hessian that is positive semidefinite to rounding.

Needs `quadratic` for the model at the answer, `nearby` for values where it holds in a small place alone.

Source:
    Boyd and Vandenberghe, Convex Optimization, section 9.5.1 (Newton decrement).
"""

from __future__ import annotations

from backends.types import Array, array_namespace
from engine.certificate.nearby import values_nearby
from engine.certificate.quadratic import quadratic_model
from engine.certificate.verdict import STILL, Verdict, ratio, true
from engine.objective import Objective, Params
from engine.projection import ROUNDING
from engine.tangent import Tangent

VANISHING = 10.0
"""Times the share of what was removed that a Newton step leaves at most of a loss that goes to 0: it converges quadratically."""


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
    local = quadratic_model(tangent)
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
