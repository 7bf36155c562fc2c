"""No lane called CONVERGED is wrong: LAPACK's ratios in extended precision, over families, spectra and sizes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import engine
import problems
from engine import Status
from tests import families

LANES = 4000
SVD_SHAPES = [(4, 4), (3, 5), (6, 3)]


def certified(solution: Any, ratio: np.ndarray, most: float, share: float = 0.98) -> None:
    """All lanes called CONVERGED are within the bound, and enough are called so."""
    converged = solution.status == Status.CONVERGED
    assert converged.mean() >= share, np.bincount(solution.status)
    assert (ratio[converged] < most).all(), ratio[converged].max()


@pytest.mark.parametrize("n", [2, 5, 8])
def test_inverses_of_families_and_of_set_condition_numbers(n: int) -> None:
    a = families.invertible(np.random.default_rng(n), LANES, n, 1e4)
    solution = engine.solve(problems.inverse(), a)
    certified(solution, families.inverse_ratio(a, solution["X"], 2.0**-53), 30)


def test_inverses_in_single_precision() -> None:
    a = families.invertible(np.random.default_rng(0), LANES, 4, 1e3).astype(np.float32)
    solution = engine.solve(problems.inverse(), a)
    certified(solution, families.inverse_ratio(a, solution["X"], 2.0**-24), 30)


@pytest.mark.parametrize("m, n", SVD_SHAPES)
def test_svds_of_set_spectra(m: int, n: int) -> None:
    a = families.spectra(np.random.default_rng(m), families.SPECTRA, LANES, m, n)
    solution = engine.solve(problems.svd(), a)
    u, s, v = solution
    assert (s >= 0).all() and (np.diff(s) <= 0).all()
    certified(solution, families.svd_ratios(a, u, s, v, 2.0**-52), 50)


@pytest.mark.parametrize("n", [4, 6])
def test_eigendecompositions_of_set_spectra(n: int) -> None:
    a = families.symmetric(np.random.default_rng(n), families.SPECTRA, LANES, n)
    solution = engine.solve(problems.eigh(), a)
    w, v = solution
    assert (np.diff(w) >= 0).all()
    certified(solution, families.svd_ratios(a, v, w, v, 2.0**-52), 50)


def test_a_wrong_answer_has_a_large_ratio() -> None:
    a = families.spectra(np.random.default_rng(0), families.SPECTRA, 8, 4, 4)
    u, s, v = np.linalg.svd(a)
    v = v.swapaxes(1, 2)
    assert (families.svd_ratios(a, u, s, v, 2.0**-52) < 50).all()
    assert (families.svd_ratios(a, u, s * (1 + 1e-13), v, 2.0**-52) > 50).all()
    x = np.linalg.inv(families.invertible(np.random.default_rng(0), 8, 4, 10))
    assert (families.inverse_ratio(np.linalg.inv(x), x + 1e-13, 2.0**-53) > 30).all()
