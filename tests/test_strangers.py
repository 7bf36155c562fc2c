"""Inputs as strangers gave them, in kind, and their results: each against an oracle of its own."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace
from scipy.linalg import hilbert, invhilbert, invpascal, pascal
from scipy.optimize import least_squares, minimize

import engine
import problems
from engine import Param, Problem, Status
from engine.domains import UnitNorm
from engine.solvers import LBFGS, Adam, GradientDescent, LevenbergMarquardt, Newton

Array = Any


def statuses(solution: engine.Solution) -> list[str]:
    return [Status(int(code)).name for code in np.asarray(solution.status).reshape(-1)]


def loss_of(model: Any, x: np.ndarray, y: np.ndarray, solution: engine.Solution) -> np.ndarray:
    found = model(x, *(np.asarray(value, float)[:, None] for value in solution))
    return np.asarray(((found - y) ** 2).sum(axis=1))


def least(model: Any, x: np.ndarray, y: np.ndarray, start: Any, **options: Any) -> np.ndarray:
    """SciPy's least losses."""
    options = {"x_scale": "jac", "xtol": 1e-14, "ftol": 1e-14, "gtol": 1e-14, "max_nfev": 20_000} | options
    return np.array([2 * least_squares(lambda p, row=row: model(x, *p) - row, start, **options).cost for row in y])


def test_constants_of_physics_hide_no_parameter() -> None:
    """A current I0 (exp(q V / (m k T)) - 1) + G V in SI units, k = 1.38e-23."""
    x, rng = np.linspace(0.0, 0.4, 15), np.random.default_rng(3)

    def diode(v: Array, i0: Array, m: Array, g: Array) -> Array:
        return i0 * (np.exp(1.602e-19 * v / (m * 1.38e-23 * 300)) - 1) + g * v

    y = diode(x, 2e-6, 1.7, 1e-3) + 2e-5 * rng.standard_normal((40, 15))
    start = {"i0": 1e-6, "m": 1.5, "g": 5e-4}
    found = engine.solve(problems.curve_fit(diode), {"x": x, "y": y}, start=start)
    above = loss_of(diode, x, y, found) / least(diode, x, y, [2e-6, 1.7, 1e-3])
    assert found.converged.mean() > 0.97 and (above[found.converged] < 1.0001).all()


@pytest.mark.parametrize("dtype, offset", [(np.float64, 1e7), (np.float64, 1.7e9), (np.float32, 4e3)])
def test_a_line_over_far_offsets_has_its_least_loss(dtype: Any, offset: float) -> None:
    rng = np.random.default_rng(7)
    x = (offset + np.linspace(0, 50, 30)).astype(dtype)
    y = (3 * (x.astype(float) - offset) - 20 + rng.standard_normal((20, 30))).astype(dtype)
    found = engine.solve(problems.curve_fit(lambda x, a, b: a * x + b), {"x": x, "y": y})
    shifted = np.stack([x.astype(float) - x.astype(float).mean(), np.ones(30)], axis=1)
    best = np.array([np.linalg.lstsq(shifted, row.astype(float), rcond=None)[1][0] for row in y])
    a, b = (np.asarray(value, float)[:, None] for value in found)
    loss = ((a * x.astype(float) + b - y) ** 2).sum(axis=1)
    most = 1.001 if dtype is np.float64 else 1.1
    assert (loss[found.converged] < most * best[found.converged]).all()
    assert found.converged.mean() > 0.9 or dtype is np.float32


def test_a_small_misfit_in_float32_is_no_minimum() -> None:
    rng = np.random.default_rng(2)
    t = np.linspace(0, 6, 50)

    def peak(t: Array, h: Array, c: Array, w: Array, b: Array) -> Array:
        return h * np.exp(-(((t - c) / w) ** 2)) + b

    truth = np.stack([rng.uniform(500, 900, 40), rng.uniform(2, 4, 40), rng.uniform(0.5, 1.5, 40), rng.uniform(5, 10, 40)], 1)
    y = np.stack([peak(t, *p) for p in truth]) + 0.2 * rng.standard_normal((40, 50))
    start = {"h": 700.0, "c": 3.0, "w": 1.0, "b": 0.0}
    found = engine.solve(problems.curve_fit(peak), {"x": t.astype(np.float32), "y": y.astype(np.float32)}, start=start)
    best = np.array([least(peak, t, row[None], p)[0] for row, p in zip(y, truth, strict=True)])
    above = loss_of(peak, t, y, found) / best
    assert found.converged.mean() > 0.9 and (above[found.converged] < 1.02).all()


@pytest.mark.parametrize("factor", [10.0, 100.0, 0.1])
def test_classical_problems_from_far_starts_are_not_cut_off(factor: float) -> None:
    """Rosenbrock's valley, and Freudenstein and Roth's; each from factors of its standard start."""

    def rosenbrock(p: Array, z: Array) -> Array:
        return array_namespace(p).stack([10 * (p[1] - p[0] * p[0]), z - p[0]])

    def freudenstein(p: Array, z: Array) -> Array:
        return array_namespace(p).stack(
            [-13 * z + p[0] + ((5 - p[1]) * p[1] - 2) * p[1], -29 * z + p[0] + ((p[1] + 1) * p[1] - 14) * p[1]]
        )

    for residual, start, losses in ((rosenbrock, [-1.2, 1.0], [0.0]), (freudenstein, [0.5, -2.0], [0.0, 48.98425])):
        problem = Problem(name="classical", data={"z": ""}, params={"p": Param("n")}, sizes={"n": 2}, residual=residual)
        found = engine.solve(problem, np.ones(3), start={"p": factor * np.array(start)}, backend="torch")
        total = 2 * np.asarray(found.loss)
        assert found.converged.all(), (statuses(found), total)
        assert all(np.isclose(total, loss, atol=1e-6, rtol=1e-4).any() for loss in losses if len(losses) == 1)
        assert all(any(np.isclose(one, loss, atol=1e-6, rtol=1e-4) for loss in losses) for one in total)


def test_a_trial_with_a_nan_derivative_is_rejected_not_all_after_it() -> None:
    """sqrt(p) from far: a full step lands below 0, where there is no derivative."""
    problem = Problem(
        name="root", data={"y": ""}, params={"p": Param("", start=9.0)},
        residual=lambda p, y: array_namespace(p).stack([array_namespace(p).sqrt(p) - y, 0.1 * (p - y * y)]),
    )  # fmt: skip
    found = engine.solve(problem, np.array([0.2, 0.5, 1.0]), backend="torch")
    assert found.converged.all()
    np.testing.assert_allclose(found["p"], [0.04, 0.25, 1.0], rtol=1e-4)


@pytest.mark.parametrize("solver", [None, Newton(), LBFGS(), GradientDescent(0.1), Adam(0.1)], ids=str)
def test_nan_that_cannot_go_away_ends_a_lane_at_once(solver: Any) -> None:
    problem = Problem(
        name="length", data={"d": "n"}, params={"p": Param("n", start="zeros")},
        loss=lambda p, d: array_namespace(p).sqrt((p * p).sum()) + ((p - d) ** 2).sum(),
    )  # fmt: skip
    found = engine.solve(problem, np.ones((2, 3)), solver=solver, backend="torch")
    assert statuses(found) == ["NONFINITE"] * 2 and (found.steps < 30).all()


def test_the_least_sum_of_absolute_values_is_reached_and_no_point_away_from_it_converges() -> None:
    rng = np.random.default_rng(9)
    x = np.linspace(-1, 1, 15)
    y = 1.5 * x - 2 + 0.2 * rng.standard_normal((5, 15))
    y[:, 7] -= 9
    problem = Problem(
        name="l1", data={"x": "m", "y": "m"}, params={"a": Param("", start=0.0), "b": Param("", start=0.0)},
        loss=lambda a, b, x, y: array_namespace(x).mean(array_namespace(x).abs(a * x + b - y)),
    )  # fmt: skip
    found = engine.solve(problem, {"x": x, "y": y}, backend="torch")
    options = {"xatol": 1e-11, "fatol": 1e-13, "maxiter": 9999}
    best = [
        minimize(lambda q, row=row: np.abs(q[0] * x + q[1] - row).mean(), [1.5, -2], method="Nelder-Mead", options=options).fun
        for row in y
    ]
    assert (np.asarray(found.loss) / best < 1.02).all(), statuses(found)


def squared(residual: Any, p: Array, t: Array) -> Array:
    return residual(p, t) ** 2


@pytest.mark.parametrize("role", ["loss", "residual"])
def test_a_maximum_a_saddle_and_a_dead_start_are_left_or_never_called_a_success(role: str) -> None:
    functions: dict[str, tuple[Any, list[float], Any]] = {
        "maximum": (lambda p, t: (p[0] * p[0] - t) * (1 + 0 * p[1]), [0.0, 0.0], lambda p, t: abs(p[0] ** 2 - t) < 1e-4),
        "saddle": (lambda p, t: p[0] * p[1] - t, [0.0, 0.0], lambda p, t: abs(p[0] * p[1] - t) < 1e-4),
        "dead": (lambda p, t: array_namespace(p).maximum(p[0], 0 * p[0]) - t + 0 * p[1], [-2.0, 0.0], lambda p, t: False),
    }
    for name, (residual, start, right) in functions.items():
        problem = Problem(
            name=name, data={"t": ""}, params={"p": Param("n")}, sizes={"n": 2},
            residual=residual if role == "residual" else None, loss=partial(squared, residual) if role == "loss" else None,
        )  # fmt: skip
        found = engine.solve(problem, np.array([1.0, 3.0]), start={"p": np.array(start)}, backend="torch")
        for lane, t in enumerate((1.0, 3.0)):
            assert not found.converged[lane] or right(found["p"][lane], t), (name, role, statuses(found), found["p"])


def test_a_loss_that_falls_without_end_is_no_success() -> None:
    """Poisson counts that are all zero: the rate's logarithm goes on for ever."""
    problem = Problem(
        name="poisson", data={"k": "m"}, params={"w": Param("", start=0.0)},
        loss=lambda w, k: array_namespace(k).mean(array_namespace(k).exp(w) - k * w),
    )  # fmt: skip
    found = engine.solve(problem, np.stack([np.zeros(6), np.arange(6.0)]), backend="torch")
    assert not found.converged[0] and found.converged[1]
    np.testing.assert_allclose(found["w"][1], np.log(2.5), rtol=1e-6)


@pytest.mark.parametrize("scale", [1e-12, 1e-7, 1e8, 1e12])
def test_units_of_columns_change_no_status(scale: float) -> None:
    rng = np.random.default_rng(1)
    M, y = rng.standard_normal((4, 9, 3)), rng.standard_normal((4, 9))
    scaled = M * np.array([1.0, scale, 1 / scale])
    problem = Problem(
        name="columns", data={"M": "m n", "y": "m"}, params={"p": Param("n", start="zeros")}, residual=lambda p, M, y: M @ p - y
    )
    found = engine.solve(problem, {"M": scaled, "y": y}, backend="torch")
    best = np.array([np.linalg.lstsq(a, b, rcond=None)[1][0] for a, b in zip(M, y, strict=True)])
    assert found.converged.all(), statuses(found)
    np.testing.assert_allclose(9 * np.asarray(found.loss), best, rtol=1e-9)


def test_a_plane_of_unit_normal_through_scaled_points() -> None:
    """Total least squares as the least singular vector, columns of sizes 1 to 1e5."""
    rng = np.random.default_rng(6)
    M = rng.standard_normal((30, 20, 4)) * np.array([1e5, 300.0, 5.0, 1.0])
    problem = Problem(name="plane", data={"M": "m k"}, params={"c": Param("k", UnitNorm())}, residual=lambda c, M: M @ c)
    found = engine.solve(problem, M, backend="torch")
    above = 20 * np.asarray(found.loss) / np.linalg.svd(M, compute_uv=False)[:, -1] ** 2
    assert found.converged.mean() > 0.9 and (above[found.converged] < 1.0001).all(), statuses(found)


@pytest.mark.parametrize("n", [6, 8, 9])
def test_an_inverse_keeps_the_digits_that_lapack_keeps(n: int) -> None:
    for A, X in ((hilbert(n), invhilbert(n)), (pascal(n).astype(float), invpascal(n))):
        found = engine.solve(problems.inverse(), A[None], backend="torch")
        error, reference = (np.abs(B - X).max() / np.abs(X).max() for B in (found["X"][0], np.linalg.inv(A)))
        assert found.converged.all() and error < 100 * max(reference, 1e-15), statuses(found)


def test_gauges_and_large_residuals_end_converged() -> None:
    rng = np.random.default_rng(8)
    t = np.linspace(0, 1, 12)
    y = 40 * np.sin(7 * t) + 100 + rng.standard_normal((4, 12))
    gauge = problems.curve_fit(lambda x, a, b, c: (a + b) * x + c)
    assert engine.solve(gauge, {"x": t, "y": y}, backend="torch").converged.all()
    bent = problems.curve_fit(lambda x, a, b: a * np.exp(b * x))
    found = engine.solve(bent, {"x": t, "y": y}, start={"a": 50.0, "b": 0.1}, backend="torch")
    best = least(lambda x, a, b: a * np.exp(b * x), t, y, [90.0, 0.0])
    assert found.converged.all()
    np.testing.assert_allclose(12 * np.asarray(found.loss), best, rtol=1e-6)


def test_levenberg_marquardt_ends_at_once_where_the_start_has_no_derivative() -> None:
    problem = Problem(
        name="root", data={"y": ""}, params={"p": Param("", start=-1.0)}, residual=lambda p, y: array_namespace(p).sqrt(p) - y
    )
    found = engine.solve(problem, np.array([1.0, 2.0]), solver=LevenbergMarquardt(), backend="torch")
    assert statuses(found) == ["NONFINITE"] * 2 and (found.steps < 3).all()
