"""Exact problems of equations of different size, and roots on a plateau: each against its closed form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
from engine import Param, Problem, Status
from engine.domains import Positive, Real


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("start", [1.0, 1e-2, 1e-6])
@pytest.mark.parametrize("domain", [Positive(), Real()], ids=["positive", "real"])
def test_an_equation_of_small_numbers_is_not_hidden_by_one_of_large_ones(domain: Any, start: float, dtype: str) -> None:
    """Strong acid in water: [H] - [OH] = c and [H] [OH] = 1e-14. The second may be wholly wrong beside the first."""
    c = (10 ** np.random.default_rng(1).uniform(-4, 0, 60)).astype(dtype)
    param = Param("", domain, start=start)
    problem = Problem(
        "acid", {"c": ""}, {"h": param, "oh": param}, residual=lambda h, oh, c: np.stack([h - oh - c, h * oh - 1e-14]), exact=True
    )
    found = engine.solve(problem, c)
    h = (c + np.sqrt(c.astype(float) ** 2 + 4e-14)) / 2
    other = found["oh"] < 0  # the second root, which real numbers allow
    wrong = np.abs(found["oh"] * h / 1e-14 - 1) > 2e-3
    assert not (wrong & ~other & found.converged).any()
    if dtype == "f8" and isinstance(domain, Real):
        assert found.converged.mean() > 0.8


@pytest.mark.parametrize("dtype", ["f8", "f4"])
def test_a_root_on_a_plateau_is_ill_conditioned(dtype: str) -> None:
    """tanh(x) = c: beyond 18 the slope is rounding, and any x will do."""
    problem = Problem("plateau", {"c": ""}, {"x": Param("", start=0.0)}, residual=lambda x, c: np.tanh(x) - c, exact=True)
    c = np.array([0.5, -0.9, 0.999, 1.0, 1 + 4 * np.finfo(dtype).eps], dtype)
    found = engine.solve(problem, c)
    assert [Status(code).name for code in found.status] == ["CONVERGED"] * 3 + ["ILL_CONDITIONED"] * 2
    np.testing.assert_allclose(found["x"][:3], np.arctanh(c[:3].astype(float)), rtol=1e-3 if dtype == "f4" else 1e-9)


def test_a_root_at_0_beside_others_is_converged() -> None:
    """x = 0 to rounding of y: an equation without a constant has no size of its own."""
    problem = Problem(
        "corner", {"c": ""}, {"x": Param("", start=1.0), "y": Param("", start=3.0)},
        residual=lambda x, y, c: np.stack([x + y - c, x + 0 * c]), exact=True,
    )  # fmt: skip
    found = engine.solve(problem, np.array([1.0, 2.0, 3e-9, 1e9]))
    assert found.converged.all()
    np.testing.assert_allclose(found["y"], [1.0, 2.0, 3e-9, 1e9], rtol=1e-12)
