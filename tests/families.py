"""Standard test matrices, random ones with a set spectrum, and the residual ratios of numerical analysis in extended precision.

Shares nothing with the engine. Families: Higham, Accuracy and Stability of Numerical Algorithms, chapter 28; ratios: LAPACK
Users' Guide, chapter 4, and LAPACK Working Note 41.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np

Matrix = Any

SPECTRA = ("geometric", "arithmetic", "clustered", "close", "repeated", "one small", "rank-deficient", "normal")


def named(n: int) -> Iterator[tuple[str, Matrix]]:
    """The classical families of order n."""
    i, j = np.indices((n, n)) + 1.0
    low, high = np.minimum(i, j), np.maximum(i, j)
    yield "hilbert", 1 / (i + j - 1)
    yield "pascal", np.array([[float(math.comb(a + b, a)) for b in range(n)] for a in range(n)])
    yield "lehmer", low / high
    yield "kms", 0.5 ** np.abs(i - j)
    yield "minij", low
    unit = np.eye(n) - np.triu(np.ones((n, n)), 1)
    yield "moler", unit.T @ unit
    yield "frank", np.where(j >= i - 1, n + 1 - high, 0.0)
    theta = 1.2
    yield "kahan", np.diag(np.sin(theta) ** np.arange(n)) @ (np.eye(n) - np.cos(theta) * np.triu(np.ones((n, n)), 1))


def orthogonal(rng: np.random.Generator, count: int, m: int, n: int) -> Matrix:
    """Matrices with orthonormal columns, `(count, m, n)`."""
    q, r = np.linalg.qr(rng.standard_normal((count, m, n)))
    return q * np.sign(np.diagonal(r, axis1=1, axis2=2))[:, None, :]


def with_condition(rng: np.random.Generator, count: int, n: int, limit: float) -> Matrix:
    """Random matrices with condition numbers up to a limit: geometric spectra."""
    condition = 10 ** rng.uniform(0, math.log10(limit), (count, 1))
    spectrum = condition ** (-np.arange(n) / max(1, n - 1))
    return (orthogonal(rng, count, n, n) * spectrum[:, None, :]) @ orthogonal(rng, count, n, n).swapaxes(1, 2)


def invertible(rng: np.random.Generator, count: int, n: int, limit: float) -> Matrix:
    """The families whose condition number is below a limit, and random matrices with a set one."""
    classical = [a for _, a in named(n) if np.linalg.cond(a) < limit]
    return np.concatenate([np.stack(classical), with_condition(rng, count - len(classical), n, limit)])


def spectrum(rng: np.random.Generator, kind: str, k: int) -> Matrix:
    """k values, 0 or more."""
    places = np.arange(k)
    return {
        "geometric": 10.0 ** (-6 * places / max(1, k - 1)),
        "arithmetic": 1 - places / k,
        "clustered": np.where(places < 1, 1.0, 1e-6),
        "close": 1 + 10.0 ** -rng.integers(1, 13) * rng.standard_normal(k),
        "repeated": np.where(places < k // 2, 1.0, 0.5),
        "one small": np.where(places < k - 1, 1.0, 1e-8),
        "rank-deficient": np.where(places < max(1, k // 2), 1.0 + places, 0.0),
        "normal": np.sort(np.abs(rng.standard_normal(k)))[::-1],
    }[kind]


def spectra(rng: np.random.Generator, kinds: tuple[str, ...], count: int, m: int, n: int) -> Matrix:
    """Random m x n matrices with spectra of all kinds in turn, of sizes from 1e-3 to 1e3."""
    k = min(m, n)
    values = np.stack([spectrum(rng, kinds[i % len(kinds)], k) for i in range(count)])
    values *= 10 ** rng.uniform(-3, 3, (count, 1))
    return (orthogonal(rng, count, m, k) * values[:, None, :]) @ orthogonal(rng, count, n, k).swapaxes(1, 2)


def symmetric(rng: np.random.Generator, kinds: tuple[str, ...], count: int, n: int) -> Matrix:
    """Random symmetric matrices with such eigenvalues, of both signs."""
    values = np.stack([spectrum(rng, kinds[i % len(kinds)], n) for i in range(count)])
    values *= rng.choice([-1.0, 1.0], (count, n)) * 10 ** rng.uniform(-3, 3, (count, 1))
    q = orthogonal(rng, count, n, n)
    a = (q * values[:, None, :]) @ q.swapaxes(1, 2)
    return (a + a.swapaxes(1, 2)) / 2


def norm1(a: Matrix) -> Matrix:
    """The largest column sum."""
    return np.abs(a).sum(axis=-2).max(axis=-1)


def _long(*arrays: Matrix) -> list[Matrix]:
    return [np.asarray(a, np.longdouble) for a in arrays]


def _product(a: Matrix, b: Matrix) -> Matrix:
    """a @ b; a loop over the inner axis, as NumPy's own for extended precision is slow."""
    total = a[..., :, :1] * b[..., :1, :]
    for k in range(1, a.shape[-1]):
        total = total + a[..., :, k : k + 1] * b[..., k : k + 1, :]
    return total


def inverse_ratio(a: Matrix, x: Matrix, u: float) -> Matrix:
    """||I - X A||_1 / (n ||A||_1 ||X||_1 u)."""
    a, x = _long(a, x)
    n = a.shape[-1]
    return norm1(np.eye(n) - _product(x, a)) / (n * norm1(a) * norm1(x) * u)


def svd_ratios(a: Matrix, left: Matrix, s: Matrix, right: Matrix, ulp: float) -> Matrix:
    """The largest of ||A - U S V'||_1 / (||A||_1 max(m, n) ulp), ||I - U'U||_1 / (m ulp) and the like for V."""
    a, left, s, right = _long(a, left, s, right)
    m, n = a.shape[-2:]
    size = norm1(a)
    far = norm1(a - _product(left * s[..., None, :], right.swapaxes(-1, -2))) / (np.where(size > 0, size, 1) * max(m, n) * ulp)
    return np.maximum(far, np.maximum(_off_identity(left) / (m * ulp), _off_identity(right) / (n * ulp)))


def _off_identity(q: Matrix) -> Matrix:
    return norm1(np.eye(q.shape[-1]) - _product(q.swapaxes(-1, -2), q))
