"""The peak of the processor: independent vector multiply-adds, measured. Needs the host's C++ compiler."""

from __future__ import annotations

import ctypes
import math
import os
import platform
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import torch

from backends.fused.build.target import target

CHAINS = 12
"""Independent accumulators: more than latency times ports of any current core."""

SOURCE = """
#if defined(__AVX512F__)
constexpr int BYTES = 64;
#elif defined(__AVX__)
constexpr int BYTES = 32;
#else
constexpr int BYTES = 16;
#endif
template <typename T> T chains(long rounds, T a, T b) {
    typedef T Vector __attribute__((vector_size(BYTES)));
    Vector x[CHAINS], m = Vector{} + a, c = Vector{} + b;
    for (int k = 0; k < CHAINS; k++) x[k] = Vector{} + T(k);
    for (long i = 0; i < rounds; i++) {
        #pragma GCC unroll 64
        for (int k = 0; k < CHAINS; k++) x[k] = x[k] * m + c;
    }
    T sum = 0;
    for (int k = 0; k < CHAINS; k++) for (int j = 0; j < int(BYTES / sizeof(T)); j++) sum += x[k][j];
    return sum;
}
extern "C" int bytes() { return BYTES; }
extern "C" double run_float32(long rounds) { volatile float a = 0.5f, b = 0.25f; return chains<float>(rounds, a, b); }
extern "C" double run_float64(long rounds) { volatile double a = 0.5, b = 0.25; return chains<double>(rounds, a, b); }
"""


@cache
def library(isa: str = "") -> ctypes.CDLL:
    """The kernel, compiled for this processor, or for one of `backends.fused.build.target`'s instruction sets.

    Raises OSError, subprocess.CalledProcessError without a working compiler.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, binary = Path(folder) / "peak.cpp", Path(folder) / "peak.so"
        source.write_text(SOURCE)
        own = [flag for flag in target(isa, platform.machine()).flags if flag.startswith("-m")] if isa else ["-march=native"]
        flags = ["-O3", *own, "-ffp-contract=fast", "-shared", "-fPIC", f"-DCHAINS={CHAINS}"]
        subprocess.run([os.environ.get("CXX", "g++"), *flags, str(source), "-o", str(binary)], check=True, capture_output=True)
        loaded = ctypes.CDLL(str(binary))
    for dtype in ("float32", "float64"):
        function = getattr(loaded, f"run_{dtype}")
        function.argtypes, function.restype = [ctypes.c_long], ctypes.c_double
    return loaded


def gflops(dtype: str = "float32", rounds: int = 4_000_000, repeats: int = 15, isa: str = "") -> float:
    """10^9 multiplications and additions a second of as many threads as torch uses; the best of some repeats.

    They are short (some 15 ms), so that other users of the machine leave one of them alone.

    Raises OSError, subprocess.CalledProcessError without a working compiler.
    """
    run, threads = getattr(library(isa), f"run_{dtype}"), torch.get_num_threads()
    lanes = library(isa).bytes() // (4 if dtype == "float32" else 8)
    best = math.inf
    with ThreadPoolExecutor(threads) as pool:
        for _ in range(repeats):
            began = time.perf_counter()
            list(pool.map(run, [rounds] * threads))
            best = min(best, time.perf_counter() - began)
    return float(2.0 * lanes * CHAINS * rounds * threads / best / 1e9)
