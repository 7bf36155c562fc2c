"""Params that went out of the range of numbers towards 0, as where all data are 0. Needs an Objective.

Each step of a solver leaves a share of them, for ever: no square of a residual tells any more that it is not 0, and no
certificate could say of it whether it is a minimum.
"""

from __future__ import annotations

from backends.tree import tree_map
from backends.types import Array, array_namespace
from engine.objective import Objective, Params
from engine.params import select
from engine.pow2 import largest, scale_down


def at_their_limit(objective: Objective, params: Params, loss: Array) -> Params:
    """The params, with 0 for what has vanished where the squares of the residual have, and where that makes the residual smaller.

    Few lanes ask, by the loss that the solver found: a lane branch of the kernel skips the residuals of all others.
    """
    if objective.problem.residual is None:
        return params
    xp = array_namespace(loss)
    info, unit = xp.finfo(loss.dtype), objective.pow2_scales["."] if objective.pow2_scales else xp.ones_like(loss)
    least = float(info.smallest_normal / info.eps)  # below it a square has lost digits to underflow
    there = objective.project(tree_map(lambda x: xp.where(xp.abs(x) <= least**0.5, xp.zeros_like(x), x), params))
    here, smaller = (_size(objective, at) for at in (params, there))
    lost = scale_down(scale_down(loss, unit), unit) < least
    found: Params = select(lost, select(smaller < here, there, params), params)
    return found


def _size(objective: Objective, params: Params) -> Array:
    """The largest entry of the residual."""
    return largest(list(objective.residual(params).values()))
