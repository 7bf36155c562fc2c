"""A solve under way: it can be interrupted and watched, shares the interpreter, and bears threads and forks."""

from __future__ import annotations

import dataclasses
import gc
import linecache
import os
import signal
import subprocess
import sys
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import wraps
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from torch.fx import graph_module as fx

import engine
import problems
from backends.fused.codegen import kernel
from backends.fused.run import iterate
from backends.torch import BACKEND
from engine.solvers import GradientDescent
from tests.test_fused import matrices, same, threads  # noqa: F401  (a fixture)

ROOT = Path(__file__).parent.parent
SLOW = GradientDescent(0.3)
INVERSE = problems.inverse()


def solve(A: Any, steps: int = 40, **options: Any) -> engine.Solution:
    return engine.solve(INVERSE, A, solver=SLOW, backend="fused", tol=0, max_steps=steps, **options)


def child(code: str, **environment: str) -> subprocess.Popen[str]:
    own = {**os.environ, "OMP_NUM_THREADS": "2", **environment}
    return subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT, env=own
    )


ENDLESS = """
import signal, numpy as np, engine, problems
from engine.solvers import GradientDescent
signal.signal(signal.SIGINT, signal.default_int_handler)
A = np.eye(4) + 0.05 * np.random.default_rng(0).standard_normal((1000, 4, 4))
def solve(steps, **options):
    return engine.solve(problems.inverse(), A, solver=GradientDescent(0.1), backend="fused", tol=0, max_steps=steps, **options)
before = solve(50)
try:
    print("ready", flush=True)
    solve(2**31 - 1, HISTORY)
except KeyboardInterrupt:
    after = solve(50)
    print("interrupted", (after["X"] == before["X"]).all(), flush=True)
"""


def test_an_interrupt_ends_a_solve_without_end_and_the_next_one_is_right() -> None:
    process = child(ENDLESS.replace("HISTORY", "history=2**20"))
    assert process.stdout is not None and process.stdout.readline() == "ready\n", process.stderr
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "interrupted True\n"), err


TWICE = """
import faulthandler, gc, os, random, signal, sys, threading, time, numpy as np, engine, problems
from engine.solvers import GradientDescent
faulthandler.enable()
signal.signal(signal.SIGINT, signal.default_int_handler)
INVERSE, A = problems.inverse(), np.eye(12) + 0.02 * np.random.default_rng(0).standard_normal((3000, 12, 12))
def solve(steps):
    return engine.solve(INVERSE, A, solver=GradientDescent(0.1), backend="fused", tol=0, max_steps=steps)["X"]
before = solve(20)
def twice(gap):
    time.sleep(0.15)
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(gap)
    os.kill(os.getpid(), signal.SIGINT)
def rounds(gaps):
    for gap in gaps:
        thread = threading.Thread(target=twice, args=(gap,))
        try:
            try:
                thread.start()
                solve(2**31 - 1)
            except KeyboardInterrupt:
                gc.collect()
                taken = [np.full(A.shape, 7.0) for _ in range(4)]  # what was freed under a thread is taken, and written to by it
                time.sleep(0.2)
        except KeyboardInterrupt:
            taken = [np.full(A.shape, 7.0) for _ in range(4)]
        while thread.is_alive():
            try:
                thread.join()
            except KeyboardInterrupt:
                pass
        time.sleep(0.3)
        assert all((array == 7.0).all() for array in taken)
"""


def test_two_interrupts_free_nothing_that_a_thread_still_writes() -> None:
    process = child(TWICE + "rounds((0.0, 0.002, 0.01, 0.03))\nassert (solve(20) == before).all()\nprint('alive')")
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "alive\n"), err


def test_a_process_that_ends_between_two_looks_at_an_interrupt_ends_without_a_fault() -> None:
    text = """
def impatient(self, timeout=None):
    time.sleep(0.1 if timeout else 0.0)
    raise KeyboardInterrupt
threading.Thread.join = impatient
try:
    solve(2**31 - 1)
except KeyboardInterrupt:
    print("leaves", flush=True)
"""
    process = child(TWICE + text)
    out, err = process.communicate(timeout=300)
    assert (process.returncode, out) == (0, "leaves\n"), err


class Blocked:
    """A library whose kernel does not come back before it is let go."""

    def __init__(self) -> None:
        self.inside, self.go, self.handle = threading.Event(), threading.Event(), self

    def solve(self, task: Any) -> int:
        self.inside.set()
        self.go.wait()
        return 0


def test_memory_and_library_belong_to_the_thread_until_it_ends(monkeypatch: Any) -> None:
    problem: Any = problems.inverse.__wrapped__()
    given = matrices(20)
    engine.solve(problem, given, solver=SLOW, backend="fused", tol=0, max_steps=1)
    ((_, executable),) = problem.memory["prepared"].values()
    library, made, empty = Blocked(), list[Any](), np.empty
    inside, go = library.inside, library.go

    def recorded(*arguments: Any, **options: Any) -> Any:
        made.append(empty(*arguments, **options))
        return made[-1]

    class Impatient(threading.Thread):
        """Interrupted whenever it is waited for."""

        def join(self, timeout: float | None = None) -> None:
            inside.wait()
            raise KeyboardInterrupt

    monkeypatch.setattr(iterate, "ASYNC_FLOPS", 0.0)
    monkeypatch.setattr(np, "empty", recorded)
    monkeypatch.setattr(executable, "library", library)
    monkeypatch.setattr(threading, "Thread", Impatient)
    with pytest.raises(KeyboardInterrupt):
        engine.solve(problem, given, solver=SLOW, backend="fused", tol=0, max_steps=1)
    monkeypatch.undo()
    used = [weakref.ref(library), *map(weakref.ref, made)]
    del library, Impatient, executable, problem
    made.clear()
    gc.collect()
    assert len(used) > 3 and all(use() is not None for use in used)
    go.set()
    for _ in range(3000):  # until the threads have seen it, which a loaded machine may let wait
        gc.collect()
        if all(use() is None for use in used):
            return
        time.sleep(0.01)
    pytest.fail("something keeps the memory of a call that has ended")


@pytest.mark.parametrize("backend", ["numpy", "torch", "fused"])
def test_what_was_made_for_a_problem_goes_with_it(backend: str) -> None:
    def used() -> list[weakref.ref[Any]]:
        problem = dataclasses.replace(problems.inverse(), measures={"trace": lambda X: (X * X).sum()})
        solution = engine.solve(problem, matrices(3), solver=SLOW, backend=backend, tol=0, max_steps=1)
        ((_, executable),) = problem.memory["prepared"].values()
        parts = [problem, executable, solution, *([executable.library.handle] if backend == "fused" else [])]
        return [weakref.ref(part) for part in parts]

    used()
    gc.collect()
    texts = len(fx._loader.eval_cache), len(linecache.cache)
    gone = used()
    gc.collect()
    assert [use() for use in gone] == [None] * len(gone)
    assert (len(fx._loader.eval_cache), len(linecache.cache)) == texts


@pytest.mark.parametrize(("n", "most"), [(2, kernel.FLOPS_PER_POLL), (24, kernel.FLOPS_PER_POLL), (25, 10**6)])
def test_the_work_between_two_looks_at_an_interrupt_is_bounded(n: int, most: int, monkeypatch: Any) -> None:
    built: list[iterate.FusedExecutable] = []
    init = iterate.FusedExecutable.__init__

    def kept(self: iterate.FusedExecutable, *arguments: Any) -> None:
        init(self, *arguments)
        built.append(self)

    monkeypatch.setattr(iterate.FusedExecutable, "__init__", kept)
    monkeypatch.setattr(kernel, "FLOPS_PER_POLL", most)
    engine.solve(problems.inverse(), np.eye(n), solver=SLOW, backend="fused", tol=0, max_steps=1)
    (made,) = built
    work = made.kernel.steps_per_poll * made.kernel.flops * made.kernel.width
    assert made.kernel.flops >= 4 * n**3
    assert work <= most <= 10**8  # half a second for a core of 0.2 GFlop/s
    assert f"STEPS_PER_POLL = {made.kernel.steps_per_poll};" in made.kernel.source


@pytest.mark.parametrize("steps", [1, 2000])
def test_progress_is_told_along_the_way_never_backwards_and_to_the_end(steps: int, monkeypatch: Any) -> None:
    told: list[int] = []
    monkeypatch.setattr(iterate, "POLL", 0.002)
    A = matrices(10_000)
    solve(A[:1])

    monkeypatch.setattr("engine.run.reporter", lambda *_: nullcontext(told.append))
    solve(A, steps, progress=True)
    assert told == sorted(told) and told[-1] == len(A)
    if steps > 1:
        assert len({done for done in told if 0 < done < len(A)}) > 3


def test_a_bar_is_drawn_and_ends_full(capsys: Any) -> None:
    solve(matrices(64), progress=True)
    assert "64/64" in capsys.readouterr().err


def test_python_threads_that_solve_at_once_get_the_bits_of_one_alone(threads: Any) -> None:  # noqa: F811
    threads(2)
    parts = np.split(matrices(2400, spread=0.4), 12)
    alone = [solve(part, 300) for part in parts]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda part: solve(part, 300), parts * 3))
    for k, solution in enumerate(together):
        same(solution, ..., alone[k % 12], ...)


@pytest.mark.parametrize("patient", [0.0, np.inf])
def test_another_python_thread_runs_while_a_kernel_runs(patient: float, monkeypatch: Any) -> None:
    A = matrices(2000)
    solve(A[:1])
    monkeypatch.setattr(iterate, "ASYNC_FLOPS", patient)
    inside, ticks = threading.Event(), 0

    def call() -> None:
        inside.set()
        try:
            solve(A, 20_000)
        finally:
            inside.clear()

    worker = threading.Thread(target=call)
    worker.start()
    inside.wait()
    while inside.is_set():
        time.sleep(0.002)
        ticks += 1
    worker.join()
    assert ticks > 30  # one or two, were the interpreter locked


FORK = """
import os, numpy as np, torch, engine, problems
from engine.solvers import GradientDescent
torch.set_num_threads(2)
A = np.eye(4) + 0.05 * np.random.default_rng(0).standard_normal((1000, 4, 4))
INVERSE = problems.inverse()
def solve(steps):
    return engine.solve(INVERSE, A, solver=GradientDescent(0.1), backend="fused", tol=0, max_steps=steps)["X"]
before = [solve(steps) for steps in (5, 500)]  # in this thread, and in one of its own
mapped = engine.jit(engine.vmap(lambda a: a @ a @ a))
squares = mapped(A)
child = os.fork()
if not child:
    same = all((solve(steps) == x).all() for steps, x in zip((5, 500), before)) and (mapped(A) == squares).all()
    os._exit(0 if same else 7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
def test_a_process_forked_after_a_solve_solves_too() -> None:
    process = child(FORK)
    try:
        out, err = process.communicate(timeout=300)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert out == "0\n", err


FEW = """
import resource, numpy as np, torch, engine
torch.get_num_threads = lambda: 1000
A = np.random.default_rng(0).standard_normal((60_000, 4, 4))
cube = engine.jit(engine.vmap(lambda a: a @ a @ a))
cube(A[:8])
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
room = int(status["VmData"].split()[0]) * 1024 + A.nbytes + 2**26  # for the results and the stacks of a few threads
resource.setrlimit(resource.RLIMIT_DATA, (room, -1))
found = cube(A)
resource.setrlimit(resource.RLIMIT_DATA, (-1, -1))
np.testing.assert_allclose(found, A @ A @ A, rtol=1e-12, atol=1e-12)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="RLIMIT_DATA bounds the stacks of threads on Linux only")
def test_where_no_more_threads_can_be_started_the_callers_does_their_work() -> None:
    process = child(FEW)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 0, err


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("enabled", [True, False])
def test_the_collector_waits_for_a_trace_and_is_left_as_it_was(
    enabled: bool, fails: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    prepare = BACKEND.prepare

    @wraps(prepare)
    def watched(*args: Any) -> Any:
        seen.append(gc.isenabled())
        if fails:
            raise ZeroDivisionError
        return prepare(*args)

    monkeypatch.setattr(BACKEND, "prepare", watched)
    problem = engine.Problem(name="p", data={"y": "n"}, params={"x": engine.Param("n")}, loss=lambda x, y: ((x - y) ** 2).sum())
    (gc.enable if enabled else gc.disable)()
    try:
        with pytest.raises(ZeroDivisionError) if fails else nullcontext():
            engine.solve(problem, np.ones((2, 3)), solver=GradientDescent(0.1), max_steps=2, backend="torch")
        assert gc.isenabled() == enabled and seen == [False]
    finally:
        gc.enable()
