"""The backward pass of a solve as one native kernel: for each lane the matrix, its inverse, and the cotangents through the steps.

It is the reverse derivative of `attach.moving`, compiled with all that it rests on. Lanes whose matrix is not inverted by arithmetic
alone, as it is singular or nearly so, are named; they are another's to do.
"""

from __future__ import annotations

from typing import Any

import backends
from backends.errors import TraceError, Unsupported
from backends.torch import BACKEND
from backends.types import Inputs
from engine.answers import Array
from engine.derivatives.attach import STEPS, Figures, LaneInputs, moving
from engine.derivatives.condition import Condition
from engine.derivatives.direct import direct_inverse
from engine.objective import Params

LARGEST = 16
"""Unknowns of a block up to which its matrix is inverted in a kernel, where elimination is written out."""


def kernel_cotangents(
    backend: str, condition: Condition, inputs: LaneInputs, params: Params, good: Array, weights: Inputs, wanted: frozenset[str]
) -> tuple[dict[str, Array], Array] | None:
    """Cotangents of the inputs that are wanted, `(lanes, *own)` also of shared ones, and `(lanes,)` where they are right.

    Args:
        weights: those of some figures by name (`params.X`, `loss`, `measures.y`), of the others 0.

    Returns None where the backend makes no such kernel.
    """
    memory: dict[Any, Any] = inputs.problem.memory.setdefault("pullbacks", {})
    key = backend, condition, wanted
    if key not in memory:
        memory[key] = _kernel(backend, condition, inputs, wanted)
    run = memory[key]
    own = {name: a for name, a in inputs.arrays.items() if name not in inputs.shared}
    common = {name: a for name, a in inputs.arrays.items() if name in inputs.shared}
    try:
        found: tuple[dict[str, Array], Array] = run(common, own, params, good, weights)
    except (Unsupported, TraceError):
        return None
    return found


def _kernel(backend: str, condition: Condition, like: LaneInputs, wanted: frozenset[str]) -> Any:
    inputs = LaneInputs(like.problem, {}, like.shared)
    if condition.structure.width > LARGEST:
        return _none

    def lane(common: Inputs, own: Inputs, answer: Params, good: Array, weights: Inputs) -> tuple[Inputs, Array]:
        arrays, right = {**common, **own}, good | ~good
        inverses = []
        for matrix in condition.matrices(inputs.objective(arrays, condition.structure), answer, for_kernel=True):
            inverse, regular = direct_inverse(matrix, symmetric=not condition.by_rows)
            inverses.append(inverse)
            right = right & regular

        def figures(moved: Inputs) -> Inputs:
            found = by_name(moving(inputs, condition, STEPS[1], {**arrays, **moved}, answer, good, tuple(inverses)))
            return {name: found[name] for name in weights}

        found = BACKEND.vjp(figures, {name: arrays[name] for name in sorted(wanted)})[1](weights)[0]
        return found, right | ~good

    try:
        return backends.get(backend).map_lanes(lane, (None, 0, 0, 0, 0))
    except Unsupported:
        return _none


def _none(*_: object) -> Any:
    raise Unsupported("no kernel")


def by_name(figures: Figures) -> Inputs:
    """Figures in one dict, in their order."""
    params, loss, measures = figures
    return {f"params.{k}": a for k, a in params.items()} | {"loss": loss} | {f"measures.{k}": a for k, a in measures.items()}
