"""Gauss-Newton with a backtracking line search."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from backends.types import Scalar, array_namespace
from engine.curvature import least_squares, solve, structure_of
from engine.objective import Objective, Params
from engine.solvers.base import Solver, State
from engine.solvers.trust_region import TrustRegionState, init_state, trial_step
from engine.tangent import Tangent


@dataclass(frozen=True, eq=False)
class SearchState(TrustRegionState):
    """The state of a line search along Gauss-Newton steps; `length` is t."""

    length: Scalar


@dataclass(frozen=True)
class GaussNewton(Solver):
    r"""Gauss-Newton for residual problems: J'J u = -J'r, x moved along t u; t is halved until the loss falls.

    A step is one trial. For problems that start near a solution; `LevenbergMarquardt` is the one for the rest.

    Source:
        Nocedal and Wright, Numerical Optimization, section 10.3; Madsen, Nielsen and Tingleff, Methods for non-linear
        least squares problems, section 3.1.

    Example:
        >>> GaussNewton()
        GaussNewton()
    """

    CHECK_EVERY: ClassVar[int] = 1
    MAX_STEPS: ClassVar[int] = 500
    CURVATURE: ClassVar[str] = "residual"
    OWN_OPTIMALITY: ClassVar[bool] = True

    def init(self, objective: Objective, params: Params) -> SearchState:
        """The model at the start; full steps first."""
        state = init_state(objective, params, least_squares)
        return SearchState(**vars(state), length=array_namespace(state.loss).ones_like(state.loss))

    def step(self, objective: Objective, state: State) -> SearchState:
        """One trial."""
        before = SearchState.of(state)
        tangent = Tangent(objective, before.params)
        gradient, scale, length = before.model.gradient, before.scale, before.length
        xp = array_namespace(gradient)
        info = xp.finfo(gradient.dtype)
        tiny = float(info.eps) * scale + float(info.smallest_normal)  # keeps a singular system finite
        structure = structure_of(objective, tangent)
        u, _ = solve(before.model.blocks, structure, tiny, -gradient, tangent.inactive_mask(gradient))
        after, accepted, _ = trial_step(objective, before, length * u, None, least_squares)
        return replace(after, length=xp.where(accepted, xp.ones_like(length), length / 2))
