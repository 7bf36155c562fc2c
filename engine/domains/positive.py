"""Open cones: positive numbers and positive definite matrices. Coordinates are relative changes."""

from __future__ import annotations

from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine import smalllinalg
from engine.domains.base import Domain, Shape, flat, ones
from engine.domains.linear import Symmetric
from engine.eye import eye_like

LIMIT = 10.0
"""The largest change of a logarithm in one step."""


@dataclass(frozen=True)
class Positive(Domain):
    """x > 0, an open domain: coordinates are changes of log x, R(x, t) = x exp(t / x).

    A start of another sign is taken by its size, a zero as 1. A step changes log x by 10 at most.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 4.1; Bhatia, Positive Definite
        Matrices, section 6.1, of which this is the case n = 1.

    Example:
        >>> import numpy as np
        >>> Positive().retract(np.array(2.0), np.array(-100.0)) > 0
        np.True_
    """

    def from_coordinates(self, x: Array, u: Array) -> Array:
        return x * super().from_coordinates(x, u)

    def to_coordinates(self, x: Array, g: Array) -> Array:
        return flat(x * g, x.ndim)

    def second_order_retraction(self, x: Array, u: Array) -> Array:
        u = super().from_coordinates(x, u)
        return x + x * (u + u * u / 2)

    def move(self, x: Array, u: Array) -> Array:
        return self._scaled(x, super().from_coordinates(x, u))

    def retract(self, x: Array, t: Array) -> Array:
        return self._scaled(x, t / x)

    def project(self, x: Array) -> Array:
        xp = array_namespace(x)
        return xp.where(x == 0, xp.ones_like(x), xp.abs(x))

    def typical_scale(self, x: Array) -> Array:
        return ones(x, self.size(tuple(x.shape)))

    def _scaled(self, x: Array, u: Array) -> Array:
        xp = array_namespace(x)
        tiny, top = float(xp.finfo(x.dtype).smallest_normal), float(xp.finfo(x.dtype).max)
        return xp.clip(x * xp.exp(xp.clip(u, -LIMIT, LIMIT)), tiny, top)


@dataclass(frozen=True)
class PositiveDefinite(Domain):
    """Symmetric positive definite matrices `(..., n, n)`, an open domain: n (n + 1) / 2 coordinates.

    X = L L' moves to L (I + W + W^2 / 2) L' for a symmetric W, which is positive definite for every W. A start is
    symmetrised, and shifted by Gershgorin's bound where it is not positive definite.

    Raises:
        ValueError: a parameter that is not square.

    Source:
        Bhatia, Positive Definite Matrices, section 6.1 (the metric whose geodesics this follows to second order).

    Example:
        >>> import numpy as np
        >>> PositiveDefinite().retract(np.eye(2), -np.eye(2)).tolist()
        [[0.5, 0.0], [0.0, 0.5]]
    """

    def size(self, shape: Shape) -> int:
        return Symmetric().size(shape)

    def from_coordinates(self, x: Array, u: Array) -> Array:
        low, _ = smalllinalg.cholesky(x)
        return low @ Symmetric().from_coordinates(x, u) @ array_namespace(x).matrix_transpose(low)

    def to_coordinates(self, x: Array, g: Array) -> Array:
        low, _ = smalllinalg.cholesky(x)
        return Symmetric().to_coordinates(x, array_namespace(x).matrix_transpose(low) @ g @ low)

    def second_order_retraction(self, x: Array, u: Array) -> Array:
        return self.move(x, u)

    def move(self, x: Array, u: Array) -> Array:
        low, _ = smalllinalg.cholesky(x)
        return self._moved(low, Symmetric().from_coordinates(x, u))

    def retract(self, x: Array, t: Array) -> Array:
        xp = array_namespace(x)
        low, _ = smalllinalg.cholesky(x)
        half = smalllinalg.solve_lower(low, Symmetric().project(t))
        return self._moved(low, smalllinalg.solve_lower(low, xp.matrix_transpose(half)))

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        return Symmetric().project(g)

    def project(self, x: Array) -> Array:
        xp = array_namespace(x)
        x = Symmetric().project(x)
        _, broken = smalllinalg.cholesky(x)
        diagonal = xp.linalg.diagonal(x)
        reach = xp.sum(xp.abs(x), axis=-1) - xp.abs(diagonal)
        least, most = xp.min(diagonal - reach, axis=-1), xp.max(xp.abs(diagonal) + reach, axis=-1)
        shift = xp.maximum(-least, xp.zeros_like(least)) + xp.where(most > 0, most, xp.ones_like(most)) / 8
        shifted = x + shift[..., None, None] * eye_like(x)
        return xp.where(broken[..., None, None], shifted, x)

    def typical_scale(self, x: Array) -> Array:
        return ones(x, self.size(tuple(x.shape)))

    def _moved(self, low: Array, w: Array) -> Array:
        xp = array_namespace(w)
        rooted = low + low @ w
        transposed = xp.matrix_transpose
        return Symmetric().project(low @ transposed(low) + rooted @ transposed(rooted)) / 2
