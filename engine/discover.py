"""Finding the sparsity of the curvature by numbers: a few random feasible points, in float64 on the host.

Needs `curvature` for the dense one, `backends.host` to look at it. Never asks what a problem is called. A pattern that a
fourth point contradicts is dropped for a dense one.
"""

from __future__ import annotations

from typing import Any

import backends
from backends import arrays as _arrays
from backends import host
from engine.curvature import apply, least_squares, second_order
from engine.objective import Objective, Params
from engine.problem import Problem
from engine.structure import Structure

Shape = tuple[int, ...]

POINTS = 3
LARGEST = 1200
"""Coordinates above which nothing is searched: the dense curvature would not fit a small machine's patience."""


def structure(problem: Problem, backend: str, shapes: dict[str, Shape], data: dict[str, Shape], kind: str) -> Structure:
    """The structure of a problem's curvature for data of some shapes.

    Args:
        shapes: parameter -> its shape.
        data: datum -> the shape of one lane's array.
        kind: `"residual"` for J'J, `"loss"` for the Hessian.
    """
    evaluate = least_squares if kind == "residual" else second_order
    size: int = sum(problem.params[name].domain.size(shape) for name, shape in shapes.items())  # type: ignore[union-attr, misc]
    dense = Structure.dense(size)
    if not 1 < size <= LARGEST or any(0 in shape for shape in data.values()):
        return dense
    with backends.get(backend).once():
        pairs = [_point(problem, backend, shapes, data, k) for k in range(POINTS + 1)]
        matrices = [_arrays.to_host(evaluate(objective, params)["blocks"]["0"])[0] for objective, params in pairs]
        found = Structure(host.components(matrices[:POINTS]))
        if found.is_dense:
            return dense
        objective, params = pairs[POINTS]
        objective.structure = found
        direction = _load(backend, _arrays.draw("normal", (size,), 0, "direction"))
        product = apply(evaluate(objective, params)["blocks"], found, direction)
    return found if host.agree(matrices[POINTS] @ _arrays.to_host(direction), _arrays.to_host(product)) else dense


def _point(
    problem: Problem, backend: str, shapes: dict[str, Shape], data: dict[str, Shape], seed: int
) -> tuple[Objective, Params]:
    """Random data and a random feasible point."""
    drawn = {name: _load(backend, host.sample(shape, seed, name)) for name, shape in data.items()}
    captured = {role: [_load(backend, a, _is_float(a)) for a in frozen.arrays()] for role, frozen in problem.frozen.items()}
    objective = Objective(problem, backends.get(backend), drawn, captured)
    params = {name: _load(backend, host.sample(shape, seed, f"param {name}")) for name, shape in shapes.items()}
    return objective, objective.project(params)


def _is_float(array: Any) -> bool:
    return _arrays.dtype_name(array) in _arrays.FLOATS


def _load(backend: str, array: Any, floating: bool = True) -> Any:
    return backends.get(backend).load(_arrays.to_host(array), "float64" if floating else None, None)
