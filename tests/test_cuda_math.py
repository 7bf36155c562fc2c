"""The functions of `lane_math.cuh` that are made there, compiled behind the shim header: CUDA's own are NVIDIA's to test."""

from __future__ import annotations

import ctypes
import re
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from backends.fused.build.target import host_target
from backends.fused.build.toolchain import Library, build
from backends.fused.native import header
from tests.cuda.shim import SHIM
from tests.vmath_table import ACCURATE, EXACT

MADE = {"sign": 1, "mantissa": 1, "max": 2, "min": 2, "fmax": 2, "fmin": 2, "remainder": 2, "rsqrt": 1, "sigmoid": 1}
MADE |= {"digamma": 1, "polygamma1": 1, "polygamma2": 1, "polygamma3": 1}
WHOLE = {"abs": 1, "fmod": 2, "trunc_divide": 2, "floor_divide": 2, "remainder": 2, "max": 2, "min": 2, "sign": 1}
DTYPES = ("float64", "float32")
MOST = {"digamma": 16, "polygamma1": 16, "polygamma2": 32, "polygamma3": 16}
"""Ulp of doubles; the second derivative crosses zero between poles, as a difference of large numbers."""


@cache
def library(dtype: str) -> Library:
    """Every function over arrays, of floats and of whole numbers."""
    T, Int = ("double", "long") if dtype == "float64" else ("float", "int")
    head = f"{SHIM}\ntypedef {T} T;\ntypedef {Int} Int;\n{header('cuda/block.cuh')}\n{header('cuda/lane_math.cuh')}\n"
    loop = 'extern "C" int {0}_{1}(const {1} *x, const {1} *y, {1} *r, long n) {{ for (long k = 0; k < n; k++) r[k] = {2}; return 0; }}\n'
    calls = [(name, kind, "T" if kind == "T" else "Int") for kind, table in (("T", MADE), ("Int", WHOLE)) for name in table]
    text = "".join(
        loop.format(name, kind, f"lw::{name}(x[k]{', y[k]' if (MADE if kind == 'T' else WHOLE)[name] == 2 else ''})")
        for name, kind, _ in calls
    )
    text += loop.format("exponent", "T", "lw::exponent(x[k])") + loop.format("finite", "T", "lw::isfinite(x[k])")
    return build(head + text, host_target())


def call(name: str, kind: str, dtype: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A function of arrays."""
    found = np.empty_like(x)
    at = [array.ctypes.data_as(ctypes.c_void_p) for array in (x, y, found)]
    getattr(library(dtype).handle, f"{name}_{kind}")(*at, ctypes.c_long(len(x)))
    return found


def points(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Pairs of numbers of all sizes, each special one beside each."""
    about: Any = np.finfo(dtype)
    sizes = [0, about.smallest_subnormal, about.tiny, 0.5, 1, 2.5, 7, about.max, np.inf]
    special = np.array([sign * size for size in sizes for sign in (1, -1)] + [np.nan], dtype)
    rng = np.random.default_rng(0)
    some = (rng.uniform(-1, 1, 600) * rng.choice([1e-3, 1, 9, 60], 600)).astype(dtype)
    x, y = (a.reshape(-1) for a in np.meshgrid(special, special))
    return np.concatenate([x, some]), np.concatenate([y, rng.permutation(some)])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [f for f in EXACT if f.name in MADE], ids=lambda f: f.name)
def test_an_exact_function_gives_the_one_right_number(function: Any, dtype: str) -> None:
    x, y = points(dtype)
    with np.errstate(all="ignore"):
        want = function.array(*(x, y)[: function.arity])
        exponent = np.frexp(np.where(np.isfinite(x), x, 0))[1]
    np.testing.assert_array_equal(call(function.name, "T", dtype, x, y), want)
    np.testing.assert_array_equal(call("exponent", "T", dtype, x, y), exponent)
    np.testing.assert_array_equal(call("finite", "T", dtype, x, y), np.isfinite(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("function", [f for f in ACCURATE if f.name in MADE], ids=lambda f: f.name)
def test_a_function_is_as_accurate_as_it_says(function: Any, dtype: str) -> None:
    """4 ulp; digamma and its derivatives, which are made in double there, of max(1, |value|) in double: see `MOST`."""
    x = points(dtype)[0][-150:]
    x = x[np.isfinite(x) & ((x > 0) | (function.name != "rsqrt"))]
    made_in_double = "gamma" in function.name
    if made_in_double:  # beside a pole an ulp of x is more than one of the value
        x = x[abs(x - np.round(x)) > 0.02]
    got = call(function.name, "T", dtype, x, x).astype("float64")
    with mp.workprec(120):
        want = np.array([float(mp.re(function.exact(mp.mpf(float(each))))) for each in x])
    unit = np.spacing(np.maximum(np.abs(want), float(made_in_double)).astype(dtype)).astype("float64")
    assert len(x) > 60 and np.max(np.abs(got - want) / unit) <= (MOST.get(function.name, 4) if dtype == "float64" else 4)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_divide_as_python_s_do(name: str, dtype: str) -> None:
    kind: Any = np.int64 if dtype == "float64" else np.int32
    edges = np.array([0, 1, -1, 2, -3, 7, -8, 100, np.iinfo(kind).max, np.iinfo(kind).min + 1], kind)
    x, y = (a.reshape(-1).copy() for a in np.meshgrid(edges, edges))
    by = np.where(y == 0, 1, y)
    want = {
        "abs": abs(x), "sign": np.sign(x), "max": np.maximum(x, y), "min": np.minimum(x, y),
        "fmod": np.where(y == 0, 0, np.fmod(x, by)), "remainder": np.where(y == 0, 0, np.remainder(x, by)),
        "trunc_divide": np.where(y == 0, 0, (x - np.fmod(x, by)) // by), "floor_divide": np.where(y == 0, 0, x // by),
    }[name]  # fmt: skip
    np.testing.assert_array_equal(call(name, "Int", dtype, x, y), want)


def test_every_function_of_the_lane_ir_is_there() -> None:
    from backends.fused.ir.ops import OPS

    named = {name for op in OPS.values() for name in re.findall(r"lw::(\w+)", op.text)}
    text = header("cuda/lane_math.cuh")
    assert {name for name in named if not re.search(rf"\b{name}[(,]", text)} == set()
