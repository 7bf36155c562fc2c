"""A square orthogonal param starts as a rotation where its start is declared by a word, and keeps the sign of its determinant."""

from __future__ import annotations

import numpy as np
import pytest

import engine
from engine import Param, Problem
from engine.domains import Orthogonal

RNG = np.random.default_rng(2)


def turned(start: object) -> Problem:
    params = {"Q": Param("k n n", Orthogonal(), start=start)}
    return Problem(name="turned", data={"P": "k n m", "R": "k n m"}, params=params, residual=lambda Q, P, R: Q @ P - R)


@pytest.mark.parametrize("start", ["normal", "uniform", "eye", "zeros"])
@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_a_word_starts_at_a_rotation(start: str, n: int) -> None:
    P = RNG.standard_normal((3, 2, n, 5))
    for seed in range(4):
        solution = engine.solve(turned(start), {"P": P, "R": P}, seed=seed, max_steps=0, backend="numpy")
        np.testing.assert_allclose(np.linalg.det(solution["Q"]), 1.0, atol=1e-12)
        np.testing.assert_allclose(
            solution["Q"] @ solution["Q"].swapaxes(-1, -2), np.broadcast_to(np.eye(n), (3, 2, n, n)), atol=1e-12
        )


def test_a_registration_from_the_default_start_ends_at_the_rotation() -> None:
    P = RNG.standard_normal((8, 1, 3, 6))
    Q = np.linalg.qr(RNG.standard_normal((8, 1, 3, 3)))[0]
    Q *= np.sign(np.linalg.det(Q))[..., None, None]
    solution = engine.solve(turned("normal"), {"P": P, "R": Q @ P}, backend="fused")
    right = solution.converged & (solution.loss < 1e-20)
    assert right.any() and (np.linalg.det(solution["Q"]) > 0).all()
    np.testing.assert_allclose(solution["Q"][right], Q[right], atol=1e-8)


def test_a_given_start_and_a_tall_one_stay_as_they_are() -> None:
    P = RNG.standard_normal((1, 2, 4))
    mirror = np.diag([1.0, -1.0])[None]
    for start in (mirror, lambda P: np.diag([1.0, -1.0])[None] + 0 * P[:, :, :2]):
        given = engine.solve(turned(start), {"P": P, "R": P}, max_steps=0, backend="numpy")
        np.testing.assert_array_equal(given["Q"], mirror)
    tall = Problem(name="tall", data={"A": "m n"}, params={"U": Param("m n", Orthogonal())}, residual=lambda U, A: U - A)
    U = engine.solve(tall, RNG.standard_normal((5, 2)), max_steps=0, backend="numpy")["U"]
    np.testing.assert_allclose(U.T @ U, np.eye(2), atol=1e-12)
