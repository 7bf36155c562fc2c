"""Negative log likelihoods as plain losses: logistic and Poisson regression, Student's t.

Each is declared with the array namespace, as its author would for one lane, and written again for the judge, a lane a row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from bench.honesty.objective import Data
from bench.honesty.solved import Kind, Lanes, judged
from bench.honesty.spaces import Free, Positive, Product, Space
from engine import Param, Problem
from engine.domains import Positive as PositiveParam

Array = Any


def size_of(z: Array) -> Array:
    """|z| of real numbers, analytic on each side of 0."""
    return np.where(z.real < 0, -z, z)


def planes(z: Array, data: Data) -> Array:
    """X w of each lane: `(lanes, m, p)` and `(lanes, p)` to `(lanes, m)`."""
    return (data["X"] * z[:, None, :]).sum(axis=2)


def softplus(z: Array) -> Array:
    """log(1 + exp(z)) without cancellation."""
    return np.where(z.real > 0, z, 0) + np.log1p(np.exp(-size_of(z)))


@cache
def logistic() -> Problem:
    """Mean negative log likelihood of labels 0 and 1, in the form that does not overflow."""

    def loss(w: Any, X: Any, y: Any) -> Any:
        xp = array_namespace(X)
        z = X @ w
        return xp.mean(xp.maximum(z, 0 * z) + xp.log1p(xp.exp(-xp.abs(z))) - y * z)

    return Problem("logistic", {"X": "m p", "y": "m"}, {"w": Param("p", start="zeros")}, loss=loss)


def logistic_judged(z: Array, data: Data) -> Array:
    """The same, a lane a row."""
    t = planes(z, data)
    return (softplus(t) - data["y"] * t).mean(axis=1)


def logistic_lanes(separable: bool, dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """40 points, an intercept and two features; labels by the sign of a plane (separable), or drawn with its odds."""
    X = rng.standard_normal((count, 40, 3))
    X[:, :, 0] = 1
    w = rng.uniform(-1.5, 1.5, (count, 3))
    t = (X * w[:, None, :]).sum(axis=2)
    y = t > 0 if separable else rng.random(t.shape) < 1 / (1 + np.exp(-t))
    if not separable:  # two points of each label within the other's half keep the minimum finite
        side = (X[:, :, 1] > 0) ^ (rng.random(t.shape) < 0.2)
        y = np.where(np.arange(40) % 4 == 0, side, y)
    data = {"X": X.astype(dtype), "y": y.astype(dtype)}
    start = np.zeros((count, 3))
    return Lanes(logistic(), data, start, w, logistic_judged, Free(3), np.ones(3), {"w": (3,)}, squares=False)


@cache
def poisson() -> Problem:
    """Mean negative log likelihood of counts with a log link, without its constant."""

    def loss(w: Any, X: Any, y: Any) -> Any:
        xp = array_namespace(X)
        z = X @ w
        return xp.mean(xp.exp(z) - y * z)

    return Problem("poisson", {"X": "m p", "y": "m"}, {"w": Param("p", start="zeros")}, loss=loss)


def poisson_judged(z: Array, data: Data) -> Array:
    """The same, a lane a row."""
    t = planes(z, data)
    return (np.exp(t) - data["y"] * t).mean(axis=1)


def poisson_lanes(dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """30 counts, an intercept and two features in units that differ by up to 100."""
    X = rng.standard_normal((count, 30, 3))
    X[:, :, 0] = 1
    w = rng.uniform(-0.5, 0.5, (count, 3)) + np.array([1.0, 0, 0])
    units = 10 ** rng.uniform(-1, 1, (count, 3)) ** np.array([0, 1, 1])
    y = rng.poisson(np.exp((X * w[:, None, :]).sum(axis=2)))
    data = {"X": (X * units[:, None, :]).astype(dtype), "y": y.astype(dtype)}
    start = np.zeros((count, 3))
    return Lanes(poisson(), data, start, w / units, poisson_judged, Free(3), 0.5 / units, shapes={"w": (3,)}, squares=False)


@cache
def student() -> Problem:
    """Location and scale by Student's t of 4 degrees of freedom: mean negative log likelihood without constants."""

    def loss(mu: Any, s: Any, y: Any) -> Any:
        xp = array_namespace(y)
        return xp.log(s) + 2.5 * xp.mean(xp.log1p(((y - mu) / s) ** 2 / 4))

    return Problem("student", {"y": "m"}, {"mu": Param("", start=0.0), "s": Param("", PositiveParam(), start=1.0)}, loss=loss)


def student_judged(z: Array, data: Data) -> Array:
    """The same, a lane a row."""
    mu, s = z[:, :1], z[:, 1:]
    return (np.log(s) + 2.5 * np.log1p(((data["y"] - mu) / s) ** 2 / 4).mean(axis=1, keepdims=True))[:, 0]


def student_lanes(dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """40 draws."""
    truth = np.stack([rng.uniform(-2, 2, count), 10 ** rng.uniform(-1, 1, count)], axis=1)
    y = truth[:, :1] + truth[:, 1:] * rng.standard_t(4, (count, 40))
    start = np.tile([0.0, 1.0], (count, 1))
    space: Space = Product((Free(1), Positive(1)))
    return Lanes(student(), {"y": y.astype(dtype)}, start, truth, student_judged, space, squares=False)


def kinds() -> list[Kind]:
    """All kinds of this file."""
    drawn: list[tuple[str, int, Callable[[np.random.Generator, int], Lanes]]] = [
        ("logistic regression", 2000, partial(logistic_lanes, False, "float64")),
        ("logistic regression float32", 1500, partial(logistic_lanes, False, "float32")),
        ("logistic regression, separable", 1500, partial(logistic_lanes, True, "float64")),
        ("Poisson regression", 2000, partial(poisson_lanes, "float64")),
        ("Poisson regression float32", 1500, partial(poisson_lanes, "float32")),
        ("Student's t, location and scale", 1500, partial(student_lanes, "float64")),
    ]
    return [Kind(name, count, partial(judged, draw)) for name, count, draw in drawn]
