"""The inverse with the instruction set restricted to AVX2, against a peak of AVX2 code measured in the same run."""

from __future__ import annotations

from typing import Any

import pytest

import engine
import problems
from backends.fused.build.target import host_names
from bench.measure import figures, first_call, highest, median
from bench.peers import MOMENTUM, RATE
from bench.test_inverse import DTYPES, SIZES, batch, useful
from engine.solvers import GradientDescent


@pytest.mark.skipif("avx2" not in host_names(), reason="the processor has no AVX2")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [n for n in SIZES if n >= 4])
def test_avx2(dtype: str, n: int, benchmark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """As `test_inverse` for the lane compiler; a Problem of its own, as its kernel is kept with it."""
    benchmark.group = f"avx2 n={n} {dtype}"
    monkeypatch.setenv("LANEWISE_ISA", "avx2")
    lanes, steps = SIZES[n]
    A, start = batch(n, lanes, dtype)
    problem, solver = problems.inverse.__wrapped__(), GradientDescent(RATE, momentum=MOMENTUM)

    def call() -> engine.Solution:
        return engine.solve(problem, A, start={"X": start}, solver=solver, backend="fused", tol=0, max_steps=steps)

    found, _ = first_call(call)
    assert "avx2" in found.plan.kernel
    row = figures(found, median(benchmark, call), useful(n), lanes, steps, highest(dtype, "avx2"))
    benchmark.extra_info.update({"suite": "avx2", "runner": "lanewise fused", "n": n, "dtype": dtype} | row)
