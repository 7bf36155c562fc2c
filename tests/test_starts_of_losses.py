"""Plain losses from starts good and bad: the start decides neither what CONVERGED means nor whether a minimum may have it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine import Param, Problem
from engine.domains import Positive, Simplex
from engine.solvers import Adam, GradientDescent

Array = Any
RNG = np.random.default_rng(5)

MEAN = Problem("mean", {"y": "m"}, {"mu": Param("", start=0.0)}, loss=lambda mu, y: np.mean((mu - y) ** 2))
NORMAL = Problem(
    "normal", {"y": "m"}, {"mu": Param("", start=0.0), "s": Param("", Positive(), start=1.0)},
    loss=lambda mu, s, y: np.mean(np.log(s) + (y - mu) ** 2 / (2 * s**2)),
)  # fmt: skip
VALLEY = Problem(
    "valley", {"c": ""}, {"p": Param("2", start="zeros")}, loss=lambda p, c: (1 - p[0]) ** 2 + c * (p[1] - p[0] ** 2) ** 2
)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_date_that_is_a_param_is_found_from_decades_before(dtype: Any) -> None:
    """Counts that grow as exp(t - t0): the loss at the start is larger than at the minimum by ten powers of ten."""
    t = np.arange(2020, 2028, 0.25)
    y = RNG.poisson(np.exp(t - 2020.0), size=(20, len(t)))
    problem = Problem(
        "growth", {"t": "m", "y": "m"}, {"t0": Param("", start=2000.0)},
        loss=lambda t0, t, y: np.mean(np.exp(t - t0) - y * (t - t0)),
    )  # fmt: skip
    found = engine.solve(problem, {"t": t.astype(dtype), "y": y.astype(dtype)})
    assert found.converged.all(), found.summary()
    exact = 2020 + np.log(np.exp(t - 2020).sum() / y.sum(axis=1))  # where sum exp(t - t0) = sum y
    np.testing.assert_allclose(found["t0"], exact, atol=1e-3 if dtype is np.float32 else 1e-8)  # a standard error is 0.01


def test_exponentials_from_far_above_are_followed_to_their_minimum() -> None:
    y = 1e4 + RNG.gumbel(size=(5, 50))
    problem = Problem(
        "level", {"y": "m"}, {"mu": Param("", start=lambda y: np.min(y) + 30.0)}, loss=lambda mu, y: np.mean(np.exp(mu - y)) - mu
    )
    found = engine.solve(problem, y)
    exact = 1e4 - np.log(np.exp(1e4 - y).mean(axis=1))
    assert found.converged.all() and np.abs(found["mu"] - exact).max() < 1e-6


@pytest.mark.parametrize("solver", [None, GradientDescent(0.1), GradientDescent(0.1, momentum=0.9), Adam(0.1)], ids=str)
@pytest.mark.parametrize(("dtype", "level", "spread"), [(np.float32, 1013.25, 0.5), (np.float64, 1e6, 1.0)])
def test_a_mean_far_from_its_start_is_the_mean(solver: Any, dtype: Any, level: float, spread: float) -> None:
    y = (level + spread * RNG.standard_normal((20, 30))).astype(dtype)
    found = engine.solve(MEAN, y, solver=solver, max_steps=1000, backend="torch" if solver else "auto")
    gap = np.abs(found["mu"] - y.astype(float).mean(axis=1)) / spread
    assert (gap[found.converged] < 5e-3).all()
    assert found.converged.all() or isinstance(solver, Adam)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize(("level", "spread"), [(0.0, 1.0), (1013.25, 0.5), (1e4, 3.0)])
def test_a_minimum_is_one_from_wherever_it_was_reached(dtype: Any, level: float, spread: float) -> None:
    y = (level + spread * RNG.standard_normal((100, 30))).astype(dtype)
    found = engine.solve(NORMAL, y)
    again = engine.solve(NORMAL, y, start=found.params)
    there = engine.solve(MEAN, y, start={"mu": y.mean(axis=1)})
    assert found.converged.all() and again.converged.all() and there.converged.all()
    exact = y.astype(float).std(axis=1)
    np.testing.assert_allclose(found["s"], exact, rtol=2e-4 if dtype is np.float32 else 1e-8)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_loss_whose_least_value_happens_to_be_near_zero_has_its_minimum(level: float) -> None:
    """The normal deviation whose log s + 1/2 is 1e-9: the loss has no size of its own there."""
    y = np.random.default_rng(4).standard_normal((50, 30))
    y = level + (y - y.mean(axis=1, keepdims=True)) / y.std(axis=1, keepdims=True) * np.exp(-0.5 + 1e-9)
    found = engine.solve(NORMAL, y)
    assert found.converged.all() and np.abs(found.loss).max() < 1.1e-9
    np.testing.assert_allclose(found["s"], np.exp(-0.5), rtol=1e-7)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_valley_down_to_zero_ends_and_can_be_entered_at_its_end(dtype: Any) -> None:
    steepness = np.geomspace(1, 1e4, 40).astype(dtype)
    found = engine.solve(VALLEY, steepness)
    again = engine.solve(VALLEY, steepness, start=found.params)
    assert found.converged.all() and again.converged.all()
    np.testing.assert_allclose(found["p"], 1.0, rtol=1e-5)


def test_descent_to_a_loss_of_zero_ends_by_what_it_has_removed() -> None:
    problem = Problem("zero", {"k": ""}, {"x": Param("", start=1.0)}, loss=lambda x, k: k * x * x)
    found = engine.solve(problem, np.array([1.0, 0.5, 0.1]), solver=GradientDescent(0.15), max_steps=5000)
    assert found.converged.all() and (np.abs(found["x"]) < 1e-6).all() and (np.abs(found["x"]) > 1e-30).all()


@pytest.mark.parametrize("start", ["normal", "uniform", "zeros"])
def test_the_weights_of_an_optimal_design_are_found_from_any_word(start: str) -> None:
    """D-optimal designs by -log det: at a corner of the simplex the determinant is 0. Judged by the equivalence theorem."""
    X = np.random.default_rng(6).normal(size=(40, 12, 3))
    problem = Problem(
        "design", {"X": "m p"}, {"w": Param("m", Simplex(), start=start)},
        loss=lambda w, X: -np.linalg.slogdet((X * w[:, None]).T @ X)[1],
    )  # fmt: skip
    found = engine.solve(problem, X)
    information = np.einsum("lmp,lm,lmq->lpq", X, found["w"], X)
    variance = np.einsum("lmp,lpq,lmq->lm", X, np.linalg.pinv(information), X)
    assert found.converged.all(), found.summary()
    np.testing.assert_allclose(variance.max(axis=1)[found.converged], 3, rtol=1e-4)  # of p parameters at most p
