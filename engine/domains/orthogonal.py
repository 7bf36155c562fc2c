"""Orthonormal columns and unit vectors. Coordinates are rotation angles, and moves out of the span of the columns.

Needs `smalllinalg`. The columns stay orthonormal to rounding level at every step.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine import smalllinalg
from engine.domains.base import Domain, Shape, constant, flat, gather, ones
from engine.errors import ArgumentError


@dataclass(frozen=True)
class Orthogonal(Domain):
    """Matrices `(..., m, k)`, m >= k, with orthonormal columns: k (k - 1) / 2 + (m - k) k coordinates.

    U moves along U W + C K: W skew with the angles, C an orthonormal complement of U. A square U moves by the Cayley
    transform U (I - W/2)^-1 (I + W/2), a tall one by orthonormalising U + U W + C K.

    A square U keeps the sign of its determinant at every step: no path leads from rotations to reflections. Starts that are declared
    by a word ("normal", "uniform", "zeros", "eye") are rotations, determinant +1; for a reflection give a start of determinant -1.

    Raises:
        ValueError: a parameter with more columns than rows, or fewer than two axes.

    Source:
        Edelman, Arias and Smith, The geometry of algorithms with orthogonality constraints, section 2; Wen and Yin, A
        feasible method for optimization with orthogonality constraints, section 2 (Cayley).

    Example:
        >>> import numpy as np
        >>> Orthogonal().size((3, 3)), Orthogonal().size((5, 2))
        (3, 7)
    """

    def size(self, shape: Shape) -> int:
        if len(shape) < 2 or shape[-2] < shape[-1]:
            raise ArgumentError(
                f"domain {self}: the parameter has shape {shape}; expected (m, k) with m >= k: orthonormal columns"
            )
        m, k = shape[-2:]
        return math.prod(shape[:-2]) * (k * (k - 1) // 2 + (m - k) * k)

    def from_coordinates(self, x: Array, u: Array) -> Array:
        skew, out = self._split(x, u)
        change = array_namespace(x).zeros_like(x) if skew is None else x @ skew
        return change if out is None else change + self._complement(x) @ out

    def to_coordinates(self, x: Array, g: Array) -> Array:
        xp = array_namespace(g)
        lead, k = tuple(x.shape[:-2]), x.shape[-1]
        parts = []
        if k > 1:
            inner = xp.matrix_transpose(x) @ g
            turn = flat(inner - xp.matrix_transpose(inner), 2)
            pairs = _pairs(k)
            parts.append(gather(turn, [i * k + j for i, j in pairs], (*lead, len(pairs))))
        if x.shape[-2] > k:
            parts.append(flat(xp.matrix_transpose(self._complement(x)) @ g, 2))
        if not parts:
            return flat(g, g.ndim)[:0]
        return flat(xp.concat(parts, axis=-1) if len(parts) > 1 else parts[0], len(lead) + 1)

    def second_order_retraction(self, x: Array, u: Array) -> Array:
        change = self.from_coordinates(x, u)
        return x + change - x @ (array_namespace(x).matrix_transpose(change) @ change) / 2

    def move(self, x: Array, u: Array) -> Array:
        if x.shape[-2] > x.shape[-1]:
            return smalllinalg.orthonormal(x + self.from_coordinates(x, u))
        skew, _ = self._split(x, u)
        if skew is None:
            return x
        xp = array_namespace(x)
        half = smalllinalg.solve_unpivoted(skew / 2 + _eye(x), xp.matrix_transpose(x))
        turned = 2 * xp.matrix_transpose(half) - x
        return turned @ (1.5 * _eye(x) - 0.5 * (xp.matrix_transpose(turned) @ turned))  # Newton-Schulz, to rounding

    def retract(self, x: Array, t: Array) -> Array:
        xp = array_namespace(x)
        m, k = x.shape[-2:]
        pulled = xp.reshape(self.to_coordinates(x, t), (*x.shape[:-2], k * (k - 1) // 2 + (m - k) * k))
        angles = k * (k - 1) // 2
        return self.move(x, xp.concat([pulled[..., :angles] / 2, pulled[..., angles:]], axis=-1))

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        xp = array_namespace(x)
        inner = xp.matrix_transpose(x) @ g
        return g - x @ (inner + xp.matrix_transpose(inner)) / 2

    def project(self, x: Array) -> Array:
        return smalllinalg.qr(x)[0]

    def oriented(self, start: Array) -> Array:
        if len(start.shape) < 2 or start.shape[-2] != start.shape[-1]:
            return start
        xp, nearest = array_namespace(start), self.project(start)
        sign = xp.where(xp.linalg.det(nearest) < 0, -1.0, 1.0)[..., None, None]
        last = xp.asarray([1.0] * (start.shape[-1] - 1) + [0.0])
        return xp.where(sign < 0, nearest * (last + (1 - last) * sign), start)

    def typical_scale(self, x: Array) -> Array:
        return ones(x, self.size(tuple(x.shape))) / math.sqrt(max(1, x.shape[-1]))

    def _split(self, x: Array, u: Array) -> tuple[Array | None, Array | None]:
        """The skew matrix W `(..., k, k)` and K `(..., m - k, k)`."""
        xp = array_namespace(u)
        lead, (m, k) = tuple(x.shape[:-2]), x.shape[-2:]
        angles = k * (k - 1) // 2
        u = xp.reshape(u, (*lead, angles + (m - k) * k))
        skew = out = None
        if angles:
            order = {pair: n for n, pair in enumerate(_pairs(k))}
            entries = [(i, j) for i in range(k) for j in range(k)]
            signs = constant([float((i < j) - (i > j)) for i, j in entries], x, (k, k))
            skew = gather(u, [order.get((min(e), max(e)), 0) for e in entries], (*lead, k, k)) * signs
        if m > k:
            out = xp.reshape(u[..., angles:], (*lead, m - k, k))
        return skew, out

    def _complement(self, x: Array) -> Array:
        return smalllinalg.qr(x, full=True)[0][..., x.shape[-1] :]


@dataclass(frozen=True)
class UnitNorm(Domain):
    """Vectors of Euclidean norm 1 along the last axis: `(..., n)`, n - 1 coordinates each.

    R(x, t) = (x + t) / |x + t| for a tangent t; a zero vector is taken as the first unit vector.

    Raises:
        ValueError: a parameter without a last axis of 1 or more.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 4.1.1, example 4.1.1.

    Example:
        >>> import numpy as np
        >>> UnitNorm().project(np.array([3.0, 4.0])).tolist()
        [0.6, 0.8]
    """

    def size(self, shape: Shape) -> int:
        if not shape:
            raise ArgumentError(f"domain {self}: the parameter is a scalar; expected a last axis")
        return math.prod(shape[:-1]) * max(shape[-1] - 1, 0)

    def from_coordinates(self, x: Array, u: Array) -> Array:
        xp = array_namespace(u)
        return (self._complement(x) @ xp.reshape(u, (*x.shape[:-1], x.shape[-1] - 1, 1)))[..., 0]

    def to_coordinates(self, x: Array, g: Array) -> Array:
        xp = array_namespace(g)
        return flat((xp.matrix_transpose(self._complement(x)) @ g[..., None])[..., 0], x.ndim)

    def second_order_retraction(self, x: Array, u: Array) -> Array:
        change = self.from_coordinates(x, u)
        return x + change - x * (array_namespace(x).sum(change * change, axis=-1, keepdims=True) / 2)

    def move(self, x: Array, u: Array) -> Array:
        return self.project(x + self.from_coordinates(x, u))

    def retract(self, x: Array, t: Array) -> Array:
        return self.project(x + self.riemannian_gradient(x, t))

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        return g - x * array_namespace(x).sum(x * g, axis=-1, keepdims=True)

    def project(self, x: Array) -> Array:
        xp = array_namespace(x)
        scale = xp.max(xp.abs(x), axis=-1, keepdims=True)
        x = x / xp.where(scale > 0, scale, xp.ones_like(scale))
        first = constant([1.0] + [0.0] * (x.shape[-1] - 1), x, (x.shape[-1],))
        x = xp.where(scale > 0, x, first)
        return x / xp.sqrt(xp.sum(x * x, axis=-1, keepdims=True))

    def typical_scale(self, x: Array) -> Array:
        return ones(x, self.size(tuple(x.shape))) / math.sqrt(x.shape[-1])

    def _complement(self, x: Array) -> Array:
        return smalllinalg.qr(x[..., None], full=True)[0][..., 1:]


def _pairs(k: int) -> list[tuple[int, int]]:
    return [(i, j) for i in range(k) for j in range(i + 1, k)]


def _eye(x: Array) -> Array:
    k = x.shape[-1]
    return constant([float(i == j) for i in range(k) for j in range(k)], x, (k, k))
