"""NumPy's functions of sequences on tensors: choices, tables, differences, padding, convolution, values that are missing.

Each is made of operations that every transform has a rule for, and that kernels are made of. Needs nothing but torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from backends.errors import TraceError
from backends.refusals import MEANING

Operand = Tensor | float
"""A tensor or a Python number."""


def beside(value: Any, like: Tensor) -> Tensor:
    """Numbers, and lists of numbers and tensors, in the dtype of a tensor and where it lies."""
    if isinstance(value, tuple | list):
        return torch.stack([beside(item, like) for item in value])
    return value if isinstance(value, Tensor) else torch.as_tensor(value, dtype=like.dtype, device=like.device)


def select(conditions: Sequence[Tensor], choices: Sequence[Operand], default: Operand = 0.0) -> Tensor:
    """The choice of the first condition that holds."""
    like = next((c for c in [*choices, default] if isinstance(c, Tensor)), conditions[0] * 1.0)
    found = beside(default, like)
    for condition, choice in reversed(list(zip(conditions, choices, strict=True))):
        found = torch.where(condition, beside(choice, like), found)
    return found


def interp(x: Tensor, xp: Any, fp: Any, left: Operand | None = None, right: Operand | None = None) -> Tensor:
    """The piecewise linear function through points whose `xp` increase, constant outside; by one term a segment, and a choice."""
    like = next(a for a in (x, fp, xp) if isinstance(a, Tensor) and a.is_floating_point())
    x, xp, fp = (beside(a, like) for a in (x, xp, fp))
    inside = torch.minimum(torch.maximum(x, xp[0]), xp[-1])[..., None]
    width = xp[1:] - xp[:-1]
    between = fp[:-1] + (inside - xp[:-1]) * ((fp[1:] - fp[:-1]) / torch.where(width > 0, width, torch.ones_like(width)))
    past = inside >= xp[1:-1]
    ends = torch.zeros_like(inside) > 0
    first_of = torch.cat([~ends, past], -1) & ~torch.cat([past, ends], -1)  # NaN is of the first segment
    found = torch.where(first_of, between, torch.zeros_like(between)).sum(-1)
    found = found if left is None else torch.where(x < xp[0], beside(left, like), found)
    return found if right is None else torch.where(x > xp[-1], beside(right, like), found)


def digitize(x: Tensor, bins: Any, right: bool = False) -> Tensor:
    """The interval of each number between edges that increase or decrease; it holds its upper edge where `right`, else the lower."""
    edges = beside(bins, x)
    above = edges >= x[..., None] if right else edges > x[..., None]
    return torch.where(edges[0] <= edges[-1], (~above).sum(-1), above.sum(-1))


def heaviside(x: Tensor, at_zero: Operand) -> Tensor:
    """0 left of 0, 1 right of it."""
    zero = torch.zeros_like(x)
    return torch.where(x < 0, zero, torch.where(x > 0, zero + 1, torch.where(x == 0, beside(at_zero, x), x)))


def linspace(start: Operand, stop: Operand, num: int = 50, endpoint: bool = True, *, axis: int = 0) -> Tensor:
    """Numbers at equal distances."""
    like = start if isinstance(start, Tensor) else stop
    assert isinstance(like, Tensor)
    start, stop = beside(start, like), beside(stop, like)
    steps = max(num - endpoint, 1)
    found = [start + (stop - start) * (k / steps) if k < steps else stop for k in range(num)]
    return torch.stack(torch.broadcast_tensors(*found), axis)  # type: ignore[no-untyped-call]


def vander(x: Tensor, N: int | None = None, increasing: bool = False) -> Tensor:
    """Powers of a vector, the highest first."""
    count = x.shape[0] if N is None else N
    powers = [x**k if k else torch.ones_like(x) for k in range(count)]
    return torch.stack(powers if increasing else powers[::-1], 1)


def diff(x: Tensor, n: int = 1, axis: int = -1, prepend: Any = None, append: Any = None) -> Any:
    """Differences of neighbours, with what stands before and behind."""
    ends = [None if end is None else _end(end, x, axis) for end in (prepend, append)]
    whole = [part for part in (ends[0], x, ends[1]) if part is not None]
    return torch.diff(torch.cat(whole, axis) if len(whole) > 1 else x, n, dim=axis)


def _end(value: Any, x: Tensor, axis: int) -> Tensor:
    """An array that stands at the end of another; a number in all its places."""
    end = beside(value, x)
    return end if end.ndim else end.expand([1 if k == axis % x.ndim else size for k, size in enumerate(x.shape)])


def ediff1d(x: Tensor, to_end: Any = None, to_begin: Any = None) -> Tensor:
    """Differences of neighbours, and what stands before and behind them."""
    parts = [None if part is None else beside(part, x).reshape(-1) for part in (to_begin, torch.diff(x.reshape(-1)), to_end)]
    return torch.cat([part for part in parts if part is not None])


def gradient(f: Tensor, *spacing: Any, axis: int | Sequence[int] | None = None) -> Any:
    """Central differences of second order, one-sided at both ends: along each axis, or a list of several."""
    axes = list(range(f.ndim)) if axis is None else [axis] if isinstance(axis, int) else list(axis)
    steps = list(spacing) * len(axes) if len(spacing) == 1 else list(spacing) or [1.0] * len(axes)
    found = [_slopes(f.movedim(k, -1), step).movedim(-1, k) for k, step in zip(axes, steps, strict=True)]
    return found[0] if len(found) == 1 else found


def _slopes(f: Tensor, spacing: Any) -> Tensor:
    """Along the last axis, at a distance, or at coordinates."""
    at = beside(spacing, f)
    steps = torch.diff(at) if at.ndim else at.expand(f.shape[-1] - 1)
    slopes = torch.diff(f) / steps
    share = steps[1:] / (steps[:-1] + steps[1:])  # of the slope on the left
    return torch.cat([slopes[..., :1], slopes[..., :-1] * share + slopes[..., 1:] * (1 - share), slopes[..., -1:]], -1)


def pad(x: Tensor, pad_width: Any, mode: str = "constant", *, constant_values: Operand = 0.0) -> Tensor:
    """Places around an array: a number, or `edge`, its own last one. Raises TraceError for another mode."""
    if mode not in ("constant", "edge"):
        raise TraceError(f"calls np.pad with mode={mode!r}", MEANING, "mode='constant', mode='edge', or np.concatenate")
    widths = [pad_width] if isinstance(pad_width, int) else list(pad_width)
    pairs: list[Any] = [(widths[0], widths[-1])] if isinstance(widths[0], int) else widths
    for axis, (before, behind) in enumerate(pairs * (x.ndim if len(pairs) == 1 else 1)):
        ends = []
        for place, count in ((0, before), (-1, behind)):
            edge = x.narrow(axis, place % x.shape[axis], 1)
            edge = edge if mode == "edge" else torch.zeros_like(edge) + constant_values
            ends.append(edge.expand([count if k == axis else size for k, size in enumerate(x.shape)]))
        x = torch.cat([ends[0], x, ends[1]], axis)
    return x


def convolve(a: Any, v: Any, mode: str = "full") -> Any:
    """The convolution of two vectors: sums of one's shifts, with the other's numbers."""
    like = a if isinstance(a, Tensor) else v
    a, v = beside(a, like), beside(v, like)
    long, short = (a, v) if len(a) >= len(v) else (v, a)
    size, count = len(long), len(short)
    around = pad(long, count - 1)
    shifted = torch.stack([around[count - 1 - k : 2 * count - 2 - k + size] for k in range(count)])
    first, length = {"full": (0, size + count - 1), "same": ((count - 1) // 2, size), "valid": (count - 1, size - count + 1)}[
        mode
    ]
    return (short @ shifted)[first : first + length]


def nansum(x: Tensor, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Tensor:
    """The sum of what is there."""
    axes = tuple(range(x.ndim)) if axis is None else axis
    return torch.where(x.isnan(), torch.zeros_like(x), x).sum(axes, keepdim=keepdims)


def nanmean(x: Tensor, axis: int | tuple[int, ...] | None = None, *, keepdims: bool = False) -> Tensor:
    """The mean of what is there."""
    there = torch.where(x.isnan(), torch.zeros_like(x), torch.ones_like(x))
    return nansum(x, axis, keepdims=keepdims) / nansum(there, axis, keepdims=keepdims)


def quantile(x: Tensor, q: Any, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The entries around a rank, and between them."""
    return torch.quantile(x, q, dim=axis, keepdim=keepdims)


def percentile(x: Tensor, q: Any, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """A quantile by hundredths."""
    return quantile(x, q / 100, axis, keepdims=keepdims)


def median(x: Tensor, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The entry in the middle, or the mean of two."""
    return quantile(x, 0.5, axis, keepdims=keepdims)


_ALL = (
    select, interp, digitize, heaviside, linspace, vander, diff, ediff1d, gradient, pad, convolve, nansum, nanmean, quantile, percentile, median,
)  # fmt: skip

SEQUENCES: dict[str, Callable[..., Any]] = {own.__name__: own for own in _ALL}
"""NumPy's names -> functions."""
