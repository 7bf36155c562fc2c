"""Whole kernels for each instruction set: compiled where a compiler for it is, and run where a processor or QEMU is.

The kernel of an `engine.solve` call becomes a program of its own, which reads the call's inputs from a file; its results
go back into the call. A cross compiler is `aarch64-linux-gnu-g++`, a processor in software `qemu-aarch64`.
"""

from __future__ import annotations

import ctypes
import math
import platform
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import engine
import problems
from backends.fused.build.compiler import find_compiler
from backends.fused.build.target import Target, host_names, target
from backends.fused.build.toolchain import Library
from backends.fused.codegen import kernel
from backends.fused.run import iterate, lanes, mapped
from engine.solvers import Adam, GradientDescent

PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
static long whole(FILE *file) { long n = 0; if (fread(&n, sizeof n, 1, file) != 1) abort(); return n; }
static char *bytes(FILE *file, long size) {
  char *memory = (char *)calloc(size + 64, 1);
  if ((long)fread(memory, 1, size, file) != size) abort();
  return memory;
}
int main(int, char **names) {
  FILE *file = fopen(names[1], "rb"), *answer = fopen(names[2], "wb");
  long lanes = whole(file), max_steps = whole(file), inputs = whole(file), outputs = whole(file);
  Input *in = (Input *)calloc(inputs + 1, sizeof(Input));
  for (long n = 0; n < inputs; n++) {
    long size = whole(file), *axes = new long[3]{1, lanes, (long)(size * sizeof(T))}, *offset = new long[size + 1];
    for (long k = 0; k < size; k++) offset[k] = k * sizeof(T);
    in[n] = {bytes(file, lanes * size * sizeof(T)), axes, offset, 0};
  }
  T *shared = (T *)bytes(file, whole(file));
  long *sizes = new long[outputs];
  char **out = new char *[outputs];
  for (long n = 0; n < outputs; n++) out[n] = (char *)calloc((sizes[n] = whole(file)) + 64, 1);
  long counters[4] = {};
  Task task = {in, shared, out, nullptr, lanes, max_steps, 0, 1, 2, counters, counters + 1, counters + 3};
  if (solve(&task)) abort();
  for (long n = 0; n < outputs; n++) fwrite(out[n], 1, sizes[n], answer);
  return fclose(answer);
}
"""

ISAS = [("avx512", "x86_64"), ("avx2", "x86_64"), ("plain", "x86_64"), ("neon", "aarch64"), ("plain", "aarch64")]
each_isa = pytest.mark.parametrize(("name", "machine"), ISAS, ids=lambda word: word)
MATRICES = np.eye(3) + 0.1 * np.random.default_rng(4).standard_normal((11, 3, 3))


def loss(X: Any, A: Any) -> Any:
    """Functions of C's library, a comparison, a sum of products."""
    xp = array_namespace(A)
    return xp.sum(xp.log(xp.cosh(X - A)) + xp.exp(-X * X) * xp.where(A > 0, xp.sin(X), xp.atan(X)) + (X @ A - 1) ** 2)


FUNCTIONS = engine.Problem(name="functions", data={"A": "n n"}, params={"X": engine.Param("n n", start="eye")}, loss=loss)
CASES: dict[str, tuple[engine.Problem, Any, str, float]] = {
    "float32": (problems.inverse(), GradientDescent(0.3, momentum=0.5), "float32", 1e-4),
    "float64": (FUNCTIONS, Adam(0.05), "float64", 1e-11),
}


def commands(name: str, machine: str) -> tuple[list[str], list[str] | None]:
    """The commands for a compiler of that machine, and a program of it; None where its programs do not run."""
    if machine == platform.machine():
        return list(find_compiler().command), [] if name in host_names() else None
    cross, emulator = f"{machine}-linux-gnu-g++", f"qemu-{machine}"
    if shutil.which(cross) is None:
        pytest.skip(f"no cross compiler {cross}")
    return [cross], [emulator] if shutil.which(emulator) else None


def compiled(compiler: list[str], isa: Target, source: str, folder: Path) -> Path:
    """A program, without a warning."""
    flags = [flag for flag in isa.flags if flag not in ("-shared", "-nodefaultlibs", "-mtune=native")]
    (folder / "kernel.cpp").write_text(source)
    command = [*compiler, "kernel.cpp", "-Wall", "-Werror", "-Wno-unused-function", *flags, "-static", "-o", "kernel"]
    subprocess.run(command, cwd=folder, check=True, timeout=200)
    return folder / "kernel"


class Elsewhere:
    """The library of a kernel that runs as a program of its own."""

    def __init__(self, command: list[str], folder: Path) -> None:
        self.command, self.folder = command, folder
        self.kernel: Any = None
        self.arrays: Any = None

    def solve(self, reference: Any) -> int:
        """As the kernel's `solve`."""
        task, made = reference._obj, self.kernel
        item = np.dtype(made.dtype).itemsize
        sizes = [task.lanes * leaf.size * np.dtype(leaf.dtype).itemsize for leaf in made.results]
        parts = [np.array([task.lanes, task.max_steps, len(made.lane_inputs), len(sizes)], "i8").tobytes()]
        for leaf, given in zip(made.lane_inputs, self.arrays, strict=True):
            parts += [np.array(leaf.size, "i8").tobytes(), np.array(given.array, made.dtype).tobytes()]
        shared = max(1, sum(leaf.size for leaf in made.shared_inputs)) * item
        parts += [np.array(shared, "i8").tobytes(), ctypes.string_at(task.shared, shared), np.array(sizes, "i8").tobytes()]
        (self.folder / "task").write_bytes(b"".join(parts))
        subprocess.run([*self.command, str(self.folder / "kernel"), "task", "answer"], cwd=self.folder, check=True, timeout=100)
        answer = (self.folder / "answer").read_bytes()
        at: Any = (ctypes.c_void_p * len(sizes)).from_address(task.outputs)
        for n, size in enumerate(sizes):
            start = sum(sizes[:n])
            ctypes.memmove(at[n], answer[start : start + size], size)
        return 0


@each_isa
@pytest.mark.parametrize("case", CASES)
def test_a_kernel_compiles_without_a_warning_and_solves_as_the_host_does(
    case: str, name: str, machine: str, tmp_path: Path, monkeypatch: Any
) -> None:
    problem, solver, dtype, tolerance = CASES[case]
    isa, (compiler, emulator) = target(name, machine), commands(name, machine)
    elsewhere = Elsewhere(emulator or [], tmp_path)
    A = MATRICES.astype(dtype)

    def solve() -> engine.Solution:
        declared = engine.Problem(**{field: getattr(problem, field) for field in FIELDS})
        return engine.solve(declared, A, solver=solver, backend="fused", tol=0, max_steps=60)

    expected = solve()
    build, init = kernel.build, lanes.Table.__init__

    def made(*arguments: Any) -> Any:
        elsewhere.kernel = build(*arguments)
        compiled(compiler, isa, elsewhere.kernel.source + PROGRAM, tmp_path)
        return elsewhere.kernel

    def seen(table: lanes.Table, arrays: Any) -> None:
        elsewhere.arrays = arrays
        init(table, arrays)

    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))  # what is known from before is not built
    monkeypatch.setattr(iterate, "host_target", lambda: isa)
    monkeypatch.setattr(kernel, "build", made)
    monkeypatch.setattr(iterate, "build", lambda *_: Library(elsewhere, "compiled", 0.0, ""))  # type: ignore[arg-type]
    monkeypatch.setattr(lanes.Table, "__init__", seen)
    if emulator is None:
        monkeypatch.setattr(Elsewhere, "solve", lambda *_: pytest.skip(f"compiled; nothing here runs {name} of {machine}"))
    found = solve()
    assert f"native, {name}" in found.plan.kernel
    assert elsewhere.kernel.width == isa.vector_bytes // np.dtype(dtype).itemsize
    np.testing.assert_array_equal(found.steps, 60)
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_allclose(found["X"], expected["X"], rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(found.loss, expected.loss, rtol=tolerance, atol=tolerance)
    assert math.isfinite(float(found.loss.sum()))


FIELDS = ("name", "data", "params", "residual", "loss", "exact")


@each_isa
def test_a_mapped_function_compiles_without_a_warning(name: str, machine: str, tmp_path: Path, monkeypatch: Any) -> None:
    isa, (compiler, _) = target(name, machine), commands(name, machine)
    sources: list[str] = []

    class Stop(Exception):
        pass

    def keep(source: str, _: Target) -> Library:
        sources.append(source)
        raise Stop

    monkeypatch.setattr(mapped, "build", keep)
    monkeypatch.setattr(mapped, "host_target", lambda: isa)
    f = engine.jit(engine.vmap(lambda a, k: {"cube": a @ a @ a, "count": (a > 0).sum(), "shift": k + 1}))
    f(MATRICES, np.arange(11))
    (source,) = sources
    compiled(compiler, isa, source + "int main() { return 0; }", tmp_path)
