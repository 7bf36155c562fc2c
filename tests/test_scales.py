"""Lanes near overflow and underflow are solved or flagged: answers checked in longdouble, where nothing is lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Param, Problem, Status
from engine.pow2 import pow2_scale

SCALES = {"float64": [-300, -200, -150, 0, 150, 200], "float32": [-38, -30, -20, 0, 20, 30]}
HARD = {"float64": 250, "float32": 25}
"""The power of ten up to which every lane must be solved; beyond, it may be flagged."""

TOP = {"float64": 150, "float32": 15}
"""The power of ten of the residual above which its square is no number: such a lane is NONFINITE."""

LINE = Problem(
    name="regression",
    data={"M": "m n", "b": "m"},
    params={"x": Param("n", start="zeros")},
    residual=lambda x, M, b: M @ x - b,
)
Data = dict[str, np.ndarray]


def matrices(scales: np.ndarray) -> Data:
    base = 2 * np.eye(2) + np.random.default_rng(0).standard_normal((2, 2))
    return {"A": base.astype(scales.dtype) * scales[:, None, None]}


def symmetric(scales: np.ndarray) -> Data:
    return {"A": np.array([[2.0, -1.0], [-1.0, 0.5]], dtype=scales.dtype) * scales[:, None, None]}


def regression(left: int, right: int) -> Callable[[np.ndarray], Data]:
    """The scales go to the matrix, to the right-hand side, or to both."""

    def made(scales: np.ndarray) -> Data:
        rng = np.random.default_rng(1)
        M, b = rng.standard_normal((4, 2)).astype(scales.dtype), rng.standard_normal(4).astype(scales.dtype)
        one = np.ones_like(scales)
        return {"M": M * (scales if left else one)[:, None, None], "b": b * (scales if right else one)[:, None]}

    return made


def norm(a: Any) -> Any:
    return np.abs(a).sum(axis=0).max()


def inverse_error(lane: Data, X: Any, ulp: float) -> Any:
    return norm(np.eye(2) - X @ lane["A"]) / (2 * norm(lane["A"]) * norm(X) * ulp / 2) / 30


def svd_error(lane: Data, U: Any, S: Any, V: Any, ulp: float) -> Any:
    return norm(lane["A"] - (U * S) @ V.T) / (norm(lane["A"]) * 2 * ulp) / 50


def eigh_error(lane: Data, w: Any, V: Any, ulp: float) -> Any:
    return norm(lane["A"] - (V * w) @ V.T) / (norm(lane["A"]) * 2 * ulp) / 50


def cosine(lane: Data, x: Any, ulp: Any) -> Any:
    r = lane["M"] @ x - lane["b"]
    columns = np.sqrt((lane["M"] ** 2).sum(axis=0))
    return (np.abs(lane["M"].T @ r) / (columns * np.sqrt(r @ r))).max() / (1e-6 if ulp < 1e-10 else 1e-3)


CASES: dict[str, tuple[Problem, Callable[[np.ndarray], Data], Callable[..., Any], int | None]] = {
    "inverse": (problems.inverse(), matrices, inverse_error, 0),
    "svd": (problems.svd(), matrices, svd_error, 1),
    "eigh": (problems.eigh(), symmetric, eigh_error, 1),
    "large data": (LINE, regression(0, 1), cosine, 1),
    "large matrix": (LINE, regression(1, 0), cosine, None),
    "both": (LINE, regression(1, 1), cosine, 1),
}


@pytest.mark.parametrize("dtype", SCALES)
@pytest.mark.parametrize("case", CASES)
def test_a_lane_of_any_scale_is_solved_or_flagged(case: str, dtype: str) -> None:
    problem, data, error, limit = CASES[case]
    powers = SCALES[dtype]
    with np.errstate(over="ignore"):
        lanes = data(np.array([10.0**k for k in powers]).astype(dtype))
    found = engine.solve(problem, lanes, backend="fused", max_steps=60)
    for i, power in enumerate(powers):
        must = abs(power) <= HARD[dtype] and (limit is None or power <= limit * TOP[dtype])
        assert found.converged[i] or not must, (power, Status(found.status[i]).name, found.residual[i])
        assert np.isfinite(found.loss[i]) or found.status[i] == Status.NONFINITE, power
        assert limit != 1 or problem is not LINE or power <= TOP[dtype] or found.status[i] == Status.NONFINITE, power
        if found.converged[i]:
            lane = {name: array[i].astype(np.longdouble) for name, array in lanes.items()}
            answer = [param[i].astype(np.longdouble) for param in found.params.values()]
            assert error(lane, *answer, np.finfo(dtype).eps) <= 1, power


@pytest.mark.parametrize("dtype", SCALES)
def test_first_order_descent_never_calls_an_underflow_or_an_overflow_a_solution(dtype: str) -> None:
    powers = [k for k in SCALES[dtype] if k]
    lanes = regression(0, 1)(np.array([10.0**k for k in powers]).astype(dtype))
    found = engine.solve(LINE, lanes, solver=engine.solvers.GradientDescent(0.5), backend="fused", max_steps=64)
    for i in np.flatnonzero(found.converged):
        lane = {name: array[i].astype(np.longdouble) for name, array in lanes.items()}
        assert cosine(lane, found["x"][i].astype(np.longdouble), np.finfo(dtype).eps) <= 1, powers[i]
    lost = np.array(powers) >= (200 if dtype == "float64" else 20)
    assert (found.status[lost] == Status.NONFINITE).all()  # the loss is Inf at the start


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_unit_is_a_power_of_two_near_a_size_whose_square_is_lost_and_1_for_others(dtype: Any) -> None:
    info = np.finfo(dtype)
    sizes = np.geomspace(float(info.smallest_subnormal) * 4, float(info.max) / 4, 301).astype(dtype)
    units = pow2_scale(sizes)
    assert (np.frexp(units)[0] == 0.5).all()
    small = sizes / units
    assert (small * small > info.smallest_normal).all() and np.isfinite(small * small).all()
    assert np.all(units[(sizes > 1e-4) & (sizes < 1e4)] == 1)
    np.testing.assert_array_equal(pow2_scale(np.array([0, np.inf, np.nan], dtype)), 1)
