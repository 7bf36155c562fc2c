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


def at_their_limit(objective: Objective, params: Params) -> Params:
    """The params, with 0 for what has vanished where the squares of the residual have, and where that makes the residual smaller."""
    if objective.problem.residual is None:
        return params
    size = _size(objective, params)
    xp = array_namespace(size)
    info = xp.finfo(size.dtype)
    least = float(info.smallest_normal / info.eps) ** 0.5  # its square has lost digits to underflow
    there = objective.project(tree_map(lambda x: xp.where(xp.abs(x) <= least, xp.zeros_like(x), x), params))
    found: Params = select((size < least) & (_size(objective, there) < size), there, params)
    return found


def _size(objective: Objective, params: Params) -> Array:
    """The largest entry of the residual, in its unit."""
    size = largest(list(objective.residual(params).values()))
    return size if objective.pow2_scales is None else scale_down(size, objective.pow2_scales["."])
