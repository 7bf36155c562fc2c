"""Closed domains: steps are projected, and what presses against a face stays on it (an active set).

Coordinates are the entries themselves. A change of variables would stall at the boundary; projection does not.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from array_api_compat import device

from backends.arrays import MASKED, as_array, is_masked, library_or_none, to_host
from backends.types import Array, array_namespace
from engine.domains.base import Domain, Shape, flat
from engine.errors import ArgumentError

Bound = Any


class Closed(Domain):
    """A domain in which every step ends at the projection of its end."""

    closed = True

    def move(self, x: Array, u: Array) -> Array:
        return self.project(x + self.from_coordinates(x, u))

    def retract(self, x: Array, t: Array) -> Array:
        return self.project(x + t)


@dataclass(frozen=True, eq=False)
class Box(Closed):
    """lo <= x <= hi, entry by entry, faces included; lo = hi fixes an entry.

    Args:
        lo, hi: numbers, arrays that broadcast to the parameter, or names of data, so that bounds differ per lane.
            Infinite ones are allowed, also in such data. lo > hi makes a lane INFEASIBLE. Bounds take the parameter's dtype.

    Source:
        Nocedal and Wright, Numerical Optimization, section 16.7 (gradient projection, active sets); Bertsekas, Nonlinear
        Programming, section 2.3.

    Example:
        >>> import numpy as np
        >>> Box(0.0, 1.0).project(np.array([-1.0, 0.5, 3.0])).tolist()
        [0.0, 0.5, 1.0]
    """

    lo: Bound = float("-inf")
    hi: Bound = float("inf")

    def __post_init__(self) -> None:
        for name, bound in (("lo", self.lo), ("hi", self.hi)):
            if is_masked(bound):
                raise ArgumentError(f"Box: {name}: {MASKED}")
            if isinstance(bound, str) or library_or_none(bound) == "torch":
                continue
            number = to_host(bound)
            if number.dtype.kind not in "fiu" or (number != number).any():
                raise ArgumentError(
                    f"Box: {name} came as {bound!r}; expected a number, an array of numbers or the name of a datum: leave it out for none"
                )

    @property
    def bound_shapes(self) -> tuple[tuple[str, Shape], ...]:  # type: ignore[override]
        """The shapes of the bounds that are numbers, by name."""
        ends = (("lo", self.lo), ("hi", self.hi))
        return tuple((name, tuple(as_array(bound).shape)) for name, bound in ends if not isinstance(bound, str))

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """The data that hold bounds."""
        return tuple(bound for bound in (self.lo, self.hi) if isinstance(bound, str))

    def bind(self, data: Mapping[str, Array]) -> Box:
        lo, hi = (data[bound] if isinstance(bound, str) else bound for bound in (self.lo, self.hi))
        found = copy.copy(self)  # not checked again: a NaN among a lane's data is a status of that lane
        object.__setattr__(found, "lo", lo)
        object.__setattr__(found, "hi", hi)
        return found

    def project(self, x: Array) -> Array:
        xp = array_namespace(x)
        lo, hi = self._bounds(x)
        return xp.minimum(xp.maximum(x, lo), hi)

    def inactive_mask(self, x: Array, g: Array) -> Array:
        xp = array_namespace(x)
        lo, hi = self._bounds(x)
        g = xp.reshape(g, tuple(x.shape))
        return self.to_coordinates(x, (lo < hi) & ((x > lo) | (g < 0)) & ((x < hi) | (g > 0)))

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        xp = array_namespace(x)
        return xp.where(xp.reshape(self.inactive_mask(x, g), tuple(x.shape)), g, xp.zeros_like(g))

    def on_faces(self, x: Array) -> Array:
        xp = array_namespace(x)
        lo, hi = self._bounds(x)
        return xp.where(x == lo, lo, xp.where(x == hi, hi, x))

    def feasible(self, x: Array) -> Array:
        lo, hi = self._bounds(x)
        return array_namespace(x).all(lo <= hi)

    def _bounds(self, x: Array) -> tuple[Array, Array]:
        xp = array_namespace(x)

        def wide(bound: Bound) -> Array:
            if not hasattr(bound, "dtype") or array_namespace(bound) is not xp:
                bound = xp.asarray(getattr(bound, "tolist", lambda: bound)(), dtype=x.dtype, device=device(x))
            return xp.broadcast_to(xp.astype(bound, x.dtype), tuple(x.shape))

        return wide(self.lo), wide(self.hi)


@dataclass(frozen=True)
class Simplex(Closed):
    """x >= 0 with sum 1 along the last axis, faces and corners included: `(..., n)`.

    Coordinates u move x by u - x sum(u), so that the pulled gradient g - x'g is the multiplier of x >= 0. Starts that are
    declared by a word lie inside: exp(z) / sum exp(z) of the numbers z drawn, where projection would end at a corner.

    Raises:
        ValueError: a parameter without a last axis of 1 or more.

    Source:
        Held, Wolfe and Crowder, Validation of subgradient optimization, Mathematical Programming 6 (projection).

    Example:
        >>> import numpy as np
        >>> Simplex().project(np.array([2.0, 0.5, 0.0])).tolist()
        [1.0, 0.0, 0.0]
    """

    def size(self, shape: Shape) -> int:
        if not shape:
            raise ArgumentError(f"domain {self}: the parameter is a scalar; expected a last axis")
        return super().size(shape)

    def from_coordinates(self, x: Array, u: Array) -> Array:
        # sum_j x_j u_i - x_i u_j: near a corner, u_i - x_i sum(u) would be the difference of numbers near 1
        xp = array_namespace(x)
        u = xp.reshape(u, tuple(x.shape))
        return xp.sum(u[..., :, None] * x[..., None, :] - x[..., :, None] * u[..., None, :], axis=-1)

    def to_coordinates(self, x: Array, g: Array) -> Array:
        xp = array_namespace(x)
        return flat(xp.sum(x[..., None, :] * (g[..., :, None] - g[..., None, :]), axis=-1), x.ndim)

    def typical_scale(self, x: Array) -> Array:
        return flat(x, x.ndim)

    def oriented(self, start: Array) -> Array:
        if not start.shape:
            return start
        xp = array_namespace(start)
        there = (start >= 0) & (xp.sum(start, axis=-1, keepdims=True) == 1)
        inside = xp.exp(start)
        return xp.where(there, start, inside / xp.sum(inside, axis=-1, keepdims=True))

    def project(self, x: Array) -> Array:
        """The nearest point: max(x - s, 0) with s = max over k of (sum of the k largest - 1) / k.

        What is 0, or meets s, to rounding is 0: an entry of 1e-17 would be taken off its face, and steps would end there.
        """
        xp = array_namespace(x)
        top, rounding = xp.max(x, axis=-1, keepdims=True), x.shape[-1] * float(xp.finfo(x.dtype).eps)
        below = x - top
        larger = xp.astype(below[..., None, :] >= below[..., :, None], x.dtype)
        shifts = (xp.sum(larger * below[..., None, :], axis=-1) - 1) / xp.sum(larger, axis=-1)
        shift = xp.max(shifts, axis=-1, keepdims=True)
        found = xp.where(below - shift > rounding, below - shift, xp.zeros_like(x))
        there = xp.abs(top + shift) <= rounding  # the sum of what is positive is 1: small entries keep their digits
        found = xp.where(there, xp.maximum(x, xp.zeros_like(x)), found)
        return found / xp.sum(found, axis=-1, keepdims=True)

    def inactive_mask(self, x: Array, g: Array) -> Array:
        entries = flat(x, x.ndim)
        # along an entry that is 1 nothing moves: what is pulled there is rounding
        return ((entries > 0) | (g < 0)) & (entries < 1)

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        """g - s, and at most 0 on a face: s is the least mean of g over the support and what joins it, lowest first."""
        xp = array_namespace(x)
        inside = x > 0
        joined = xp.astype(inside[..., None, :] | (g[..., None, :] <= g[..., :, None]), x.dtype)
        means = xp.sum(joined * g[..., None, :], axis=-1) / xp.sum(joined, axis=-1)
        support = xp.astype(inside, x.dtype)
        mean = xp.sum(support * g, axis=-1, keepdims=True) / xp.sum(support, axis=-1, keepdims=True)
        least = xp.minimum(mean, xp.min(means, axis=-1, keepdims=True))
        return xp.where(inside, g - least, xp.minimum(g - least, xp.zeros_like(g)))
