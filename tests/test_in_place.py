"""Inputs are read where they lie: by memory address, by peak memory under a hard limit, and against a plain copy."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import engine
from backends import get
from backends.fused.run import lanes
from backends.fused.run.lanes import Lanes, Table
from engine import Param, Problem
from engine.solvers import GradientDescent

ROOT = Path(__file__).parent.parent
RNG = np.random.default_rng(2)
WHOLE = RNG.standard_normal((6, 3, 3))


def nearest(name: str = "nearest") -> Problem:
    """x is the mean of a matrix, and y its trace: every number of it has a part in the answer."""
    return Problem(
        name=name,
        data={"A": "n n"},
        params={"x": Param("", start=0.0), "y": Param("", start=0.0)},
        residual=lambda x, y, A: {"x": x - A.sum() / (A.shape[-1] ** 2), "y": y - A.diagonal().sum()},
    )


SOLVED = nearest()


def solve(A: Any, backend: str = "fused", **options: Any) -> engine.Solution:
    return engine.solve(SOLVED, A, solver=GradientDescent(0.3), backend=backend, tol=0, max_steps=40, **options)


def read_only(array: np.ndarray) -> np.ndarray:
    array = array.copy()
    array.flags.writeable = False
    return array


def unaligned(array: np.ndarray) -> np.ndarray:
    """A field of packed records, at an odd address and with a stride that is no multiple of 8."""
    records = np.zeros(array.shape, np.dtype([("flag", "i1"), ("value", "f8")]))
    records["value"] = array
    return records["value"]


VIEWS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "read-only": read_only,
    "reversed lanes": lambda a: a.copy()[::-1],
    "reversed rows and columns": lambda a: a.copy()[:, ::-1, ::-1],
    "transposed": lambda a: a.copy().reshape(3, 3, 6).transpose(2, 1, 0),
    "every other lane": lambda a: np.repeat(a, 2, axis=0)[::2],
    "one matrix broadcast": lambda a: np.broadcast_to(a[1], a.shape),
    "one row broadcast": lambda a: np.broadcast_to(a[:, :1], a.shape),
    "two batch axes, swapped": lambda a: a.copy().reshape(2, 3, 3, 3).swapaxes(0, 1),
    "two batch axes, one broadcast": lambda a: np.broadcast_to(a.reshape(2, 3, 1, 3, 3)[:, ::-1], (2, 3, 4, 3, 3)),
    "unaligned": unaligned,
    "big-endian": lambda a: a.astype(">f8"),
}


@pytest.mark.parametrize("kind", VIEWS)
def test_a_view_is_read_at_its_own_address_and_gives_what_a_copy_gives(kind: str, monkeypatch: Any) -> None:
    view = VIEWS[kind](WHOLE)
    addresses: list[int] = []
    kept = lanes.Table.__init__

    def seen(table: Table, arrays: Any) -> None:
        kept(table, arrays)
        addresses.extend(table.inputs[k].first for k in range(len(arrays)))

    before = view.tobytes()
    expected = solve(np.ascontiguousarray(view).astype("f8"))
    monkeypatch.setattr(lanes.Table, "__init__", seen)
    found = solve(view)
    assert addresses == [view.__array_interface__["data"][0]]
    for name in found.params:
        np.testing.assert_array_equal(found[name], expected[name])
    np.testing.assert_allclose(found["x"], np.asarray(view, "f8").mean((-2, -1)), rtol=0, atol=1e-4)
    np.testing.assert_allclose(found["y"], np.trace(view, axis1=-2, axis2=-1), rtol=0, atol=1e-4)
    assert view.tobytes() == before


@pytest.mark.parametrize("dtype", "int8 int16 int32 int64 uint8 uint16 uint32 uint64 bool >i2 >i8 >u4".split())
@pytest.mark.parametrize("backend", ["fused", "torch"])
def test_whole_numbers_of_any_type_and_byte_order_are_the_numbers_they_are(dtype: str, backend: str) -> None:
    numbers = RNG.integers(0, 2 if dtype == "bool" else 100, (5, 3, 3))
    numbers = -numbers if dtype[-2] == "i" or dtype.startswith("int") else numbers
    given, plain = numbers.astype(dtype), numbers.astype("float64")
    a, b = solve(given, backend), solve(plain, backend)
    for name in a.params:
        np.testing.assert_array_equal(a[name], b[name])


def test_a_float32_datum_beside_a_float64_one_is_promoted_as_it_is_read() -> None:
    problem = Problem(
        name="sum", data={"a": "n", "b": "n"}, params={"x": Param("n", start="zeros")}, residual=lambda x, a, b: x - a - b
    )
    a, b = RNG.standard_normal((4, 3)).astype("float32"), RNG.standard_normal((4, 3))
    found = engine.solve(problem, {"a": a, "b": b}, solver=GradientDescent(0.5), backend="fused", tol=0, max_steps=400)
    assert found["x"].dtype == np.float64
    np.testing.assert_allclose(found["x"], a.astype("float64") + b, rtol=1e-13)


def test_torch_tensors_of_any_strides_are_read_in_place_too() -> None:
    T = torch.as_tensor(WHOLE).reshape(2, 3, 3, 3)
    for view in (T.swapaxes(0, 1), T.mT, T[:, :1].expand(2, 3, 3, 3)):
        loaded = get("fused").load_lanes(view, tuple(view.shape[:2]), 2, "float64", view.device)
        assert isinstance(loaded, Lanes) and lanes.address(loaded.array) == view.data_ptr()
        found, expected = solve(view), solve(view.contiguous().clone())
        assert all(torch.equal(found[name], expected[name]) for name in found.params)


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_the_other_backends_take_the_same_views(backend: str) -> None:
    for make in VIEWS.values():
        view = make(WHOLE)
        found = solve(view, backend)
        np.testing.assert_allclose(found["y"], solve(np.array(view, "f8"))["y"], rtol=1e-12)


def test_torch_reads_read_only_memory_in_place_and_no_answer_is_a_view_of_it() -> None:
    given = read_only(WHOLE)
    assert get("torch").load(given).data_ptr() == given.ctypes.data
    kept = Problem(
        name="kept", data={"A": "n n"}, params={"x": Param("", start=0.0)}, residual=lambda x, A: x - A.sum(), measures={"A": lambda x, A: A},
    )  # fmt: skip
    answer = engine.solve(kept, given, solver=GradientDescent(0.1), backend="torch", max_steps=3).measures["A"]
    np.testing.assert_array_equal(answer, given)
    assert not np.shares_memory(answer, given)


MAPPED = """
import resource, sys
import numpy as np, engine
from tests.test_in_place import LARGE, solve

solve(np.ones((9, 64, 64)))  # compiled before the limit
maps = [np.memmap(name, dtype=dtype, mode="r", shape=LARGE) for name, dtype in zip(sys.argv[1::2], sys.argv[2::2])]
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
now = int(status["VmData"].split()[0]) * 1024
resource.setrlimit(resource.RLIMIT_DATA, (now + 2**26, -1))  # of memory that is not a file's: 64 MiB more, outputs included
for A in maps:
    for turned in (A, A[::-1], A.swapaxes(1, 2)):
        found = solve(turned)
        last = 0 if turned.strides[0] < 0 else -1
        assert found.plan.backend == "fused" and found["y"][last] == found["y"].max() > 60 and not found["y"][5:-5].any()
"""
LARGE = (4096, 64, 64)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA bounds mapped memory on Linux only")
def test_read_only_memory_maps_are_solved_within_64_mib_of_memory(tmp_path: Path) -> None:
    arguments: list[str] = []
    for dtype in ("<f8", ">f8", "<i8"):
        written = np.memmap(tmp_path / dtype, dtype=dtype, mode="w+", shape=LARGE)
        written[-1] = np.eye(64).astype(dtype)  # 128 MiB, all but this lane a hole in the file
        written.flush()
        arguments += [str(tmp_path / dtype), dtype]
    found = subprocess.run(
        [sys.executable, "-c", MAPPED, *arguments],
        capture_output=True, text=True, cwd=ROOT, env={**os.environ, "OMP_NUM_THREADS": "2"}, timeout=200, check=False,
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
