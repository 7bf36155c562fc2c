"""Sums of squares from starts where the gradient vanishes: maxima, saddles, and points where a param is dead."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

import problems
from bench.honesty.objective import Data
from bench.honesty.solved import Kind, Lanes, judged
from bench.honesty.spaces import Free
from engine import Param, Problem

Array = Any


@cache
def square() -> Problem:
    """c with c^2 nearest to all of x."""
    return Problem("square", {"x": "m"}, {"c": Param("", start=0.0)}, lambda c, x: c * c - x)


def squares(dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """From c = 0, a maximum, in every other lane; from 1e-12 in the others."""
    x = rng.uniform(0.5, 3, (count, 1)) + 0.1 * rng.standard_normal((count, 6))
    start = np.where(np.arange(count)[:, None] % 2 == 0, 0, 1e-12)
    truth = np.sqrt(x.mean(axis=1, keepdims=True))
    return Lanes(square(), {"x": x.astype(dtype)}, start, truth, lambda z, data: z * z - data["x"], Free(1))


@cache
def rank_one() -> Problem:
    """u v' nearest to A."""

    def residual(u: Any, v: Any, A: Any) -> Any:
        return u[:, None] * v[None, :] - A

    return Problem("rank one", {"A": "m n"}, {"u": Param("m", start="zeros"), "v": Param("n", start="zeros")}, residual)


def rank_ones(rng: np.random.Generator, count: int) -> Lanes:
    """3 x 2 from u = v = 0, a saddle, in every other lane; near it in the others. The lengths of u and v are free."""
    u, v = rng.standard_normal((count, 3, 1)), rng.standard_normal((count, 1, 2))
    A = u * v + 0.05 * rng.standard_normal((count, 3, 2))
    left, values, right = np.linalg.svd(A)
    truth = np.concatenate([left[:, :, 0] * values[:, :1], right[:, 0]], axis=1)
    start = np.where(np.arange(count)[:, None] % 2 == 0, 0, 1e-8 * rng.standard_normal((count, 5)))

    def function(z: Array, data: Data) -> Array:
        return (z[:, :3, None] * z[:, None, 3:] - data["A"]).reshape(len(z), -1)

    return Lanes(rank_one(), {"A": A}, start, truth, function, Free(5), np.ones(5), {"u": (3,), "v": (2,)})


@cache
def rectifier() -> Problem:
    """max(p, 0) x nearest to y."""

    def residual(p: Any, x: Any, y: Any) -> Any:
        return array_namespace(x).maximum(p, 0 * p) * x - y

    return Problem("rectifier", {"x": "m", "y": "m"}, {"p": Param("", start=-1.0)}, residual)


def rectifiers(rng: np.random.Generator, count: int) -> Lanes:
    """From p < 0, where p has no effect, in every other lane."""
    truth = rng.uniform(0.5, 2, (count, 1))
    x = np.linspace(0.1, 1, 8)
    y = truth * x + 0.05 * rng.standard_normal((count, 8))
    start = np.where(np.arange(count)[:, None] % 2 == 0, -1.0, 1.0)

    def function(z: Array, data: Data) -> Array:
        return np.where(z.real > 0, z, 0) * data["x"] - data["y"]

    return Lanes(rectifier(), {"x": x, "y": y}, start, truth, function, Free(1), shared=frozenset({"x"}))


def _stick(x: Any, level: Any, slope: Any, knee: Any) -> Any:
    return level + slope * np.maximum(x - knee, 0 * x)


@cache
def broken_stick() -> Problem:
    """A level up to a knee and a slope after it."""
    return problems.curve_fit(_stick)


def broken_sticks(rng: np.random.Generator, count: int) -> Lanes:
    """The knee starts within the data, or beyond them in every third lane, where two params are dead."""
    truth = np.stack([rng.uniform(-1, 1, count), rng.uniform(1, 3, count), rng.uniform(0.3, 0.7, count)], axis=1)
    x = np.linspace(0, 1, 25)
    y = _stick(x, *truth.T[..., None]) + 0.02 * rng.standard_normal((count, 25))
    start = truth * rng.uniform(0.8, 1.25, truth.shape)
    start[::3, 2] = 1.5

    def function(z: Array, data: Data) -> Array:
        level, slope, knee = z.T[..., None]
        beyond = data["x"] - knee
        return level + slope * np.where(beyond.real > 0, beyond, 0) - data["y"]

    return Lanes(broken_stick(), {"x": x, "y": y}, start, truth, function, Free(3), shared=frozenset({"x"}))


def kinds() -> list[Kind]:
    """All kinds of this file."""
    drawn: list[tuple[str, int, Callable[[np.random.Generator, int], Lanes]]] = [
        ("start: maximum of a square", 1000, partial(squares, "float64")),
        ("start: maximum of a square float32", 1000, partial(squares, "float32")),
        ("start: saddle of a rank-one matrix", 1000, rank_ones),
        ("start: dead rectifier", 1000, rectifiers),
        ("start: knee beyond the data", 1000, broken_sticks),
    ]
    return [Kind(name, count, partial(judged, draw)) for name, count, draw in drawn]
