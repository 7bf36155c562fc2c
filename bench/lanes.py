"""Random lanes of every kind, solved with default settings and judged in extended precision, for `bench.honesty`.

Needs `tests.families` for matrices and ratios, `fitted` for curves; what judges shares nothing with the engine.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np

import engine
import problems
from bench import fitted
from engine import Status
from tests import families

Array = Any
CHUNK = 2000
"""Lanes judged at once: extended precision takes memory."""


@dataclass(frozen=True)
class Judged:
    """What became of lanes: status, a ratio, whether it breaks a promise, and the family, `(lanes,)` each."""

    status: Array
    ratio: Array
    wrong: Array
    family: Array


@dataclass(frozen=True)
class Group:
    """Lanes of one kernel: their kind, how many of 100,000, the bound of the ratio, the least share of CONVERGED."""

    kind: str
    lanes: int
    bound: float
    share: float
    run: Callable[[np.random.Generator, int], Judged]


def honest(solution: Any, ratio: Array, bound: float, family: Array) -> Judged:
    """A lane called CONVERGED must be within the bound; NaN is not. Ratios of other lanes do not count."""
    status = np.asarray(solution.status)
    converged = status == Status.CONVERGED
    return Judged(status, np.where(converged, ratio, -np.inf), converged & ~(ratio < bound), family)


def solved(problem: Any, data: Any, **options: Any) -> Any:
    """By the lane compiler, at its defaults."""
    return engine.solve(problem, data, backend="fused", **options)


def by_chunks(judge: Callable[..., Array], *arrays: Array) -> Array:
    """A ratio of many lanes, some at a time."""
    cuts = range(0, len(arrays[0]), CHUNK)
    return np.concatenate([np.asarray(judge(*(a[at : at + CHUNK] for a in arrays)), float) for at in cuts])


def invertible(rng: np.random.Generator, count: int, n: int, limit: float) -> tuple[Array, Array]:
    """Classical matrices with rows and columns permuted and turned, normal ones and set conditions; and their families."""
    classical = {name: a for name, a in families.named(n) if np.linalg.cond(a) < limit}
    names = np.array([*classical, "normal", "set condition"])
    family = names[np.arange(count) % len(names)]
    found = families.with_condition(rng, count, n, limit)
    normal = rng.standard_normal((count, n, n))
    fit = (family == "normal") & (np.linalg.cond(normal) < limit)
    found[fit] = normal[fit]
    for name, a in classical.items():
        for k in np.flatnonzero(family == name):
            rows, columns = rng.permutation(n), rng.permutation(n)
            found[k] = a[rows][:, columns] * rng.choice([-1.0, 1.0], n) * rng.choice([-1.0, 1.0], (n, 1))
    return found * 10 ** rng.uniform(-3, 3, (count, 1, 1)), family


def inverses(n: int, dtype: str, rng: np.random.Generator, count: int, scales: float = 0) -> Judged:
    """Inverses; with `scales` of sizes up to that power of ten."""
    a, family = invertible(rng, count, n, 1e4 if dtype == "float64" else 1e3)
    a = (a * 10 ** rng.uniform(-scales, scales, (count, 1, 1))).astype(dtype)
    solution = solved(problems.inverse(), a)
    judge = partial(families.inverse_ratio, u=2.0**-53 if dtype == "float64" else 2.0**-24)
    return honest(solution, by_chunks(judge, a, solution["X"]), 30, family)


def singular(n: int, rng: np.random.Generator, count: int) -> Judged:
    """Matrices of whole numbers and rank r: INFEASIBLE, at the loss (n - r) / n^2. The ratio is the distance from that."""
    rank = np.arange(count) % n
    keep = np.arange(n) < rank[:, None]
    a = (rng.integers(-3, 4, (count, n, n)) * keep[:, None, :]) @ rng.integers(-3, 4, (count, n, n)).astype(float)
    rank = np.linalg.matrix_rank(a)
    solution = solved(problems.inverse(), a)
    best = (n - rank) / n**2
    loss = by_chunks(_inverse_loss, a, solution["X"])
    wrong = (solution.status != Status.INFEASIBLE) | ~(np.abs(loss / best - 1) < 1e-6)
    return Judged(np.asarray(solution.status), np.abs(loss / best - 1), wrong, np.array([f"rank {r}" for r in rank]))


def _inverse_loss(a: Array, x: Array) -> Array:
    a, x = a.astype(np.longdouble), x.astype(np.longdouble)
    return ((np.einsum("bij,bjk->bik", x, a) - np.eye(a.shape[-1])) ** 2).mean(axis=(1, 2))


def svds(m: int, n: int, rng: np.random.Generator, count: int, scales: float = 0, dtype: str = "float64") -> Judged:
    """SVDs over all spectra."""
    a = (families.spectra(rng, families.SPECTRA, count, m, n) * 10 ** rng.uniform(-scales, scales, (count, 1, 1))).astype(dtype)
    solution = solved(problems.svd(), a)
    u, s, v = solution
    judge = partial(families.svd_ratios, ulp=float(np.finfo(dtype).eps))
    judged = honest(solution, by_chunks(judge, a, u, s, v), 50, _spectra(count))
    unsorted = (s < 0).any(axis=1) | (np.diff(s) > 0).any(axis=1)
    return Judged(judged.status, judged.ratio, judged.wrong | (unsorted & (judged.status == 0)), judged.family)


def eighs(
    n: int,
    rng: np.random.Generator,
    count: int,
    scales: float = 0,
    kinds: tuple[str, ...] = families.SPECTRA,
    dtype: str = "float64",
) -> Judged:
    """Eigendecompositions over all spectra."""
    a = (families.symmetric(rng, kinds, count, n) * 10 ** rng.uniform(-scales, scales, (count, 1, 1))).astype(dtype)
    solution = solved(problems.eigh(), a)
    w, v = solution
    judge = partial(families.svd_ratios, ulp=float(np.finfo(dtype).eps))
    judged = honest(solution, by_chunks(judge, a, v, w, v), 50, _spectra(count, kinds))
    unsorted = (np.diff(w) < 0).any(axis=1)
    return Judged(judged.status, judged.ratio, judged.wrong | (unsorted & (judged.status == 0)), judged.family)


def _spectra(count: int, kinds: tuple[str, ...] = families.SPECTRA) -> Array:
    return np.array(kinds)[np.arange(count) % len(kinds)]


@cache
def _fit(name: str) -> Any:
    return problems.curve_fit(fitted.CURVES[name].model)


def _fits(name: str, rng: np.random.Generator, count: int, **options: Any) -> tuple[Any, Any, Any, Any]:
    data, start = fitted.CURVES[name].lanes(rng, count)
    problem = _fit(name)
    solution = solved(problem, data, start=dict(zip(problem.params, start.T.copy(), strict=True)), **options)
    return data, start, solution, np.stack(list(solution), axis=1)


def fits(name: str, rng: np.random.Generator, count: int) -> Judged:
    """Curve fits: where CONVERGED, stationary."""
    data, _, solution, theta = _fits(name, rng, count)
    curve = fitted.CURVES[name]
    tol = {"float64": 1e-8, "float32": 1e-3}[curve.dtype]
    ratio = by_chunks(lambda y, t: fitted.slope_ratio(curve, {"x": data["x"], "y": y}, t, tol), data["y"], theta)
    return honest(solution, ratio, 1, np.array(fitted.KINDS)[np.arange(count) % len(fitted.KINDS)])


def one_step(solution: Any, before: Array, after: Array) -> Judged:
    """After one step: MAX_STEPS, or an earlier end, and a loss not above the start's, but for rounding."""
    status = np.asarray(solution.status)
    ratio = after / np.where(before > 0, before, 1)
    ended = np.isin(status, [Status.MAX_STEPS, Status.CONVERGED, Status.ILL_CONDITIONED, Status.STALLED, Status.INFEASIBLE])
    return Judged(status, ratio, ~ended | (solution.steps > 1) | ~(ratio <= 1 + 1e-12), np.full(len(status), ""))


def one_step_inverses(n: int, rng: np.random.Generator, count: int) -> Judged:
    """Inverses from normal starts."""
    a, _ = invertible(rng, count, n, 1e4)
    start = rng.standard_normal(a.shape)
    solution = solved(problems.inverse(), a, start={"X": start}, max_steps=1)
    return one_step(solution, by_chunks(_inverse_loss, a, start), by_chunks(_inverse_loss, a, solution["X"]))


def one_step_svds(n: int, rng: np.random.Generator, count: int) -> Judged:
    """SVDs from random factors."""
    a = families.spectra(rng, families.SPECTRA, count, n, n)
    start = {
        "U": families.orthogonal(rng, count, n, n),
        "S": rng.standard_normal((count, n)),
        "V": families.orthogonal(rng, count, n, n),
    }
    solution = solved(problems.svd(), a, start=start, max_steps=1)
    return one_step(solution, by_chunks(_svd_loss, a, *start.values()), by_chunks(_svd_loss, a, *solution))


def _svd_loss(a: Array, u: Array, s: Array, v: Array) -> Array:
    a, u, s, v = (array.astype(np.longdouble) for array in (a, u, s, v))
    return ((np.einsum("bij,bj,bkj->bik", u, s, v) - a) ** 2).mean(axis=(1, 2))


def one_step_fits(name: str, rng: np.random.Generator, count: int) -> Judged:
    """Curve fits."""
    data, start, solution, theta = _fits(name, rng, count, max_steps=1)
    model, x = fitted.CURVES[name].model, data["x"].astype(np.longdouble)

    def loss(theta: Array) -> Array:
        return ((model(x, *theta.astype(np.longdouble).T[..., None]) - data["y"]) ** 2).mean(axis=1).astype(float)

    return one_step(solution, loss(start), loss(theta))
