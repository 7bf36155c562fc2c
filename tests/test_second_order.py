"""Second-order solvers: LAPACK's residual ratios, statuses that say what happened, faces and corners."""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import array_namespace
from hypothesis import given
from hypothesis import strategies as st

import engine
import problems
from engine import Param, Problem, Status
from engine.domains import Box, Positive, Simplex

ULP = np.finfo(float).eps


def norm1(a: np.ndarray) -> np.ndarray:
    found: np.ndarray = np.abs(a).sum(axis=-2).max(axis=-1)
    return found


def test_the_inverse_has_a_backward_error_of_rounding_and_four_blocks() -> None:
    a = np.random.default_rng(0).standard_normal((40, 4, 4)) + 4 * np.eye(4)
    solution = engine.solve(problems.inverse(), a)
    x = solution["X"]
    assert (norm1(np.eye(4) - x @ a) / (4 * norm1(a) * norm1(x) * ULP / 2) < 30).all()
    assert (solution.status == Status.CONVERGED).all() and "4 blocks of 4 x 4" in str(solution.plan)


def test_a_singular_matrix_is_infeasible_at_its_known_best_loss() -> None:
    a = np.diag([1.0, 2.0, 0.0])
    solution = engine.solve(problems.inverse(), a)
    assert solution.status == Status.INFEASIBLE
    np.testing.assert_allclose(solution.loss, 1 / 9, rtol=1e-6)


def test_one_step_is_max_steps_with_a_loss_not_above_the_start() -> None:
    a = np.random.default_rng(1).standard_normal((5, 3, 3))
    start = np.ones((3, 3))
    solution = engine.solve(problems.inverse(), a, start={"X": start}, max_steps=1)
    before = ((start @ a - np.eye(3)) ** 2).mean(axis=(1, 2))
    assert (solution.status == Status.MAX_STEPS).all() and (solution.loss <= before).all()


def test_the_svd_meets_lapacks_ratios_with_two_by_two_blocks() -> None:
    a = np.random.default_rng(2).standard_normal((50, 4, 3))
    solution = engine.solve(problems.svd(), a)
    u, s, v = solution
    assert (solution.status == Status.CONVERGED).all() and "blocks of 2 x 2" in str(solution.plan)
    assert (norm1(a - (u * s[:, None]) @ v.swapaxes(1, 2)) / (norm1(a) * 4 * ULP) < 50).all()
    assert (norm1(np.eye(3) - u.swapaxes(1, 2) @ u) / (4 * ULP) < 50).all()
    np.testing.assert_allclose(s, np.linalg.svd(a, compute_uv=False), rtol=1e-11, atol=1e-14)


def test_a_solution_on_a_face_and_in_a_corner_of_a_box_is_a_stationary_point() -> None:
    line = Problem(
        name="clipped",
        data={"b": "n", "top": "n"},
        params={"x": Param("n", Box(0.0, "top"), start=0.5)},
        residual=lambda x, b: x - b,
    )
    b = np.array([[2.0, -1.0, 0.3], [5.0, 5.0, 5.0], [1.0, 1.0, 1.0]])
    top = np.array([[1.0, 1.0, np.inf], [1.0, 2.0, 3.0], [1.0, -1.0, 1.0]])
    solution = engine.solve(line, {"b": b, "top": top})
    np.testing.assert_allclose(solution["x"][:2], [[1.0, 0.0, 0.3], [1.0, 2.0, 3.0]], atol=1e-9)
    assert solution.status.tolist() == [Status.CONVERGED, Status.CONVERGED, Status.INFEASIBLE]


def test_the_nearest_point_of_a_simplex_may_be_a_corner() -> None:
    nearest = Problem(
        name="nearest", data={"b": "n"}, params={"x": Param("n", Simplex(), start="uniform")}, residual=lambda x, b: x - b
    )
    b = np.array([[3.0, 0.0, -1.0], [0.6, 0.5, -2.0], [0.2, 0.3, 0.6]])
    solution = engine.solve(nearest, b)
    np.testing.assert_allclose(solution["x"], Simplex().project(b), atol=1e-8)
    assert solution.converged.all()


def test_newton_and_lbfgs_minimise_a_plain_loss() -> None:
    def rosenbrock(x: Any, a: Any) -> Any:
        return a * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    valley = Problem(name="valley", data={"a": ""}, params={"x": Param("2", start="zeros")}, loss=rosenbrock)
    for solver in (None, engine.solvers.LBFGS()):
        solution = engine.solve(valley, np.array([1.0, 100.0]), solver=solver)
        np.testing.assert_allclose(solution["x"], 1.0, atol=1e-5)
        assert solution.converged.all()


def test_a_fixed_point_of_the_cosine() -> None:
    cosine = Problem(
        name="cosine",
        data={"c": ""},
        params={"x": Param("", start=1.0)},
        residual=lambda x, c: array_namespace(x).cos(c * x) - x,
        exact=True,
    )
    solution = engine.solve(cosine, np.array([1.0, 0.5]), solver=engine.solvers.FixedPoint())
    np.testing.assert_allclose(solution["x"], np.cos(np.array([1.0, 0.5]) * solution["x"]), atol=1e-11)
    assert solution.converged.all()


def test_a_constant_in_forward_mode_has_a_zero_tangent_that_can_be_read() -> None:
    """A constant moves nothing: its tangent was a tensor without memory, which ended the process where a kernel was written."""
    x = np.linspace(0, 4, 24)
    floor = Problem(
        name="decay over a floor",
        data={"x": "m", "y": "m"},
        params={name: Param("", Positive(), start=1.0) for name in "abc"},
        residual=lambda a, b, c, x, y: a * np.exp(-b * x) + c - y,
    )
    found = engine.solve(floor, {"x": x, "y": 2 * np.exp(-1.5 * x) + 0.5}, backend="fused")
    assert found.converged
    np.testing.assert_allclose([found[name] for name in "abc"], [2, 1.5, 0.5], rtol=1e-9)


@given(st.lists(st.floats(0, 1), min_size=2, max_size=12), st.integers(0, 2**32 - 1), st.sampled_from(["f4", "f8"]))
def test_the_projection_on_a_simplex_keeps_faces_and_small_entries(entries: list[float], seed: int, dtype: str) -> None:
    """Steps along a face end on it, and what is on the simplex to rounding keeps all digits of each entry."""
    rng, domain = np.random.default_rng(seed), Simplex()
    x = np.array([*entries, 1.0, 1e-30])
    x = (x / x.sum()).astype(dtype)
    face = np.where(rng.random(len(x)) < 0.5, x, 0).astype(dtype)
    face[0] += 1 - face.sum(dtype=float)
    u = (0.1 * rng.standard_normal(len(x)) * (face > 0)).astype(dtype)
    assert (np.asarray(domain.move(face, u))[face == 0] == 0).all()
    np.testing.assert_allclose(np.asarray(domain.project(x)), x, rtol=32 * float(np.finfo(dtype).eps))
    moved = np.asarray(domain.project(x + 3 * rng.standard_normal(len(x)).astype(dtype)))
    assert (moved >= 0).all() and abs(moved.sum(dtype=float) - 1) < 32 * np.finfo(dtype).eps
