"""One lane of a solved batch again: its index, its arrays, and its Objective, evaluated as it stands and without compiling.

Needs `bind` for the inputs of the call. Compiled backends are stood in for by torch.
"""

from __future__ import annotations

import math
import operator
from dataclasses import dataclass
from typing import Any

import backends
from backends import arrays as _arrays
from engine import bind as _bind
from engine.answers import Answers
from engine.objective import Objective, Params

EAGER = {"fused": "torch", "inductor": "torch"}
"""Compiled backend -> the one that evaluates one lane as it stands."""

Index = tuple[int, ...]


def index_of(solution: Answers, lane: Any) -> Index:
    """The index in the batch shape of a lane, given flat or as such an index; negative ones count from the end.

    Raises:
        IndexError: there is no such lane.
    """
    shape = tuple(solution.status.shape)
    given = tuple(lane) if isinstance(lane, tuple | list) else (lane,)
    try:
        index = tuple(map(operator.index, given))
    except TypeError:
        raise IndexError(f"lane came as {lane!r}; expected a whole number, or a tuple of {len(shape)} of them") from None
    lanes = math.prod(shape)
    if len(index) == 1 and len(shape) != 1:
        flat = index[0] + lanes if index[0] < 0 else index[0]
        index = tuple(flat // math.prod(shape[k + 1 :]) % n for k, n in enumerate(shape)) if 0 <= flat < lanes else (lanes,)
    index = tuple(i + n if i < 0 else i for i, n in zip(index, shape, strict=False)) if len(index) == len(shape) else index
    if len(index) != len(shape) or not all(0 <= i < n for i, n in zip(index, shape, strict=True)):
        raise IndexError(f"lane came as {lane!r}; expected one of {lanes:,} lanes of batch shape {shape}")
    return index


def lane_words(index: Index) -> str:
    """A lane as messages name it: its number, its index among several batch axes, or 0 where there is no batch axis.

    >>> lane_words((3,)), lane_words((0, 1)), lane_words(())
    ('3', '(0, 1)', '0')
    """
    return str(index[0] if len(index) == 1 else index or 0)


def entry(array: Any, rank: int, index: Index) -> Any:
    """The lane's part of an array whose last `rank` axes are its own, as a NumPy array; leading axes broadcast."""
    host = _arrays.to_host(array)
    lead = host.shape[: host.ndim - rank]
    own = index[len(index) - len(lead) :]
    found: Any = host[tuple(i if n > 1 else 0 for i, n in zip(own, lead, strict=True))]
    return found


@dataclass(frozen=True)
class OneLane:
    """An Objective of one lane, its data as NumPy arrays, and two points: where it started, and its answer."""

    objective: Objective
    data: dict[str, Any]
    start: Params
    answer: Params


def one_lane(solution: Answers, index: Index, who: str) -> OneLane:
    """The lane of a solution. Raises ArgumentError naming `who`, where the solution was loaded from a file."""
    call = solution.call
    problem = call.declared(who)
    backend = backends.get(EAGER.get(solution.plan.backend, solution.plan.backend))
    inputs = _bind.bind(problem, call.data, call.start, call.options["seed"]).arrays
    data = {name: entry(inputs[f"data.{name}"], len(problem.axes[name]), index) for name in problem.data}

    def load(array: Any, floating: bool = True) -> Any:
        return backend.load(_arrays.to_host(array), solution.plan.dtype if floating else None, None)

    captured = {
        role: [load(array, _arrays.dtype_name(array) in _arrays.FLOATS) for array in frozen.arrays()]
        for role, frozen in problem.frozen.items()
    }
    objective = Objective(problem, backend, {name: load(array) for name, array in data.items()}, captured)
    starts: Params = {}
    for name in problem.params:
        if f"start.{name}" in inputs:
            starts[name] = load(entry(inputs[f"start.{name}"], len(problem.axes[name]), index))
        else:
            value = objective.call(f"start.{name}", {})
            starts[name] = value[name] if isinstance(value, dict) else value
    answer = {name: load(_arrays.to_host(array)[index]) for name, array in solution.params.items()}
    return OneLane(objective, data, objective.project(starts), answer)
