"""Arrays of one lane, one after the other: what a kernel is given, keeps and gives. Needs `lowering` for names of dtypes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from backends.fused.lowering.lower import dtype_name


@dataclass(frozen=True)
class Leaf:
    """An array of the lane: its dotted name, shape, dtype, and where its first number stands."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def layout(tree_names: Sequence[str], arrays: Sequence[Any]) -> list[Leaf]:
    """Leaves one after the other; arrays are tensors or views of one lane."""
    found, offset = [], 0
    for name, array in zip(tree_names, arrays, strict=True):
        dtype = dtype_name(array.dtype) if isinstance(array.dtype, torch.dtype) else array.dtype
        found.append(Leaf(name, tuple(array.shape), dtype, offset))
        offset += found[-1].size
    return found


def packed(leaves_: list[Leaf]) -> list[Leaf]:
    """Leaves one after the other, without gaps."""
    found, offset = [], 0
    for leaf in leaves_:
        found.append(Leaf(leaf.name, leaf.shape, leaf.dtype, offset))
        offset += leaf.size
    return found
