"""What became of a lane: the codes, and their words as data."""

from __future__ import annotations

from enum import IntEnum


class Status(IntEnum):
    """What became of a lane; int8 in `Solution.status`.

    | code | meaning |
    |---|---|
    | `CONVERGED` | the test of `tol` holds for quantities recomputed from the returned params |
    | `ILL_CONDITIONED` | the test holds, but digits are lost, or a parameter has no effect left; usable |
    | `MAX_STEPS` | the step limit came first |
    | `STALLED` | no further progress at this precision, above `tol` |
    | `INFEASIBLE` | a stationary point whose residual is far above `tol` in an exact problem |
    | `NONFINITE` | the loss became NaN or Inf |
    | `NONFINITE_INPUT` | data or start has NaN or Inf |

    Example:
        >>> Status(2).name
        'MAX_STEPS'
    """

    CONVERGED = 0
    ILL_CONDITIONED = 1
    MAX_STEPS = 2
    STALLED = 3
    INFEASIBLE = 4
    NONFINITE = 5
    NONFINITE_INPUT = 6


USABLE = (Status.CONVERGED, Status.ILL_CONDITIONED)

REMEDIES = {
    Status.MAX_STEPS: "the step limit came first: raise max_steps, or choose a faster solver or rate",
    Status.STALLED: "no further progress at this precision: raise tol, use float64, or lower the learning rate",
    Status.INFEASIBLE: "no solution near the point where the solver came to rest: look at these matrices (singular?), "
    "or try another start or seed",
    Status.NONFINITE: "the loss became NaN or Inf: lower the learning rate, rescale the data, or start elsewhere",
    Status.NONFINITE_INPUT: "data or start has NaN or Inf: clean these lanes",
}
"""Status -> likely cause and remedy, one clause each."""
