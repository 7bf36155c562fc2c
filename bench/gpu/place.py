"""The device that a benchmark runs on, its clock, and its judge: a GPU, or the CPU at tiny sizes, to try the benchmark itself."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import backends
import engine
from engine import Problem

SECONDS, LEAST, MOST = 0.5, 3, 50
"""Seconds that the calls of one row take together, and the fewest and the most of them."""

CERTIFIED = 100_000
"""Lanes of a runner's answer that are certified."""

TINY = 48
"""Lanes on the shim."""


@dataclass(frozen=True)
class Place:
    """A device of torch, the backend that computes there, and whether sizes are tiny."""

    device: str
    backend: str
    tiny: bool

    def lanes(self, count: int, bytes_each: int) -> int:
        """So many lanes, or as many as a quarter of the free memory holds."""
        if self.tiny:
            return min(count, TINY)
        free, _ = torch.cuda.mem_get_info()
        return max(1, min(count, free // 4 // bytes_each))

    def steps(self, count: int) -> int:
        """So many steps, or a few."""
        return min(count, 3) if self.tiny else count

    def synchronise(self) -> None:
        """Wait for all that was launched."""
        if self.device != "cpu":
            torch.cuda.synchronize()

    def first(self, call: Callable[[], Any]) -> tuple[Any, float]:
        """The result of a call, and its seconds."""
        self.synchronise()
        began = time.perf_counter()
        found = call()
        self.synchronise()
        return found, time.perf_counter() - began

    def times(self, call: Callable[[], Any]) -> list[float]:
        """Seconds of a call, again and again, each with all that it launched; it was made before."""
        _, warm = self.first(call)
        count = max(LEAST, min(MOST, int(SECONDS / max(warm, 1e-9))))
        return [self.first(call)[1] for _ in range(count)]

    def certified(self, problem: Problem, data: dict[str, Tensor], answers: dict[str, Tensor], shared: str = "") -> float:
        """The share of the first lanes' answers that the engine certifies as they are, on the CPU, which has no part in them."""
        most = TINY if self.tiny else CERTIFIED
        few = {name: (array if name == shared else array[:most]).cpu() for name, array in data.items()}
        start = {name: array[:most].cpu().contiguous() for name, array in answers.items()}
        return float(engine.solve(problem, few, start=start, max_steps=0).converged.float().mean())


def place(shim: bool) -> Place:
    """The place to run at. Raises SystemExit where there is no GPU, in one line."""
    if shim:
        backends.NAMES["shim"] = "tests.cuda.shim"
        return Place("cpu", "shim", True)
    if not torch.cuda.is_available():
        raise SystemExit(
            "no GPU: torch finds no CUDA device here, so nothing was measured; `python -m bench.gpu --shim` tries the command"
        )
    return Place("cuda", "fused", False)


def figures(times: list[float]) -> dict[str, float | int]:
    """Statistics of a row's calls under the names of pytest-benchmark."""
    return {
        "min": min(times), "max": max(times), "mean": statistics.fmean(times), "median": statistics.median(times),
        "stddev": statistics.pstdev(times), "rounds": len(times), "iterations": 1, "total": sum(times),
    }  # fmt: skip
