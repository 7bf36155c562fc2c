"""Gradient descent with momentum on the inverse: every CPU backend against every peer, same start, rate and steps."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

import backends
import engine
import problems
from bench import peak, peers
from engine.solvers import GradientDescent

SIZES = {2: 10_000, 4: 10_000, 8: 10_000, 16: 3_200}
"""n -> matrices in the batch."""

STEPS = 300
ONE_BY_ONE = {"plain loop": 1}
"""Who gets fewer matrices, because it takes them one after another."""

SLOW = frozenset({"numpy"})
"""Backends that are references, not meant to be fast."""

BACKENDS = tuple(f"lanewise {name}" for name in backends.NAMES if name not in SLOW)


def run_backend(name: str, A: Tensor, start: Tensor, steps: int) -> engine.Solution:
    """The engine on one backend, exactly so many steps."""
    solver = GradientDescent(peers.RATE, momentum=peers.MOMENTUM)
    return engine.solve(problems.inverse(), A, start={"X": start}, solver=solver, backend=name, tol=0, max_steps=steps)


def batch(n: int, lanes: int) -> tuple[Tensor, Tensor]:
    """Matrices near the identity, and one uniform start for all."""
    generator = torch.Generator().manual_seed(n)
    A = torch.eye(n) + 0.2 * torch.randn(lanes, n, n, generator=generator) / n**0.5
    return A, torch.rand(n, n, generator=generator).expand(lanes, n, n).contiguous()


@cache
def highest() -> float:
    """GFlop/s of bare multiply-adds, measured in this run; NaN without a compiler."""
    try:
        return peak.gflops("float32")
    except OSError:
        return float("nan")


@pytest.mark.parametrize("n", SIZES)
@pytest.mark.parametrize("name", [*peers.PEERS, *BACKENDS])
def test_inverse(name: str, n: int, benchmark: Any) -> None:
    """Time `STEPS` steps; the first call, which compiles, is kept apart."""
    benchmark.group = f"inverse n={n}"
    lanes = ONE_BY_ONE.get(name, SIZES[n])
    A, start = batch(n, lanes)
    backend = name.removeprefix("lanewise ") if name in BACKENDS else None
    call: Callable[[], Any] = (
        (lambda: run_backend(backend, A, start, STEPS)) if backend else lambda: peers.PEERS[name](A, start, STEPS)
    )
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own internals, when it compiles
        found = call()
    first = time.perf_counter() - began
    benchmark.pedantic(call, rounds=3, iterations=1, warmup_rounds=1)
    X = found["X"] if backend else found
    certified = engine.solve(problems.inverse(), A, start={"X": X}, backend="torch", max_steps=0).converged
    seconds = benchmark.stats.stats.min if benchmark.stats else first
    rate = (4 * n**3 + 6 * n**2) * lanes * STEPS / seconds / 1e9
    benchmark.extra_info.update(
        {
            "suite": "inverse",
            "runner": name,
            "n": n,
            "matrices": lanes,
            "steps": STEPS,
            "dtype": "float32",
            "certified": float(certified.float().mean()),
            "compile_s": found.timings["compile_s"] if backend else max(0.0, first - seconds),
            "kernel": found.plan.kernel if backend else "",
            "matrices_per_s": lanes / seconds,
            "ns_per_matrix_step": seconds / lanes / STEPS * 1e9,
            "gflops": rate,
            "peak_gflops": highest(),
            "share_of_peak": rate / highest(),
        }
    )
