"""One call whose tensors somebody differentiates or maps: its plain solve, the matrices of its condition, its figures re-attached.

Needs `run` for the solve, `attach` for derivatives.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from backends import arrays as _arrays
from backends.torch import BACKEND
from backends.tree import tree_map
from backends.types import Array, Inputs, array_namespace
from engine import bind as _bind
from engine import plan as _plan
from engine.derivatives.attach import Figures, LaneInputs, inverses, reattached
from engine.derivatives.condition import Condition, Matrices
from engine.problem import Problem
from engine.run import Asked, run
from engine.solution import Solution
from engine.sparsity.detect import unknowns
from engine.sparsity.structure import Structure

DENSE = 32
"""Unknowns up to which no structure of a Hessian is looked for."""


@dataclass(frozen=True, eq=False)
class TrackedCall:
    """A checked call on tensors that are differentiated or mapped.

    Fields:
        seen: what the last plain solve behind it found: its solution, and the condition.
    """

    asked: Asked
    bound: _bind.Bound
    captured: dict[str, Array]
    seen: dict[str, Any] = field(default_factory=dict)

    @property
    def derivatives(self) -> int:
        """The orders that were asked for, 0 to 2."""
        return int(self.asked.options["derivatives"])

    def given(self, tensors: Inputs) -> TrackedCall:
        """The same with these tensors in place of those that are tracked, by input name."""
        bound = replace(
            self.bound, arrays={**self.bound.arrays, **{k: a for k, a in tensors.items() if not k.startswith("capture.")}}
        )
        return replace(self, bound=bound, captured={name: tensors.get(name, a) for name, a in self.captured.items()})

    def solved(self, tensors: Inputs, check: str = "status") -> TrackedCall:
        """The call with these tensors, which nobody tracks, bound anew and solved; `seen` holds the solution."""
        asked = self.asked
        known = {**self.bound.arrays, **tensors}
        given = {name: known[f"data.{name}"] for name in asked.problem.data}
        starts = {name.partition(".")[2]: array for name, array in tensors.items() if name.startswith("start.")}
        start = {**asked.start, **starts} if asked.start else starts
        bound = _bind.bind(asked.problem, given, start, asked.options["seed"])
        call = replace(self.given(tensors), bound=bound)
        solution = self.seen["solution"] = run(replace(asked, data=given, start=start), bound, call.captured)
        if check == "raise":
            solution.raise_for_status()
        return call

    def plain(self, tensors: Inputs, check: str = "status") -> tuple[dict[str, Any], Matrices]:
        """Figures and matrices of a solve with these tensors in place of those that are tracked, by input name."""
        call = self.solved(tensors, check)
        solution = self.seen["solution"]
        matrices: Matrices = ()
        if self.derivatives:
            condition = self.seen["condition"] = call.condition(solution.plan)
            matrices = call.matrices(condition, solution.params, solution.status)
        return figures_of(solution), matrices

    def condition(self, plan: _plan.Plan) -> Condition:
        """The form of the problem's condition, with the structure of its matrix."""
        problem, signature = self.asked.problem, self.bound.signature
        structure = plan.structure if problem.exact else None
        if structure is None:
            size, kind = unknowns(problem, signature.shapes), "residual" if problem.exact else "loss"
            small = size <= DENSE
            structure = Structure.dense(size) if small else _plan.structure(problem, plan.backend, signature, self.captured, kind)
        return Condition.of(problem.exact, structure)

    def matrices(self, condition: Condition, params: Inputs, status: Array) -> Matrices:
        """M^+ of all lanes, by blocks, with all batch axes."""
        batch = self.bound.signature.batch
        params, status = tree_map(partial(flat, axes=len(batch)), (params, status))
        return tuple(batched(m, batch) for m in inverses(self.lane_inputs(), condition, params, status))

    def attached(self, condition: Condition, figures: Figures, status: Array, matrices: Matrices) -> Figures:
        """Params, loss and measures with the same bits, and with derivatives by the tensors of this call."""
        batch = self.bound.signature.batch
        lanes = tree_map(partial(flat, axes=len(batch)), (figures, status, matrices))
        found: Figures = tree_map(
            partial(batched, batch=batch), reattached(self.lane_inputs(), condition, self.derivatives, *lanes)
        )
        return found

    def lane_inputs(self) -> LaneInputs:
        """The data of all lanes and the captured arrays, as tensors of the working dtype."""
        signature, problem = self.bound.signature, self.asked.problem
        arrays, dtype, device = {}, signature.dtype, signature.device
        for name in (f"data.{name}" for name in problem.data):
            array = BACKEND.load(self.bound.arrays[name], dtype, device)
            arrays[name] = (
                array if name in signature.shared else _arrays.to_lanes(array, signature.batch, len(signature.lane[name]))
            )
        for name, value, own in _bind.common_inputs(signature, dict(self.captured), {}):
            arrays[name] = BACKEND.load(value, own, device)
        return LaneInputs(problem, arrays, frozenset(self.captured) | signature.shared)


FIGURES = ("params", "loss", "measures", "residual", "status", "steps")
"""Fields of a Solution that are tensors of all lanes; the first three carry derivatives."""


def figures_of(solution: Solution) -> dict[str, Any]:
    """Those fields by name."""
    return {name: getattr(solution, name) for name in FIGURES}


def rank_of(problem: Problem, name: str) -> int | None:
    """The number of own axes of an input; None for a captured array, which all lanes share."""
    kind, _, own = name.partition(".")
    return None if kind == "capture" else len(problem.axes[own])


def moved(call: TrackedCall, figures: Mapping[str, Any], matrices: Matrices) -> dict[str, Any]:
    """All figures, those that carry derivatives with them."""
    if not call.derivatives:
        return dict(figures)
    three = figures["params"], figures["loss"], figures["measures"]
    params, loss, measures = call.attached(call.seen["condition"], three, figures["status"], matrices)
    return {**figures, "params": params, "loss": loss, "measures": measures}


def flat(array: Array, axes: int) -> Array:
    """An array with one lane axis for all of its batch axes."""
    shape = tuple(array.shape)
    return array_namespace(array).reshape(array, (math.prod(shape[:axes]), *shape[axes:])) if axes != 1 else array


def batched(array: Array, batch: tuple[int, ...]) -> Array:
    """An array with all batch axes for its lane axis."""
    return array_namespace(array).reshape(array, (*batch, *array.shape[1:])) if len(batch) != 1 else array
