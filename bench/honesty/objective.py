"""A loss of many lanes in extended precision, with derivatives by complex steps and the size of its rounding.

Complex steps: Squire and Trapp, Using complex variables to estimate derivatives of real functions, SIAM Review 40, 1998. A
function must be analytic in the params wherever it is differentiable, so it branches on real parts alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from bench.honesty.spaces import Space

Array = Any
Data = dict[str, Array]
Function = Callable[[Array, Data], Array]

STEP = np.longdouble(1e-60)
"""Imaginary step: its square is nothing beside 1."""

DIFFERENCE = np.longdouble(1e-6)
"""Share of a coordinate's scale by which gradients are differenced: near the cube root of the rounding error."""

DRAWS = 4
"""Random signs of the moves by one unit in the last place."""


@dataclass(frozen=True)
class Objective:
    """A sum of squares, or a plain loss, of lanes with the same declaration.

    Attributes:
        function: params `(lanes, size)` and data to residuals `(lanes, m)`, or to losses `(lanes,)`.
        squares: whether it gives residuals.
        data: arrays with a leading axis of lanes, or of 1 where lanes share them; extended precision.
        space: the set of params.
        typical: usual sizes of the params, `(lanes, size)`.
        dtype: the precision in which the engine worked.
    """

    function: Function
    squares: bool
    data: Data
    space: Space
    typical: Array
    dtype: str

    def take(self, rows: Array) -> Objective:
        """The same of some lanes."""
        data = {name: array[rows] if len(array) > 1 else array for name, array in self.data.items()}
        return replace(self, data=data, space=self.space.take(rows), typical=self.typical[rows])

    @np.errstate(all="ignore")
    def terms(self, z: Array) -> Array:
        """Residuals `(lanes, m)`, or the loss as `(lanes, 1)`."""
        terms = self.function(z, self.data)
        return terms if self.squares else terms[:, None]

    @np.errstate(all="ignore")
    def value(self, z: Array) -> Array:
        """The sum of squares, or the loss, `(lanes,)`; Inf where it is not finite."""
        terms = self.terms(z)
        loss = (terms * terms).sum(axis=1) if self.squares else terms[:, 0]
        return np.where(np.isfinite(loss), loss, np.inf)

    @np.errstate(all="ignore")
    def jacobian(self, z: Array, u: Array | None = None) -> Array:
        """Derivatives of the terms by the coordinates about z, at u or 0: `(lanes, m, d)`; entries that are not finite are 0."""
        d = self.space.dimension
        at = np.zeros((len(z), d), np.clongdouble) if u is None else u.astype(np.clongdouble)
        columns = []
        for k in range(d):
            moved = at.copy()
            moved[:, k] += 1j * STEP
            columns.append(self.terms(self.space.curve(z, moved)).imag / STEP)
        jacobian = np.stack(columns, axis=2)
        return np.where(np.isfinite(jacobian), jacobian, 0)

    @np.errstate(all="ignore")
    def gradient(self, z: Array, u: Array | None = None) -> Array:
        """J'r of a sum of squares (half its gradient), or the gradient of a loss: `(lanes, d)`."""
        jacobian = self.jacobian(z, u)
        if not self.squares:
            return jacobian[:, 0]
        residual = self.terms(z if u is None else self.space.curve(z, u))
        return (jacobian * np.where(np.isfinite(residual), residual, 0)[:, :, None]).sum(axis=1)

    @np.errstate(all="ignore")
    def hessian(self, z: Array, jacobian: Array) -> Array:
        """Derivatives of `gradient` by the coordinates, by central differences: `(lanes, d, d)`."""
        scale = self.space.scale(z, self.typical)
        if self.squares:  # no further than the residual's own terms change by their size
            lengths = np.sqrt((jacobian * jacobian).sum(axis=1))
            size = np.sqrt((self.terms(z) ** 2).sum(axis=1)) + (lengths * scale).max(axis=1)
            scale = np.minimum(scale, size[:, None] / np.where(lengths > 0, lengths, size[:, None] / scale))
        rows = []
        for k in range(self.space.dimension):
            step = np.zeros((len(z), self.space.dimension), np.longdouble)
            step[:, k] = DIFFERENCE * scale[:, k]
            rows.append((self.gradient(z, step) - self.gradient(z, -step)) / (2 * step[:, k : k + 1]))
        hessian = np.stack(rows, axis=1)
        return np.where(np.isfinite(hessian), (hessian + hessian.swapaxes(1, 2)) / 2, 0)

    def move(self, z: Array, u: Array) -> Array:
        """The point at u, within the limits."""
        if self.space.bounded:
            low, high = self.space.limits(z)
            u = np.minimum(np.maximum(u, low), high)
        return self.space.project(self.space.curve(z, u))

    def spacing(self, array: Array) -> Array:
        """One unit in the last place of the working precision; 0 is exact."""
        return np.where(array == 0, 0, np.spacing(np.abs(array).astype(self.dtype)).astype(np.longdouble))

    @np.errstate(all="ignore")
    def rounding(self, z: Array, rng: np.random.Generator, times: float = 1.0) -> Array:
        """How far the terms move when params and data move by some units in the last place: root mean squares `(lanes, m)`."""
        terms = self.terms(z)
        total = np.zeros_like(terms)
        units = self.spacing(self.space.grain(z))
        for _ in range(DRAWS):
            data = {
                name: array + rng.choice([-times, times], array.shape) * self.spacing(array) for name, array in self.data.items()
            }
            moved = self.space.project(z + rng.choice([-times, times], z.shape) * units)
            change = replace(self, data=data).terms(moved) - terms
            total += np.where(np.isfinite(change), change, 0) ** 2
        return np.sqrt(total / DRAWS)
