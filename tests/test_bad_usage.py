"""Bad usage is an exception before any compilation that names the culprit, what came, what was expected, a remedy."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from engine import Param, Problem
from engine.domains import Positive
from engine.solvers import Adam, GradientDescent

A = np.eye(3) + 0.1
SGD = GradientDescent(0.1)


def solve(*args: Any, **kwargs: Any) -> Any:
    return engine.solve(*args, **{"solver": SGD, "max_steps": 3, "backend": "torch", **kwargs})


def own(**changes: Any) -> Problem:
    """A problem of one's own, with something wrong."""
    fields: dict[str, Any] = dict(name="own", data={"A": "n n"}, params={"X": "n n"}, residual=lambda X, A: X - A)
    fields.update(changes)
    return Problem(**{k: v for k, v in fields.items() if v is not None})


def loss_problem(loss: Callable[..., Any], **changes: Any) -> Problem:
    return own(residual=None, loss=loss, **changes)


def mean(x: Any) -> Any:
    return array_namespace(x).mean(x)


def branches(X: Any, A: Any) -> Any:
    return mean(X) if mean(A) > 0 else mean(-X)


def _first_order(a: Any) -> Any:
    return solve(problems.inverse(), a, derivatives=1)["X"].sum()


def _twice(f: Callable[..., Any]) -> Any:
    return torch.func.jacrev(torch.func.jacrev(f))(torch.eye(3))


HIDDEN = type("Holder", (), {"array": np.ones((3, 3))})()

WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "non-square inverse": (lambda: solve(problems.inverse(), np.ones((5, 3, 4))), ["'A'", "(5, 3, 4)", "square"]),
    "rank too low": (lambda: solve(problems.inverse(), np.ones(3)), ["'A'", "(3,)", "2 axes"]),
    "mismatched axes": (
        lambda: solve(own(data={"A": "n n", "b": "n"}, residual=lambda X, A, b: X @ A - b), {"A": A, "b": np.ones(4)}),
        ["'b'", "(4,)", "3", "'A'"],
    ),
    "missing datum": (lambda: solve(problems.inverse(), {}), ["'A'", "missing"]),
    "unknown datum": (lambda: solve(problems.inverse(), {"A": A, "B": A}), ["'B'", "['A']"]),
    "array for several data": (lambda: solve(own(data={"A": "n n", "b": "n"}), A), ["mapping", "'b'"]),
    "complex data": (lambda: solve(problems.inverse(), A + 1j), ["'A'", "complex128", "float64"]),
    "half data": (lambda: solve(problems.inverse(), A.astype(np.float16)), ["'A'", "float16", "float32"]),
    "object data": (lambda: solve(problems.inverse(), A.astype(object)), ["'A'", "object"]),
    "a string": (lambda: solve(problems.inverse(), "A.npy"), ["'A'", "str", "NumPy"]),
    "ragged lists": (lambda: solve(problems.inverse(), [[1.0], [2.0, 3.0]]), ["'A'"]),
    "mixed libraries": (
        lambda: solve(own(data={"A": "n n", "B": "n n"}), {"A": A, "B": torch.eye(3)}),
        ["A in numpy", "B in torch", "convert"],
    ),
    "mixed devices": (
        lambda: solve(own(data={"A": "n n", "B": "n n"}), {"A": torch.eye(3), "B": torch.eye(3, device="meta")}),
        ["cpu", "meta", "one library and device"],
    ),
    "start in another library": (
        lambda: solve(problems.inverse(), A, start={"X": torch.eye(3)}),
        ["start of 'X'", "torch", "numpy"],
    ),
    "derivatives of no order": (lambda: solve(problems.inverse(), A, derivatives=3), ["derivatives", "3", "0 (detached)"]),
    "a second derivative with derivatives=1": (
        lambda: _twice(_first_order),
        ["datum 'A'", "derivatives=1", "derivatives=2"],
    ),
    "a derivative of a number of steps": (
        lambda: solve(problems.inverse(), torch.eye(3, requires_grad=True), tol=0, max_steps=5),
        ["'A'", "tol", "derivatives=0"],
    ),
    "history within a transform": (
        lambda: torch.vmap(lambda a: solve(problems.inverse(), a, history=True)["X"])(torch.eye(3).expand(2, 3, 3)),
        ["history", "torch.func", "outside"],
    ),
    "captured requires grad beside NumPy data": (
        lambda: (lambda w: solve(own(residual=lambda X, A: X - A * w), A))(torch.ones(3, requires_grad=True)),
        ["residual", "NumPy", ".detach()"],
    ),
    "batches that do not broadcast": (
        lambda: solve(own(data={"A": "n n", "b": "n"}), {"A": np.ones((2, 3, 3)), "b": np.ones((5, 3))}),
        ["b", "(5,)", "(2,)", "broadcast"],
    ),
    "both residual and loss": (lambda: own(loss=lambda X, A: mean(X)), ["both residual and loss", "exactly one"]),
    "neither residual nor loss": (lambda: own(residual=None), ["neither residual nor loss"]),
    "exact loss": (lambda: loss_problem(lambda X, A: mean(X), exact=True), ["exact=True", "residual"]),
    "no params": (lambda: own(params={}), ["params", "empty"]),
    "a name twice": (lambda: own(params={"A": "n n"}), ["'A'", "both a datum and a param"]),
    "a name that is none": (lambda: own(params={"X 1": "n n"}), ["'X 1'", "identifier"]),
    "axes that are none": (lambda: own(params={"X": "n, n"}), ["n,", "axis"]),
    "an axis nobody knows": (lambda: solve(own(params={"X": "n k"}), A), ["'X'", "'k'", "sizes="]),
    "an argument not declared": (lambda: own(residual=lambda X, B: X - B), ["'B'", "not declared"]),
    "negative weight": (lambda: own(weights={"": -1.0}), ["weights", "-1.0"]),
    "a weight for no block": (lambda: solve(own(weights={"fit": 1.0}), A), ["'fit'", "blocks"]),
    "start of no param": (lambda: solve(problems.inverse(), A, start={"Y": A}), ["'Y'", "['X']"]),
    "wrong start shape": (lambda: solve(problems.inverse(), A, start={"X": np.ones((3, 2))}), ["start of 'X'", "(3, 2)", "3"]),
    "unknown start word": (lambda: Param("n n", start="ones"), ["'ones'", "'normal'"]),
    "start function of wrong shape": (
        lambda: solve(own(params={"X": Param("n n", start=lambda A: A[0])}), A),
        ["start of 'X'", "(3,)", "(3, 3)"],
    ),
    "unknown backend": (lambda: solve(problems.inverse(), A, backend="cuda"), ["'cuda'", "'torch'"]),
    "unknown solver": (lambda: solve(problems.inverse(), A, solver="adam"), ["'adam'", "engine.solvers"]),
    "a solver class": (lambda: solve(problems.inverse(), A, solver=Adam), ["Adam", "settings"]),
    "a negative rate": (lambda: GradientDescent(-0.1), ["learning_rate", "-0.1"]),
    "a beta of one": (lambda: Adam(betas=(0.9, 1.0)), ["betas", "1.0"]),
    "nesterov without momentum": (lambda: GradientDescent(0.1, nesterov=True), ["nesterov", "momentum"]),
    "negative tol": (lambda: solve(problems.inverse(), A, tol=-1.0), ["tol", "-1.0"]),
    "fractional max_steps": (lambda: solve(problems.inverse(), A, max_steps=1.5), ["max_steps", "1.5"]),
    "unknown check": (lambda: solve(problems.inverse(), A, check="loud"), ["check", "'loud'"]),
    "history too large": (
        lambda: solve(problems.inverse(), np.ones((1_000_000, 1, 1)), history=True, max_steps=10_000),
        ["GiB", "history=75 fits"],
    ),
    "no Problem": (lambda: solve(lambda X, A: X - A, A), ["engine.Problem"]),
    "a problem that is not called": (lambda: solve(problems.inverse, A), ["engine.Problem", "call it", "the function inverse"]),
    "a domain that is not called": (
        lambda: Param("n n", domain=Positive),  # type: ignore[arg-type]
        ["Positive", "engine.domains", "call it"],
    ),
    "a model that is no function": (
        lambda: problems.curve_fit(3),  # type: ignore[arg-type]
        ["curve_fit", "3", "model(x, a, b, ...)"],
    ),
    "start without a name": (lambda: solve(problems.inverse(), A, start=A), ["start", "ndarray", "{'X': ...}"]),
    "a loss that is a vector": (lambda: solve(loss_problem(lambda X, A: (X - A).sum(0)), A), ["loss", "(3,)", "scalar"]),
    "a loss that is a number": (lambda: solve(loss_problem(lambda X, A: 1.0), A), ["loss", "float", "scalar"]),
    "a residual that draws, second order": (
        lambda: solve(own(residual=lambda X, A: X - torch.rand(3, 3)), A, solver=None),
        ["draws random numbers", "pure function", "pass them as data"],
    ),
    "a residual that leaves the trace, second order": (
        lambda: solve(own(residual=lambda X, A: X @ np.asarray(A)), A, solver=None),
        ["residual", "calls np.asarray", "x itself for np.asarray(x)"],
    ),
    "a loss that raises": (lambda: solve(loss_problem(lambda X, A: mean(X @ A[:2])), A), ["loss raised", "X (3, 3)", "line"]),
    "a loss that branches on values": (lambda: solve(loss_problem(branches), A), ["loss", "branches", "where"]),
    "a loss that reads a value": (
        lambda: solve(loss_problem(lambda X, A: mean(X) * float(A[0, 0])), A),
        ["loss", "float", "where"],
    ),
    "a loss that draws (torch)": (lambda: solve(loss_problem(lambda X, A: mean(X * torch.rand(3))), A), ["random"]),
    "a loss that draws (random)": (lambda: solve(loss_problem(lambda X, A: mean(X) * random.random()), A), ["frozen", "pure"]),
    "a loss that calls NumPy": (lambda: solve(loss_problem(lambda X, A: mean(X * np.unique(A))), A), ["np.unique", "np.where"]),
    "a start that calls NumPy": (
        lambda: solve(own(params={"X": Param("n n", start=lambda A: np.array([A, A]))}), A),
        ["start.X", "np.array", "np.stack"],
    ),
    "a finish that calls NumPy": (lambda: solve(own(finish=lambda X: {"X": np.unique(X)}), A), ["finish", "np.unique"]),
    "a hidden NumPy array": (lambda: solve(loss_problem(lambda X, A: mean(X - HIDDEN.array)), A), ["NumPy array", "capture"]),
    "a shape that depends on values": (lambda: solve(loss_problem(lambda X, A: mean(X[A > 0])), A), ["shape", "where"]),
    "a finish that invents a param": (lambda: solve(own(finish=lambda X: {"Y": X}), A), ["finish", "'Y'", "['X']"]),
}


@pytest.mark.parametrize("name", WRONG)
def test_it_is_refused_with_words_that_help(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from backends.torch import iterate

    compiled: list[Any] = []
    monkeypatch.setattr(iterate.TorchExecutable, "iterate", lambda *a: compiled.append(a))
    call, words = WRONG[name]
    with pytest.raises((TypeError, ValueError)) as caught:
        call()
    missing = [word for word in words if word not in str(caught.value)]
    assert not missing, f"{missing} not in: {caught.value}"
    assert re.search(r"expected|use |problem|: ", str(caught.value))
    assert not compiled


def test_the_table_has_what_the_contract_asks_for() -> None:
    assert len(WRONG) >= 30


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.uint8, bool])
def test_integer_and_bool_data_are_promoted(dtype: Any) -> None:
    solution = solve(problems.inverse(), np.eye(3).astype(dtype))
    assert solution["X"].dtype == np.float64
    assert solve(problems.inverse(), torch.eye(3).to(torch.int32))["X"].dtype == torch.float32
    mixed = own(data={"A": "n n", "b": "n"}, residual=lambda X, A, b: X @ A - b)
    data = {"A": np.eye(3).astype(dtype), "b": np.ones(3, np.float32)}
    assert solve(mixed, data)["X"].dtype == np.float32


@dataclass(frozen=True)
class Noisy(GradientDescent):
    """A user's solver that is not pure."""

    def step(self, objective: Any, state: Any) -> Any:
        params = super().step(objective, state)["params"]
        return super().step(objective, state) | {"params": {n: x + random.random() for n, x in params.items()}}


@pytest.mark.parametrize("backend", ["torch", "fused"])
def test_a_number_that_a_solver_of_one_s_own_freezes_is_refused(backend: str) -> None:
    """All of it is traced twice: nobody has proven it pure."""
    with pytest.raises(TypeError, match="frozen"):
        engine.solve(problems.inverse(), A, solver=Noisy(0.1), backend=backend)
