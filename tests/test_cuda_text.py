"""Emitted CUDA runs on the CPU: the text is a kernel's own, behind a shim header, and its answers are those of the CPU's kernels.

Without fused multiply-adds the same operations give the same bits, for all that is made of sums, products, quotients and roots;
C's own exp and log differ from the kernels' in the last bits.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import backends
import engine
import problems
from backends.fused.build.target import host_target
from backends.fused.codegen import cuda
from backends.fused.cuda import executable
from backends.fused.run import iterate
from engine.solvers import LBFGS, Adam, GradientDescent, Newton
from tests.cuda import shim

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def shim_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The backend "shim", and no fused multiply-adds on either side."""
    target = host_target()
    for module in (iterate, shim):
        monkeypatch.setattr(module, "host_target", lambda: replace(target, flags=(*target.flags, "-ffp-contract=off")))
    monkeypatch.setitem(backends.NAMES, "shim", "tests.cuda.shim")
    yield


def matrices(lanes: int, n: int, dtype: str) -> np.ndarray:
    """Matrices around the identity, the second one broken, the fourth one zero."""
    A: np.ndarray = (np.eye(n) + 0.2 * RNG.standard_normal((lanes, n, n)) / np.sqrt(n)).astype(dtype)
    A[1, 0, 0], A[3] = np.nan, 0
    return A


def same(a: engine.Solution, b: engine.Solution) -> None:
    """The same bits in everything a lane has."""
    for name in a.params:
        np.testing.assert_array_equal(a[name], b[name])
    for figure in ("status", "steps", "loss", "residual"):
        np.testing.assert_array_equal(getattr(a, figure), getattr(b, figure), err_msg=figure)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(
    "solver",
    [GradientDescent(0.9, momentum=0.9), None, LBFGS(), Newton()],
    ids=["gd", "default", "lbfgs", "newton"],
)
def test_the_answer_has_the_bits_of_the_cpu_s_kernel(solver: Any, dtype: str) -> None:
    problem, A = problems.inverse.__wrapped__(), matrices(300, 2, dtype)
    options: dict[str, Any] = dict(solver=solver, max_steps=1500, history=3)
    fused, found = (engine.solve(problem, A, backend=name, **options) for name in ("fused", "shim"))
    assert engine.Status.NONFINITE_INPUT in fused.counts() and fused.converged.any() and np.ptp(fused.steps) > 2
    same(found, fused)
    np.testing.assert_array_equal(found.history, fused.history)


@pytest.mark.parametrize(
    ("patched", "mapping"), [({}, "registers"), ({"REGISTERS": 0}, "shared"), ({"REGISTERS": 0, "SHARED": 0}, "global")]
)
def test_every_mapping_gives_the_same_bits(patched: dict[str, int], mapping: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lane's numbers in registers, in shared memory or in the device's: the body is one. Threads that take turns never meet."""
    monkeypatch.setattr(shim.ShimBackend, "device", shim.ShimDevice(fibres=True))
    for name, value in patched.items():
        monkeypatch.setattr(cuda, name, value)
    A = matrices(300, 3, "float32")
    options: dict[str, Any] = dict(solver=GradientDescent(0.5, momentum=0.5), max_steps=120)
    found = engine.solve(problems.inverse.__wrapped__(), A, backend="shim", **options)
    assert f"its numbers in {mapping}" in found.plan.kernel
    same(found, engine.solve(problems.inverse(), A, backend="fused", **options))


@pytest.fixture(scope="module")
def decay() -> engine.Problem:
    """A fit over shared points: some of its work is done once a call."""
    return problems.curve_fit(lambda x, a, b: a * np.exp(-b * x))


def decays(lanes: int) -> dict[str, np.ndarray]:
    """Noisy decays over shared points, the third one broken."""
    x = np.linspace(0, 2, 7)
    y = np.exp(-RNG.uniform(0.2, 2, (lanes, 1)) * x) * RNG.uniform(1, 3, (lanes, 1)) + 0.01 * RNG.standard_normal((lanes, 7))
    y[2, 4] = np.inf
    return {"x": x, "y": y}


@pytest.mark.parametrize(("blocks", "reversed", "wave"), [(1, False, 1), (5, True, 1), (3, True, 1 << 28)])
def test_a_lane_has_the_same_bits_in_any_wave_block_and_thread(
    decay: engine.Problem, blocks: int, reversed: bool, wave: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = decays(333)
    usual = engine.solve(decay, data, backend="shim")
    monkeypatch.setattr(executable, "WAVE_BYTES", wave)
    monkeypatch.setattr(shim.ShimBackend.device, "blocks", blocks)
    monkeypatch.setattr(shim.ShimBackend.device, "reversed", reversed)
    order = RNG.permutation(333)
    found = engine.solve(decay, {**data, "y": data["y"][order]}, backend="shim")
    for name in usual.params:
        np.testing.assert_array_equal(found[name], usual[name][order])
    np.testing.assert_array_equal(found.status, usual.status[order])
    assert found.lane_steps == usual.lane_steps == usual.steps.sum()


def test_inputs_are_read_where_they_lie(decay: engine.Problem) -> None:
    data = decays(70)
    wide = np.full((7, 3, 70, 2), np.nan)
    wide[:, 1, :, 1] = data["y"].T
    usual, strided = (engine.solve(decay, {"x": data["x"], "y": y}, backend="shim") for y in (data["y"], wide[:, 1, ::-1, 1].T))
    axes = engine.solve(decay, {"x": data["x"].astype(">f8"), "y": data["y"].reshape(7, 10, 7).astype(">f8")}, backend="shim")
    for name in usual.params:
        np.testing.assert_array_equal(strided[name][::-1], usual[name])
        np.testing.assert_array_equal(axes[name].reshape(-1), usual[name])


class Watched(shim.ShimDevice):
    """A device on which somebody asks the call to end, `after` seconds into a kernel or before it, and that keeps its counters."""

    at, after = "", 0.0

    def full(self, shape: tuple[int, ...], dtype: str, value: float | None) -> Any:
        found = super().full(shape, dtype, value)
        if dtype == "int64":
            self.counters: np.ndarray = np.asarray(found)
        return found

    def launch(self, module: Any, kernel: str, blocks: int, threads: int, shared_bytes: int, task: Any) -> None:
        if kernel == self.at and self.after:
            threading.Timer(self.after, self.poke, (self.counters, 0, 1)).start()
        elif kernel == self.at:
            self.poke(self.counters, 0, 1)
        super().launch(module, kernel, blocks, threads, shared_bytes, task)


@pytest.fixture(scope="module")
def inverse() -> engine.Problem:
    return problems.inverse.__wrapped__()


@pytest.mark.parametrize(
    ("at", "after", "done", "steps"),
    [("", 0, 296, 296 * 1000), ("lw_init", 0, 0, 0), ("lw_solve", 0, 0, 0), ("lw_postprocess", 0, 296, 296 * 1000)],
)
def test_a_call_that_is_told_to_stop_begins_nothing_more(
    at: str, after: float, done: int, steps: int, inverse: engine.Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, watched = run_watched(inverse, at, after, 1000, monkeypatch)
    assert watched.counters[:3].tolist() == [at != "", done, steps]
    assert bool((found.steps == 1000).all()) == (at == "")


def test_a_running_call_that_is_told_to_stop_ends(inverse: engine.Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps for hours, of which a thread looks up every `STEPS_PER_POLL`."""
    _, watched = run_watched(inverse, "lw_solve", 0.2, 2**31 - 1, monkeypatch)
    assert watched.counters[1] == 0 and watched.counters[2] < 128 * 2**31


def run_watched(
    problem: engine.Problem, at: str, after: float, steps: int, monkeypatch: pytest.MonkeyPatch
) -> tuple[engine.Solution, Watched]:
    """A call of 296 lanes and so many steps each."""
    A = matrices(300, 2, "float64")[4:]
    options: dict[str, Any] = dict(backend="shim", solver=GradientDescent(0.1), tol=0, max_steps=steps)
    watched = Watched(blocks=1)
    watched.at, watched.after = at, after
    for name in ("full", "launch"):
        monkeypatch.setattr(shim.ShimBackend.device, name, getattr(watched, name))
    return engine.solve(problem, A, **options), watched


ACROSS = [
    ("inverse", problems.inverse, Adam(0.05), 60),
    ("svd", problems.svd, None, 40),
    ("eigh", problems.eigh, None, 40),
    ("svd_penalty", problems.svd_penalty, None, 40),
]
"""A name of the catalogue, its problem, a solver, and steps; with the cases above and the fit below, every problem and solver."""


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize(("name", "problem", "solver", "steps"), ACROSS, ids=[row[0] for row in ACROSS])
def test_the_answer_is_the_cpu_s_to_rounding(name: str, problem: Any, solver: Any, steps: int, dtype: str) -> None:
    """Functions such as exp are not the kernels' own there, and sums may go by tiles of another size."""
    A = matrices(40, 2, dtype)
    A = A + A.swapaxes(1, 2) if name == "eigh" else A
    fused, found = (engine.solve(problem(), A, solver=solver, max_steps=steps, backend=b) for b in ("fused", "shim"))
    np.testing.assert_array_equal(found.status, fused.status)
    tight = 64 * float(np.finfo(dtype).eps)
    for param in fused.params:
        np.testing.assert_allclose(found[param], fused[param], rtol=tight, atol=tight)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_fit_is_the_cpu_s_to_rounding(decay: engine.Problem, dtype: str) -> None:
    data = {name: array.astype(dtype) for name, array in decays(90).items()}
    fused, found = (engine.solve(decay, data, backend=name) for name in ("fused", "shim"))
    np.testing.assert_array_equal(found.status, fused.status)
    assert fused.counts()[engine.Status.CONVERGED] > 80
    for name in fused.params:
        np.testing.assert_allclose(found[name], fused[name], rtol=64 * float(np.finfo(dtype).eps))


def test_every_problem_of_the_catalogue_is_here() -> None:
    assert problems.catalogue().keys() == {"curve_fit", *(row[0] for row in ACROSS)}
