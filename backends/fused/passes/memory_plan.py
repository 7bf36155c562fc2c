"""Places of buffers in scratch memory: dead ones lend their room, so that a block of lanes stays in the caches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Buffer:
    """Some vectors that are needed from one group of loops to another, both included."""

    name: str
    size: int
    first: int
    last: int


def pack(buffers: Sequence[Buffer]) -> tuple[list[int], int]:
    """The start of each buffer, and the room of all: the largest first, each at the lowest place that is free while it lives.

    Source:
        Pisarchyk and Lee, Efficient memory management for deep neural net inference, arXiv 2001.03288, section 5.1
        (greedy by size).

    Example:
        >>> pack([Buffer("a", 4, 0, 1), Buffer("b", 3, 1, 2), Buffer("c", 2, 2, 3)])
        ([0, 4, 0], 7)
    """
    count = len(buffers)
    first, last = (np.array([getattr(b, name) for b in buffers], dtype=np.int64) for name in ("first", "last"))
    size = np.array([b.size for b in buffers], dtype=np.int64)
    start, placed = np.zeros(count, dtype=np.int64), np.zeros(count, dtype=bool)
    # Intervals of time and of places: two buffers may overlap in one of them. Large ones first, as small ones fit into the gaps
    # between them and not the other way round; finding the least room is NP-hard (dynamic storage allocation).
    for k in np.argsort(-size, kind="stable"):
        beside = np.flatnonzero(placed & (first <= last[k]) & (first[k] <= last))
        at = 0
        for other in beside[np.argsort(start[beside], kind="stable")]:
            if start[other] - at >= size[k]:
                break
            at = max(at, int(start[other] + size[other]))
        start[k], placed[k] = at, True
    return start.tolist(), int((start + size).max(initial=0))
