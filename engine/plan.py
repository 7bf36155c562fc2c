"""Which solver, which backend, and why; the prepared program is kept with the Problem.

Needs `lane` to build the program, `backends` to prepare it. The choice never depends on values or batch size.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any

import backends
from backends import arrays as _arrays
from backends import contract
from backends.alone import ALONE
from backends.base import Backend, Executable
from backends.errors import CompilerMissing
from backends.stopwatch import span
from engine import certificate
from engine.bind import Bound, Signature, common_inputs, runtime_numbers
from engine.domains import probe
from engine.errors import ArgumentError, TraceError, Unsupported
from engine.fingerprint.program import fingerprint
from engine.lane import LaneProgram
from engine.libraries import package
from engine.problem import Problem
from engine.progress import announced
from engine.refused import of_torch
from engine.solvers import LBFGS, GradientDescent, LevenbergMarquardt, Newton
from engine.solvers.base import Solver, said
from engine.solvers.contract import settings
from engine.sparsity import detect
from engine.sparsity.structure import Structure
from engine.warn import warn_once

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

Key = tuple[Any, ...]
"""Beside its signature, all that a call's plan depends on."""


def choose(
    problem: Problem, solver: Any, backend: str, signature: Signature, captured: dict[str, Any], free: bool
) -> tuple[Plan, Key]:
    """Settle solver and backend; kept with the signature under the key that is returned.

    Raises:
        TypeError, ValueError: for what is no solver, and for a backend that there is not or that cannot
            reach the data.
    """
    if not isinstance(backend, str):
        raise ArgumentError(f"backend came as {backend!r}; expected its name, such as 'torch'")
    given = problem.solver if solver is None else solver
    static = None if given is None else (*settings(given, signature.memory).static, *_methods(type(given)))
    key = (backend, free, static, contents := tuple(map(_content, captured.values())))
    plan = signature.memory.get(("plan", key))
    if plan is None:
        plan = signature.memory["plan", key] = _chosen(problem, given, backend, signature, contents, free)
    if given is None or type(given) is not type(plan.solver):
        return plan, key
    return _with_solver(plan, given), key


def _content(array: Any) -> tuple[Any, ...]:
    """The part of a captured array that a plan depends on: integers may be indices, which decide what numbers a residual reads."""
    indices = _arrays.dtype_name(array) not in _arrays.FLOATS
    return (*_arrays.kind(array), _arrays.to_host(array).tobytes() if indices else b"")


def _with_solver(plan: Plan, solver: Solver) -> Plan:
    return plan if plan.solver is solver else replace(plan, solver=solver)


def _chosen(problem: Problem, given: object, backend: str, signature: Signature, captured: Key, free: bool) -> Plan:
    where = str(signature.device) if signature.device is not None else "cpu"
    name, why = (_automatic(where)[0], "the first choice of auto") if backend == "auto" else (backend, ASKED)
    own = backends.get(name)
    if own.library == "numpy" and where != "cpu":
        raise ArgumentError(
            f"backend: got {name!r} with data on {where}; nothing moves to the host silently: use backend='torch' or data.cpu()"
        )
    look = _Look(problem, name, signature, captured)
    look.check_domains()
    chosen: Any = _default(problem, look) if given is None else given
    kind = said(chosen, "CURVATURE")
    unknowns = detect.unknowns(problem, signature.shapes)
    if kind is not None and not unknowns:
        chosen, kind = GradientDescent(0.0), None  # no unknowns: there is no curvature to speak of
    if kind == "residual" and problem.residual is None:
        raise ArgumentError(
            f"problem {problem.name!r}: solver {type(chosen).__name__} came with a loss; expected a residual: "
            "use engine.solvers.Newton() or LBFGS(), or declare residual="
        )
    judged = certificate.described(problem, unknowns, look.height, not free)
    return Plan(problem.name, chosen, name, why, signature.dtype, where, own.describe(), judged)


def _default(problem: Problem, look: _Look) -> Solver:
    """Levenberg-Marquardt for a residual, along parabolas where it need not vanish; Newton's method for another loss of few unknowns
    that has curvature, else LBFGS."""
    if problem.residual is not None:
        return LevenbergMarquardt(geodesic_acceleration=not problem.exact)
    size = sum(math.prod(shape) for shape in look.shapes.values())
    return Newton() if size <= NEWTON_SIZE and not look.is_flat else LBFGS()


def structure(problem: Problem, backend: str, signature: Signature, captured: dict[str, Any], kind: str) -> Structure:
    """The structure of the curvature of a kind, `"residual"` or `"loss"`."""
    return _Look(problem, backend, signature, tuple(map(_content, captured.values()))).structure(kind)


class _Look:
    """Properties of the declared functions, detected once per problem and shapes.

    A detection rests on functions that nobody has proven to be pure yet: the backend keeps it on disk when a program of the
    problem has been traced.
    """

    def __init__(self, problem: Problem, backend: str, signature: Signature, captured: Key) -> None:
        self.problem, self.backend, self.shapes = problem, backend, signature.shapes
        self.sizes = {n.partition(".")[2]: shape for n, shape in signature.lane.items() if n.startswith("data.")}
        library = backends.get(backend).library  # not every one shows what a function is made of
        key = (library, tuple(sorted(self.sizes.items())), captured)
        self.known: dict[str, Any] = problem.memory.setdefault("found", {}).setdefault(key, {})

    def structure(self, kind: str) -> Structure:
        """The structure of the curvature."""
        if kind not in self.known:
            fields = self._detected(kind, partial(_fields, kind))
            rows = fields["rows"] and tuple(map(tuple, fields["rows"]))
            self.known[kind] = Structure(tuple(map(tuple, fields["blocks"])), rows, fields["singular"])
        found: Structure = self.known[kind]
        return found

    def check_domains(self) -> None:
        """Probe the domains that are not of this project. Raises ExtensionError."""
        domains = {name: param.domain for name, param in self.problem.params.items()}
        theirs = {name: domain for name, domain in domains.items() if package(type(domain)) != "engine"}
        if theirs and "domains" not in self.known:
            with ALONE:
                probe.check(self.problem.name, backends.get(self.backend), theirs, self.shapes, self.sizes)
            self.known["domains"] = True

    @property
    def height(self) -> int:
        """The rows of a fit's residual; 0 of another problem."""
        fits = self.problem.residual is not None and not self.problem.exact
        return self._number("rows", detect.height) if fits else 0

    @property
    def is_flat(self) -> bool:
        """Whether a loss has no curvature."""
        return bool(self._number("flat", detect.is_flat))

    def _number(self, what: str, find: Callable[..., int]) -> int:
        if what not in self.known:
            self.known[what] = int(self._detected(what, find))
        return int(self.known[what])

    def _detected(self, what: str, find: Callable[..., Any]) -> Any:
        """A property as numbers that can be kept: those of an earlier process, or of a look now."""
        with ALONE, span("trace"):
            own = backends.get(self.backend)
            name = partial(fingerprint, self.problem, own, "found", what, self.shapes, self.sizes)
            known = name()
            value = own.lookup(known)
            if value is None:
                value = find(self.problem, self.backend, self.shapes, self.sizes)
                self.problem.memory.setdefault("unproven", []).append(_Unproven(own, known, name, value))
            return value


@dataclass(frozen=True)
class _Unproven:
    """A detection that no trace has proven yet, and the fingerprint under which it may be kept."""

    backend: Backend
    key: str
    name: Callable[[], str]
    value: Any

    def keep(self) -> None:
        """Keep it, unless the code behind it has changed since."""
        if self.name() == self.key:
            self.backend.keep(self.key, self.value)


def _fields(kind: str, problem: Problem, backend: str, shapes: Sizes, data: Sizes) -> dict[str, Any]:
    return asdict(detect.detect(problem, backend, shapes, data, kind))


def prepare(problem: Problem, plan: Plan, key: Key, bound: Bound, captured: dict[str, Any]) -> tuple[Plan, Executable]:
    """The plan as it turned out, and the prepared program.

    Raises TypeError where the backend that was asked for cannot run the problem.
    """
    known = bound.signature.memory.get(("ready", key))
    if known is None:
        known = bound.signature.memory["ready", key] = _prepared(problem, plan, key, bound.signature, captured)
    made, executable = known
    return _with_solver(made, plan.solver), executable


def _prepared(problem: Problem, plan: Plan, call: Key, signature: Signature, captured: dict[str, Any]) -> tuple[Plan, Executable]:
    """The program for one lane's shapes, which serves every batch size, with the structure of the curvature that it uses."""
    _, free, _, contents = call
    curvature = said(plan.solver, "CURVATURE")
    if curvature is not None:
        plan = replace(plan, structure=_Look(problem, plan.backend, signature, contents).structure(curvature))
    example = _example(problem, plan, signature, captured)
    shared = shared_inputs(signature, example)
    like = tuple((name, array.shape, str(array.dtype)) for name, array in example.items())
    solver = (*settings(plan.solver, signature.memory).static, *_methods(type(plan.solver)))
    key = (plan.backend, plan.why, solver, free, like, shared, plan.device, plan.structure)
    known: dict[Any, tuple[Plan, Executable]] = problem.memory.setdefault("prepared", {})
    if key not in known:
        unproven: list[_Unproven] = problem.memory.pop("unproven", [])
        with announced(_waiting(problem, example)), span("trace"), _collector_paused():
            known[key] = _first_able(problem, plan, signature, example, shared, free)
        for found in unproven:  # the trace has shown that the functions are pure
            found.keep()
    return known[key]


@contextmanager
def _collector_paused() -> Iterator[None]:
    """The garbage collector waits: a trace makes objects that stay, and each look at all of torch's takes a tenth of a second."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def shared_inputs(signature: Signature, names: Iterable[str]) -> frozenset[str]:
    """The inputs that have no lane axis."""
    return frozenset(names) - (signature.lane.keys() - signature.shared)


def _example(problem: Problem, plan: Plan, signature: Signature, captured: dict[str, Any]) -> dict[str, Any]:
    """The inputs of one lane, as host arrays: shapes and dtypes; of integers, which may be indices, the numbers."""
    found = {name: _arrays.blank(shape, signature.dtype) for name, shape in signature.lane.items()}
    numbers = runtime_numbers(problem, settings(plan.solver, signature.memory).numbers, 0.0, 0)
    for name, value, dtype in common_inputs(signature, captured, numbers):
        found[name] = _arrays.to_host(value) if dtype is None else _arrays.blank(tuple(getattr(value, "shape", ())), dtype)
    return found


def _waiting(problem: Problem, example: dict[str, Any]) -> str:
    """Message of a compile: a problem for the largest of its data."""
    largest = max(example.values(), key=lambda array: len(array.shape))
    shape = " x ".join(map(str, largest.shape)) or "numbers"
    return f"compiling {problem.name} for {shape}, {_arrays.dtype_name(largest)}; once per size"


def _methods(solver: type) -> list[Any]:
    """Methods that a solver runs: its class may get others in the same process, in a notebook for instance."""
    methods = [getattr(solver, name, None) for name in ("init", "step")]
    return [*methods, *(getattr(method, "__code__", None) for method in methods)]


def _first_able(
    problem: Problem, plan: Plan, signature: Signature, example: dict[str, Any], shared: frozenset[str], free: bool
) -> tuple[Plan, Executable]:
    """The first backend that can run the problem, of one when one was asked for; the plan says what stood in the way."""
    refused: list[str] = []
    missing = False
    for name in (plan.backend,) if plan.why == ASKED else _automatic(plan.device):
        backend = backends.get(name)
        if missing and backend.compiles:
            refused.append(f"{name} cannot: it needs a C++ compiler as well")
            continue
        try:
            program = LaneProgram(problem, plan.solver, backend, signature.shapes, free, plan.structure).program()
            executable = contract.check_executable(name, backend.prepare(program, example, shared, signature.device))
        except Unsupported as error:
            refused.append(f"{name} cannot: {error}")
            if isinstance(error, CompilerMissing) and plan.why != ASKED:
                missing = True
                warn_once("compiler", f"{error}. Until then problems are solved without compiled code, 10 to 100 times slower")
            continue
        except RuntimeError as error:
            if (known := of_torch(error)) is None:
                raise
            raise TraceError(f"problem {problem.name!r}: a declared function {known}") from error
        except TraceError as error:
            named = str(error).startswith("problem ")
            raise TraceError(f"{'' if named else f'problem {problem.name!r}: a declared function '}{error}") from error
        why = "; ".join(refused) if refused else plan.why
        return replace(plan, backend=name, why=why, kernel=executable.about or backend.describe()), executable
    raise ArgumentError(
        f"problem {problem.name!r}: backend={plan.backend!r} cannot run it: {refused[0]}; expected operations that it knows: "
        "use backend='auto', which takes the next backend that can"
    )


def _automatic(device: str) -> tuple[str, ...]:
    """The backends that `auto` asks for data on a device, such as "cuda:1"."""
    return backends.AUTO.get(device.partition(":")[0], ("torch",))
