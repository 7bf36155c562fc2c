"""Curve fits of random params, noise and starts, and how stationary the answers are, in extended precision. Shares nothing with the engine."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

Model = Callable[..., Any]
Arrays = dict[str, Any]

KINDS = ("near start", "far start", "no noise", "from ones")
"""What the lanes of a curve are, in turn."""

ROUNDING = 16
"""Units in the last place that a model's value and derivatives may be off by."""


@dataclass(frozen=True)
class Curve:
    """A model, its points, ranges of its params, `(p, 2)`, and the dtype in which it is fitted."""

    model: Model
    x: Any
    ranges: tuple[tuple[float, float], ...]
    dtype: str = "float64"

    def lanes(self, rng: np.random.Generator, count: int) -> tuple[Arrays, Any]:
        """Data and starts, `(count, p)`, of all kinds in turn."""
        low, high = np.array(self.ranges).T
        theta = rng.uniform(low, high, (count, len(low)))
        kind = np.arange(count)[:, None] % len(KINDS)
        y = self.model(self.x, *theta.T[..., None])
        level = np.where(kind == 2, 0, 10 ** rng.uniform(-4, -0.5, (count, 1)))
        y = y + level * np.abs(y).max(axis=1, keepdims=True) * rng.standard_normal(y.shape)
        near = theta * rng.uniform(0.8, 1.25, theta.shape)
        far = theta * 10 ** rng.uniform(-1, 1, theta.shape) * rng.choice([1.0, 1.0, 1.0, -1.0], theta.shape)
        start = np.where(kind == 1, far, np.where(kind == 3, 1.0, near))
        return {"x": self.x.astype(self.dtype), "y": y.astype(self.dtype)}, start.astype(self.dtype)


def _decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


def _peak(x: Any, height: Any, middle: Any, width: Any, floor: Any) -> Any:
    return height * np.exp(-(((x - middle) / width) ** 2) / 2) + floor


def _spot(x: Any, height: Any, u: Any, v: Any, width: Any, floor: Any) -> Any:
    return height * np.exp(-((x[0] - u) ** 2 + (x[1] - v) ** 2) / (2 * width**2)) + floor


def _growth(x: Any, top: Any, rate: Any, middle: Any) -> Any:
    return top / (1 + np.exp(rate * (middle - x)))


def _saturation(x: Any, top: Any, half: Any) -> Any:
    return top * x / (half + x)


def _wave(x: Any, a: Any, frequency: Any, phase: Any) -> Any:
    return a * np.sin(frequency * x + phase)


POINTS = np.linspace(0.0, 4.0, 32)
PIXELS = np.stack([np.tile(np.arange(5.0), 5), np.repeat(np.arange(5.0), 5)]) - 2.0

CURVES = {
    "exponential": Curve(_decay, POINTS, ((1, 3), (0.5, 2), (0, 1))),
    "Gaussian": Curve(_peak, POINTS, ((0.5, 5), (0.5, 3.5), (0.2, 1.5), (0, 1))),
    "Gaussian spot": Curve(_spot, PIXELS, ((5, 10), (-0.5, 0.5), (-0.5, 0.5), (0.8, 1.3), (0.5, 1.5)), "float32"),
    "logistic": Curve(_growth, POINTS, ((1, 5), (1, 5), (0.5, 3.5))),
    "saturation": Curve(_saturation, POINTS + 0.1, ((1, 5), (0.2, 5))),
    "wave": Curve(_wave, POINTS, ((0.5, 2), (1, 4), (-1, 1))),
}


def slope_ratio(curve: Curve, data: Arrays, theta: Any, tol: float) -> Any:
    """max_j |J_j' r| / (|J_j| |r|) over tol + 16 eps |s| / |r|, at most 1; of an exact fit |r| / |s| over tol.

    s is sum_j |J_j theta_j| + |y| + |model at 0 - y| at each point, an upper bound of the terms that cancel in r. J by
    complex steps.
    """
    x, y = data["x"].astype(np.longdouble), data["y"].astype(np.longdouble)
    theta = np.asarray(theta, np.longdouble)
    step = np.longdouble(1e-60)
    with np.errstate(all="ignore"):
        columns = []
        for k in range(theta.shape[1]):
            turned = theta.astype(np.clongdouble)
            turned[:, k] += 1j * step
            columns.append(curve.model(x, *turned.T[..., None]).imag / step)
        gap = curve.model(x, *theta.T[..., None]) - y
        origin = np.nan_to_num(curve.model(x, *(np.zeros_like(theta)).T[..., None]) - y, nan=0.0, posinf=0.0, neginf=0.0)
        jacobian = np.stack(columns, axis=-1)
        terms = np.abs(jacobian * theta[:, None, :]).sum(axis=-1) + np.abs(origin)
        length, size = _norm(gap), _norm(terms + np.abs(y))
        angles = np.abs((jacobian * gap[..., None]).sum(axis=1)) / (_norm(jacobian.swapaxes(1, 2)) * length[:, None])
        eps = np.finfo(data["y"].dtype).eps
        cosine = np.where(np.isnan(angles), 0, angles).max(axis=1) / (tol + ROUNDING * eps * size / length)
        return np.where(length == 0, 0, np.minimum(cosine, length / size / tol))


def _norm(a: Any) -> Any:
    return np.sqrt((a * a).sum(axis=-1))
