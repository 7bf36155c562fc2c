"""Sets on which the judge moves, in extended precision. A point z is `(lanes, size)`, coordinates u about it `(lanes, d)`.

    dimension          d
    curve(z, u)        the point at u, to second order of a geodesic: analytic in u, for complex steps about u = 0
    project(z)         the nearest point of the set, or one as near
    limits(z)          the least and the largest u that stay in the set, `(lanes, d)` each
    grain(z)           the size whose last place an entry is rounded in: its own, but 1 where entries hang together
    attained(z, typical)  whether the set holds a minimum near z, not only its closure
    scale(z, typical)  a change of u of order one, `(lanes, d)`; `typical` `(lanes, size)` is the usual size of the entries

The flat ones are here, the curved ones in `manifolds`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

Array = Any


class Space:
    """All of R^size, the coordinates being the entries."""

    size: int
    bounded = False

    @property
    def dimension(self) -> int:
        """Coordinates of a point."""
        return self.size

    def curve(self, z: Array, u: Array) -> Array:
        """The point at u."""
        return z + u

    def project(self, z: Array) -> Array:
        """The nearest point."""
        return z

    def limits(self, z: Array) -> tuple[Array, Array]:
        """The least and the largest u."""
        far = np.full((len(z), self.dimension), np.inf, np.longdouble)
        return -far, far

    def scale(self, z: Array, typical: Array) -> Array:
        """A change of u of order one."""
        return np.maximum(np.abs(z), typical)

    def grain(self, z: Array) -> Array:
        """The size of which entries are rounded."""
        return np.abs(z)

    def attained(self, z: Array, typical: Array) -> Array:
        """Whether a minimum near z is one of the set's own points, not of its closure: `(lanes,)`."""
        return np.full(len(z), True)

    def take(self, rows: Array) -> Space:
        """The space of some lanes, where it differs between them."""
        return self


@dataclass(frozen=True)
class Free(Space):
    """R^size."""

    size: int


class Unit(Space):
    """A set of points of size 1, which changes of order one change by as much."""

    def scale(self, z: Array, typical: Array) -> Array:
        return np.ones((len(z), self.dimension), np.longdouble)


@dataclass(frozen=True)
class Box(Space):
    """lo <= z <= hi with bounds `(size,)`, or `(lanes, size)` where they are data: faces included."""

    lo: Array
    hi: Array
    bounded = True

    @property
    def size(self) -> int:  # type: ignore[override]
        """Entries."""
        return int(self.lo.shape[-1])

    def project(self, z: Array) -> Array:
        return np.minimum(np.maximum(z, self.lo), self.hi)

    def limits(self, z: Array) -> tuple[Array, Array]:
        return self.lo - z, self.hi - z

    def take(self, rows: Array) -> Box:
        return Box(self.lo[rows], self.hi[rows]) if self.lo.ndim > 1 else self


@dataclass(frozen=True)
class Positive(Space):
    """z > 0; a step removes at most 99.9% of an entry."""

    size: int
    bounded = True

    def limits(self, z: Array) -> tuple[Array, Array]:
        return -0.999 * z, np.full_like(z, np.inf)

    def attained(self, z: Array, typical: Array) -> Array:
        return (z > 1e-6 * typical).all(axis=1)


@dataclass(frozen=True)
class Simplex(Unit):
    """z >= 0 with sum 1. Coordinates are all entries but the largest one, which the sum determines."""

    size: int
    bounded = True

    @property
    def dimension(self) -> int:
        return self.size - 1

    def _others(self, z: Array) -> tuple[Array, Array]:
        """Indices of the largest entry `(lanes, 1)` and of the others."""
        order = np.argsort(-z, axis=1, kind="stable")
        return order[:, :1], np.sort(order[:, 1:], axis=1)

    def curve(self, z: Array, u: Array) -> Array:
        largest, others = self._others(z.real)
        step = np.zeros(z.shape, u.dtype)
        np.put_along_axis(step, others, u, axis=1)
        np.put_along_axis(step, largest, -u.sum(axis=1, keepdims=True), axis=1)
        return z + step

    def project(self, z: Array) -> Array:
        z = np.maximum(z, 0)
        return z / z.sum(axis=1, keepdims=True)

    def limits(self, z: Array) -> tuple[Array, Array]:
        others = np.take_along_axis(z, self._others(z)[1], axis=1)
        return -others, np.full_like(others, np.inf)

    def grain(self, z: Array) -> Array:
        return np.ones_like(z)


@dataclass(frozen=True)
class Product(Space):
    """Several spaces side by side."""

    parts: tuple[Space, ...]

    @property
    def bounded(self) -> bool:  # type: ignore[override]
        """Whether any part has faces."""
        return any(part.bounded for part in self.parts)

    @property
    def size(self) -> int:  # type: ignore[override]
        """Entries."""
        return sum(part.size for part in self.parts)

    @property
    def dimension(self) -> int:
        return sum(part.dimension for part in self.parts)

    def _cut(self, array: Array, sizes: list[int]) -> list[Array]:
        return np.split(array, np.cumsum(sizes)[:-1], axis=-1)

    def _points(self, z: Array) -> list[tuple[Space, Array]]:
        return list(zip(self.parts, self._cut(z, [part.size for part in self.parts]), strict=True))

    def curve(self, z: Array, u: Array) -> Array:
        steps = self._cut(u, [part.dimension for part in self.parts])
        return np.concatenate([part.curve(x, step) for (part, x), step in zip(self._points(z), steps, strict=True)], axis=1)

    def project(self, z: Array) -> Array:
        return np.concatenate([part.project(x) for part, x in self._points(z)], axis=1)

    def limits(self, z: Array) -> tuple[Array, Array]:
        ends = [part.limits(x) for part, x in self._points(z)]
        return np.concatenate([low for low, _ in ends], axis=1), np.concatenate([high for _, high in ends], axis=1)

    def grain(self, z: Array) -> Array:
        return np.concatenate([part.grain(x) for part, x in self._points(z)], axis=1)

    def attained(self, z: Array, typical: Array) -> Array:
        sizes = self._cut(typical, [part.size for part in self.parts])
        return np.all([part.attained(x, s) for (part, x), s in zip(self._points(z), sizes, strict=True)], axis=0)

    def scale(self, z: Array, typical: Array) -> Array:
        sizes = self._cut(typical, [part.size for part in self.parts])
        return np.concatenate([part.scale(x, s) for (part, x), s in zip(self._points(z), sizes, strict=True)], axis=1)
