"""The meaning of `tol`; no lane waits for another."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Param, Problem, Status
from engine.solvers import GradientDescent

LINE = Problem(
    name="line",
    data={"x": "m", "y": "m"},
    params={"a": Param("", start="zeros"), "b": Param("", start="zeros")},
    residual=lambda a, b, x, y: a * x + b - y,
)
MINIMUM = Problem(
    name="minimum",
    data={"k": ""},
    params={"x": Param("", start=1.0)},
    loss=lambda x, k: k * x * x,
)


def conditioned(condition: float, lanes: int, seed: int = 3) -> np.ndarray:
    """4x4 matrices U diag(s) V' with singular values from 1 down to 1/condition."""
    rng = np.random.default_rng(seed)
    U, V = (np.linalg.qr(rng.standard_normal((lanes, 4, 4)))[0] for _ in range(2))
    made: np.ndarray = U * np.geomspace(1, 1 / condition, 4) @ V
    return made


def test_a_float32_inverse_at_condition_1000_converges_when_its_backward_error_is_at_rounding_level() -> None:
    A = conditioned(1e3, 6).astype(np.float32)
    X = np.linalg.inv(A.astype(np.float64)).astype(np.float32)
    solution = engine.solve(problems.inverse(), A, start={"X": X}, max_steps=50)
    assert (solution.status == Status.CONVERGED).all()
    size = np.abs(solution["X"]) @ np.abs(A) + np.eye(4)
    backward = np.sqrt(np.mean((solution["X"].astype(np.float64) @ A - np.eye(4)) ** 2, (1, 2))) / np.sqrt(
        np.mean(size**2, (1, 2))
    )
    assert (backward < 4 * np.finfo(np.float32).eps).all()
    # the bare residual is far above the tolerance: it is the scale of X A that makes it small
    assert (np.abs(solution["X"] @ A - np.eye(4)).max((1, 2)) > 1e-5).any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_singular_inverse_never_converges(dtype: Any, backend: str) -> None:
    A = np.stack([np.ones((3, 3)), np.diag([1.0, 2.0, 0.0]), np.zeros((3, 3)), np.arange(9.0).reshape(3, 3) / 8]).astype(dtype)
    steps = 1500 if backend == "torch" else 300
    solution = engine.solve(problems.inverse(), A, solver=GradientDescent(0.2, momentum=0.9), backend=backend, max_steps=steps)
    assert not solution.converged.any()
    assert (solution.residual > 1e-3).all()
    assert list(solution.failed) == [0, 1, 2, 3]


def test_a_singular_inverse_at_rest_is_infeasible() -> None:
    A = np.stack([np.diag([1.0, 2.0, 0.0]), np.eye(3)])
    solution = engine.solve(problems.inverse(), A, solver=GradientDescent(0.5, momentum=0.5), max_steps=20_000)
    assert list(solution.status) == [Status.INFEASIBLE, Status.CONVERGED]


def test_one_equation_without_a_real_root_is_infeasible() -> None:
    """The cosine of one row with one column is 1 wherever the slope is not 0; the least |p| is at rest all the same."""
    quadratic = Problem(
        "quadratic", {"c": ""}, {"z": Param("", start=0.3)}, residual=lambda z, c: z * z + 0.1 * z + c, exact=True
    )
    solution = engine.solve(quadratic, np.array([0.5, -0.25]))
    assert list(solution.status) == [Status.INFEASIBLE, Status.CONVERGED]


def test_digits_that_are_lost_make_a_lane_ill_conditioned() -> None:
    A = conditioned(1e7, 4).astype(np.float32)
    X = np.linalg.inv(A.astype(np.float64)).astype(np.float32)
    solution = engine.solve(problems.inverse(), A, start={"X": X}, tol=1e-5, max_steps=0)
    assert (solution.status == Status.ILL_CONDITIONED).all() and solution.converged.all()


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_an_exact_and_a_noisy_line_fit_converge(backend: str) -> None:
    x = np.linspace(-1, 1, 9)
    noise = 0.1 * np.cos(7 * np.arange(9.0))
    y = np.stack([2 * x + 1, -x, 2 * x + 1 + noise])
    solution = engine.solve(LINE, {"x": x, "y": y}, solver=GradientDescent(0.5, momentum=0.3), backend=backend, max_steps=2000)
    assert (solution.status == Status.CONVERGED).all()
    expected = np.polyfit(x, y.T, 1)
    np.testing.assert_allclose(np.stack(list(solution)), expected, atol=1e-6)
    assert (solution.residual <= 1e-6).all()


@pytest.mark.parametrize("tol", [1e-2, 1e-6, 1e-10])
def test_a_smaller_tol_takes_more_steps_and_the_residual_is_below_it(tol: float) -> None:
    A = np.eye(3) + 0.2 * np.random.default_rng(1).standard_normal((5, 3, 3))
    solver = GradientDescent(0.5, momentum=0.9)
    solution = engine.solve(problems.inverse(), A, solver=solver, tol=tol)
    looser = engine.solve(problems.inverse(), A, solver=solver, tol=10 * tol)
    assert solution.converged.all() and (solution.residual <= tol).all()
    assert (looser.steps <= solution.steps).all() and looser.steps.sum() < solution.steps.sum()


def test_a_step_that_diverges_ends_nonfinite_with_the_last_finite_iterate() -> None:
    solution = engine.solve(
        problems.inverse(), np.stack([np.eye(3), 1e3 * np.eye(3)]), solver=GradientDescent(0.5), max_steps=400
    )
    assert list(solution.status) == [Status.CONVERGED, Status.NONFINITE]
    assert np.isfinite(solution["X"]).all()


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_no_lane_waits_for_the_slowest(backend: str) -> None:
    """A few percent of the lanes need 50 times the steps: x <- (1 - 2 rate k) x, by k."""
    lanes, slow = (30 if backend == "numpy" else 100), [20]
    k = np.full(lanes, 1.0)
    k[slow] = 1 / 50
    solution = engine.solve(MINIMUM, k, solver=GradientDescent(0.15), backend=backend, tol=1e-2, max_steps=20_000)
    assert (solution.status == Status.CONVERGED).all()
    steps = np.asarray(solution.steps)
    quick = np.delete(steps, slow)
    assert steps[slow].min() > 40 * quick.max()
    assert solution.lane_steps < 3 * steps.sum()
    assert solution.lane_steps >= steps.sum()
    assert lanes * steps.max() > 0.1 * lanes * solution.lane_steps  # what lock-step would have cost
