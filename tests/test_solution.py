"""Everything that a Solution promises: fields, failed, retry, summary, check, history, measures, captures, libraries."""

from __future__ import annotations

import io
import time
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from engine import Param, Problem, SolveError, Status, progress
from engine.solvers import GradientDescent

SGD = GradientDescent(0.5, momentum=0.9)
RNG = np.random.default_rng(11)
A = np.eye(3) + 0.2 * RNG.standard_normal((6, 3, 3))
MIXED = A.copy()
MIXED[1, 0, 0] = np.nan
MIXED[4] = np.diag([1.0, 1.0, 0.0])


def solve(data: Any, **options: Any) -> engine.Solution:
    return engine.solve(problems.inverse(), data, **{"solver": SGD, **options})


def test_numpy_in_gives_numpy_out_and_torch_in_gives_torch_out() -> None:
    for backend in ("torch", "numpy"):
        for dtype in (np.float32, np.float64):
            ours = solve(A.astype(dtype), backend=backend, history=True, max_steps=40)
            theirs = solve(torch.as_tensor(A.astype(dtype)), backend=backend, history=True, max_steps=40)
            for name in ("status", "steps", "loss", "residual", "history", "converged", "failed"):
                a, b = getattr(ours, name), getattr(theirs, name)
                assert isinstance(a, np.ndarray) and isinstance(b, torch.Tensor), name
                np.testing.assert_array_equal(a, b.numpy())
            assert isinstance(ours["X"], np.ndarray) and isinstance(theirs["X"], torch.Tensor)
            assert ours["X"].dtype == dtype and str(theirs["X"].dtype) == f"torch.{np.dtype(dtype)}"


def test_inputs_stay_as_they_are() -> None:
    data, start = A.copy(), np.full((3, 3), 0.1)
    held, began = data.copy(), start.copy()
    data.flags.writeable = False
    first = solve(data, start={"X": start}, max_steps=30)
    second = solve(data[::-1], start={"X": start}, max_steps=30)
    np.testing.assert_array_equal(data, held)
    np.testing.assert_array_equal(start, began)
    np.testing.assert_array_equal(first["X"], second["X"][::-1])
    X = first["X"].copy()
    solve(np.zeros((6, 3, 3)), max_steps=3)
    np.testing.assert_array_equal(first["X"], X)


def test_params_come_by_name_and_in_order() -> None:
    solution = engine.solve(problems.svd_penalty(), A[:2], max_steps=20)
    U, d, V = solution
    assert U is solution["U"] and d is solution["d"] and V is solution.params["V"] and len(solution) == 3
    with pytest.raises(KeyError, match=r"'S'.*U, d, V"):
        solution["S"]


def test_failed_lanes_are_named_and_indexed() -> None:
    solution = solve(MIXED, max_steps=1500)
    assert list(solution.failed) == [1, 4]
    np.testing.assert_array_equal(solution.converged, [True, False, True, True, False, True])
    with pytest.raises(SolveError, match=r"2 of 6 lanes of problem 'inverse'") as caught:
        solution.raise_for_status()
    words = str(caught.value)
    assert caught.value.solution is solution
    assert "NONFINITE_INPUT: 1 (lanes 1)\n" in words and "datum 'A' has NaN or Inf" in words and "lanes 4" in words
    several = solve(MIXED.reshape(2, 3, 3, 3), max_steps=1500)
    assert [list(axis) for axis in several.failed] == [[0, 1], [1, 1]]
    assert list(solve(MIXED[1], max_steps=5).failed) == [0] and list(solve(A[0]).failed) == []
    assert solve(A).raise_for_status().converged.all()


def test_check_raise_raises_with_the_solution_and_default_does_not() -> None:
    with pytest.raises(SolveError, match="lanes 1") as caught:
        solve(MIXED, check="raise", max_steps=100)
    assert caught.value.solution is not None and caught.value.solution["X"].shape == (6, 3, 3)
    assert solve(A, check="raise").converged.all()


@pytest.mark.parametrize("library", [np.asarray, torch.as_tensor])
@pytest.mark.parametrize("batch", [(6,), (2, 3)])
def test_retry_solves_the_failed_lanes_only(library: Any, batch: tuple[int, ...]) -> None:
    first = solve(library(MIXED.reshape(*batch, 3, 3)), max_steps=60, tol=1e-6)
    done = np.asarray(first.converged).reshape(-1)
    assert not done.all()
    again = first.retry(max_steps=1000)
    assert type(again["X"]) is type(first["X"]) and tuple(again.status.shape) == batch
    X, Y = (np.asarray(s["X"]).reshape(6, 3, 3) for s in (first, again))
    np.testing.assert_array_equal(X[done], Y[done])
    assert list(np.flatnonzero(~np.asarray(again.converged).reshape(-1))) == [1, 4]
    assert again.lane_steps > first.lane_steps and again.timings["run_s"] > first.timings["run_s"]
    assert (np.asarray(first["X"]).reshape(6, 3, 3) == X)[done].all()  # the first solution stays


def test_retry_goes_on_from_where_the_lanes_stopped() -> None:
    first = solve(A, max_steps=32, tol=1e-9)
    assert len(first.failed) == 6
    on = first.retry(start=first.params, max_steps=1)
    assert (on.loss <= first.loss).all()
    done = solve(A)
    assert done.retry(max_steps=5) is done
    with pytest.raises(TypeError, match=r"'speed'.*max_steps"):
        first.retry(speed=2)


def test_the_summary_is_a_readable_table() -> None:
    text = solve(MIXED, max_steps=1500).summary()
    for words in (
        "inverse: 6 lanes",
        "float64",
        "CONVERGED",
        "66.67%",
        "NONFINITE_INPUT",
        "16.67%",
        "median",
        "steps",
        "residual",
        "compile",
    ):
        assert words in text, text
    assert max(map(len, text.splitlines())) <= 100
    assert "1 lane," in solve(A[0]).summary() and "0 lanes" in solve(A[:0]).summary()


def test_the_plan_is_printable_and_the_timings_are_seconds() -> None:
    solution = solve(A, backend="torch", max_steps=10)
    assert all(word in str(solution.plan) for word in ("inverse", "torch", "GradientDescent", "as asked", "float64"))
    assert all(seconds >= 0 for seconds in solution.timings.values()) and solution.timings["run_s"] > 0
    assert solution.timings["wall_s"] >= solution.timings["compile_s"] + solution.timings["run_s"]
    assert solve(A, backend="torch", max_steps=11).timings["compile_s"] == 0.0


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_the_history_has_the_loss_before_each_step(backend: str) -> None:
    solution = solve(A, backend=backend, history=True, max_steps=300, tol=1e-6)
    T = int(solution.steps.max())
    assert solution.history.shape == (6, T) and len(set(solution.steps.tolist())) > 1
    start = np.random.Generator(np.random.Philox(key=[0, __import__("zlib").crc32(b"X")])).random((3, 3))
    np.testing.assert_allclose(solution.history[:, 0], np.mean((start @ A - np.eye(3)) ** 2, (1, 2)), rtol=1e-14)
    for row, steps in zip(solution.history, solution.steps, strict=True):
        assert np.isfinite(row[:steps]).all() and np.isnan(row[steps:]).all()
    strided = solve(A, backend=backend, history=9, max_steps=300, tol=1e-6)
    np.testing.assert_array_equal(strided.history, solution.history[:, ::9])
    none = solve(A, backend=backend, max_steps=300, tol=1e-6)
    assert none.history is None
    np.testing.assert_array_equal(none["X"], solution["X"])
    with pytest.raises(ValueError, match="history=True"):
        none.plot()
    figure = solution.plot()
    assert "inverse" in figure.layout.title.text and figure.layout.yaxis.type == "log"


def test_a_history_over_one_gibibyte_is_refused_with_the_stride_that_fits() -> None:
    wide = np.broadcast_to(np.eye(3), (30_000, 3, 3))
    with pytest.raises(ValueError, match=r"2\.2 GiB.*history=3 fits"):
        solve(wide, history=True, max_steps=10_000)
    with pytest.raises(ValueError, match=r"1\.1 GiB.*history=3 fits"):
        solve(wide, history=2, max_steps=10_000)


def measured(**changes: Any) -> Problem:
    return Problem(
        name="measured",
        data={"A": "n n"},
        params={"X": Param("n n", start="eye")},
        residual=lambda X, A: X @ A - engine.eye_like(A),
        exact=True,
        measures={
            "trace": lambda X: array_namespace(X).linalg.trace(X),
            "diagonal": lambda X, A: array_namespace(X).linalg.diagonal(X @ A),
        },
        **changes,
    )


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_measures_are_figures_of_the_returned_params(backend: str) -> None:
    solution = engine.solve(measured(), MIXED, solver=SGD, backend=backend, max_steps=50)
    assert list(solution.measures) == ["trace", "diagonal"]
    good = [0, 2, 3, 5]
    np.testing.assert_allclose(solution.measures["trace"][good], np.trace(solution["X"][good], axis1=1, axis2=2), rtol=1e-14)
    assert solution.measures["diagonal"].shape == (6, 3) and np.isnan(solution.measures["trace"][1])


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_a_captured_array_is_read_at_every_call_and_a_number_is_fixed(backend: str) -> None:
    target, factor = np.array([1.0, 2.0]), 3.0
    problem = Problem(
        name="captured",
        data={"s": ""},
        params={"x": Param("n", start="zeros")},
        sizes={"n": 2},
        residual=lambda x, s: x - factor * s * target,
    )
    step: dict[str, Any] = dict(solver=GradientDescent(0.5), backend=backend, max_steps=200)
    s = np.array([1.0, 10.0])
    np.testing.assert_allclose(engine.solve(problem, s, **step)["x"], [[3, 6], [30, 60]], rtol=1e-6)
    target[:] = [5.0, -1.0]
    factor = 100.0
    mutated = engine.solve(problem, s, **step)
    np.testing.assert_allclose(mutated["x"], [[15, -3], [150, -30]], rtol=1e-6)
    assert mutated.timings["compile_s"] == 0.0


def test_another_rate_tolerance_or_batch_size_compiles_nothing() -> None:
    problem = measured()
    assert engine.solve(problem, A, solver=GradientDescent(0.5), max_steps=3).timings["compile_s"] > 0
    for data, rate, tol in ((A, 0.1, 1e-3), (A[:2], 0.5, None), (A[:0], 0.5, None), (A[0], 0.2, 1e-9)):
        assert engine.solve(problem, data, solver=GradientDescent(rate), tol=tol, max_steps=5).timings["compile_s"] == 0.0


def test_a_seed_fixes_the_start_for_all_lanes_and_backends() -> None:
    for seed in (0, 7):
        starts = [solve(A, seed=seed, backend=b, tol=0, max_steps=0)["X"] for b in ("torch", "numpy")]
        np.testing.assert_array_equal(*starts)
        assert (starts[0] == starts[0][0]).all()
    assert not np.array_equal(solve(A, seed=0, tol=0, max_steps=0)["X"], solve(A, seed=7, tol=0, max_steps=0)["X"])


SEEDS = [0, 1, -1, -2, 2**63, 2**63 + 1, 2**64 - 1, 2**64 - 2, 2**64, 2**64 + 1, -(2**64), 10**400, -(10**400), 2**20000]


def test_every_integer_is_a_seed_of_its_own() -> None:
    problem = Problem(name="seeds", data={}, params={"x": Param("3"), "y": Param("3")}, loss=lambda x, y: (x * x).sum() + y.sum())
    steps: dict[str, Any] = dict(tol=0, max_steps=0, solver=GradientDescent(0.1), backend="numpy")
    drawn = {engine.solve(problem, {}, seed=seed, **steps)[name].tobytes() for seed in SEEDS for name in ("x", "y")}
    assert len(drawn) == 2 * len(SEEDS)
    others: list[Any] = [-1, 2**63 + 1, 10**400, np.int64(-1), np.uint64(2**63 + 1), np.array(5)]
    for seed in others:
        same = [engine.solve(problem, {}, seed=seed, **steps | {"backend": backend}) for backend in ("numpy", "torch")]
        np.testing.assert_array_equal(same[0]["x"], same[1]["x"])
        np.testing.assert_array_equal(same[0]["x"], engine.solve(problem, {}, seed=int(seed), **steps)["x"])


@pytest.mark.parametrize("seed", [True, np.True_, np.array(True), 1.0, np.float64(1), "1", None, [1], np.array([1, 2])])
def test_a_seed_that_is_no_integer_is_refused_by_name(seed: Any) -> None:
    with pytest.raises(TypeError, match=r"problem 'inverse': seed came as .*; expected a whole number"):
        solve(A, seed=seed)


def test_progress_prints_a_bar_and_changes_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    quiet = solve(A, max_steps=40)
    assert capfd.readouterr() == ("", "")
    np.testing.assert_array_equal(solve(A, max_steps=40, progress=True)["X"], quiet["X"])
    assert capfd.readouterr().err != ""


def test_status_codes_are_the_contract() -> None:
    names = "CONVERGED ILL_CONDITIONED MAX_STEPS STALLED INFEASIBLE NONFINITE NONFINITE_INPUT UNDETERMINED".split()
    assert {name: int(Status[name]) for name in names} == {name: code for code, name in enumerate(names)}
    assert len(Status) == len(names)


def test_a_compile_that_takes_long_says_so_once_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(said, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("sys.stderr", said)
    monkeypatch.setattr(progress, "PATIENCE", 0.01)
    with progress.announced("compiling svd for 8 x 8, float64; once per size"):
        for _ in range(500):
            if said.getvalue():
                break
            time.sleep(0.01)
    assert said.getvalue() == "compiling svd for 8 x 8, float64; once per size\n"


def test_nothing_is_said_where_nobody_looks(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "PATIENCE", 0.0)
    solve(A, max_steps=1)
    assert capsys.readouterr() == ("", "")
