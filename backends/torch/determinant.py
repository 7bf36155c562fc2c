"""Determinants of small matrices as plain operations, so that derivatives of any order are those of elimination.

torch differentiates a determinant by a singular value decomposition where it differentiates twice, which has no lowering to
a native kernel and no second derivative where singular values are equal. Needs nothing but torch.
"""

from __future__ import annotations

import torch
from torch import Tensor

LIMIT = 16
"""Rows beyond which elimination is not unrolled."""


def det(a: Tensor, **out: object) -> Tensor:
    """det a = +-p_1 ... p_(n-2) det R: pivots of Gaussian elimination with complete pivoting, and the 2 x 2 that is left.

    a is (..., n, n), the result (...), both of one float dtype. Values, gradients (cofactors) and second derivatives hold
    for a matrix of any rank: what is left after the last pivot is not divided by, and where all of the last 3 x 3 is zero,
    its determinant is expanded. (Where a pivot before vanishes, n - 4 at most is the rank, and two derivatives are zero.)
    An overflow apart, the error is that of a small relative change of a, as with LAPACK.

    NaN where an entry is not finite, derivatives too. Beyond `LIMIT` rows, in other dtypes, or with `out`: torch's own.
    """
    if out or not a.dtype.is_floating_point or a.dtype.itemsize < 4 or a.ndim < 2 or not a.shape[-2] == a.shape[-1] <= LIMIT:
        own: Tensor = torch.linalg.det(a, **out)
        return own
    if a.shape[-1] == 0:
        return a.new_ones(a.shape[:-2])
    finite = torch.isfinite(a).flatten(-2).all(-1)
    return _expanded(a * torch.where(finite, 1.0, torch.nan)[..., None, None].to(a.dtype))


def _expanded(a: Tensor) -> Tensor:
    n = a.shape[-1]
    if n <= 2:
        return a[..., 0, 0] if n == 1 else a[..., 0, 0] * a[..., 1, 1] - a[..., 0, 1] * a[..., 1, 0]
    pivot, rest, tiny = _eliminated(a)
    value = pivot * _expanded(rest)
    if n > 3:
        return value
    x, y, z = torch.where(tiny[..., None, None], a, 0.0).unbind(-2)
    return torch.where(tiny, (x * torch.linalg.cross(y, z)).sum(-1), value)


def _eliminated(a: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The largest entry, with its sign in the determinant; what is left without its row and column; is it as good as zero?"""
    column = a.abs().amax(-2).argmax(-1)
    first, others = _taken(a.mT, column)
    row = first.abs().argmax(-1)
    top, below = _taken(torch.cat([first[..., None], others.mT], -1), row)
    pivot = top[..., 0]
    tiny = pivot.abs() < torch.finfo(a.dtype).tiny ** 0.5  # its square divides second derivatives
    ratios = torch.where(tiny[..., None], 0.0, top[..., 1:] / torch.where(tiny, 1.0, pivot)[..., None])
    rest = below[..., 1:] - below[..., :1] * ratios[..., None, :]
    return torch.where((column == 0) == (row == 0), pivot, -pivot), rest, tiny


def _taken(x: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Row `at`, and the others, with the first in its place. By one-hot sums, for a lane cannot branch."""
    there = (torch.arange(x.shape[-2], device=x.device) == at[..., None])[..., None]
    taken = torch.where(there, x, 0.0).sum(-2)
    return taken, torch.where(there[..., 1:, :], x[..., :1, :], x[..., 1:, :])
