"""Numerics on the host, in float64 NumPy: what a plan looks at once, never what a lane computes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from backends.arrays import draw

ZERO = 1e-10
"""Entries below this share of their row's and column's diagonal are zeros with rounding in them."""


def sample(shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    """Random numbers between 0.5 and 1.5, of no pattern."""
    return 0.5 + draw("uniform", shape, seed, name)


def components(matrices: Sequence[Any]) -> tuple[tuple[int, ...], ...]:
    """The connected components of symmetric matrices' common pattern, each ascending, by first member.

    >>> components([np.array([[1.0, 0.0, 0.5], [0.0, 2.0, 0.0], [0.5, 0.0, 1.0]])])
    ((0, 2), (1,))
    """
    size = len(matrices[0])
    linked = np.zeros((size, size), bool)
    for matrix in matrices:
        root = np.sqrt(np.abs(np.diagonal(matrix)))
        linked |= ~(np.abs(matrix) <= ZERO * root[:, None] * root)
    label = np.full(size, -1)
    for first in range(size):
        if label[first] >= 0:
            continue
        member = np.zeros(size, bool)
        member[first] = True
        front = member
        while front.any():
            front = linked[front].any(axis=0) & ~member
            member = member | front
        label[member] = first
    return tuple(tuple(map(int, np.flatnonzero(label == first))) for first in np.unique(label))


def agree(a: Any, b: Any) -> bool:
    """Two vectors are the same but for rounding."""
    a, b = np.asarray(a), np.asarray(b)
    return bool(np.max(np.abs(a - b), initial=0.0) <= 1e-9 * np.max(np.abs(a), initial=1e-300))
