"""Catalogue problems are traced once per installation; what was kept is never run for another declaration or source."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
import problems
from backends.fused import iterate, kernel, notes
from engine import Param, Problem, discover, identity, plan, smalllinalg
from engine.identity import identity as name_of
from engine.solvers import GradientDescent

ROOT = Path(__file__).parents[1]
SGD = GradientDescent(0.9, momentum=0.9)
A = np.eye(3) + 0.1 * np.arange(90.0).reshape(10, 3, 3) / 90


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An own cache directory, and sources that count as loaded after their last change."""
    tmp_path.chmod(0o700)
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    identity._sources.cache_clear()
    monkeypatch.setattr("backends.LOADED", float("inf"))
    return tmp_path / "cache"


@pytest.fixture
def traced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is traced, and what is searched for structure, since the test began."""
    made: list[str] = []
    build, structure = kernel.build, discover.structure

    def counted(*arguments: Any) -> kernel.Kernel:
        made.append("program")
        return build(*arguments)

    def searched(*arguments: Any) -> Any:
        made.append("structure")
        return structure(*arguments)

    monkeypatch.setattr(iterate, "build", counted)
    monkeypatch.setattr(discover, "structure", searched)
    return made


def solve(problem: Problem, data: Any = A, **options: Any) -> engine.Solution:
    """As in a new process: nothing is in memory."""
    plan._PREPARED.pop(problem, None)
    plan._FOUND.pop(problem, None)
    return engine.solve(problem, data, backend="fused", **options)


def same(a: engine.Solution, b: engine.Solution) -> None:
    for x, y in [*((a[name], b[name]) for name in a.params), (a.status, b.status), (a.steps, b.steps), (a.residual, b.residual)]:
        np.testing.assert_array_equal(x, y)
    assert str(a.plan).split("source")[0] == str(b.plan).split("source")[0]


PLAIN = {name: make for name, make in problems.catalogue().items() if name != "curve_fit"}  # which takes a user's function


@pytest.mark.parametrize("make", PLAIN.values(), ids=PLAIN)
def test_a_catalogue_problem_is_traced_once_and_its_kept_kernel_gives_the_same_bits(
    make: Callable[[], Problem], traced: list[str]
) -> None:
    data = (A + A.transpose(0, 2, 1))[:, :2, :2]
    first = solve(make(), data, max_steps=20)
    assert "program" in traced
    traced.clear()
    again = solve(make(), data, max_steps=20)
    assert not traced
    same(first, again)


def test_numbers_of_a_call_reach_a_kept_kernel(traced: list[str]) -> None:
    problem = problems.svd_penalty()
    calls: list[dict[str, Any]] = [
        {"tol": 1e-3},
        {"seed": 5},
        {"solver": GradientDescent(0.3, momentum=0.5)},
        {"start": {"U": np.eye(3)}},
    ]
    solve(problem, max_steps=30, tol=1e-6)
    heavy = dataclasses.replace(problem, weights={"product": 1.0, "U": 0.5, "V": 0.5})
    traced.clear()
    kept = [solve(problem, **{"max_steps": 30, "tol": 1e-6, **call}) for call in calls] + [solve(heavy, max_steps=30, tol=1e-6)]
    assert traced == []
    problem, heavy = dataclasses.replace(problem, measures={"U": _user}), dataclasses.replace(heavy, measures={"U": _user})
    for found, call in zip(kept, [*calls, {}], strict=True):
        fresh = engine.solve(heavy if found is kept[-1] else problem, A, **{"max_steps": 30, "tol": 1e-6, **call})
        np.testing.assert_array_equal(found["U"], fresh["U"])
    assert traced == ["program"] * 2


def _user(U: Any) -> Any:
    return U


def test_another_size_dtype_solver_limit_or_declaration_is_traced_anew(traced: list[str]) -> None:
    solve(problems.inverse(), solver=SGD, max_steps=3)
    others: list[Callable[[], Any]] = [
        lambda: solve(problems.inverse(), A[:, :2, :2], solver=SGD, max_steps=3),
        lambda: solve(problems.inverse(), A.astype(np.float32), solver=SGD, max_steps=3),
        lambda: solve(problems.inverse(), solver=GradientDescent(0.9, momentum=0.9, nesterov=True), max_steps=3),
        lambda: solve(problems.inverse(), solver=SGD, max_steps=3, tol=0),
        lambda: solve(problems.inverse("right"), solver=SGD, max_steps=3),
        lambda: solve(dataclasses.replace(problems.inverse(), exact=False), solver=SGD, max_steps=3),
    ]
    for other in others:
        traced.clear()
        other()
        assert traced == ["program"]
    traced.clear()
    solve(problems.inverse(), solver=SGD, max_steps=9, tol=1e-4)
    assert traced == []


def test_a_users_problem_under_a_catalogue_name_is_always_traced(traced: list[str]) -> None:
    def mine(factor: float) -> Problem:
        return Problem(
            name="inverse", data={"A": "n n"}, params={"X": Param("n n", start="uniform")}, exact=True,
            residual=lambda X, A: X @ A - factor * engine.eye_like(A),
        )  # fmt: skip

    X = solve(problems.inverse())["X"]
    for factor in (2.0, 3.0):
        traced.clear()
        np.testing.assert_allclose(solve(mine(factor))["X"], factor * X, rtol=1e-9, atol=1e-9)
        assert "program" in traced
        assert name_of(mine(factor)) == ""


def test_what_has_no_name() -> None:
    class Mine(GradientDescent):
        """A user's solver."""

    inverse, svd = problems.inverse(), problems.svd()
    assert name_of(inverse, GradientDescent(0.1)) and name_of(inverse, (1, 2.0, "x", None))
    assert (
        name_of(inverse, Mine(0.1)) == name_of(inverse, Mine) == name_of(inverse, np.ones(2)) == name_of(inverse, object()) == ""
    )
    assert name_of(dataclasses.replace(inverse, measures={"m": lambda X: X})) == ""
    assert name_of(dataclasses.replace(svd, finish=None)) != name_of(svd)
    looped: list[Any] = []
    looped.append(looped)
    assert name_of(inverse, looped) == ""


def test_a_changed_global_or_helper_of_a_catalogue_problem_is_another_name(monkeypatch: pytest.MonkeyPatch) -> None:
    before = name_of(problems.svd())
    problems.svd.cache_clear()
    assert name_of(problems.svd()) == before
    monkeypatch.setattr(smalllinalg, "SWEEPS", (1.0, 1.0))
    assert name_of(problems.svd.__wrapped__()) != before
    monkeypatch.undo()
    monkeypatch.setattr(smalllinalg, "rotated", lambda *arrays: arrays)
    assert name_of(problems.svd.__wrapped__()) in ("",)


def test_a_source_that_was_changed_after_it_was_loaded_has_no_name(monkeypatch: pytest.MonkeyPatch) -> None:
    assert name_of(problems.inverse())
    identity._sources.cache_clear()
    monkeypatch.setattr("backends.LOADED", os.stat(smalllinalg.__file__).st_ctime)
    assert name_of(problems.inverse()) == ""


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def foreign(path: Path) -> None:
    path.write_text('{"source": "extern int solve(void) { return 0; }"}')


def changed(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"float", b"FLOAT", 1).replace(b"double", b"DOUBLE", 1).replace(b"0", b"1", 1))


def of_another_key(path: Path) -> None:
    entries = sorted(path.parent.glob(f"*{notes.SUFFIX}"))
    path.write_bytes(next(other for other in entries if other != path).read_bytes())


def writable_by_others(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("fault", [truncated, emptied, foreign, changed, of_another_key, writable_by_others])
def test_a_broken_note_is_worked_out_again(fault: Callable[[Path], None], folder: Path, traced: list[str]) -> None:
    first = [solve(problems.inverse(side), solver=SGD) for side in ("left", "right")]
    traced.clear()
    for path in sorted(folder.glob(f"*{notes.SUFFIX}")):
        fault(path)
        if fault is of_another_key:
            break
    for count in (1 if fault is of_another_key else 2, 0):
        for side, before in zip(("left", "right"), first, strict=True):
            same(before, solve(problems.inverse(side), solver=SGD))
        assert len(traced) == count
        traced.clear()


def test_a_cache_that_cannot_be_used_costs_only_time(folder: Path, traced: list[str]) -> None:
    folder.write_text("a file")
    first = solve(problems.inverse())
    traced.clear()
    same(first, solve(problems.inverse()))
    assert traced == ["structure", "program"]


SCRIPT = """
import sys, numpy as np, engine, problems
from backends.fused import iterate
build, made = iterate.build, []
iterate.build = lambda *a: made.append(1) or build(*a)
A = np.array([[2.0, 0.0], [0.0, 4.0]])
X = engine.solve(problems.inverse(), A, solver=engine.solvers.GradientDescent(0.1, momentum=0.9), backend="fused")["X"]
print(len(made), np.round(X[0, 0], 6), any(m in sys.modules for m in ("torch._dynamo", "torch._inductor")))
"""


def test_an_edited_source_file_is_traced_anew_in_the_next_process(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    for package in identity.PACKAGES:
        shutil.copytree(ROOT / package, tree / package, ignore=shutil.ignore_patterns("__pycache__"))

    def run() -> list[str]:
        environment = {**os.environ, "PYTHONPATH": str(tree), "PYTHONDONTWRITEBYTECODE": "1"}
        code = f"import backends; backends.LOADED += 100\n{SCRIPT}"  # the copies are some seconds old
        done = subprocess.run([sys.executable, "-c", code], cwd=tree, env=environment, capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert run() == ["1", "0.5", "False"]
    assert run() == ["0", "0.5", "False"]
    path = tree / "engine" / "eye.py"
    path.write_text(path.read_text() + "\n# edited\n")
    assert run() == ["1", "0.5", "False"]
    path = tree / "problems" / "inverse.py"
    path.write_text(path.read_text().replace("X @ A - eye_like(A)", "X @ A - 3 * eye_like(A)"))
    assert run() == ["1", "1.5", "False"]
