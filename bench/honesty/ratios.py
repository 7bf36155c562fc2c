"""Exact problems are judged by ratios of numerical analysis over their bounds (LAPACK Users' Guide, chapter 4).

A lane is at a solution if its ratio is within the bound. CONVERGED with a larger one is false.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import engine
from bench.honesty.solved import Judged
from engine import Status

Array = Any

ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}

FLOPS_PER_THREAD = 0.98
"""Of the lanes of a well-conditioned problem that are CONVERGED at least."""

CHUNK = 2000
"""Lanes judged at once: extended precision takes memory."""


def solved(problem: Any, data: Any, **options: Any) -> Any:
    """By the lane compiler, at its defaults."""
    return engine.solve(problem, data, backend="fused", **options)


def by_chunks(judge: Callable[..., Array], *arrays: Array) -> Array:
    """A ratio of many lanes, some at a time."""
    cuts = range(0, len(arrays[0]), CHUNK)
    return np.concatenate([np.asarray(judge(*(a[at : at + CHUNK] for a in arrays)), float) for at in cuts])


def judged(status: Array, ratio: Array, bound: float, usable: Array | None = None, false: Array | bool = False) -> Judged:
    """The outcome by a ratio `(lanes,)`, NaN included.

    `usable` says where a lane may be called ILL_CONDITIONED, by its own, weaker test; by default the ratio's bound. `false`
    marks lanes that break a further promise where CONVERGED.
    """
    status = np.asarray(status)
    within = ratio < bound
    fine = within if usable is None else usable
    converged, weak = status == Status.CONVERGED, status == Status.ILL_CONDITIONED
    wrong = (converged & (~within | false)) | (weak & ~fine)
    notes = {int(k): f"ratio {ratio[k]:.3g}, bound {bound:g}" for k in np.flatnonzero(wrong | (within & ~(converged | weak)))}
    return Judged(
        status, wrong, within & ~wrong, converged | weak, np.where(converged, ratio / bound, 0), np.zeros(len(status)), notes
    )


def impossible(status: Array, excess: Array) -> Judged:
    """Lanes without a solution: INFEASIBLE is right, a success false. `excess` is the loss over the least, less 1."""
    status = np.asarray(status)
    least = np.abs(excess) < 1e-6
    wrong = np.isin(status, [Status.CONVERGED, Status.ILL_CONDITIONED])
    notes = {int(k): f"no solution; loss over the least, less 1: {excess[k]:.3g}" for k in np.flatnonzero(wrong)}
    return Judged(status, wrong, least, status == Status.INFEASIBLE, np.zeros(len(status)), np.zeros(len(status)), notes)


def one_step(status: Array, steps: Array, before: Array, after: Array) -> Judged:
    """After one step: MAX_STEPS, or an earlier end, and a loss not above the start's, but for rounding."""
    ended = [Status.MAX_STEPS, Status.CONVERGED, Status.ILL_CONDITIONED, Status.STALLED, Status.INFEASIBLE]
    wrong = ~np.isin(status, ended) | (steps > 1) | ~(after <= before * (1 + 1e-12))
    notes = {int(k): f"loss {before[k]:.6g} before, {after[k]:.6g} after {steps[k]} steps" for k in np.flatnonzero(wrong)}
    nothing = np.zeros(len(status))
    return Judged(np.asarray(status), wrong, ~wrong, np.full(len(status), True), nothing, nothing, notes)
