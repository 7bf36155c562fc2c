"""Axes of size 0 and 1, batches of none: every problem is solved, on every backend, and nothing is worth a second."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import linalg

import engine
import problems
from backends.fused.run.mapped import MapKernel
from backends.tree import leaves
from engine import Param, Problem, Status, domains
from engine.solvers import LBFGS, Adam, FixedPoint, GaussNewton, GradientDescent, LevenbergMarquardt, Newton

LINE = problems.curve_fit(lambda x, a, b: a * x + b)
CASES: dict[str, tuple[Problem, Any, dict[str, tuple[int, ...]]]] = {
    "svd without columns": (problems.svd(), np.zeros((2, 3, 0)), {"U": (2, 3, 0), "S": (2, 0), "V": (2, 0, 0)}),
    "svd without rows": (problems.svd(), np.zeros((2, 0, 3)), {"U": (2, 0, 0), "S": (2, 0), "V": (2, 3, 0)}),
    "svd of nothing": (problems.svd(), np.zeros((2, 0, 0)), {"U": (2, 0, 0), "S": (2, 0), "V": (2, 0, 0)}),
    "svd of a number": (problems.svd(), np.full((2, 1, 1), -2.0), {"U": (2, 1, 1), "S": (2, 1), "V": (2, 1, 1)}),
    "svd without lanes": (problems.svd(), np.zeros((0, 0, 0)), {"U": (0, 0, 0), "S": (0, 0), "V": (0, 0, 0)}),
    "eigh of nothing": (problems.eigh(), np.zeros((2, 0, 0)), {"w": (2, 0), "V": (2, 0, 0)}),
    "eigh of a number": (problems.eigh(), np.full((2, 1, 1), -2.0), {"w": (2, 1), "V": (2, 1, 1)}),
    "inverse of nothing": (problems.inverse(), np.zeros((2, 0, 0)), {"X": (2, 0, 0)}),
    "inverse of a number": (problems.inverse("both"), np.full((2, 1, 1), 4.0), {"X": (2, 1, 1)}),
    "penalties without columns": (problems.svd_penalty(), np.zeros((2, 3, 0)), {"U": (2, 3, 0), "d": (2, 0), "V": (2, 0, 0)}),
    "a fit of no points": (LINE, {"x": np.zeros(0), "y": np.zeros((2, 0))}, {"a": (2,), "b": (2,)}),
    "a fit of one point": (LINE, {"x": np.ones(1), "y": np.ones((2, 1))}, {"a": (2,), "b": (2,)}),
    "a fit of masked points, none": (LINE, {n: np.zeros((2, 0)) for n in ("x", "y", "mask")}, {"a": (2,), "b": (2,)}),
    "a fit of two variables at no points": (
        problems.curve_fit(lambda x, a, b: a * x[0] + b * x[1]),
        {"x": np.zeros((2, 0)), "y": np.zeros((3, 0))},
        {"a": (3,), "b": (3,)},
    ),
}
NATIVE = ("svd without columns", "eigh of nothing", "inverse of nothing", "a fit of no points")


@pytest.mark.parametrize(
    ("name", "backend"), [(name, "numpy") for name in CASES] + [(name, b) for name in NATIVE for b in ("torch", "fused")]
)
def test_the_catalogue_takes_axes_of_size_0_and_1(name: str, backend: str) -> None:
    problem, data, shapes = CASES[name]
    found = engine.solve(problem, data, backend=backend, history=True)
    assert {param: value.shape for param, value in found.params.items()} == shapes
    assert found.plan.backend == backend and found.converged.all() and found.loss.tolist() == [0.0] * len(found.loss)
    assert "lanes" in found.summary() and found.history is not None and len(found.history) == len(found.loss)


@pytest.mark.parametrize("name", ["a fit of no points", "a fit of one point", "a fit of masked points, none"])
def test_a_fit_of_too_few_points_has_an_infinite_covariance(name: str) -> None:
    problem, data, _ = CASES[name]
    for backend in ("numpy", "torch") if name == "a fit of no points" else ("numpy",):
        found = engine.solve(problem, data, backend=backend)
        assert np.isinf(found.covariance()).all() and found.covariance().shape == (2, 2, 2)
        assert np.isinf(found.stderr()).all()


SPACES: dict[str, tuple[domains.Domain, str]] = {
    "Orthogonal": (domains.Orthogonal(), "n n"), "Symmetric": (domains.Symmetric(), "n n"),
    "PositiveDefinite": (domains.PositiveDefinite(), "n n"), "LowerTriangular": (domains.LowerTriangular(), "n n"),
    "UpperTriangular": (domains.UpperTriangular(), "n n"), "Positive": (domains.Positive(), "n"), "Real": (domains.Real(), "n"),
    "Box": (domains.Box(0, 1), "n n"), "Box of data": (domains.Box("lo", 5.0), "n"), "Simplex": (domains.Simplex(), "n"),
    "UnitNorm": (domains.UnitNorm(), "n"), "Orthogonal of a rule": (domains.Orthogonal(), "m k"),
}  # fmt: skip


@pytest.mark.parametrize("name", SPACES)
def test_a_param_without_elements_is_in_every_domain(name: str) -> None:
    domain, axes = SPACES[name]
    problem = Problem(
        name="d", data={"A": axes, "lo": "n", "c": "m"}, params={"X": Param(axes, domain), "z": ""}, sizes={"k": lambda m: m - 2},
        residual=lambda X, z, A, lo, c: {"X": X - A, "z": z - c},
    )  # fmt: skip
    shape = [{"n": 0, "m": 2, "k": 0}[axis] for axis in axes.split()]
    found = engine.solve(problem, {"A": np.zeros((2, *shape)), "lo": np.zeros(0), "c": np.ones((2, 2))}, backend="numpy")
    assert found.converged.all() and found["X"].shape == (2, *shape)
    np.testing.assert_allclose(found["z"], 1)


@pytest.mark.parametrize(
    "solver", [GradientDescent(0.3), Adam(0.1), LBFGS(), GaussNewton(), LevenbergMarquardt(geodesic_acceleration=True)]
)
def test_a_residual_beside_an_empty_one_is_solved_by_every_solver(solver: Any) -> None:
    problem = Problem(
        name="ridge", data={"y": "n"}, params={"x": "n", "z": Param("", start=1.0)},
        residual=lambda x, z, y: {"fit": x * z - y, "ridge": z - 2.0},
    )  # fmt: skip
    found = engine.solve(problem, np.zeros((2, 0)), solver=solver, backend="numpy", tol=1e-6, max_steps=600)
    assert found.converged.all()
    np.testing.assert_allclose(found["z"], 2, rtol=1e-3)


@pytest.mark.parametrize("solver", [GradientDescent(0.3), LBFGS(), Newton()], ids=lambda s: type(s).__name__)
def test_a_loss_of_nothing_is_0_and_what_is_beside_it_counts(solver: Any) -> None:
    def problem(loss: Callable[..., Any]) -> Problem:
        return Problem(name="l", data={"y": "n"}, params={"x": "n", "z": Param("", start=1.0)}, loss=loss)

    nothing = problem(lambda x, z, y: ((x * z - y) ** 2).mean())
    beside = problem(lambda x, z, y: ((x * z - y) ** 2).sum() + (z - 2.0) ** 2)
    for backend in ("numpy", "torch"):
        found = engine.solve(nothing, np.zeros((2, 0)), solver=solver, backend=backend)
        assert found.converged.all() and found.loss.tolist() == [0, 0] and found["z"].tolist() == [1, 1]
        found = engine.solve(beside, np.zeros((2, 0)), solver=solver, backend=backend)
        assert found.converged.all()
        np.testing.assert_allclose(found["z"], 2, rtol=1e-5)


def test_nothing_else_of_a_solve_minds_an_empty_param() -> None:
    empty: dict[str, Any] = dict(name="e", data={"y": "n"}, params={"x": "n"}, residual=lambda x, y: y - x)
    y = np.zeros((2, 0))
    assert engine.solve(Problem(**empty), y, solver=FixedPoint(), backend="numpy").converged.all()
    free = engine.solve(Problem(**empty), y, backend="numpy", tol=0, max_steps=3)
    assert free.status.tolist() == [Status.MAX_STEPS] * 2 and free.retry().status.shape == (2,)
    finished = Problem(**empty, finish=lambda x: {"x": x[x.argmax() :]}, measures={"sum": lambda x: x.sum()})
    assert engine.solve(finished, y, backend="numpy").measures["sum"].tolist() == [0, 0]
    started = Problem(**empty | {"params": {"x": Param("n", start=_from_the_largest)}})
    assert engine.solve(started, y, backend="numpy").converged.all()
    bad = engine.solve(LINE, {"x": np.zeros(0), "y": y}, start={"a": np.array([np.nan, 1.0])}, backend="numpy")
    assert bad.status.tolist() == [Status.NONFINITE_INPUT, Status.CONVERGED]
    single = engine.solve(problems.svd(), torch.zeros(2, 0, 3), backend="numpy")
    assert single["V"].dtype == torch.float32 and single["V"].shape == (2, 3, 0)


def _from_the_largest(y: Any) -> Any:
    return y - y.max()


NOTHING: dict[str, Callable[[Any], Any]] = {
    "mm": lambda x: x @ x.mT, "sum": torch.sum, "sum of rows": lambda x: x.sum(0), "mean": torch.mean, "prod": torch.prod,
    "all": lambda x: (x > 0).all(), "norm": linalg.vector_norm, "logsumexp": lambda x: torch.logsumexp(x, (0, 1)),
    "dot": lambda x: x.reshape(-1) @ x.reshape(-1), "cumsum": lambda x: torch.cumsum(x, 0), "cat": lambda x: torch.cat([x, x]),
    "count": torch.count_nonzero, "median": torch.median, "einsum": lambda x: torch.einsum("ij,ij->", x, x),
}  # fmt: skip
SQUARE: dict[str, Callable[[Any], Any]] = {
    "det": linalg.det, "slogdet": linalg.slogdet, "inv": linalg.inv, "cholesky": linalg.cholesky, "trace": torch.trace,
    "solve": lambda x: linalg.solve(x, x), "exp": torch.matrix_exp,
}  # fmt: skip


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)], ids=str)
def test_operations_of_nothing_are_torchs_in_a_kernel(shape: tuple[int, int]) -> None:
    functions = {**NOTHING, **(SQUARE if shape == (0, 0) else {})}
    x = torch.zeros(2, *shape, dtype=torch.float64)
    found = MapKernel(lambda x: {name: f(x) for name, f in functions.items()}, [x[0]], frozenset())([x], 2)
    for name, function in functions.items():
        for one, expected in zip(leaves(found[name]), leaves(function(x[0])), strict=True):
            assert one[1].shape == expected.shape, name
            np.testing.assert_array_equal(one[1].numpy(), expected.numpy(), name)
