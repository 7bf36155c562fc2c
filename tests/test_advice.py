"""Meanings and remedies: by status, by solver, by culprit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Param, Problem, Status, advice, solvers
from engine.errors import SolveError
from tests.families import invertible

A = invertible(np.random.default_rng(3), 3, 3, 10.0)
BROKEN = A.copy()
BROKEN[1, 0, 0] = np.inf


def said(solution: engine.Solution) -> str:
    with pytest.raises(SolveError) as caught:
        solution.raise_for_status()
    return str(caught.value)


@pytest.mark.parametrize("status", [s for s in Status if s is not Status.CONVERGED])
@pytest.mark.parametrize("solver", [None, solvers.GradientDescent(0.1)], ids=["second order", "first order"])
def test_every_status_has_a_meaning_and_a_remedy_in_the_text(status: Status, solver: Any) -> None:
    solution = engine.solve(problems.inverse(), A, solver=solver, backend="numpy", max_steps=1)
    solution.status[...] = int(status)
    meaning, remedy = advice.meaning(solution, status), advice.remedy(solution, status)
    assert "{" not in meaning + remedy
    text = solution.summary().replace("\n", " ")
    assert status.name in text and " ".join(remedy.split()[:3]) in " ".join(text.split())
    if status is not Status.ILL_CONDITIONED:
        assert f"what it means: {meaning}" in said(solution) and f"what helps: {remedy}" in said(solution)


def test_a_learning_rate_is_only_spoken_of_where_there_is_one() -> None:
    second = engine.solve(problems.inverse(), A, backend="numpy", max_steps=1)
    first = engine.solve(problems.inverse(), A, backend="numpy", solver=solvers.GradientDescent(0.1), max_steps=1)
    assert "learning rate" in said(first) and "learning rate" not in said(second)
    assert "step limit of 1 " in said(second) and "tol = 1e-12" in said(second)


def test_what_is_not_finite_is_named() -> None:
    line = problems.curve_fit(lambda x, a, b: a * x + b)
    x = np.arange(5.0)
    y = np.stack([x, x + np.nan])
    text = said(engine.solve(line, {"x": x, "y": y}, start={"a": 1.0, "b": 0.0}, backend="numpy"))
    assert "datum 'y' has NaN or Inf" in text and "'x'" not in text
    text = said(engine.solve(line, {"x": x, "y": y[:1]}, start={"a": np.inf, "b": 0.0}, backend="numpy"))
    assert "start of 'a' has NaN or Inf" in text
    assert "datum 'A' has NaN or Inf" in said(engine.solve(problems.inverse(), BROKEN, backend="numpy"))


def remedies(solver: Any, dtype: str = "float64", **fields: Any) -> str:
    """The advice for lanes at the step limit of a problem with these fields."""
    given = {"params": {"X": Param("n n", start="eye")}, "residual": lambda X, A: X @ X - A, **fields}
    problem = Problem(name="own", data={"A": "n n"}, **given)
    solution = engine.solve(problem, A.astype(dtype), solver=solver, max_steps=2, backend="torch")
    return advice.remedy(solution, Status.MAX_STEPS)


def test_the_step_limit_has_remedies_for_this_solver_problem_start_domain_and_dtype() -> None:
    plain = remedies(None)
    assert "max_steps=20) goes on from here" in plain and "retry(start={'X': ...})" in plain
    assert not any(word in plain for word in ("learning rate", "float64", "edge", "seed"))
    rate = remedies(solvers.GradientDescent(0.03))
    assert "LevenbergMarquardt()) needs no learning rate" in rate and "than 0.03 " in rate
    lossy = remedies(solvers.Adam(), params={"X": "n n"}, residual=None, loss=lambda X, A: np.mean((X @ X - A) ** 2))
    assert "LBFGS() or Newton())" in lossy and "retry(seed=1) draws another start of X" in lossy
    narrow = remedies(None, dtype="float32", params={"X": Param("n n", engine.domains.PositiveDefinite(), start="eye")})
    assert "edge" not in remedies(None, params={"X": Param("n n", engine.domains.Symmetric(), start="eye")})
    assert "solve in float64" in narrow and "X lies at the edge of its PositiveDefinite domain" in narrow


def test_a_stalled_lane_is_told_the_tol_that_it_reached() -> None:
    solution = engine.solve(problems.inverse(), A, max_steps=1, backend="torch")
    solution.status[...] = int(Status.STALLED)
    solution.residual[...] = [np.nan, 3e-7, 4e-7]
    words = advice.remedy(solution, Status.STALLED)
    assert "half of these lanes reached 4e-07: retry(tol=1e-06)" in words and "goes on from here" not in words
    solution.params["X"][1, 0, 0] = -3e12
    assert "X ran off to -3e+12 in some: give bounds" in advice.remedy(solution, Status.STALLED)
    solution.residual[...] = 0.5
    assert "retry(tol" not in advice.remedy(solution, Status.STALLED)
