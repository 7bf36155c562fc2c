"""Fits that end where columns of J are nearly parallel: what one parameter would remove alone, and saddles between them."""

from __future__ import annotations

from typing import Any

import numpy as np

import engine
import problems
from bench.honesty.bounded import mixture, mixtures
from engine.projection import conjugate


def edge(x: Any, a: Any, m: Any, w: Any) -> Any:
    """A step of height a at m."""
    return a * (0.5 + np.arctan((x - m) / w) / np.pi)


def test_an_edge_far_from_the_data_has_at_least_the_best_constant() -> None:
    """On the plateau the columns of place and width are as flat as that of the height, and bend: its own column tells."""
    rng, x = np.random.default_rng(3), np.linspace(5400, 5440, 20)
    params = np.array([1, 5420, 2.0]) * (1 + 0.1 * rng.standard_normal((150, 3)))
    y = np.stack([edge(x, *lane) for lane in params]) + 1e-3 * rng.standard_normal((150, 20))
    found = engine.solve(problems.curve_fit(edge), {"x": x, "y": y}, start={"a": 0.1, "m": 542.0, "w": 0.2})
    gap = np.stack([edge(x, *(float(found[name][lane]) for name in "amw")) for lane in range(150)]) - y
    above = (gap**2).sum(axis=1) / ((y - y.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)
    assert found.converged.any() and (above[found.converged] < 1.0001).all()


def test_two_peaks_that_are_one_are_a_saddle() -> None:
    """They part, one narrow and one wide, and the loss falls along a direction in which their columns cancel."""

    def peaks(x: Any, a: Any, m: Any, s: Any, b: Any, q: Any, t: Any) -> Any:
        return a * np.exp(-(((x - m) / s) ** 2)) + b * np.exp(-(((x - q) / t) ** 2))

    rng, x = np.random.default_rng(11), np.linspace(0, 10, 30)
    middle = 5 - 0.5 * rng.standard_normal((200, 1))
    y = 3 * np.exp(-(((x - middle) / 2) ** 2)) + 0.15 * rng.standard_normal((200, 30))
    found = engine.solve(problems.curve_fit(peaks), {"x": x, "y": y})
    one, other = (np.stack([found[name] for name in names], axis=1) for names in ("ams", "bqt"))
    merged = np.abs(one - other).max(axis=1) < 1e-4 * np.abs(one).max(axis=1)
    assert merged.any() and found.converged.any() and not (merged & found.converged).any()


def test_mixtures_near_a_corner_are_converged_at_their_optimum() -> None:
    """Coordinates of a simplex keep their digits where an entry is nearly 1: the others sum up to what is missing."""
    lanes = mixtures("float64", np.random.default_rng(8), 200)
    found = engine.solve(mixture(), lanes.data)
    assert found.converged.all()
    gap = np.einsum("lmk,lk->lm", lanes.data["M"], found["w"]) - lanes.data["y"]
    slope = np.einsum("lmk,lm->lk", lanes.data["M"], gap)
    multiplier = slope - (slope * found["w"]).sum(axis=1, keepdims=True)
    assert (multiplier > -1e-9).all() and (np.abs(multiplier * found["w"]) < 1e-9).all()


def test_conjugate_directions_find_negative_curvature_beside_flat_directions() -> None:
    rng = np.random.default_rng(2)
    for values in ([3.0, 1.0, 0.5], [3.0, 1.0, -0.01], [2.0, 0.0, -1.0]):
        basis = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        matrix = basis * values @ basis.T
        directions, found = (np.asarray(a) for a in conjugate(matrix))
        np.testing.assert_allclose(directions @ matrix @ directions.T, np.diag(found), atol=1e-12)
        assert (found < -1e-12).any() == (min(values) < 0)


def test_a_datum_whose_curvature_is_not_finite_hides_no_minimum() -> None:
    """(1 - x^a)^b at x = 1, below b = 1: the second derivatives there are NaN, and its residual is the same for all params."""

    def capacity(x: Any, a: Any, b: Any, c: Any) -> Any:
        return (1 - x**a) ** b * c

    rng, x = np.random.default_rng(4), np.linspace(0, 1, 31)
    params = np.stack([rng.uniform(0.5, 2, 50), rng.uniform(0.8, 2, 50), rng.uniform(1, 5, 50)], axis=1)
    y = np.stack([capacity(x, *lane) for lane in params]) * (1 + 0.01 * rng.standard_normal((50, 31)))
    problem = problems.curve_fit(capacity, bounds=([0.1, 0.1, 0.1], [3, 3, 50]))
    found = engine.solve(problem, {"x": x, "y": y}, start={"a": 1.2, "b": 1.3, "c": y.max(axis=1)})
    assert found.converged.mean() > 0.95
