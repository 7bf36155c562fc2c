"""Data of zeros, as of an empty well or a dark channel, beside others: the params are 0, and what has no effect is undetermined."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Status

Array = Any

MODELS: dict[str, tuple[Any, str]] = {
    "slope": (lambda x, a: a * x, "CONVERGED"),
    "line": (lambda x, a, b: a * x + b, "CONVERGED"),
    "parabola": (lambda x, a, b, c: a * x * x + b * x + c, "CONVERGED"),
    "decay": (lambda x, a, b: a * np.exp(-b * x), "UNDETERMINED"),
    "decay over a floor": (lambda x, a, b, c: a * np.exp(-b * x) + c, "UNDETERMINED"),
}
"""Name -> model, and the status of zeros: a rate of nothing is not determined."""


@pytest.mark.parametrize("backend", ["auto", "numpy"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("name", MODELS)
def test_a_fit_to_zeros_is_zero(name: str, dtype: Any, backend: str) -> None:
    model, status = MODELS[name]
    for x in (np.linspace(0, 10, 50), np.linspace(0, 4, 12), np.arange(1, 6.0)):
        x = x.astype(dtype)
        y = np.stack([np.zeros_like(x), (1 + np.sin(9 * x)).astype(dtype)])
        found = engine.solve(problems.curve_fit(model), {"x": x, "y": y}, backend=backend)
        assert Status(int(found.status[0])).name == status, found.explain(0)
        assert found.loss[0] == 0 and model(x, *(p[0] for p in found)).any() == 0


def test_a_decomposition_of_zeros_is_one_of_zeros() -> None:
    A = np.stack([np.zeros((3, 3)), np.eye(3)])
    assert engine.solve(problems.svd(), A).converged.all() and engine.solve(problems.eigh(), A).converged.all()


def test_data_below_the_range_of_squares_are_not_taken_for_zeros() -> None:
    """A slope of 1e-300 from a start of 1: its squares are lost, so that nobody can vouch for it."""
    x = np.linspace(0, 2, 9)
    found = engine.solve(problems.curve_fit(lambda x, a, b: a * x + b), {"x": x, "y": 1e-300 * x[None]})
    assert not found.converged[0] or abs(found["a"][0] / 1e-300 - 1) < 1e-6
