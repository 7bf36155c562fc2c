"""Exact problems besides inverses: linear systems, square roots, roots of polynomials; and ones without a solution."""

from __future__ import annotations

from functools import cache, partial
from typing import Any

import numpy as np

from bench.honesty.inverses import invertible
from bench.honesty.ratios import FLOPS_PER_THREAD, ROUNDOFF, impossible, judged, solved
from bench.honesty.solved import Judged, Kind
from engine import Param, Problem
from tests import families

Array = Any


@cache
def system() -> Problem:
    """A x = b."""
    return Problem("system", {"A": "n n", "b": "n"}, {"x": Param("n", start="zeros")}, lambda x, A, b: A @ x - b, exact=True)


def systems(n: int, dtype: str, rng: np.random.Generator, count: int) -> Judged:
    """|b - A x| / (n (|A| |x| + |b|) u), in largest row sums."""
    a = invertible(rng, count, n, 1e4 if dtype == "float64" else 1e3).astype(dtype)
    b = (a @ rng.standard_normal((count, n, 1)))[:, :, 0].astype(dtype)
    solution = solved(system(), {"A": a, "b": b})
    long_a, long_b, x = (np.asarray(array, np.longdouble) for array in (a, b, solution["x"]))
    gap = np.abs((long_a * x[:, None, :]).sum(axis=2) - long_b).max(axis=1)
    size = np.abs(long_a).sum(axis=2).max(axis=1) * np.abs(x).max(axis=1) + np.abs(long_b).max(axis=1)
    return judged(solution.status, np.asarray(gap / (n * size * ROUNDOFF[dtype]), float), 30)


@cache
def square_root() -> Problem:
    """X X = A."""
    return Problem("square root", {"A": "n n"}, {"X": Param("n n", start="eye")}, lambda X, A: X @ X - A, exact=True)


def square_roots(n: int, rng: np.random.Generator, count: int) -> Judged:
    """Of matrices with positive eigenvalues, symmetric or not: |X X - A| / (n (|X|^2 + |A|) u)."""
    values = 10 ** rng.uniform(-2, 1, (count, n))
    skew = np.where(np.arange(count) % 2 == 0, 0, 0.2)[:, None, None] * rng.standard_normal((count, n, n))
    basis = families.orthogonal(rng, count, n, n) + skew
    a = np.linalg.solve(basis.swapaxes(1, 2), (basis * values[:, None, :]).swapaxes(1, 2)).swapaxes(1, 2)
    solution = solved(square_root(), a)
    x, long_a = np.asarray(solution["X"], np.longdouble), a.astype(np.longdouble)
    gap = families.norm1(np.einsum("bij,bjk->bik", x, x) - long_a)
    size = families.norm1(x) ** 2 + families.norm1(long_a)
    return judged(solution.status, np.asarray(gap / (n * size * ROUNDOFF["float64"]), float), 30)


def no_square_root(rng: np.random.Generator, count: int) -> Judged:
    """Symmetric 2 x 2 matrices with eigenvalues p > q > 0, the second negated: the nearest square is diag(p, 0) in their basis."""
    q = 10 ** rng.uniform(-1, 0, count)
    values = np.stack([q * 10 ** rng.uniform(0, 1, count), -q], axis=1)
    basis = families.orthogonal(rng, count, 2, 2)
    a = (basis * values[:, None, :]) @ basis.swapaxes(1, 2)
    solution = solved(square_root(), a)
    x = solution["X"]
    return impossible(solution.status, ((x @ x - a) ** 2).mean(axis=(1, 2)) / (q**2 / 4) - 1)


@cache
def polynomial() -> Problem:
    """c0 + c1 z + ... + c4 z^4 = 0."""

    def residual(z: Any, c: Any) -> Any:
        return c[0] + z * (c[1] + z * (c[2] + z * (c[3] + z * c[4])))

    return Problem("polynomial", {"c": "k"}, {"z": Param("", start=0.0)}, residual, exact=True)


def roots(multiplicity: int, rng: np.random.Generator, count: int) -> Judged:
    """Real roots, one of them multiple: the backward error |p(z)| / (u sum |c_k z^k|).

    Newton's method converges linearly to a multiple root; there the bound is the default tolerance of exact problems.
    """
    root = rng.uniform(-2, 2, (count, 4))
    root[:, :multiplicity] = root[:, :1]
    c = np.stack([np.poly(row)[::-1] for row in root])
    start = root[:, 0] + rng.uniform(-0.5, 0.5, count)
    solution = solved(polynomial(), c, start={"z": start})
    powers = np.asarray(solution["z"], np.longdouble)[:, None] ** np.arange(5)
    terms = powers * c
    ratio = np.abs(terms.sum(axis=1)) / (np.abs(terms).sum(axis=1) * ROUNDOFF["float64"])
    return judged(solution.status, np.asarray(ratio, float), 30 if multiplicity == 1 else 1e-12 / ROUNDOFF["float64"])


def no_roots(rng: np.random.Generator, count: int) -> Judged:
    """(z^2 + a)(z^2 + b) with a, b > 0: the least |p| is at 0, which is a stationary point."""
    a, b = rng.uniform(0.1, 2, (2, count))
    c = np.stack([a * b, 0 * a, a + b, 0 * a, 1 + 0 * a], axis=1)
    solution = solved(polynomial(), c, start={"z": rng.uniform(-1, 1, count)})
    z = np.asarray(solution["z"], np.longdouble)
    return impossible(solution.status, np.asarray((z * z + a) ** 2 * (z * z + b) ** 2 / (a * b) ** 2 - 1, float))


def kinds() -> list[Kind]:
    """All kinds of this file."""
    listed = [Kind(f"linear system n={n}", 1500, partial(systems, n, "float64"), FLOPS_PER_THREAD) for n in (3, 6)]
    listed += [Kind("linear system float32 n=3", 1000, partial(systems, 3, "float32"), FLOPS_PER_THREAD)]
    listed += [Kind(f"square root n={n}", 1000, partial(square_roots, n)) for n in (2, 3)]
    listed += [Kind("no real square root", 500, no_square_root)]
    listed += [Kind(f"polynomial root of multiplicity {k}", 1000, partial(roots, k)) for k in (1, 2, 3)]
    return [*listed, Kind("polynomial without real roots", 1000, no_roots)]
