"""The judge's own optimiser: from a point downhill, without crossing a barrier, in extended precision, lane by lane.

Sums of squares: Gauss-Newton steps with many dampings at once by QR with column pivoting and singular values of the scaled
columns (Nocedal and Wright, Numerical Optimization, section 10.3). All losses: Newton steps by eigenvalues of the scaled
Hessian with their signs dropped, and steps both ways along the most negative curvature (More and Sorensen, On the use of
directions of negative curvature in a modified Newton method, Mathematical Programming 16, 1979), which leave maxima and
saddles. Faces: coordinates that press against one are fixed, the others projected (Bertsekas, Nonlinear Programming, 2.3).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from bench.honesty import linear
from bench.honesty.objective import Objective

Array = Any

STEPS = 120
"""Iterations at most: from an answer in a curved valley the fall must show."""

FEW = 20
"""Iterations that tell a lane at rest from another."""

GAIN = 1e-9
"""Share of the loss that a step must remove for a lane to go on."""

DAMPINGS = (0.0, *(10.0**k for k in range(-16, 4)))
"""Multiples of the largest squared singular value, in Gauss-Newton steps: by decades, as curved valleys need the right one."""

SHIFTS = (0.0, 1e-9, 1e-6, 1e-4, 1e-2, 1e-1, 1.0, 10.0, 1e3)
"""Multiples of the largest curvature, in Newton steps."""

LONGER = (8.0, 2.0)
"""Multiples of the undamped step: minima at infinity and degenerate ones are approached by growing steps."""

LENGTHS = (1.0, 1e-1, 1e-3, 1e-5)
"""Moves along negative curvature, as shares of the coordinates' scale."""

WAY = (1 / 16, 1 / 4, 1 / 2, 3 / 4)
"""Places on the way of a step where the loss may not be above its value at the start: other valleys do not count."""

TRIES = 12
"""Trial steps, the best first, whose way is looked at."""

KICK = 1e-6
"""Size of the random move away from a degenerate point, relative to the coordinates' scale."""

NEWTON_EVERY = 8
"""Iterations after which a sum of squares takes a Newton step besides: Gauss-Newton steps may converge slowly."""


@np.errstate(all="ignore")
def go_on(objective: Objective, z: Array, scale: Array, steps: Array, rng: np.random.Generator) -> Array:
    """The lowest point found from z, also from a small random move of it where the curvature is no more than semidefinite."""
    best, flat = descend(objective, z, scale, steps)
    rows = np.flatnonzero(flat)
    if len(rows):
        subset, z = objective.take(rows), best[rows]
        size = subset.space.scale(z, subset.typical)
        kicked = subset.move(z, KICK * size * rng.standard_normal(size.shape))
        end, _ = descend(subset, kicked, scale[rows], steps[rows])
        lower = subset.value(end) < subset.value(z)
        best[rows[lower]] = end[lower]
    return best


@np.errstate(all="ignore")
def descend(objective: Objective, z: Array, scale: Array | float = np.inf, steps: Array | int = STEPS) -> tuple[Array, Array]:
    """The point where neither kind of step gains any more, and whether the Hessian is singular or worse there.

    `scale` `(lanes,)` is the unit of the loss: a gain below 1e-9 of it, and of the loss, ends a lane, and so do `steps`
    `(lanes,)` iterations.
    """
    scale, steps = np.broadcast_to(scale, len(z)), np.broadcast_to(steps, len(z))
    z = np.array(z, np.longdouble)
    flat = np.zeros(len(z), bool)
    active = np.flatnonzero(np.isfinite(objective.value(z)))
    for step in range(STEPS):
        if not len(active):
            break
        subset, x = objective.take(active), z[active]
        before = subset.value(x)
        least = GAIN * np.minimum(scale[active], np.abs(before)) + 8 * linear.EPS * np.abs(before)
        after = before.copy()
        if subset.squares:
            x, after = _improve(subset, x, before, _gauss_newton(subset, x))
        newton = np.flatnonzero(~(before - after > least) | (step % NEWTON_EVERY == NEWTON_EVERY - 1))
        if len(newton):
            slow = subset.take(newton)
            trials, flat[active[newton]] = _newton(slow, x[newton])
            x[newton], after[newton] = _improve(slow, x[newton], after[newton], trials)
        z[active] = x
        active = active[(before - after > least) & (step + 1 < steps[active])]
    return z, flat


def _improve(objective: Objective, z: Array, value: Array, trials: list[Array]) -> tuple[Array, Array]:
    """The best of the trial steps that meets no barrier, and its value; else z."""
    values = np.stack([objective.value(objective.move(z, u)) for u in trials])
    steps = np.stack(trials)
    lanes = np.arange(len(z))
    best, least = z.copy(), value.copy()
    undecided = np.ones(len(z), bool)
    for _ in range(TRIES):
        choice = np.argmin(values, axis=0)
        undecided &= values[choice, lanes] < value
        if not undecided.any():
            break
        rows = np.flatnonzero(undecided)
        subset, start, u = objective.take(rows), z[rows], steps[choice[rows], rows]
        highest = np.max([subset.value(subset.move(start, t * u)) for t in WAY], axis=0)
        downhill = highest <= value[rows]
        moved = rows[downhill]
        best[moved], least[moved] = subset.move(start, u)[downhill], values[choice[moved], moved]
        undecided[moved] = False
        values[choice[rows], rows] = np.inf
    return best, least


def _free(objective: Objective, z: Array, gradient: Array) -> Array:
    """Coordinates that do not press against a face, `(lanes, d)`."""
    low, high = objective.space.limits(z)
    return ~(((low >= 0) & (gradient >= 0)) | ((high <= 0) & (gradient <= 0)))


def _gauss_newton(objective: Objective, z: Array) -> list[Array]:
    """Steps of all dampings, the longest first."""
    jacobian, residual = objective.jacobian(z), objective.terms(z)
    residual = np.where(np.isfinite(residual), residual, 0)
    if not objective.space.bounded:
        return _damped(jacobian, residual)
    free = _free(objective, z, (jacobian * residual[:, :, None]).sum(axis=1))
    trials = _damped(jacobian * free[:, None, :], residual)
    # the coupled step is of no use to the others where it leaves the set: those coordinates stay, once clipped, once fixed
    low, high = objective.space.limits(z)
    whole = trials[len(LONGER)]
    inner = free & (low <= whole) & (whole <= high)
    return trials if (inner == free).all() else trials + _damped(jacobian * inner[:, None, :], residual)


def _damped(jacobian: Array, residual: Array) -> list[Array]:
    lengths = linear.norm(jacobian, axis=1)
    lengths = np.where(lengths > 0, lengths, 1)
    triangle, rotated, order = linear.reduced(jacobian / lengths[:, None, :], residual)
    left, right = linear.singular(triangle)
    squares = (left * left).sum(axis=1)
    largest = squares.max(axis=1, keepdims=True)
    along = (left * rotated[:, :, None]).sum(axis=1)
    trials = []
    for damping in DAMPINGS:
        below = squares + damping * largest
        kept = below > (16 * linear.EPS) ** 2 * largest
        weights = np.where(kept, along, 0) / np.where(kept, below, 1)
        step = np.empty_like(weights)
        np.put_along_axis(step, order, -(right * weights[:, None, :]).sum(axis=2), axis=1)
        trials.append(step / lengths)
    return [factor * trials[0] for factor in LONGER] + trials


def _newton(objective: Objective, z: Array) -> tuple[list[Array], Array]:
    """Steps of all dampings and along negative curvature, and whether the least curvature is not clearly positive."""
    jacobian = objective.jacobian(z)
    hessian = objective.hessian(z, jacobian)
    gradient = objective.gradient(z)
    size = objective.space.scale(z, objective.typical)
    free = _free(objective, z, gradient) if objective.space.bounded else np.ones(gradient.shape, bool)
    gradient, hessian = gradient * free, hessian * free[:, :, None] * free[:, None, :]
    root = np.sqrt(np.abs(np.diagonal(hessian, axis1=1, axis2=2)))
    weight = linear.norm(jacobian, axis=1) if objective.squares else root
    weight = np.where(weight > 0, weight, np.where(root > 0, root, 1 / size))
    scaled = hessian / (weight[:, :, None] * weight[:, None, :])
    curvature, vectors = linear.eigen(scaled + np.eye(scaled.shape[1]) * ~free[:, None, :])
    largest = np.abs(curvature).max(axis=1, keepdims=True)
    along = (vectors * (gradient / weight)[:, :, None]).sum(axis=1)
    trials = []
    for shift in SHIFTS:
        below = np.abs(curvature) + shift * largest
        kept = below > 16 * linear.EPS * largest
        weights = np.where(kept, along, 0) / np.where(kept, below, 1)
        trials.append(-(vectors * weights[:, None, :]).sum(axis=2) / weight)
    lowest = np.argmin(curvature, axis=1)[:, None, None]
    down = np.take_along_axis(vectors, lowest, axis=2)[:, :, 0] / weight
    down = down / np.max(np.abs(down) / size, axis=1, keepdims=True)
    turns = [sign * length * down for length in LENGTHS for sign in (1, -1)]
    flat: Array = curvature.min(axis=1) <= 1e-8 * largest[:, 0]
    return [factor * trials[0] for factor in LONGER] + trials + turns, flat
