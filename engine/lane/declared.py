"""The problem's declared functions on one lane: where it starts, its canonical answer, its measures, and whether its input is fit.

Needs `objective` to call them. Raises DeclaredFunctionError for a function that returns another shape than it should.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends.base import RUNNING, Inputs
from backends.tree import leaves
from backends.types import Array, array_namespace
from engine import certificate
from engine.errors import DeclaredFunctionError
from engine.lane.scalars import code
from engine.objective import Objective, Params
from engine.status import Status

Shapes = Mapping[str, tuple[int, ...]]


def everything(objective: Objective, shapes: Shapes, inputs: Inputs) -> dict[str, Any]:
    """All that the problem's own functions give, called once at the start."""
    start = start_of(objective, shapes, inputs)
    value = objective.loss(start) if objective.problem.residual is None else objective.residual(start)
    found = {"start": start, "value": value, "finish": canonical(objective, shapes, start)}
    return found | {"measures": measures(objective, start)}


def start_of(objective: Objective, shapes: Shapes, inputs: Inputs) -> Params:
    """The lane's start: an input, or the declared function of its data, called once for all params that share it."""
    start: Params = {}
    shared: dict[int, Any] = {}
    for name, param in objective.problem.params.items():
        if f"start.{name}" in inputs:
            start[name] = inputs[f"start.{name}"]
            continue
        function = id(param.start)
        if function not in shared:
            shared[function] = objective.call(f"start.{name}", {})
        start[name] = _own(objective, shapes, name, shared[function], inputs["tol"])
    return start


def canonical(objective: Objective, shapes: Shapes, answer: Params) -> Params:
    """The answer after the problem's `finish`."""
    problem = objective.problem
    if problem.finish is None:
        return answer
    changed = objective.call("finish", answer)
    if not isinstance(changed, dict) or not changed.keys() <= answer.keys():
        came = sorted(changed) if isinstance(changed, dict) else type(changed).__name__
        raise DeclaredFunctionError(
            f"problem {problem.name!r}: finish returned {came}; expected a dict of some of {sorted(answer)}"
        )
    for name, value in changed.items():
        _check_shape(objective, shapes, f"finish for {name!r}", value, name)
    return answer | changed


def measures(objective: Objective, answer: Params) -> dict[str, Array]:
    """The problem's extra figures."""
    return {name: _measure(objective, name, answer) for name in objective.problem.measures}


def check_inputs(objective: Objective, start: Params) -> Array:
    """RUNNING, or the fault of the lane's numbers before anything is done: NONFINITE_INPUT, INFEASIBLE."""
    like = leaves(start)[0]
    xp = array_namespace(like)
    params = objective.problem.params.values()
    bounds = {name for param in params for name in param.domain.names}
    given = [_unbounded(array) if name in bounds else array for name, array in objective.data.items()]
    found = code(like, RUNNING)
    for name, domain in objective.domains.items():
        feasible = domain.feasible(start[name])
        if feasible is not None:
            found = xp.where(feasible, found, code(like, Status.INFEASIBLE))
    return xp.where(certificate.all_finite(given + leaves(start), like), found, code(like, Status.NONFINITE_INPUT))


def _own(objective: Objective, shapes: Shapes, name: str, value: Any, like: Array) -> Array:
    """A parameter's start from what its declared function returned, in the working dtype."""
    if isinstance(value, dict):
        if name not in value:
            raise DeclaredFunctionError(
                f"problem {objective.problem.name!r}: start of {name!r} returned a dict of {sorted(value)}; expected {name!r} in it"
            )
        value = value[name]
    _check_shape(objective, shapes, f"start of {name!r}", value, name)
    return array_namespace(value).astype(value, like.dtype) if value.dtype != like.dtype else value


def _measure(objective: Objective, name: str, answer: Params) -> Array:
    value = objective.call(f"measures.{name}", answer)
    if not hasattr(value, "shape"):
        raise DeclaredFunctionError(
            f"problem {objective.problem.name!r}: measures[{name!r}] returned {type(value).__name__}; expected an array"
        )
    found: Array = value
    return found


def _check_shape(objective: Objective, shapes: Shapes, owner: str, value: object, name: str) -> None:
    shape = getattr(value, "shape", None)
    if shape is None or tuple(shape) != shapes[name]:
        came = type(value).__name__ if shape is None else f"shape {tuple(shape)}"
        param = objective.problem.params[name]
        raise DeclaredFunctionError(
            f"problem {objective.problem.name!r}: {owner} returned {came}; expected shape {shapes[name]} "
            f"({param.axes or 'a scalar array'}) for one lane, no batch axis"
        )


def _unbounded(bound: Array) -> Array:
    """Bounds with a number for what is infinite, as only NaN is at fault there."""
    xp = array_namespace(bound)
    return xp.where(xp.isinf(bound), xp.zeros_like(bound), bound)
