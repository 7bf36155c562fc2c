"""Promises of every row of the contract table: lanes keep to themselves, faults become statuses."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import backends
import engine
from backends.arrays import to_host
from engine import Status
from tests.contract import CASES, TABLE, Backend, Case


@pytest.fixture(scope="module", autouse=True)
def shim_backend() -> Iterator[None]:
    backends.NAMES["shim"] = "tests.cuda.shim"
    yield
    del backends.NAMES["shim"]


BAD = {"nan": np.nan, "inf": np.inf, "zero": 0.0, "huge": 1e300, "singular": None}


def spoiled(lane: np.ndarray, kind: str) -> np.ndarray:
    """A faulty lane of the same shape."""
    if kind == "singular":
        lane = lane.copy()
        lane[..., -1] = lane[..., 0]
        return lane
    if kind in ("nan", "inf"):
        lane = lane.copy()
        lane[(0,) * lane.ndim] = BAD[kind]
        return lane
    with np.errstate(over="ignore"):
        return np.full_like(lane, BAD[kind])


def run(case: Case, backend: Backend, data: dict[str, np.ndarray], **options: Any) -> engine.Solution:
    """A solve where the backend computes, with answers on the host; those of a device have been there."""
    found = engine.solve(
        case.problem, backend.placed(data), solver=case.solver, backend=backend.name, max_steps=backend.steps(case), **options
    )
    if not backend.device:
        return found
    assert all(array.device.type == backend.device for array in (*found, found.status, found.steps, found.loss, found.residual))
    figures: dict[str, Any] = {name: to_host(getattr(found, name)) for name in ("status", "steps", "loss", "residual")}
    history = None if found.history is None else to_host(found.history)
    return replace(found, params={name: to_host(found[name]) for name in found.params}, history=history, **figures)


def batch(case: Case, dtype: str, lanes: int) -> dict[str, np.ndarray]:
    made = case.lanes(np.random.default_rng(7), lanes)
    return {name: array.astype(dtype) for name, array in made.items()}


def same(a: engine.Solution, i: Any, b: engine.Solution, j: Any) -> None:
    """The same bits in everything a lane has."""
    for name in a.params:
        np.testing.assert_array_equal(a[name][i], b[name][j])
    for figure in ("status", "steps", "loss", "residual"):
        np.testing.assert_array_equal(getattr(a, figure)[i], getattr(b, figure)[j], err_msg=figure)


@pytest.mark.parametrize("tol", [None, 0])
@pytest.mark.parametrize("case, backend, dtype", TABLE)
def test_a_faulty_lane_changes_no_other(case: Case, backend: Backend, dtype: str, tol: float | None) -> None:
    data = batch(case, dtype, 2 * len(BAD) + 2)
    healthy, faulty = dict(data), dict(data)
    places = dict(zip(BAD, range(1, 2 * len(BAD), 2), strict=True))
    for name, array in data.items():
        identity = np.broadcast_to(np.eye(*array.shape[1:]), array.shape).astype(dtype)
        healthy[name], faulty[name] = array.copy(), array.copy()
        for kind, place in places.items():
            healthy[name][place] = identity[place]
            faulty[name][place] = spoiled(array[place], kind)
    good = [k for k in range(len(array)) if k not in places.values()]
    a, b = (run(case, backend, d, tol=tol) for d in (healthy, faulty))
    same(a, good, b, good)
    assert np.isfinite([a[name][good].sum() for name in a.params]).all()
    for kind in ("nan", "inf"):
        assert b.status[places[kind]] == Status.NONFINITE_INPUT
        assert all(np.isnan(b[name][places[kind]]).all() for name in b.params)
    if dtype == "float32":  # 1e300 is Inf there
        assert b.status[places["huge"]] == Status.NONFINITE_INPUT
    assert b.status[places["huge"]] in (Status.NONFINITE, Status.NONFINITE_INPUT, Status.MAX_STEPS, Status.STALLED)
    assert not b.converged[[places["singular"]]].any() or not case.problem.exact or "svd" in case.name


@pytest.mark.parametrize("case, backend, dtype", TABLE)
def test_an_exact_backend_gives_the_same_bits_alone_permuted_and_at_any_size(case: Case, backend: Backend, dtype: str) -> None:
    if not backend.exact:
        pytest.skip("library kernels may round differently across batch sizes")
    data = batch(case, dtype, 6)
    whole = run(case, backend, data)
    order = np.array([3, 5, 0, 1, 4, 2])
    same(run(case, backend, {n: a[order] for n, a in data.items()}), slice(None), whole, order)
    same(run(case, backend, {n: a[2] for n, a in data.items()}), (), whole, 2)
    same(run(case, backend, {n: a[1:4] for n, a in data.items()}), slice(None), whole, slice(1, 4))


@pytest.mark.parametrize("case, backend, dtype", TABLE)
def test_a_permuted_batch_gives_permuted_answers(case: Case, backend: Backend, dtype: str) -> None:
    data = batch(case, dtype, 5)
    order = np.array([3, 0, 4, 1, 2])
    same(run(case, backend, {n: a[order] for n, a in data.items()}), slice(None), run(case, backend, data), order)


@pytest.mark.parametrize("case, backend, dtype", TABLE)
def test_tol_0_runs_exactly_max_steps_and_history_has_them_all(case: Case, backend: Backend, dtype: str) -> None:
    data = batch(case, dtype, 3)
    solution = run(case, backend, data, tol=0, history=True)
    assert (solution.steps == backend.steps(case)).all() and (solution.status == Status.MAX_STEPS).all()
    assert solution.history.shape == (3, backend.steps(case)) and solution.history.dtype == dtype
    assert np.isfinite(solution.history).all()
    every = run(case, backend, data, tol=0, history=7).history
    np.testing.assert_array_equal(every, solution.history[:, ::7])
    for name, param in solution.params.items():
        assert param.dtype == dtype and param.shape[0] == 3, name
    assert solution.status.dtype == np.int8


@pytest.mark.parametrize("case, backend, dtype", TABLE)
def test_a_step_limit_returns_the_best_iterate(case: Case, backend: Backend, dtype: str) -> None:
    solution = run(case, backend, batch(case, dtype, 3), tol=1e-30, history=True)
    assert (solution.status == Status.MAX_STEPS).all()
    best, eps = np.nanmin(solution.history, axis=-1), 64 * np.finfo(dtype).eps
    # finish sums in another order, and residuals are differences of numbers near 1: r + eps squared is r^2 + 2 eps r
    assert (solution.loss <= best + eps * (best + np.sqrt(best))).all()


@pytest.mark.parametrize("case, backend, dtype", TABLE)
def test_several_batch_axes_batch_0_and_no_batch_axis(case: Case, backend: Backend, dtype: str) -> None:
    data = batch(case, dtype, 6)
    flat = run(case, backend, data)
    shaped = run(case, backend, {n: a.reshape(2, 3, *a.shape[1:]) for n, a in data.items()}, history=True)
    for name, param in flat.params.items():
        np.testing.assert_array_equal(shaped[name], param.reshape(2, 3, *param.shape[1:]))
    assert shaped.status.shape == (2, 3) and shaped.history.shape[:2] == (2, 3)
    none = run(case, backend, {n: a[:0] for n, a in data.items()}, history=True)
    assert none.status.shape == (0,) and none.history.shape == (0, 0) and none.converged.shape == (0,)
    assert all(none[name].shape == (0, *flat[name].shape[1:]) and none[name].dtype == dtype for name in flat.params)
    one = run(case, backend, {n: a[0] for n, a in data.items()})
    assert one.status.shape == () and all(one[name].shape == flat[name].shape[1:] for name in flat.params)
    assert math.isfinite(float(one.loss))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_backends_agree(case: Case, dtype: str) -> None:
    data = batch(case, dtype, 3)
    torch, numpy, fused = (
        engine.solve(case.problem, data, solver=case.solver, backend=b, tol=0, max_steps=25) for b in ("torch", "numpy", "fused")
    )
    for name in torch.params:
        for other, close in ((numpy, 1e-11), (fused, 1e-12)):
            tight = close if dtype == "float64" else 2e-4
            np.testing.assert_allclose(other[name], torch[name], rtol=tight, atol=tight)
