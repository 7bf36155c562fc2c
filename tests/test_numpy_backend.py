"""The reference backend's lanes: vmap, arrays in and out, and the loop over steps."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest

from backends.base import RUNNING, Program, Run
from backends.numpy import BACKEND as B
from backends.numpy.complex_step import Perturbed
from backends.numpy.lane_array import LaneArray
from engine.errors import TraceError
from tests.points import RNG, M, V

pytestmark = pytest.mark.filterwarnings("error")


def test_vmap_maps_the_axes_it_is_told() -> None:
    a, b = RNG.standard_normal((5, 2, 3)), RNG.standard_normal((3, 5))
    product = B.vmap(lambda a, b: a @ b, in_axes=(0, 1))(a, b)
    np.testing.assert_allclose(product, np.einsum("kij,jk->ki", a, b))
    np.testing.assert_array_equal(B.vmap(lambda a, b: a @ b, in_axes=(0, -1), out_axes=1)(a, b), product.T)
    shared = B.vmap(lambda a, b: a @ b[:, 0], in_axes=(0, None))(a, b)
    np.testing.assert_allclose(shared, a @ b[:, 0])
    tree = B.vmap(
        lambda p, s: {"sum": p["a"] + p["b"], "s": s},
        in_axes=({"a": 0, "b": None}, None),
        out_axes={"sum": 1, "s": None},
    )
    found = tree({"a": a[:, 0], "b": b[:, 0]}, 2.0)
    np.testing.assert_array_equal(found["sum"], (a[:, 0] + b[:, 0]).T)
    assert found["s"] == 2.0 and type(found["sum"]) is np.ndarray
    assert B.vmap(lambda a: a @ a.T)(a[:0]).shape == (0, 2, 2)


def test_vmap_and_derivatives_nest() -> None:
    a = RNG.standard_normal((5, 3))
    loss = lambda x: (x**3).sum()
    np.testing.assert_allclose(B.vmap(B.grad(loss))(a), 3 * a**2, rtol=1e-14)
    np.testing.assert_allclose(B.grad(lambda a: B.vmap(loss)(a).sum())(a), 3 * a**2, rtol=1e-14)
    np.testing.assert_allclose(B.vmap(B.hessian(loss))(a)[2], np.diag(6 * a[2]), rtol=1e-12, atol=1e-14)


def test_vmap_names_what_does_not_fit() -> None:
    with pytest.raises(ValueError, match="different sizes"):
        B.vmap(lambda a, b: a)(np.ones(2), np.ones(3))
    with pytest.raises(ValueError, match="no axis"):
        B.vmap(lambda a: a)(1.0)
    with pytest.raises(ValueError, match="in_axes"):
        B.vmap(lambda a: a, in_axes=(0, 0))(np.ones(2))


def test_declared_functions_see_lanes_and_users_do_not() -> None:
    seen: list[Any] = []

    def f(x: Any) -> Any:
        seen.append((type(x), x.dtype, type(x[0])))
        return (x**2).sum()

    B.grad(f)(V)
    assert seen[0] == (LaneArray, np.float64, LaneArray)
    assert seen[1] == (Perturbed, np.float64, Perturbed)


def test_arrays_come_in_and_go_out() -> None:
    torch = pytest.importorskip("torch")
    assert B.load([1, 2], "float32").dtype == np.float32
    tensor = torch.ones(2, 3)
    loaded = B.load(tensor)
    assert isinstance(loaded, np.ndarray) and loaded.shape == (2, 3)
    assert B.load(V) is V and B.unload(V, "numpy") is V
    assert torch.equal(B.unload(M.T, "torch"), torch.tensor(M.T))
    assert B.unload(np.array(1.0), "torch").shape == ()

    class Remote:
        device = torch.device("cuda", 0)

    with pytest.raises(ValueError, match="cuda:0; nothing moves to the host silently"):
        B.load(Remote())


def _halving(fault: float = np.inf) -> Program:
    """x halves until it is below tol; the loss is x."""

    def code(value: int) -> Any:
        return np.asarray(value, np.int8)

    def step(inputs: Any, state: Any) -> Any:
        loss = np.where(state["steps"] + 1 > fault * inputs["bad"], np.nan, state["x"])
        fine = np.isfinite(loss) & (state["status"] == RUNNING)
        return {
            "x": np.where(fine, state["x"] / 2, state["x"]),
            "loss": loss,
            "steps": np.where(fine, state["steps"] + 1, state["steps"]),
            "status": np.where(np.isfinite(loss), state["status"], code(5)),
        }

    def check(inputs: Any, state: Any) -> Any:
        status = np.where(state["steps"] >= inputs["max_steps"], code(2), code(RUNNING))
        status = np.where(state["x"] <= inputs["tol"], code(0), status)
        return state | {"status": np.where(state["status"] == RUNNING, status, state["status"])}

    return Program(
        init=lambda inputs: {"x": inputs["x"], "loss": inputs["x"], "steps": np.asarray(0), "status": code(RUNNING)},
        step=step,
        terminate=check,
        postprocess=lambda inputs, state: {"params": {"x": state["x"]}, "status": state["status"], "steps": state["steps"]},
        every=4,
    )


def _inputs(x: list[float], bad: list[float], max_steps: int) -> dict[str, Any]:
    shared = {"tol": np.asarray(1.0), "max_steps": np.asarray(max_steps)}
    return {"x": np.array(x), "bad": np.array(bad), **shared}


SHARED = frozenset({"tol", "max_steps"})


def _prepared(program: Program) -> Any:
    one = {name: a[0] if a.ndim else a for name, a in _inputs([3.0], [1.0], 100).items()}
    return B.prepare(program, one)


def test_every_lane_runs_until_it_is_done() -> None:
    done: list[int] = []
    run = Run(3, SHARED, 100, history=1, progress=done.append)
    outcome = _prepared(_halving()).iterate(_inputs([16.0, 0.5, 1024.0], [1.0] * 3, 100), run)
    np.testing.assert_array_equal(outcome.results["params"]["x"], [1.0, 0.5, 0.25])
    np.testing.assert_array_equal(outcome.results["status"], [0, 0, 0])
    assert outcome.lane_steps == 4 + 0 + 12 and done == [1, 2, 3]
    assert outcome.history.shape == (3, 12)
    np.testing.assert_array_equal(outcome.history[0, :5], [16.0, 8.0, 4.0, 2.0, np.nan])
    assert np.isnan(outcome.history[1]).all() and np.isfinite(outcome.history[2]).all()


def test_the_history_keeps_every_kth_loss_and_ends_at_a_fault() -> None:
    executable = _prepared(_halving(fault=3))
    outcome = executable.iterate(_inputs([1024.0, 1024.0], [1.0, np.inf], 100), Run(2, SHARED, 100, history=2))
    np.testing.assert_array_equal(outcome.results["steps"], [3, 12])
    np.testing.assert_array_equal(outcome.results["status"], [5, 0])
    assert outcome.history.shape == (2, 6)
    np.testing.assert_array_equal(outcome.history[0], [1024.0, 256.0, *[np.nan] * 4])


def test_no_step_goes_beyond_the_limit() -> None:
    outcome = _prepared(_halving()).iterate(_inputs([1e9], [1.0], 6), Run(1, SHARED, 6))
    assert outcome.lane_steps == 6 and outcome.results["status"] == [2] and outcome.history is None


def test_no_lanes_give_empty_results() -> None:
    outcome = _prepared(_halving()).iterate(_inputs([], [], 100), Run(0, SHARED, 100, history=1))
    assert outcome.results["params"]["x"].shape == (0,) and outcome.results["status"].dtype == np.int8
    assert outcome.history.shape == (0, 0) and outcome.lane_steps == 0


def test_randomness_is_refused() -> None:
    program = _halving()
    random = dataclasses.replace(program, init=lambda i: program.init(i) | {"x": i["x"] + np.random.rand()})
    with pytest.raises(TraceError, match="random"):
        _prepared(random)
