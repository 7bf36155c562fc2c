"""Connected components of coordinates that share rows, on the host in float64: a plan looks at them once, a lane never.

Disjoint sets as labels: each coordinate has the least number of its set, and a union relabels all members (quick-find:
Sedgewick and Wayne, Algorithms, section 1.5). NumPy relabels a vector faster than Python
follows a tree of parents.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backends.arrays import draw

ZERO = 1e-10
"""Entries below this share of their row's and column's diagonal are zeros with rounding in them."""

Indices = np.ndarray
"""Numbers of entries, `(k,)`."""


def random_point(shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    """Random numbers of sizes between 0.5 and 1.5 and of both signs, of no pattern."""
    sign = np.where(draw("uniform", shape, seed, f"sign of {name}") < 0.5, -1.0, 1.0)
    return sign * (0.5 + draw("uniform", shape, seed, name))


def unit_vectors(first: int, last: int, size: int) -> np.ndarray:
    """Some unit vectors, from the first to before the last, as rows."""
    return np.eye(last - first, size, first)


def nonzero(rows: object) -> list[np.ndarray]:
    """The places of the entries that are not 0, row by row."""
    return [np.flatnonzero(row) for row in np.asarray(rows)]


def with_own(members: np.ndarray, k: int) -> np.ndarray:
    """A set of numbers and one more."""
    return np.append(members, k)


def union(sets: Sequence[np.ndarray]) -> tuple[int, ...]:
    """The members of some sets of numbers, ascending."""
    return tuple(np.unique(np.concatenate(sets)).tolist()) if sets else ()


def blocks(moved: Sequence[np.ndarray], reach: Sequence[np.ndarray]) -> tuple[tuple[int, ...], ...]:
    """Coordinates that a chain of shared rows joins, from the entries that each moves and the rows that each entry reaches.

    >>> blocks([np.array([0]), np.array([1]), np.array([0, 2])], [np.array([0]), np.array([1]), np.array([0, 2])])
    ((0, 2), (1,))
    """
    label = singletons(1 + max((int(rows.max()) for rows in reach if len(rows)), default=0))
    for entry in np.unique(np.concatenate(moved)):
        label = _joined(label, reach[entry])
    # Rows that one entry reaches are joined above; a coordinate then belongs to the set of any row that its entries reach, and
    # joins the sets of all of them. Labels of coordinates are those of their rows, shifted where a coordinate has no row.
    firsts = np.array([rows[0] if len(rows) else -1 for rows in reach])
    found = singletons(len(moved)) + len(label)  # of a coordinate that reaches no row, its own
    for k, entries in enumerate(moved):
        own = firsts[entries]
        own = own[own >= 0]
        label = _joined(label, own)
        found[k] = own[0] if len(own) else found[k]
    named = np.append(label, found)[found]
    _, first, place = np.unique(named, return_index=True, return_inverse=True)
    return labelled(first[place])


def lengths(chunks: Sequence[np.ndarray]) -> np.ndarray:
    """The lengths of all rows of some matrices."""
    return np.concatenate([np.sqrt(np.sum(chunk * chunk, axis=1)) for chunk in chunks])


def singletons(size: int) -> np.ndarray:
    """The label of each of some coordinates while none is coupled: its own number."""
    return np.arange(size)


def linked(label: np.ndarray, first: int, rows: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """Labels after some rows of J'J, from the first on: what a row couples gets the least of its labels.

    Of a column whose length is 0 or not finite nothing is known; it is coupled with all.

    >>> labelled(linked(singletons(3), 0, np.array([[1.0, 0.0, 0.5], [0.0, 4.0, 0.0], [0.5, 0.0, 1.0]]), np.array([1.0, 2.0, 1.0])))
    ((0, 2), (1,))
    """
    silent = ~((lengths > 0) & np.isfinite(lengths))
    if silent.any():
        return np.zeros_like(label)
    own = lengths[first : first + len(rows)]
    for found in ~(np.abs(rows) <= ZERO * own[:, None] * lengths):
        label = _joined(label, found)
    return label


def _joined(label: np.ndarray, members: np.ndarray) -> np.ndarray:
    """Labels with the least of some members' in place of all of theirs."""
    known = np.unique(label[members])
    return label if len(known) < 2 else np.where(np.isin(label, known), known[0], label)


def is_one(label: np.ndarray) -> bool:
    """Whether all coordinates are of one block."""
    return bool((label == label[0]).all())


def labelled(label: np.ndarray) -> tuple[tuple[int, ...], ...]:
    """The coordinates by label, each ascending."""
    order = np.argsort(label, kind="stable")
    cuts = np.flatnonzero(np.diff(label[order])) + 1
    return tuple(tuple(part.tolist()) for part in np.split(order, cuts))
