"""A call of `engine.solve` inside torch.compile: the solve as one operation of the graph, its answers re-attached in the graph.

Needs `call` for both. The tracer reads `solve_traced` alone; what it calls runs as it stands on the tracer's tensors, and
meets the problem by its id. Shapes are fixed in the graph: another batch size is traced again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends import arrays as _arrays
from backends.alone import is_forward
from backends.torch import BACKEND, opaque
from backends.tree import leaves, unflatten
from backends.types import Array
from engine import bind as _bind
from engine.answers import Call
from engine.derivatives.call import FIGURES, TrackedCall, moved, rank_of
from engine.derivatives.orders import settle, tensors_of
from engine.errors import ArgumentError
from engine.problem import BY_ID, Problem
from engine.run import Asked
from engine.solution import Solution

UNSET = "unset"
"""A word for None, which the tracer does not hand on."""


def solve_traced(problem: Problem, data: Any, start: Any, options: tuple[Any, ...], plain: tuple[bool, bool]) -> Solution:
    """The solution, without plan, timings and history; `lane_steps` is -1."""
    given = tuple(UNSET if value is None else value for value in options)
    params, loss, measures, residual, status, steps = _IN_GRAPH(id(problem), data, start or {}, given, plain)
    call = Call(problem, data, tuple(status.shape), start, {"seed": options[3], "history": False}, 0.0, 0, solve=_again)
    return Solution(params, status, steps, loss, residual, measures, None, -1, None, {}, call)  # type: ignore[arg-type]


def _in_graph(number: int, data: Any, start: Any, options: tuple[Any, ...], plain: tuple[bool, bool]) -> Any:
    """The figures of all lanes with derivatives, as operations on the tracer's tensors."""
    if is_forward():
        raise ArgumentError(
            "solve within torch.compile: came below a forward derivative (jvp, jacfwd, hessian), which torch has once alone; expected "
            "reverse ones there: compile jacrev, or do not compile"
        )
    problem = BY_ID.get(number)
    if problem is None:
        raise ArgumentError(
            "solve within torch.compile: the problem was made inside; expected one that was made before: move it out"
        )
    data = {k: _static(a) for k, a in data.items()} if isinstance(data, Mapping) else _static(data)
    start = {name: _static(a) for name, a in start.items()} or None
    if problem.specialise is not None:
        problem, data = problem.specialise(data)
    _refuse(problem, plain)
    bound, captured = _bind.bind(problem, data, start, options[3]), _bind.captured_arrays(problem)
    asked = Asked(problem, None, None, _options(options), _again, time.perf_counter())
    asked, bound, _, _ = settle(asked, bound, captured)
    inputs = tensors_of(bound.arrays)
    rest = replace(bound, arrays={name: a for name, a in bound.arrays.items() if name not in inputs})
    names, seen = list(inputs), dict[str, Any]()
    form: list[Any] = []

    def flat(tensors: list[Any], check: str = options[5]) -> list[Any]:
        call = TrackedCall(asked, rest, _bind.captured_arrays(problem), seen)
        found = call.plain(dict(zip(names, tensors, strict=True)), check)
        form[:] = [found]
        return opaque.fresh(leaves(found))

    results = opaque.outside(lambda: flat(_example(inputs, bound.signature), "status"))
    lane = [(tuple(a.shape[1:]), a.dtype) for a in results]
    call = opaque.OpaqueCall(flat, [rank_of(problem, name) for name in names], len(bound.signature.batch), lane)
    figures, matrices = unflatten(form[0], opaque.again(opaque.kept(call), list(inputs.values())))
    found = moved(TrackedCall(asked, bound, _read(problem, bound), seen), figures, matrices)
    return tuple(found[name] for name in FIGURES)


_IN_GRAPH = opaque.in_graph(_in_graph)


def _options(options: tuple[Any, ...]) -> dict[str, Any]:
    backend, tol, max_steps, seed, derivatives, _ = (None if value == UNSET else value for value in options)
    numbers = dict(tol=tol, max_steps=max_steps, seed=seed, derivatives=derivatives)
    return dict(solver=None, backend=backend, history=False, progress=False, **numbers)


def _refuse(problem: Problem, plain: tuple[bool, bool]) -> None:
    """Raises ArgumentError for options that a graph cannot hold, and captured tensors that require grad."""
    where = f"problem {problem.name!r}: solve within torch.compile"
    if not plain[0]:
        raise ArgumentError(f"{where}: solver came as an argument; expected the problem's own: declare it, Problem(solver=...)")
    if not plain[1]:
        raise ArgumentError(f"{where}: history or progress came as True; expected False: call solve outside of compiled code")
    for name, array in _bind.captured_arrays(problem).items():
        if getattr(array, "requires_grad", False):
            raise ArgumentError(
                f"{where}: {name.split('.')[1]} captures a tensor that requires grad, which the graph would not see; "
                "expected it as data: declare it in data="
            )


def _static(array: Any) -> Any:
    """A tensor whose sizes are numbers."""
    return array.reshape([int(n) for n in array.shape]) if _arrays.library_or_none(array) == "torch" else array


def _example(inputs: dict[str, Any], signature: _bind.Signature) -> list[Any]:
    """A batch of one lane of ones for the inputs."""
    found = []
    for name, like in inputs.items():
        lead = () if name in signature.shared else (1,)
        found.append(BACKEND.load(1.0, _arrays.dtype_name(like), signature.device).expand((*lead, *signature.lane[name])).clone())
    return found


def _read(problem: Problem, bound: _bind.Bound) -> dict[str, Array]:
    """Captured arrays as tensors that the graph reads each time that it runs."""
    names = list(_bind.captured_arrays(problem))

    def get() -> list[Any]:
        now = _bind.captured_arrays(problem)
        return [BACKEND.load(a, dtype, bound.signature.device) for _, a, dtype in _bind.common_inputs(bound.signature, now, {})]

    return dict(zip(names, opaque.read(get, bound.signature.device), strict=True)) if names else {}


def _again(*args: object, **options: object) -> Any:
    raise ArgumentError("retry: the solution was made by compiled code; call engine.solve outside of it")
