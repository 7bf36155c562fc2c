"""Linear spaces of arrays: all of them, symmetric ones, triangular ones. Coordinates are the entries that are free."""

from __future__ import annotations

import math
from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine.domains.base import Domain, Shape, constant, flat, gather
from engine.errors import ArgumentError


@dataclass(frozen=True)
class Real(Domain):
    """All real arrays: R(x, t) = x + t, of the shape and dtype of x.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 3.5.1.

    Example:
        >>> Real().retract(1.0, 0.5)
        1.5
    """


class _Entries(Domain):
    """Square matrices that some of their entries determine: `_entries(n)` are those, as (row, column)."""

    def _entries(self, n: int) -> list[tuple[int, int]]:
        raise NotImplementedError

    def _place(self, i: int, j: int) -> tuple[int, int] | None:
        """Which free entry stands at (i, j); None for a zero."""
        raise NotImplementedError

    def size(self, shape: Shape) -> int:
        _square(self, shape)
        return math.prod(shape[:-2]) * len(self._entries(shape[-1]))

    def _spread(self, x: Array) -> tuple[list[int], list[float]]:
        """For each entry of the matrix: its coordinate, and 0 where there is none."""
        n = x.shape[-1]
        order = {entry: k for k, entry in enumerate(self._entries(n))}
        places = [self._place(i, j) for i in range(n) for j in range(n)]
        return [0 if p is None else order[p] for p in places], [0.0 if p is None else 1.0 for p in places]

    def from_coordinates(self, x: Array, u: Array) -> Array:
        indices, kept = self._spread(x)
        xp = array_namespace(u)
        lead = tuple(x.shape[:-2])
        rows = xp.reshape(u, (*lead, len(self._entries(x.shape[-1]))))
        wide = gather(rows, indices, tuple(x.shape))
        return wide if all(kept) else wide * constant(kept, x, tuple(x.shape[-2:]))

    def to_coordinates(self, x: Array, g: Array) -> Array:
        return self._pick(self._adjoint(g))

    def retract(self, x: Array, t: Array) -> Array:
        return x + self.project(t)

    def typical_scale(self, x: Array) -> Array:
        return array_namespace(x).abs(self._pick(x))

    def riemannian_gradient(self, x: Array, g: Array) -> Array:
        return self.project(g)

    def _adjoint(self, g: Array) -> Array:
        return g

    def _pick(self, x: Array) -> Array:
        n = x.shape[-1]
        entries = self._entries(n)
        picked = gather(flat(x, 2), [i * n + j for i, j in entries], (*x.shape[:-2], len(entries)))
        return array_namespace(x).reshape(picked, (math.prod(picked.shape),))


@dataclass(frozen=True)
class Symmetric(_Entries):
    """Symmetric matrices `(..., n, n)`: n (n + 1) / 2 coordinates, the upper triangle.

    Raises:
        ValueError: a parameter that is not square.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 3.5.1 (linear spaces).

    Example:
        >>> import numpy as np
        >>> Symmetric().project(np.array([[1.0, 4.0], [0.0, 1.0]])).tolist()
        [[1.0, 2.0], [2.0, 1.0]]
    """

    def _entries(self, n: int) -> list[tuple[int, int]]:
        return [(i, j) for i in range(n) for j in range(i, n)]

    def _place(self, i: int, j: int) -> tuple[int, int]:
        return (i, j) if i <= j else (j, i)

    def _adjoint(self, g: Array) -> Array:
        n = g.shape[-1]
        diagonal = constant([1.0 if i == j else 0.0 for i in range(n) for j in range(n)], g, (n, n))
        return g + array_namespace(g).matrix_transpose(g) * (1 - diagonal)

    def project(self, x: Array) -> Array:
        return (x + array_namespace(x).matrix_transpose(x)) / 2


@dataclass(frozen=True)
class LowerTriangular(_Entries):
    """Lower triangular matrices `(..., n, n)`: n (n + 1) / 2 coordinates, exact zeros above the diagonal.

    Raises:
        ValueError: a parameter that is not square.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 3.5.1 (linear spaces).

    Example:
        >>> import numpy as np
        >>> LowerTriangular().project(np.ones((2, 2))).tolist()
        [[1.0, 0.0], [1.0, 1.0]]
    """

    def _entries(self, n: int) -> list[tuple[int, int]]:
        return [(i, j) for i in range(n) for j in range(i + 1)]

    def _place(self, i: int, j: int) -> tuple[int, int] | None:
        return (i, j) if i >= j else None

    def project(self, x: Array) -> Array:
        return array_namespace(x).tril(x)


@dataclass(frozen=True)
class UpperTriangular(_Entries):
    """Upper triangular matrices `(..., n, n)`: n (n + 1) / 2 coordinates, exact zeros below the diagonal.

    Raises:
        ValueError: a parameter that is not square.

    Source:
        Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 3.5.1 (linear spaces).

    Example:
        >>> import numpy as np
        >>> UpperTriangular().project(np.ones((2, 2))).tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """

    def _entries(self, n: int) -> list[tuple[int, int]]:
        return [(i, j) for i in range(n) for j in range(i, n)]

    def _place(self, i: int, j: int) -> tuple[int, int] | None:
        return (i, j) if i <= j else None

    def project(self, x: Array) -> Array:
        return array_namespace(x).triu(x)


def _square(domain: object, shape: Shape) -> None:
    if len(shape) < 2 or shape[-1] != shape[-2]:
        raise ArgumentError(f"domain {domain}: the parameter has shape {shape}; expected square matrices (n, n): use Real()")
