"""A lane's own story, by status; indices of lanes; attributes that are no attributes; a start from which nothing leads away."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from engine import Param, Problem, Status
from engine.domains import Box
from engine.solvers import GradientDescent, Newton

TWIN = Problem(name="twin", data={"y": "n"}, params={"a": "", "b": "", "c": ""}, residual=lambda a, b, y: (a + b) - y)
SQUARE = Problem(name="square", data={"y": ""}, params={"a": Param("", start="zeros")}, residual=lambda a, y: a * a - y)


def line(story: str, word: str) -> str:
    return next(text.split(":", 1)[1].strip() for text in story.splitlines() if text.strip().startswith(f"{word}:"))


@pytest.mark.parametrize("backend", ["numpy", "torch", "auto"])
def test_a_converged_lane_has_a_story_without_a_remedy(backend: str) -> None:
    A = np.stack([np.eye(2), np.diag([1.0, 1e5])])
    solution = engine.solve(problems.inverse(), A, backend=backend)
    story = solution.explain(1)
    assert story.startswith(f"lane 1 of problem 'inverse': CONVERGED after {solution.steps[1]} steps")
    assert "what helps" not in story and line(story, "stopped by") == "the test of tol holds"
    assert f"{float(solution.loss[1]):.6g} at the answer" in line(story, "loss")
    assert line(story, "condition").startswith("1 of the Jacobian")


def test_params_that_the_data_leaves_open_are_named() -> None:
    solution = engine.solve(TWIN, {"y": np.ones((2, 3, 4))}, backend="numpy")
    assert (solution.status == Status.UNDETERMINED).all()
    for lane in (5, -1, (1, 2), (-1, 2)):
        story = solution.explain(lane)
        assert story.startswith("lane (1, 2) of problem 'twin': UNDETERMINED")
        assert "  open:       c has no effect on the loss here" in story
        assert "  open:       a and b can move together" in story
        assert line(story, "condition").startswith("inf") and "fix or bound" in line(story, "what helps")
    one = Problem(name="one", data={"y": ""}, params={"v": "3"}, residual=lambda v, y: v[1] - y)
    assert "v[0] and v[2] have no effect" in engine.solve(one, {"y": 1.0}, backend="numpy").explain(0)


def test_a_dead_start_is_named_in_the_story_and_in_the_summary() -> None:
    solution = engine.solve(SQUARE, {"y": np.array([1.0, 4.0])}, backend="numpy")
    assert not solution.converged.any() and (solution.steps <= 1).all()
    story = solution.explain(0)
    assert "gradient is exactly zero at the start" in story and line(story, "what helps").startswith("start elsewhere")
    assert "gradient is exactly zero at the start" in " ".join(solution.summary().split())
    with pytest.raises(engine.SolveError, match=r"exactly zero at the start.*\n.*start elsewhere"):
        solution.raise_for_status()
    fine = engine.solve(SQUARE, {"y": np.array([1.0])}, start={"a": 0.5}, max_steps=1, backend="numpy")
    assert "exactly zero" not in fine.explain(0) + fine.summary()


def test_each_lane_has_its_own_story() -> None:
    start = {"a": np.array([0.0, 0.5])}
    solution = engine.solve(SQUARE, {"y": np.ones(2)}, start=start, solver=GradientDescent(0.01), max_steps=2, backend="numpy")
    assert ["exactly zero" in solution.explain(lane) for lane in range(2)] == [True, False]


def test_data_with_which_no_param_matters_is_no_dead_start() -> None:
    solution = engine.solve(problems.inverse(), np.zeros((1, 2, 2)), backend="torch")
    text = solution.explain(0) + solution.summary()
    assert "INFEASIBLE" in text and "exactly zero at the start" not in text and "none near this point solves them" in text


def test_a_maximum_is_named() -> None:
    hill = Problem(name="hill", data={"y": ""}, params={"a": Param("", start="zeros")}, loss=lambda a, y: y - a * a)
    solution = engine.solve(hill, {"y": np.ones(1)}, solver=Newton(), backend="torch")
    story = solution.explain(0)
    assert not solution.converged.any()
    assert "exactly zero at the start" in story and "a can move so that the loss falls: the answer is a maximum" in story


def test_numbers_that_are_not_finite_are_placed() -> None:
    A = np.stack([np.eye(3)] * 3)
    A[2, 0, 1] = np.nan
    story = engine.solve(problems.inverse(), torch.as_tensor(A), backend="torch").explain(2)
    assert "NONFINITE_INPUT" in story and line(story, "input") == "datum 'A' is nan at [0, 1]" and "clean these" in story
    root = Problem(
        name="root", data={"y": ""}, params={"a": Param("", start=-1.0)}, residual=lambda a, y: array_namespace(a).log(a) - y
    )
    story = engine.solve(root, {"y": np.ones(2)}, solver=GradientDescent(0.1), backend="torch").explain(0)
    assert "NONFINITE" in story and "nan at the start" in line(story, "loss") and "condition" not in story


def test_functions_of_the_data_captures_and_bounds_by_lane_are_those_of_the_lane() -> None:
    scale = np.array([1.0, 2.0])
    bounded = Problem(
        name="bounded", data={"y": "n", "lo": ""}, params={"a": Param("", Box("lo", 9.0), start=lambda y: y[0])},
        residual=lambda a, y: scale * a - y,
    )  # fmt: skip
    data = {"y": np.array([[3.0, 1.0], [5.0, 5.0]]), "lo": np.array([0.0, 4.0])}
    story = engine.solve(bounded, data, max_steps=0, backend="numpy").explain(1)
    assert line(story, "start") == "a = 5"
    assert "MAX_STEPS after 0 steps" in story and line(story, "loss").startswith("12.5 at the start, 12.5 at")


def test_a_name_of_a_param_is_no_attribute_but_a_key() -> None:
    measured = Problem(
        name="m", data={"y": ""}, params={"a": ""}, residual=lambda a, y: a - y, measures={"twice": lambda a: 2 * a}
    )
    solution = engine.solve(measured, {"y": 1.0}, backend="numpy")
    with pytest.raises(AttributeError, match=r"expected solution\['a'\]"):
        print(solution.a)
    with pytest.raises(AttributeError, match=r"expected solution\.measures\['twice'\]"):
        print(solution.twice)
    with pytest.raises(AttributeError, match=r"has no 'X'; expected solution\['a'\]"):
        print(solution.X)
    assert not hasattr(solution, "__array__")


@pytest.mark.parametrize("lane", [2, -3, (0, 0), (2,), 0.5, "0", (None,)])
def test_a_lane_that_there_is_not_is_refused(lane: Any) -> None:
    solution = engine.solve(SQUARE, {"y": np.ones(2)}, max_steps=1, backend="numpy")
    with pytest.raises(IndexError, match="lane came as"):
        solution.explain(lane)
