"""One-sided Jacobi rotations, round by round of a tournament of the columns."""

from __future__ import annotations

import math

from array_api_compat import device

from backends import fori_loop
from backends.types import Array, array_namespace

SWEEPS = (3.5, 1.25)
"""Sweeps of rotations: the first, and the second times log2 n, rounded up."""


def rotated(a: Array, *others: Array) -> tuple[Array, ...]:
    """A R with orthogonal columns, and others times R, for a rotation R: `(m, n)`, `(k, n)`, ...

    Sweeps of one-sided Jacobi rotations in parallel order: a sweep is a tournament of the n columns, n - 1 rounds of n / 2
    pairs that do not touch. The columns come out in descending order of length, or nearly. The number of sweeps depends
    on n alone; it leaves the columns of most matrices orthogonal to rounding level.

    Source:
        Golub and Van Loan, Matrix Computations, sections 8.5.5 (parallel order) and 8.6.3 (one-sided).

    Example:
        >>> import numpy as np
        >>> a, r = rotated(np.array([[1.0, 2.0], [2.0, 1.0]]), np.eye(2))
        >>> (a.T @ a).round(12).tolist()
        [[9.0, 0.0], [0.0, 1.0]]
    """
    n = a.shape[-1]

    def sweep(a: Array, *others: Array) -> tuple[Array, ...]:
        for pairs in _tournament(n):
            cosine, sine = _rotation(_gram(a, pairs))
            a, others = _turned(a, cosine, sine, pairs), tuple(_turned(x, cosine, sine, pairs) for x in others)
        return a, *others

    return fori_loop(sweep, math.ceil(SWEEPS[0] + SWEEPS[1] * math.log2(n)), a, *others) if n > 1 else (a, *others)


def _tournament(n: int) -> list[list[tuple[int, int]]]:
    """The pairs of each round in which everybody meets everybody once; of an odd number one rests."""
    ring = list(range(n + n % 2))
    rounds = []
    for _ in range(len(ring) - 1):
        meetings = list(zip(ring[: len(ring) // 2], reversed(ring), strict=False))
        rounds.append([(min(pair), max(pair)) for pair in meetings if max(pair) < n])
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return rounds


def _gram(a: Array, pairs: list[tuple[int, int]]) -> Array:
    """The inner products of the two columns of each pair: `(h, 2, 2)`."""
    xp = array_namespace(a)
    both = xp.reshape(_columns(a, [k for pair in pairs for k in pair]), (a.shape[0], len(pairs), 2))
    return xp.permute_dims(both, (1, 2, 0)) @ xp.permute_dims(both, (1, 0, 2))


def _rotation(gram: Array) -> tuple[Array, Array]:
    """Cosine and sine of the rotation that makes symmetric 2 x 2 matrices diagonal, the larger entry first."""
    xp = array_namespace(gram)
    mixed, half = gram[:, 0, 1], (gram[:, 0, 0] - gram[:, 1, 1]) / 2
    size, root = xp.abs(mixed), xp.sqrt(half * half + mixed * mixed)
    ahead = half >= 0
    x, y = xp.where(ahead, root + half, size), xp.where(ahead, size, root - half)
    square = x * x + y * y
    some = square > 0
    inverse = 1 / xp.sqrt(xp.where(some, square, xp.ones_like(square)))
    return xp.where(some, x * inverse, xp.ones_like(x)), xp.where(mixed < 0, -y, y) * inverse


def _turned(a: Array, cosine: Array, sine: Array, pairs: list[tuple[int, int]]) -> Array:
    """Pairs of columns, rotated; a column that rests is kept."""
    xp = array_namespace(a)
    n = a.shape[-1]
    place = {k: at for at, pair in enumerate(pairs) for k in pair}
    partner = {k: other for pair in pairs for k, other in (pair, pair[::-1])}
    order = [place.get(k, 0) for k in range(n)]
    plays = _row([float(k in place) for k in range(n)], a)
    signs = _row([float((k in place) * (1 if partner.get(k, k) > k else -1)) for k in range(n)], a)
    cosine, sine = _columns(cosine, order), _columns(sine, order) * signs
    if len(place) < n:
        cosine = xp.where(plays > 0, cosine, plays + 1)
    return a * cosine + _columns(a, [partner.get(k, k) for k in range(n)]) * sine


def _row(values: list[float], like: Array) -> Array:
    return array_namespace(like).asarray(values, dtype=like.dtype, device=device(like))


def _columns(a: Array, places: list[int]) -> Array:
    xp = array_namespace(a)
    return xp.take(a, xp.asarray(places, dtype=xp.int64, device=device(a)), axis=-1)
