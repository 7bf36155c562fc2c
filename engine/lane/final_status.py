"""The status of the answer that is returned, recomputed from it: nothing that was found while iterating vouches for it.

Needs `certificate`.
"""

from __future__ import annotations

from backends.tree import leaves
from backends.types import Array, State, array_namespace
from engine import certificate
from engine.lane.scalars import code
from engine.lane.state import LaneState
from engine.objective import Objective, Params
from engine.solvers.trust_region import TrustRegionState, cosine
from engine.status import Status

FAR_FROM_SOLUTION = 1e3
"""Multiples of `tol` at which the residual of an exact problem counts as far from a solution."""


def certified(
    objective: Objective, answer: Params, loss: Array, verdict: certificate.Verdict, tol: Array, state: LaneState
) -> Array:
    """The status that the verdict supports; faults found while iterating stay."""
    xp, status = array_namespace(verdict.optimality), state.status
    finite = certificate.all_finite([loss, *leaves(answer)], loss)
    stationary = stationarity(objective, answer, state.solver)

    def code_of(value: int) -> Array:
        return code(verdict.optimality, value)

    passed = xp.where(verdict.digits, code_of(Status.CONVERGED), code_of(Status.ILL_CONDITIONED))
    passed = xp.where(verdict.determined, passed, code_of(Status.UNDETERMINED))
    missed = xp.where(status == Status.MAX_STEPS, status, code_of(Status.STALLED))
    if stationary is not None:
        stationary_tol = certificate.TOL[False][str(verdict.optimality.dtype).removeprefix("torch.")] * 10
        # Few lanes ask: a lane branch of the kernel skips the derivatives of all others.
        asks = (status == Status.STALLED) & (verdict.optimality > FAR_FROM_SOLUTION * tol)
        at_rest = xp.where(asks, stationary, stationary_tol + 1) <= stationary_tol
        missed = xp.where(at_rest, code_of(Status.INFEASIBLE), missed)
    faulty = (status == Status.NONFINITE) | (status == Status.NONFINITE_INPUT) | (status == Status.INFEASIBLE)
    found = xp.where(verdict.optimality <= tol, passed, missed)
    return xp.where(faulty, status, xp.where(finite, found, code_of(Status.NONFINITE)))


def stationarity(objective: Objective, answer: Params, solver: State) -> Array | None:
    """The distance of an exact problem's answer from a stationary point; of many unknowns by the solver's model if it has one."""
    if not objective.problem.exact:
        return None
    found = certificate.stationarity(objective, answer)
    if found is not None:
        return found
    if isinstance(solver, TrustRegionState):
        return cosine(objective, solver.params, solver.model)
    return certificate.cosine(objective, answer)
