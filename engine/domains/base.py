"""The contract of a domain. Every update of a parameter goes through its domain, so that no solver ever leaves it.

Needs nothing of its neighbours; arrays come as arguments, a tracer's among them. A point x of one lane has
tangent coordinates u, a flat vector:

    size(shape)                     how many coordinates
    from_coordinates(x, u)          the change of x along u, in the shape of x; linear in u
    to_coordinates(x, g)            the adjoint: the gradient in coordinates of an ambient gradient g
    second_order_retraction(x, u)   x + from_coordinates(x, u) + second order of the retraction: polynomial in u, for
                                    derivatives at u = 0
    move(x, u)                      the point of the domain where a step along u ends
    retract(x, t)                   the same for an ambient step t, which need be no tangent
    riemannian_gradient(x, g)       the part of an ambient gradient that a step against it can follow: minus the projection
                                    of -g on the tangent space, of a closed domain on the tangent cone; 0 at a stationary point
    project(x)                      a point of the domain for any array: the start
    typical_scale(x)                what counts as a change of order one, coordinate by coordinate
    inactive_mask(x, g)             closed domains: where a step against the gradient g, in coordinates, may go; None: everywhere
    on_faces(x)                     closed domains: x with the entries that lie on a face taken from its bound, so that an entry moves
                                    with a bound that is a datum
    feasible(x)                     False for a lane whose domain is empty; None: never empty
    names, bind(data)               the data that bounds are read from, and the domain of one lane's data
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from array_api_compat import device

from backends.renamed import keep_old_names
from backends.types import Array, array_namespace

Shape = tuple[int, ...]


OLD_NAMES = {
    "lift": "from_coordinates", "pull": "to_coordinates", "curve": "second_order_retraction", "steepest": "riemannian_gradient",
    "magnitude": "typical_scale", "free": "inactive_mask",
}  # fmt: skip
"""Method before version 0.2 -> its name."""


class Domain:
    """A linear space without constraints; the domains derive from it and differ.

    Arrays keep their dtype. `size` raises ValueError, naming the shape that came, where a domain has no such arrays.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, sections 3.5 (tangent spaces) and 4.1
        (retractions).
    """

    closed = False
    names: tuple[str, ...] = ()
    bound_shapes: tuple[tuple[str, Shape], ...] = ()

    def __init_subclass__(cls, **options: object) -> None:
        """Methods by their names before version 0.2 count as written."""
        super().__init_subclass__(**options)
        keep_old_names(cls, OLD_NAMES)

    def size(self, shape: Shape) -> int:
        """The number of tangent coordinates of a parameter of this shape."""
        return math.prod(shape)

    def from_coordinates(self, x: Array, u: Array) -> Array:
        """The change of x along the coordinates u."""
        return array_namespace(u).reshape(u, tuple(x.shape))

    def to_coordinates(self, x: Array, g: Array) -> Array:
        """The gradient in coordinates of an ambient gradient g."""
        return array_namespace(g).reshape(g, (math.prod(g.shape),))

    def second_order_retraction(self, x: Array, u: Array) -> Array:
        """A curve in u that agrees with `move` to second order."""
        return x + self.from_coordinates(x, u)

    def move(self, x: Array, u: Array) -> Array:
        """The point where a step along u ends."""
        return x + self.from_coordinates(x, u)

    def retract(self, x: Array, t: Array) -> Array:
        """The point where an ambient step t ends."""
        return x + t

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        """The part of an ambient gradient that a step against it can follow."""
        return g

    def oriented(self, start: Array) -> Array:
        """A start that was declared by a word, before it is projected: a domain of several parts chooses one, one with corners none."""
        return start

    def project(self, x: Array) -> Array:
        """A point of the domain near any array."""
        return x

    def typical_scale(self, x: Array) -> Array:
        """A change of order one, coordinate by coordinate."""
        return array_namespace(x).abs(self.to_coordinates(x, x))

    def inactive_mask(self, x: Array, g: Array) -> Array | None:
        """The part of a step against g that the domain admits."""
        return None

    def on_faces(self, x: Array) -> Array:
        """The same point, with entries on a face taken from its bound."""
        return x

    def feasible(self, x: Array) -> Array | None:
        """Whether there is any point in the domain."""
        return None

    def bind(self, data: Mapping[str, Array]) -> Domain:
        """The domain of one lane."""
        return self


keep_old_names(Domain, OLD_NAMES)


def gather(flat: Array, indices: list[int], shape: Shape) -> Array:
    """Entries of a flat array at fixed places, in a shape."""
    xp = array_namespace(flat)
    places = xp.asarray(indices, dtype=xp.int64, device=device(flat))
    return xp.reshape(xp.take(flat, places, axis=-1), shape)


def constant(values: list[float], like: Array, shape: Shape) -> Array:
    """Fixed numbers as an array of another's dtype and device."""
    xp = array_namespace(like)
    return xp.reshape(xp.asarray(values, dtype=like.dtype, device=device(like)), shape)


def flat(x: Array, axes: int) -> Array:
    """The last axes of an array as one."""
    lead = tuple(x.shape[: len(x.shape) - axes])
    return array_namespace(x).reshape(x, (*lead, math.prod(x.shape[len(lead) :])))


def ones(x: Array, count: int) -> Array:
    """A vector of ones of an array's dtype and device."""
    return array_namespace(x).ones((count,), dtype=x.dtype, device=device(x))
