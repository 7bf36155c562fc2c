"""Singular value and eigendecompositions of all spectra, by LAPACK's ratios, and single steps that may not raise a loss."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np

import problems
from bench.honesty.ratios import FLOPS_PER_THREAD, by_chunks, judged, one_step, solved
from bench.honesty.solved import Judged, Kind
from tests import families

Array = Any

SVDS = {(2, 2): 1000, (3, 3): 1000, (4, 4): 2000, (3, 5): 1000, (6, 3): 1000, (8, 8): 1500, (16, 4): 1000, (5, 12): 800,
        (12, 12): 600, (16, 16): 600}  # fmt: skip
EIGHS = {2: 1000, 3: 1000, 4: 1500, 6: 1000, 8: 1500, 12: 800, 16: 600}
BOUND = 50


def svds(m: int, n: int, rng: np.random.Generator, count: int, scales: float = 0, dtype: str = "float64") -> Judged:
    """SVDs over all spectra, of sizes up to 10^scales; S descends and is 0 or more."""
    a = (families.spectra(rng, families.SPECTRA, count, m, n) * 10 ** rng.uniform(-scales, scales, (count, 1, 1))).astype(dtype)
    solution = solved(problems.svd(), a)
    u, s, v = solution
    ratio = by_chunks(partial(families.svd_ratios, ulp=float(np.finfo(dtype).eps)), a, u, s, v)
    return judged(solution.status, ratio, BOUND, false=(s < 0).any(axis=1) | (np.diff(s) > 0).any(axis=1))


def eighs(
    n: int,
    rng: np.random.Generator,
    count: int,
    scales: float = 0,
    spectra: tuple[str, ...] = families.SPECTRA,
    dtype: str = "float64",
) -> Judged:
    """Eigendecompositions over all spectra, of sizes up to 10^scales; w ascends."""
    a = (families.symmetric(rng, spectra, count, n) * 10 ** rng.uniform(-scales, scales, (count, 1, 1))).astype(dtype)
    solution = solved(problems.eigh(), a)
    w, v = solution
    ratio = by_chunks(partial(families.svd_ratios, ulp=float(np.finfo(dtype).eps)), a, v, w, v)
    return judged(solution.status, ratio, BOUND, false=(np.diff(w) < 0).any(axis=1))


def one_step_svds(n: int, rng: np.random.Generator, count: int) -> Judged:
    """SVDs from random factors, one step."""
    a = families.spectra(rng, families.SPECTRA, count, n, n)
    u, v = (families.orthogonal(rng, count, n, n) for _ in range(2))
    start = {"U": u, "S": rng.standard_normal((count, n)), "V": v}
    solution = solved(problems.svd(), a, start=start, max_steps=1)
    return one_step(solution.status, solution.steps, by_chunks(_loss, a, *start.values()), by_chunks(_loss, a, *solution))


def _loss(a: Array, u: Array, s: Array, v: Array) -> Array:
    a, u, s, v = (array.astype(np.longdouble) for array in (a, u, s, v))
    return ((np.einsum("bij,bj,bkj->bik", u, s, v) - a) ** 2).mean(axis=(1, 2))


def kinds() -> list[Kind]:
    """All kinds of this file."""
    listed = [Kind(f"svd {m}x{n}", k, partial(svds, m, n), FLOPS_PER_THREAD) for (m, n), k in SVDS.items()]
    listed += [Kind(f"svd float32 {n}x{n}", 600, partial(svds, n, n, dtype="float32"), FLOPS_PER_THREAD) for n in (4, 8)]
    listed += [Kind("svd 4x4 of size 1e+-200", 600, partial(svds, 4, 4, scales=200), FLOPS_PER_THREAD)]
    listed += [Kind(f"eigh n={n}", k, partial(eighs, n), FLOPS_PER_THREAD) for n, k in EIGHS.items()]
    listed += [Kind("eigh n=16 close", 600, partial(eighs, 16, spectra=("close",)), FLOPS_PER_THREAD)]
    listed += [Kind(f"eigh float32 n={n}", 600, partial(eighs, n, dtype="float32"), FLOPS_PER_THREAD) for n in (4, 8)]
    listed += [Kind("eigh n=4 of size 1e+-200", 600, partial(eighs, 4, scales=200), FLOPS_PER_THREAD)]
    return [*listed, Kind("max_steps=1 svd 4x4", 800, partial(one_step_svds, 4))]
