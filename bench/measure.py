"""Measures that the suites share: the peak of this run, a bare exponential, and the figures of one row. Needs the host's C++ compiler."""

from __future__ import annotations

import ctypes
import math
import subprocess
import time
import warnings
from collections.abc import Callable
from functools import cache
from importlib.resources import files
from typing import Any

import torch

import engine
from backends.fused.build.target import ToolchainError, host_target
from backends.fused.build.toolchain import build
from bench import peak

EXPONENTIALS = """
constexpr int W = BYTES / sizeof(T);
typedef lw::Vec<T, W> V;
extern "C" double exponentials(long rounds) {
  V x[8];
  for (int k = 0; k < 8; k++) x[k] = lw::splat<V>(T(k) / 8);
  for (long i = 0; i < rounds; i++)
    for (int k = 0; k < 8; k++) x[k] = lw::exp(x[k]) * T(-0.5);
  T sum = 0;
  for (int k = 0; k < 8; k++) for (int l = 0; l < W; l++) sum += x[k][l];
  return sum;
}
"""


SECONDS, LEAST, MOST = 1.0, 5, 200
"""How long the calls of one row take together, and how few and how many they are."""

LONG = 3
"""How many calls, where one alone takes longer than `SECONDS`."""

_peaks: dict[tuple[str, str], float] = {}


def highest(dtype: str, isa: str = "") -> float:
    """GFlop/s of bare multiply-adds, the highest of this run; NaN without a compiler. `isa` restricts the instruction set.

    Measured anew by each call, thus in the minutes of the row that asks for it: a machine with other users shows its peak
    now and then only.
    """
    try:
        found = peak.gflops(dtype, isa=isa)
    except (OSError, subprocess.CalledProcessError):
        return math.nan
    _peaks[dtype, isa] = max(found, _peaks.get((dtype, isa), 0.0))
    return _peaks[dtype, isa]


@cache
def exp_ns(dtype: str, rounds: int = 300_000, repeats: int = 20) -> float:
    """Nanoseconds of one exponential as the kernels compute it, on all threads at once; NaN without a compiler."""
    kind = "double" if dtype == "float64" else "float"
    try:
        target = host_target()
        head = f"typedef {kind} T;\nconstexpr int BYTES = {target.vector_bytes};\n"
        run = build(files("backends.fused").joinpath("vmath.h").read_text() + head + EXPONENTIALS, target).handle.exponentials
    except ToolchainError:
        return math.nan
    run.argtypes, run.restype = [ctypes.c_long], ctypes.c_double
    lanes = target.vector_bytes // (8 if dtype == "float64" else 4)
    best = math.inf
    for _ in range(repeats):
        began = time.perf_counter()
        run(rounds)
        best = min(best, time.perf_counter() - began)
    return best / (8 * rounds * lanes * torch.get_num_threads()) * 1e9


def first_call(call: Callable[[], Any]) -> tuple[Any, float]:
    """The result of a call and the seconds it took, which compiling is part of."""
    began = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own internals, when it compiles
        found = call()
    return found, time.perf_counter() - began


def rounds(seconds: float) -> int:
    """How often a call that takes so long is repeated: for `SECONDS` in all, within `LEAST` and `MOST`; `LONG` times if it is long."""
    return LONG if seconds > SECONDS else max(LEAST, min(MOST, math.ceil(SECONDS / max(seconds, 1e-9))))


def median(benchmark: Any, call: Callable[[], Any]) -> float:
    """Median seconds of a call, which was made before, over as many `rounds` as the row asks for; of one where benchmarks are off."""
    _, warm = first_call(call)
    benchmark.pedantic(call, rounds=rounds(warm), iterations=1)
    return float(benchmark.stats.stats.median) if benchmark.stats else warm


def figures(found: engine.Solution, seconds: float, useful: float, lanes: int, steps: int, best: float) -> dict[str, Any]:
    """Rates of a solve of so many lanes and steps, `useful` operations a lane and step; `best` is the peak in GFlop/s."""
    rate = useful * lanes * steps / seconds / 1e9
    return {
        "matrices": lanes,
        "steps": steps,
        "compile_s": found.timings["compile_s"],
        "kernel": found.plan.kernel,
        "matrices_per_s": lanes / seconds,
        "ns_per_matrix_step": seconds / lanes / steps * 1e9,
        "useful_flops": useful,
        "gflops": rate,
        "peak_gflops": best,
        "share_of_peak": rate / best,
    }
