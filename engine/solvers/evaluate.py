"""No steps: a problem's measures at params that are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from backends.record import Record
from backends.types import Scalar
from engine.objective import Objective, Params
from engine.solvers.base import Solver, State


@dataclass(frozen=True, eq=False)
class Evaluated(Record):
    """The params, and their loss."""

    params: Params
    loss: Scalar


@dataclass(frozen=True)
class Evaluate(Solver):
    """Stays at the start. For calls with `tol=0, max_steps=0` that ask for loss and measures alone: no answer is judged, so that no
    derivative is compiled, and `residual` is NaN."""

    MAX_STEPS: ClassVar[int] = 0
    CERTIFIED: ClassVar[bool] = False

    def init(self, objective: Objective, params: Params) -> Evaluated:
        """The start and its loss."""
        return Evaluated(params, objective.loss(params))

    def step(self, objective: Objective, state: State) -> Evaluated:
        """The same."""
        return Evaluated.of(state)
