"""Classical residuals from their standard starts and from 10 and 100 times those.

More, Garbow and Hillstrom, Testing unconstrained optimization software, ACM Transactions on Mathematical Software 7, 1981;
numbers in brackets are theirs. Each is declared with the array namespace, as a user would for one lane, and written again for
the judge; both read the targets y, by which lanes differ besides their starts.
"""

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
class Classical:
    """m functions of p `(n,)`, whose targets are y `(m,)`, with abscissae t `(m,)` where they have some.

    Attributes:
        functions: of (xp, p, t); gives scalars to be stacked, or one array over t. p is indexed by its first axis.
        start, solution: `(n,)` each; the second as published, or near it.
        y, t: `(m,)` each.
    """

    functions: Callable[[Any, Any, Any], Any]
    start: tuple[float, ...]
    solution: tuple[float, ...]
    y: Array
    t: Array = None


def _rosenbrock(xp: Any, p: Any, t: Any) -> Any:
    return [10 * (p[1] - p[0] ** 2), 1 - p[0]]


def _freudenstein_roth(xp: Any, p: Any, t: Any) -> Any:
    return [-13 + p[0] + ((5 - p[1]) * p[1] - 2) * p[1], -29 + p[0] + ((p[1] + 1) * p[1] - 14) * p[1]]


def _brown(xp: Any, p: Any, t: Any) -> Any:
    return [p[0] - 1e6, p[1] - 2e-6, p[0] * p[1] - 2]


def _beale(xp: Any, p: Any, t: Any) -> Any:
    return [p[0] * (1 - p[1]), p[0] * (1 - p[1] ** 2), p[0] * (1 - p[1] ** 3)]


def _jennrich_sampson(xp: Any, p: Any, t: Any) -> Any:
    return 2 + 2 * t - (xp.exp(t * p[0]) + xp.exp(t * p[1]))


def _helical(xp: Any, p: Any, t: Any) -> Any:
    turn = xp.arctan(p[1] / p[0]) if xp is np else xp.atan(p[1] / p[0])
    theta = turn / (2 * np.pi) + xp.where(p[0].real < 0, 0.5 + 0 * turn, 0 * turn)
    return [10 * (p[2] - 10 * theta), 10 * ((p[0] ** 2 + p[1] ** 2) ** 0.5 - 1), p[2]]


def _bard(xp: Any, p: Any, t: Any) -> Any:
    v = 16 - t
    w = 8 - xp.abs(t - 8)
    return p[0] + t / (v * p[1] + w * p[2])


def _meyer(xp: Any, p: Any, t: Any) -> Any:
    return p[0] * xp.exp(p[1] / (t + p[2]))


def _box(xp: Any, p: Any, t: Any) -> Any:
    return xp.exp(-t * p[0]) - xp.exp(-t * p[1]) - p[2] * (xp.exp(-t) - xp.exp(-10 * t))


def _powell(xp: Any, p: Any, t: Any) -> Any:
    return [p[0] + 10 * p[1], 5**0.5 * (p[2] - p[3]), (p[1] - 2 * p[2]) ** 2, 10**0.5 * (p[0] - p[3]) ** 2]


def _wood(xp: Any, p: Any, t: Any) -> Any:
    first = [10 * (p[1] - p[0] ** 2), 1 - p[0], 90**0.5 * (p[3] - p[2] ** 2), 1 - p[2]]
    return [*first, 10**0.5 * (p[1] + p[3] - 2), (p[1] - p[3]) / 10**0.5]


def _kowalik_osborne(xp: Any, p: Any, t: Any) -> Any:
    return p[0] * (t**2 + t * p[1]) / (t**2 + t * p[2] + p[3])


def _brown_dennis(xp: Any, p: Any, t: Any) -> Any:
    return (p[0] + t * p[1] - xp.exp(t)) ** 2 + (p[2] + p[3] * xp.sin(t) - xp.cos(t)) ** 2


def _osborne(xp: Any, p: Any, t: Any) -> Any:
    return p[0] + p[1] * xp.exp(-t * p[3]) + p[2] * xp.exp(-t * p[4])


BARD = [0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39]
KOWALIK = [0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246]
KOWALIK_AT = [4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0625]
MEYER = [34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427, 3820, 3307, 2872]
OSBORNE = [0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685, 0.658, 0.628, 0.603, 0.580,
           0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448, 0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406]  # fmt: skip
TENTHS = np.arange(1, 11) / 10

CLASSICAL = {
    "Rosenbrock": Classical(_rosenbrock, (-1.2, 1), (1, 1), np.zeros(2)),
    "Freudenstein-Roth": Classical(_freudenstein_roth, (0.5, -2), (5, 4), np.zeros(2)),
    "Brown badly scaled": Classical(_brown, (1, 1), (1e6, 2e-6), np.zeros(3)),
    "Beale": Classical(_beale, (1, 1), (3, 0.5), np.array([1.5, 2.25, 2.625])),
    "Jennrich-Sampson": Classical(_jennrich_sampson, (0.3, 0.4), (0.2578, 0.2578), np.zeros(10), np.arange(1.0, 11)),
    "Helical valley": Classical(_helical, (-1, 0, 0), (1, 0, 0), np.zeros(3)),
    "Bard": Classical(_bard, (1, 1, 1), (0.0824, 1.133, 2.3437), np.array(BARD), np.arange(1.0, 16)),
    "Meyer": Classical(_meyer, (0.02, 4000, 250), (0.0056096, 6181.35, 345.22), np.array(MEYER, float), 45 + 5.0 * np.arange(1, 17)),
    "Box 3-D": Classical(_box, (0, 10, 20), (1, 10, 1), np.zeros(10), TENTHS),
    "Powell singular": Classical(_powell, (3, -1, 0, 1), (0, 0, 0, 0), np.zeros(4)),
    "Wood": Classical(_wood, (-3, -1, -3, -1), (1, 1, 1, 1), np.zeros(6)),
    "Kowalik-Osborne": Classical(
        _kowalik_osborne, (0.25, 0.39, 0.415, 0.39), (0.1928, 0.1913, 0.1231, 0.1361), np.array(KOWALIK), np.array(KOWALIK_AT)
    ),
    "Brown-Dennis": Classical(_brown_dennis, (25, 5, -5, -1), (-11.594, 13.204, -0.4034, 0.2368), np.zeros(20), np.arange(1.0, 21) / 5),
    "Osborne 1": Classical(_osborne, (0.5, 1.5, -1, 0.01, 0.02), (0.3754, 1.9358, -1.4647, 0.01287, 0.02212), np.array(OSBORNE),
                           10.0 * np.arange(33)),
}  # fmt: skip


@cache
def _problem(name: str) -> Problem:
    classical = CLASSICAL[name]

    def residual(p: Any, y: Any, t: Any) -> Any:
        xp = array_namespace(p)
        values = classical.functions(xp, p, t)
        return (xp.stack(values) if isinstance(values, list) else values) - y

    return Problem(name, {"y": "m", "t": "m"}, {"p": Param("n", start="zeros")}, residual, sizes={"n": len(classical.start)})


def _judged(name: str, z: Array, data: Data) -> Array:
    values = CLASSICAL[name].functions(np, z.T[..., None], data["t"])
    return (np.concatenate(np.broadcast_arrays(*values), axis=1) if isinstance(values, list) else values) - data["y"]


def draw(name: str, rng: np.random.Generator, count: int) -> Lanes:
    """The first three lanes are the published ones. Then starts move by up to 10%, and targets of every other lane by 1e-3."""
    classical = CLASSICAL[name]
    start = np.array(classical.start) * 10.0 ** (np.arange(count) % 3)[:, None]
    y = np.tile(classical.y, (count, 1))
    later = np.arange(count)[:, None] > 2
    start = start * np.where(later, rng.uniform(0.9, 1.1, start.shape), 1)
    noise = 1e-3 * max(1.0, float(np.abs(classical.y).max())) * rng.standard_normal(y.shape)
    y = y + np.where(later & (np.arange(count)[:, None] % 2 == 1), noise, 0)
    t = np.zeros_like(classical.y) if classical.t is None else classical.t
    truth = np.tile(np.array(classical.solution, float), (count, 1))
    shapes = {"p": (len(classical.start),)}
    return Lanes(_problem(name), {"y": y, "t": t}, start, truth, partial(_judged, name), Free(len(classical.start)), shapes=shapes,
                 shared=frozenset({"t"}))  # fmt: skip


def kinds() -> list[Kind]:
    """All kinds of this file."""
    return [Kind(f"MGH {name}", 300, partial(judged, partial(draw, name))) for name in CLASSICAL]
