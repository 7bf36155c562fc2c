"""Which solver, which backend, and why; the prepared program is kept with the Problem.

Needs `lane` to build the program, `backends` to prepare it. The choice never depends on values or batch size.
"""

from __future__ import annotations

import math
import time
import weakref
from dataclasses import dataclass, replace
from typing import Any

import backends
from backends import arrays as _arrays
from backends.base import Executable
from engine import discover
from engine.bind import Bound
from engine.identity import identity
from engine.lane import Lane
from engine.problem import Problem
from engine.solvers import LBFGS, GradientDescent, LevenbergMarquardt, Newton
from engine.solvers.base import Solver, static_key
from engine.structure import Structure

NEWTON_SIZE = 32
"""Unknowns of a plain loss up to which its Hessian is worth its price."""

_FOUND: weakref.WeakKeyDictionary[Problem, dict[Any, Structure]] = weakref.WeakKeyDictionary()
_PREPARED: weakref.WeakKeyDictionary[Problem, dict[Any, tuple[Plan, Executable]]] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Plan:
    """How a solve is carried out; `print(solution.plan)` tells."""

    problem: str
    solver: Solver
    backend: str
    why: str
    dtype: str
    device: str
    kernel: str
    structure: Structure | None = None

    def __str__(self) -> str:
        curvature = "" if self.structure is None else f"\ncurvature {self.structure}, found by numbers"
        return (
            f"problem  {self.problem}, {self.dtype} on {self.device}\nsolver   {self.solver}\n"
            f"backend  {self.backend}: {self.why}\nkernel   {self.kernel}{curvature}"
        )


ASKED = "as asked"

KERNELS = {
    "fused": "one native kernel: a SIMD element is a lane, the loop over steps inside, done lanes replaced at once",
    "torch": "one-lane step traced to ATen operations, batched by torch.vmap, run eagerly; done lanes compacted away",
    "inductor": "one-lane step traced to ATen operations, batched by torch.vmap, compiled by Inductor; done lanes compacted away",
    "numpy": "plain Python loop over lanes; complex-step derivatives",
}


def choose(problem: Problem, solver: Any, backend: str, bound: Bound) -> Plan:
    """Settle solver and backend.

    Raises:
        TypeError, ValueError: for what is no solver, and for a backend that there is not or that cannot
            reach the data.
    """
    chosen: Any = solver if solver is not None else problem.solver if problem.solver is not None else _default(problem, bound)
    if isinstance(chosen, type) or not all(callable(getattr(chosen, name, None)) for name in ("init", "step")):
        raise TypeError(
            f"solver came as {chosen!r}; expected one of engine.solvers with its settings, such as GradientDescent(0.1, momentum=0.9)"
        )
    if not isinstance(backend, str):
        raise TypeError(f"backend came as {backend!r}; expected its name, such as 'torch'")
    kind = getattr(chosen, "CURVATURE", None)
    if kind is not None and not any(math.prod(shape) for shape in bound.shapes.values()):
        chosen, kind = GradientDescent(0.0), None  # no unknowns: there is no curvature to speak of
    if kind == "residual" and problem.residual is None:
        raise ValueError(
            f"problem {problem.name!r}: solver {type(chosen).__name__} came with a loss; expected a residual: "
            "use engine.solvers.Newton() or LBFGS(), or declare residual="
        )
    where = str(bound.device) if bound.device is not None else "cpu"
    name, why = (_automatic(where)[0], "the first choice of auto") if backend == "auto" else (backend, ASKED)
    backends.get(name)
    if name == "numpy" and where != "cpu":
        raise ValueError(
            f"backend: got 'numpy' with data on {where}; nothing moves to the host silently: use backend='torch' or data.cpu()"
        )
    structure = None if kind is None else _structure(problem, name, bound, kind)
    return Plan(problem.name, chosen, name, why, bound.dtype, where, KERNELS[name], structure)


def _default(problem: Problem, bound: Bound) -> Solver:
    """Levenberg-Marquardt for a residual, along parabolas where it need not vanish; Newton's method for another loss of few unknowns, else LBFGS."""
    if problem.residual is not None:
        return LevenbergMarquardt(bends=not problem.exact)
    size = sum(math.prod(shape) for shape in bound.shapes.values())
    return Newton() if size <= NEWTON_SIZE else LBFGS()


def _structure(problem: Problem, backend: str, bound: Bound, kind: str) -> Structure:
    """The structure of the curvature, found once per problem and shapes."""
    data = {n.partition(".")[2]: a for n, a in bound.arrays.items() if n.startswith("data.")}
    lanes = {n: a.shape[len(a.shape) - len(problem.axes[n]) :] for n, a in data.items()}
    key = (kind, tuple(sorted((n, tuple(shape)) for n, shape in lanes.items())))
    known = _FOUND.setdefault(problem, {})
    if key not in known:
        sizes = {n: tuple(shape) for n, shape in lanes.items()}
        name = identity(problem, "structure", kind, bound.shapes, sizes)
        found = backends.get(backend).remembered(
            name, lambda: discover.structure(problem, backend, bound.shapes, sizes, kind).blocks
        )
        known[key] = Structure(tuple(map(tuple, found)))
    return known[key]


def prepare(
    problem: Problem,
    plan: Plan,
    shapes: dict[str, tuple[int, ...]],
    inputs: dict[str, Any],
    shared: frozenset[str],
    free: bool,
) -> tuple[Plan, Executable, float]:
    """The plan as it turned out, the prepared program and the seconds it took, none for a signature that is known.

    Raises TypeError where the backend that was asked for cannot run the problem.
    """
    signature = tuple((n, tuple(a.shape[n not in shared :]), str(a.dtype)) for n, a in inputs.items())
    key = (plan.backend, plan.why, static_key(plan.solver), free, signature, shared, plan.device, plan.structure)
    known = _PREPARED.setdefault(problem, {})
    if key in known:
        made, executable = known[key]
        return replace(made, solver=plan.solver), executable, 0.0
    began = time.perf_counter()
    example = {n: a if n in shared else _arrays.one_lane(a) for n, a in inputs.items()}
    known[key] = _first_able(problem, plan, shapes, example, shared, free)
    return *known[key], time.perf_counter() - began


def _first_able(
    problem: Problem, plan: Plan, shapes: dict[str, tuple[int, ...]], example: dict[str, Any], shared: frozenset[str], free: bool
) -> tuple[Plan, Executable]:
    """The first backend that can run the problem, of one when one was asked for; the plan says what stood in the way."""
    refused: list[str] = []
    for name in (plan.backend,) if plan.why == ASKED else _automatic(plan.device):
        backend = backends.get(name)
        try:
            executable = backend.prepare(
                Lane(problem, plan.solver, backend, shapes, free, plan.structure).program(), example, shared
            )
        except backends.Unsupported as error:
            refused.append(f"{name} cannot: {error}")
            continue
        why = "; ".join(refused) if refused else plan.why
        return replace(plan, backend=name, why=why, kernel=KERNELS[name]), executable
    raise TypeError(
        f"problem {problem.name!r}: backend={plan.backend!r} cannot run it: {refused[0]}; expected operations that it knows: "
        "use backend='auto', which takes the next backend that can"
    )


def _automatic(device: str) -> tuple[str, ...]:
    return backends.AUTO.get(device, ("torch",))
