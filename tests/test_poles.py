"""Fits whose parameters run off next to a pole of the model: a datum on it is met, and all others are predicted as 0.

The judge is the relative offset in 60 digits, by mpmath, where such a point is far from stationary.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import mpmath
import numpy as np
import pytest

import engine
import problems


@dataclass(frozen=True)
class Fit:
    """A model, where it is measured, its params, and the start that a careless user gives."""

    model: Callable[..., Any]
    x: list[float]
    params: tuple[float, ...]
    start: float = 1.0


def thermistor(x: Any, a: Any, b: Any, c: Any) -> Any:
    """Kelvin by the logarithm of the resistance, after Steinhart and Hart."""
    return 1 / (a + b * x + c * x**3)


def density(x: Any, a: Any, b: Any, c: Any) -> Any:
    """Yield by density, after Holliday."""
    return 1 / (a + b * x + c * x**2)


def reciprocal(x: Any, a: Any, b: Any) -> Any:
    """Yield by density, after Shinozaki and Kira."""
    return 1 / (a + b * x)


FITS = {
    "thermistor": Fit(thermistor, [8.3, 8.8, 9.3, 9.8, 10.3, 10.8], (1.2e-3, 2.3e-4, 8e-8)),
    "density": Fit(density, [15.0, 30, 60, 90, 130, 170], (2e-3, 3e-5, 1e-8)),
    "reciprocal": Fit(reciprocal, [15.0, 30, 60, 90, 130, 170], (3e-3, 5e-5)),
    "reciprocal from 100": Fit(reciprocal, [15.0, 30, 60, 90, 130, 170], (3e-3, 5e-5), 100.0),
    "reciprocal from a good start": Fit(reciprocal, [15.0, 30, 60, 90, 130, 170], (3e-3, 5e-5), 1e-3),
}


def lanes_of(fit: Fit, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """x, and y of 40 lanes with a thousandth of noise."""
    rng, x = np.random.default_rng(5), np.array(fit.x)
    params = np.array(fit.params) * (1 + 0.05 * rng.standard_normal((40, len(fit.params))))
    y = np.stack([fit.model(x, *lane) for lane in params])
    return x.astype(dtype), (y * (1 + 1e-3 * rng.standard_normal(y.shape))).astype(dtype)


def offset(fit: Fit, x: np.ndarray, y: np.ndarray, answer: list[float]) -> float:
    """|P r| / |r| in 60 digits, by J's QR decomposition; derivatives by differences of 1e-30."""
    with mpmath.workdps(60):
        point = [mpmath.mpf(p) for p in answer]
        rows = [mpmath.mpf(float(value)) for value in x]

        def model(params: list[Any]) -> Any:
            return mpmath.matrix([fit.model(row, *params) for row in rows])

        here = model(point)
        columns = []
        for k, p in enumerate(point):
            moved = [*point[:k], p * (1 + mpmath.mpf(10) ** -30), *point[k + 1 :]]
            column = model(moved) - here
            columns.append(column / mpmath.norm(column))
        q, _ = mpmath.qr(mpmath.matrix([[column[i] for column in columns] for i in range(len(rows))]), mode="skinny")
        gap = here - mpmath.matrix([float(value) for value in y])
        return float(mpmath.norm(q.T * gap) / mpmath.norm(gap))


CASES = [*((name, "float64") for name in FITS), ("thermistor", "float32"), ("reciprocal", "float32")]


@pytest.mark.parametrize("name, dtype", CASES)
def test_no_point_beside_a_pole_is_converged(name: str, dtype: str) -> None:
    fit = FITS[name]
    x, y = lanes_of(fit, dtype)
    names = fit.model.__code__.co_varnames[1 : 1 + len(fit.params)]
    found = engine.solve(problems.curve_fit(fit.model), {"x": x, "y": y}, start=dict.fromkeys(names, fit.start))
    limit = {"float64": 1e-5, "float32": 1e-2}[dtype]
    for lane in np.flatnonzero(found.converged):
        assert offset(fit, x, y[lane], [float(found[param][lane]) for param in names]) < limit
    if "good" in name:  # and the judge finds nothing at the minimum
        assert found.converged.all()
