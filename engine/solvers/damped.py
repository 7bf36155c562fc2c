"""Damped steps on a local model: (H + mu D) u = -g, with mu by the gain ratio and D by the columns.

Needs `trial` to try a step. What the model is, is the solver's business.

Source:
    Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05, section 4; More, The Levenberg-Marquardt
    algorithm: implementation and theory, section 6 (scaling).
"""

from __future__ import annotations

from typing import Any

from array_api_compat import array_namespace

from engine.curvature import solve, structure_of
from engine.objective import Array, Objective, Params
from engine.solvers.base import State
from engine.solvers.trial import Evaluate, begin, judge
from engine.tangent import Tangent


def damped_init(objective: Objective, params: Params, damping: Any, evaluate: Evaluate) -> State:
    """The model at the start, and the first mu."""
    state = begin(objective, params, evaluate)
    one = array_namespace(state["loss"]).ones_like(state["loss"])
    return state | {"mu": one * damping, "growth": one * 2}


def damped_step(objective: Objective, state: State, evaluate: Evaluate) -> State:
    """One trial, and the next mu."""
    tangent = Tangent(objective, state["params"])
    gradient, blocks = state["model"]["gradient"], state["model"]["blocks"]
    u, _ = solve(blocks, structure_of(objective, tangent), _shift(state), -gradient, tangent.free(gradient))
    mu, growth = state["mu"], state["growth"]
    state, accepted, ratio = judge(objective, state, u, evaluate)
    xp = array_namespace(mu)
    eps, one = float(xp.finfo(mu.dtype).eps), xp.ones_like(mu)
    shrink = xp.where(ratio > 0.9, one / 10, xp.maximum(one / 3, 1 - (2 * ratio - 1) ** 3))
    shrink = xp.minimum(shrink, 2 * one)
    state = state | {"mu": xp.where(accepted, xp.maximum(mu * shrink, one * eps), mu * growth)}
    return state | {"growth": xp.where(accepted, 2 * one, 2 * growth)}


def _shift(state: State) -> Array:
    """mu D; a column of zeros has the smallest D that rounding knows."""
    scale = state["scale"]
    xp = array_namespace(scale)
    info = xp.finfo(scale.dtype)
    if not scale.shape[0]:
        return scale
    return state["mu"] * (scale + (float(info.eps) * xp.max(scale) + float(info.smallest_normal)))
