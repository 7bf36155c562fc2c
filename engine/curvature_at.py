"""The Hessian of the declared loss at the answers of a batch, by parameter. Needs `one_lane` for which backend evaluates."""

from __future__ import annotations

import math
from typing import Any

import backends
from backends import arrays as _arrays
from backends.tree import tree_map
from backends.types import Array, array_namespace
from engine import bind as _bind
from engine.answers import Answers
from engine.objective import Objective, Params
from engine.one_lane import EAGER


def hessian(solution: Answers) -> dict[str, dict[str, Array]]:
    """d2 loss / dp dq of every lane, for all pairs of params. Raises ArgumentError of a solution that was loaded from a file."""
    problem, plan = solution.call.declared("hessian"), solution.plan
    backend = backends.get(EAGER.get(plan.backend, plan.backend))
    bound = _bind.bind(problem, solution.call.data, solution.call.start, solution.call.options["seed"])
    batch, device = bound.signature.batch, bound.signature.device

    def loaded(array: Any, rank: int) -> Any:
        """All lanes on one axis; an array that they share as it is."""
        array = backend.load(array, plan.dtype if _arrays.dtype_name(array) in _arrays.FLOATS else None, device)
        cut = array.ndim - rank
        if not cut:
            return array
        xp = array_namespace(array)
        return xp.reshape(xp.broadcast_to(array, (*batch, *array.shape[cut:])), (math.prod(batch), *array.shape[cut:]))

    data = {name: loaded(bound.arrays[f"data.{name}"], len(problem.axes[name])) for name in problem.data}
    params = {name: loaded(solution[name], len(problem.axes[name])) for name in problem.params}
    captured = {role: [loaded(a, a.ndim) for a in frozen.arrays()] for role, frozen in problem.frozen.items()}

    def one(params: Params, data: dict[str, Array]) -> Any:
        objective = Objective(problem, backend, data, captured)
        return backend.hessian(objective.loss)(params)

    if batch:
        axes = {name: 0 if array.ndim > len(problem.axes[name]) else None for name, array in data.items()}
        found = backend.vmap(one, in_axes=(dict.fromkeys(params, 0), axes))(params, data)
    else:
        found = one(params, data)
    shaped = tree_map(lambda a: a.reshape((*batch, *a.shape[len(batch[:1]) :])), found)
    result: dict[str, dict[str, Array]] = tree_map(lambda a: backend.unload(a, bound.signature.library), shaped)
    return result
