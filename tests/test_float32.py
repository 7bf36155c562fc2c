"""float32 in, float32 out: on every backend, and under every derivative of scalars beside Python's and NumPy's numbers."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from engine import Param, Problem
from engine.solvers import LBFGS, GaussNewton, LevenbergMarquardt, Newton

Array = Any
Y = np.full((3, 2), 0.1, np.float32)


def stack(*scalars: Array) -> Array:
    return array_namespace(*scalars).stack(list(scalars))


RESIDUALS: dict[str, Callable[..., Any]] = {
    "rosenbrock": lambda p, y: stack(10.0 * (p[1] - p[0] ** 2), 1.0 - p[0]) - y,
    "quotients": lambda p, y: stack(p[1] / 3.0 - 1.0, 2.0 / (p[0] + 1.5) - 1.0) - y,
    "a product behind scalars": lambda p, y: y * 0 + stack(p[0] + p[1], 0.5 * p[0]) @ stack(10.0 * p[0], p[1] / 3.0) + p - 1.0,
    "sums and means": lambda p, y: array_namespace(p).sum(p) * 2.5 - (array_namespace(p).mean(p) - 0.5) / 0.3 + p - y,
    "numbers of NumPy": lambda p, y: np.pi * p[0] + np.sqrt(2.0) * p[1] + np.float64(2.0) * p - np.float32(0.1) * y,
    "powers and functions": lambda p, y: stack((p[0] + 2.0) ** 1.5 - 2.0, 2.0 ** (0.1 * p[1]) - 1.0) - y,
    "branches": lambda p, y: stack(array_namespace(p).where(p[0] > 0.5, 2.0 * p[0], 0.5 * p[0] + 1.0) - 1.2, 0.5 * p[1]) - y,
    "blocks": lambda p, y: {"a": 2.0 * p[0] - 1.0, "b": p[1] / 7.0 - y[1], "c": p - y},
}
LOSSES: dict[str, Callable[..., Any]] = {
    "rosenbrock": lambda p, y: 100.0 * (p[1] - p[0] ** 2) ** 2 + (1.0 - p[0]) ** 2 + 0.0 * y.sum(),
    "of scalars and vectors": lambda p, y: 0.5 * ((2.0 * p - y) ** 2).sum() + 0.1 * p[0] * p[1] / 3.0,
}


def declared(**function: Callable[..., Any]) -> Problem:
    return Problem(name="numbers", data={"y": "n"}, params={"p": Param("n", start=0.25)}, **function)  # type: ignore[arg-type]


def narrow(solution: engine.Solution) -> bool:
    return {str(np.asarray(a).dtype) for a in (solution["p"], solution.loss, solution.residual)} == {"float32"}


@pytest.mark.parametrize("backend", ["numpy", "torch"])
@pytest.mark.parametrize("name", RESIDUALS)
def test_a_residual_of_scalars_and_numbers_is_solved_in_float32(name: str, backend: str) -> None:
    found = engine.solve(declared(residual=RESIDUALS[name]), Y, backend=backend, max_steps=30)
    right = engine.solve(declared(residual=RESIDUALS[name]), Y.astype("f8"), backend="numpy", max_steps=100)
    assert narrow(found) and right["p"].dtype == np.float64
    np.testing.assert_allclose(found.loss, right.loss, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize(
    "solver", [GaussNewton(), LevenbergMarquardt(geodesic_acceleration=True), LBFGS()], ids=lambda s: type(s).__name__
)
def test_every_solver_of_residuals_keeps_float32(solver: Any) -> None:
    assert narrow(engine.solve(declared(residual=RESIDUALS["quotients"]), Y, backend="torch", solver=solver, max_steps=5))


@pytest.mark.parametrize("solver", [Newton(), LBFGS()], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("name", LOSSES)
def test_every_solver_of_losses_keeps_float32(name: str, solver: Any) -> None:
    for backend in ("numpy", "torch"):
        found = engine.solve(declared(loss=LOSSES[name]), Y, backend=backend, solver=solver, max_steps=60)
        assert narrow(found) and (found.loss < 0.1).all()


def test_a_native_kernel_keeps_float32() -> None:
    found = engine.solve(declared(residual=RESIDUALS["rosenbrock"]), Y * 0, backend="fused")
    assert narrow(found) and found.plan.backend == "fused"
    np.testing.assert_allclose(found["p"], 1, atol=1e-4)


def test_doubles_of_the_users_in_a_loss_a_finish_or_a_start_do_not_widen_an_answer() -> None:
    wide = torch.tensor([1.0, 2.0], dtype=torch.float64)
    for backend in ("torch", "numpy"):
        problem = Problem(
            name="wide", data={"y": "n"}, params={"p": Param("n", start=lambda y: np.float64(2.0) * y)},
            residual=lambda p, y: p * wide - y, finish=lambda p: {"p": p * np.float64(1.0)},
        )  # fmt: skip
        assert narrow(engine.solve(problem, Y, backend=backend, max_steps=5))


T: Any = torch
CALLS: dict[str, Callable[[Any], Any]] = {
    "2.0 * x": lambda x: 2.0 * x, "x + 1.0": lambda x: x + 1.0, "1.0 - x": lambda x: 1.0 - x, "x - 1.0": lambda x: x - 1.0,
    "x / 2.0": lambda x: x / 2.0, "2.0 / x": lambda x: 2.0 / x, "x ** 0.5": lambda x: x**0.5, "2.0 ** x": lambda x: 2.0**x,
    "x % 0.3": lambda x: x % 0.3,
    "add with alpha": lambda x: T.add(x, x, alpha=2.0), "sub with alpha": lambda x: T.sub(x, 1.0, alpha=2.0),
    "rsub": lambda x: T.rsub(x, 1.0), "by name": lambda x: T.true_divide(T.multiply(x, 3.0), 2.0), "a whole number": lambda x: 3 * x,
    "a truth": lambda x: True * x, "ldexp": lambda x: T.ldexp(x, T.tensor(2)), "lerp": lambda x: T.lerp(x, 2.0 * x, 0.3),
    "where": lambda x: T.where(x > 0, 2.0 * x, 0.5), "clamp": lambda x: T.clamp(2.0 * x, 0.1, 0.9), "mean": lambda x: x.mean() * 2.0,
    "a sum": lambda x: T.stack([x, 2.0 * x]).sum() / 3.0, "std": lambda x: T.stack([x, 2.0 * x]).std() * 2.0,
    "a product": lambda x: (T.ones(2, 2) @ T.stack([10.0 * x, x / 3.0])).sum(), "nested": lambda x: T.sin(0.5 * T.exp(x * 0.3) - 1.0),
    "a solve": lambda x: T.linalg.solve(2 * T.eye(2), T.stack([10.0 * x, x / 3.0]))[0], "a vector": lambda x: (2.0 * x.reshape(1))[0],
    "NumPy's numbers": lambda x: np.float64(2.0) * x - np.sqrt(2.0), "a double": lambda x: T.tensor(2.0).double() * x,
}  # fmt: skip


def test_a_derivative_of_what_is_done_in_place_has_the_dtype_of_its_value() -> None:
    x = T.tensor(0.7)
    assert engine.jvp(lambda x: (x * 1.0).mul_(2.0).add_(1.0).sub_(0.5).div_(3.0), (x,), (x,))[1].dtype == T.float32


@pytest.mark.parametrize("name", CALLS)
def test_a_derivative_has_the_dtype_of_its_value_under_every_transform(name: str) -> None:
    f = CALLS[name]
    x, one = T.tensor(0.7), T.ones(())

    def forward(z: Any) -> Any:
        return engine.jvp(f, (z,), (one,))[1]

    transforms: dict[str, Callable[[], Any]] = {
        "jvp": lambda: forward(x),
        "jacfwd": lambda: engine.jacfwd(f)(x),
        "jvp of jvp": lambda: engine.jvp(forward, (x,), (one,))[1],
        "vjp of jvp": lambda: engine.vjp(forward, x)[1](forward(x))[0].to(f(x).dtype),
        "jvp of grad": lambda: engine.jvp(engine.grad(f), (x,), (one,))[1].to(f(x).dtype),
        "hessian": lambda: engine.hessian(f)(x).to(f(x).dtype),
        "vmap of jvp": lambda: engine.vmap(forward)(x.repeat(2)),
        "jvp of vmap": lambda: engine.jvp(engine.vmap(f), (x.repeat(2),), (T.ones(2),))[1],
    }
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert {kind: found().dtype for kind, found in transforms.items()} == dict.fromkeys(transforms, f(x).dtype)
    step = 1e-3
    slope = (float(f(x + step)) - float(f(x - step))) / (2 * step)
    assert abs(float(forward(x)) - slope) < 2e-3 * max(1.0, abs(slope))


def test_a_polynomial_of_many_powers_is_converged_at_its_least_loss_in_float32() -> None:
    """Powers up to the seventh are alike to 1e-5: what elimination leaves of their columns is nearly all rounding."""
    rng, x = np.random.default_rng(11), np.linspace(0, 1, 30).astype("f4")
    powers = np.vander(x.astype(float), 8, increasing=True)
    y = (3 * rng.standard_normal((100, 8)) @ powers.T + 0.05 * rng.standard_normal((100, 30))).astype("f4")
    problem = problems.curve_fit(
        lambda x, a, b, c, d, e, f, g, h: a + x * (b + x * (c + x * (d + x * (e + x * (f + x * (g + x * h))))))
    )
    found = engine.solve(problem, {"x": x, "y": y})
    answers = np.stack([np.asarray(found[name], float) for name in "abcdefgh"], axis=1)
    least = np.array([np.linalg.lstsq(powers, row, rcond=None)[1][0] for row in y.astype(float)])
    above = ((answers @ powers.T - y) ** 2).sum(axis=1) / least - 1
    assert found.converged.mean() > 0.97 and (above[found.converged] < 1e-4).all()
