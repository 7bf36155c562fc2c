"""Mistakes that a user may well make: one sentence with the culprit, what came, what was expected, a remedy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import scipy.special
import torch

import engine
import problems
from engine import Param, Problem
from engine.domains import Box
from engine.solvers import GradientDescent

Y = np.array([2.0, 4.0])


def own(**changes: Any) -> Problem:
    given: dict[str, Any] = {
        "name": "own",
        "data": {"y": "m"},
        "params": {"c": Param("", start=1.0)},
        "residual": lambda c, y: c - y,
    }
    return Problem(**(given | changes))


def returning(function: Callable[..., Any], role: str = "residual") -> Callable[[], Any]:
    return lambda: engine.solve(own(**{"residual": None, role: function}), Y)


def written(c: Any, y: Any) -> Any:
    r = np.zeros(2)
    r[:1] = c * y[:1]
    return r - y


WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "exact that is no truth": (lambda: own(exact="yes"), ["exact came as 'yes'", "True or False"]),
    "bounds of another rank": (
        lambda: own(params={"c": Param("", Box(np.zeros(3), 1.0))}),
        ["param 'c'", "lo of its domain", "(3,)", "a number"],
    ),
    "no bound": (lambda: Box(None, 1.0), ["Box: lo came as None", "leave it out"]),
    "a bound of NaN": (lambda: Box(0.0, float("nan")), ["Box: hi came as nan", "a number"]),
    "a loss that is a truth": (returning(lambda c, y: np.any(y > c), "loss"), ["loss returned", "bool", "expected floats"]),
    "a residual that is complex": (returning(lambda c, y: 1j * c - y), ["residual returned", "complex128", "np.abs"]),
    "no derivative in reverse": (
        returning(lambda c, y: (c * y) // 1.0),
        ["calls floor_divide", "no derivative", "write instead"],
    ),
    "no derivative forward": (
        returning(lambda c, y: scipy.special.gammainc(1.0 + y, 1.0 + c * c)),
        ["residual", "calls igamma", "no derivative", "write instead"],
    ),
    "no derivative by a param": (
        returning(lambda c, y: scipy.special.gammainc(1.0 + c * c, 1.0 + y)),
        ["calls igamma", "no derivative", "write instead"],
    ),
    "numbers written into an array": (returning(written), ["residual", "r[:1]", "an array that it made", "np.stack"]),
    "a method of NumPy's arrays": (returning(lambda c, y: c - y.astype(float)), ["asks for 'astype'", "write instead"]),
    "a sigma of other points": (
        lambda: engine.solve(problems.curve_fit(lambda x, a: a * x, sigma=np.ones(4)), {"x": np.ones(9), "y": np.ones(9)}),
        ["sigma", "(4,)", "9 points"],
    ),
    "numbers that are not there": (
        lambda: engine.solve(problems.inverse(), torch.eye(3, device="meta")),
        ["the data", "meta", "expected"],
    ),
    "more steps than are counted": (lambda: engine.solve(own(), Y, max_steps=2**31), ["max_steps", "2147483647"]),
}
"""Case -> the call, and words of its message."""


@pytest.mark.parametrize("case", WRONG)
def test_a_mistake_is_told_in_one_sentence(case: str) -> None:
    call, words = WRONG[case]
    with pytest.raises(engine.errors.LanewiseError) as caught:
        call()
    for word in words:
        assert word in str(caught.value), str(caught.value)


def test_numbers_of_numpy_are_numbers() -> None:
    tol, rate = (np.float32(x) for x in (1e-3, 0.25))
    settings: dict[str, Any] = {"tol": tol, "solver": GradientDescent(rate)}  # type: ignore[arg-type]
    found = engine.solve(own(), Y, **settings)
    assert found.converged and found["c"].round(2) == 3


@pytest.mark.parametrize("backend", ["auto", "torch", "numpy"])
def test_slices_go_backwards_and_cross_products_broadcast(backend: str) -> None:
    def residual(w: Any, X: Any, Y: Any) -> Any:
        return np.cross(w, X)[::-1] - Y[::-1, :] + np.cumsum(0 * w[::-1])[2::-1]

    rng = np.random.default_rng(0)
    X, w = rng.standard_normal((4, 5, 3)), rng.standard_normal((4, 3))
    problem = Problem("turn", {"X": "m 3", "Y": "m 3"}, {"w": Param("3", start="zeros")}, residual=residual)
    found = engine.solve(problem, {"X": X, "Y": np.cross(w[:, None], X)}, backend=backend)
    np.testing.assert_allclose(found["w"], w, atol=1e-6)
