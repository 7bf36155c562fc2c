"""Determinants, inverses, solutions and factors in native kernels where a lane is singular, zero or not finite.

By the rule of the project such a lane has NaN, as on every backend, where its factorisation breaks down; a determinant of
zero is a number. No other lane changes by a bit.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, linalg
from torch.func import grad

from backends.fused.run.mapped import MapKernel
from backends.tree import leaves

GOOD = [0, 2, 4, 6, 8, 10, 11]
SINGULAR, ZERO, NAN, INFINITE, HUGE = 1, 3, 5, 7, 9


def lanes(n: int, dtype: torch.dtype) -> Tensor:
    """Symmetric positive definite matrices, and what is not one at odd places."""
    x = torch.randn(12, n, n, generator=torch.Generator().manual_seed(n), dtype=torch.float64)
    a = x @ x.mT + n * torch.eye(n, dtype=torch.float64)
    a[SINGULAR] = 2  # of rank one
    a[ZERO] = 0
    a[NAN, n - 1, 0] = torch.nan
    a[INFINITE, 0, n - 1] = torch.inf
    a[HUGE] = torch.eye(n, dtype=torch.float64) * 1e300
    return a.to(dtype)


def column(a: Tensor) -> Tensor:
    return torch.arange(1, a.shape[-1] + 1, dtype=a.dtype)


VALUES: dict[str, Callable[[Tensor], Any]] = {
    "det": linalg.det,
    "det of LAPACK": torch.ops.aten.linalg_det,
    "slogdet": lambda a: linalg.slogdet(a)[1],
    "sign": lambda a: linalg.slogdet(a)[0],
    "inv": linalg.inv,
    "solve": lambda a: linalg.solve(a, column(a)),
    "solve from the right": lambda a: linalg.solve(a, a + 1, left=False),
    "cholesky": linalg.cholesky,
    "cholesky_solve": lambda a: torch.cholesky_solve(column(a)[:, None], linalg.cholesky(a)),
    "solve_triangular": lambda a: linalg.solve_triangular(a.tril(), column(a)[:, None], upper=False),
    "lu_solve": lambda a: linalg.lu_solve(*linalg.lu_factor(a), column(a)[:, None]),
    "matrix_power": lambda a: linalg.matrix_power(a, -1),
}


def _summed(f: Callable[[Tensor], Any]) -> Callable[[Tensor], Tensor]:
    return lambda x: f(x).sum()


def everything(a: Tensor) -> dict[str, Any]:
    """Every value and its derivative; that of LAPACK's determinant is made of an SVD, which kernels do not have."""
    slopes = {f"grad of {name}": grad(_summed(f))(a) for name, f in VALUES.items() if name not in ("sign", "det of LAPACK")}
    return {name: f(a) for name, f in VALUES.items()} | slopes


@pytest.fixture(scope="module", params=[(2, torch.float64), (3, torch.float32)], ids=str)
def solved(request: Any) -> tuple[Tensor, MapKernel, dict[str, Tensor]]:
    a = lanes(*request.param)
    kernel = MapKernel(everything, [a[0]], frozenset())
    found: Any = kernel([a], len(a))
    return a, kernel, found


def test_good_lanes_keep_their_bits_beside_bad_ones(solved: Any) -> None:
    a, kernel, found = solved
    alone = kernel([a[GOOD]], len(GOOD))
    for name, value in found.items():
        assert torch.equal(value[GOOD], alone[name]), name
        for lane in GOOD[::3]:
            assert torch.equal(value[lane], kernel([a[lane : lane + 1]], 1)[name][0]), name


def test_good_lanes_have_torchs_answers(solved: Any) -> None:
    a, _, found = solved
    rtol = 1e-11 if a.dtype == torch.float64 else 1e-3
    for lane in GOOD:
        for name, value in everything(a[lane]).items():
            scale = float(value.abs().max())
            torch.testing.assert_close(found[name][lane], value, rtol=rtol, atol=rtol * scale, msg=name)


def test_a_lane_that_is_not_finite_is_nan(solved: Any) -> None:
    _, _, found = solved
    for name, value in found.items():
        for lane in (NAN, INFINITE):
            if name.endswith("solve_triangular") and lane == INFINITE:
                continue  # the triangle that it reads is finite
            read = value[lane].tril() if name == "cholesky" and value.ndim == 3 else value[lane]
            assert bool(read[read != 0].isnan().all()) and bool(read.isnan().any()), (name, lane)


def test_a_singular_lane_has_determinant_zero_and_no_inverse(solved: Any) -> None:
    a, _, found = solved
    for lane in (SINGULAR, ZERO) if a.shape[-1] > 1 else (ZERO,):
        for name, expected in (
            ("det", linalg.det),
            ("det of LAPACK", linalg.det),
            ("slogdet", VALUES["slogdet"]),
            ("sign", VALUES["sign"]),
        ):
            torch.testing.assert_close(found[name][lane], expected(a[lane]), rtol=0, atol=0)
        for name in ("inv", "solve", "solve from the right", "lu_solve", "matrix_power", "cholesky"):
            if name == "cholesky" and lane == SINGULAR:
                continue  # rounding decides the sign of its last pivot
            assert bool(found[name][lane].isnan().any()), name
            assert not bool(found[name][lane].isfinite().any()) or name == "cholesky", name


def test_a_huge_lane_is_as_torchs(solved: Any) -> None:
    a, _, found = solved
    if a.dtype == torch.float64:
        for name in ("det", "slogdet", "sign", "inv", "solve", "cholesky"):
            torch.testing.assert_close(found[name][HUGE], VALUES[name](a[HUGE]), rtol=1e-13, atol=0, msg=name)


def test_the_kernel_computes_every_entry(solved: Any) -> None:
    assert len(leaves(solved[2])) == 2 * len(VALUES) - 2
