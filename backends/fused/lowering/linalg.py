"""Linear algebra of tiny matrices as plain torch operations, to be traced and lowered: elimination, unrolled. Needs torch.

Each function has the arguments and results of the ATen operation that it stands for. Numbers follow the rule of
`backends.torch.linalg`: where an input is not finite, or a factorisation breaks down, all floats of that lane are NaN.
Pivots are found by one-hot sums, for a lane cannot branch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

LIMIT = 16
"""Rows beyond which unrolling is refused."""


def _lu(a: Tensor) -> tuple[Tensor, Tensor]:
    """Factors of P A in one matrix, and LAPACK's pivots, counted from one."""
    rows, columns = a.shape[-2:]
    if max(rows, columns) > LIMIT:
        raise NotImplementedError(f"a matrix of {rows} by {columns}, more than {LIMIT}")
    pivots = []
    for k in range(min(rows, columns)):
        at = a[..., k:, k].abs().argmax(-1) + k
        a = _swap(a, k, at)
        pivots.append(at + 1)
        pivot, below = a[..., k : k + 1, k], a[..., k + 1 :, k]
        factor = torch.where(pivot == 0, below, below / pivot)
        rest = a[..., k + 1 :, k + 1 :] - factor[..., :, None] * a[..., k : k + 1, k + 1 :]
        lower = torch.cat([a[..., k + 1 :, :k], factor[..., :, None], rest], -1)
        a = torch.cat([a[..., : k + 1, :], lower], -2)
    return a, torch.stack(pivots, -1).to(torch.int32)


def _swap(x: Tensor, k: int, at: Tensor) -> Tensor:
    """Rows k and `at` exchanged."""
    there = (torch.arange(x.shape[-2]) == at[..., None])[..., None]
    chosen = torch.where(there, x, torch.zeros_like(x)).sum(-2, keepdim=True)
    x = torch.where(there, x[..., k : k + 1, :], x)
    return torch.cat([x[..., :k, :], chosen, x[..., k + 1 :, :]], -2)


def _permuted(x: Tensor, pivots: Tensor, back: bool) -> Tensor:
    """The exchanges of a factorisation in order, or undone."""
    steps = range(pivots.shape[-1])
    for k in reversed(steps) if back else steps:
        x = _swap(x, k, pivots[..., k].long() - 1)
    return x


def _substitute(a: Tensor, b: Tensor, upper: bool, unit: bool = False) -> Tensor:
    """The solution of a triangular system, row by row."""
    n = a.shape[-1]
    if n > LIMIT:
        raise NotImplementedError(f"a matrix of {n} rows, more than {LIMIT}")
    found: dict[int, Tensor] = {}
    for i in reversed(range(n)) if upper else range(n):
        row = b[..., i, :]
        for j in found:
            row = row - a[..., i, j, None] * found[j]
        found[i] = row if unit else row / a[..., i, i, None]
    return torch.stack([found[i] for i in range(n)], -2)


def _apply(lu: Tensor, pivots: Tensor, b: Tensor, adjoint: bool) -> Tensor:
    if adjoint:
        half = _substitute(lu.mT, b, upper=False)
        return _permuted(_substitute(lu.mT, half, upper=True, unit=True), pivots, back=True)
    half = _substitute(lu, _permuted(b, pivots, back=False), upper=False, unit=True)
    return _substitute(lu, half, upper=True)


def _lane(ok: Tensor, *parts: Tensor) -> Any:
    """Results where a lane is in order, NaN where it is not."""
    kept = tuple(torch.where(ok, p, torch.nan) if p.is_floating_point() else p for p in parts)
    return kept if len(kept) > 1 else kept[0]


def _finite(*arrays: Tensor) -> Tensor:
    return torch.stack([torch.isfinite(a).all() for a in arrays]).all()


def _info(broken: Tensor) -> Tensor:
    """The first place, counted from one, at which a factorisation breaks down; 0 where it does not."""
    n = broken.shape[-1]
    places = torch.arange(1, n + 1)
    first = torch.where(broken, places, n + 1).amin(-1)
    return torch.where(first > n, 0, first).to(torch.int32)


def _diagonal(lu: Tensor) -> Tensor:
    return lu.diagonal(dim1=-2, dim2=-1)


def _parity(pivots: Tensor) -> Tensor:
    """+1 or -1 by the number of exchanges."""
    swaps = (pivots != torch.arange(1, pivots.shape[-1] + 1)).sum(-1)
    return 1 - 2 * (swaps % 2)


def _oriented(a: Tensor) -> Tensor:
    """torch factors the transpose of a matrix in rows, and its derivatives count on it."""
    return a.mT if a.is_contiguous() else a


def _turns() -> bool:
    """Whether this torch factors the transpose when it solves: derivatives of the solution read the factors."""
    a = torch.tensor([[1.0, 2.0], [4.0, 3.0]])
    _, lu, pivots, _ = torch.ops.aten._linalg_solve_ex(a, torch.eye(2))
    p, lower, upper = torch.lu_unpack(lu, pivots)
    return not torch.allclose(p @ lower @ upper, a)


TURNS = _turns()


def det(a: Tensor) -> Any:
    lu, pivots = _lu(_oriented(a))
    value, lu = _lane(_finite(a), _diagonal(lu).prod(-1) * _parity(pivots), lu)
    return value, lu, pivots


def slogdet(a: Tensor) -> Any:
    lu, pivots = _lu(_oriented(a))
    diagonal = _diagonal(lu)
    sign, size = diagonal.sign().prod(-1) * _parity(pivots), diagonal.abs().log().sum(-1)
    sign, size, lu = _lane(_finite(a), sign, size, lu)
    return sign, size, lu, pivots


def lu_factor_ex(a: Tensor, *, pivot: bool = True, check_errors: bool = False) -> Any:
    if not pivot:
        raise NotImplementedError("elimination without pivots")
    lu, pivots = _lu(a)
    info = _info(_diagonal(lu) == 0)
    return _lane(_finite(a) & (info == 0).all(), lu), pivots, info


def inv_ex(a: Tensor, *, check_errors: bool = False) -> Any:
    lu, pivots = _lu(a)
    info = _info(_diagonal(lu) == 0)
    eye = torch.eye(a.shape[-1], dtype=a.dtype).expand(a.shape)
    return _lane(_finite(a) & (info == 0).all(), _apply(lu, pivots, eye, adjoint=False)), info


def solve_ex(a: Tensor, b: Tensor, *, left: bool = True, check_errors: bool = False) -> Any:
    turned = TURNS and a.is_contiguous()
    lu, pivots = _lu(a.mT if turned else a)
    info = _info(_diagonal(lu) == 0)
    vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    right = b[..., None] if vector else b
    x = lu_solve(lu, pivots, right, left=left, adjoint=turned)
    x, lu = _lane(_finite(a, b) & (info == 0).all(), x[..., 0] if vector else x, lu)
    return x, lu, pivots, info


def lu_solve(lu: Tensor, pivots: Tensor, b: Tensor, *, left: bool = True, adjoint: bool = False) -> Tensor:
    x = _apply(lu, pivots, b, adjoint) if left else _apply(lu, pivots, b.mT, not adjoint).mT
    found: Tensor = _lane(_finite(lu, b), x)
    return found


def lu_unpack(lu: Tensor, pivots: Tensor, unpack_data: bool = True, unpack_pivots: bool = True) -> Any:
    rows, columns = lu.shape[-2:]
    least = min(rows, columns)
    lower = lu[..., :, :least].tril(-1) + torch.eye(rows, least, dtype=lu.dtype)
    eye = torch.eye(rows, dtype=lu.dtype).expand(*lu.shape[:-2], rows, rows)
    return _permuted(eye, pivots, back=True), lower, lu[..., :least, :].triu()


def cholesky_ex(a: Tensor, *, upper: bool = False, check_errors: bool = False) -> Any:
    n = a.shape[-1]
    if n > LIMIT:
        raise NotImplementedError(f"a matrix of {n} rows, more than {LIMIT}")
    rest, columns, pivots = a.mT if upper else a, [], []
    for k in range(n):
        pivot = rest[..., k, k]
        pivots.append(pivot)
        column = torch.cat([torch.zeros_like(rest[..., :k, k]), rest[..., k:, k] / pivot.sqrt()[..., None]], -1)
        rest = rest - column[..., :, None] * column[..., None, :]
        columns.append(column)
    lower = torch.stack(columns, -1)
    info = _info(~(torch.stack(pivots, -1) > 0))
    return _lane(_finite(a) & (info == 0).all(), lower.mT if upper else lower), info


def solve_triangular(a: Tensor, b: Tensor, *, upper: bool, left: bool = True, unitriangular: bool = False) -> Tensor:
    x = _substitute(a, b, upper, unitriangular) if left else _substitute(a.mT, b.mT, not upper, unitriangular).mT
    found: Tensor = _lane(_finite(a, b), x)
    return found


def triangular_solve(b: Tensor, a: Tensor, upper: bool = True, transpose: bool = False, unitriangular: bool = False) -> Any:
    used = a.mT if transpose else a
    return _lane(_finite(a, b), _substitute(used, b, upper != transpose, unitriangular)), a.clone()


def cholesky_solve(b: Tensor, factor: Tensor, upper: bool = False) -> Tensor:
    lower = factor.mT if upper else factor
    half = _substitute(lower, b, upper=False)
    found: Tensor = _lane(_finite(b, factor), _substitute(lower.mT, half, upper=True))
    return found


def cholesky_inverse(factor: Tensor, upper: bool = False) -> Tensor:
    return cholesky_solve(torch.eye(factor.shape[-1], dtype=factor.dtype).expand(factor.shape), factor, upper)


OPERATIONS: dict[str, Callable[..., Any]] = {
    "_linalg_det": det,
    "_linalg_slogdet": slogdet,
    "_linalg_solve_ex": solve_ex,
    "linalg_lu_factor_ex": lu_factor_ex,
    "linalg_lu_solve": lu_solve,
    "lu_unpack": lu_unpack,
    "linalg_inv_ex": inv_ex,
    "linalg_cholesky_ex": cholesky_ex,
    "linalg_solve_triangular": solve_triangular,
    "triangular_solve": triangular_solve,
    "cholesky_solve": cholesky_solve,
    "cholesky_inverse": cholesky_inverse,
}
"""ATen name -> the function."""
