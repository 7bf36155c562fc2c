"""The curvature at the answers, by parameter, against closed forms and differences."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import engine
import problems
from engine import Param, Problem

RNG = np.random.default_rng(2)


@pytest.mark.parametrize("backend", ["auto", "torch", "numpy"])
@pytest.mark.parametrize("lead", [(), (3,), (2, 3)])
def test_of_a_fit_it_is_that_of_the_mean_of_squares(lead: tuple[int, ...], backend: str) -> None:
    x = np.linspace(0, 1, 9)
    y = np.exp(-x) + 0.1 * RNG.standard_normal((*lead, 9))
    found = engine.solve(problems.curve_fit(lambda x, a, b: a * np.exp(-b * x)), {"x": x, "y": y}, backend=backend)
    curvature = found.hessian()
    a, b = (np.asarray(found[name])[..., None] for name in "ab")
    e = np.exp(-b * x)
    expected = {
        ("a", "a"): 2 * (e * e).mean(-1),
        ("b", "a"): 2 * (-x * e * (2 * a * e - y)).mean(-1),
        ("b", "b"): 2 * (a * x * x * e * (2 * a * e - y)).mean(-1),
    }
    for (p, q), value in expected.items():
        np.testing.assert_allclose(curvature[p][q], value, rtol=1e-8)
        np.testing.assert_allclose(curvature[q][p], value, rtol=1e-8)


def test_of_arrays_and_captured_numbers_in_torch() -> None:
    A = torch.randn(4, 3, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    shift = torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)
    problem = Problem(
        "quadratic", {"A": "m n"}, {"p": Param("n", start="zeros"), "c": Param("", start=1.0)},
        loss=lambda p, c, A: ((A @ p - shift) ** 2).sum() + (c - 1) ** 4 + c * c * (p * p).sum(),
    )  # fmt: skip
    found = engine.solve(problem, A)
    curvature: Any = found.hessian()
    eye, c = torch.eye(2, dtype=torch.float64), found["c"]
    torch.testing.assert_close(curvature["p"]["p"], 2 * A.mT @ A + 2 * c[:, None, None] ** 2 * eye)
    torch.testing.assert_close(curvature["p"]["c"], 4 * c[:, None] * found["p"])
    assert curvature["c"]["c"].shape == (4,) and curvature["c"]["p"].shape == (4, 2)


def test_a_loaded_solution_has_none(tmp_path: Any) -> None:
    engine.solve(problems.inverse(), np.eye(2)[None]).save(tmp_path / "a.npz")
    with pytest.raises(ValueError, match=r"hessian: .* file"):
        engine.load(tmp_path / "a.npz").hessian()
