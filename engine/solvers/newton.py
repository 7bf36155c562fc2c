"""Newton's method, damped, for any loss."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.curvature import second_order
from engine.objective import Objective, Params
from engine.solvers.base import Solver, State, checked
from engine.solvers.damped import DampedState, damped_init, damped_step


@dataclass(frozen=True)
class Newton(Solver):
    r"""Newton's method for any loss: (H + mu D) u = -g in tangent coordinates, H the Riemannian Hessian.

    Where H is indefinite, the pivots of its LDL' are taken by size, so that the step goes down; D and mu are those of
    `LevenbergMarquardt`. A step is one trial. The Hessian is taken and solved by the blocks that it falls into.

    Args:
        damping: mu before the first step, relative to D; above 0.

    Raises:
        TypeError, ValueError: a setting that is no number or out of its range.

    Source:
        Nocedal and Wright, Numerical Optimization, section 3.4; Absil, Mahony and Sepulchre, Optimization Algorithms
        on Matrix Manifolds, chapter 6.

    Example:
        >>> Newton()
        Newton(damping=1e-06)
    """

    damping: float = 1e-6

    CHECK_EVERY: ClassVar[int] = 1
    MAX_STEPS: ClassVar[int] = 500
    CURVATURE: ClassVar[str] = "loss"
    OWN_OPTIMALITY: ClassVar[bool] = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "damping", checked("Newton", "damping", self.damping, 1e-15, 1e15))

    def init(self, objective: Objective, params: Params) -> DampedState:
        """The model at the start."""
        return damped_init(objective, params, self.damping, second_order)

    def step(self, objective: Objective, state: State) -> DampedState:
        """One trial."""
        return damped_step(objective, state, second_order)
