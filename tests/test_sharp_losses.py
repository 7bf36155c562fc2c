"""Plain losses that bend sharply in a small place, end on faces, or have no minimum: each against a closed form or other code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.special import gammaln, xlogy

import engine
from engine import Param, Problem, Status
from engine.domains import Box, Positive, Simplex

RNG = np.random.default_rng(12)
GAINS = 1.5 * RNG.standard_normal((80, 6))

ENTROPIES: dict[str, tuple[Callable[..., Any], str]] = {
    "shifted by 1e-13": (lambda p, g: np.sum(p * np.log(p + 1e-13)) - g @ p, "f4"),
    "shifted by 1e-25": (lambda p, g: np.sum(p * np.log(p + 1e-25)) - g @ p, "f8"),
    "guarded": (lambda p, g: np.sum(np.where(p > 0, p * np.log(np.where(p > 0, p, 1.0)), 0.0)) - g @ p, "f8"),
    "root": (lambda p, g: -np.sqrt(p + 1e-13) @ np.exp(g / 2), "f4"),
}


STARTS: dict[str, Any] = {"inside": "zeros", "on a face": np.array([0.5, 0.5, 0, 0, 0, 0])}
CASES = [*((name, "inside") for name in ENTROPIES), ("shifted by 1e-13", "on a face"), ("guarded", "on a face")]


@pytest.mark.parametrize("name, where", CASES)
def test_the_slope_beside_a_face_is_no_minimum(name: str, where: str) -> None:
    """Within 1e-13 of a face the curvature is 1e13, and a Newton step as small; beyond, the loss falls by a tenth."""
    loss, dtype = ENTROPIES[name]
    found = engine.solve(
        Problem("entropy", {"g": "m"}, {"p": Param("m", Simplex(), start=STARTS[where])}, loss=loss), GAINS.astype(dtype)
    )
    best = np.exp(GAINS) / np.exp(GAINS).sum(axis=1, keepdims=True)
    close = np.abs(found["p"] - best).max(axis=1) < (3e-2 if dtype == "f4" else 1e-3)
    assert not (found.converged & ~close).any()


@pytest.mark.parametrize("dtype, blunt", [("f4", 1e-20), ("f8", 1e-32), ("f8", 1e-10)])
def test_a_point_is_no_median_because_its_distance_is_smoothed(dtype: str, blunt: float) -> None:
    points = RNG.standard_normal((60, 9, 2))

    def distances(x: Any, X: Any) -> Any:
        return np.sum(np.sqrt(np.sum((X - x) ** 2, axis=1) + blunt))

    problem = Problem("median", {"X": "k 2"}, {"x": Param("2", start=lambda X: X[0])}, loss=distances)
    found = engine.solve(problem, points.astype(dtype))
    middle = points.mean(axis=1)
    for _ in range(2000):  # Weiszfeld
        weight = 1 / np.maximum(np.linalg.norm(points - middle[:, None], axis=2), 1e-12)
        middle = (weight[..., None] * points).sum(axis=1) / weight.sum(axis=1, keepdims=True)
    least = np.linalg.norm(points - middle[:, None], axis=2).sum(axis=1)
    above = np.linalg.norm(points - np.asarray(found["x"], float)[:, None], axis=2).sum(axis=1) / least - 1
    assert (above[found.converged] < 1e-4).all()
    if blunt == 1e-10:
        assert found.converged.mean() > 0.9


@pytest.mark.parametrize("form", ["xlogy", "guarded"])
def test_a_share_of_none_or_of_all_is_converged(form: str) -> None:
    """Of 0 successes in N the likeliest share is 0, on the face that the slope N points into."""

    def guarded(p: Any, k: Any, N: Any) -> Any:
        some, rest = k > 0, k < N
        return -(
            np.where(some, k * np.log(np.where(some, p, 1.0)), 0.0)
            + np.where(rest, (N - k) * np.log1p(-np.where(rest, p, 0.0)), 0.0)
        )

    loss = guarded if form == "guarded" else lambda p, k, N: -(xlogy(k, p) + xlogy(N - k, 1 - p))
    k = np.array([0.0, 30.0, 1.0, 29.0, 15.0])
    found = engine.solve(
        Problem("share", {"k": "", "N": ""}, {"p": Param("", Box(0.0, 1.0), start=0.5)}, loss=loss),
        {"k": k, "N": np.full(5, 30.0)},
    )
    assert found.converged.all()
    np.testing.assert_allclose(found["p"], k / 30, atol=1e-9)


def test_a_parameter_that_runs_off_where_the_loss_is_noise_is_undetermined() -> None:
    """Counts that spread less than Poisson's have no negative binomial: r grows until digits of gammaln(r) hide the rest."""

    def loss(r: Any, m: Any, y: Any) -> Any:
        return -np.sum(gammaln(y + r) - gammaln(r) + r * np.log(r / (r + m)) + y * np.log(m / (r + m)))

    y = RNG.poisson(8.0, (120, 50)).astype(float)
    positive = Param("", Positive(), start=4.0)
    found = engine.solve(Problem("counts", {"y": "n"}, {"r": positive, "m": positive}, loss=loss), y)
    spread = y.var(axis=1) / y.mean(axis=1)
    statuses = np.array([Status(code).name for code in found.status])
    assert (statuses[spread > 1.05] == "CONVERGED").all()
    assert (statuses[spread < 0.95] == "CONVERGED").mean() < 0.1 and (statuses[spread < 0.95] == "UNDETERMINED").any()
