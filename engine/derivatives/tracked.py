"""A call whose tensors somebody differentiates: a plain solve of detached tensors, and its answers re-attached.

Needs `run` for the solve, `attach` for derivatives. Within a transform of torch.func the solve is one opaque operation, which
runs on plain tensors; the rest is ordinary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from backends import arrays as _arrays
from backends.torch import BACKEND, opaque
from backends.torch.levels import within_dual_numbers
from backends.tree import leaves, tree_map, unflatten
from backends.types import Array, Inputs, array_namespace
from engine import bind as _bind
from engine import plan as _plan
from engine.derivatives.attach import LaneInputs, inverses, reattached
from engine.derivatives.condition import Condition, Matrices
from engine.derivatives.orders import settle, tensors_of
from engine.errors import ArgumentError
from engine.problem import Problem
from engine.run import Asked, run
from engine.solution import Solution
from engine.sparsity.detect import unknowns
from engine.sparsity.structure import Structure

FIGURES = ("params", "loss", "measures", "residual", "status", "steps")
"""Fields of a Solution that are tensors of all lanes."""

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

    def plain(self, tensors: Inputs, check: str = "status") -> tuple[Any, Matrices]:
        """Figures and matrices of a solve with these tensors in place of those that are tracked, by input name."""
        asked = self.asked
        known = {**self.bound.arrays, **tensors}
        given = {name: known[f"data.{name}"] for name in asked.problem.data}
        starts = {name.partition(".")[2]: array for name, array in tensors.items() if name.startswith("start.")}
        start = {**asked.start, **starts} if asked.start else starts
        bound = _bind.bind(asked.problem, given, start, asked.options["seed"])
        captured = {name: tensors.get(name, array) for name, array in self.captured.items()}
        solution = run(replace(asked, data=given, start=start), bound, captured)
        self.seen["solution"] = solution
        if check == "raise":
            solution.raise_for_status()
        batch = bound.signature.batch
        matrices: Matrices = ()
        if self.derivatives:
            condition = self.seen["condition"] = _condition(self.asked, solution, bound.signature, captured)
            lanes = len(batch)
            inputs = lane_inputs(asked.problem, bound, captured)
            params, status = tree_map(lambda a: _flat(a, lanes), (solution.params, solution.status))
            matrices = inverses(inputs, condition, params, status) if condition.structure.size else ()
            matrices = tuple(_batched(m, batch) for m in matrices)
        return _figures(solution), matrices

    def attached(self, figures: Any, matrices: Matrices) -> Any:
        """The figures with derivatives."""
        batch = self.bound.signature.batch
        params, loss, measures, residual, status, steps = figures
        if self.derivatives and matrices:
            flat = partial(_flat, axes=len(batch))
            inputs = lane_inputs(self.asked.problem, self.bound, self.captured)
            moved = reattached(
                inputs, self.seen["condition"], self.derivatives, tree_map(flat, (params, loss, measures)), flat(status),
                tuple(map(flat, matrices)),
            )  # fmt: skip
            params, loss, measures = tree_map(partial(_batched, batch=batch), moved)
        return params, loss, measures, residual, status, steps


def solve_tracked(asked: Asked, bound: _bind.Bound, captured: dict[str, Array], check: str) -> Solution:
    """The solution of a call on tensors that are differentiated or mapped, with derivatives.

    Raises:
        TypeError, ValueError: as `settle` does; `history` within a transform.
    """
    options = asked.options
    settled, bound, captured, mapped = settle(asked, bound, captured)
    call = TrackedCall(settled, bound, captured)
    inputs = tensors_of({**bound.arrays, **captured})
    if not mapped:
        with within_dual_numbers():
            figures, matrices = call.plain({name: _arrays.detached(a) for name, a in inputs.items()}, check)
    else:
        figures, matrices = _opaque(call, inputs, check)
    solution = call.seen["solution"]
    answer = dict(zip(FIGURES, call.attached(figures, matrices), strict=True))
    called = replace(solution.call, data=asked.data, start=asked.start, batch=bound.signature.batch, options=options)
    found: Solution = replace(solution, **answer, call=called)
    return found


def _opaque(call: TrackedCall, inputs: dict[str, Any], check: str) -> tuple[Any, Matrices]:
    """Figures and matrices by the opaque operation, which may be mapped."""
    if call.asked.options["history"]:
        raise ArgumentError(
            f"problem {call.asked.problem.name!r}: history came as {call.asked.options['history']!r} within a transform of torch.func; "
            "expected False: its length depends on the lanes; call solve outside"
        )
    names: list[str] = list(inputs)
    form: list[Any] = []

    def flat(tensors: list[Any]) -> list[Any]:
        found = call.plain(dict(zip(names, tensors, strict=True)), check)
        form[:] = [found]
        return [a.clone() for a in leaves(found)]

    ranks = [rank_of(call.asked.problem, name) for name in names]
    found = opaque.solve(opaque.OpaqueCall(flat, ranks, len(call.bound.signature.batch)), list(inputs.values()))
    result: tuple[Any, Matrices] = unflatten(form[0], found)
    return result


def rank_of(problem: Problem, name: str) -> int | None:
    """The number of own axes of an input; None for a captured array, which all lanes share."""
    kind, _, own = name.partition(".")
    return None if kind == "capture" else len(problem.axes[own])


def _figures(solution: Solution) -> tuple[Any, ...]:
    return tuple(getattr(solution, name) for name in FIGURES)


def lane_inputs(problem: Problem, bound: _bind.Bound, captured: Mapping[str, Array]) -> LaneInputs:
    """The data of all lanes and the captured arrays, as tensors of the working dtype."""
    signature, load = bound.signature, BACKEND.load
    arrays, dtype, device = {}, bound.signature.dtype, bound.signature.device
    for name in (f"data.{name}" for name in problem.data):
        array = load(bound.arrays[name], dtype, device)
        arrays[name] = array if name in signature.shared else _arrays.to_lanes(array, signature.batch, len(signature.lane[name]))
    for name, value, own in _bind.common_inputs(signature, dict(captured), {}):
        arrays[name] = load(value, own, device)
    return LaneInputs(problem, arrays, frozenset(captured) | signature.shared)


def _flat(array: Array, axes: int) -> Array:
    """An array with one lane axis for all of its batch axes."""
    shape = tuple(array.shape)
    return array_namespace(array).reshape(array, (math.prod(shape[:axes]), *shape[axes:])) if axes != 1 else array


def _batched(array: Array, batch: tuple[int, ...]) -> Array:
    """An array with all batch axes for its lane axis."""
    return array_namespace(array).reshape(array, (*batch, *array.shape[1:]))


def _condition(asked: Asked, solution: Solution, signature: _bind.Signature, captured: dict[str, Array]) -> Condition:
    """The form of the problem's condition, with the structure of its matrix."""
    problem, plan = asked.problem, solution.plan
    kind = "residual" if problem.exact else "loss"
    structure = plan.structure if problem.exact else None
    if structure is None:
        size = unknowns(problem, signature.shapes)
        small = size <= DENSE
        structure = Structure.dense(size) if small else _plan.structure(problem, plan.backend, signature, captured, kind)
    return Condition.of(problem.exact, structure)
