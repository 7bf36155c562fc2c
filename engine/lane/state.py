"""The state of one lane: a solver's own state, and what ends the lane. Needs nothing of the engine but types."""

from __future__ import annotations

from dataclasses import dataclass

from backends.record import Record
from backends.types import Params, Scalar, State


@dataclass(frozen=True, eq=False)
class LaneState(Record):
    """The state of one lane's solve.

    Fields:
        pow2_scales: the units of residual and coordinates, of a solver with J'J (see `tangent.pow2_scales_at`).
        solver: the solver's own state: a record, or the dict of a user's solver.
        status: RUNNING, or the code that the lane ended with, int8.
        steps: those taken, int32.
        loss: that of the params before the last step.
        first: the loss at the start, of a problem without residual.
        last: the last finite iterate, where a monitor keeps it.
        best, best_loss, improved: the iterate with the least loss, this loss, and the step at which it last fell (`BestSoFar`).
        due: the step at which a test with dense derivatives is due, int32 (`BestSoFar`).
    """

    pow2_scales: dict[str, Scalar] | None
    solver: State
    status: Scalar
    steps: Scalar
    loss: Scalar
    first: Scalar | None = None
    last: Params | None = None
    best: Params | None = None
    best_loss: Scalar | None = None
    improved: Scalar | None = None
    due: Scalar | None = None
