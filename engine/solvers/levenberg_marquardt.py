"""Levenberg-Marquardt: Gauss-Newton with damping by the gain ratio, scaled by the columns."""

from __future__ import annotations

from dataclasses import InitVar, dataclass
from typing import ClassVar

from backends.renamed import renamed
from engine.curvature import least_squares
from engine.errors import ArgumentError
from engine.objective import Objective, Params
from engine.solvers.base import Solver, State, checked
from engine.solvers.damped import DampedState, damped_init, damped_step


@dataclass(frozen=True)
class LevenbergMarquardt(Solver):
    r"""Levenberg-Marquardt for residual problems: (J'J + mu D) u = -J'r in tangent coordinates.

    D is the largest diagonal of J'J so far, so that units of the params do not matter. mu shrinks by
    max(1/3, 1 - (2 q - 1)^3) after a step with gain ratio q (by 10 where the model was right), and grows by 2, 4, 8,
    ... at each rejection. A step is one trial with one linearisation, at the trial point. J'J is taken and solved by
    the blocks that it falls into.

    Args:
        damping: mu before the first step, relative to D; above 0.
        geodesic_acceleration: where trials failed more often than the model held, take steps along a parabola, with the
            second derivative of the residual along u, and none whose acceleration is long beside it: fewer and safer steps
            through curved valleys, each for the price of two more products. The plan sets it for residuals that need not
            vanish at a solution. Its name before version 0.2 was `bends`.

    Raises:
        TypeError, ValueError: a setting that is no number or out of its range.

    Source:
        Nielsen, Damping parameter in Marquardt's method, IMM-REP-1999-05, section 4; Madsen, Nielsen and Tingleff,
        Methods for non-linear least squares problems, section 3.2; More, The Levenberg-Marquardt
        algorithm: implementation and theory, section 6 (scaling); Transtrum and Sethna, Improvements to
        the Levenberg-Marquardt algorithm, arXiv 1201.5885, section 4 (geodesic acceleration).

    Example:
        >>> LevenbergMarquardt()
        LevenbergMarquardt(damping=0.001, geodesic_acceleration=False)
    """

    damping: float = 1e-3
    geodesic_acceleration: bool = False
    bends: InitVar[bool | None] = None

    CHECK_EVERY: ClassVar[int] = 1
    MAX_STEPS: ClassVar[int] = 500
    CURVATURE: ClassVar[str] = "residual"
    OWN_OPTIMALITY: ClassVar[bool] = True

    def __post_init__(self, bends: bool | None) -> None:
        if bends is not None:
            renamed("LevenbergMarquardt(bends=)", "geodesic_acceleration=", stacklevel=4)
            object.__setattr__(self, "geodesic_acceleration", bends)
        if not isinstance(self.geodesic_acceleration, bool):
            raise ArgumentError(
                f"LevenbergMarquardt: geodesic_acceleration came as {self.geodesic_acceleration!r}; expected True or False"
            )
        object.__setattr__(self, "damping", checked("LevenbergMarquardt", "damping", self.damping, 1e-15, 1e15))

    def init(self, objective: Objective, params: Params) -> DampedState:
        """The model at the start."""
        return damped_init(objective, params, self.damping, least_squares)

    def step(self, objective: Objective, state: State) -> DampedState:
        """One trial."""
        return damped_step(objective, state, least_squares, self.geodesic_acceleration)
