"""Curved and symmetric sets of params, see `spaces`: the sphere, orthogonal and symmetric matrices.

Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, sections 3.5 and 4.1; second-order curves:
section 5.5.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.honesty.spaces import Space, Unit

Array = Any


@dataclass(frozen=True)
class Sphere(Unit):
    """|z| = 1. Coordinates belong to the reflection that takes a unit vector to z."""

    size: int

    @property
    def dimension(self) -> int:
        return self.size - 1

    def curve(self, z: Array, u: Array) -> Array:
        sign = np.where(z[:, :1] < 0, -1, 1)
        w = z.copy()
        w[:, :1] += sign
        full = np.concatenate([np.zeros_like(u[:, :1]), u], axis=1)
        along = full - w * (2 * (w * full).sum(axis=1) / (w * w).sum(axis=1))[:, None]
        return z * (1 - (u * u).sum(axis=1, keepdims=True) / 2) + along

    def project(self, z: Array) -> Array:
        return z / np.sqrt((z * z).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class Square(Space):
    """n x n matrices, row by row."""

    n: int

    @property
    def size(self) -> int:  # type: ignore[override]
        """Entries."""
        return self.n**2


@dataclass(frozen=True)
class Rotations(Square, Unit):
    """Orthogonal n x n matrices of one determinant, row by row. Coordinates are those of a skew matrix on the right."""

    @property
    def dimension(self) -> int:
        return self.n * (self.n - 1) // 2

    def curve(self, z: Array, u: Array) -> Array:
        i, j = np.triu_indices(self.n, 1)
        skew = np.zeros((len(z), self.n, self.n), u.dtype)
        skew[:, i, j], skew[:, j, i] = u, -u
        along = _product(z.reshape(skew.shape), skew)
        return z + (along + _product(along, skew) / 2).reshape(z.shape)

    def project(self, z: Array) -> Array:
        """By Gram-Schmidt, twice, which keeps the determinant."""
        columns: list[Array] = []
        for column in np.moveaxis(z.reshape(-1, self.n, self.n), 2, 0):
            for _ in range(2):
                for other in columns:
                    column = column - other * (other * column).sum(axis=1, keepdims=True)
            columns.append(column / np.sqrt((column * column).sum(axis=1, keepdims=True)))
        return np.stack(columns, axis=2).reshape(z.shape)

    def grain(self, z: Array) -> Array:
        return np.ones_like(z)


@dataclass(frozen=True)
class Symmetric(Square):
    """Symmetric n x n matrices, row by row. Coordinates are the entries of the upper triangle."""

    @property
    def dimension(self) -> int:
        return self.n * (self.n + 1) // 2

    def curve(self, z: Array, u: Array) -> Array:
        i, j = np.triu_indices(self.n)
        step = np.zeros((len(z), self.n, self.n), u.dtype)
        step[:, i, j], step[:, j, i] = u, u
        return z + step.reshape(z.shape)

    def project(self, z: Array) -> Array:
        square = z.reshape(-1, self.n, self.n)
        return ((square + square.swapaxes(1, 2)) / 2).reshape(z.shape)

    def scale(self, z: Array, typical: Array) -> Array:
        largest = np.maximum(np.abs(z), typical).max(axis=1, keepdims=True)
        return np.broadcast_to(largest, (len(z), self.dimension))


def _product(a: Array, b: Array) -> Array:
    """Products of small matrices, which NumPy's own is slow at in extended precision."""
    return (a[:, :, :, None] * b[:, None, :, :]).sum(axis=2)
