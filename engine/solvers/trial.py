"""Trial steps on a local model, for the solvers that have one: try, judge by the gain ratio, keep or reject.

Needs `curvature` for the model. One call is one trial: the model is taken at the trial point, and where the trial is
accepted it becomes the state. The state holds the params (always the best so far), their model, and what `Lane`
reads to stop a lane: `figure`, `halving` (the last step halved it; of an exact problem, where all digits are asked for, the
last few together) and `stuck` (no more progress can be told from rounding, by the loss or by the figure: of a loss that is
not 0 at its minimum, the gradient has twice its digits).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace

from backends.tree import tree_map
from engine.curvature import Model, apply, diagonal, structure_of
from engine.objective import Array, Objective, Params, at_zero, zero
from engine.solvers.base import State
from engine.tangent import Tangent, in_units, rows

NOISE = 8.0
"""Changes of the loss below this many units in the last place say nothing."""

PROGRESS = 0.9
"""Where the loss says nothing, a step that leaves more than this share of the figure is no progress."""

IDLE = 3
"""Trials without progress at rounding level after which a lane is stuck: a shorter or damped step may still help."""

FAINT = 16.0
"""Units in the last place of the square of the longest column, beside which another one's square says nothing."""

HALVED = 6
"""Steps in which an exact problem's figure is halved, or it need not be: close eigenvalues take some to come apart."""

Evaluate = Callable[[Objective, Params, "Array | None"], Model]


def begin(objective: Objective, params: Params, evaluate: Evaluate) -> State:
    """The state at the start."""
    model = evaluate(objective, params, None)
    tangent = Tangent(objective, params)
    spread = diagonal(model["blocks"], structure_of(objective, tangent))
    xp = array_namespace(model["loss"])
    never = zero(model["loss"]) > 0
    reference = _reference(objective, params, model["loss"])
    state = {"params": params, "model": model, "scale": _scale(tangent, spread), "reference": reference}
    state |= {
        "halving": never,
        "stuck": never,
        "idle": zero(model["loss"]),
        "since": zero(model["loss"]),
        "squares": spread * 0 + _largest(xp.abs(spread)),
        "loss": model["loss"],
    }
    now = figure(objective, params, model, reference)
    return state | {"figure": now, "mark": now}


def judge(
    objective: Objective, state: State, u: Array, evaluate: Evaluate, bend: Array | None = None,
    allowed: Array | None = None, lends: bool = False,
) -> tuple[State, Array, Array]:  # fmt: skip
    """Try a step: the state after it, whether it was accepted, and the gain ratio (1 within rounding).

    The gain is that of the model along u; the step goes along u + bend. Where it is not allowed it is rejected.
    With `lends` a rejected point close by leaves its curvature, which knew more of the lengths of columns.
    """
    params, model = state["params"], state["model"]
    tangent = Tangent(objective, params)
    structure = structure_of(objective, tangent)
    moved = tangent.move(u if bend is None else u + bend)
    taken = tangent.taken(moved, u)
    xp = array_namespace(u)
    gain = -(2 * xp.sum(model["gradient"] * taken) + xp.sum(taken * apply(model["blocks"], structure, taken)))
    squares = xp.abs(diagonal(model["blocks"], structure))
    after = evaluate(objective, moved, squares)
    now = figure(objective, moved, after, state["reference"])
    loss, trial = model["loss"], after["loss"]
    noise = NOISE * float(xp.finfo(u.dtype).eps) * _known(objective, loss, state["reference"])
    spread = diagonal(after["blocks"], structure)
    finite = xp.isfinite(trial + xp.sum(spread) + xp.sum(after["gradient"]))
    accepted = finite & ((trial < loss) | ((trial <= loss + noise) & (now < state["figure"])))
    ratio = xp.where(gain > noise, (loss - trial) / xp.where(gain > noise, gain, noise + 1), gain * 0 + 1)
    accepted = accepted if allowed is None else accepted & allowed
    exact = objective.problem.exact
    halved = accepted & (now <= state["mark" if exact else "figure"] / 2)
    since = xp.where(halved, gain * 0, state["since"] + 1)
    # a clipped step may lose where a shorter one may not
    idle = (xp.abs(gain) <= noise) & ~(accepted & (now < PROGRESS * state["figure"]))
    idle = xp.where(idle, state["idle"] + 1, gain * 0)
    kept = select(accepted, {"params": moved, "model": after}, {"params": params, "model": model})
    known = accepted
    if lends:
        known = accepted | (finite & (trial <= 2 * loss))
        kept["model"] = kept["model"] | {"blocks": select(known, after["blocks"], model["blocks"])}
    state = state | kept | {
        "scale": xp.where(accepted, xp.maximum(state["scale"], _scale(Tangent(objective, moved), spread)), state["scale"]),
        "figure": xp.where(accepted, now, state["figure"]),
        "since": since,
        "halving": since < (HALVED if exact else 1),
        "mark": xp.where(halved, now, state["mark"]),
        "idle": idle,
        "squares": xp.where(known, squares, state["squares"]),
        "stuck": idle >= IDLE,
        "loss": loss,
    }  # fmt: skip
    return state, accepted, ratio


def figure(objective: Objective, params: Params, model: Model, reference: Array) -> Array:
    """What `tol` is compared with, from what the model holds; `certificate` has the definitions.

    The size of the terms of the residual is taken from the diagonal of J'J and the params' magnitudes.
    """
    tangent = Tangent(objective, params)
    spread = diagonal(model["blocks"], structure_of(objective, tangent))
    xp = array_namespace(spread)
    spread = xp.abs(spread)  # a Hessian's may be negative
    loss, magnitude = model["loss"], tangent.magnitude()
    if objective.problem.residual is None:
        large = 2 * _slope(tangent, model) * xp.maximum(magnitude, xp.ones_like(magnitude))
        return _ratio(_largest(large), xp.maximum(xp.abs(loss), reference))
    backward = _ratio(loss, xp.sum(spread * magnitude * magnitude) + reference)
    return xp.sqrt(backward if objective.problem.exact else xp.minimum(backward, _squared(tangent, model)))


def angle(objective: Objective, params: Params, model: Model) -> Array:
    """`certificate.cosine` by what the model holds."""
    squared = _squared(Tangent(objective, params), model)
    return array_namespace(squared).sqrt(squared)


def _squared(tangent: Tangent, model: Model) -> Array:
    """The angle's square: a root and a quotient for each column would take longer than the rest of it."""
    spread = diagonal(model["blocks"], structure_of(tangent.objective, tangent))
    slope = _slope(tangent, model)
    return _largest(_ratio(slope * slope, array_namespace(spread).abs(spread) * model["loss"]))


def _slope(tangent: Tangent, model: Model) -> Array:
    """|gradient| where a step against it may go, 0 elsewhere."""
    gradient = model["gradient"]
    free = tangent.free(gradient)
    return array_namespace(gradient).abs(gradient if free is None else gradient * free)


def _scale(tangent: Tangent, spread: Array) -> Array:
    """The squares of the columns' lengths, by the diagonal of the curvature: what a step is damped by.

    Where the residual need not vanish, a column that is mere rounding of the others, or zeros, would let its parameter go
    anywhere: it counts as as long as `FAINT` says. Beside the others it is asked for in the units of the residual, by the
    size of the parameter; where that passes through 0, by the longest column.
    """
    xp = array_namespace(spread)
    spread = xp.abs(spread)
    problem = tangent.objective.problem
    if problem.residual is None or problem.exact or not spread.shape[0]:
        return spread
    magnitude = tangent.magnitude()
    squares = magnitude * magnitude
    most, moving = xp.max(spread), xp.max(spread * squares)
    beside = xp.where(moving < most * squares, moving / xp.where(squares > 0, squares, xp.ones_like(squares)), most)
    return xp.maximum(spread, FAINT * float(xp.finfo(spread.dtype).eps) * beside)


def select(condition: Array, yes: Any, no: Any) -> Any:
    """where(condition, yes, no), leaf by leaf."""
    return tree_map(lambda a, b: array_namespace(a, b).where(condition, a, b), yes, no)


def _reference(objective: Objective, params: Params, loss: Array) -> Array:
    """What the loss is compared with: of a residual problem that of zero params, else 1 or the start's, the smaller."""
    xp = array_namespace(loss)
    if objective.problem.residual is None:
        return xp.minimum(xp.abs(loss), xp.ones_like(loss))
    vector, factor = rows(objective, in_units(objective, at_zero(objective, params)))
    return factor * xp.sum(vector * vector)


def _known(objective: Objective, loss: Array, reference: Array) -> Array:
    """What the loss's rounding is relative to: a residual that stays carries that of the terms whose difference it is."""
    xp = array_namespace(loss)
    if objective.problem.residual is None or objective.problem.exact:
        return xp.abs(loss)
    return xp.maximum(loss, xp.sqrt(loss * reference))


def _largest(values: Array) -> Array:
    xp = array_namespace(values)
    return xp.max(values) if values.shape[0] else xp.sum(values)


def _ratio(above: Array, below: Array) -> Array:
    """above / below, with 0 / 0 = 0."""
    xp = array_namespace(above)
    return xp.where(above == 0, xp.zeros_like(above), above / xp.where(below == 0, xp.ones_like(below), below))
