"""Random curve fits of one kind, as the engine and as the judge see them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

import problems
from bench.honesty import linear
from bench.honesty.models import CURVES, Curve
from bench.honesty.objective import Data, Function
from bench.honesty.solved import Lanes
from bench.honesty.spaces import Box, Free

Array = Any


@dataclass(frozen=True)
class Draw:
    """How the lanes of a kind are drawn.

    Attributes:
        curve: name of a curve.
        dtype: working precision.
        noise: powers of ten, of the largest |y|, between which a lane's noise lies.
        clean: every so many lanes have no noise; 0 for none.
        starts: kinds of starts, in turn: "near" (25%), "far" (factors of 10, some of other signs), "ones", "zeros".
        units: y and x are in units between 10^-units and 10^units.
        offsets: powers of ten between which x is shifted after y was drawn; empty for none.
        bounds: `(lo, hi)`, `(p,)` each.
        masked: whether a third of the points are masked and hold NaN, and sigma differs by point.
        second: the second variable is all zeros in every so many lanes (curves of two variables); 0 for never.
    """

    curve: str
    dtype: str = "float64"
    noise: tuple[float, float] = (-12, 0)
    clean: int = 0
    starts: tuple[str, ...] = ("near",)
    units: float = 0
    offsets: tuple[float, ...] = ()
    bounds: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    masked: bool = False
    second: int = 0

    @np.errstate(all="ignore")
    def __call__(self, rng: np.random.Generator, count: int) -> Lanes:
        """Lanes of this kind."""
        curve = CURVES[self.curve]
        low, high = np.array(curve.ranges).T
        theta = rng.uniform(low, high, (count, len(low)))
        x, factors = self._points(curve, rng, count)
        theta = theta * factors
        y = np.asarray(curve.model(np.moveaxis(x, 1, 0) if x.ndim == 3 else x, *theta.T[..., None]), float)
        level = 10 ** rng.uniform(*self.noise, (count, 1))
        if self.clean:
            level = np.where(np.arange(count)[:, None] % self.clean == 0, 0, level)
        sigma = rng.uniform(0.5, 2, y.shape) if self.masked else np.ones(y.shape)
        y = y + level * np.abs(y).max(axis=1, keepdims=True) * sigma * rng.standard_normal(y.shape)
        if self.offsets:
            shift = np.round(10 ** rng.uniform(self.offsets[0], self.offsets[1], (count, 1)))
            x = x + np.where(np.arange(count)[:, None] % 8 == 0, 0, shift)
            theta = _closed_form(curve, x.astype(self.dtype), y.astype(self.dtype))
        data = {"x": x.astype(self.dtype), "y": y.astype(self.dtype)}
        points = None
        if self.masked:
            mask = rng.random(y.shape) > 1 / 3
            data["y"] = np.where(mask, data["y"], np.nan).astype(self.dtype)
            data |= {"sigma": sigma.astype(self.dtype), "mask": mask.astype(self.dtype)}
            points = mask.sum(axis=1)
        start = _starts(self.starts, theta, factors, rng)
        typical = np.maximum(np.maximum(np.abs(low), np.abs(high)) * factors, np.abs(theta))
        space: Box | Free = Free(len(low))
        if self.bounds is not None:
            space = Box(*(np.array(end, np.longdouble) for end in self.bounds))
            start = np.clip(start, *self.bounds)
            theta = np.clip(theta, *self.bounds)
        problem = _problem(self.curve, self.bounds, self.masked)
        return Lanes(problem, data, start.astype(self.dtype), theta, residual(curve), space, typical, points=points)

    def _points(self, curve: Curve, rng: np.random.Generator, count: int) -> tuple[Array, Array]:
        """x by lane, `(lanes, n)` or `(lanes, k, n)`, and the units of the params, `(lanes, p)`."""
        x = np.tile(curve.x, (count,) + (1,) * curve.x.ndim)
        factors = np.ones((count, len(curve.ranges)))
        if self.second:
            filled = np.arange(count) % self.second > 0
            x[:, 1] = rng.standard_normal(x[:, 1].shape) * filled[:, None]
        if self.units:
            of_y, of_x = 10 ** rng.uniform(-self.units, self.units, (2, count, 1))
            x = x * of_x
            factors = of_y ** np.array([power for power, _ in curve.powers]) * of_x ** np.array(
                [power for _, power in curve.powers]
            )
        return x, factors


def _closed_form(curve: Curve, x: Array, y: Array) -> Array:
    """The params of least squares of a curve that is linear in them."""
    x = x.astype(np.longdouble)
    unit = np.eye(len(curve.ranges), dtype=np.longdouble)
    columns = [np.broadcast_to(curve.model(x, *row), x.shape) for row in unit]
    return linear.least_squares(np.stack(columns, axis=2), y.astype(np.longdouble))


def _starts(kinds: tuple[str, ...], theta: Array, factors: Array, rng: np.random.Generator) -> Array:
    near = theta * rng.uniform(0.8, 1.25, theta.shape)
    far = theta * 10 ** rng.uniform(-1, 1, theta.shape) * rng.choice([1.0, 1.0, 1.0, -1.0], theta.shape)
    choices = {"near": near, "far": far, "ones": factors, "zeros": np.zeros_like(theta)}
    stacked = np.stack([choices[kind] for kind in kinds])
    return stacked[np.arange(len(theta)) % len(kinds), np.arange(len(theta))]


@cache
def _problem(name: str, bounds: Any, masked: bool) -> Any:
    return problems.curve_fit(CURVES[name].model, bounds=bounds, sigma="sigma" if masked else None)


def residual(curve: Curve) -> Function:
    """The judge's residuals: masked points give 0."""

    def function(z: Array, data: Data) -> Array:
        x = np.moveaxis(data["x"], 1, 0) if data["x"].ndim == 3 else data["x"]
        gap = curve.judged(x, *z.T[..., None]) - data["y"]
        if "sigma" in data:
            gap = gap / data["sigma"]
        return np.where(data["mask"] > 0, gap, 0) if "mask" in data else gap

    return function
