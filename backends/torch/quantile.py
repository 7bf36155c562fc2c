"""Quantiles as plain operations: forward mode through torch's own, which writes in place, ends the process in a trace (2.13).

Needs nothing but torch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def replacement(own: Callable[..., Any]) -> Callable[..., Any]:
    """`torch.quantile` or `torch.nanquantile`, with the arguments and the results of torch's."""

    def quantile(
        x: Tensor, q: Any, dim: int | None = None, keepdim: bool = False, interpolation: str = "linear", **out: Any
    ) -> Any:
        known = not isinstance(q, Tensor)
        if out or interpolation not in _ROUNDED or (known and not 0 <= q <= 1) or not x.numel():
            return own(x, q, dim, keepdim, interpolation=interpolation, **out)  # and what it says of them
        level = torch.as_tensor(q, dtype=x.dtype, device=x.device) if known else q
        rows = x.reshape(-1) if dim is None else x.movedim(dim, -1)
        found = _of_rows(rows, level.reshape(-1), interpolation, own is torch.nanquantile)
        if keepdim:
            found = found.reshape(*(1 for _ in x.shape), -1) if dim is None else found.unsqueeze(-2).movedim(-2, dim - (dim < 0))
        return found.movedim(-1, 0) if level.ndim else found[..., 0]

    return quantile


_ROUNDED: dict[str, Callable[[Tensor], Tensor]] = {
    "linear": torch.clone,
    "midpoint": torch.clone,
    "lower": torch.floor,
    "higher": torch.ceil,
    "nearest": torch.round,
}


def _of_rows(rows: Tensor, levels: Tensor, interpolation: str, ignored: bool) -> Tensor:
    """Along the last axis, which becomes that of the levels. NaN is the largest number where it is not `ignored`."""
    ordered = rows.sort(-1).values
    last = ordered.shape[-1] - 1
    if ignored:
        rank = levels * ((~rows.isnan()).sum(-1, keepdim=True) - 1).clamp(min=0)
    else:
        rank = torch.where(ordered[..., -1:].isnan(), last, levels * last)
    possible = (levels >= 0) & (levels <= 1)
    rank = _ROUNDED[interpolation](torch.where(possible, rank, 0.0))
    below = rank.long()
    value = ordered.gather(-1, below)
    if interpolation in ("linear", "midpoint"):
        weight = torch.full_like(rank, 0.5) if interpolation == "midpoint" else rank - below
        value = torch.lerp(value, ordered.gather(-1, rank.ceil().long()), weight)
    return torch.where(possible, value, torch.nan)
