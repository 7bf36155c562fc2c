"""Answers without derivatives, re-attached to the data: a few steps on the optimality condition from the answer of each lane.

A step is u <- u - M^+ F(u), with M^+ of the answer as a constant (the chord method): each adds an order of derivatives and removes
a factor of what M^+ is wrong by, so that `STEPS` give orders 1 to 3. Newton's steps would double the order, but differentiate the
matrix and its inverse, which has no derivative where the rank changes. The steps also take the point at which derivatives are
evaluated from the answer, good to `tol`, to the solution; the values that are returned keep the answer's bits.

Source:
    Krantz and Parks, The Implicit Function Theorem, section 3.3; Kelley, Iterative Methods for Linear and Nonlinear Equations,
    section 5.4.1 (the chord method).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import or_
from typing import Any

from backends import arrays as _arrays
from backends.torch import BACKEND
from backends.torch.pseudo_inverse import pseudo_inverse
from backends.tree import tree_map
from backends.types import Array, Inputs, array_namespace
from engine.derivatives.condition import Condition, Matrices
from engine.lane import declared
from engine.objective import Objective, Params
from engine.problem import Problem
from engine.sparsity.structure import Structure
from engine.status import Status
from engine.surroundings import Surroundings
from engine.tangent import Tangent

STEPS = {1: 2, 2: 3}
"""`derivatives` -> steps: one for each order, and at least two, as the first is as accurate as M^+."""

DIFFERENTIABLE = (Status.CONVERGED, Status.ILL_CONDITIONED, Status.UNDETERMINED)
"""Statuses of lanes at a solution; the answers of others depend on the path, and have derivative 0."""

Figures = tuple[Params, Array, dict[str, Array]]
"""Params, loss and measures."""


@dataclass(frozen=True, eq=False)
class LaneInputs:
    """The inputs of a solve by name (`data.A`, `capture.residual.0`), tensors of the working dtype, and how they vary.

    Fields:
        arrays: `(lanes, *own)`, or `(*own,)` of those in `shared`.
    """

    problem: Problem
    arrays: Inputs
    shared: frozenset[str]

    def objective(self, arrays: Inputs, structure: Structure) -> Objective:
        """The objective of one lane with these arrays."""
        return Objective.of_inputs(self.problem, BACKEND, arrays, structure, Surroundings(BACKEND))

    def replaced(self, arrays: Inputs) -> LaneInputs:
        """The same with other arrays for some."""
        return replace(self, arrays={**self.arrays, **arrays})

    def some(self, lanes: Array) -> LaneInputs:
        """The inputs of some lanes, by number."""
        return self.replaced({name: array[lanes] for name, array in self.arrays.items() if name not in self.shared})

    def map(self, f: Callable[..., Any], *others: Any) -> Any:
        """f of one lane's arrays and of one lane of the others, for all lanes."""
        axes = {name: None if name in self.shared else 0 for name in self.arrays}
        return BACKEND.vmap(f, (axes, *([0] * len(others))))(self.arrays, *others)


def is_differentiable(status: Array) -> Array:
    """Whether the answer of each lane has derivatives."""
    return reduce(or_, (status == int(code) for code in DIFFERENTIABLE))


def inverses(inputs: LaneInputs, condition: Condition, params: Params, status: Array) -> Matrices:
    """M^+ of every lane, by blocks, `(lanes, count, k, m)`; 0 where the answer has no derivatives, none where nothing is unknown."""
    if not len(status) or not condition.structure.size:
        return ()

    def of_lane(arrays: Inputs, answer: Params) -> Matrices:
        return condition.matrices(inputs.objective(arrays, condition.structure), answer)

    good = is_differentiable(status)
    found = []
    for matrix in inputs.map(of_lane, params):
        xp = array_namespace(matrix)
        own = xp.reshape(good, (-1, 1, 1, 1))
        safe: Any = xp.where(own, matrix, xp.zeros_like(matrix))
        found.append(pseudo_inverse(safe, symmetric=not condition.by_rows))
    return tuple(found)


def reattached(
    inputs: LaneInputs, condition: Condition, derivatives: int, figures: Figures, status: Array, matrices: Matrices
) -> Figures:
    """Params, loss and measures of all lanes with the same bits, and with derivatives by the inputs."""
    if not len(status):
        return figures
    steps = STEPS[derivatives] if condition.structure.size else 0

    def lane(arrays: Inputs, figures: Figures, good: Array, matrices: Matrices) -> Figures:
        moved = moving(inputs, condition, steps, arrays, figures[0], good, matrices)
        result: Figures = tree_map(partial(_where, good), tree_map(_keep, figures, moved), figures)
        return result

    found: Figures = inputs.map(lane, figures, is_differentiable(status), matrices)
    return found


def moving(
    inputs: LaneInputs, condition: Condition, steps: int, arrays: Inputs, answer: Params, good: Array, matrices: Matrices
) -> Figures:
    """Params, loss and measures of one lane after some steps from its answer.

    All that is read of the inputs passes a choice by `good`, so that no derivative of a bad lane gets out.
    """
    detach = _arrays.detached
    still = {name: detach(array) for name, array in arrays.items()}
    moving = {name: _where(good, a, still[name]) if _arrays.dtype_name(a) in _arrays.FLOATS else a for name, a in arrays.items()}
    fixed, moved = (inputs.objective(a, condition.structure) for a in (still, moving))
    step = condition.step(matrices, fixed, moved, answer)
    u = Tangent(fixed, answer).zeros()
    for _ in range(steps):
        u = u + step(u)
    shapes = {name: tuple(x.shape) for name, x in answer.items()}
    placed = tree_map(
        _keep, answer, condition.place(fixed, moved, answer, u)
    )  # ties among values decide as they did in the solve
    params = declared.canonical(moved, shapes, placed)
    return params, moved.loss(params), declared.measures(moved, params)


def _keep(value: Array, moved: Array) -> Array:
    """The value, bit for bit, with the derivatives of another; also of -0.0, which + 0.0 would change."""
    kept: Array = value - (_arrays.detached(moved) - moved)
    return kept


def _where(good: Array, yes: Array, no: Array) -> Array:
    return array_namespace(no).where(good, yes, no)
