"""Cost of derivatives: `python -m bench.derivatives` times a plain solve, one with derivatives on, its backward pass, and one step.

10,000 lanes of 4 x 4 inverses and of 3-parameter fits, float64, one run. optimistix with `ImplicitAdjoint` stands beside them
where it is installed: the same lanes, start and tolerance, under jit.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

import engine
import problems

LANES = 10_000
REPEATS = 9

Case = tuple[engine.Problem, dict[str, torch.Tensor], tuple[str, ...]]


def cases(lanes: int = LANES) -> dict[str, Case]:
    """Name -> problem, data, and the data that is differentiated."""
    generator = torch.Generator().manual_seed(0)
    draw: Callable[..., torch.Tensor] = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)
    x = torch.linspace(0, 3, 20, dtype=torch.float64)
    y = torch.exp(x * -1.3) * 2 + 0.5 + draw(lanes, 20) * 0.1
    fit = problems.curve_fit(lambda x, a, b, c: a * np.exp(-b * x) + c)
    return {
        "inverse, n = 4": (problems.inverse(), {"A": draw(lanes, 4, 4) + torch.eye(4) * 4}, ("A",)),
        "fit of 3 parameters": (fit, {"x": x, "y": y}, ("y",)),
    }


def best(f: Callable[[], Any]) -> float:
    """Seconds of the fastest of some calls after a first one."""
    f()
    times = []
    for _ in range(REPEATS):
        began = time.perf_counter()
        f()
        times.append(time.perf_counter() - began)
    return min(times)


def measure(case: Case, derivatives: int) -> tuple[float, float, float]:
    """Seconds of the plain solve, of the solve with derivatives, and of a backward pass."""
    problem, data, moving = case
    inputs = {name: a.clone().requires_grad_(name in moving) for name, a in data.items()}
    tracked: Callable[[], engine.Solution] = lambda: engine.solve(problem, inputs, derivatives=derivatives)
    total = torch.stack([x.sum() for x in tracked().params.values()]).sum()
    leaves = [inputs[name] for name in moving]
    backward = best(lambda: torch.autograd.grad(total, leaves, retain_graph=True))
    return best(lambda: engine.solve(problem, data)), best(tracked), backward


def step(case: Case) -> float:
    """Seconds of one step of the plain solve's solver for all lanes."""
    problem, data, _ = case
    few, many = (best(partial(engine.solve, problem, data, tol=0, max_steps=count)) for count in (4, 24))
    return (many - few) / 20


def optimistix(case: Case) -> tuple[float, float] | None:
    """Seconds of optimistix' solve, and of its value and gradient by `ImplicitAdjoint`; None where it is not installed."""
    if importlib.util.find_spec("optimistix") is None or importlib.util.find_spec("jax") is None:
        return None
    import jax
    import optimistix as optx

    jax.config.update("jax_enable_x64", True)
    _, data, moving = case
    given = {name: jax.numpy.asarray(a.numpy()) for name, a in data.items()}
    if moving == ("A",):
        start, residual = jax.numpy.full((4, 4), 0.5), lambda X, a: X @ a - jax.numpy.eye(4)
    else:
        start, x = jax.numpy.ones(3), given["x"]
        residual = lambda p, y: p[0] * jax.numpy.exp(-p[1] * x) + p[2] - y
    solver = (
        optx.LevenbergMarquardt(rtol=1e-12, atol=1e-12) if moving == ("A",) else optx.LevenbergMarquardt(rtol=1e-6, atol=1e-6)
    )

    def total(lanes: Any) -> Any:
        one = lambda a: optx.least_squares(residual, solver, start, a, adjoint=optx.ImplicitAdjoint(), throw=False).value
        return jax.vmap(one)(lanes).sum()

    lanes = given[moving[0]]
    value, both = jax.jit(total), jax.jit(jax.value_and_grad(total))
    return best(lambda: value(lanes).block_until_ready()), best(lambda: both(lanes)[1].block_until_ready())


def main(lanes: int = LANES) -> None:
    """Print a line for each case's step, and one for each order."""
    for name, case in cases(lanes).items():
        print(f"{name:20} one step {step(case) * 1e3:.2f} ms")
        for derivatives in (1, 2):
            plain, tracked, backward = measure(case, derivatives)
            print(
                f"{name:20} derivatives={derivatives}  plain {plain * 1e3:8.2f} ms   with {tracked * 1e3:8.2f} ms "
                f"({tracked / plain:5.1f}x)   backward {backward * 1e3:8.2f} ms ({backward / plain:5.1f}x)"
            )
        peer = optimistix(case)
        if peer is not None:
            print(f"{name:20} optimistix     solve {peer[0] * 1e3:8.2f} ms   value and gradient {peer[1] * 1e3:8.2f} ms")


if __name__ == "__main__":
    main()
