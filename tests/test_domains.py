"""Every solver on every domain and backend: it never leaves, it arrives at the oracle's point, and lanes keep apart."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest

import backends
import engine
from backends import arrays
from engine import Problem, Status
from engine.objective import Objective
from engine.solvers import FixedPoint
from tests.domains import FEW, GROUPS, PLACES, ROWS, RUNS, SOLVERS, Lane, lanes, problem

TOL = {name: 1e-4 if name == "adam" else 1e-6 for name in SOLVERS}
"""Adam's steps do not shrink with the gradient: its last digits take thousands of them."""

CLOSE = 10
"""How many tol a point may be away from the answer."""

SLACK = 16 * np.finfo(float).eps

declared = cache(problem)


def solver_of(group: str, name: str) -> Any:
    """Anderson's acceleration is a secant method in flat coordinates; the curved group takes the plain iteration."""
    return FixedPoint(0.5, memory=0) if (group, name) == ("curved", "fixed_point") else SOLVERS[name]


def run(group: str, solver: str, backend: str, data: Lane, **options: Any) -> engine.Solution:
    options = {"tol": TOL[solver], "max_steps": 1000} | options
    return engine.solve(declared(group), data, solver=solver_of(group, solver), backend=backend, **options)


@cache
def whole(group: str, solver: str, backend: str, max_steps: int = 1000) -> engine.Solution:
    return run(group, solver, backend, lanes(group), max_steps=max_steps)


def one(data: Lane, i: Any) -> Lane:
    return {name: array[i] for name, array in data.items()}


def same(a: engine.Solution, i: Any, b: engine.Solution, j: Any) -> None:
    for name in a.params:
        np.testing.assert_array_equal(a[name][i], b[name][j], err_msg=name)
    for figure in ("status", "steps", "loss", "residual"):
        np.testing.assert_array_equal(getattr(a, figure)[i], getattr(b, figure)[j], err_msg=figure)


@pytest.mark.parametrize("group, place, solver, backend", ROWS)
def test_a_solver_arrives_at_the_nearest_point_and_never_leaves_the_domain(
    group: str, place: str, solver: str, backend: str
) -> None:
    data, found = lanes(group), whole(group, solver, backend)
    for i in range(FEW):
        lane = one(data, i)
        assert found.status[i] == Status.CONVERGED and found.residual[i] <= TOL[solver], (i, found.residual[i])
        expected = PLACES[place].near(lane[f"B{place}"], lane)
        np.testing.assert_allclose(found[place][i], expected, rtol=0, atol=CLOSE * TOL[solver], err_msg=f"lane {i}")
        for steps in (3, 1000) if backend == "numpy" else (0, 1, 2, 3, 1000):
            point = whole(group, solver, backend, steps)[place][i]
            assert PLACES[place].inside(point, lane, SLACK), (i, steps, point)


@pytest.mark.parametrize("group, solver, backend", RUNS)
def test_an_empty_box_is_infeasible_and_a_step_limit_says_so(group: str, solver: str, backend: str) -> None:
    found = whole(group, solver, backend)
    assert (found.status[FEW:] == Status.INFEASIBLE).all() and (found.steps[FEW:] == 0).all()
    assert len(found.status) == FEW + (group == "closed")
    assert (whole(group, solver, backend, 0).status[:FEW] == Status.MAX_STEPS).all()


@pytest.mark.parametrize("group, solver, backend", RUNS)
def test_what_other_lanes_hold_changes_no_bit(group: str, solver: str, backend: str) -> None:
    steps = 3 if backend == "numpy" else 1000  # a plain Python loop
    data, found = lanes(group), whole(group, solver, backend, steps)
    spoiled = {name: array.copy() for name, array in data.items()}
    for array in spoiled.values():
        array[1] = np.nan
    beside = run(group, solver, backend, spoiled, max_steps=steps)
    rest = [i for i in range(len(found.status)) if i != 1]
    same(beside, rest, found, rest)
    assert beside.status[1] == Status.NONFINITE_INPUT
    order = np.array([2, 0, 3, 1])
    if backend in ("fused", "numpy"):
        same(run(group, solver, backend, one(data, order), max_steps=steps), slice(None), found, order)
        same(run(group, solver, backend, one(data, 2), max_steps=steps), (), found, 2)


@pytest.mark.parametrize("solver", [name for name in SOLVERS if name != "newton"])  # Hessians by differences of differences
@pytest.mark.parametrize("group", GROUPS)
def test_every_iterate_of_a_solver_driven_by_hand_is_in_the_domain(group: str, solver: str) -> None:
    declaration: Problem = declared(group)
    for i in range(2):
        lane = one(lanes(group), i)
        objective = Objective(declaration, backends.get("numpy"), dict(lane))
        start: dict[str, Any] = {
            name: 3 * arrays.start("normal", lane[f"B{name}"].shape, i, name) if i else np.zeros(lane[f"B{name}"].shape)
            for name in GROUPS[group]
        }
        driver = solver_of(group, solver)
        state = driver.init(objective, objective.project(start))
        for step in range(4):
            for name in GROUPS[group]:
                point = np.asarray(state["params"][name])
                assert PLACES[name].inside(point, lane, SLACK), (name, i, step, point)
            state = driver.step(objective, state)
