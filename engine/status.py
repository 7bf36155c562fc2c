"""Status codes, and their words as data."""

from __future__ import annotations

from enum import IntEnum
from operator import index


class Status(IntEnum):
    """The status of a lane; int8 in `Solution.status`.

    | code | meaning |
    |---|---|
    | `CONVERGED` | the test of `tol` holds for quantities recomputed from the returned params |
    | `ILL_CONDITIONED` | exact problems: the backward error is within `tol`, but digits are lost; usable |
    | `MAX_STEPS` | the step limit came first |
    | `STALLED` | no further progress at this precision, above `tol` |
    | `INFEASIBLE` | a stationary point whose residual is far above `tol` in an exact problem |
    | `NONFINITE` | the loss, or a derivative that the solver cannot go on without, became NaN or Inf |
    | `NONFINITE_INPUT` | data or start has NaN or Inf |
    | `UNDETERMINED` | the loss is as low as it gets, but the data does not determine a parameter |

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
    UNDETERMINED = 7

    @classmethod
    def _missing_(cls, value: object) -> Status | None:
        """The status of a code that is a tensor without axes, as `solution.status[lane]` is for torch."""
        try:
            code = index(value)  # type: ignore[arg-type]
        except TypeError:
            return None
        return cls(code) if type(value) is not int and code in cls._value2member_map_ else None


USABLE = (Status.CONVERGED, Status.ILL_CONDITIONED)
