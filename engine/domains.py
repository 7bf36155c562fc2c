"""Where a parameter lives. Every update of a parameter goes through its domain's retraction.

One class a domain. It needs nothing of its neighbours; arrays come as arguments.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

Array = Any


class Domain(Protocol):
    """The operations of a domain, for one lane's parameter of any shape."""

    def retract(self, point: Array, tangent: Array) -> Array:
        """The point of the domain that a step along `tangent` leads to."""
        ...


@dataclass(frozen=True)
class Real:
    """All real arrays: R(x, t) = x + t, of the shape and dtype of x.

    Example:
        >>> Real().retract(1.0, 0.5)
        1.5
    """

    def retract(self, point: Array, tangent: Array) -> Array:
        """x + t."""
        return point + tangent
