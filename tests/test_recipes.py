"""The five recipes of CONTRIBUTING.md, followed to the letter with the models of `tests.recipes`, against oracles of their own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import torch

import backends
import engine
import problems
from backends import tree
from backends.fused.ir.ops import OPS, Op
from backends.fused.lowering.aten import LOWERINGS
from engine import Param, Problem
from engine.cli import calls
from engine.domains import Domain
from engine.errors import LanewiseError
from engine.solvers import GradientDescent
from engine.solvers.base import said
from tests import operations, test_contract, test_domains, test_operations
from tests.contract import CASES, Backend, Case, near_identity
from tests.domains import GROUPS, PLACES, Place
from tests.recipes.domain import Traceless
from tests.recipes.problem import square_root
from tests.recipes.solver import Rprop

PROMISES = (
    test_contract.test_a_faulty_lane_changes_no_other,
    test_contract.test_an_exact_backend_gives_the_same_bits_alone_permuted_and_at_any_size,
    test_contract.test_a_permuted_batch_gives_permuted_answers,
    test_contract.test_tol_0_runs_exactly_max_steps_and_history_has_them_all,
)
"""The rows of the contract table are tested for these."""

ROWS = (
    Case("square_root-gd", square_root(), GradientDescent(0.1, momentum=0.5), near_identity(3), steps=20),
    Case("inverse-rprop", problems.inverse(), Rprop(0.02), near_identity(3), steps=20),
)


def keep(case: Case, backend: Backend) -> None:
    """Whether a row keeps its promises."""
    for promise in PROMISES:
        skip = promise is PROMISES[1] and not backend.exact
        options: list[dict[str, Any]] = [{"tol": None}, {"tol": 0}] if promise is PROMISES[0] else [{}]
        for option in options if not skip else ():
            promise(case, backend, "float64", **option)


@pytest.mark.parametrize("backend", [Backend("torch", exact=False), Backend("fused", exact=True)], ids=lambda b: b.name)
@pytest.mark.parametrize("case", ROWS, ids=lambda c: c.name)
def test_a_row_for_a_problem_or_solver_keeps_the_promises(case: Case, backend: Backend) -> None:
    keep(case, backend)


def test_a_problem_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(problems, "_CATALOGUE", (*problems._CATALOGUE, square_root))
    assert calls.problem("square_root") is square_root()
    A = np.eye(3) + 0.2 * np.random.default_rng(1).standard_normal((5, 3, 3))
    found = engine.solve(problems.catalogue()["square_root"](), A)
    np.testing.assert_allclose(found["X"], [scipy.linalg.sqrtm(a) for a in A], rtol=1e-9, atol=1e-9)
    assert found.converged.all()


def test_a_solver_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.solvers, "Rprop", Rprop, raising=False)
    monkeypatch.setattr(engine.solvers, "__all__", [*engine.solvers.__all__, "Rprop"])
    assert calls.solver("rprop(0.02)") == Rprop(0.02)
    A = np.eye(3) + 0.2 * np.random.default_rng(2).standard_normal((4, 3, 3))
    found = engine.solve(problems.inverse(), A, solver=Rprop(0.02), backend="torch")
    np.testing.assert_allclose(found["X"], np.linalg.inv(A), rtol=1e-9, atol=1e-9)
    again = engine.solve(problems.inverse(), A, solver=Rprop(0.03, up=1.1), backend="torch")
    assert again.timings["compile_s"] == 0 and (again.steps != found.steps).any()  # another float compiles nothing


@dataclass(frozen=True)
class Unordered:
    """No more than `init` and `step`: entries in another order, changed in place, named like those of other solvers."""

    rate: float = 0.9

    def init(self, objective: Any, params: Any) -> Any:
        loss = objective.loss(params)
        return {"params": params, "optimality": loss * 0, "model": {"figure": loss, "halving": loss > 0}, "loss": loss}

    def step(self, objective: Any, state: Any) -> Any:
        state["loss"], gradient = objective.value_and_gradient(state["params"])
        state["optimality"] = state["optimality"] + 1
        moved = objective.retract(state["params"], {name: -self.rate * g for name, g in gradient.items()})
        return {"loss": state["loss"], "model": dict(reversed(state["model"].items())), **state, "params": moved}


@pytest.mark.parametrize("backend", ["torch", "fused", "numpy"])
def test_a_state_of_any_names_and_order_is_a_solver_s_own(backend: str) -> None:
    A = np.eye(3) + 0.1 * np.random.default_rng(3).standard_normal((4, 3, 3))
    solvers: list[Any] = [GradientDescent(0.9), Unordered()]
    plain, own = (engine.solve(problems.inverse(), A, solver=s, backend=backend, tol=0, max_steps=20) for s in solvers)
    np.testing.assert_allclose(own["X"], plain["X"], rtol=1e-13, atol=1e-13)


def test_the_old_name_of_a_constant_still_counts() -> None:
    old: Any = type("Old", (Rprop,), {"EVERY": 2})
    with pytest.warns(DeprecationWarning, match="solver Old: EVERY is now called CHECK_EVERY"):
        found = engine.solve(problems.inverse(), np.eye(2)[None], solver=old(), backend="numpy", max_steps=2)
    assert found.steps.max() <= 2 and said(old, "CHECK_EVERY") == 2
    assert said(type("New", (old,), {"CHECK_EVERY": 3}), "CHECK_EVERY") == 3 and said(Rprop, "CHECK_EVERY") == 8


@pytest.fixture
def line() -> Iterator[str]:
    backends.NAMES["differences"] = "tests.recipes.backend"
    yield "differences"
    del backends.NAMES["differences"]
    backends._LOADED.pop("differences", None)


def test_a_backend_is_one_file_and_one_line(line: str) -> None:
    keep(replace(CASES[0], steps=5), Backend(line, exact=True))
    A = np.eye(3) + 0.2 * np.random.default_rng(4).standard_normal((4, 3, 3))
    found = engine.solve(problems.inverse(), A, backend=line)
    np.testing.assert_allclose(found["X"], np.linalg.inv(A), rtol=1e-9, atol=1e-9)
    assert "central differences" in str(found.plan)
    tensors = engine.solve(problems.inverse(), torch.as_tensor(A), backend=line)["X"]
    assert isinstance(tensors, torch.Tensor) and torch.equal(tensors, torch.as_tensor(found["X"]))
    assert not len(engine.solve(problems.inverse(), A[:0], backend=line)["X"])


def several(a: Any, b: Any) -> Any:
    return {"u": a["x"] * b + a["y"].sum(), "v": (b * b).sum() * a["y"]}


def number(a: Any, b: Any) -> Any:
    return (a["x"] * a["x"] * b).sum() + (a["y"] * b.sum()).sum()


def test_derivatives_that_a_backend_does_not_write_are_those_of_torch(line: str) -> None:
    mine, theirs = backends.get(line), backends.get("torch")
    a, b = {"x": np.array([1.0, -2.0]), "y": np.array([[0.5, 2.0, 3.0]])}, np.array([0.3, 0.7])
    for argnums in (0, 1, -1, (0, 1)):
        for name in ("jacfwd", "jacrev", "grad", "value_and_grad", "hessian"):
            f = several if name.startswith("jac") else number
            agree(getattr(mine, name)(f, argnums), getattr(theirs, name)(f, argnums), a, b)
            aux = lambda a, b, f=f: (f(a, b), b + 1)
            agree(getattr(mine, name)(aux, argnums, True), getattr(theirs, name)(aux, argnums, True), a, b)
    with pytest.raises(ValueError, match="argnums came as 2"):
        mine.grad(number, 2)(a, b)
    with pytest.raises(TypeError, match=r"shape \(2,\); expected a scalar"):
        mine.grad(lambda a, b: b)(a, b)
    empty = mine.jacfwd(lambda x: x)(np.ones(0)), mine.jacrev(lambda x: x)(np.ones(0))
    assert empty[0].shape == empty[1].shape == (0, 0)


def agree(mine: Any, theirs: Any, a: Any, b: Any) -> None:
    """The same tree of numbers, but for differences of differences."""
    expected = theirs({name: torch.as_tensor(x) for name, x in a.items()}, torch.as_tensor(b))
    found = mine(a, b)
    assert tree.names(found) == tree.names(expected)
    for one, other in zip(tree.leaves(found), tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


NOTHING: dict[str, Any] = {}


def _shrunk(c: Any, x: Any, lambd: float = 0.5) -> Any:
    return c.map("shrink", x, c.number(lambd))


def test_an_operation_is_one_line_and_one_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    shrink = Op("select(lw::abs({0}) > {1}, {0}, ({0} - {0}))", lambda x, low: np.where(np.abs(x) > low, x, 0), "same", 3)
    monkeypatch.setitem(OPS, "shrink", shrink)
    monkeypatch.setitem(LOWERINGS, "hardshrink", _shrunk)
    row = {"hardshrink": operations.op(torch.nn.functional.hardshrink, "nm", orders=0)}
    args = [a for name, one in row.items() for a in test_operations.arguments(one, {"n": 4, "m": 3}, torch.float64, name)]
    test_operations.check(test_operations.together(row, test_operations.values), args, 1e-15)
    monkeypatch.setitem(OPS, "shrink", replace(shrink, text="({0} + {1})"))
    with pytest.raises(AssertionError, match="hardshrink: off by"):  # the line is what runs
        test_operations.check(test_operations.together(row, test_operations.values), args, 1e-15)


def test_every_entry_is_an_operation_of_torch() -> None:
    known = {name for space in (torch.ops.aten, torch.ops.prims) for name in LOWERINGS if hasattr(space, name)}
    assert LOWERINGS.keys() - known == set()


def _traceless(b: np.ndarray) -> np.ndarray:
    return np.asarray(b - np.trace(b) / len(b) * np.eye(len(b)))


def test_a_domain_is_one_file_and_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = lambda x, lane, slack: abs(np.trace(x)) <= 3 * slack * (1 + np.abs(x).max())
    monkeypatch.setitem(PLACES, "traceless", Place("n n", Traceless(), "normal", lambda b, lane: _traceless(b), inside))
    monkeypatch.setitem(GROUPS, "toy", ("traceless",))
    for solver in ("gd", "levenberg_marquardt", "newton"):
        test_domains.test_a_solver_arrives_at_the_nearest_point_and_never_leaves_the_domain("toy", "traceless", solver, "torch")
    near = Problem(name="near", data={"B": "n n"}, params={"X": Param("n n", Traceless())}, residual=lambda X, B: X - B)
    B = np.random.default_rng(5).standard_normal((3, 3, 3))
    found = engine.solve(near, B, solver=Rprop(), backend="torch")
    assert found.converged.all()
    np.testing.assert_allclose(found["X"], [_traceless(b) for b in B], atol=1e-5)
    assert engine.solve(near, B[:, :1, :1], backend="torch").converged.all()  # no coordinate at all


@pytest.mark.parametrize("name", engine.errors.__all__)
def test_an_error_is_caught_by_its_own_class_and_by_one_for_all(name: str) -> None:
    assert issubclass(getattr(engine.errors, name), LanewiseError)


def test_what_a_declared_function_raises_is_one_class() -> None:
    wrong = Problem(name="wrong", data={"A": "n n"}, params={"X": "n n"}, residual=lambda X, A: NOTHING["A"])
    for backend in ("numpy", "torch"):
        with pytest.raises(engine.errors.DeclaredFunctionError, match="residual raised KeyError") as caught:
            engine.solve(wrong, np.eye(2), backend=backend)
        assert isinstance(caught.value.__cause__, KeyError) and isinstance(caught.value, ValueError)


def test_a_domain_of_the_base_class_alone_is_the_whole_space() -> None:
    whole = Problem(name="near", data={"B": "n"}, params={"X": Param("n", Domain())}, residual=lambda X, B: X - B)
    np.testing.assert_allclose(engine.solve(whole, np.ones((2, 3)), backend="torch")["X"], 1.0, atol=1e-9)
