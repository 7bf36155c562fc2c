"""Determinants and their derivatives, of regular and singular matrices, on torch and in kernels: against exact fractions."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import cache
from itertools import combinations
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from torch import Tensor
from torch.func import grad, jacfwd, jacrev, vmap

import engine
from backends.fused.run.mapped import MapKernel
from backends.torch.trace import Traced
from engine import Param, Problem
from engine.solvers import LevenbergMarquardt

BAD = 2
"""The first lanes: one with NaN, one with infinity."""


def lanes(n: int, dtype: torch.dtype) -> Tensor:
    """Matrices of every rank, with and without rounded products, with a column of zeros, nearly equal rows, small and large."""
    generator = torch.Generator().manual_seed(n)

    def whole(*shape: int) -> Tensor:
        return torch.randint(-3, 4, shape, generator=generator).double()

    def real(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    regular, zeros = whole(n, n), real(n, n)
    zeros[:, 0] = 0
    found = [real(n, n), real(n, n), regular, real(n, n), zeros, zeros.mT, torch.eye(n).double(), torch.linalg.qr(real(n, n))[0]]
    found += [f(n, rank) @ f(rank, n) for rank in range(n) for f in (whole, real)]
    found += [1 + 1e-3 * real(n, n), 1e-6 * regular, 1e5 * real(n, n), real(n, n).tril(), torch.ones(n, n).double()]
    found[0][-1, 0], found[1][0, -1] = torch.nan, -torch.inf
    return torch.stack(found).to(dtype)


def everything(a: Tensor) -> dict[str, Any]:
    return {"value": torch.linalg.det(a), "grad": grad(torch.det)(a), "jacfwd": jacfwd(Tensor.det)(a)}


def twice(a: Tensor) -> dict[str, Any]:
    return everything(a) | {"hessian": jacfwd(grad(torch.det))(a), "jacrev": jacrev(jacrev(torch.linalg.det))(a)}


def on_torch(f: Callable[[Tensor], Any], a: Tensor) -> Any:
    return vmap(Traced(f, [(a[BAD],), (a[BAD + 1],)]))(a)


def in_a_kernel(f: Callable[[Tensor], Any], a: Tensor) -> Any:
    return MapKernel(f, [a[0]], frozenset())([a], len(a))


def exact(a: Tensor, order: int) -> tuple[Tensor, float]:
    """The derivatives of some order: signed minors; and the most that a relative change of a by one changes them, to first
    order."""
    n, entries = len(a), [[Fraction(float(x)) for x in row] for row in a]
    largest = max(abs(x) for row in entries for x in row)

    @cache
    def minor(rows: tuple[int, ...], columns: tuple[int, ...]) -> Fraction:
        if not rows:
            return Fraction(1)
        terms = (entries[rows[0]][j] * minor(rows[1:], columns[:k] + columns[k + 1 :]) * (-1) ** k for k, j in enumerate(columns))
        return sum(terms, Fraction(0))

    found, spread = torch.zeros((n,) * (2 * order), dtype=torch.float64), Fraction(0)
    kept = list(combinations(range(n), max(0, n - order)))
    for places in np.ndindex(*found.shape):
        i, j = places[0::2], places[1::2]
        if len(set(i)) == len(set(j)) == order:
            rest = [tuple(k for k in range(n) if k not in gone) for gone in (i, j)]
            turned = sum(p > q for side in (i, j) for k, p in enumerate(side) for q in side[k + 1 :]) + sum(places)
            found[places] = float((-1) ** turned * minor(*rest))
    for rows in kept:
        for columns in kept:
            one_less = [rows[:k] + rows[k + 1 :] for k in range(len(rows))]
            less = [columns[:k] + columns[k + 1 :] for k in range(len(columns))]
            spread = max(spread, sum((abs(minor(r, c)) for r in one_less for c in less), Fraction(0)) * largest)
    return found, float(spread)


ORDERS = {"value": 0, "grad": 1, "jacfwd": 1, "hessian": 2, "jacrev": 2}
RUNS = [
    pytest.param(run, n, dtype, id=f"{run.__name__}-{n}-{dtype}")
    for run in (on_torch, in_a_kernel)
    for n, dtype in ((1, torch.float64), (2, torch.float64), (3, torch.float64), (4, torch.float32), (5, torch.float64))
]


@pytest.mark.parametrize("run, n, dtype", RUNS)
def test_a_determinant_and_its_derivatives_are_the_minors_whatever_the_rank(run: Any, n: int, dtype: torch.dtype) -> None:
    a = lanes(n, dtype)
    found = run(twice if n < 5 or run is on_torch else everything, a)
    for lane in range(BAD, len(a)):
        for name, value in found.items():
            expected, spread = exact(a[lane], ORDERS[name])
            unit = 4 * n * torch.finfo(dtype).eps
            bound = unit * spread + unit**2 * float(a[lane].abs().max()) ** max(0, n - ORDERS[name])
            assert float((value[lane].double() - expected).abs().max()) <= bound, (name, lane)


@pytest.mark.parametrize("run, n, dtype", RUNS[1::4])
def test_a_matrix_that_is_not_finite_has_no_determinant(run: Any, n: int, dtype: torch.dtype) -> None:
    for name, value in run(everything, lanes(n, dtype)).items():
        assert bool(value[:BAD].isnan().all()), name


@pytest.mark.parametrize("run", [on_torch, in_a_kernel])
def test_derivatives_hold_where_nothing_can_be_divided_by(run: Any) -> None:
    """Of zero the third, the signs of permutations; of numbers whose squares underflow the second, the numbers themselves."""
    a = torch.stack([torch.zeros(3, 3).double(), 1e-170 * (torch.arange(9.0).double().reshape(3, 3) + 1)]).repeat(2, 1, 1)
    found = run(lambda x: {"second": jacfwd(grad(torch.det))(x), "third": jacfwd(jacfwd(grad(torch.det)))(x)}, a)
    signs = torch.linalg.cross(torch.eye(3).double()[:, None], torch.eye(3).double()[None])
    third = torch.einsum("ikm,jln->ijklmn", signs, signs)
    torch.testing.assert_close(found["third"], third.expand(4, *third.shape), rtol=0, atol=0)
    torch.testing.assert_close(found["second"], torch.einsum("ijklmn,bmn->bijkl", third, a), rtol=1e-15, atol=0)


@pytest.mark.parametrize("shape", [(0, 0), (3, 2, 2), (17, 17)])
def test_determinants_of_several_matrices_of_none_and_of_large_ones_are_torchs(shape: tuple[int, ...]) -> None:
    a = torch.randn(3, *shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    found = vmap(Traced(torch.linalg.det, [(a[0],), (a[1],)]))(a)
    torch.testing.assert_close(found, torch.linalg.det(a), rtol=1e-13, atol=0)


def test_a_residual_of_determinants_is_solved_by_a_kernel_from_a_singular_start() -> None:
    """From a matrix of rank n - 1, where the derivative is the cofactors: to one whose determinant is the datum."""

    def residual(X: Any, d: Any) -> Any:
        return array_namespace(X).linalg.det(X) - d

    problem = Problem(name="volume", data={"d": ""}, params={"X": Param("n n")}, sizes={"n": 3}, residual=residual, exact=True)
    start = {"X": np.diag([1.0, 2.0, 0.0])}
    solution = engine.solve(problem, np.linspace(0.5, 3, 6), start=start, solver=LevenbergMarquardt())
    assert "fused" in str(solution.plan)
    assert bool(solution.converged.all())
    np.testing.assert_allclose(np.linalg.det(solution["X"]), np.linspace(0.5, 3, 6), rtol=1e-11)
