"""The whole solve of ONE lane: a Problem and a solver as the four pure functions of a `Program`.

Needs `objective` for the declared functions, `certificate` for what `tol` is compared with, a solver for its
`init` and `step`. Inputs are a flat dict of arrays:

    data.A, start.X            the data, and starts that are arrays
    capture.residual.0         arrays that a declared function captured
    weight.k, setting.0        numbers that may change without compiling again
    tol, max_steps             scalars

The state holds the solver's own state, the last iterate with a finite loss and the best iterate so far.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from array_api_compat import device

from backends.base import RUNNING, Backend, Inputs, Program, State
from backends.tree import leaves, tree_map
from backends.types import Array, array_namespace
from engine import certificate
from engine.errors import DeclaredFunctionError
from engine.fingerprint.program import fingerprint
from engine.libraries import package
from engine.objective import Objective, Params, weights_of, zero
from engine.params import select
from engine.problem import Param, Problem
from engine.solvers.base import Solver, said, static_key, with_numbers
from engine.solvers.states import first_state, next_state
from engine.solvers.trust_region import cosine
from engine.status import Status
from engine.structure import Structure
from engine.tangent import pow2_scales_at

CAUTION = 0.9
"""A lane stops at this share of `tol`: the final figure, of another batch size, may round differently."""

PATIENCE = 200
"""Steps without a new best loss after which a lane stalls, beside half of its steps so far."""

FREE_EVERY = 4
"""How many times rarer the tests are where only the number of steps and NONFINITE end a lane."""

RESOLVED = {"float64": 1e-9, "float32": 1e-5}
"""dtype -> the offset of a fit from its minimum, in standard errors of all parameters together, that is as good as none."""

PAUSE = 8
"""A lane is tested again after so many parts of the steps that it has taken."""

COLUMN = 8
"""Operations that eliminating a column is written out in, for one that an unknown's places are."""

FAR_FROM_SOLUTION = 1e3
"""Multiples of `tol` at which the residual of an exact problem counts as far from a solution."""


class LaneProgram:
    """Builds the program of one lane.

    Args:
        problem: the declaration.
        solver: the solver, whose settings are replaced by inputs.
        backend: whose transforms to use.
        shapes: parameter -> its shape.
        free: run exactly `max_steps` steps; only NONFINITE stops a lane (`tol=0`).
        structure: of the curvature, for solvers that use it.
    """

    def __init__(
        self,
        problem: Problem,
        solver: Solver,
        backend: Backend,
        shapes: dict[str, tuple[int, ...]],
        free: bool,
        structure: Structure | None = None,
    ) -> None:
        self.problem, self.solver, self.backend, self.shapes, self.free = problem, solver, backend, shapes, free
        self.structure = structure
        self.has_own_optimality = said(solver, "OWN_OPTIMALITY")  # by the solver: its params are then the best ones, always

    def program(self) -> Program:
        """The four functions, for a backend."""
        every = said(self.solver, "CHECK_EVERY") * (FREE_EVERY if self.free else 1)
        known = (every, self.backend, *static_key(self.solver), self.shapes, self.free, self.structure)
        size = 0 if self.structure is None else self.structure.size + COLUMN * self.structure.width
        key = partial(fingerprint, self.problem, *known)
        parts = [self.solver, *(param.domain for param in self.problem.params.values())]  # type: ignore[union-attr]
        users = self.declared if all(package(type(part)) == "engine" for part in parts) else None
        return Program(self.init, self.step, self.terminate, self.postprocess, every, key, size, users)

    def declared(self, inputs: Inputs) -> dict[str, Any]:
        """All that the problem's own functions give, called once at the start."""
        objective, _ = self._bind(inputs)
        start = self._start(inputs, objective)
        value = objective.loss(start) if self.problem.residual is None else objective.residual(start)
        found = {"start": start, "value": value, "finish": self._canonical(objective, start)}
        return found | {"measures": {name: self._measure(objective, name, start) for name in self.problem.measures}}

    def init(self, inputs: Inputs) -> State:
        """Starts, the solver's first state, and NONFINITE_INPUT where data or start is not finite."""
        objective, solver = self._bind(inputs)
        start = self._start(inputs, objective)
        like = leaves(start)[0]
        code = self._check_inputs(objective, start)
        start = objective.project(start)
        state: State = {}
        if said(solver, "CURVATURE") == "residual":
            objective.pow2_scales = pow2_scales_at(objective, start)
            state |= {"pow2_scales": objective.pow2_scales}
        state |= {"solver": first_state(solver, objective, start)}
        state |= {"status": code, "steps": _code(like, 0, "int32"), "loss": _unscaled_loss(state["solver"]["loss"], objective)}
        if self.problem.residual is None:
            state |= {"first": objective.loss(start)}
        if self.has_own_optimality:
            return state
        state |= {"last": start}
        if not self.free:
            state |= {"best": start, "best_loss": zero(like) + float("inf"), "improved": _code(like, 0, "int32")}
            if not self.problem.exact:
                state |= {"due": _code(like, 0, "int32")}
        return state

    def step(self, inputs: Inputs, state: State) -> State:
        """The solver's step; remembers the last finite and the best iterate, and whether the loss was finite."""
        objective, solver = self._bind(inputs)
        objective.pow2_scales = state.get("pow2_scales")
        before = state["solver"]["params"]
        after = next_state(solver, objective, state["solver"])
        xp = array_namespace(after["loss"])
        if self.has_own_optimality:
            running = state["status"] == RUNNING
            after = tree_map(_cast_like, after, state["solver"])
            after["params"] = select(running, after["params"], before)
            return state | {
                "solver": after,
                "loss": _unscaled_loss(after["loss"], objective),
                "steps": xp.where(running, state["steps"] + 1, state["steps"]),
            }
        finite = xp.isfinite(after["loss"])
        running = finite & (state["status"] == RUNNING)
        kept = state | {
            "solver": tree_map(_cast_like, after, state["solver"]),
            "loss": after["loss"],
            "last": select(running, before, state["last"]),
            "status": xp.where(running | (state["status"] != RUNNING), state["status"], _code(finite, Status.NONFINITE)),
            "steps": xp.where(running, state["steps"] + 1, state["steps"]),
        }
        return kept if self.free else self._improve(kept, running, before, after["loss"], state["steps"])

    def terminate(self, inputs: Inputs, state: State) -> State:
        """Decide whether the lane is done."""
        if self.has_own_optimality:
            return self._verdict_from_solver(inputs, state)
        objective, _ = self._bind(inputs)
        params, status = state["solver"]["params"], state["status"]
        loss = objective.loss(params)
        xp = array_namespace(loss)
        finite = xp.isfinite(loss)
        state = state | {"last": select(finite & (status == RUNNING), params, state["last"])}
        verdict = xp.where(state["steps"] >= inputs["max_steps"], _code(loss, Status.MAX_STEPS), _code(loss, RUNNING))
        if not self.free:
            state = self._improve(state, finite & (status == RUNNING), params, loss, state["steps"])
            steps_since_improved = state["steps"] - state["improved"]
            stalled = 2 * steps_since_improved > 2 * PATIENCE + state["steps"]
            verdict = xp.where(stalled, _code(loss, Status.STALLED), verdict)
            state, passed = self._passes(inputs, objective, state)
            verdict = xp.where(passed, _code(loss, Status.CONVERGED), verdict)
        verdict = xp.where(finite, verdict, _code(loss, Status.NONFINITE))
        return state | {"status": xp.where(status == RUNNING, verdict, status)}

    def postprocess(self, inputs: Inputs, state: State) -> dict[str, Any]:
        """The answer in its canonical form, and its status and figures recomputed from it."""
        objective, _ = self._bind(inputs)
        objective.pow2_scales = state.get("pow2_scales")
        status = state["status"]
        if self.has_own_optimality:
            answer = state["solver"]["params"]
        else:
            good = state["solver"]["params"] if self.free else state["best"]
            answer = select(status == Status.NONFINITE, state["last"], good)
        answer = self._canonical(objective, answer)
        loss, verdict = objective.loss(answer), certificate.verdict(objective, answer, state.get("first"))
        if not self.free:
            finite = certificate.all_finite([loss, *leaves(answer)], loss)
            stationarity = self._stationarity(objective, answer, state)
            status = self._certify(verdict, finite, inputs["tol"], status, stationarity)
        measures = {name: self._measure(objective, name, answer) for name in self.problem.measures}
        results: dict[str, Any] = {"params": answer, "loss": loss, "residual": verdict.optimality, "measures": measures}
        results = select(status == Status.NONFINITE_INPUT, tree_map(_nan_like, results), results)
        return results | {"status": status, "steps": state["steps"]}

    def _verdict_from_solver(self, inputs: Inputs, state: State) -> State:
        """Decide by what a solver that judges its own steps says: go on while they help."""
        solver, status = state["solver"], state["status"]
        xp = array_namespace(solver["optimality"])
        verdict = xp.where(state["steps"] >= inputs["max_steps"], _code(status, Status.MAX_STEPS), _code(status, RUNNING))
        if not self.free:
            rounding = self._rounding(solver)
            passed = solver["optimality"] <= inputs["tol"] * self._caution(solver)
            passed = passed & (~solver["halving"] | (solver["optimality"] <= rounding))
            # the first test comes before the first step, which is due unless there is nothing to gain
            passed = passed & ((state["steps"] > 0) | (solver["optimality"] <= rounding))
            verdict = xp.where(solver["stuck"], _code(status, Status.STALLED), verdict)
            verdict = xp.where(passed, _code(status, Status.CONVERGED), verdict)
        finite = xp.isfinite(solver["loss"]) & ~xp.isnan(solver["optimality"])  # of the start: no other such point is accepted
        verdict = xp.where(finite, verdict, _code(status, Status.NONFINITE))
        return state | {"status": xp.where(status == RUNNING, verdict, status)}

    def _caution(self, solver: State) -> Any:
        """The share of `tol` at which a lane stops.

        Along a valley whose curvature is 1 - rate of what the squares of J say, Gauss-Newton steps leave that rate of the
        distance, and Newton's step removes 1 / (1 - rate) times what theirs promise.
        """
        if self.problem.exact or self.problem.residual is None:
            return 1
        xp = array_namespace(solver["rate"])
        return xp.sqrt(xp.maximum(1 - solver["rate"], 0 * solver["rate"]))

    def _rounding(self, solver: State) -> Any:
        """The optimality below which a further step changes nothing that anybody can tell.

        That is what rounding leaves of it, by the size of the terms whose difference the residual is, or less than
        `RESOLVED`. A residual so small that it is at rounding level itself makes the fit an exact one.
        """
        xp = array_namespace(solver["optimality"])
        dtype = solver["optimality"].dtype
        eps = float(xp.finfo(dtype).eps)
        if self.problem.residual is None or self.problem.exact:
            return 4 * eps
        loss, terms = solver["loss"], solver["reference"]
        stays = loss > eps * terms
        rounding = (
            eps * xp.where(stays, xp.maximum(terms / xp.where(stays, loss, terms + 1), 16 + 0 * loss), 16 + 0 * loss) ** 0.5
        )
        return xp.maximum(rounding, rounding * 0 + RESOLVED[str(dtype).removeprefix("torch.")])

    def _check_inputs(self, objective: Objective, start: Params) -> Array:
        """RUNNING, or what is wrong with the lane's numbers before anything is done."""
        like = leaves(start)[0]
        xp = array_namespace(like)
        bounds = {name for param in self.problem.params.values() for name in param.domain.names}  # type: ignore[union-attr]
        given = [_unbounded(array) if name in bounds else array for name, array in objective.data.items()]
        code = _code(like, RUNNING)
        for name, domain in objective.domains.items():
            feasible = domain.feasible(start[name])
            if feasible is not None:
                code = xp.where(feasible, code, _code(like, Status.INFEASIBLE))
        return xp.where(certificate.all_finite(given + leaves(start), like), code, _code(like, Status.NONFINITE_INPUT))

    def _passes(self, inputs: Inputs, objective: Objective, state: State) -> tuple[State, Array]:
        """Whether the best iterate passes; with dense derivatives, which cost many steps, only where a test is due."""
        verdict = certificate.verdict(objective, state["best"], state.get("first"), thorough=False)
        passed = (verdict.optimality <= CAUTION * inputs["tol"]) & verdict.determined
        if "due" not in state:
            return state, passed
        xp, steps = array_namespace(passed), state["steps"]
        due = steps >= state["due"]
        return state | {"due": xp.where(due, steps + steps // PAUSE, state["due"])}, xp.where(due, passed, due)

    def _certify(
        self, verdict: certificate.Verdict, finite: Array, tol: Array, status: Array, stationarity: Array | None
    ) -> Array:
        """The status that the verdict supports; faults found while iterating stay."""
        xp = array_namespace(verdict.optimality)

        def code(value: int) -> Array:
            return _code(verdict.optimality, value)

        passed = xp.where(verdict.digits, code(Status.CONVERGED), code(Status.ILL_CONDITIONED))
        passed = xp.where(verdict.determined, passed, code(Status.UNDETERMINED))
        missed = xp.where(status == Status.MAX_STEPS, status, code(Status.STALLED))
        if stationarity is not None:
            stationary_tol = certificate.TOL[False][str(verdict.optimality.dtype).removeprefix("torch.")] * 10
            at_rest = (stationarity <= stationary_tol) & (verdict.optimality > FAR_FROM_SOLUTION * tol)
            missed = xp.where((status == Status.STALLED) & at_rest, code(Status.INFEASIBLE), missed)
        faulty = (status == Status.NONFINITE) | (status == Status.NONFINITE_INPUT) | (status == Status.INFEASIBLE)
        found = xp.where(verdict.optimality <= tol, passed, missed)
        return xp.where(faulty, status, xp.where(finite, found, code(Status.NONFINITE)))

    def _stationarity(self, objective: Objective, answer: Params, state: State) -> Array | None:
        """How far an exact problem's answer is from a stationary point; of many unknowns by the solver's model if it has one."""
        if not self.problem.exact:
            return None
        optimality, solver = certificate.stationarity(objective, answer), state["solver"]
        if optimality is not None:
            return optimality
        if self.has_own_optimality and "model" in solver:
            return cosine(objective, solver["params"], solver["model"])
        return certificate.cosine(objective, answer)

    def _improve(self, state: State, running: Array, params: Params, loss: Array, steps: Array) -> State:
        """Take over an iterate whose loss is at least as good; `improved` counts only what is strictly better."""
        xp = array_namespace(loss)
        better = running & (loss < state["best_loss"])
        no_worse = running & (loss <= state["best_loss"])
        return state | {
            "best": select(no_worse, params, state["best"]),
            "best_loss": xp.where(better, loss, state["best_loss"]),
            "improved": xp.where(better, steps, state["improved"]),
        }

    def _bind(self, inputs: Inputs) -> tuple[Objective, Solver]:
        """The objective and the solver of these inputs."""
        groups: dict[str, dict[str, Array]] = {"data": {}, "weight": {}, "setting": {}}
        for name, array in inputs.items():
            kind, _, key = name.partition(".")
            groups.setdefault(kind, {})[key] = array
        captured = {
            role: [inputs[f"capture.{role}.{k}"] for k in range(len(frozen.slots))]
            for role, frozen in self.problem.frozen.items()
        }
        weights = {name: inputs[f"weight.{name}"] for name in weights_of(self.problem)}
        objective = Objective(self.problem, self.backend, groups["data"], captured, weights, self.structure)
        return objective, with_numbers(self.solver, list(groups["setting"].values()))

    def _start(self, inputs: Inputs, objective: Objective) -> Params:
        """Where this lane starts: an input, or the declared function of its data, called once for all that share it."""
        start: Params = {}
        shared: dict[int, Any] = {}
        for name, param in self.problem.params.items():
            if f"start.{name}" in inputs:
                start[name] = inputs[f"start.{name}"]
                continue
            function = id(param.start)  # type: ignore[union-attr]
            if function not in shared:
                shared[function] = objective.call(f"start.{name}", {})
            start[name] = self._declared(name, shared[function], inputs["tol"])
        return start

    def _declared(self, name: str, value: Any, like: Array) -> Array:
        if isinstance(value, dict):
            if name not in value:
                raise DeclaredFunctionError(
                    f"problem {self.problem.name!r}: start of {name!r} returned a dict of {sorted(value)}; expected {name!r} in it"
                )
            value = value[name]
        self._check_shape(f"start of {name!r}", value, name)
        return array_namespace(value).astype(value, like.dtype) if value.dtype != like.dtype else value

    def _canonical(self, objective: Objective, answer: Params) -> Params:
        if self.problem.finish is None:
            return answer
        changed = objective.call("finish", answer)
        if not isinstance(changed, dict) or not changed.keys() <= answer.keys():
            came = sorted(changed) if isinstance(changed, dict) else type(changed).__name__
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: finish returned {came}; expected a dict of some of {sorted(answer)}"
            )
        for name, value in changed.items():
            self._check_shape(f"finish for {name!r}", value, name)
        return answer | changed

    def _measure(self, objective: Objective, name: str, answer: Params) -> Array:
        value = objective.call(f"measures.{name}", answer)
        if not hasattr(value, "shape"):
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: measures[{name!r}] returned {type(value).__name__}; expected an array"
            )
        found: Array = value
        return found

    def _check_shape(self, what: str, value: Any, name: str) -> None:
        shape = getattr(value, "shape", None)
        if shape is None or tuple(shape) != self.shapes[name]:
            came = type(value).__name__ if shape is None else f"shape {tuple(shape)}"
            axes = self.problem.params[name]
            assert isinstance(axes, Param)
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: {what} returned {came}; expected shape {self.shapes[name]} "
                f"({axes.axes or 'a scalar array'}) for one lane, no batch axis"
            )


def _code(like: Array, value: int, dtype: str = "int8") -> Array:
    xp = array_namespace(like)
    return xp.asarray(int(value), dtype=getattr(xp, dtype), device=device(like))


def _unscaled_loss(loss: Array, objective: Objective) -> Array:
    """A loss in the residual's unit as what it is; it may underflow or overflow."""
    return loss if objective.pow2_scales is None else loss * objective.pow2_scales["."] * objective.pow2_scales["."]


def _unbounded(bound: Array) -> Array:
    """Bounds with a number for what is infinite, as only NaN is at fault there."""
    xp = array_namespace(bound)
    return xp.where(xp.isinf(bound), xp.zeros_like(bound), bound)


def _cast_like(now: Array, before: Array) -> Array:
    """A user's solver may have promoted: a lane's state keeps its dtypes."""
    return now if now.dtype == before.dtype else array_namespace(now).astype(now, before.dtype)


def _nan_like(array: Array) -> Array:
    xp = array_namespace(array)
    return xp.full_like(array, float("nan")) if xp.isdtype(array.dtype, "real floating") else xp.zeros_like(array)
