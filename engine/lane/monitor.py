"""The contract of a monitor: it watches a solver's steps, says when a lane is done, and which iterate is the answer."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from backends.base import RUNNING, Inputs
from backends.tree import tree_map
from backends.types import Array, State, array_namespace
from engine.lane.scalars import cast_like, code
from engine.lane.state import LaneState
from engine.objective import Objective, Params
from engine.status import Status


class Monitor:
    """The rules by which a lane's program watches a solver's steps; stateless: the lane's state holds the entries that `begin` adds."""

    def begin(self, objective: Objective, start: Params, state: LaneState) -> LaneState:
        """The lane's first state with the entries that the monitor keeps."""
        return state

    @abstractmethod
    def advance(self, objective: Objective, state: LaneState, after: State) -> LaneState:
        """The lane's state after a step of the solver, from the one before it."""
        raise NotImplementedError

    @abstractmethod
    def terminate(self, inputs: Inputs, objective: Objective, state: LaneState) -> LaneState:
        """The lane's state with the status that it has now."""
        raise NotImplementedError

    @abstractmethod
    def answer(self, state: LaneState) -> Params:
        """The iterate that is the lane's answer."""
        raise NotImplementedError


def settled(state: LaneState, verdict: Array) -> LaneState:
    """The state with another status, of a lane that ran."""
    status = state.status
    return replace(state, status=array_namespace(verdict).where(status == RUNNING, verdict, status))


def limit(inputs: Inputs, state: LaneState, like: Array) -> Array:
    """MAX_STEPS where the lane has taken as many, RUNNING elsewhere."""
    xp = array_namespace(like)
    return xp.where(state.steps >= inputs["max_steps"], code(like, Status.MAX_STEPS), code(like, RUNNING))


def counted(state: LaneState, running: Array) -> Array:
    """The steps of a lane after one more that counted."""
    return array_namespace(running).where(running, state.steps + 1, state.steps)


def cast(after: State, state: LaneState) -> State:
    """The solver's state in the dtypes of the one before it."""
    found: State = tree_map(cast_like, after, state.solver)
    return found
