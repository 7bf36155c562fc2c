"""Promises of vector math: 4 ulp, C's special values, and lanes that do not know of each other, on each target."""

from __future__ import annotations

import ctypes
import itertools
import platform
import shutil
import subprocess
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import mpmath as mp
import numpy as np
import pytest

from backends.fused.build.compiler import find_compiler
from backends.fused.build.target import host_names, supported, target
from backends.fused.build.toolchain import Target
from tests.vmath_driver import HEADER, MASKS, call, native, source, widths
from tests.vmath_table import ACCURATE, EXACT, Exact, Function

# Where a dense search found the largest errors: of lgamma in C's library, of erf, log and tan in glibc's vector library.
HARD = (-3.9414104165321588, -3.9220295, 3.6533227, 0.882568002, 0.882793069, 3.92533088, 3.00513922e22)

DTYPES = ("float32", "float64")
TARGETS = [target(name, platform.machine()) for name in host_names()]

each_target = pytest.mark.parametrize("isa", TARGETS, ids=lambda isa: isa.name)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def specials(dtype: str) -> np.ndarray:
    about: Any = np.finfo(dtype)
    sizes = [0, about.smallest_subnormal, about.tiny / 3, about.tiny, 0.5, 1, 1.5, 2, 3, 11, 1e10, about.max, np.inf]
    return np.array([sign * size for size in sizes for sign in (1, -1)] + [np.nan], dtype)


@cache
def points(dtype: str, arity: int) -> tuple[np.ndarray, ...]:
    """Arguments of all sizes: around 0 and 1, over each scale, over the whole range of the type, and special ones."""
    rng = np.random.default_rng(3)
    about = np.finfo(dtype)
    each = 60 if arity == 1 else 150
    parts = [rng.uniform(-1, 1, each) * scale for scale in (1e-6, 0.1, 1, 2, 5, 12, 40, 100, 720, 1e5)]
    parts += [np.array(HARD)]
    parts += [1 + rng.uniform(-1, 1, each) * 1e-3]
    parts += [sign * 2.0 ** rng.uniform(about.minexp - about.nmant, about.maxexp, each) for sign in (1, -1)]
    columns = [np.concatenate([rng.permutation(np.concatenate(parts)).astype(dtype), specials(dtype)]) for _ in range(arity)]
    if arity == 2:
        pairs = np.array(list(itertools.product(specials(dtype), repeat=2)), dtype).T
        columns = [np.concatenate(both) for both in zip(columns, pairs, strict=True)]
    return tuple(columns)


@cache
def exact(function: Function, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """The true values as sums of two doubles, NaN where there is no finite real one."""
    high, low = [], []
    with mp.workprec(240):
        for k, arguments in enumerate(zip(*points(dtype, function.arity), strict=True)):
            value = mp.nan
            if k % function.step == 0 and np.isfinite(arguments).all():
                try:
                    value = function.exact(*(mp.mpf(float(x)) for x in arguments))
                except (ValueError, ZeroDivisionError, OverflowError):
                    value = mp.nan
            value = mp.nan if isinstance(value, mp.mpc) and value.imag != 0 else mp.re(value)
            high.append(float(value))
            low.append(float(value - mp.mpf(high[-1])) if np.isfinite(high[-1]) else 0.0)
    return np.array(high), np.array(low)


@each_dtype
@pytest.mark.parametrize("function", ACCURATE, ids=lambda function: function.name)
@each_target
def test_a_function_is_within_4_ulp_of_its_true_value(isa: Target, function: Function, dtype: str) -> None:
    arguments = points(dtype, function.arity)
    high, low = exact(function, dtype)
    about = np.finfo(dtype)
    known = np.isfinite(high) & (np.abs(high) < about.max)
    assert known.sum() > 100
    got = call(isa, function.name, arguments, native(isa, dtype)).astype("float64")
    unit = np.spacing(np.maximum(np.abs(high[known]), function.scale).astype(dtype)).astype("float64")
    error = np.abs(got[known] - high[known] - low[known]) / unit
    worst = np.argmax(np.where(np.isnan(error), np.inf, error))
    assert error[worst] <= 4, f"{error[worst]} ulp at {[a[known][worst] for a in arguments]}"


@each_dtype
@pytest.mark.parametrize("function", [f for f in ACCURATE if f.in_c], ids=lambda function: function.name)
@each_target
def test_nan_infinities_and_signed_zeros_come_as_from_c(isa: Target, function: Function, dtype: str) -> None:
    arguments = points(dtype, function.arity)
    want = np.array([by_c(function, dtype)(*map(float, each)) for each in zip(*arguments, strict=True)], dtype)
    got = call(isa, function.name, arguments, native(isa, dtype))
    special = ~np.isfinite(want) | (want == 0)
    assert special.sum() > 0
    np.testing.assert_array_equal(got[special], want[special])
    np.testing.assert_array_equal(np.signbit(got)[want == 0], np.signbit(want)[want == 0])
    np.testing.assert_array_equal(np.isfinite(got), np.isfinite(want))


def by_c(function: Function, dtype: str) -> Callable[..., float]:
    kind = ctypes.c_float if dtype == "float32" else ctypes.c_double
    found: Any = getattr(ctypes.CDLL(None), function.name + ("f" if dtype == "float32" else ""))
    found.argtypes, found.restype = [kind] * function.arity, kind
    return found  # type: ignore[no-any-return]


@each_dtype
@pytest.mark.parametrize("function", EXACT, ids=lambda function: function.name)
@each_target
def test_an_exact_function_gives_the_one_right_number(isa: Target, function: Exact, dtype: str) -> None:
    arguments = points(dtype, function.arity)
    with np.errstate(all="ignore"):
        want = function.array(*arguments)
    got = call(isa, function.name, arguments, native(isa, dtype))
    np.testing.assert_array_equal(got, want)
    if function.name not in ("max", "min", "fmax", "fmin"):  # of two zeros, either
        np.testing.assert_array_equal(np.signbit(got[want == 0]), np.signbit(want[want == 0]))


@each_dtype
@pytest.mark.parametrize("function", [*ACCURATE, *EXACT], ids=lambda function: function.name)
@each_target
def test_a_lane_has_the_same_bits_at_any_place_beside_any_lane_at_any_width(
    isa: Target, function: Function | Exact, dtype: str
) -> None:
    arguments = points(dtype, function.arity)
    full = native(isa, dtype)
    alone = bits(call(isa, function.name, arguments, 1))
    for width in widths(isa, dtype)[1:]:
        np.testing.assert_array_equal(bits(call(isa, function.name, arguments, width)), alone)
    order = np.random.default_rng(1).permutation(len(alone))
    np.testing.assert_array_equal(bits(call(isa, function.name, [a[order] for a in arguments], full)), alone[order])
    for neighbour in (np.nan, np.inf, 1e38, 1e-40, 0.0):
        spread = [np.full(len(alone) * 3, neighbour, dtype) for _ in arguments]
        for wide, narrow in zip(spread, arguments, strict=True):
            wide[1::3] = narrow
        np.testing.assert_array_equal(bits(call(isa, function.name, spread, full))[1::3], alone)


def bits(array: np.ndarray) -> np.ndarray:
    return array.view(f"int{8 * array.itemsize}")


@each_dtype
@pytest.mark.parametrize("name", MASKS)
@each_target
def test_a_mask_selects_the_lanes_it_names(isa: Target, name: str, dtype: str) -> None:
    values = specials(dtype)
    for width in widths(isa, dtype):
        got = call(isa, name, [values, np.full_like(values, 7)], width)
        np.testing.assert_array_equal(got, np.where(getattr(np, name)(values), values, 7))


HOT = {
    "avx512": {"floor": "vrndscale", "ceil": "vrndscale", "trunc": "vrndscale", "round": "vrndscale", "sqrt": "vsqrt"},
    "avx2": {"floor": "vround", "ceil": "vround", "trunc": "vround", "round": "vround", "sqrt": "vsqrt"},
    "plain": {"sqrt": "sqrt"},
    "neon": {"floor": "frintm", "ceil": "frintp", "trunc": "frintz", "round": "frintn", "sqrt": "fsqrt"},
}


@each_dtype
@each_target
def test_rounding_and_roots_are_one_instruction_a_register(isa: Target, dtype: str, tmp_path: Path) -> None:
    kind, width = "float" if dtype == "float32" else "double", native(isa, dtype)
    for name, instruction in HOT[isa.name].items():
        text = f"{HEADER}\nlw::Vec<{kind}, {width}> f(lw::Vec<{kind}, {width}> v) {{ return lw::{name}(v); }}\n"
        (tmp_path / "f.cpp").write_text(text)
        subprocess.run([*find_compiler().command, *isa.object_flags, "-S", "f.cpp", "-o", "f.s"], cwd=tmp_path, check=True)
        lines = [line.split()[0] for line in (tmp_path / "f.s").read_text().splitlines() if line[:1] == "\t" and line[1] != "."]
        assert [line for line in lines if not line.startswith(("ret", "endbr", "bti"))] in (
            [f"{instruction}p{'s' if kind == 'float' else 'd'}"],
            [instruction],
        )


def test_the_header_compiles_for_neon(tmp_path: Path) -> None:
    cross = shutil.which("aarch64-linux-gnu-g++")
    if cross is None:
        pytest.skip("no cross compiler aarch64-linux-gnu-g++")
    for name in supported("aarch64", frozenset()):
        isa = target(name, "aarch64")
        (tmp_path / "f.cpp").write_text(source(isa))
        subprocess.run([cross, *isa.object_flags, "-Wall", "-Werror", "-c", "f.cpp", "-o", "f.o"], cwd=tmp_path, check=True)
