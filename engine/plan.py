"""Which solver, which backend, and why; the prepared program is kept with the Problem.

Needs `lane` to build the program, `backends` to prepare it. The choice never depends on values or batch size.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import backends
from backends import arrays as _arrays
from backends import contract
from backends.base import Executable
from engine import certificate, sparsity
from engine.bind import Bound, captured_arrays
from engine.domains import probe
from engine.errors import ArgumentError, TraceError, Unsupported
from engine.identity import identity
from engine.lane import Lane
from engine.libraries import package
from engine.problem import Param, Problem
from engine.progress import announced
from engine.solvers import LBFGS, GradientDescent, LevenbergMarquardt, Newton
from engine.solvers.base import Solver, said, static_key
from engine.solvers.contract import check as check_solver
from engine.structure import Structure

Sizes = dict[str, tuple[int, ...]]
NEWTON_SIZE = 32
"""Unknowns of a plain loss up to which its Hessian is worth its price."""


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
    certificate: str
    structure: Structure | None = None

    def __str__(self) -> str:
        lines = {
            "problem": f"{self.problem}, {self.dtype} on {self.device}",
            "solver": self.solver,
            "backend": f"{self.backend}: {self.why}",
            "kernel": self.kernel,
            "curvature": self.structure,
            "certificate": self.certificate,
        }
        return "\n".join(f"{name:<12}{words}" for name, words in lines.items() if words is not None)


ASKED = "as asked"


def choose(problem: Problem, solver: Any, backend: str, bound: Bound) -> Plan:
    """Settle solver and backend.

    Raises:
        TypeError, ValueError: for what is no solver, and for a backend that there is not or that cannot
            reach the data.
    """
    if not isinstance(backend, str):
        raise ArgumentError(f"backend came as {backend!r}; expected its name, such as 'torch'")
    where = str(bound.device) if bound.device is not None else "cpu"
    name, why = (_automatic(where)[0], "the first choice of auto") if backend == "auto" else (backend, ASKED)
    own = backends.get(name)
    if own.library == "numpy" and where != "cpu":
        raise ArgumentError(
            f"backend: got {name!r} with data on {where}; nothing moves to the host silently: use backend='torch' or data.cpu()"
        )
    look = _Look(problem, name, bound)
    look.check_domains()
    given = problem.solver if solver is None else solver
    chosen: Any = _default(problem, look, bound) if given is None else given
    check_solver(chosen)
    kind = said(chosen, "CURVATURE")
    unknowns = sparsity.unknowns(problem, bound.shapes)
    if kind is not None and not unknowns:
        chosen, kind = GradientDescent(0.0), None  # no unknowns: there is no curvature to speak of
    if kind == "residual" and problem.residual is None:
        raise ArgumentError(
            f"problem {problem.name!r}: solver {type(chosen).__name__} came with a loss; expected a residual: "
            "use engine.solvers.Newton() or LBFGS(), or declare residual="
        )
    structure = None if kind is None else look.structure(kind)
    judged = certificate.described(problem, unknowns, look.height)
    return Plan(problem.name, chosen, name, why, bound.dtype, where, own.describe(), judged, structure)


def _default(problem: Problem, look: _Look, bound: Bound) -> Solver:
    """Levenberg-Marquardt for a residual, along parabolas where it need not vanish; Newton's method for another loss of few unknowns
    that has curvature, else LBFGS."""
    if problem.residual is not None:
        return LevenbergMarquardt(bends=not problem.exact)
    size = sum(math.prod(shape) for shape in bound.shapes.values())
    return Newton() if size <= NEWTON_SIZE and not look.is_flat else LBFGS()


class _Look:
    """What is found by looking at the declared functions, once per problem and shapes."""

    def __init__(self, problem: Problem, backend: str, bound: Bound) -> None:
        self.problem, self.backend, self.shapes = problem, backend, bound.shapes
        data = {n.partition(".")[2]: a for n, a in bound.arrays.items() if n.startswith("data.")}
        self.sizes = {n: tuple(a.shape[len(a.shape) - len(problem.axes[n]) :]) for n, a in data.items()}
        key = (tuple(sorted(self.sizes.items())), _indices(problem))
        self.known: dict[str, Any] = problem.memory.setdefault("found", {}).setdefault(key, {})

    def structure(self, kind: str) -> Structure:
        """The structure of the curvature."""
        found: Structure = self._found(kind, partial(_detected, kind), _structure)
        return found

    def check_domains(self) -> None:
        """Whether the domains that are not of this project keep their contract. Raises ExtensionError."""
        theirs = {
            n: p.domain for n, p in self.problem.params.items() if isinstance(p, Param) and package(type(p.domain)) != "engine"
        }
        if theirs and "domains" not in self.known:
            probe.check(self.problem.name, backends.get(self.backend), theirs, self.shapes, self.sizes)
            self.known["domains"] = True

    @property
    def height(self) -> int:
        """The rows of a fit's residual; 0 of another problem."""
        fits = self.problem.residual is not None and not self.problem.exact
        return self._found("rows", sparsity.height) if fits else 0

    @property
    def is_flat(self) -> bool:
        """Whether a loss has no curvature."""
        return bool(self._found("flat", sparsity.is_flat))

    def _found(self, what: str, find: Callable[..., Any], made: Callable[[Any], Any] = int) -> Any:
        """What a look gives, made of the plain numbers that can be remembered."""
        if what not in self.known:
            own = backends.get(self.backend)
            name = identity(self.problem, own, "found", what, self.shapes, self.sizes)
            self.known[what] = made(own.remembered(name, lambda: find(self.problem, self.backend, self.shapes, self.sizes)))
        return self.known[what]


def _detected(kind: str, problem: Problem, backend: str, shapes: Sizes, data: Sizes) -> dict[str, Any]:
    return asdict(sparsity.detect(problem, backend, shapes, data, kind))


def _structure(fields: dict[str, Any]) -> Structure:
    rows = fields["rows"] and tuple(map(tuple, fields["rows"]))
    return Structure(tuple(map(tuple, fields["blocks"])), rows, fields["singular"])


def _indices(problem: Problem) -> tuple[bytes, ...]:
    """Captured integers, which may be indices: they decide which numbers a residual reads."""
    arrays = [_arrays.to_host(array) for array in captured_arrays(problem).values()]
    return tuple(a.tobytes() for a in arrays if a.dtype.kind in "biu")


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
    solver = (*static_key(plan.solver), *_methods(type(plan.solver)))
    key = (plan.backend, plan.why, solver, free, signature, shared, plan.device, plan.structure)
    known: dict[Any, tuple[Plan, Executable]] = problem.memory.setdefault("prepared", {})
    if key in known:
        made, executable = known[key]
        return replace(made, solver=plan.solver), executable, 0.0
    began = time.perf_counter()
    example = {n: a if n in shared else _arrays.one_lane(a) for n, a in inputs.items()}
    with announced(_waiting(problem, example)):
        known[key] = _first_able(problem, plan, shapes, example, shared, free)
    return *known[key], time.perf_counter() - began


def _waiting(problem: Problem, example: dict[str, Any]) -> str:
    """What is compiled: a problem for the largest of its data."""
    largest = max(example.values(), key=lambda array: len(array.shape))
    shape = " x ".join(map(str, largest.shape)) or "numbers"
    return f"compiling {problem.name} for {shape}, {_arrays.dtype_name(largest)}; once per size"


def _methods(solver: type) -> list[Any]:
    """What a solver runs: its class may get other methods in the same process, in a notebook for instance."""
    methods = [getattr(solver, name, None) for name in ("init", "step")]
    return [*methods, *(getattr(method, "__code__", None) for method in methods)]


def _first_able(
    problem: Problem, plan: Plan, shapes: dict[str, tuple[int, ...]], example: dict[str, Any], shared: frozenset[str], free: bool
) -> tuple[Plan, Executable]:
    """The first backend that can run the problem, of one when one was asked for; the plan says what stood in the way."""
    refused: list[str] = []
    for name in (plan.backend,) if plan.why == ASKED else _automatic(plan.device):
        backend = backends.get(name)
        try:
            program = Lane(problem, plan.solver, backend, shapes, free, plan.structure).program()
            executable = contract.check_executable(name, backend.prepare(program, example, shared))
        except Unsupported as error:
            refused.append(f"{name} cannot: {error}")
            continue
        except TraceError as error:
            named = str(error).startswith("problem ")
            raise TraceError(f"{'' if named else f'problem {problem.name!r}: a declared function '}{error}") from error
        why = "; ".join(refused) if refused else plan.why
        return replace(plan, backend=name, why=why, kernel=backend.describe()), executable
    raise ArgumentError(
        f"problem {problem.name!r}: backend={plan.backend!r} cannot run it: {refused[0]}; expected operations that it knows: "
        "use backend='auto', which takes the next backend that can"
    )


def _automatic(device: str) -> tuple[str, ...]:
    return backends.AUTO.get(device, ("torch",))
