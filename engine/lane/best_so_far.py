"""The monitor of solvers that do not judge their own steps: it keeps the best iterate and tests it with the certificate.

Needs `certificate`. First-order methods need not descend at every step, so that the answer is the best iterate, and a lane
stalls when none better has come for long.
"""

from __future__ import annotations

from dataclasses import replace

from backends.base import RUNNING, Inputs
from backends.tree import leaves
from backends.types import Array, State, array_namespace
from engine import certificate
from engine.lane.fixed_steps import FixedSteps, look
from engine.lane.monitor import limit, settled
from engine.lane.scalars import code
from engine.lane.state import LaneState
from engine.objective import Objective, Params, zero
from engine.params import select
from engine.status import Status

CAUTION = 0.9
"""A lane stops at this share of `tol`: the final figure, of another batch size, may round differently."""

PATIENCE = 200
"""Steps without a new best loss after which a lane stalls, beside half of its steps so far."""

PAUSE = 8
"""A lane is tested again after so many parts of the steps that it has taken."""


class BestSoFar(FixedSteps):
    """Keeps the iterate with the least loss beside the last finite one."""

    def begin(self, objective: Objective, start: Params, state: LaneState) -> LaneState:
        """No iterate has a loss yet."""
        like = leaves(start)[0]
        best_loss, improved = zero(like) + float("inf"), code(like, 0, "int32")
        # the certificate of a fit or a plain loss takes dense derivatives, which cost many steps
        due = None if objective.problem.exact else code(like, 0, "int32")
        state = super().begin(objective, start, state)
        return replace(state, best=start, best_loss=best_loss, improved=improved, due=due)

    def advance(self, objective: Objective, state: LaneState, after: State) -> LaneState:
        """The loss of the iterate before the step is known now."""
        kept = super().advance(objective, state, after)
        running = array_namespace(after["loss"]).isfinite(after["loss"]) & (state.status == RUNNING)
        return _improved(kept, running, state.solver["params"], after["loss"], state.steps)

    def terminate(self, inputs: Inputs, objective: Objective, state: LaneState) -> LaneState:
        """CONVERGED where the best iterate passes, STALLED where none better has come for long."""
        state, loss, finite = look(objective, state)
        xp = array_namespace(loss)
        verdict = limit(inputs, state, loss)
        state = _improved(state, finite & (state.status == RUNNING), state.solver["params"], loss, state.steps)
        assert state.improved is not None
        steps_without_improvement = state.steps - state.improved
        stalled = 2 * steps_without_improvement > 2 * PATIENCE + state.steps
        verdict = xp.where(stalled, code(loss, Status.STALLED), verdict)
        state, passed = _passes(inputs, objective, state)
        verdict = xp.where(passed, code(loss, Status.CONVERGED), verdict)
        return settled(state, xp.where(finite, verdict, code(loss, Status.NONFINITE)))

    def answer(self, state: LaneState) -> Params:
        """The best iterate."""
        found: Params = select(state.status == Status.NONFINITE, state.last, state.best)
        return found


def _improved(state: LaneState, running: Array, params: Params, loss: Array, steps: Array) -> LaneState:
    """Take over an iterate whose loss is at least as good; `improved` counts only strictly better ones."""
    xp = array_namespace(loss)
    assert state.best_loss is not None and state.improved is not None
    better = running & (loss < state.best_loss)
    no_worse = running & (loss <= state.best_loss)
    return replace(
        state,
        best=select(no_worse, params, state.best),
        best_loss=xp.where(better, loss, state.best_loss),
        improved=xp.where(better, steps, state.improved),
    )


def _passes(inputs: Inputs, objective: Objective, state: LaneState) -> tuple[LaneState, Array]:
    """Whether the best iterate passes; with dense derivatives only where a test is due."""
    assert state.best is not None
    verdict = certificate.verdict(objective, state.best, state.first, thorough=False)
    passed = (verdict.optimality <= CAUTION * inputs["tol"]) & verdict.determined
    if state.due is None:
        return state, passed
    xp, steps = array_namespace(passed), state.steps
    due = steps >= state.due
    return replace(state, due=xp.where(due, steps + steps // PAUSE, state.due)), xp.where(due, passed, due)
