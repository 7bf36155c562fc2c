"""The monitor of solvers that judge their own steps (`OWN_OPTIMALITY`): their params are the best ones, always.

A lane goes on while its solver still halves its optimality, down to rounding: an answer at `tol` is good, one at rounding level
costs a step or two more where steps converge quadratically.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from backends.base import RUNNING, Inputs
from backends.record import Record
from backends.types import Array, Scalar, State, array_namespace
from engine.lane.monitor import Monitor, cast, counted, limit, settled
from engine.lane.scalars import code, unscaled_loss
from engine.lane.state import LaneState
from engine.objective import Objective, Params
from engine.params import select
from engine.problem import Problem
from engine.status import Status

RESOLVED = {"float64": 1e-9, "float32": 1e-5}
"""dtype -> the offset of a fit from its minimum, in standard errors of all parameters together, that is as good as none."""


@dataclass(frozen=True, eq=False)
class Judgement(Record):
    """The entries of a solver's state by which it judges its own steps; `engine.solvers.base.Solver` has their meaning."""

    loss: Scalar
    optimality: Scalar
    halving: Scalar
    stuck: Scalar
    rate: Scalar | None = None
    reference: Scalar | None = None


class OwnOptimality(Monitor):
    """Reads `optimality`, `halving` and `stuck` of the solver's state; of a fit, `rate` and `reference` too."""

    def advance(self, objective: Objective, state: LaneState, after: State) -> LaneState:
        """The solver's state; of a lane that is done, its params as they were."""
        running = state.status == RUNNING
        solver = cast(after, state)
        solver = solver | {"params": select(running, solver["params"], state.solver["params"])}
        loss = unscaled_loss(solver["loss"], objective)
        return replace(state, solver=solver, loss=loss, steps=counted(state, running))

    def terminate(self, inputs: Inputs, objective: Objective, state: LaneState) -> LaneState:
        """CONVERGED at `tol` where further steps do not help, STALLED where the solver is stuck."""
        judged, status = Judgement.of(state.solver), state.status
        xp = array_namespace(judged.optimality)
        verdict = self._verdict(inputs, objective.problem, state, judged, limit(inputs, state, status))
        finite = xp.isfinite(judged.loss) & ~xp.isnan(judged.optimality)  # of the start: no other such point is accepted
        return settled(state, xp.where(finite, verdict, code(status, Status.NONFINITE)))

    def answer(self, state: LaneState) -> Params:
        """The solver's params."""
        params: Params = state.solver["params"]
        return params

    def _verdict(self, inputs: Inputs, problem: Problem, state: LaneState, judged: Judgement, verdict: Array) -> Array:
        status = state.status
        xp = array_namespace(judged.optimality)
        floor = rounding_level(problem, judged)
        passed = judged.optimality <= inputs["tol"] * tol_share(problem, judged)
        passed = passed & (~judged.halving | (judged.optimality <= floor))
        # the first test comes before the first step, which is due unless there is nothing to gain
        passed = passed & ((state.steps > 0) | (judged.optimality <= floor))
        verdict = xp.where(judged.stuck, code(status, Status.STALLED), verdict)
        return xp.where(passed, code(status, Status.CONVERGED), verdict)


class OwnFixedSteps(OwnOptimality):
    """The same where `tol` is 0: a lane takes just `max_steps` steps."""

    def _verdict(self, inputs: Inputs, problem: Problem, state: LaneState, judged: Judgement, verdict: Array) -> Array:
        return verdict


def tol_share(problem: Problem, judged: Judgement) -> Array | float:
    """The share of `tol` at which a lane stops.

    Along a valley whose curvature is 1 - rate of what the squares of J say, Gauss-Newton steps leave that rate of the
    distance, and Newton's step removes 1 / (1 - rate) times what theirs promise.
    """
    if problem.exact or problem.residual is None:
        return 1
    assert judged.rate is not None
    xp = array_namespace(judged.rate)
    return xp.sqrt(xp.maximum(1 - judged.rate, 0 * judged.rate))


def rounding_level(problem: Problem, judged: Judgement) -> Array | float:
    """The optimality below which a further step changes nothing that anybody can tell.

    That is what rounding leaves of it, by the size of the terms whose difference the residual is, or less than
    `RESOLVED`. A residual so small that it is at rounding level itself makes the fit an exact one.
    """
    xp = array_namespace(judged.optimality)
    dtype = judged.optimality.dtype
    eps = float(xp.finfo(dtype).eps)
    if problem.residual is None or problem.exact:
        return 4 * eps
    assert judged.reference is not None
    loss, terms = judged.loss, judged.reference
    stays = loss > eps * terms
    rounding = eps * xp.where(stays, xp.maximum(terms / xp.where(stays, loss, terms + 1), 16 + 0 * loss), 16 + 0 * loss) ** 0.5
    return xp.maximum(rounding, rounding * 0 + RESOLVED[str(dtype).removeprefix("torch.")])
