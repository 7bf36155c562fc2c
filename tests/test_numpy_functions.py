"""Declared functions in NumPy's and SciPy's words: one table on every backend and in every role, and one sentence for the rest."""

from __future__ import annotations

import math
import random
import re
import subprocess
import warnings
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.linalg
import scipy.special
import torch

import backends
import engine
from engine import Param, Problem
from engine.fingerprint.program import fingerprint
from engine.objective import Objective
from engine.solvers import GradientDescent
from tests.numpy_functions import ALL, NEWCOMERS

RNG = np.random.default_rng(0)
A = (RNG.uniform(0.2, 0.9, (3, 3)) + 0.5 * np.eye(3)) / 1.5
V = np.array([0.3, 0.55, 0.85])
KINDS = sorted({name.partition(":")[0] for name in ALL})
STILL: dict[str, Any] = {"solver": GradientDescent(0.0), "tol": 0, "max_steps": 0}
BACKENDS = ["fused", "torch", "numpy"]


def problem(**fields: Any) -> Problem:
    given = {"residual": lambda v, A: v} if fields.keys().isdisjoint(("residual", "loss")) else {}
    return Problem(**{"name": "own", "data": {"A": "n n"}, "params": {"v": Param("n", start=V)}, **given, **fields})


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("kind", KINDS)
def test_every_function_gives_what_it_gives_on_plain_arrays(kind: str, backend: str) -> None:
    part = {name: f for name, f in ALL.items() if name.startswith(f"{kind}:")}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        declared = problem(measures={f"m{k}": f for k, f in enumerate(part.values())})
        solution = engine.solve(declared, np.stack([A, A.T]), backend=backend, **STILL)
    for k, (name, function) in enumerate(part.items()):
        for lane, matrix in enumerate((A, A.T)):
            found, rounding = solution.measures[f"m{k}"][lane], 1e-9 if "polygamma" in name else 1e-12
            np.testing.assert_allclose(found, function(matrix, V), rtol=rounding, atol=1e-14, err_msg=name)


def test_every_function_has_a_fingerprint_so_that_its_kernel_is_kept() -> None:
    nameless = [name for name, f in ALL.items() if not fingerprint(problem(measures={"m": f}))]
    assert nameless == ["shape: the namespace of an array", "shape: an import inside"]  # whose modules are found as they run


def slope(f: Callable[[Any], Any], x: np.ndarray) -> np.ndarray:
    """The gradient of sum(f) by central differences."""
    found = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        step = np.zeros_like(x)
        step[index] = 1e-5
        found[index] = (np.sum(1.0 * f(x + step)) - np.sum(1.0 * f(x - step))) / 2e-5
    return found


@pytest.mark.parametrize("backend", ["torch", "numpy"])
def test_every_function_has_its_derivatives(backend: str) -> None:
    measures = {f"{k} {by}": gradient(f, by) for k, f in enumerate(ALL.values()) for by in "vA"}
    engines = backends.get(backend)
    objective = Objective(problem(measures=measures), engines, {"A": lane(backend, A)})
    for k, (name, f) in enumerate(ALL.items()):
        for by, expected in (("v", slope(partial(f, A), V)), ("A", slope(partial(swapped, f, V), A))):
            found = objective.call(f"measures.{k} {by}", {"v": lane(backend, V)})
            np.testing.assert_allclose(np.asarray(found), expected, rtol=1e-6, atol=1e-8, err_msg=f"{name} by {by}")


def gradient(f: Any, by: str) -> Any:
    """The gradient of sum(f), as a declared function."""
    if by == "v":
        return lambda A, v: engine.grad(lambda v: np.sum(1.0 * f(A, v)))(v)
    return lambda A, v: engine.grad(lambda A: np.sum(1.0 * f(A, v)))(A)


def swapped(f: Any, v: Any, A: Any) -> Any:
    return f(A, v)


def lane(backend: str, array: np.ndarray) -> Any:
    """An array as declared functions are given it."""
    if backend == "torch":
        return torch.as_tensor(array)
    from backends.numpy.point import as_lane

    return as_lane(array)


@pytest.mark.parametrize("name", ["erf", "expit", "gammaln", "psi", "log_ndtr", "logsumexp"])
def test_second_derivatives_of_scipys_functions_agree(name: str) -> None:
    function = getattr(scipy.special, name)
    declared = problem(measures={"h": lambda v: engine.hessian(lambda v: np.sum(function(v)))(v)})
    found = [engine.solve(declared, A, backend=backend, **STILL).measures["h"] for backend in ("torch", "numpy")]
    np.testing.assert_allclose(found[0], found[1], rtol=1e-8, atol=1e-11)
    assert np.abs(found[0]).max() > 0.01


@pytest.mark.parametrize("backend", BACKENDS)
def test_what_a_newcomer_writes_first_runs_in_every_role(backend: str) -> None:
    """Residual, loss, start, finish and measures, each with all twelve; the losses by NumPy on plain arrays."""

    def total(A: Any, v: Any) -> Any:
        return sum(np.sum(f(A, v) ** 2) for f in NEWCOMERS.values())

    def blocks(A: Any, v: Any) -> Any:
        return {name: f(A, v) for name, f in NEWCOMERS.items()}

    def start(A: Any) -> Any:
        return A[1] / (1.0 + total(A, A[0]))

    def finish(A: Any, v: Any) -> Any:
        return {"w": total(A, v)}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        params = {"v": Param("n", start=start), "w": Param("", start=0.0)}
        fitted = problem(residual=blocks, finish=finish, measures={"total": total}, params=params)
        solution = engine.solve(fitted, A[None], backend=backend, **STILL)
        lost = engine.solve(problem(loss=total), A[None], backend=backend, **STILL)
    v = start(A)
    np.testing.assert_allclose(solution["v"][0], v, rtol=1e-12)
    np.testing.assert_allclose(solution.loss[0], sum(np.mean(f(A, v) ** 2) for f in NEWCOMERS.values()), rtol=1e-12)
    np.testing.assert_allclose([solution["w"][0], solution.measures["total"][0]], total(A, v), rtol=1e-12)
    np.testing.assert_allclose(lost.loss[0], total(A, V), rtol=1e-12)


def test_a_model_of_an_installed_library_is_taken_as_it_is() -> None:
    """Its globals are not looked into: NumPy's protocols reach it."""
    library: dict[str, Any] = {"__name__": "statistics", "np": np}
    exec("def peak(A, v): return np.exp(-np.sum(v * v)) * np.ones_like(v)", library)
    for backend in ("torch", "numpy"):
        found = engine.solve(problem(measures={"peak": library["peak"]}), A, backend=backend, **STILL).measures["peak"]
        np.testing.assert_allclose(found, library["peak"](A, V), rtol=1e-12)


def test_float32_stays_float32_beside_constants() -> None:
    declared = problem(residual=lambda v, A: np.eye(3) @ v - np.linspace(0, 1, 3) * np.sqrt(2.0) * A[0])
    for backend in ("torch", "numpy"):
        solution = engine.solve(declared, A.astype(np.float32), backend=backend, start={"v": V.astype(np.float32)}, **STILL)
        assert solution["v"].dtype == solution.loss.dtype == np.float32


def test_numpy_finds_tensors_as_they_always_were_outside_of_declared_functions() -> None:
    engine.solve(problem(), A, backend="torch", **STILL)
    tensor = torch.ones(3)
    assert not hasattr(torch.Tensor, "__array_ufunc__") and not hasattr(tensor, "__array_namespace__")
    assert type(np.sum(np.asarray(tensor))) is np.float32
    with pytest.raises(TypeError):
        np.ones(3) @ tensor


def writes_view(v: Any) -> Any:
    v[:2][0] = 1.0
    return v


def writes(v: Any) -> Any:
    v[0] = 1.0
    return v


def adds(v: Any) -> Any:
    v += 1.0
    return v


def branches(v: Any) -> Any:
    return v if v[0] > 0 else -v


class Held:
    """An array that no variable holds."""

    array: Any = np.ones(3)


DRAW = np.random.default_rng(0)
PIECES = np.vectorize(lambda x: x if x > 0 else 0.0)

UNTRACEABLE: dict[str, tuple[Callable[[Any], Any], str, str, str]] = {
    "a file that is read": (
        lambda v: v * np.load("w.npy"),
        'np.load("w.npy")',
        "opens a file with np.load()",
        "read the file before",
    ),
    "a file that is opened": (lambda v: v * len(open("w").read()), 'open("w")', "calls open()", "read the file before"),  # noqa: SIM115
    "item": (lambda v: v * v[0].item(), "v[0].item()", "reads an array's value with item()", "x[0] is one too"),
    "float": (lambda v: v * float(v[0]), "float(v[0])", "turns an array into a Python float", "the array itself"),
    "math": (lambda v: v * math.exp(v[0]), "math.exp(v[0])", "turns an array into a Python float", "np.exp(x) for math.exp(x)"),
    "if": (branches, "v[0] > 0", "branches on the value of an array", "np.where(condition, a, b)"),
    "random": (lambda v: v * random.random(), "random.random()", "draws random numbers with random.random", "pass them as data"),
    "np.random": (
        lambda v: v + np.random.rand(3),
        "np.random.rand(3)",
        "draws random numbers with np.random.rand",
        "pass them as data",
    ),
    "a generator": (
        lambda v: v + DRAW.normal(size=3),
        "DRAW.normal(size=3)",
        "draws random numbers with Generator.normal",
        "as data",
    ),
    "np.asarray": (lambda v: v + np.asarray(v), "np.asarray(v)", "calls np.asarray, which turns an array into", "x itself"),
    "np.array": (lambda v: np.array([v[0], v[1], v[2]]), "np.array([v[0], v[1], v[2]])", "calls np.array", "np.stack([a, b])"),
    "an entry that is written": (writes, "v[0]", "writes to an array that it was given", "np.where"),
    "an entry of a view": (writes_view, "v[:2][0]", "writes to an array that it was given", "np.where"),
    "an array that is added to": (adds, "v += 1.0", "writes to an array that it was given", "x = x + 1"),
    "tolist": (lambda v: v * v.tolist()[0], "v.tolist()", "reads an array's values with tolist()", "x[0] is one too"),
    "an index": (lambda v: v * range(9)[v[0]], "range(9)[v[0]]", "uses an array's value as an index", "a fixed index"),
    "np.vectorize": (lambda v: np.vectorize(abs)(v), "np.vectorize(abs)", "calls np.vectorize", "of the whole array"),
    "a vectorized function": (lambda v: PIECES(v), "PIECES(v)", "calls a function of np.vectorize", "np.where for if"),
    "no meaning": (lambda v: v * np.unwrap(v), "np.unwrap(v)", "calls np.unwrap", "operators and functions"),
    "no meaning of SciPy's": (lambda v: v * scipy.linalg.norm(v), "scipy.linalg.norm(v)", "calls scipy.linalg.norm", "np.where"),
    "np.unique": (lambda v: v * np.unique(v)[0], "np.unique(v)", "calls np.unique", "np.where with a condition"),
}


def summed(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    return lambda v: np.sum(function(v))


SENTENCE = r"problem 'own': (residual|loss) \(line (\d+), (.+?)\) (.+?): (.+?); write instead: (.+)"


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", UNTRACEABLE)
def test_what_cannot_be_traced_is_refused_at_once_in_one_sentence(name: str, backend: str, monkeypatch: Any) -> None:
    """Problem, function, line, expression, what it does, why that fails, and what to write instead."""
    function, expression, what, remedy = UNTRACEABLE[name]
    compiled: list[Any] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: compiled.append(a))
    for role in ("residual", "loss"):
        body = function if role == "residual" else summed(function)
        with warnings.catch_warnings(), pytest.raises(TypeError) as caught:
            warnings.simplefilter("error")
            engine.solve(problem(**{role: body}), A, solver=GradientDescent(0.1), backend=backend, max_steps=3)
        found = re.fullmatch(SENTENCE, str(caught.value))
        assert found, str(caught.value)
        assert found[1] == role and what in found[4] and remedy in found[6]
        assert found[3] == expression or role == "loss"
        assert found[3] in Path(__file__).read_text().splitlines()[int(found[2]) - 1]
    assert not compiled


def test_an_array_that_no_variable_holds_is_refused_on_either_side() -> None:
    for function in (
        lambda v: v * Held.array,
        lambda v: Held.array * v,
        lambda v: np.multiply(Held.array, v),
        lambda v: np.dot(v, Held.array),
    ):
        with pytest.raises(
            TypeError, match=r"problem 'own': residual \(line \d+, .*\) mixes a NumPy array that it did not capture .* write"
        ):
            engine.solve(problem(residual=function), A, backend="torch", **STILL)


CRASHING: dict[str, Callable[[Any], Any]] = {
    "std": np.std,
    "var": np.var,
    "arctanh": np.arctanh,
    "deg2rad": np.deg2rad,
    "rad2deg": np.rad2deg,
    "trapezoid": np.trapezoid,
    "take": lambda v: np.take(v, 1),
    "column_stack": lambda v: np.column_stack([v, 2.0 * v]),
}
"""Functions whose derivatives of derivatives torch lacks, or ends the process at, if they are left to it."""


def test_second_order_solvers_take_functions_that_torch_crashes_at() -> None:
    def residual(A: Any, v: Any) -> Any:
        return v + 0.01 * sum(np.sum(f(v)) for f in CRASHING.values()) - A[0]

    found = [engine.solve(problem(residual=residual), A, backend=backend) for backend in ("torch", "numpy")]
    assert found[0].converged and np.abs(residual(A, found[0]["v"])).max() < 1e-12
    np.testing.assert_allclose(found[0]["v"], found[1]["v"], rtol=1e-10)
