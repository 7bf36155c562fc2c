"""Vector math compiled for arrays: each function of `backends/fused/native/vmath.h` at each width, called with numpy arrays."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import backends.fused
from backends.fused.build.native import Handle
from backends.fused.build.toolchain import Target, build
from tests.vmath_table import ACCURATE, EXACT, Exact, Function

HEADER = Path(backends.fused.__file__).with_name("native").joinpath("vmath.h").read_text()
MASKS = ("isnan", "isinf", "isfinite")

# Arrays of whole vectors: n is a multiple of the width.
DRIVER = """
template <class T, int W, class F> static void apply(F f, const T *a, const T *b, T *out, long n) {
  using V = lw::Vec<T, W>;
  for (long i = 0; i < n; i += W) {
    V x, y;
    __builtin_memcpy(&x, a + i, sizeof(V));
    __builtin_memcpy(&y, b + i, sizeof(V));
    V r = f(x, y);
    __builtin_memcpy(out + i, &r, sizeof(V));
  }
}
#define DRIVE(NAME, T, W, EXPRESSION) \\
  extern "C" void NAME##_##T##_##W(const T *a, const T *b, T *out, long n) { \\
    apply<T, W>([](auto x, [[maybe_unused]] auto y) { return EXPRESSION; }, a, b, out, n); \\
  }
"""


def native(target: Target, dtype: str) -> int:
    """Lanes of a register."""
    return target.vector_bytes // np.dtype(dtype).itemsize


def widths(target: Target, dtype: str) -> list[int]:
    """One lane, half a register of lanes, a register, two registers."""
    full = native(target, dtype)
    return sorted({1, full // 2, full, 2 * full})


def source(target: Target) -> str:
    """The C++ text of every function at every width."""
    functions: list[Function | Exact] = [*ACCURATE, *EXACT]
    calls = {f.name: f"lw::{f.name}(x{', y' if f.arity == 2 else ''})" for f in functions}
    calls |= {name: f"lw::select(lw::{name}(x), x, y)" for name in MASKS}
    kinds = [(c, width) for c, dtype in (("float", "float32"), ("double", "float64")) for width in widths(target, dtype)]
    return HEADER + DRIVER + "".join(f"DRIVE({name}, {c}, {w}, {call})\n" for name, call in calls.items() for c, w in kinds)


@cache
def library(target: Target) -> Handle:
    """The compiled driver."""
    return build(source(target), target).handle


def call(target: Target, name: str, arrays: Sequence[np.ndarray], width: int) -> np.ndarray:
    """The function of one or two arrays, whose length is made up to whole vectors and cut again."""
    dtype = arrays[0].dtype
    size = len(arrays[0])
    padded = [np.concatenate([a, np.ones(-size % width, dtype)]) for a in arrays]
    out = np.empty_like(padded[0])
    pointer: Any = [array.ctypes.data_as(ctypes.c_void_p) for array in (padded[0], padded[-1], out)]
    function = getattr(library(target), f"{name}_{'float' if dtype == np.float32 else 'double'}_{width}")
    function(*pointer, ctypes.c_long(len(out)))
    return out[:size]
