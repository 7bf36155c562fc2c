"""The contract table: every (problem, solver, backend, dtype) that must keep the promises. A new one is one row.

`BACKENDS` lists what a backend promises; `CASES` what is solved. Tests take the product. "shim" is CUDA text run on the CPU
(`tests/cuda/shim.py`), which is a backend in tests alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import problems
from engine import Param, Problem
from engine.solvers import Adam, GradientDescent

Array = Any


@dataclass(frozen=True)
class Backend:
    """A backend; `exact` when a lane has the same bits at any batch size; `rows` are the names of its cases, all by default.

    `most` is a limit of steps, for a loop over lanes in Python; `device` is torch's name of where the data lies, empty for NumPy's.
    """

    name: str
    exact: bool
    rows: tuple[tuple[str, str], ...] = ()
    most: int = 10_000
    device: str = ""

    @property
    def label(self) -> str:
        """The name in the ids of tests."""
        return self.device or self.name

    def placed(self, data: dict[str, np.ndarray]) -> dict[str, Array]:
        """The data where the backend computes."""
        return {name: torch.as_tensor(array, device=self.device) for name, array in data.items()} if self.device else dict(data)

    def takes(self, case: str, dtype: str) -> bool:
        """Whether the table has a row for a case: a backend that compiles for seconds has a few."""
        return not self.rows or (case, dtype) in self.rows

    def steps(self, case: Case) -> int:
        """The steps that a case takes here, `most` at most."""
        return min(case.steps, self.most)


IN_PYTHON = ("inverse-gd", "inverse-nesterov", "inverse-adam", "robust_mean-gd")
"""Cases of few unknowns, for a loop over lanes in Python whose second derivatives are differences."""

BACKENDS: tuple[Backend, ...] = (
    Backend("torch", exact=False),
    Backend("fused", exact=True),
    Backend("numpy", exact=True, rows=(*product(IN_PYTHON, ("float64", "float32")), ("svd-gd", "float64")), most=12),
    Backend(
        "inductor", exact=False, rows=(("inverse-gd", "float32"), ("inverse-adam", "float64"), ("robust_mean-gd", "float64"))
    ),
    Backend("shim", exact=True, rows=(("inverse-gd", "float32"), ("robust_mean-gd", "float64"))),
)
if torch.cuda.is_available():
    BACKENDS += (Backend("fused", exact=True, device="cuda"),)
DTYPES = ("float64", "float32")


@dataclass(frozen=True)
class Case:
    """A problem with a solver, good lanes for it, and how many steps to run."""

    name: str
    problem: Problem
    solver: Any
    lanes: Callable[[np.random.Generator, int], dict[str, np.ndarray]]
    steps: int = 60


def near_identity(n: int) -> Callable[[np.random.Generator, int], dict[str, np.ndarray]]:
    """Well-conditioned matrices around the identity."""
    return lambda rng, lanes: {"A": np.eye(n) + 0.2 * rng.standard_normal((lanes, n, n)) / np.sqrt(n)}


def tall(m: int, n: int) -> Callable[[np.random.Generator, int], dict[str, np.ndarray]]:
    """Random tall matrices."""
    return lambda rng, lanes: {"A": rng.random((lanes, m, n))}


def _log_cosh(c: Any, A: Any) -> Any:
    xp = array_namespace(A)
    return xp.mean(xp.log(xp.cosh(A - c)))


ROBUST_MEAN = Problem(name="robust_mean", data={"A": "n n"}, params={"c": Param("", start="zeros")}, loss=_log_cosh)

CASES = (
    Case("inverse-gd", problems.inverse(), GradientDescent(0.9, momentum=0.9), near_identity(4)),
    Case("inverse-nesterov", problems.inverse("right"), GradientDescent(0.5, momentum=0.9, nesterov=True), near_identity(3)),
    Case("inverse-adam", problems.inverse("both"), Adam(0.05), near_identity(3)),
    Case("svd-gd", problems.svd_penalty(), GradientDescent(0.9, momentum=0.9), tall(4, 3)),
    Case("svd-adam", problems.svd_penalty(), Adam(0.01, weight_decay=1e-5), tall(3, 3)),
    Case("robust_mean-gd", ROBUST_MEAN, GradientDescent(0.5), near_identity(2)),
)

TABLE = [
    pytest.param(case, backend, dtype, id=f"{case.name}-{backend.label}-{dtype}")
    for case in CASES
    for backend in BACKENDS
    for dtype in DTYPES
    if backend.takes(case.name, dtype)
]
