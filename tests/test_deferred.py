"""Deferred selects are copied once a row of steps, and a lane that breaks down in the row keeps the same answer."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from backends.fused.passes import deferred
from engine.solvers import Adam, GradientDescent

RNG = np.random.default_rng(5)


def breaking(dtype: str) -> Any:
    """Matrices whose descent overflows after few, many or all steps, or never: the bigger, the sooner."""
    scale = np.repeat([1.0, 3.0, 10.0, 100.0, 1e6], 9)[:, None, None]
    return (scale * (np.eye(3) + 0.1 * RNG.standard_normal((45, 3, 3))))[RNG.permutation(45)].astype(dtype)


def solved(A: Any, **options: Any) -> engine.Solution:
    return engine.solve(problems.inverse(), A, solver=GradientDescent(0.5, momentum=0.5), **options)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("tol", [0, None])
def test_a_lane_that_breaks_down_in_a_row_of_steps_keeps_its_last_finite_iterate(dtype: str, tol: float | None) -> None:
    A = breaking(dtype)
    found = solved(A, backend="fused", tol=tol, max_steps=300)
    expected = solved(A, backend="torch", tol=tol, max_steps=300)
    broken = found.status == engine.Status.NONFINITE
    assert 9 <= broken.sum() <= 36
    assert len(set(found.steps[broken] % 16)) > 3
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_array_equal(found.steps[broken], expected.steps[broken])
    assert np.isfinite(found["X"]).all() and np.isfinite(found.loss).all()
    scale = np.abs(expected["X"][broken]).max(axis=(1, 2), keepdims=True)
    tolerance = 1e-3 if dtype == "float32" else 1e-10
    np.testing.assert_allclose(found["X"][broken] / scale, expected["X"][broken] / scale, atol=tolerance)


def test_the_answer_is_the_one_of_steps_taken_one_by_one_to_the_bit() -> None:
    A = breaking("float32")
    found = solved(A, backend="fused", tol=0, max_steps=300)
    watched = solved(A, backend="fused", tol=0, max_steps=300, history=True)
    np.testing.assert_array_equal(found["X"], watched["X"])
    np.testing.assert_array_equal(found.status, watched.status)
    np.testing.assert_array_equal(found.steps, watched.steps)


@pytest.mark.parametrize("tol", [0, None])
def test_only_the_last_finite_params_are_taken_out_of_the_step(tol: float | None, monkeypatch: Any, tmp_path: Any) -> None:
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))  # what is known from before is not traced
    taken: list[Any] = []

    def find(graph: Any, state: Any, outputs: Any, status: int) -> Any:
        found = deferred.find(graph, state, outputs, status)
        taken.append((found, [view.node.name for view in state]))
        return found

    monkeypatch.setattr("backends.fused.codegen.kernel.find", find)
    problem = problems.svd_penalty.__wrapped__()
    engine.solve(problem, np.eye(3) + 0.1, solver=Adam(0.01), backend="fused", tol=tol, max_steps=20)
    ((found, names),) = taken
    pairs = {(names[to], names[of]) for to, of in found.dst_src}
    assert pairs == {(f"last.{p}", f"solver.params.{p}") for p in ("U", "d", "V")}
