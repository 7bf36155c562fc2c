"""Pseudo-inverses of many small matrices, each by itself: a singular one costs the others nothing.

A matrix that is well conditioned is inverted directly. The others, few as a rule, take a singular value decomposition, in which
what is `RANK` eps times the size below the largest counts as zero. Columns are scaled to length 1 before, so that units play
no part; what is left free is chosen by the least norm in the units as they came.

Source:
    Golub and Van Loan, Matrix Computations, sections 5.5 (rank deficiency, minimum norm) and 3.5.2 (scaling).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Method = Callable[[Tensor, Tensor], Tensor]

RANK = 50.0
"""Times eps and the larger side: the share of the largest singular value below which one counts as zero."""


def pseudo_inverse(matrices: Tensor, symmetric: bool) -> Tensor:
    """H^+ of symmetric matrices `(..., k, k)`, or J^+ for J' `(..., k, m)`; each by itself.

    >>> pseudo_inverse(torch.tensor([[[2.0, 0.0], [0.0, 0.0]]]), symmetric=True).tolist()
    [[[0.5, 0.0], [0.0, 0.0]]]
    """
    return _of_symmetric(matrices) if symmetric else _of_columns(matrices)


def _unit_columns(columns: Tensor) -> tuple[Tensor, Tensor]:
    """J' with columns of length 1, or 0, and their lengths."""
    lengths = torch.linalg.vector_norm(columns, dim=-1)
    lengths = torch.where(lengths > 0, lengths, 1)
    return columns / lengths[..., None], lengths


def _unit_symmetric(matrix: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """H with a diagonal of ones, the square roots of its own, and 1 where a row is zero, which has a one there instead."""
    held = (matrix == 0).all(-1).to(matrix.dtype)
    lengths = torch.diagonal(matrix, dim1=-2, dim2=-1).abs().sqrt()
    lengths = torch.where(lengths > 0, lengths, 1)
    return matrix / lengths[..., None] / lengths[..., None, :] + torch.diag_embed(held), lengths, held


def _from_unit(inverse: Tensor, lengths: Tensor, held: Tensor) -> Tensor:
    """The inverse of H from that of the matrix with a diagonal of ones; 0 in rows that are zero."""
    return (inverse - torch.diag_embed(held)) / lengths[..., None] / lengths[..., None, :]


def _of_columns(columns: Tensor) -> Tensor:
    """J^+ for J' `(..., k, m)`: `(..., k, m)`."""
    unit, lengths = _unit_columns(columns)
    k, m = unit.shape[-2:]
    if m > k:
        q, r = torch.linalg.qr(unit.mT)
        back = torch.linalg.solve_triangular(r, q.mT, upper=True)
    else:
        back = torch.linalg.inv_ex(unit.mT)[0] if m == k else torch.full_like(unit, torch.nan)
    return _mended(back / lengths[..., None], _is_regular(unit, back), unit, lengths, _deficient)


def _of_symmetric(matrix: Tensor) -> Tensor:
    """H^+ for symmetric H `(..., k, k)`."""
    unit, lengths, held = _unit_symmetric(matrix)
    back = torch.linalg.inv_ex(unit)[0]
    found = _from_unit(back, lengths, held)
    return _mended(found, _is_regular(unit, back), unit - torch.diag_embed(held), lengths, _symmetric)


def _rounding(matrix: Tensor) -> float:
    return RANK * torch.finfo(matrix.dtype).eps * max(matrix.shape[-2:])


def _is_regular(matrix: Tensor, inverse: Tensor) -> Tensor:
    """Whether the condition is so low that no singular value counts as zero."""
    condition = torch.linalg.matrix_norm(matrix) * torch.linalg.matrix_norm(inverse)
    found: Tensor = condition * _rounding(matrix) < 1
    return found


def _mended(found: Tensor, regular: Tensor, unit: Tensor, lengths: Tensor, method: Method) -> Tensor:
    """The inverses with those of the other matrices by a decomposition; NaN stays NaN."""
    finite = torch.isfinite(unit.flatten(-2).sum(-1))
    rest = (~regular & finite).flatten().nonzero()[:, 0]
    if not len(rest):
        return found
    flat = found.flatten(0, -3) if found.ndim > 2 else found[None]
    wide = unit.reshape(-1, *unit.shape[-2:])[rest], lengths.reshape(-1, lengths.shape[-1])[rest]
    mended: Tensor = flat.index_copy(0, rest, method(*wide)).reshape(found.shape)
    return mended


def _deficient(unit: Tensor, lengths: Tensor) -> Tensor:
    """J^+ by singular values of J with columns of length 1."""
    k, m = unit.shape[-2:]
    v, s, u = torch.linalg.svd(unit, full_matrices=m < k)
    kept = s > s[:, :1] * _rounding(unit)
    inverse = (v[..., : s.shape[-1]] * torch.where(kept, 1 / torch.where(kept, s, 1), 0)[:, None, :]) @ u[:, : s.shape[-1]]
    free = torch.nn.functional.pad(~kept, (0, k - s.shape[-1]), value=True)
    found: Tensor = _least(v, free, lengths) @ (inverse / lengths[..., None])
    return found


def _symmetric(unit: Tensor, lengths: Tensor) -> Tensor:
    """H^+ by eigenvalues of H with a diagonal of ones."""
    values, v = torch.linalg.eigh(unit)
    size = values.abs()
    kept = size > size.amax(-1, keepdim=True) * _rounding(unit)
    inverse = (v * torch.where(kept, 1 / torch.where(kept, values, 1), 0)[:, None, :]) @ v.mT
    least = _least(v, ~kept, lengths)
    found: Tensor = least @ (inverse / lengths[..., None] / lengths[..., None, :]) @ least
    return found


def _least(v: Tensor, free: Tensor, lengths: Tensor) -> Tensor:
    """The projection on the complement of the free directions, in the units as they came: `(..., k, k)`."""
    span = torch.where(free[:, None, :], v / lengths[..., None], 0)
    size = torch.linalg.vector_norm(span, dim=-2, keepdim=True)
    u, s, _ = torch.linalg.svd(span / torch.where(size > 0, size, 1))
    u = torch.where(torch.arange(s.shape[-1], device=s.device) < free.sum(-1, keepdim=True), 1, 0)[:, None, :] * u
    found: Tensor = torch.eye(u.shape[-1], dtype=u.dtype, device=u.device) - u @ u.mT
    return found
