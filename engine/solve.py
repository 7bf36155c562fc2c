"""The front door: bind -> plan -> run -> certify -> Solution; derivatives where somebody takes them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from backends import arrays as _arrays
from engine import bind as _bind
from engine.errors import ArgumentError
from engine.inputs import without_labels
from engine.problem import Problem
from engine.run import Asked, run
from engine.solution import Solution
from engine.solvers.base import Solver


def solve(
    problem: Problem,
    data: Any,
    *,
    solver: Solver | None = None,
    backend: str = "auto",
    tol: float | None = None,
    max_steps: int | None = None,
    start: Mapping[str, Any] | None = None,
    seed: int = 0,
    history: bool | int = False,
    progress: bool = False,
    check: str = "status",
    derivatives: int = 2,
) -> Solution:
    """Solve a declared problem for every matrix of a batch.

    Args:
        problem: the declaration, for one matrix.
        data: an array when the problem has one datum, else a mapping by name. Leading axes before the declared
            ones are the batch, `(..., n, n)`; a datum at its declared rank is shared by all lanes; batch axes
            broadcast. float32 and float64 are kept, integers and bools promoted.
        solver: one of `engine.solvers`; by default the problem's own, else the plan's choice.
        backend: `"auto"`, `"fused"` (native kernels), `"inductor"` (torch.compile), `"torch"` (eager) or `"numpy"` (reference).
            `auto` takes the first that can run the problem; `Solution.plan` says which and why.
        tol: what `Solution.residual` is compared with. By default 1e-12 (float64) or 1e-5 (float32) for exact
            problems, 1e-6 or 1e-3 otherwise. 0 runs exactly `max_steps` steps.
        max_steps: the limit per lane; by default the solver's own.
        start: named arrays or numbers that override the declared starts.
        seed: of random starts; one draw shared by all lanes.
        history: keep the loss before each step, or before every k-th step.
        progress: show a bar on the terminal.
        check: `"status"`, or `"raise"` to raise `SolveError` when a lane did not converge.
        derivatives: of params, `loss` and `measures` by torch data and captured tensors, through autograd, torch.func and
            torch.compile. 2: exact through third order; 1: first order, a second raises; 0: detached. Lanes without an
            answer have derivative 0, UNDETERMINED ones that of least norm, starts none; see `docs/guide/derivatives.md`.

    Returns:
        Solution: arrays of the batch shape, in the library and on the device of the data.

    Raises:
        TypeError, ValueError: bad usage, before anything is compiled, naming the culprit.
        SolveError: with `check="raise"`, naming the lanes that did not converge.

    Example:
        >>> import numpy as np, engine, problems
        >>> A = np.array([[2.0, 0.0], [0.0, 4.0]])
        >>> solution = engine.solve(problems.inverse(), A, solver=engine.solvers.GradientDescent(0.1, momentum=0.9))
        >>> np.round(solution["X"], 6) + 0.0
        array([[0.5 , 0.  ],
               [0.  , 0.25]])
    """
    if check not in ("status", "raise"):
        raise ArgumentError(f"check came as {check!r}; expected 'status' or 'raise'")
    if derivatives not in (0, 1, 2) or isinstance(derivatives, bool):
        raise ArgumentError(
            f"derivatives came as {derivatives!r}; expected 2 (through third order), 1 (first order) or 0 (detached)"
        )
    if _arrays.is_compiling():
        from engine.derivatives.traced import solve_traced

        asked_for = (backend, tol, max_steps, seed, derivatives, check)
        return solve_traced(problem, data, start, asked_for, (solver is None, not history and not progress))
    entered = time.perf_counter()
    options = dict(
        solver=solver, backend=backend, tol=tol, max_steps=max_steps, seed=seed, history=history, progress=progress,
        derivatives=derivatives,
    )  # fmt: skip
    if not isinstance(problem, Problem):
        call = ": call it" if callable(problem) else ""
        came = f"the function {problem.__name__}" if hasattr(problem, "__name__") else f"{problem!r:.80}"
        raise ArgumentError(f"problem came as {came}; expected an engine.Problem, such as problems.inverse(){call}")
    if _arrays.is_perturbed(data) or (isinstance(data, Mapping) and any(map(_arrays.is_perturbed, data.values()))):
        from engine.derivatives.perturbed import solve_perturbed

        return solve_perturbed(Asked(problem, data, start, options, solve, entered), check)
    where = f"problem {problem.name!r}"
    data, start = without_labels(where, "datum", data), without_labels(where, "start of", start)
    if problem.specialise is not None:
        problem, data = problem.specialise(data)
    bound = _bind.bind(problem, data, start, seed)
    captured, asked = _bind.captured_arrays(problem), Asked(problem, data, start, options, solve, entered)
    if any(map(_arrays.is_tracked, (*bound.arrays.values(), *captured.values()))):
        from engine.derivatives import solve_tracked

        return solve_tracked(asked, bound, captured, check)
    solution = run(asked, bound, captured)
    return solution.raise_for_status() if check == "raise" else solution
