"""Gradient steps of other problems than the inverse: their share of the peak, and of a written floor.

Useful operations are counted on paper from the loss, with each symmetric product once and no operation that only the
bookkeeping needs; an exponential counts as none. Per param a step of descent with momentum takes 4. A floor is the time
of the useful operations at the peak, and of the exponentials at the speed of bare ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from bench.measure import exp_ns, figures, first_call, highest, median
from engine import Param, Problem
from engine.solvers import GradientDescent

M = N = 8
R = 3
POINTS = 32
LANES, STEPS = 24_000, 300
DTYPES = ("float32", "float64")


def _matrices() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(8)
    return {"A": torch.randn(LANES, M, N, generator=generator, dtype=torch.float64) / N}


def _curves() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(3)
    a, b, c = torch.rand(3, LANES, 1, generator=generator, dtype=torch.float64) + 0.5
    x = torch.linspace(0, 3, POINTS, dtype=torch.float64)
    return {"x": x, "y": a * torch.exp(-b * x) + c}


@dataclass(frozen=True)
class Case:
    """A problem and its counts: `useful` operations and `exponentials` a step, by `formula`."""

    problem: Callable[[], Problem]
    data: Callable[[], dict[str, torch.Tensor]]
    rate: float
    formula: str
    useful: int
    exponentials: int = 0


def low_rank() -> Problem:
    """A = B C of rank 3."""
    return Problem(
        name="rank_3",
        data={"A": "m n"},
        params={"B": Param("m r"), "C": Param("r n")},
        sizes={"r": R},
        residual=lambda B, C, A: B @ C - A,
    )


def exponential() -> Problem:
    """y = a exp(-b x) + c."""
    return Problem(
        name="exponential",
        data={"x": "m", "y": "m"},
        params={name: Param("", start=1.0) for name in "abc"},
        residual=lambda a, b, c, x, y: a * array_namespace(x).exp(-b * x) + c - y,
    )


CASES = {
    "svd_penalty 8x8": Case(problems.svd_penalty, _matrices, 0.1, "12 n^3 + 19 n^2 + 10 n", 12 * N**3 + 19 * N**2 + 10 * N),
    "rank 3 of 8x8": Case(low_rank, _matrices, 0.5, "6 m n r + 2 m n + 4 r (m + n)", 6 * M * N * R + 2 * M * N + 4 * R * (M + N)),
    "exponential, 32 points": Case(exponential, _curves, 0.05, "9 m + 16, and m exponentials", 9 * POINTS + 16, POINTS),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", CASES)
def test_steps(name: str, dtype: str, benchmark: Any) -> None:
    """Time a fixed number of steps of the lane compiler."""
    benchmark.group = f"steps {dtype}"
    case = CASES[name]
    data = {key: array.to(getattr(torch, dtype)) for key, array in case.data().items()}
    solver, problem = GradientDescent(case.rate, momentum=0.9), case.problem()

    def call() -> engine.Solution:
        return engine.solve(problem, data, solver=solver, backend="fused", tol=0, max_steps=STEPS)

    found, _ = first_call(call)
    assert bool(torch.isfinite(found.loss).all())
    row = figures(found, median(benchmark, call), case.useful, LANES, STEPS, highest(dtype))
    exponentials = case.exponentials * exp_ns(dtype) if case.exponentials else 0.0
    floor = case.useful / row["peak_gflops"] + exponentials
    own = {"suite": "steps", "runner": name, "dtype": dtype, "formula": case.formula, "counted_flops": counted(found)}
    benchmark.extra_info.update(
        own | row | {"exponentials_ns": exponentials, "floor_ns": floor, "times_floor": row["ns_per_matrix_step"] / floor}
    )


def counted(found: engine.Solution) -> int:
    """Floating-point operations of a lane-step that the plan counts in the kernel."""
    return int(found.plan.kernel.split(" flops")[0].rsplit(" ", 1)[1].replace(",", ""))
