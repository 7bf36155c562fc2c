"""The inductor backend compiles once, tells its time and its failures, and follows the posts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch._inductor

import backends
import engine
import problems
from backends.torch import inductor
from engine.solvers import GradientDescent

SEED = json.loads((Path(__file__).parent / "data" / "seed_trajectories.json").read_text())


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Every kernel that is compiled, in order."""
    made: list[Any] = []
    standalone_compile = torch._inductor.standalone_compile

    def counting(graph: Any, examples: Any, **options: Any) -> Any:
        made.append(graph)
        return standalone_compile(graph, examples, **options)

    monkeypatch.setattr(inductor, "standalone_compile", counting)
    return made


def matrices(lanes: int, n: int = 2) -> np.ndarray:
    rng = np.random.default_rng(lanes)
    return np.eye(n) + 0.2 * rng.standard_normal((lanes, n, n))


def test_one_compile_serves_every_batch_size_rate_tolerance_limit_and_seed(kernels: list[Any]) -> None:
    problem = engine.Problem(
        name="own inverse", data={"A": "n n"}, params={"X": "n n"}, residual=lambda X, A: X @ A - engine.eye_like(A), exact=True
    )

    def solve(lanes: int, rate: float = 0.3, **options: Any) -> engine.Solution:
        options = {"solver": GradientDescent(rate, momentum=0.9), "max_steps": 40, **options}
        solution = engine.solve(problem, matrices(lanes), backend="inductor", **options)
        assert "compiled by Inductor" in solution.plan.kernel
        return solution

    first = solve(7)
    assert len(kernels) == 2 and first.timings["compile_s"] > first.timings["run_s"] > 0
    for lanes in (1, 64, 1_000, 10_000):
        assert solve(lanes).timings["compile_s"] == 0
    other = solve(7, 0.2, tol=1e-3, max_steps=33, seed=5)
    assert len(kernels) == 2 and other.timings["compile_s"] == 0
    assert not np.array_equal(first["X"], other["X"])
    unbatched = engine.solve(problem, matrices(7)[0], backend="inductor", solver=GradientDescent(0.3, momentum=0.9), max_steps=40)
    assert len(kernels) == 2
    np.testing.assert_allclose(unbatched["X"], first["X"][0], rtol=1e-9)


def test_the_inverse_follows_the_posts() -> None:
    cases = list(SEED["inverse"].values())
    data, start = (np.array([case[name] for case in cases]) for name in ("M", "start"))
    solver = GradientDescent(0.9, momentum=0.9)
    solution = engine.solve(
        problems.inverse(), data, start={"X": start}, solver=solver, backend="inductor", tol=0, max_steps=1_001, history=True
    )
    for history, case in zip(solution.history, cases, strict=True):
        figures = {int(k): v for k, v in case["float64"]["loss"].items() if int(k) <= 1_000 and v > 1e-12}
        assert len(figures) >= 5
        for step, loss in figures.items():
            assert history[step] == pytest.approx(loss, rel=1e-9), step


def test_an_operation_that_fixes_the_lane_axis_runs_eagerly_and_the_plan_says_so() -> None:
    order = np.array([1, 0])
    problem = engine.Problem(
        name="picked",
        data={"A": "n n"},
        params={"X": "n n"},
        residual=lambda X, A: torch.index_select(X, 1, torch.tensor([1, 0])) - A,
    )
    solution = engine.solve(problem, matrices(3), solver=GradientDescent(0.5), backend="inductor", max_steps=200)
    np.testing.assert_allclose(solution["X"][:, :, order], matrices(3), atol=1e-6)
    assert "eager" in solution.plan.kernel and "lane axis" in str(solution.plan)


WITHOUT_COMPILER = """
import numpy as np, torch, engine, problems
A = np.eye(2) + 0.1 * np.arange(12.0).reshape(3, 2, 2) / 12
found = engine.solve(problems.inverse(), A, max_steps=50, backend="inductor")
assert "eager" in found.plan.kernel and "because" in found.plan.kernel, found.plan
assert np.array_equal(found["X"], engine.solve(problems.inverse(), A, max_steps=50, backend="torch")["X"])
M = torch.as_tensor(A)
assert torch.equal(engine.jit(engine.vmap(lambda M: M @ M))(M), M @ M)
print(found.plan.kernel)
"""


def test_without_a_cpp_compiler_it_runs_eagerly_and_the_plan_says_so(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "CXX": "/bin/false",
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": os.pathsep.join(sys.path),
    }
    done = subprocess.run([sys.executable, "-c", WITHOUT_COMPILER], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]


def test_jit_of_vmap_gives_the_same_answers_for_tensors_and_numpy() -> None:
    from torch._dynamo.utils import counters

    torch._dynamo.reset()
    counters.clear()
    A = matrices(5)
    batched = engine.vmap(lambda M: M @ M + engine.grad(lambda X: (X**3).sum())(M))
    f, compiled = engine.jit(batched), backends.get("torch").jit(batched)
    expected = A @ A + 3 * A**2
    np.testing.assert_allclose(compiled(torch.as_tensor(A)), expected, rtol=1e-12)
    np.testing.assert_allclose(f(A), expected, rtol=1e-12)
    np.testing.assert_allclose(f(torch.as_tensor(A)), expected, rtol=1e-12)
    assert counters["stats"]["unique_graphs"] == 1 and not counters["graph_break"]  # compiled, in one piece


def test_a_mistake_in_a_compiled_function_comes_in_its_own_words() -> None:
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        engine.jit(lambda a: a @ a[:1])(torch.ones(3, 3))
