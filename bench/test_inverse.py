"""Gradient descent with momentum on the inverse: every CPU backend against every peer, same start, rate and steps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

import backends
import engine
import problems
from bench import peers
from bench.measure import first_call, highest, median
from engine.solvers import GradientDescent

SIZES = {2: (9_600, 1_000), 4: (9_600, 1_000), 8: (9_600, 300), 16: (3_200, 200), 32: (1_600, 100)}
"""n -> matrices in the batch, steps."""

DTYPES = ("float32", "float64")
"""Peers run in the first alone."""

ONE_BY_ONE = {"plain loop": 1}
"""Peers that get fewer matrices, because they take them one after another."""

SLOW = frozenset({"numpy"})
"""Backends that are references, not meant to be fast."""

BACKENDS = tuple(f"lanewise {name}" for name in backends.NAMES if name not in SLOW)


def run_backend(name: str, A: Tensor, start: Tensor, steps: int) -> engine.Solution:
    """The engine on one backend, exactly so many steps."""
    solver = GradientDescent(peers.RATE, momentum=peers.MOMENTUM)
    return engine.solve(problems.inverse(), A, start={"X": start}, solver=solver, backend=name, tol=0, max_steps=steps)


def batch(n: int, lanes: int, dtype: str) -> tuple[Tensor, Tensor]:
    """A = I + 0.2 G / sqrt(n), G normal, and one uniform start for all: both `(lanes, n, n)`, of the dtype named, seeded by n."""
    generator = torch.Generator().manual_seed(n)
    A = torch.eye(n) + 0.2 * torch.randn(lanes, n, n, generator=generator) / n**0.5
    start = torch.rand(n, n, generator=generator).expand(lanes, n, n)
    kind = getattr(torch, dtype)
    return A.to(kind), start.to(kind).contiguous()


def useful(n: int) -> int:
    """Operations a step: two products, and six for each entry (residual, its scale, velocity and params)."""
    return 4 * n**3 + 6 * n**2


CASES = [(name, dtype) for name in (*peers.PEERS, *BACKENDS) for dtype in DTYPES if name in BACKENDS or dtype == DTYPES[0]]


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize(("name", "dtype"), CASES)
def test_inverse(name: str, dtype: str, n: int, benchmark: Any) -> None:
    """Time a fixed number of steps; the first call, which compiles, is kept apart."""
    benchmark.group = f"inverse n={n} {dtype}"
    lanes, steps = SIZES[n]
    lanes = ONE_BY_ONE.get(name, lanes)
    A, start = batch(n, lanes, dtype)
    backend = name.removeprefix("lanewise ") if name in BACKENDS else None
    call: Callable[[], Any] = (
        (lambda: run_backend(backend, A, start, steps)) if backend else lambda: peers.PEERS[name](A, start, steps)
    )
    found, first = first_call(call)
    seconds, best = median(benchmark, call), highest(dtype)
    X = found["X"] if backend else found
    certified = engine.solve(problems.inverse(), A, start={"X": X}, backend="torch", max_steps=0).converged
    rate = useful(n) * lanes * steps / seconds / 1e9
    benchmark.extra_info.update(
        {
            "suite": "inverse",
            "runner": name,
            "n": n,
            "matrices": lanes,
            "steps": steps,
            "dtype": dtype,
            "certified": float(certified.float().mean()),
            "compile_s": found.timings["compile_s"] if backend else max(0.0, first - seconds),
            "kernel": found.plan.kernel if backend else "",
            "matrices_per_s": lanes / seconds,
            "ns_per_matrix_step": seconds / lanes / steps * 1e9,
            "gflops": rate,
            "peak_gflops": best,
            "share_of_peak": rate / best,
        }
    )
