"""Plain losses of two params: a curved valley, a flat minimum, and starts at maxima and saddles."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from array_api_compat import array_namespace

from bench.honesty.objective import Data
from bench.honesty.solved import Kind, Lanes, judged
from bench.honesty.spaces import Free
from engine import Param, Problem

Array = Any


@dataclass(frozen=True)
class Surface:
    """A function of p and a datum c: how it is declared and judged, its starts, and its minima.

    Attributes:
        loss: of (xp, p, c), for the engine; the judge calls it with columns.
        start: of (rng, c): `(lanes, n)`.
        truth: of c: `(lanes, n)`.
    """

    loss: Callable[[Any, Any, Any], Any]
    start: Callable[[Any, Array], Array]
    truth: Callable[[Array], Array]


def _valley(xp: Any, p: Any, c: Any) -> Any:
    return 100 * (p[1] - p[0] ** 2) ** 2 + (c - p[0]) ** 2


def _flat(xp: Any, p: Any, c: Any) -> Any:
    return (p[0] - c) ** 4 + 2 * (p[1] + c) ** 4 + 1


def _well(xp: Any, p: Any, c: Any) -> Any:
    return (p[0] ** 2 - c) ** 2 + (p[1] - 1) ** 2


def _factors(xp: Any, p: Any, c: Any) -> Any:
    return (p[0] * p[1] - c) ** 2 + 0.01 * (p[0] ** 2 + p[1] ** 2)


def _ridge(xp: Any, p: Any, c: Any) -> Any:
    return p[0] ** 2 - p[1] ** 2 + p[1] ** 4 / (2 * c)


def _hill(xp: Any, p: Any, c: Any) -> Any:
    return xp.cos(p[0]) + xp.cos(p[1] / c)


def _near_or_at_zero(rng: Any, c: Array) -> Array:
    """Zeros, or entries of 1e-12."""
    return np.where(np.arange(len(c))[:, None] % 2 == 0, 0, 1e-12 * rng.standard_normal((len(c), 2)))


SURFACES = {
    "Rosenbrock": Surface(_valley, lambda rng, c: np.tile([-1.2, 1.0], (len(c), 1)), lambda c: np.stack([c, c**2], 1)),
    "quartic with a flat minimum": Surface(_flat, lambda rng, c: rng.uniform(-3, 3, (len(c), 2)), lambda c: np.stack([c, -c], 1)),
    "from a maximum": Surface(_well, _near_or_at_zero, lambda c: np.stack([c**0.5, 1 + 0 * c], 1)),
    "from a saddle of a product": Surface(_factors, _near_or_at_zero, lambda c: np.stack([(c - 0.01) ** 0.5] * 2, 1)),
    "from a saddle": Surface(_ridge, _near_or_at_zero, lambda c: np.stack([0 * c, c**0.5], 1)),
    "from the top of a hill": Surface(_hill, _near_or_at_zero, lambda c: np.stack([np.pi + 0 * c, np.pi * c], 1)),
}


@cache
def surface(name: str) -> Problem:
    """One of the functions of two params."""

    def loss(p: Any, c: Any) -> Any:
        return SURFACES[name].loss(array_namespace(p), p, c)

    return Problem(name, {"c": ""}, {"p": Param("n", start="zeros")}, loss=loss, sizes={"n": 2})


def surface_judged(name: str, z: Array, data: Data) -> Array:
    """The same, a lane a row."""
    return SURFACES[name].loss(np, z.T, data["c"])


def surface_lanes(name: str, dtype: str, rng: np.random.Generator, count: int) -> Lanes:
    """The datum is between 0.5 and 2."""
    c = rng.uniform(0.5, 2, count).astype(dtype)
    start, truth = SURFACES[name].start(rng, c.astype(float)), SURFACES[name].truth(c.astype(float))
    return Lanes(
        surface(name), {"c": c}, start, truth, partial(surface_judged, name), Free(2), np.ones(2), {"p": (2,)}, squares=False
    )


def kinds() -> list[Kind]:
    """All kinds of this file."""
    names = [(name, "float64") for name in SURFACES] + [("from a maximum", "float32")]
    return [
        Kind(f"loss: {name}{' float32' * (dtype == 'float32')}", 1000, partial(judged, partial(surface_lanes, name, dtype)))
        for name, dtype in names
    ]
