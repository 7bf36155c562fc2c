"""From one matrix to ten millions: time per matrix, and the memory that a call takes beside its input. Needs Linux' /proc."""

from __future__ import annotations

import ctypes
import math
import os
import re
import resource
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import torch

import engine
import problems
from backends.tree import leaves
from bench.measure import first_call, median
from bench.peers import MOMENTUM, RATE
from engine.solvers import GradientDescent

BATCHES = (1, 10_000, 100_000, 1_000_000, 10_000_000)
N, STEPS = 4, 100
MIB = 2**20
CPUS = os.cpu_count() or 1
RESOLUTION = resource.getpagesize() * CPUS * max(32, 2 * CPUS)
"""Bytes to which memory that was freed again is seen: Linux counts pages a processor at a time, in batches."""
T = TypeVar("T")


def status(name: str) -> int:
    """Bytes of a figure of this process, by its name in /proc/self/status.

    Raises LookupError where there is no such figure, OSError where there is no such file.
    """
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    if found is None:
        raise LookupError(f"/proc/self/status has no {name}")
    return 1024 * int(found[1])


def peak_extra(call: Callable[[], T]) -> tuple[T, float]:
    """The result of a call, and by how many bytes this process grew at most meanwhile, to `RESOLUTION`; NaN where none says."""
    try:
        ctypes.CDLL(None).malloc_trim(0)  # or what earlier calls freed is given out again, and not seen
        Path("/proc/self/clear_refs").write_text("5")  # the highest figure so far becomes the present one
        before = status("VmRSS")
    except (AttributeError, OSError, LookupError):
        return call(), math.nan
    found = call()
    return found, max(0, status("VmHWM") - before)


def bytes_of(solution: engine.Solution) -> int:
    """Bytes of all arrays that a solution holds."""
    arrays = [*leaves(solution.params), solution.loss, solution.residual, solution.status, solution.steps]
    return sum(a.numel() * a.element_size() for a in arrays)


@pytest.mark.parametrize("lanes", BATCHES)
def test_scale(lanes: int, benchmark: Any) -> None:
    """A few steps of the inverse, float32, n = 4."""
    benchmark.group = "scale"
    A = torch.randn(lanes, N, N, generator=torch.Generator().manual_seed(4)).mul_(0.1).add_(torch.eye(N))
    solver = GradientDescent(RATE, momentum=MOMENTUM)

    def call() -> engine.Solution:
        return engine.solve(problems.inverse(), A, solver=solver, backend="fused", tol=0, max_steps=STEPS)

    small = A[:1]
    first_call(lambda: engine.solve(problems.inverse(), small, solver=solver, backend="fused", tol=0, max_steps=STEPS))
    found, extra = peak_extra(call)
    outputs = bytes_of(found)
    del found
    seconds = median(benchmark, call)
    benchmark.extra_info.update(
        {
            "suite": "scale",
            "runner": "lanewise fused",
            "n": N,
            "dtype": "float32",
            "matrices": lanes,
            "steps": STEPS,
            "seconds": seconds,
            "ns_per_matrix": seconds / lanes * 1e9,
            "output_mib": outputs / MIB,
            "extra_mib": (extra - outputs) / MIB,
        }
    )
