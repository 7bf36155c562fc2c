"""An unknown in an exponent: the terms of an equation are then of quite other sizes at its root than at zero params."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine import Param, Problem

Array = Any

EQUATIONS: dict[str, tuple[Any, Any]] = {
    "solubility": (lambda p, K: 10.0 ** (-2 * p) - K, lambda K: -np.log10(K) / 2),
    "Fermi level": (lambda p, n: 2.8e19 * np.exp(-p / 0.02585) - n * 1e20, lambda n: 0.02585 * np.log(0.28 / n)),
}
"""Name -> residual of an unknown and a datum, and the root in closed form."""


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("start", [10.0, 7.0, 5.0, 0.5])
@pytest.mark.parametrize("name", EQUATIONS)
def test_what_an_equation_is_at_zero_params_vouches_for_no_root(name: str, start: float, dtype: Any) -> None:
    residual, root = EQUATIONS[name]
    names = tuple(residual.__code__.co_varnames[:2])
    problem = Problem(name, {names[1]: ""}, {"p": Param("", start=start)}, residual=residual, exact=True)
    datum = np.geomspace(1e-20, 1e-4, 33).astype(dtype)
    found = engine.solve(problem, datum)
    gap = np.abs(found["p"] / root(datum.astype(float)) - 1)
    assert (gap[found.converged] < (1e-11 if dtype is np.float64 else 1e-4)).all()
    if name == "solubility" and start != 0.5:
        assert found.converged.mean() > 0.4, found.summary()


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("start", [7.0, 10.0])
def test_the_acidity_of_weak_acids(start: float, dtype: Any) -> None:
    def charge(p: Array, C: Array) -> Array:
        h = 10.0**-p
        return h - 1e-14 / h - C * 1.8e-5 / (1.8e-5 + h)

    strengths = np.geomspace(1e-6, 1, 40).astype(dtype)
    found = engine.solve(Problem("acid", {"C": ""}, {"p": Param("", start=start)}, residual=charge, exact=True), strengths)
    # h^3 + K h^2 - (K C + Kw) h - K Kw = 0 has one root above 0
    roots = [np.roots([1, 1.8e-5, -(1.8e-5 * C + 1e-14), -1.8e-19]).real.max() for C in strengths.astype(float)]
    assert found.converged.all()
    np.testing.assert_allclose(found["p"], -np.log10(roots), rtol=1e-11 if dtype is np.float64 else 1e-5)
