"""The verdict on each lane: would anybody who goes on from its answer see a difference?

The judge goes on from the returned params in extended precision (`descent`) and compares.

Loss. A CONVERGED lane is false if the loss falls by more than 1e-4 (float64) or 1e-2 (float32) of itself, and by more than
rounding. "Itself" is for a sum of squares its value. For a plain loss, to which a constant may be added, it is the smaller
of its value and of all that was removed since the start; the latter counts as the root of the working precision, relative to
the loss, at least, as no quadratic minimum is known better from values.

Params. It is false if a param of a sum of squares moves by more than a hundredth of its standard error, and by more than
rounding; if the param of a plain loss, which has no standard errors, moves by more than a hundredth of its size while the
loss falls by more than rounding; and if a param has no effect: its column of the Jacobian times its size (of a plain loss: a
move by a hundredth, float32: 0.3, of its size, either way) is less than rounding. Params of a plain loss over a thousand
times their usual size have no effect if their common factor has none.

Rounding. rho is how far the terms of the loss move when every param and datum moves by one unit in the last place of the
working precision, root mean square over random signs, at the answer or at the point found, where that is less. An engine that
works in that precision computes terms no closer, and its data are known no closer; a sum of a few operations, each rounded,
moves by a few times that: FACTOR = 8. A loss may then be off by 2 |r . 8 rho| + |8 rho|^2, with random signs in the first
term, and by the square of a unit of the loss at the start; a param by the longest move that a change of the residuals as long as 8 rho makes of it, |8 rho| sqrt((J'J)^-1_kk),
plus eight units in its last place.

The reverse. A lane is at the minimum if it would pass as CONVERGED; if no param is still on its way, by more than 1e-3 of its
size, nor near an open end of its set (the minimum may lie there, or at infinity); and if its loss is, within the same bound,
not above the one reached from the generating params, certified values or a closed form. Any other status is then a false
failure; but UNDETERMINED is right where a param has no effect or the scaled Jacobian (the Hessian of a plain loss) is singular
to 64 units of rounding. A CONVERGED lane at another local minimum is right: the judge crosses no barrier.

Source of the standard errors: Bates and Watts, Nonlinear Regression Analysis and Its Applications, section 2.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.honesty import linear
from bench.honesty.descent import FEW, STEPS, descend, go_on
from bench.honesty.objective import STEP, Objective

Array = Any

FACTOR = 8
"""Units of rounding by which an answer may be off."""

FALL = {"float64": 1e-4, "float32": 1e-2}
"""Share of the loss that going on may remove."""

MOVE = 1e-2
"""Standard errors by which a param may move; of a plain loss, shares of its size."""

SINGULAR = 64
"""Units of rounding below which the least singular value of the scaled Jacobian counts as 0."""

PART = {"float64": 1e-2, "float32": 0.3}
"""Share of a param's size within which it must have an effect on a plain loss; its square is far above rounding."""

FAR = 1e3
"""Times its usual size from which a param counts as on its way to infinity, unless the loss rises along its common factor."""

SETTLED = 1e-3
"""Share of a param's size by which it moves at most if the minimum is near."""


@dataclass(frozen=True)
class Verdict:
    """Of lanes, `(lanes,)` each, as if all were CONVERGED.

    Attributes:
        fall: share of the loss, beyond rounding, that going on removes.
        move: largest move of a param beyond rounding, in standard errors (of a plain loss: in its size).
        useless: whether a param has no effect.
        singular: whether the data do not determine the params to working precision.
        travel: largest move of a param relative to its size.
        best: the point found, `(lanes, size)`, and its loss, `loss`.
        allowed: rounding of the loss.
        unit: the loss "itself".
        limit: bound of `fall`.
    """

    fall: Array
    move: Array
    useless: Array
    singular: Array
    travel: Array
    best: Array
    loss: Array
    allowed: Array
    unit: Array
    limit: float

    @property
    def wrong(self) -> Array:
        """Lanes that CONVERGED would be false of."""
        return ~(self.fall <= self.limit) | ~(self.move <= MOVE) | self.useless

    def take(self, rows: Array) -> Verdict:
        """Of some lanes."""
        return Verdict(**{name: value if name == "limit" else value[rows] for name, value in vars(self).items()})

    def reason(self, lane: int) -> str:
        """Why CONVERGED would be false."""
        parts = [f"going on removes {self.fall[lane]:.3g} of the loss"] if not self.fall[lane] <= self.limit else []
        parts += [f"a param moves by {self.move[lane]:.3g}"] if not self.move[lane] <= MOVE else []
        return "; ".join(parts + ["a param has no effect"] * bool(self.useless[lane]))


@np.errstate(all="ignore")
def judge(
    objective: Objective,
    answer: Array,
    start: Array,
    points: Array,
    claimed: Array,
    rng: np.random.Generator,
    convex: Array | None = None,
) -> Verdict:
    """Go on from each answer `(lanes, size)` and compare.

    `start` is where the engine began, `points` how many residuals count, `claimed` whether the lane is called a success,
    `(lanes,)`: others are followed for a few steps only. `convex` holds the minima of a convex loss, `(lanes, size)`: another
    candidate for going on.
    """
    z = objective.space.project(np.asarray(answer, np.longdouble))
    value = objective.value(z)
    first = objective.value(objective.space.project(np.asarray(start, np.longdouble)))
    root = np.sqrt(np.finfo(objective.dtype).eps) * np.abs(value)
    scale = np.full(len(z), np.inf) if objective.squares else np.minimum(np.abs(value), np.maximum(first - value, root))
    best = go_on(objective, z, scale, np.where(claimed, STEPS, FEW), rng)
    if convex is not None:
        lower = objective.value(convex) < objective.value(best)
        best = np.where(lower[:, None], convex, best)
    loss = objective.value(best)
    times = 1.0 if objective.squares else FACTOR  # a minimum of a plain loss moves with the square of a move
    rho = np.minimum(objective.rounding(z, rng, times), objective.rounding(best, rng, times)) / times
    allowed = _allowed(objective, best, rho) + np.finfo(objective.dtype).eps ** 2 * np.abs(first)
    unit = np.abs(value) if objective.squares else np.minimum(np.abs(value), np.maximum(first - loss, root))
    fall = np.where(value - loss <= allowed, 0, (value - loss - allowed) / unit)
    fall = np.where(np.isfinite(value), fall, np.inf)
    measure = _squares_move if objective.squares else _plain_move
    move, singular = measure(objective, z, best, rho, points)
    move = move if objective.squares else np.where(value - loss > allowed, move, 0)
    travel = (np.abs(z - best) / np.maximum(np.maximum(np.abs(z), np.abs(best)), objective.typical)).max(axis=1)
    useless = _useless(objective, z, rho)
    return Verdict(fall, move, useless, singular, travel, best, loss, allowed, unit, FALL[objective.dtype])


def _allowed(objective: Objective, z: Array, rho: Array) -> Array:
    """How far a loss may be off by rounding."""
    if not objective.squares:
        return FACTOR * (rho[:, 0] + objective.spacing(objective.value(z)))
    cross = np.sqrt(((objective.terms(z) * rho) ** 2).sum(axis=1))
    return 2 * FACTOR * cross + FACTOR**2 * (rho * rho).sum(axis=1)


def _squares_move(objective: Objective, z: Array, best: Array, rho: Array, points: Array) -> tuple[Array, Array]:
    """The largest move in standard errors beyond rounding, and whether the scaled Jacobian is singular."""
    jacobian = objective.jacobian(best)
    lengths = linear.norm(jacobian, axis=1)
    lengths = np.where(lengths > 0, lengths, 1)
    scaled = jacobian / lengths[:, None, :]
    triangle, _, order = linear.reduced(scaled, np.zeros(scaled.shape[:2]))
    left, right = linear.singular(triangle)
    values = linear.norm(left, axis=1)
    vectors = np.empty_like(right)
    np.put_along_axis(vectors, np.broadcast_to(order[:, :, None], right.shape), right, axis=1)
    sizes = values / values.max(axis=1, keepdims=True)
    singular = sizes.min(axis=1) <= SINGULAR * np.finfo(objective.dtype).eps
    # half a covariance: V / S in the coordinates, then in the entries of the params
    regular = sizes > 16 * linear.EPS
    half = vectors / np.where(regular, values, 1)[:, None, :] / lengths[:, :, None]
    unknown = (np.abs(_entries(objective, best, np.where(regular[:, None, :], 0, vectors))) > 1e-9).any(axis=2)
    spread = linear.norm(_entries(objective, best, np.where(regular[:, None, :], half, 0)), axis=2)
    freedom = np.maximum(points - objective.space.dimension, 1)
    error = spread * np.sqrt(objective.value(best) / freedom)[:, None]
    rounded = spread * linear.norm(rho)[:, None] + objective.spacing(best)
    beyond = np.abs(z - best) - FACTOR * rounded
    moves = np.where((beyond <= 0) | unknown, 0, beyond / error)
    return moves.max(axis=1), singular


def _entries(objective: Objective, z: Array, directions: Array) -> Array:
    """Directions in coordinates `(lanes, d, k)` as changes of the entries `(lanes, size, k)`."""
    columns = [objective.space.curve(z, STEP * 1j * directions[:, :, k]).imag / STEP for k in range(directions.shape[2])]
    return np.stack(columns, axis=2)


def _plain_move(objective: Objective, z: Array, best: Array, rho: Array, points: Array) -> tuple[Array, Array]:
    """The largest move relative to the size of a param, and whether the scaled Hessian is singular."""
    size = np.maximum(np.maximum(np.abs(z), np.abs(best)), objective.typical)
    beyond = np.abs(z - best) - FACTOR * objective.spacing(size)
    hessian = objective.hessian(best, objective.jacobian(best))
    root = np.sqrt(np.abs(np.diagonal(hessian, axis1=1, axis2=2)))
    root = np.where(root > 0, root, 1)
    curvature, _ = linear.eigen(hessian / (root[:, :, None] * root[:, None, :]))
    largest = np.abs(curvature).max(axis=1)
    singular = curvature.min(axis=1) <= SINGULAR * np.finfo(objective.dtype).eps * largest
    return (np.maximum(beyond, 0) / size).max(axis=1), singular


def _useless(objective: Objective, z: Array, rho: Array) -> Array:
    """Whether a coordinate away from its faces moves no term by more than rounding."""
    low, high = objective.space.limits(z)
    size = objective.space.scale(z, objective.typical)
    inside = (low < 0) & (high > 0)
    if objective.squares:
        effect, rounding = linear.norm(objective.jacobian(z), axis=1) * size, linear.norm(rho)
    else:
        part, rounding = PART[objective.dtype], rho[:, 0] + objective.spacing(objective.value(z))
        steps = [part * size * (np.arange(size.shape[1]) == k) for k in range(size.shape[1])]
        if z.shape == size.shape:  # where all params grow without end, none matters alone, but their common factor does not
            gone = (np.abs(z) > FAR * objective.typical).any(axis=1, keepdims=True)
            common: Array = np.where(np.broadcast_to(gone, z.shape), z, size)
            steps.append(part * common)
            inside = np.concatenate([inside, gone], axis=1)
        effect = np.stack([_effect(objective, z, step) for step in steps], axis=1)
    return ((effect <= rounding[:, None]) & inside).any(axis=1)


def _effect(objective: Objective, z: Array, step: Array) -> Array:
    """The larger change of the loss by a step either way."""
    value = objective.value(z)
    changes = [np.abs(objective.value(objective.move(z, sign * step)) - value) for sign in (1, -1)]
    return np.fmax(*changes)


@np.errstate(all="ignore")
def reached(objective: Objective, answer: Array, reference: Array, verdict: Verdict) -> Array:
    """Lanes at the minimum: they would pass as CONVERGED, and the minimum near `reference` `(lanes, size)` is no lower."""
    passes = ~verdict.wrong | (verdict.useless & (verdict.fall <= verdict.limit) & (verdict.move <= MOVE))
    settled = (verdict.travel <= SETTLED) & objective.space.attained(verdict.best, objective.typical)
    rows = np.flatnonzero(passes & settled)
    if not len(rows):
        return np.zeros(len(answer), bool)
    subset, verdict = objective.take(rows), verdict.take(rows)
    z, reference = (subset.space.project(np.asarray(a[rows], np.longdouble)) for a in (answer, reference))
    least = np.minimum(subset.value(descend(subset, reference)[0]), verdict.loss)
    minimum = np.zeros(len(answer), bool)
    minimum[rows] = subset.value(z) - least <= verdict.limit * verdict.unit + verdict.allowed
    return minimum
