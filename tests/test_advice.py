"""Meanings and remedies: by status, by solver, by culprit."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Status, advice, solvers
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
