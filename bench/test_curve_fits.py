"""Curve fits against those who fit one by one (SciPy) and those who batch (optimistix under jit of vmap).

Three models: a decay in float64, a spot on 5 x 5 pixels in float32, a decay over 20,000 shared points. Everybody gets
the same data, the same start and a like tolerance; what is certified stands beside the rate.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
import pytest

import engine
import problems
from bench.measure import first_call, median

LANES = {"decay": 100_000, "spot": 400_000, "long": 8}
"""Fits in a batch."""

PEERS = {"scipy": 50, "optimistix": 2_000}
"""Peers that fit decays, and how many each: they take longer."""

Arrays = dict[str, np.ndarray]


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    """a exp(-b x) + c."""
    return a * np.exp(-b * x) + c


def spot(x: Any, height: Any, u: Any, v: Any, width: Any, floor: Any) -> Any:
    """height exp(-((x_0 - u)^2 + (x_1 - v)^2) / (2 width^2)) + floor, of pixels x = (columns, rows), `(2, m)`."""
    return height * np.exp(-((x[0] - u) ** 2 + (x[1] - v) ** 2) / (2 * width**2)) + floor


def decays(points: int, lanes: int) -> tuple[Arrays, Arrays]:
    """Decays with noise of 0.01, x `(points,)` and y `(lanes, points)`, float64, and one start, all ones, for all."""
    rng = np.random.default_rng(3)
    x = np.linspace(0.0, 4.0, points)
    a, b, c = rng.uniform([1.0, 0.5, 0.0], [3.0, 2.0, 1.0], (lanes, 3)).T[..., None]
    y = decay(x, a, b, c) + 0.01 * rng.standard_normal((lanes, points))
    return {"x": x, "y": y}, {name: np.ones(()) for name in "abc"}


def spots(lanes: int) -> tuple[Arrays, Arrays]:
    """Spots near the middle of 5 x 5 pixels with noise of 0.1, x `(2, 25)` and y `(lanes, 25)`, float32, and one start for all."""
    rng = np.random.default_rng(4)
    x = np.stack([np.tile(np.arange(5.0), 5), np.repeat(np.arange(5.0), 5)]) - 2.0
    theta = rng.uniform([5.0, -0.5, -0.5, 0.8, 0.5], [10.0, 0.5, 0.5, 1.3, 1.5], (lanes, 5)).T[..., None]
    y = spot(x[:, None], *theta) + 0.1 * rng.standard_normal((lanes, 25))
    start = {"height": 7.0, "u": 0.0, "v": 0.0, "width": 1.0, "floor": 1.0}
    data = {"x": x.astype(np.float32), "y": y.astype(np.float32)}
    return data, {name: np.asarray(value, np.float32) for name, value in start.items()}


def by_scipy(data: Arrays, start: Arrays) -> np.ndarray:
    """One after another, with its own derivatives: parameters `(lanes, 3)`. Raises RuntimeError where SciPy gives up."""
    from scipy.optimize import curve_fit

    first = [float(value) for value in start.values()]
    return np.stack([curve_fit(decay, data["x"], y, first)[0] for y in data["y"]])


@cache
def _optimistix() -> Callable[..., Any]:
    from importlib import import_module

    jax: Any = import_module("jax")  # optional: types must not depend on whether they are there
    optimistix: Any = import_module("optimistix")
    jax.config.update("jax_enable_x64", True)
    solver: Any = optimistix.LevenbergMarquardt(rtol=1e-8, atol=1e-8)

    def gap(theta: Any, args: Any) -> Any:
        x, y = args
        return theta[0] * jax.numpy.exp(-theta[1] * x) + theta[2] - y

    def one(x: Any, y: Any, first: Any) -> Any:
        return optimistix.least_squares(gap, solver, first, args=(x, y), throw=False, max_steps=500).value

    compiled: Callable[..., Any] = jax.jit(jax.vmap(one, in_axes=(None, 0, None)))
    return compiled


def by_optimistix(data: Arrays, start: Arrays) -> np.ndarray:
    """Its Levenberg-Marquardt under jit of vmap: parameters `(lanes, 3)`. Raises ModuleNotFoundError without the extra `peers`."""
    return np.asarray(_optimistix()(data["x"], data["y"], np.stack(list(start.values()))).block_until_ready())


CASES = [("lanewise", "decay"), ("lanewise", "spot"), ("lanewise", "long"), ("scipy", "decay"), ("optimistix", "decay")]


@pytest.mark.parametrize(("runner", "model"), CASES)
def test_curve_fits(runner: str, model: str, benchmark: Any) -> None:
    """Time whole fits; the first call, which compiles, is kept apart."""
    benchmark.group = f"curve fit {model}"
    lanes = PEERS.get(runner, LANES[model])
    data, start = spots(lanes) if model == "spot" else decays(20_000 if model == "long" else 32, lanes)
    problem = problems.curve_fit(spot if model == "spot" else decay)
    peers = {"scipy": by_scipy, "optimistix": by_optimistix}

    def call() -> Any:
        if runner in peers:
            return peers[runner](data, start)
        return engine.solve(problem, data, start=start, backend="fused")

    found, first = first_call(call)
    seconds = median(benchmark, call)
    solution = found if runner == "lanewise" else None
    theta = np.stack(list(solution), axis=-1) if solution is not None else found
    names = {name: theta[:, k] for k, name in enumerate(start)}
    certified = solution or engine.solve(problem, data, start=names, backend="fused", max_steps=0, tol=1e-6)
    benchmark.extra_info.update(
        {
            "suite": "curve fits",
            "runner": runner,
            "model": model,
            "fits": lanes,
            "dtype": str(data["y"].dtype),
            "certified": float(certified.converged.mean()),
            "steps": float(solution.steps.mean()) if solution is not None else float("nan"),
            "compile_s": solution.timings["compile_s"] if solution is not None else max(0.0, first - seconds),
            "kernel": solution.plan.kernel if solution is not None else "",
            "fits_per_s": lanes / seconds,
            "us_per_fit": seconds / lanes * 1e6,
        }
    )
