"""Trial steps on a local model, for the solvers that have one: try, compare with the model, keep or reject.

Needs `curvature` for the model. One call is one trial: the model is taken at the trial point, and where the trial is
accepted it becomes the state. The state holds the params (always the best so far), their model, and what `Lane`
reads to stop a lane: `optimality`, `halving` (the last step halved it; of an exact problem, where all digits are asked for,
one of the last few), `rate` (the share of it that the last step left, where the residual may stay) and `stuck` (neither
the loss nor the optimality improves by more than rounding error).

Source:
    Nocedal and Wright, Numerical Optimization, section 4.1 (gain ratio); More, The Levenberg-Marquardt algorithm:
    implementation and theory, section 6 (scaling).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from backends.record import Record
from backends.types import Array, Scalar, Vector, array_namespace
from engine.certificate.decrement import whole_of
from engine.curvature import Model, apply, diagonal, structure_of
from engine.objective import Objective, Params, at_zero, zero
from engine.params import select
from engine.tangent import Tangent, rows, scaled_down

NOISE = 8.0
"""Changes of the loss below this many units in the last place say nothing."""

PROGRESS = 0.9
"""Share of the optimality above which a step that leaves it is no progress, if rounding hides the change of the loss."""

STALLED_TRIALS = 3
"""Trials without progress at rounding level after which a lane is stuck: a shorter or damped step may still help."""

FAINT = 16.0
"""Units in the last place of the loss, beside which the square of a column says nothing."""

LEVEL = 1e-3
"""Share of the steepest slope that every coordinate counts as having where a loss has no curvature."""

HALVED = 6
"""Steps in which an exact problem's optimality is halved, or it need not be: close eigenvalues take some to come apart."""

ModelAt = Callable[[Objective, Params, "Array | None", Array], Model]


@dataclass(frozen=True, eq=False)
class TrustRegionState(Record):
    """The state of a solver that tries steps on a local model.

    Fields:
        params: the best so far.
        model: at the params.
        scale: the largest squared lengths of J's columns so far, `(size,)`.
        size: the largest magnitudes of the params so far, `(size,)`; none in an exact problem.
        rate: the share of the optimality that the last step left; none in an exact problem.
        reference: the loss, or the squared size of the residual's terms, that a loss is compared with.
        halving: whether the last steps still halved the optimality.
        stuck: whether neither the loss nor the optimality improves by more than rounding error.
        ill: whether the normal equations lose too many digits of a step.
        stalled_trials: trials without progress, in a row.
        steps_since_halved: trials since the optimality was halved.
        column_norms_sq: the squared lengths of J's columns where they were last known well, `(size,)`.
        loss: that of the params before the trial.
        optimality: the scalar that `tol` is compared with.
        last_halved: the optimality when it was last halved.
        slope: the measure that decides where the loss is silent.
    """

    params: Params
    model: Model
    scale: Vector
    size: Vector | None
    rate: Scalar | None
    reference: Scalar
    halving: Scalar
    stuck: Scalar
    ill: Scalar
    stalled_trials: Scalar
    steps_since_halved: Scalar
    column_norms_sq: Vector
    loss: Scalar
    optimality: Scalar
    last_halved: Scalar
    slope: Scalar


S = TypeVar("S", bound=TrustRegionState)


def init_state(objective: Objective, params: Params, evaluate: ModelAt) -> TrustRegionState:
    """The state at the start."""
    never = zero(next(iter(params.values()))) > 0
    model = evaluate(objective, params, None, never)
    tangent = Tangent(objective, params)
    diag = diagonal(model.blocks, structure_of(objective, tangent))
    xp = array_namespace(diag)
    size = tangent.typical_scale()
    scale = _scale(tangent, model, diag, size)
    rate = None if objective.problem.exact else zero(model.loss)
    reference = _reference(objective, params, model.loss)
    stalled_trials, steps_since_halved = zero(model.loss), zero(model.loss)
    column_norms_sq = diag * 0 + _largest(xp.abs(diag))
    now = optimality(objective, params, model, reference)
    return TrustRegionState(
        params=params,
        model=model,
        scale=scale,
        size=None if objective.problem.exact else size,
        rate=rate,
        reference=reference,
        halving=never,
        stuck=never,
        ill=never,
        stalled_trials=stalled_trials,
        steps_since_halved=steps_since_halved,
        column_norms_sq=column_norms_sq,
        loss=model.loss,
        optimality=now,
        last_halved=now,
        slope=_slope(objective, params, model, now),
    )


def trial_step(
    objective: Objective, state: S, u: Array, gain: Array | None, evaluate: ModelAt, bend: Array | None = None,
    allowed: Array | None = None, keep_rejected_curvature: bool = False,
) -> tuple[S, Array, Array]:  # fmt: skip
    """Try a step: the state after it, whether it was accepted, and the gain ratio (1 within rounding).

    The gain is that of the model along u, or as given where it is not NaN; the step goes along u + bend. Where it is not
    allowed it is rejected. With `keep_rejected_curvature` a rejected point close by leaves its curvature, which knew more
    of the lengths of columns.
    """
    params, model = state.params, state.model
    tangent = Tangent(objective, params)
    structure = structure_of(objective, tangent)
    moved = tangent.move(u if bend is None else u + bend)
    gain = _gain(tangent, model, tangent.effective_step(moved, u), gain)
    xp = array_namespace(gain)
    column_norms_sq = xp.abs(diagonal(model.blocks, structure))
    after = evaluate(objective, moved, column_norms_sq, state.ill)
    now = optimality(objective, moved, after, state.reference)
    slope = _slope(objective, moved, after, now)
    loss, trial = model.loss, after.loss
    noise = NOISE * float(xp.finfo(loss.dtype).eps) * _known(objective, params, model, state.reference)
    diag = diagonal(after.blocks, structure)
    finite = _all_finite([trial, diag, after.gradient, *moved.values()])
    accepted = finite & ((trial < loss) | ((trial <= loss + noise) & (slope < state.slope)))
    accepted = accepted if allowed is None else accepted & allowed
    kept, kept_model = select(accepted, (moved, after), (params, model))
    known = accepted
    if keep_rejected_curvature:
        known = accepted | (finite & (trial <= 2 * loss))
        kept_model = replace(kept_model, blocks=select(known, after.blocks, model.blocks))
    there = Tangent(objective, moved)
    rate, size = state.rate, state.size
    if rate is not None and size is not None:
        rate = xp.where(accepted, _ratio(now, state.optimality), rate)
        size = xp.where(accepted, xp.maximum(size, there.typical_scale()), size)
    scale = xp.maximum(state.scale, _scale(there, after, diag, diag if size is None else size))
    tried = replace(
        state,
        params=kept,
        model=kept_model,
        size=size,
        rate=rate,
        slope=xp.where(accepted, slope, state.slope),
        scale=xp.where(accepted, scale, state.scale),
        column_norms_sq=xp.where(known, column_norms_sq, state.column_norms_sq),
        loss=loss,
    )
    ratio = xp.where(gain > noise, (loss - trial) / xp.where(gain > noise, gain, noise + 1), gain * 0 + 1)
    return _progress(objective, tried, accepted, now, xp.abs(gain) <= noise, loss - trial > noise), accepted, ratio


def _progress(objective: Objective, state: S, accepted: Array, now: Array, silent: Array, lower: Array) -> S:
    """The optimality, and whether a lane is still on its way: lower by more than rounding, or nearer to optimal.

    A trial that was rejected says nothing where the model had promised more than rounding: a shorter one may do.
    """
    xp = array_namespace(now)
    exact = objective.problem.exact
    halved = accepted & (now <= (state.last_halved if exact else state.optimality) / 2)
    steps_since_halved = xp.where(halved, now * 0, state.steps_since_halved + 1)
    ahead = accepted & (lower | (now < PROGRESS * state.optimality))
    stalled = (silent | accepted) & ~ahead
    stalled_trials = xp.where(ahead, now * 0, xp.where(stalled, state.stalled_trials + 1, state.stalled_trials))
    return replace(
        state,
        optimality=xp.where(accepted, now, state.optimality),
        steps_since_halved=steps_since_halved,
        halving=steps_since_halved < (HALVED if exact else 1),
        last_halved=xp.where(halved, now, state.last_halved),
        stalled_trials=stalled_trials,
        stuck=stalled_trials >= STALLED_TRIALS,
    )


def optimality(objective: Objective, params: Params, model: Model, reference: Array) -> Array:
    """The optimality, which `tol` is compared with, by the entries of the model; `certificate` has the definitions.

    The size of the terms of an exact problem's residual is taken from the diagonal of J'J and the params' magnitudes.
    """
    loss = model.loss
    xp = array_namespace(loss)
    if objective.problem.residual is None:
        return xp.sqrt(_ratio(xp.maximum(_decrement(model), 0 * loss), whole_of(loss, reference)))
    if not objective.problem.exact:
        return xp.sqrt(_ratio(xp.maximum(_decrement(model), 0 * loss), loss))
    return xp.sqrt(_ratio(loss, _terms(objective, params, model, reference)))


def _decrement(model: Model) -> Array:
    """The decrement of a model that has one: all have but those of exact problems by products."""
    assert model.decrement is not None
    return model.decrement


def cosine(objective: Objective, params: Params, model: Model) -> Array:
    """The largest cosine between residual and a column of J, as in `certificate.estimate`, by what the model holds."""
    squared = _squared_cosine(objective, params, model)
    return array_namespace(squared).sqrt(squared)


def _squared_cosine(objective: Objective, params: Params, model: Model) -> Array:
    tangent = Tangent(objective, params)
    diag = diagonal(model.blocks, structure_of(objective, tangent))
    slope = tangent.opened(model.gradient)
    return _largest(_ratio(slope * slope, array_namespace(slope).abs(diag) * model.loss))


def _slope(objective: Objective, params: Params, model: Model, now: Array) -> Array:
    """The measure that tells whether a step went down if rounding hides the change of the loss.

    Of least squares the cosine, which takes no solve: the next step need not wait for the optimality.
    """
    problem = objective.problem
    return now if problem.exact or problem.residual is None else _squared_cosine(objective, params, model)


def _gain(tangent: Tangent, model: Model, taken: Array, given: Array | None) -> Array:
    """The reduction of the loss that the model promises of a step."""
    xp = array_namespace(taken)
    curved = apply(model.blocks, structure_of(tangent.objective, tangent), taken)
    gain = -(2 * xp.sum(model.gradient * taken) + xp.sum(taken * curved))
    return gain if given is None else xp.where(xp.isnan(given), gain, given)


def _scale(tangent: Tangent, model: Model, diag: Array, size: Array) -> Array:
    """The squares of the columns' lengths, by the diagonal of the curvature: what a step is damped by.

    Where the residual need not vanish, a column that is rounding of the residual's terms would let its parameter go
    anywhere: it counts as long enough to make `FAINT` of them, by the largest size that the parameter had. Where a loss has
    no curvature, damping of 1 makes a step that would remove the loss, were it linear; along a coordinate that it hardly
    slopes in, no farther than 1 / `LEVEL` times as far as along the others, by the params' sizes, or 1 where they are 0.
    """
    xp = array_namespace(diag)
    diag = xp.abs(diag)
    problem = tangent.objective.problem
    if problem.exact or not diag.shape[0]:
        return diag
    if problem.residual is None:
        loss, slope, sizes = xp.abs(model.loss), xp.abs(model.gradient), xp.where(size > 0, size, xp.ones_like(size))
        slope = xp.maximum(slope, LEVEL * xp.max(slope * sizes) / sizes)
        return xp.maximum(diag, xp.where(loss > 0, 2 * slope * slope / xp.where(loss > 0, loss, loss + 1), 0 * slope))
    size_sq = size * size
    moving = FAINT * float(xp.finfo(diag.dtype).eps) * xp.max(diag * size_sq)
    return xp.maximum(diag, xp.where(size_sq > 0, moving / xp.where(size_sq > 0, size_sq, size_sq + 1), 0 * size_sq))


def _all_finite(arrays: list[Array]) -> Array:
    """Whether every entry is finite; a sum of finite numbers that overflows counts as not."""
    sums = [array_namespace(a).sum(a) for a in arrays]
    return array_namespace(*sums).isfinite(sum(sums[1:], start=sums[0]))


def _reference(objective: Objective, params: Params, loss: Array) -> Array:
    """The reference of the loss: of a residual problem the loss of zero params, else the loss at the start."""
    if objective.problem.residual is None:
        return loss
    vector, factor = rows(objective, scaled_down(objective, at_zero(objective, params)))
    found: Array = factor * array_namespace(vector).sum(vector * vector)
    return found


def _known(objective: Objective, params: Params, model: Model, reference: Array) -> Array:
    """The size to which the loss's rounding is relative: a residual that stays carries that of the terms whose difference it is."""
    loss = model.loss
    xp = array_namespace(loss)
    if objective.problem.residual is None or objective.problem.exact:
        return xp.abs(loss)
    return xp.maximum(loss, xp.sqrt(loss * _terms(objective, params, model, reference)))


def _terms(objective: Objective, params: Params, model: Model, reference: Array) -> Array:
    """The squared size of the terms of a residual: J's columns, each times its parameter, and the residual of zero params."""
    tangent = Tangent(objective, params)
    diag, typical_scale = diagonal(model.blocks, structure_of(objective, tangent)), tangent.typical_scale()
    xp = array_namespace(diag)
    own = xp.sum(xp.abs(diag) * typical_scale * typical_scale)
    if objective.problem.exact:  # zero params may be far away, and a residual there larger than any of its terms here
        reference = xp.minimum(reference, own + model.loss)
    return own + reference


def _largest(values: Array) -> Array:
    xp = array_namespace(values)
    return xp.max(values) if values.shape[0] else xp.sum(values)


def _ratio(above: Array, below: Array) -> Array:
    """above / below, with 0 / 0 = 0."""
    xp = array_namespace(above)
    return xp.where(above == 0, xp.zeros_like(above), above / xp.where(below == 0, xp.ones_like(below), below))
