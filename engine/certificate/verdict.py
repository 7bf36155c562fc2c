"""The verdict of a certificate on a lane, and the arithmetic that its kinds share. Needs `objective` for scalars."""

from __future__ import annotations

from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine.objective import zero

STILL = 1e-3
"""Share of its size by which a Newton step may still move a determined parameter."""


@dataclass(frozen=True)
class Verdict:
    """Scalars of one lane.

    optimality   what `tol` is compared with; NaN where a number on its way is not finite
    determined   whether the data determines every parameter
    digits       whether the answer of an exact problem keeps its digits
    """

    optimality: Array
    determined: Array
    digits: Array


def true(like: Array) -> Array:
    """True as a scalar of an array's library."""
    value = zero(like)
    return value == value


def ratio(above: Array, below: Array) -> Array:
    """above / below, with 0 / 0 = 0."""
    xp = array_namespace(above)
    nothing = above == 0
    return xp.where(nothing, xp.zeros_like(above), above / xp.where(nothing & (below == 0), below + 1, below))


def norm(arrays: list[Array]) -> Array:
    """The Euclidean norm of several arrays together, a scalar."""
    xp = array_namespace(*arrays)
    squares = [xp.sum(a * a) for a in arrays]
    return xp.sqrt(sum(squares[1:], start=squares[0]))


def largest(values: Array, like: Array) -> Array:
    """The largest of a vector, at least 0; 0 of none."""
    xp = array_namespace(like)
    return xp.maximum(zero(like), xp.max(values)) if values.shape[0] else zero(like)


def all_finite(arrays: list[Array], like: Array) -> Array:
    """True where no entry is NaN or Inf; `like` says of which library the answer is."""
    verdict = true(like)
    for a in arrays:
        verdict = verdict & array_namespace(a).all(array_namespace(a).isfinite(a))
    return verdict
