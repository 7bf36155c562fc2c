"""One plain solve: plan -> run -> certify -> Solution, of a checked call whose arrays nobody differentiates."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any

import backends
from backends import arrays as _arrays
from backends import contract
from backends.base import Run
from backends.stopwatch import started
from backends.tree import tree_map
from backends.types import Array
from engine import bind as _bind
from engine import plan as _plan
from engine.answers import Call
from engine.certificate import TOL
from engine.errors import ArgumentError
from engine.problem import Problem
from engine.progress import reporter
from engine.solution import Solution
from engine.solvers.base import said
from engine.solvers.contract import settings

HISTORY_LIMIT = 1 << 30
"""Bytes of history above which a call is refused, with the stride that fits."""


@dataclass(frozen=True)
class Asked:
    """A call of `engine.solve` as it came.

    Fields:
        options: its options by name, without `check`.
        solve: `engine.solve`, which `retry` calls again.
        entered: when the call began, by `time.perf_counter`.
    """

    problem: Problem
    data: Any
    start: Mapping[str, Any] | None
    options: dict[str, Any]
    solve: Callable[..., Solution]
    entered: float


def run(asked: Asked, bound: _bind.Bound, captured: dict[str, Array]) -> Solution:
    """Solve for every lane of checked inputs and captured arrays."""
    problem, signature, options = asked.problem, bound.signature, asked.options
    tol = _tolerance(options["tol"], problem, signature)
    with started() as spent:
        plan, key = _plan.choose(problem, options["solver"], options["backend"], signature, captured, free=tol == 0)
        max_steps = _limit(options["max_steps"], plan)
        stride = _stride(options["history"], signature, max_steps)
        plan, executable = _plan.prepare(problem, plan, key, bound, captured)
    inputs = _inputs(problem, plan, bound, captured, tol, max_steps)
    shared = _plan.shared_inputs(signature, inputs)

    began = time.perf_counter()
    with reporter(signature.lanes, problem.name) if options["progress"] else nullcontext() as report:
        outcome = executable.iterate(inputs, Run(signature.lanes, shared, max_steps, stride, report))
    contract.check_outcome(plan.backend, outcome, signature.lanes)
    spent["compile"] += spent["import"] + spent["trace"] + outcome.compile_s
    spent["run"] = time.perf_counter() - began - outcome.compile_s
    unload = partial(_bind.unloaded, backends.get(plan.backend), signature)
    home = len(signature.batch) == 1 and _arrays.library(outcome.results["status"]) == signature.library
    found = outcome.results if home else tree_map(unload, outcome.results)
    if outcome.kernel:
        plan = replace(plan, kernel=outcome.kernel)
    spent["wall"] = time.perf_counter() - asked.entered
    return Solution(
        **found,
        history=None if outcome.history is None else unload(outcome.history),
        lane_steps=outcome.lane_steps,
        plan=plan,
        timings={f"{name}_s": seconds for name, seconds in spent.items()},
        call=Call(
            problem, asked.data, signature.batch, asked.start, options, tol, max_steps, tuple(problem.derived), asked.solve
        ),
    )


def _inputs(
    problem: Problem, plan: _plan.Plan, bound: _bind.Bound, captured: dict[str, Any], tol: float, max_steps: int
) -> dict[str, Any]:
    """All inputs of the lanes as the backend's arrays, in the working dtype, one lane axis in front."""
    backend, signature = backends.get(plan.backend), bound.signature
    device, loaded = signature.device, {}
    for name, array in bound.arrays.items():
        if name in signature.shared:
            loaded[name] = backend.load_shared(array, signature.dtype, device)
        else:
            loaded[name] = backend.load_lanes(array, signature.batch, len(signature.lane[name]), signature.dtype, device)
    numbers = _bind.runtime_numbers(problem, settings(plan.solver, signature.memory).numbers, tol, max_steps)
    for name, value, dtype in _bind.common_inputs(signature, captured, numbers):
        loaded[name] = backend.load_shared(value, dtype, device)
    return loaded


def _tolerance(tol: Any, problem: Problem, signature: _bind.Signature) -> float:
    if tol is None:
        return TOL[problem.exact][signature.dtype]
    if isinstance(tol, bool) or not isinstance(tol, Real) or not 0 <= float(tol) < math.inf:
        raise ArgumentError(f"tol came as {tol!r}; expected a number, 0 or more (0 runs exactly max_steps steps)")
    return float(tol)


def _limit(max_steps: Any, plan: _plan.Plan) -> int:
    if max_steps is None:
        return int(said(plan.solver, "MAX_STEPS"))
    if isinstance(max_steps, bool) or not hasattr(max_steps, "__index__") or not 0 <= int(max_steps) < 2**31:
        raise ArgumentError(f"max_steps came as {max_steps!r}; expected a whole number from 0 to {2**31 - 1}")
    return int(max_steps)


def _stride(history: Any, signature: _bind.Signature, max_steps: int) -> int:
    """Every how many steps the loss is kept; 0 for never."""
    if not hasattr(history, "__index__") or int(history) < 0:
        raise ArgumentError(f"history came as {history!r}; expected True, False or a whole number k for every k-th step")
    stride = int(history)
    row = signature.lanes * (8 if signature.dtype == "float64" else 4)
    rows = -(-max_steps // stride) if stride else 0
    if rows * row > HISTORY_LIMIT:
        fits = -(-max_steps * row // HISTORY_LIMIT)
        raise ArgumentError(
            f"history={history!r} asks for {rows * row / 2**30:.1f} GiB ({signature.lanes} lanes x {rows} losses); "
            f"expected at most 1 GiB: history={fits} fits"
        )
    return stride
