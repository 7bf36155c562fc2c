"""The contract's rows for domains: a nearest-point problem on each, with an oracle in NumPy that shares nothing with them.

Needs `engine` to declare, NumPy for oracles. `PLACES` are the domains, `GROUPS` pack some into one Problem (they do not
couple, so that each has its own answer, and one kernel serves all), `SOLVERS` are who must reach it. A lane of the
closed group has its solution inside, on a face, in a corner, where lo = hi; the fifth is empty: lo > hi.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from engine import Param, Problem
from engine.domains import (
    Box,
    LowerTriangular,
    Orthogonal,
    Positive,
    PositiveDefinite,
    Real,
    Simplex,
    Symmetric,
    UnitNorm,
    UpperTriangular,
)
from engine.solvers import LBFGS, Adam, FixedPoint, GaussNewton, GradientDescent, LevenbergMarquardt, Newton

Array = Any
Lane = dict[str, np.ndarray]


@dataclass(frozen=True)
class Place:
    """A domain; `near` is the nearest point of it to a lane's B, `inside` whether a point is of it, to some slack."""

    axes: str
    domain: Any
    start: Any
    near: Callable[[np.ndarray, Lane], Any]
    inside: Callable[[np.ndarray, Lane, float], Any]


def _orthonormal(x: np.ndarray, lane: Lane, slack: float) -> bool:
    return bool(np.abs(x.T @ x - np.eye(x.shape[1])).max() <= slack)


def _polar(b: np.ndarray, lane: Lane) -> Any:
    u, _, v = np.linalg.svd(b, full_matrices=False)
    return u @ v


def _simplex(b: np.ndarray, lane: Lane) -> np.ndarray:
    """The nearest of the points that all supports offer."""
    points = []
    for k in range(1, len(b) + 1):
        for support in itertools.combinations(range(len(b)), k):
            point = np.zeros_like(b)
            point[list(support)] = b[list(support)] - (b[list(support)].sum() - 1) / k
            points.append(point)
    feasible = [p for p in points if (p >= 0).all()]
    return min(feasible, key=lambda p: float(((p - b) ** 2).sum()))


TOP = np.array([0.5, np.inf, 2.0])

PLACES: dict[str, Place] = {
    "real": Place("n", Real(), "normal", lambda b, lane: b, lambda x, lane, slack: True),
    "positive": Place("n", Positive(), -2.0, lambda b, lane: b, lambda x, lane, slack: (x > 0).all()),
    "symmetric": Place("n n", Symmetric(), "normal", lambda b, lane: (b + b.T) / 2, lambda x, lane, slack: (x == x.T).all()),
    "lower": Place("n n", LowerTriangular(), "normal", lambda b, lane: np.tril(b), lambda x, lane, slack: (np.triu(x, 1) == 0).all()),
    "upper": Place("n n", UpperTriangular(), "normal", lambda b, lane: np.triu(b), lambda x, lane, slack: (np.tril(x, -1) == 0).all()),
    "box": Place(
        "k", Box(0.0, 1.0), 5.0, lambda b, lane: np.clip(b, 0, 1), lambda x, lane, slack: ((x >= 0) & (x <= 1)).all()
    ),
    "half": Place(
        "k", Box(hi=TOP), "normal", lambda b, lane: np.minimum(b, TOP), lambda x, lane, slack: (x <= TOP).all()
    ),
    "lanes": Place(
        "k",
        Box("lo", "hi"),
        -2.0,
        lambda b, lane: np.minimum(np.maximum(b, lane["lo"]), lane["hi"]),
        lambda x, lane, slack: ((x >= lane["lo"]) & (x <= lane["hi"])).all(),
    ),
    "simplex": Place(
        "k", Simplex(), "normal", _simplex, lambda x, lane, slack: (x >= 0).all() and abs(x.sum() - 1) <= slack
    ),
    "square": Place("n n", Orthogonal(), "eye", _polar, _orthonormal),
    "tall": Place("k n", Orthogonal(), "eye", _polar, _orthonormal),
    "unit": Place(
        "k", UnitNorm(), "zeros", lambda b, lane: b / np.sqrt(b @ b), lambda x, lane, slack: abs(x @ x - 1) <= slack
    ),
    "definite": Place(
        "n n",
        PositiveDefinite(),
        "eye",
        lambda b, lane: (b + b.T) / 2,
        lambda x, lane, slack: (x == x.T).all() and np.linalg.eigvalsh(x).min() > 0,
    ),
}  # fmt: skip

GROUPS: dict[str, tuple[str, ...]] = {
    "flat": ("real", "positive", "symmetric", "lower", "upper"),
    "closed": ("box", "half", "lanes", "simplex"),
    "curved": ("square", "tall", "unit", "definite"),
}

FEW = 4
"""Lanes with an answer; the closed group has one without."""


def problem(group: str) -> Problem:
    """min of half the squared distances to B, one for each domain; a block is what a fixed point moves its param by."""
    names = GROUPS[group]
    sizes = {"n": 2, "k": 3}
    data = {f"B{name}": PLACES[name].axes for name in names} | ({"lo": "k", "hi": "k"} if "lanes" in names else {})
    text = ", ".join(f"{name!r}: B{name} - {name}" for name in names)
    return Problem(
        name=group,
        data=data,
        params={name: Param(PLACES[name].axes, PLACES[name].domain, PLACES[name].start) for name in names},
        residual=eval(f"lambda {', '.join((*names, *(f'B{name}' for name in names)))}: {{{text}}}"),
        weights={name: 0.5 * np.prod([sizes[axis] for axis in PLACES[name].axes.split()]) for name in names},
    )


def lanes(group: str) -> Lane:
    """The data of a few lanes."""
    rng = np.random.default_rng(11)
    shapes: dict[str, tuple[int, ...]] = {"n": (2,), "k": (3,), "n n": (2, 2), "k n": (3, 2)}
    made = {f"B{name}": rng.standard_normal((FEW, *shapes[PLACES[name].axes])) for name in GROUPS[group]}
    if group == "flat":
        made["Bpositive"] = np.abs(made["Bpositive"]) + 0.2
    if group == "curved":
        for name in ("square", "tall"):
            m, n = shapes[PLACES[name].axes]
            made[f"B{name}"] = np.eye(m, n) + 0.4 * made[f"B{name}"]
        made["Bdefinite"] = 2 * np.eye(2) + 0.3 * made["Bdefinite"]
    if group == "closed":
        inside, face, corner = [0.3, 0.4, 0.8], [0.6, -1.0, 0.5], [3.0, -2.0, -1.5]
        made["Bbox"] = np.array([inside, face, corner, [2.0, 2.0, 0.1], inside])
        made["Bhalf"] = np.array([[0.0, 1.0, -1.0], [0.9, 9.0, -1.0], [7.0, -7.0, 7.0], [0.1, 0.2, 0.3], inside])
        made["Bsimplex"] = np.array([[0.3, 0.4, 0.6], face, corner, [-0.1, 0.5, 0.45], inside])
        made["Blanes"] = np.array([inside, face, corner, [5.0, 0.2, -5.0], inside])
        made["lo"] = np.array([[0.0] * 3, [0.0, 0.0, -np.inf], [-1.0, -1.0, 0.0], [1.0, 0.0, -1.0], [0.0, 2.0, 0.0]])
        made["hi"] = np.array([[1.0] * 3, [np.inf, 1.0, 1.0], [1.0] * 3, [1.0, 1.0, 1.0], [1.0] * 3])
    return made


SOLVERS: dict[str, Any] = {
    "gd": GradientDescent(0.5, momentum=0.2),
    "adam": Adam(0.05, (0.9, 0.99)),
    "lbfgs": LBFGS(),
    "gauss_newton": GaussNewton(),
    "levenberg_marquardt": LevenbergMarquardt(),
    "newton": Newton(),
    "fixed_point": FixedPoint(0.7),
}
BACKENDS = ("fused", "torch", "numpy", "inductor")
ROWS_OF: dict[str, tuple[tuple[str, str], ...]] = {
    "inductor": (("closed", "gd"),),
    "numpy": (("flat", "gd"), ("closed", "gd"), ("curved", "gd"), ("closed", "levenberg_marquardt")),
    "torch": tuple(itertools.product(GROUPS, ("gd", "levenberg_marquardt"))),
}
"""Backends that compile for seconds, or loop over lanes in Python, have rows for these groups and solvers; fused for all."""

RUNS = [
    pytest.param(group, solver, backend, id=f"{group}-{solver}-{backend}")
    for group in GROUPS
    for solver in SOLVERS
    for backend in BACKENDS
    if backend not in ROWS_OF or (group, solver) in ROWS_OF[backend]
]
ROWS = [
    pytest.param(run.values[0], place, *run.values[1:], id=f"{place}-{run.values[1]}-{run.values[2]}")
    for run in RUNS
    for place in GROUPS[str(run.values[0])]
]
