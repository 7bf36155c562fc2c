"""SVD and eigendecomposition from their declared residuals against torch.linalg, double precision, normal matrices.

torch takes one matrix after another on one thread; the ratio says so by being that of whole calls. What is certified, and
the steps that a lane needed, stand beside it.
"""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import engine
import problems
from bench.measure import first_call, median

SIZES = {2: 20_000, 3: 20_000, 4: 20_000, 6: 10_000, 8: 10_000, 12: 4_000, 16: 4_000, 24: 1_000, 32: 500}
"""n -> matrices in the batch."""

LAPACK = {"svd": torch.linalg.svd, "eigh": torch.linalg.eigh}


def batch(problem: str, n: int, lanes: int) -> Tensor:
    """Normal matrices, for eigh (A + A') / 2 of them: `(lanes, n, n)`, float64, seeded by n."""
    A = torch.randn(lanes, n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    return A if problem == "svd" else (A + A.mT) / 2


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("problem", LAPACK)
@pytest.mark.parametrize("runner", ["lanewise fused", "torch.linalg"])
def test_decompositions(runner: str, problem: str, n: int, benchmark: Any) -> None:
    """Time whole calls with default tolerance; the first call, which compiles, is kept apart."""
    benchmark.group = f"{problem} n={n}"
    lanes = SIZES[n]
    A = batch(problem, n, lanes)
    declared = getattr(problems, problem)()
    mine = runner == "lanewise fused"

    def call() -> Any:
        return engine.solve(declared, A, backend="fused") if mine else LAPACK[problem](A)

    found, _ = first_call(call)
    seconds = median(benchmark, call)
    steps = found.steps.double() if mine else torch.zeros(1, dtype=torch.float64)
    benchmark.extra_info.update(
        {
            "suite": "decompositions",
            "runner": runner,
            "problem": problem,
            "n": n,
            "dtype": "float64",
            "matrices": lanes,
            "certified": float(found.converged.double().mean()) if mine else 1.0,
            "steps_median": float(steps.median()),
            "steps_99": float(steps.quantile(0.99)),
            "compile_s": found.timings["compile_s"] if mine else 0.0,
            "kernel": found.plan.kernel if mine else "",
            "us_per_matrix": seconds / lanes * 1e6,
        }
    )
