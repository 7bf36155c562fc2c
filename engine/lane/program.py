"""The whole solve of ONE lane: a Problem and a solver as the four pure functions of a `Program`.

Needs `declared` for the problem's functions, a solver for its `init` and `step`, a monitor for what ends a lane, `final_status`
for what becomes of it. Inputs are a flat dict of arrays:

    data.A, start.X            the data, and starts that are arrays
    capture.residual.0         arrays that a declared function captured
    weight.k, setting.0        numbers that may change without compiling again
    tol, max_steps             scalars

The state is a `LaneState`.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

from backends.base import Backend, Inputs, Program
from backends.tree import leaves, tree_map
from backends.types import Array
from engine import certificate
from engine.fingerprint.program import fingerprint
from engine.lane import declared
from engine.lane.best_so_far import BestSoFar
from engine.lane.final_status import certified
from engine.lane.fixed_steps import FixedSteps
from engine.lane.monitor import Monitor
from engine.lane.own_optimality import OwnFixedSteps, OwnOptimality
from engine.lane.scalars import code, nan_like, unscaled_loss
from engine.lane.state import LaneState
from engine.lane.vanished import at_their_limit
from engine.libraries import package
from engine.objective import Objective
from engine.params import select
from engine.problem import Problem
from engine.solvers.base import Solver, said, static_key, with_numbers
from engine.solvers.states import first_state, next_state
from engine.sparsity.structure import Structure
from engine.status import Status
from engine.surroundings import Surroundings
from engine.tangent import pow2_scales_at

FREE_EVERY = 4
"""How many times rarer the tests are where only the number of steps and NONFINITE end a lane."""

COLUMN = 8
"""Operations that eliminating a column is written out in, for one that an unknown's places are."""


class LaneProgram:
    """Builds the program of one lane.

    Args:
        problem: the declaration.
        solver: the solver, whose settings are replaced by inputs.
        backend: whose transforms to use.
        shapes: parameter -> its shape.
        free: run exactly `max_steps` steps; only NONFINITE stops a lane (`tol=0`).
        structure: of the curvature, for solvers that use it.
    """

    def __init__(
        self,
        problem: Problem,
        solver: Solver,
        backend: Backend,
        shapes: dict[str, tuple[int, ...]],
        free: bool,
        structure: Structure | None = None,
    ) -> None:
        self.problem, self.solver, self.backend, self.shapes, self.free = problem, solver, backend, shapes, free
        self.structure, self.monitor, self.around = structure, _monitor(solver, free), Surroundings(backend)

    def program(self) -> Program:
        """The four functions, for a backend."""
        every = said(self.solver, "CHECK_EVERY") * (FREE_EVERY if self.free else 1)
        known = (every, self.backend, *static_key(self.solver), self.shapes, self.free, self.structure)
        size = 0 if self.structure is None else self.structure.size + COLUMN * self.structure.width
        key = partial(fingerprint, self.problem, *known)
        parts = [self.solver, *(param.domain for param in self.problem.params.values())]
        users = self.declared if all(package(type(part)) == "engine" for part in parts) else None
        return Program(self.init, self.step, self.terminate, self.postprocess, every, key, size, users)

    def declared(self, inputs: Inputs) -> dict[str, Any]:
        """All that the problem's own functions give, called once at the start."""
        return declared.everything(self._bind(inputs)[0], self.shapes, inputs)

    def init(self, inputs: Inputs) -> LaneState:
        """Starts, the solver's first state, and NONFINITE_INPUT where data or start is not finite."""
        objective, solver = self._bind(inputs)
        start = declared.start_of(objective, self.shapes, inputs)
        like = leaves(start)[0]
        status = declared.check_inputs(objective, start)
        start = objective.project(start)
        if said(solver, "CURVATURE") == "residual":
            objective.pow2_scales = pow2_scales_at(objective, start)
        first = first_state(solver, objective, start)
        loss, steps = unscaled_loss(first["loss"], objective), code(like, 0, "int32")
        state = LaneState(objective.pow2_scales, first, status, steps, loss)
        if self.problem.residual is None:
            state = replace(state, first=objective.loss(start))
        return self.monitor.begin(objective, start, state)

    def step(self, inputs: Inputs, state: LaneState) -> LaneState:
        """The solver's step, and what the monitor keeps of it."""
        objective, solver = self._bind(inputs)
        objective.pow2_scales = state.pow2_scales
        return self.monitor.advance(objective, state, next_state(solver, objective, state.solver))

    def terminate(self, inputs: Inputs, state: LaneState) -> LaneState:
        """Decide whether the lane is done."""
        return self.monitor.terminate(inputs, self._bind(inputs)[0], state)

    def postprocess(self, inputs: Inputs, state: LaneState) -> dict[str, Any]:
        """The answer in its canonical form, and its status and figures recomputed from it."""
        objective, _ = self._bind(inputs)
        objective.pow2_scales = state.pow2_scales
        status = state.status
        answer = self.monitor.answer(state)
        if not self.free:
            answer = at_their_limit(objective, answer, state.loss)
        answer = declared.canonical(objective, self.shapes, answer)
        loss = objective.loss(answer)
        if said(self.solver, "CERTIFIED"):
            verdict = certificate.verdict(objective, answer, state.first, thorough=not self.free, compared=not self.free)
            optimality: Array = verdict.optimality
            if not self.free:
                status = certified(objective, answer, loss, verdict, inputs["tol"], state)
        else:
            optimality = nan_like(loss)
        measures = declared.measures(objective, answer)
        results: dict[str, Any] = {"params": answer, "loss": loss, "residual": optimality, "measures": measures}
        results = select(status == Status.NONFINITE_INPUT, tree_map(nan_like, results), results)
        return results | {"status": status, "steps": state.steps}

    def _bind(self, inputs: Inputs) -> tuple[Objective, Solver]:
        """The objective and the solver of these inputs."""
        objective = Objective.of_inputs(self.problem, self.backend, inputs, self.structure, self.around)
        settings = [array for name, array in inputs.items() if name.startswith("setting.")]
        return objective, with_numbers(self.solver, settings)


def _monitor(solver: Solver, free: bool) -> Monitor:
    """The monitor of a solver's steps."""
    if said(solver, "OWN_OPTIMALITY"):
        return OwnFixedSteps() if free else OwnOptimality()
    return FixedSteps() if free else BestSoFar()
