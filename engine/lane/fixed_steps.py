"""The monitor of `tol=0`: a lane takes just `max_steps` steps; only NONFINITE ends it before."""

from __future__ import annotations

from dataclasses import replace

from backends.base import RUNNING, Inputs
from backends.types import Array, State, array_namespace
from engine.lane.monitor import Monitor, cast, counted, limit, settled
from engine.lane.scalars import code
from engine.lane.state import LaneState
from engine.objective import Objective, Params
from engine.params import select
from engine.status import Status


class FixedSteps(Monitor):
    """Keeps the last iterate with a finite loss."""

    def begin(self, objective: Objective, start: Params, state: LaneState) -> LaneState:
        """The start is the last finite iterate."""
        return replace(state, last=start)

    def advance(self, objective: Objective, state: LaneState, after: State) -> LaneState:
        """A loss that is not finite ends the lane: the iterate before it stays."""
        before, loss = state.solver["params"], after["loss"]
        xp = array_namespace(loss)
        finite = xp.isfinite(loss)
        running = finite & (state.status == RUNNING)
        return replace(
            state,
            solver=cast(after, state),
            loss=loss,
            last=select(running, before, state.last),
            status=xp.where(running | (state.status != RUNNING), state.status, code(finite, Status.NONFINITE)),
            steps=counted(state, running),
        )

    def terminate(self, inputs: Inputs, objective: Objective, state: LaneState) -> LaneState:
        """MAX_STEPS or NONFINITE."""
        state, loss, finite = look(objective, state)
        return settled(state, array_namespace(loss).where(finite, limit(inputs, state, loss), code(loss, Status.NONFINITE)))

    def answer(self, state: LaneState) -> Params:
        """The last iterate."""
        found: Params = select(state.status == Status.NONFINITE, state.last, state.solver["params"])
        return found


def look(objective: Objective, state: LaneState) -> tuple[LaneState, Array, Array]:
    """The state with the solver's iterate for the last one, where its loss is finite; this loss, and whether it is."""
    params = state.solver["params"]
    loss = objective.loss(params)
    finite = array_namespace(loss).isfinite(loss)
    return replace(state, last=select(finite & (state.status == RUNNING), params, state.last)), loss, finite
