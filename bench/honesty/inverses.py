"""Inverses, well and ill conditioned, from the declared residual X A - I; singular matrices, which have none."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import problems
from bench.honesty.ratios import FLOPS_PER_THREAD, ROUNDOFF, by_chunks, impossible, judged, one_step, solved
from bench.honesty.solved import Judged, Kind
from tests import families

Array = Any

INVERSES = {2: 2000, 3: 2000, 4: 2500, 5: 1500, 6: 1500, 8: 2000, 12: 1000, 16: 1000, 24: 500, 32: 200}
SINGLE = {2: 1000, 4: 1500, 8: 1500, 16: 500}
ILL = {4: 1000, 6: 1000, 8: 1000, 10: 600}
TIMES = 100
"""An ill-conditioned inverse may be off by so many times LAPACK's error."""


def invertible(rng: np.random.Generator, count: int, n: int, limit: float) -> Array:
    """Classical matrices with rows and columns permuted and turned, normal ones and set conditions."""
    classical = [a for _, a in families.named(n) if np.linalg.cond(a) < limit]
    kind = np.arange(count) % (len(classical) + 2)
    matrices = families.with_condition(rng, count, n, limit)
    normal = rng.standard_normal((count, n, n))
    fit = (kind == len(classical)) & (np.linalg.cond(normal) < limit)
    matrices[fit] = normal[fit]
    for k in np.flatnonzero(kind < len(classical)):
        turned = classical[kind[k]][rng.permutation(n)][:, rng.permutation(n)]
        matrices[k] = turned * rng.choice([-1.0, 1.0], n) * rng.choice([-1.0, 1.0], (n, 1))
    return matrices * 10 ** rng.uniform(-3, 3, (count, 1, 1))


def inverses(n: int, dtype: str, rng: np.random.Generator, count: int, scales: float = 0) -> Judged:
    """Inverses of condition numbers up to 1e4 (float32: 1e3); with `scales` of sizes up to that power of ten."""
    a = invertible(rng, count, n, 1e4 if dtype == "float64" else 1e3)
    a = (a * 10 ** rng.uniform(-scales, scales, (count, 1, 1))).astype(dtype)
    solution = solved(problems.inverse(), a)
    ratio = by_chunks(partial(families.inverse_ratio, u=ROUNDOFF[dtype]), a, solution["X"])
    return judged(solution.status, ratio, 30)


def ill_conditioned(n: int, rng: np.random.Generator, count: int) -> Judged:
    """Classical families and set conditions from 1e4 to 1e15: usable answers keep the digits that LAPACK keeps."""
    classical = [a for _, a in families.named(n) if 1e4 < np.linalg.cond(a) < 1e15]
    spectrum = (10 ** rng.uniform(4, 15, (count, 1))) ** (-np.arange(n) / (n - 1))
    a = (families.orthogonal(rng, count, n, n) * spectrum[:, None, :]) @ families.orthogonal(rng, count, n, n).swapaxes(1, 2)
    for k in range(0, count if classical else 0, 3):
        a[k] = classical[k // 3 % len(classical)][rng.permutation(n)]
    solution = solved(problems.inverse(), a)
    exact = long_inverse(a)
    size = np.abs(exact).max(axis=(1, 2))
    # of a, and of copies moved by a unit in the last place of the largest entry: the backward error is one of norms, and an
    # error that is small by luck, or by the zeros of a triangular matrix, is no measure
    unit = np.spacing(np.abs(a).max(axis=(1, 2), keepdims=True))
    near = [a, *(a + rng.choice([-1.0, 1.0], a.shape) * unit for _ in range(2))]
    lapack = np.max([np.abs(np.linalg.inv(b) - exact).max(axis=(1, 2)) for b in near], axis=0)
    error = np.abs(solution["X"] - exact).max(axis=(1, 2))
    excess = np.asarray(error / (TIMES * np.maximum(lapack, 10 * np.finfo(float).eps * size)), float)
    return judged(solution.status, excess, 1)


def long_inverse(a: Array) -> Array:
    """Inverses in extended precision: Gauss-Jordan elimination with partial pivoting, `(lanes, n, n)`."""
    lanes, n, _ = a.shape
    work = np.concatenate([a, np.tile(np.eye(n), (lanes, 1, 1))], axis=2).astype(np.longdouble)
    every = np.arange(lanes)
    for k in range(n):
        pivot = k + np.argmax(np.abs(work[:, k:, k]), axis=1)
        work[every, pivot], work[:, k] = work[:, k].copy(), work[every, pivot].copy()
        work[:, k] /= work[:, k, k].copy()[:, None]
        others = np.arange(n) != k
        work[:, others] -= work[:, others, k : k + 1] * work[:, k : k + 1]
    return work[:, :, n:]


def singular(n: int, rng: np.random.Generator, count: int) -> Judged:
    """Matrices of whole numbers and rank r: INFEASIBLE, at the loss (n - r) / n^2."""
    rank = np.arange(count) % n
    keep = np.arange(n) < rank[:, None]
    a = (rng.integers(-3, 4, (count, n, n)) * keep[:, None, :]) @ rng.integers(-3, 4, (count, n, n)).astype(float)
    best = (n - np.linalg.matrix_rank(a)) / n**2
    solution = solved(problems.inverse(), a)
    return impossible(solution.status, by_chunks(inverse_loss, a, solution["X"]) / best - 1)


def inverse_loss(a: Array, x: Array) -> Array:
    """mean((X A - I)^2)."""
    a, x = a.astype(np.longdouble), x.astype(np.longdouble)
    return ((np.einsum("bij,bjk->bik", x, a) - np.eye(a.shape[-1])) ** 2).mean(axis=(1, 2))


def one_step_inverses(n: int, rng: np.random.Generator, count: int) -> Judged:
    """Inverses from normal starts."""
    a = invertible(rng, count, n, 1e4)
    start = rng.standard_normal(a.shape)
    solution = solved(problems.inverse(), a, start={"X": start}, max_steps=1)
    return one_step(solution.status, solution.steps, by_chunks(inverse_loss, a, start), by_chunks(inverse_loss, a, solution["X"]))


def kinds() -> list[Kind]:
    """All kinds of this file."""
    listed = [Kind(f"inverse n={n}", k, partial(inverses, n, "float64"), FLOPS_PER_THREAD) for n, k in INVERSES.items()]
    listed += [Kind(f"inverse float32 n={n}", k, partial(inverses, n, "float32"), FLOPS_PER_THREAD) for n, k in SINGLE.items()]
    listed += [Kind("inverse n=4 of size 1e+-200", 800, partial(inverses, 4, "float64", scales=200), FLOPS_PER_THREAD)]
    listed += [Kind(f"inverse n={n}, condition to 1e15", k, partial(ill_conditioned, n)) for n, k in ILL.items()]
    listed += [Kind(f"singular n={n}", 1000, partial(singular, n)) for n in (2, 3, 4, 8)]
    return [*listed, Kind("max_steps=1 inverse n=4", 800, partial(one_step_inverses, 4))]
