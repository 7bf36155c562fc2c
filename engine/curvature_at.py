"""The Hessian of the declared loss at the answers of a batch, by parameter. Needs `one_lane` for which backend evaluates."""

from __future__ import annotations

from functools import partial
from typing import Any

import backends
from backends.tree import tree_map
from backends.types import Array, Inputs
from engine import bind as _bind
from engine.answers import Answers
from engine.objective import Objective, Params
from engine.one_lane import EAGER
from engine.surroundings import Surroundings


def hessian(solution: Answers) -> dict[str, dict[str, Array]]:
    """d2 loss / dp dq of every lane, for all pairs of params. Raises ArgumentError of a solution that was loaded from a file."""
    problem, plan = solution.call.declared("hessian"), solution.plan
    backend = backends.get(EAGER.get(plan.backend, plan.backend))
    bound = _bind.bind(problem, solution.call.data, solution.call.start, solution.call.options["seed"])
    signature, around = bound.signature, Surroundings(backend)

    def lanes(array: Any, rank: int) -> Any:
        return backend.load_lanes(array, signature.batch, rank, signature.dtype, signature.device)

    own = {f"data.{name}" for name in problem.data} - signature.shared
    inputs = {name: lanes(bound.arrays[name], len(signature.lane[name])) for name in own}
    common: dict[str, tuple[Any, str | None]] = {
        name: (bound.arrays[name], signature.dtype) for name in signature.shared if name.startswith("data.")
    }
    captured = _bind.common_inputs(signature, _bind.captured_arrays(problem), {})
    common |= {name: (array, dtype) for name, array, dtype in captured}
    inputs |= {name: backend.load_shared(array, dtype, signature.device) for name, (array, dtype) in common.items()}
    params = {name: lanes(solution[name], len(problem.axes[name])) for name in problem.params}

    def of_lane(params: Params, inputs: Inputs) -> Any:
        return backend.hessian(Objective.of_inputs(problem, backend, inputs, None, around).loss)(params)

    axes = {name: 0 if name in own else None for name in inputs}
    found = backend.vmap(of_lane, in_axes=(dict.fromkeys(params, 0), axes))(params, inputs)
    result: dict[str, dict[str, Array]] = tree_map(partial(_bind.unloaded, backend, signature), found)
    return result
