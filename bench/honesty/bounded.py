"""Params in boxes, on simplices, and positive ones."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from bench.honesty.objective import Data
from bench.honesty.solved import Kind, Lanes, judged
from bench.honesty.spaces import Box, Positive, Simplex
from engine import Param, Problem, domains

Array = Any


def times(data: Array, z: Array) -> Array:
    """M z by lane: `(lanes, m, k)` and `(lanes, k)`."""
    return (data * z[:, None, :]).sum(axis=2)


@cache
def bounded(names: bool) -> Problem:
    """Linear least squares with bounds: 0 and 1, or data."""
    data = {"M": "m k", "y": "m"} | ({"lo": "k", "hi": "k"} if names else {})
    domain = domains.Box("lo", "hi") if names else domains.Box(0.0, 1.0)
    return Problem("bounded", data, {"w": Param("k", domain, start=0.5)}, lambda w, M, y: M @ w - y)


def boxes(names: bool, rng: np.random.Generator, count: int) -> Lanes:
    """4 coefficients, most at their bounds, of columns that differ by up to 100."""
    M = rng.standard_normal((count, 12, 4)) * 10 ** rng.uniform(-1, 1, (count, 1, 4))
    free = rng.uniform(-1, 2, (count, 4))
    lo, hi = (
        (rng.uniform(-0.5, 0, (count, 4)), rng.uniform(0.5, 1, (count, 4)))
        if names
        else (np.zeros((count, 4)), np.ones((count, 4)))
    )
    y = times(M, free) + 0.1 * rng.standard_normal((count, 12))
    truth, start = np.clip(free, lo, hi), np.clip(np.full((count, 4), 0.5), lo, hi)
    data = {"M": M, "y": y} | ({"lo": lo, "hi": hi} if names else {})
    space = Box(lo.astype(np.longdouble), hi.astype(np.longdouble))
    return Lanes(bounded(names), data, start, truth, _linear, space, np.ones(4), {"w": (4,)})


def _linear(z: Array, data: Data) -> Array:
    return times(data["M"], z) - data["y"]


@cache
def mixture() -> Problem:
    """Shares of known spectra in a measured one."""
    return Problem("mixture", {"M": "m k", "y": "m"}, {"w": Param("k", domains.Simplex(), start=0.25)}, lambda w, M, y: M @ w - y)


def mixtures(dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """4 shares: inside, on faces, and in corners."""
    M = np.abs(rng.standard_normal((count, 12, 4)))
    truth = rng.dirichlet(np.ones(4), count)
    face, corner = np.arange(count) % 3 == 1, np.arange(count) % 3 == 2
    truth[face, 0] = 0
    truth[corner] = np.eye(4)[np.arange(count) % 4][corner]
    truth /= truth.sum(axis=1, keepdims=True)
    y = times(M, truth) + 10 ** rng.uniform(-3, -1, (count, 1)) * rng.standard_normal((count, 12))
    data = {"M": M.astype(dtype), "y": y.astype(dtype)}
    return Lanes(mixture(), data, np.full((count, 4), 0.25), truth, _linear, Simplex(4), np.ones(4), {"w": (4,)})


@cache
def positive_decay() -> Problem:
    """a exp(-b x) + c with positive params."""

    def residual(a: Any, b: Any, c: Any, x: Any, y: Any) -> Any:
        return a * array_namespace(x).exp(-b * x) + c - y

    params = {name: Param("", domains.Positive(), start=1.0) for name in "abc"}
    return Problem("positive decay", {"x": "m", "y": "m"}, params, residual)


def positive_decays(rng: np.random.Generator, count: int) -> Lanes:
    """Some floors are far below the noise: their best value may be 0, which is not reached."""
    truth = np.stack([rng.uniform(1, 3, count), rng.uniform(0.5, 2, count), 10 ** rng.uniform(-3, 0, count)], axis=1)
    x = np.linspace(0, 4, 24)
    y = truth[:, :1] * np.exp(-truth[:, 1:2] * x) + truth[:, 2:]
    y = y + 10 ** rng.uniform(-4, -1.5, (count, 1)) * rng.standard_normal(y.shape)

    def function(z: Array, data: Data) -> Array:
        return z[:, :1] * np.exp(-z[:, 1:2] * data["x"]) + z[:, 2:] - data["y"]

    start = np.ones((count, 3))
    return Lanes(positive_decay(), {"x": x, "y": y}, start, truth, function, Positive(3), shared=frozenset({"x"}))


def kinds() -> list[Kind]:
    """All kinds of this file."""
    drawn: list[tuple[str, int, Callable[[np.random.Generator, int], Lanes]]] = [
        ("Box: active bounds", 2000, partial(boxes, False)),
        ("Box: bounds by lane", 1500, partial(boxes, True)),
        ("Simplex: mixtures", 2000, partial(mixtures, "float64")),
        ("Simplex: mixtures float32", 1000, partial(mixtures, "float32")),
        ("Positive: decays", 1500, positive_decays),
    ]
    return [Kind(name, count, partial(judged, draw)) for name, count, draw in drawn]
