"""Straight lines by robust means of the gaps, as plain losses; least absolute deviations, and a large constant among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from bench.honesty.likelihoods import size_of
from bench.honesty.objective import Data
from bench.honesty.solved import Kind, Lanes, judged
from bench.honesty.spaces import Free
from engine import Param, Problem

Array = Any
Loss = Callable[[Any, Any], Any]


@dataclass(frozen=True)
class Robust:
    """A mean over points of a function of the gap a x + b - y: for the engine and for the judge."""

    declared: Loss
    judged: Callable[[Array], Array]


def _log_cosh(xp: Any, r: Any) -> Any:
    size = xp.abs(r)
    return size + xp.log1p(xp.exp(-2 * size))


def _huber(xp: Any, r: Any) -> Any:
    size = xp.abs(r)
    return xp.where(size < 0.5, r * r / 2, 0.5 * (size - 0.25))


def _log_cosh_judged(r: Array) -> Array:
    return size_of(r) + np.log1p(np.exp(-2 * size_of(r)))


def _huber_judged(r: Array) -> Array:
    return np.where(np.abs(r.real) < 0.5, r * r / 2, 0.5 * (size_of(r) - 0.25))


ROBUST = {
    "log-cosh": Robust(_log_cosh, _log_cosh_judged),
    "Huber": Robust(_huber, _huber_judged),
    "L1": Robust(lambda xp, r: xp.abs(r), size_of),
    "constant of 1e6": Robust(lambda xp, r: 1e6 + r * r, lambda r: 1e6 + r * r),
}


@cache
def robust(name: str) -> Problem:
    """A straight line by a robust mean."""

    def loss(a: Any, b: Any, x: Any, y: Any) -> Any:
        xp = array_namespace(x)
        return xp.mean(ROBUST[name].declared(xp, a * x + b - y))

    return Problem(name, {"x": "m", "y": "m"}, {"a": Param("", start=0.0), "b": Param("", start=0.0)}, loss=loss)


def robust_judged(name: str, z: Array, data: Data) -> Array:
    """The same, a lane a row."""
    return ROBUST[name].judged(z[:, :1] * data["x"] + z[:, 1:] - data["y"]).mean(axis=1)


def robust_lanes(name: str, dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """24 points of a line, one in eight far off."""
    truth = rng.uniform(-2, 2, (count, 2))
    x = np.tile(np.linspace(0, 1, 24), (count, 1))
    y = truth[:, :1] * x + truth[:, 1:] + 0.1 * rng.standard_normal(x.shape) + 5 * (rng.random(x.shape) < 1 / 8)
    data = {"x": x.astype(dtype), "y": y.astype(dtype)}
    convex = name == "L1"
    if convex:
        truth = _least_absolute(data["x"].astype(np.longdouble), data["y"].astype(np.longdouble))
    start = np.zeros((count, 2))
    return Lanes(
        robust(name), data, start, truth, partial(robust_judged, name), Free(2), np.ones(2), squares=False, convex=convex
    )


def _least_absolute(x: Array, y: Array) -> Array:
    """The line of least absolute deviations: it passes through two of the points (Bloomfield and Steiger, 1983)."""
    i, j = np.triu_indices(x.shape[1], 1)
    a = (y[:, j] - y[:, i]) / (x[:, j] - x[:, i])
    b = y[:, i] - a * x[:, i]
    deviations = np.stack([np.abs(a * x[:, k : k + 1] + b - y[:, k : k + 1]) for k in range(x.shape[1])]).sum(axis=0)
    best = np.argmin(deviations, axis=1)[:, None]
    return np.concatenate([np.take_along_axis(a, best, axis=1), np.take_along_axis(b, best, axis=1)], axis=1)


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [Kind(f"line by {name}", 1500, partial(judged, partial(robust_lanes, name, "float64"))) for name in ROBUST]
