"""Save and share: files, pickles and copies give the same bits, and a loaded problem solves as the one that was declared."""

from __future__ import annotations

import copy
import json
import pickle
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from engine import Param, Problem, domains, solvers
from engine.errors import FileError
from engine.io import npz_read, npz_write
from engine.solvers import GradientDescent

RNG = np.random.default_rng(17)
A = np.eye(3) + 0.1 * RNG.standard_normal((6, 3, 3))
A[2, 0, 0] = np.nan
X = np.linspace(0, 1, 7)
Y = 3 * np.exp(-X) + 0.01 * RNG.standard_normal((6, 7))
WEIGHT = np.full(7, 2.0)
FACTOR = 1.5


def decay(a: Any, b: Any, x: Any, y: Any) -> Any:
    return WEIGHT * (FACTOR * a * array_namespace(x).exp(-b * x) - y)


def users() -> Problem:
    """A problem of a user, with a lambda for a start that two params share, and a captured array."""
    first: Callable[..., Any] = lambda y: {"a": y[0] / FACTOR, "b": y[0]}
    params = {"a": Param("", start=first), "b": Param("", start=first)}
    return Problem(name="decay", data={"x": "m", "y": "m"}, params=params, residual=decay, measures={"sum": lambda a, b: a + b})


CASES: dict[str, tuple[Callable[[], Problem], Any]] = {
    "inverse": (problems.inverse, A),
    "svd": (problems.svd, A),
    "eigh": (problems.eigh, A + A.swapaxes(1, 2)),
    "svd_penalty": (problems.svd_penalty, A),
    "curve_fit": (lambda: problems.curve_fit(lambda x, a, b: FACTOR * a * array_namespace(x).exp(-b * x)), {"x": X, "y": Y}),
    "user": (users, {"x": X, "y": Y}),
}


def same(a: engine.Solution, b: engine.Solution) -> None:
    """Check every field of two solutions, bit by bit."""
    for field in fields(a):
        left, right = getattr(a, field.name), getattr(b, field.name)
        if field.name != "call":
            equal(left, right)
    assert (a.call.tol, a.call.limit, a.call.batch, a.call.derived) == (b.call.tol, b.call.limit, b.call.batch, b.call.derived)


def equal(left: Any, right: Any) -> None:
    assert type(left) is type(right)
    if isinstance(left, dict):
        assert list(left) == list(right)
        for name in left:
            equal(left[name], right[name])
    elif hasattr(left, "shape"):
        a, b = np.asarray(left), np.asarray(right)
        assert (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())
    else:
        assert left == right


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    "how", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy], ids=["pickle", "deep", "copy"]
)
def test_problems_and_solutions_travel(name: str, how: Callable[[Any], Any], monkeypatch: pytest.MonkeyPatch) -> None:
    make, data = CASES[name]
    problem = make()
    solution = engine.solve(problem, data, max_steps=4, backend="numpy", history=3)
    monkeypatch.setitem(globals(), "FACTOR", 7.0)  # a number is fixed when the Problem is made, in its copies too
    same(solution, how(solution))
    there = how(problem)
    again = engine.solve(there, data, max_steps=4, backend="numpy", history=3)
    for field in ("params", "status", "steps", "loss", "residual", "measures", "history"):
        equal(getattr(solution, field), getattr(again, field))
    retried = how(solution).retry(max_steps=5)
    equal(retried.params, solution.retry(max_steps=5).params)
    for derived in solution.call.derived:
        equal(getattr(how(solution), derived)(), getattr(solution, derived)())


def test_a_pickled_problem_needs_nothing_of_its_author(tmp_path: Path) -> None:
    made = {name: (make(), data) for name, (make, data) in CASES.items()}
    (tmp_path / "all.pickle").write_bytes(pickle.dumps(made))
    code = "import pickle, engine\nfor problem, data in pickle.load(open('all.pickle', 'rb')).values():\n    "
    code += "print(engine.solve(problem, data, max_steps=5, backend='numpy').loss.tobytes().hex())"
    environment = {"PYTHONPATH": str(Path(__file__).parents[1]), "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    here = [engine.solve(p, data, max_steps=5, backend="numpy").loss.tobytes().hex() for p, data in made.values()]
    assert done.stdout.split() == here, done.stderr


def test_a_deep_copy_has_arrays_of_its_own() -> None:
    weight = np.ones(3)
    problem = Problem(name="own", data={}, params={"a": Param("3", start=np.zeros(3))}, residual=lambda a: weight * a - 1)
    deep, shallow = copy.deepcopy(problem), copy.copy(problem)
    weight[:] = 2.0
    answers = [engine.solve(p, {}, backend="numpy")["a"] for p in (problem, shallow, deep)]
    np.testing.assert_allclose(answers, [[0.5] * 3, [0.5] * 3, [1.0] * 3])
    assert deep.params["a"].start is not problem.params["a"].start


def test_params_that_share_a_start_still_do() -> None:
    there = pickle.loads(pickle.dumps(users()))
    assert there.params["a"].start is there.params["b"].start


SMALL = [*(getattr(solvers, name) for name in ("LevenbergMarquardt", "Newton", "LBFGS", "GaussNewton", "Adam"))]


@pytest.mark.parametrize("how", [lambda value: pickle.loads(pickle.dumps(value)), copy.deepcopy, copy.copy])
def test_solvers_domains_and_params_travel(how: Callable[[Any], Any]) -> None:
    for value in (*(kind() for kind in SMALL), GradientDescent(0.1), domains.Real(), domains.Orthogonal(), domains.Simplex()):
        assert how(value) == value
    box = how(Param("n", domains.Box(np.zeros(3), 2.0), start=np.ones(3)))
    assert box.axes == "n" and box.domain.hi == 2.0 and (box.domain.lo == 0).all() and (box.start == 1).all()


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("shape", [(6, 3, 3), (2, 3, 3, 3), (3, 3)])
def test_a_saved_solution_is_loaded_bit_by_bit(library: Callable[..., Any], shape: tuple[int, ...], tmp_path: Path) -> None:
    data = library(A[3] if len(shape) == 2 else A.reshape(shape))
    solution = engine.solve(problems.svd_penalty(), data, solver=GradientDescent(0.05), max_steps=20, history=2, backend="torch")
    solution.save(tmp_path / "saved.npz")
    loaded = engine.load(tmp_path / "saved.npz")
    same(solution, loaded)
    assert loaded.counts() == solution.counts() and str(loaded.plan) == str(solution.plan)
    assert loaded.summary()[:900] == solution.summary()[:900]
    assert loaded.plot().to_json() == solution.plot().to_json()
    with pytest.raises(ValueError, match=r"retry: this solution was loaded from a file"):
        loaded.retry(max_steps=5)


def test_a_loaded_fit_says_which_figure_needs_its_problem(tmp_path: Path) -> None:
    make, data = CASES["curve_fit"]
    engine.solve(make(), data, backend="numpy").save(tmp_path / "fit.npz")
    loaded = engine.load(tmp_path / "fit.npz")
    assert {"covariance", "stderr"} <= set(dir(loaded))
    with pytest.raises(ValueError, match=r"covariance: this solution was loaded from a file"):
        loaded.covariance()


def test_a_user_s_solver_is_saved_by_its_words(tmp_path: Path) -> None:
    class Mine(GradientDescent):
        pass

    engine.solve(problems.inverse(), A, solver=Mine(0.1), max_steps=5, backend="numpy").save(tmp_path / "own.npz")
    plan = engine.load(tmp_path / "own.npz").plan
    assert "Mine(learning_rate=0.1" in str(plan.solver)
    with pytest.raises(ValueError, match="came from a file"):
        engine.solve(problems.inverse(), A[0], solver=plan.solver, backend="numpy")


def test_params_of_any_name_are_saved(tmp_path: Path) -> None:
    named = Problem(name="names", data={"y": ""}, params={"file": "", "é": ""}, residual=lambda y, **p: p["file"] + p["é"] - y)
    solution = engine.solve(named, {"y": np.arange(3.0)}, backend="numpy")
    solution.save(tmp_path / "names.npz")
    same(solution, engine.load(tmp_path / "names.npz"))


def test_a_large_solution_is_saved_in_under_a_second(tmp_path: Path) -> None:
    many = np.eye(3) + 0.1 * RNG.standard_normal((100_000, 3, 3))
    solution = engine.solve(problems.inverse(), many, solver=GradientDescent(0.5), max_steps=2, tol=0, backend="torch")
    begun = time.process_time()
    solution.save(tmp_path / "large.npz")
    assert time.process_time() - begun < 1.0
    np.testing.assert_array_equal(engine.load(tmp_path / "large.npz")["X"], solution["X"])


DAMAGE: dict[str, Callable[[dict[str, Any]], object]] = {
    "no saved solution": lambda saved: saved.pop("about"),
    "earlier version": lambda saved: change(saved, lambda about: about.pop("plan")),
    "status of shape": lambda saved: saved.update(loss=saved["loss"][:3]),
    "'X' of shape": lambda saved: saved.update(X=saved["X"][:2]),
    "damaged (ValueError(\"solver 'Path'": lambda saved: change(saved, lambda about: about["plan"].update(settings=["Path", {}])),
    "damaged (KeyError": lambda saved: saved.pop("steps"),
    "damaged (TypeError": lambda saved: change(saved, lambda about: about["plan"].update(settings=["Adam", {"speed": 1}])),
    "damaged (JSONDecodeError": lambda saved: saved.update(about="{"),
}


def change(saved: dict[str, Any], how: Callable[[dict[str, Any]], object]) -> None:
    about = json.loads(str(saved["about"]))
    how(about)
    saved["about"] = json.dumps(about)


@pytest.mark.parametrize("words", DAMAGE)
def test_a_damaged_file_is_refused_by_name(words: str, tmp_path: Path) -> None:
    path = str(tmp_path / "saved.npz")
    engine.solve(problems.inverse(), A, max_steps=5, backend="numpy").save(path)
    saved: dict[str, Any] = dict(npz_read.read(path))
    DAMAGE[words](saved)
    npz_write.write(path, saved)
    with pytest.raises(FileError) as caught:
        engine.load(path)
    assert str(caught.value).startswith(path) and words in str(caught.value)
    with pytest.raises(FileError, match=r"gone.npz"):
        engine.load(tmp_path / "gone.npz")


def test_a_deep_copy_of_answers_that_carry_derivatives_has_their_numbers() -> None:
    A = (torch.eye(2, dtype=torch.float64) * 2).requires_grad_()
    for given in (A, 1 * A):
        found = engine.solve(problems.inverse(), given)
        copied = copy.deepcopy(found)
        assert not copied["X"].requires_grad and torch.equal(copied["X"], found["X"].detach())
        assert copied["X"].data_ptr() != found["X"].data_ptr() and copied.summary() == found.summary()
