"""Matrices of trace zero: a domain in one file."""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import array_namespace, device

from backends.types import Array
from engine.domains.base import Domain, Shape, flat
from engine.errors import ArgumentError


@dataclass(frozen=True)
class Traceless(Domain):
    """Square matrices (n, n) whose trace is 0, a linear space: n^2 - 1 coordinates, the entries but the last.

    Raises:
        ValueError: a parameter that is no square matrix.

    Source:
        Hall, Lie Groups, Lie Algebras, and Representations, section 3.4 (sl(n)).

    Example:
        >>> import numpy as np
        >>> Traceless().project(np.diag([3.0, 1.0])).tolist()
        [[1.0, 0.0], [0.0, -1.0]]
    """

    def size(self, shape: Shape) -> int:
        if len(shape) != 2 or shape[0] != shape[1]:
            raise ArgumentError(f"domain {self}: the parameter has shape {shape}; expected a square matrix (n, n): use Real()")
        return max(0, super().size(shape) - 1)

    def from_coordinates(self, x: Array, u: Array) -> Array:
        """The last diagonal entry is minus the sum of the others."""
        xp = array_namespace(u)
        matrix = xp.reshape(xp.concat([u, xp.zeros((1,), dtype=u.dtype, device=device(u))]), tuple(x.shape))
        eye = _eye(x)
        found: Array = matrix - eye[:, -1:] * eye[-1:, :] * xp.linalg.trace(matrix)
        return found

    def to_coordinates(self, x: Array, g: Array) -> Array:
        return flat(g - g[-1, -1] * _eye(g), 2)[:-1]

    def retract(self, x: Array, t: Array) -> Array:
        return x + self.project(t)

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        return self.project(g)

    def typical_scale(self, x: Array) -> Array:
        return flat(array_namespace(x).abs(x), 2)[:-1]

    def project(self, x: Array) -> Array:
        """The nearest point: the mean of the diagonal is taken off it."""
        found: Array = x - array_namespace(x).linalg.trace(x) / x.shape[-1] * _eye(x)
        return found


def _eye(x: Array) -> Array:
    found: Array = array_namespace(x).eye(x.shape[-1], dtype=x.dtype, device=device(x))
    return found
