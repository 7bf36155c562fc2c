"""A solve is traced once per installation; what was kept is never run for another declaration or other code.

Here for the catalogue; `test_users_fingerprint` has users' functions."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import os
import shutil
import subprocess
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import backends
import engine
import problems
from backends import pristine
from backends.fused.build import disk_cache
from backends.fused.codegen import source
from backends.torch import opaque
from engine import Param, Problem, smalllinalg
from engine.fingerprint.program import fingerprint as name_of
from engine.solvers import Adam, GradientDescent

ROOT = Path(__file__).parents[1]
SGD = GradientDescent(0.9, momentum=0.9)
A = np.eye(3) + 0.1 * np.arange(90.0).reshape(10, 3, 3) / 90


class Notes:
    """The notes of a cache directory: `new` counts those that were written, anew or again, since it was last asked."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.known = folder, set[tuple[str, int]]()

    def new(self) -> int:
        """A note that is read keeps its file; one that is worked out again gets another."""
        before, self.known = self.known, {(path.name, path.stat().st_ino) for path in self.folder.glob(f"*{disk_cache.SUFFIX}")}
        return len(self.known - before)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache directory."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def kept(folder: Path) -> Notes:
    """The notes of the test's cache directory."""
    return Notes(folder)


def solve(problem: Problem, data: Any = A, **options: Any) -> engine.Solution:
    """As in a new process: nothing is in memory."""
    problem.memory.clear()
    return engine.solve(problem, data, backend="fused", **options)


def same(a: engine.Solution, b: engine.Solution) -> None:
    for x, y in [*((a[name], b[name]) for name in a.params), (a.status, b.status), (a.steps, b.steps), (a.residual, b.residual)]:
        np.testing.assert_array_equal(x, y)
    assert str(a.plan).split("source")[0] == str(b.plan).split("source")[0]


PLAIN = {name: make for name, make in problems.catalogue().items() if name != "curve_fit"}  # which takes a user's function


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_a_catalogue_problem_is_traced_once_and_its_kept_kernel_gives_the_same_bits(
    make: Callable[[], Problem], kept: Notes
) -> None:
    data = (A + A.transpose(0, 2, 1))[:, :2, :2]
    first = solve(make(), data, max_steps=20)
    assert kept.new()
    again = solve(make(), data, max_steps=20)
    assert kept.new() == 0
    same(first, again)


def test_numbers_of_a_call_reach_a_kept_kernel(kept: Notes) -> None:
    problem = problems.svd_penalty()
    calls: list[dict[str, Any]] = [
        {"tol": 1e-3},
        {"seed": 5},
        {"solver": GradientDescent(0.3, momentum=0.5)},
        {"start": {"U": np.eye(3)}},
    ]
    solve(problem, max_steps=30, tol=1e-6)
    heavy = dataclasses.replace(problem, weights={"product": 1.0, "U": 0.5, "V": 0.5})
    assert kept.new() == 1
    again = [solve(problem, **{"max_steps": 30, "tol": 1e-6, **call}) for call in calls] + [solve(heavy, max_steps=30, tol=1e-6)]
    assert kept.new() == 0
    problem, heavy = dataclasses.replace(problem, measures={"U": _user}), dataclasses.replace(heavy, measures={"U": _user})
    for found, call in zip(again, [*calls, {}], strict=True):
        fresh = engine.solve(heavy if found is again[-1] else problem, A, **{"max_steps": 30, "tol": 1e-6, **call})
        np.testing.assert_array_equal(found["U"], fresh["U"])
    assert kept.new() == 0


def _user(U: Any) -> Any:
    """A function that has no name: what it calls gives another number in every process."""
    return U if id(U) else -U


def test_another_size_dtype_solver_limit_or_declaration_is_traced_anew(kept: Notes) -> None:
    solve(problems.inverse(), solver=SGD, max_steps=3)
    others: list[Callable[[], Any]] = [
        lambda: solve(problems.inverse(), A[:, :2, :2], solver=SGD, max_steps=3),
        lambda: solve(problems.inverse(), A.astype(np.float32), solver=SGD, max_steps=3),
        lambda: solve(problems.inverse(), solver=GradientDescent(0.9, momentum=0.9, nesterov=True), max_steps=3),
        lambda: solve(problems.inverse(), solver=SGD, max_steps=3, tol=0),
        lambda: solve(problems.inverse("right"), solver=SGD, max_steps=3),
    ]
    assert kept.new() == 1
    for other in others:
        other()
        assert kept.new() == 1
    solve(dataclasses.replace(problems.inverse(), exact=False), solver=SGD, max_steps=3)
    assert kept.new() == 2  # and the number of the residual's rows, for the certificate
    solve(problems.inverse(), solver=SGD, max_steps=9, tol=1e-4)
    assert kept.new() == 0


def test_a_users_problem_under_a_catalogue_name_has_a_name_of_its_own(kept: Notes) -> None:
    def mine(factor: float) -> Problem:
        return Problem(
            name="inverse", data={"A": "n n"}, params={"X": Param("n n", start="uniform")}, exact=True,
            residual=lambda X, A: X @ A - factor * engine.eye_like(A),
        )  # fmt: skip

    X = solve(problems.inverse())["X"]
    kept.new()
    for factor in (2.0, 3.0):
        np.testing.assert_allclose(solve(mine(factor))["X"], factor * X, rtol=1e-9, atol=1e-9)
    assert kept.new() == 4  # a structure and a kernel each
    assert len({name_of(mine(2.0)), name_of(mine(3.0)), name_of(problems.inverse()), ""}) == 4
    solve(mine(3.0))
    assert kept.new() == 0


def test_what_has_no_name() -> None:
    class Mine(GradientDescent):
        """A user's solver."""

    inverse, svd = problems.inverse(), problems.svd()
    assert name_of(inverse, GradientDescent(0.1)) and name_of(inverse, (1, 2.0, "x", None))
    for value in (Mine(0.1), Mine, object(), np.ones(2, object), types.SimpleNamespace(f=_user), [lambda: id(0)], 10**5000):
        assert name_of(inverse, value) == ""
    assert name_of(dataclasses.replace(inverse, measures={"m": lambda X: X * id(X)})) == ""
    assert name_of(dataclasses.replace(svd, finish=None)) != name_of(svd)
    looped: list[Any] = []
    looped.append(looped)
    assert len({name_of(inverse, looped), name_of(inverse, [looped]), name_of(inverse, []), ""}) == 4  # it counts by its place


class Patched:
    """A module, class or object by its dotted name, with an attribute that is set to what a function makes of it."""

    def __init__(self, owner: str, name: str, change: Callable[[Any], Any]) -> None:
        self.path, self.name, self.change = owner, name, change

    def apply(self, monkeypatch: pytest.MonkeyPatch) -> None:
        module, _, rest = self.path.partition(":")
        owner: Any = functools.reduce(getattr, rest.split(".") if rest else [], importlib.import_module(module))
        if isinstance(owner, dict):
            monkeypatch.setitem(owner, self.name, self.change(owner.get(self.name)))
        else:
            monkeypatch.setattr(owner, self.name, self.change(getattr(owner, self.name, None)), raising=False)


def wrapped(function: Any) -> Any:
    return functools.wraps(function)(lambda *args, **kwargs: function(*args, **kwargs))


def derived(kind: type) -> Any:
    return type(kind.__name__, (kind,), {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "extra": 1})


PATCHES = {
    "a method of a solver": Patched("engine.solvers:GradientDescent", "step", wrapped),
    "a method of a solver by that of another": Patched("engine.solvers:GradientDescent", "step", lambda _: Adam.step),
    "a constant of a solver": Patched("engine.solvers:GradientDescent", "CHECK_EVERY", lambda every: every + 1),
    "a method by a partial one": Patched("engine.solvers:GradientDescent", "init", lambda init: functools.partialmethod(init)),
    "a function of the engine": Patched("engine.curvature", "solve", wrapped),
    "a function by another of the engine": Patched("engine.curvature", "solve", lambda _: smalllinalg.solve_symmetric),
    "a function by a partial one": Patched("engine.objective", "mean_square", lambda f: functools.partial(f)),
    "a function by a cached one": Patched("engine.objective", "mean_square", functools.lru_cache),
    "a default argument": Patched("engine.objective:Objective.__init__", "__defaults__", lambda _: (None, 1)),
    "the code of a function": Patched("engine.objective:mean_square", "__code__", lambda _: (lambda block: block).__code__),
    "a module constant": Patched("engine.solvers.trust_region", "NOISE", lambda noise: 2 * noise),
    "a module constant by one that is equal": Patched("backends.fused.codegen.source", "OPTIMISE_BELOW_CHARS", float),
    "a constant that is a tuple": Patched("engine.smalllinalg.jacobi", "SWEEPS", lambda _: (1.0, 1.0)),
    "a class of a module": Patched("engine.lane.program", "Objective", derived),
    "a method of a class": Patched("engine.objective:Objective", "linearise", wrapped),
    "a new method of a base class": Patched("engine.domains.base:Domain", "__getattr__", lambda _: _user),
    "a new global that hides a builtin": Patched("engine.curvature", "sum", lambda _: _user),
    "a module by another": Patched("engine.plan", "detect", lambda _: types.ModuleType("engine.sparsity.detect")),
    "a helper of the backends": Patched("backends.tree", "leaves", wrapped),
    "a helper that is imported by name": Patched("engine.lane.program", "tree_map", wrapped),
    "a function of a library where it is used": Patched("engine.objective", "array_namespace", lambda _: _user),
    "a function of a library by another": Patched("engine.objective", "array_namespace", lambda _: np.asarray),
    "a transform of the backend's class": Patched("backends.torch:TorchBackend", "value_and_grad", wrapped),
    "an entry of a table": Patched("backends.fused.lowering.aten:LOWERINGS", "add", wrapped),
    "an entry of a table by another": Patched("backends.fused.lowering.aten:LOWERINGS", "add", lambda _: source.loader),
    "a set of names": Patched("backends.torch.batch_invariant", "EVEN", lambda even: even - {"abs"}),
    "a text of C++": Patched("backends.fused.codegen.source", "DECLARED", lambda texts: [*texts, ""]),
    "a limit of the code generator": Patched("backends.fused.codegen.source", "OPTIMISE_BELOW_CHARS", lambda limit: limit + 1),
}


@pytest.mark.parametrize("patch", PATCHES.values(), ids=PATCHES)
def test_replaced_code_changes_every_name_and_what_is_put_back_restores_it(
    patch: Patched, monkeypatch: pytest.MonkeyPatch
) -> None:
    fused, rest = backends.get("fused"), (SGD, engine.solvers.LevenbergMarquardt())
    before = [name_of(make(), fused, *rest) for make in PLAIN.values()]
    assert all(before) and len(set(before)) == len(before)
    patch.apply(monkeypatch)
    assert not set(before) & {name_of(make(), fused, *rest) for make in PLAIN.values()}
    monkeypatch.undo()
    assert before == [name_of(make(), fused, *rest) for make in PLAIN.values()]


def test_a_method_that_is_set_on_the_backend_itself_is_another_name() -> None:
    fused: Any = backends.get("fused")
    before = name_of(problems.inverse(), fused)
    fused.jvp = wrapped(fused.jvp)
    try:
        assert name_of(problems.inverse(), fused) != before
    finally:
        del fused.jvp
    assert name_of(problems.inverse(), fused) == before


def test_a_method_that_is_replaced_within_a_process_is_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    def solved() -> Any:
        return engine.solve(problems.inverse(), A[:2, :2, :2], solver=SGD, backend="numpy", tol=0, max_steps=2)["X"]

    before, step = solved(), GradientDescent.step
    code = step.__code__.replace(co_consts=(*step.__code__.co_consts, None))
    monkeypatch.setattr(
        GradientDescent, "step", lambda self, f, state: step(self, f, state) | {"params": f.data and {"X": f.data["A"]}}
    )
    np.testing.assert_array_equal(solved(), A[:2, :2, :2])
    monkeypatch.undo()
    np.testing.assert_array_equal(solved(), before)
    monkeypatch.setattr(step, "__code__", code)
    np.testing.assert_array_equal(solved(), before)


def test_what_a_process_does_and_loads_changes_no_name() -> None:
    fused = backends.get("fused")
    before = name_of(problems.svd(), fused, SGD)
    for backend in ("numpy", "torch", "fused"):
        engine.solve(problems.svd(), A[:, :2, :2], backend=backend, max_steps=2)
    for module in ("engine.cli", "engine.plots.convergence", "backends.torch.inductor", "backends.fused.run.mapped"):
        importlib.import_module(module)
    assert name_of(problems.svd(), fused, SGD) == before != ""


def test_all_memory_of_a_process_is_known_as_such() -> None:
    for path in pristine.STATE:
        module, _, name = path.rpartition(".")
        assert hasattr(importlib.import_module(module), name)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    path.write_text('{"source": "extern int solve(void) { return 0; }"}')


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"float", b"FLOAT", 1).replace(b"double", b"DOUBLE", 1).replace(b"0", b"1", 1))


def of_another_key(path: Path) -> None:
    entries = sorted(path.parent.glob(f"*{disk_cache.SUFFIX}"))
    path.write_bytes(next(other for other in entries if other != path).read_bytes())


def writable_by_others(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("fault", [truncated, emptied, foreign, changed, of_another_key, writable_by_others])
def test_a_broken_note_is_worked_out_again(fault: Callable[[Path], None], folder: Path, kept: Notes) -> None:
    first = [solve(problems.inverse(side), solver=SGD) for side in ("left", "right")]
    assert kept.new() == 2
    for path in sorted(folder.glob(f"*{disk_cache.SUFFIX}")):
        fault(path)
        if fault is of_another_key:
            break
    for count in (1 if fault is of_another_key else 2, 0):
        for side, before in zip(("left", "right"), first, strict=True):
            same(before, solve(problems.inverse(side), solver=SGD))
        assert kept.new() == count


def test_a_cache_that_cannot_be_used_costs_only_time(folder: Path) -> None:
    folder.write_text("a file")
    first = solve(problems.inverse())
    same(first, solve(problems.inverse()))
    assert folder.read_text() == "a file"


SOLVED = """
import sys, numpy as np, engine, problems
A = np.array([[2.0, 0.0], [0.0, 4.0]])
X = engine.solve(problems.inverse(), A, solver=engine.solvers.GradientDescent(0.1, momentum=0.9), backend="fused")["X"]
print(np.round(X[0, 0], 6), any(m in sys.modules for m in ("torch._dynamo", "torch._inductor", "sympy")))
"""
PATCHED = """
import functools
from engine.solvers import GradientDescent
step = GradientDescent.step
GradientDescent.step = functools.wraps(step)(lambda self, f, state: step(self, f, state) | {"params": {"X": 3 * state["loss"] + f.data["A"]}})
"""


def test_processes_share_notes_where_they_run_the_same_code_and_only_there(tmp_path: Path, kept: Notes) -> None:
    tree = tmp_path / "tree"
    for package in pristine.PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))

    def edit(name: str, old: str, new: str) -> None:
        text = (tree / name).read_text()
        (tree / name).write_text(text.replace(old, new))

    def run(before: str = "") -> tuple[str, int]:
        environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        done = subprocess.run(
            [sys.executable, "-c", before + SOLVED], cwd=tree, env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout, kept.new()

    assert run() == ("0.5 False\n", 1)
    patched, notes_left = run(PATCHED)
    assert patched != "0.5 False\n" and notes_left == 0
    edit("engine/eye.py", "def eye_like", "# no code\ndef eye_like")
    edit("backends/fused/native/runtime.h", "// The loop", "// Read when a kernel is made. The loop")
    assert run() == ("0.5 False\n", 1)
    edit("problems/inverse.py", "X @ A - eye_like(A)", "X @ A - 3 * eye_like(A)")
    assert run() == ("1.5 False\n", 1)


def test_what_compiled_programs_keep_is_no_part_of_the_code() -> None:
    problem = problems.inverse()
    before = name_of(problem, 4)
    opaque.kept(opaque.OpaqueCall(lambda tensors: tensors, [2], 0))
    opaque.read(lambda: [torch.ones(1)], torch.device("cpu"))
    gradients = engine.vmap(engine.grad(lambda x: (x * x).sum()))
    torch.compiler.reset()  # what other tests compiled would be taken, and plants nothing
    assert torch.compile(gradients, backend="eager")(torch.ones(2, 3)).eq(2).all()
    assert any(map(pristine.PLANTED.fullmatch, vars(engine.transforms)))
    assert before and name_of(problem, 4) == before
