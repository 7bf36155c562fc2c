"""Slices that go backwards, x[::-1], which NumPy has and torch has not: the slice forwards, and a flip."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

Index = Any


def is_backwards(index: Index) -> bool:
    """Whether a slice of an index has a negative step."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(isinstance(part, slice) and isinstance(part.step, int) and part.step < 0 for part in parts)


def backwards(x: Tensor, index: Index) -> Tensor:
    """x[index], as NumPy reads it; integers, slices, None and ... beside.

    >>> backwards(torch.arange(5), slice(3, None, -2)).tolist()
    [3, 1]
    """
    parts = list(index) if isinstance(index, tuple) else [index]
    if Ellipsis in parts:
        at = parts.index(Ellipsis)
        known = sum(part is not None and part is not Ellipsis for part in parts)
        parts[at : at + 1] = [slice(None)] * (x.ndim - known)
    forwards, turned, axis = list[Any](), list[int](), 0
    for part in parts:
        if isinstance(part, slice) and (part.step or 1) < 0:
            places = range(*part.indices(x.shape[axis]))
            part = slice(places[-1], places[0] + 1, -places.step) if places else slice(0, 0)
            turned.append(sum(not isinstance(other, int) for other in forwards))
        forwards.append(part)
        axis += part is not None
    return torch.flip(x[tuple(forwards)], turned)
