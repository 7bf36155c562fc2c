"""The figures of the posts: losses at many steps, from plain torch loops, and singular values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine.solvers import Adam, GradientDescent

SEED = json.loads((Path(__file__).parent / "data" / "seed_trajectories.json").read_text())
SGD = GradientDescent(0.9, momentum=0.9)
SOLVERS = {"sgd": SGD, "adam": Adam(weight_decay=1e-5)}


def losses(problem: Any, data: Any, start: Any, solver: Any, backend: str, steps: int) -> Any:
    """The float64 loss before each step, and the solution."""
    wide = {name: np.array(value) for name, value in start.items()}
    solution = engine.solve(
        problem, np.array(data), start=wide, solver=solver, backend=backend, tol=0, max_steps=steps, history=True
    )
    return solution.history, solution


def agree(history: Any, figures: dict[str, float], floor: float, rough_after: int | None = None) -> None:
    """Every listed step that was run agrees to 1e-9 while above the floor, to 5% where that is all one can ask."""
    checked = 0
    for step, loss in ((int(k), v) for k, v in figures.items()):
        if step < len(history) and loss > floor:
            rough = rough_after is not None and step > rough_after
            assert history[step] == pytest.approx(loss, rel=0.05 if rough else 1e-9), step
            checked += 1
    assert checked >= 5


@pytest.mark.parametrize("backend, steps", [("torch", 10_000), ("numpy", 201)])
@pytest.mark.parametrize("name", SEED["inverse"])
def test_the_inverse_follows_the_posts(name: str, backend: str, steps: int) -> None:
    case = SEED["inverse"][name]
    history, solution = losses(problems.inverse(), case["M"], {"X": case["start"]}, SGD, backend, steps)
    agree(history, case["float64"]["loss"], 1e-12)
    if steps == 10_000:
        assert history[-1] < 1e-28
        assert np.abs(solution["X"] @ np.array(case["M"]) - np.eye(4)).max() < 5e-5


@pytest.mark.parametrize("backend, steps", [("torch", 20_000), ("numpy", 201)])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("name", SEED["svd"])
def test_the_svd_follows_the_posts(name: str, solver: str, backend: str, steps: int) -> None:
    case = SEED["svd"][name]
    rough = 5000 if solver == "adam" else None
    history, solution = losses(problems.svd_penalty(), case["M"], case["start"], SOLVERS[solver], backend, steps)
    agree(history, case[solver]["loss"], 1e-11, rough)
    if steps == 20_000:
        np.testing.assert_allclose(solution["d"] ** 2, case[solver]["s"], rtol=1e-9 if solver == "sgd" else 1e-2)


def test_the_singular_values_of_the_posts_come_out() -> None:
    case = SEED["svd"]["M1_5x4_seed314"]
    start = {name: np.array(value) for name, value in case["start"].items()}
    solution = engine.solve(problems.svd_penalty(), np.array(case["M"]), start=start, solver=SGD, tol=0, max_steps=5000)
    np.testing.assert_allclose(solution["d"] ** 2, [2.3398, 0.6873, 0.2592, 0.1177], atol=5e-5)
