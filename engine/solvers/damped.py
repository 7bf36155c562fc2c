"""Damped steps on a local model: (H + mu D) u = -g, with mu by the gain ratio and D by the columns.

Needs `trust_region` to try a step. What the model is, is the solver's business.

Source:
    Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05, section 4; More, The Levenberg-Marquardt
    algorithm: implementation and theory, section 6 (scaling). Transtrum and Sethna, Improvements to the
    Levenberg-Marquardt algorithm for nonlinear least-squares minimization, arXiv 1201.5885, section 4 (geodesic acceleration).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from backends.types import Array, Scalar, State, array_namespace
from engine.curvature import is_ill, second_directional, solve, structure_of
from engine.objective import Objective, Params
from engine.solvers.trust_region import ModelAt, TrustRegionState, init_state, trial_step
from engine.tangent import Tangent

HELD = 16.0
"""Over this many times what its gradient's rounding could move it, a column is as long as it says."""

BEND = 1.5
"""The longest acceleration, twice over, as a share of the velocity: twice the alpha of Transtrum and Sethna, which costs
easy fits a fifth more steps and wins nothing on certified ones."""

NET_REJECTIONS = 2.0
"""Excess of rejected over well-predicted trials above which geodesic acceleration is used."""


@dataclass(frozen=True, eq=False)
class DampedState(TrustRegionState):
    """The state of damped steps.

    Fields:
        mu: the damping, relative to the columns' lengths.
        nu: the factor of mu at the next rejection (Nielsen).
        net_rejections: rejected trials in excess of well-predicted ones, 0 or more.
        linear: whether the last step went as the model said.
    """

    mu: Scalar
    nu: Scalar
    net_rejections: Scalar
    linear: Scalar


def damped_init(objective: Objective, params: Params, damping: float, evaluate: ModelAt) -> DampedState:
    """The model at the start, and the first mu: of an exact problem the smaller, the nearer the start is to a solution."""
    state = init_state(objective, params, evaluate)
    xp = array_namespace(state.loss)
    one = xp.ones_like(state.loss)
    near = xp.minimum(one, state.optimality) if objective.problem.exact else one
    least = one * float(xp.finfo(one.dtype).eps)
    return DampedState(**vars(state), mu=xp.maximum(damping * near, least), nu=one * 2, net_rejections=one * 0, linear=one > 0)


def damped_step(objective: Objective, state: State, evaluate: ModelAt, geodesic_acceleration: bool = False) -> DampedState:
    """One trial, and the next mu; with `geodesic_acceleration` along a parabola where straight steps fail.

    Then the residual must not be too far from a plane, either: a step whose bend is long is not taken.
    """
    before = DampedState.of(state)
    model, tangent = before.model, Tangent(objective, before.params)
    gradient, blocks = model.gradient, model.blocks
    structure, free = structure_of(objective, tangent), tangent.inactive_mask(gradient)
    shift = _shift(objective, before)
    u, inflation = solve(blocks, structure, shift, -gradient, free)
    mu, nu, net_rejections = before.mu, before.nu, before.net_rejections
    xp = array_namespace(mu)
    gain = bend = allowed = None
    if model.newton is not None:
        u, gain = _by_factors(before, u)
    if geodesic_acceleration:
        bend, _ = solve(blocks, structure, shift, -second_directional(objective, tangent, u), free)
        bend, allowed = _limited(bend / 2, u, before.scale, net_rejections >= NET_REJECTIONS)
    exact = objective.problem.exact
    after, accepted, ratio = trial_step(objective, before, u, gain, evaluate, bend, allowed, exact)
    eps, one = float(xp.finfo(mu.dtype).eps), xp.ones_like(mu)
    shrink = xp.where(ratio > 0.9, one / 10, xp.maximum(one / 3, 1 - (2 * ratio - 1) ** 3))
    shrink = xp.minimum(shrink, 2 * one)
    least = eps * eps  # a column may have become far shorter than it was
    mu = xp.where(accepted, xp.maximum(mu * shrink, one * least), mu * nu)
    ill = after.ill | is_ill(inflation) if exact and after.model.newton is not None else after.ill
    linear = accepted & (ratio > 0.9)
    less = xp.where(ratio > 0.75, xp.maximum(net_rejections - 1, 0 * one), net_rejections)
    nu, net_rejections = xp.where(accepted, 2 * one, 2 * nu), xp.where(accepted, less, net_rejections + 1)
    return replace(after, mu=mu, nu=nu, ill=ill, linear=linear, net_rejections=net_rejections)


def _by_factors(state: DampedState, u: Array) -> tuple[Array, Array]:
    """The step and what the model promises of it: where normal equations lose its digits the Newton step, shortened.

    It is not damped column by column, so that it is for lanes whose last step went as the model said.
    """
    xp = array_namespace(u)
    model, length = state.model, 1 / (1 + state.mu)
    assert model.ill is not None and model.newton is not None and model.decrement is not None
    use = model.ill & state.linear
    gain = (2 - length) * length * model.decrement
    return xp.where(use, length * model.newton, u), xp.where(use, gain, xp.ones_like(gain) * float("nan"))


def _limited(bend: Array, u: Array, scale: Array, wanted: Array) -> tuple[Array, Array]:
    """A bend that is wanted and finite, else none, and whether it is short beside the step, in the units of the columns."""
    xp = array_namespace(u)
    bend = xp.where(wanted, bend, xp.zeros_like(bend))
    bend = xp.where(xp.isfinite(xp.sum(bend)), bend, xp.zeros_like(bend))
    return bend, xp.sum(scale * bend * bend) <= (BEND / 4) ** 2 * xp.sum(scale * u * u)


def _shift(objective: Objective, state: DampedState) -> Array:
    """mu D, and in an exact problem what holds columns that rounding would move.

    There rounding makes gradients of eps |J| |r|, and curvature of eps |J| times the length that a
    column was known to have: a column so short that they would move it far, beside the size of its parameter or the step
    that the longest column takes, is held. |J| is that of the column's own parameter, whatever the units of the others.
    """
    scale = state.scale
    xp = array_namespace(scale)
    info = xp.finfo(scale.dtype)
    if not scale.shape[0]:
        nothing: Array = scale
        return nothing
    eps, tiny, mu = float(info.eps), float(info.smallest_normal), state.mu
    if not objective.problem.exact:
        alone: Array = mu * (scale + tiny)
        return alone
    tangent, parts = Tangent(objective, state.params), []
    typical_scale = tangent.typical_scale()
    for own in tangent.slices.values():
        if own.stop > own.start:
            most = xp.max(scale[own])
            far = xp.minimum(most, xp.sqrt(most * state.loss) / (xp.max(typical_scale[own]) + tiny))
            rounding = HELD * far + 4 * xp.sqrt(most * state.column_norms_sq[own])
            parts.append(mu * (scale[own] + (eps * most + tiny)) + eps * rounding)
    return parts[0] if len(parts) == 1 else xp.concat(parts)
