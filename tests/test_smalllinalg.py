"""Small linear algebra in array operations against LAPACK, for blocks of matrices at once."""

from __future__ import annotations

import numpy as np
import pytest

from engine import smalllinalg

EPS = np.finfo(float).eps


@pytest.mark.parametrize("n", [1, 2, 5, 12])
def test_factors_and_solutions_agree_with_lapack(n: int) -> None:
    rng = np.random.default_rng(n)
    a, b = rng.standard_normal((3, n, n)), rng.standard_normal((3, n, 2))
    spd = a @ a.swapaxes(-1, -2) + np.eye(n)
    x, inflation = smalllinalg.solve_symmetric(spd, b[..., 0])
    np.testing.assert_allclose(x, np.linalg.solve(spd, b[..., :1])[..., 0], rtol=1e-10, atol=1e-12)
    assert np.all(inflation >= 1 - EPS) and np.all(inflation <= np.linalg.cond(spd) * (1 + EPS))
    low, _ = smalllinalg.cholesky(spd)
    np.testing.assert_allclose(low, np.linalg.cholesky(spd), rtol=1e-11, atol=1e-12)
    np.testing.assert_allclose(low @ smalllinalg.solve_lower(low, b), b, atol=1e-12)
    up = np.swapaxes(low, -1, -2)
    np.testing.assert_allclose(up @ smalllinalg.solve_upper(up, b), b, atol=1e-12)
    skew = a - a.swapaxes(-1, -2) + np.eye(n)
    np.testing.assert_allclose(smalllinalg.solve_unpivoted(skew, b), np.linalg.solve(skew, b), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("m, n", [(1, 1), (4, 4), (7, 3)])
def test_qr_is_orthonormal_whatever_the_rank(m: int, n: int) -> None:
    a = np.random.default_rng(0).standard_normal((3, m, n))
    a[1, :, 0] = 0
    a[2, :, -1] = a[2, :, 0]
    q, r = smalllinalg.qr(a)
    np.testing.assert_allclose(q @ r, a, atol=1e-14 * m)
    np.testing.assert_allclose(np.swapaxes(q, -1, -2) @ q, np.broadcast_to(np.eye(n), (3, n, n)), atol=8 * m * EPS)
    assert (np.triu(r) == r).all() and (np.diagonal(r, axis1=-2, axis2=-1) >= 0).all()
    whole, _ = smalllinalg.qr(a, full=True)
    np.testing.assert_allclose(np.swapaxes(whole, -1, -2) @ whole, np.broadcast_to(np.eye(m), (3, m, m)), atol=8 * m * EPS)


def test_a_pivot_that_is_not_positive_is_reported_for_its_block_alone() -> None:
    a = np.stack([np.eye(2), np.array([[1.0, 2.0], [2.0, 1.0]]), np.eye(2)])
    x, inflation = smalllinalg.solve_symmetric(a, np.ones((3, 2)))
    assert np.asarray(inflation).tolist() == [1, 1 / EPS, 1] and np.isfinite(x).all()
    assert np.asarray(smalllinalg.cholesky(a)[1]).tolist() == [False, True, False]


def test_the_inflation_of_nearly_equal_columns_is_what_the_normal_equations_lose() -> None:
    for angle in (1.0, 1e-2, 1e-5):
        columns = np.array([[1.0, 0.0, 0.0], [np.cos(angle), np.sin(angle), 0.0]])
        _, inflation = smalllinalg.solve_symmetric(columns @ columns.T, np.ones(2))
        np.testing.assert_allclose(inflation, 1 / np.sin(angle) ** 2, rtol=1e-5)


def test_the_first_of_the_largest_is_picked_and_none_beside_a_nan() -> None:
    top, pick = smalllinalg.first_largest(np.array([[1.0, 3.0, 3.0], [5.0, 1.0, 2.0], [1.0, np.nan, 2.0]]))
    np.testing.assert_array_equal(top[:2], [3.0, 5.0])
    assert np.asarray(pick).tolist() == [[0, 1, 0], [1, 0, 0], [0, 0, 0]]
