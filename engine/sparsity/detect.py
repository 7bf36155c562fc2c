"""The sparsity of the curvature: which tangent coordinates it couples, at any parameters and data.

Needs a backend that can take a function apart (`examine`), `jacobian` for numbers, `components` to look at them. Two
coordinates are coupled where a row of the residual depends on both; that depends on no number. Numbers may deny a coupling
only where the residual is a polynomial with constants of ordinary size: one that vanishes at random points vanishes
(Schwartz and Zippel), as the products of an SVD's columns do, which are orthogonal. A column that is 0 or not finite at
one of the points counts as coupled with all. Captured arrays are drawn like data, so that their zeros play no part.

Source:
    Schwartz, Fast probabilistic algorithms for verification of polynomial identities, J. ACM 27 (1980); Zippel, Probabilistic
    algorithms for sparse polynomials, EUROSAM 1979.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import backends
from backends import arrays as _arrays
from backends.base import Backend
from backends.types import Array
from engine.curvature import hessian
from engine.objective import Objective, Params
from engine.params import flat, shaped
from engine.problem import Problem
from engine.sparsity import components
from engine.sparsity.structure import Structure
from engine.tangent import Tangent, rows

Shape = tuple[int, ...]

SIZES = (0, -12, 12)
"""Powers of two that the random points' arrays have as their sizes, in turn."""

MANY = 1200
"""Coordinates above which one point of ordinary size has to do."""

LARGEST = 20_000
"""Coordinates above which no numbers are looked at: that takes the square of them."""

CHUNK = 512
"""Rows of the curvature at a time."""


def detect(problem: Problem, backend: str, shapes: dict[str, Shape], data: dict[str, Shape], kind: str) -> Structure:
    """The structure of a problem's curvature for data of some shapes.

    Args:
        shapes: parameter -> its shape.
        data: datum -> the shape of one lane's array.
        kind: `"residual"` for J'J, `"loss"` for the Hessian.
    """
    size = unknowns(problem, shapes)
    dense = Structure.dense(size)
    if _is_empty(shapes, data):
        return dense
    with backends.get(backend).once():
        first = _point(problem, backend, shapes, data, 0)
        function, entries = _flat(*first, kind)
        anatomy = backends.get(backend).examine(function, entries)
        if anatomy is None:
            return dense
        dense = replace(dense, singular=not anatomy.regular)
        if size < 2:
            return dense
        moved = _moved(Tangent(*first))
        reach = anatomy.reach if kind == "residual" else [*map(components.with_own, anatomy.reach, range(len(entries)))]
        found = replace(dense, blocks=components.blocks(moved, reach))
        if not found.is_dense:
            return found if kind == "loss" else replace(found, rows=_own_rows(found.blocks, moved, reach))
        if kind == "loss" or not anatomy.polynomial or size > LARGEST:
            return dense
        # A polynomial that is not 0 vanishes at a random point with probability 0. Several points, of sizes that differ by powers
        # of two, are for what floats make of that: an entry that is 0 by underflow or cancellation at one is not at all of them.
        points = [first]
        if size <= MANY:
            points += [_point(problem, backend, shapes, data, seed) for seed in range(1, len(SIZES))]
        found = replace(dense, blocks=_coupled(points, size))
    return dense if found.is_dense else found


def unknowns(problem: Problem, shapes: dict[str, Shape]) -> int:
    """The number of tangent coordinates of all params of some shapes."""
    return sum(problem.params[name].domain.size(shape) for name, shape in shapes.items())


def _is_empty(shapes: dict[str, Shape], data: dict[str, Shape]) -> bool:
    return any(0 in shape for shape in (*data.values(), *shapes.values()))


def height(problem: Problem, backend: str, shapes: dict[str, Shape], data: dict[str, Shape]) -> int:
    """The number of rows of a problem's residual for data of some shapes; 0 of one that raises, as the trace will tell better."""
    if _is_empty(shapes, data):
        return 0
    try:
        with backends.get(backend).once():
            objective, params = _point(problem, backend, shapes, data, 0)
            return sum(math.prod(block.shape) for block in objective.residual(params).values())
    except (TypeError, ValueError):
        return 0


def is_flat(problem: Problem, backend: str, shapes: dict[str, Shape], data: dict[str, Shape]) -> bool:
    """Whether a loss has no curvature at random points: it is piecewise linear, and Newton's method has nothing to go by."""
    if _is_empty(shapes, data):
        return False
    try:
        with backends.get(backend).once():
            return not any(
                dense_hessian(Tangent(*_point(problem, backend, shapes, data, seed))).any() for seed in range(len(SIZES))
            )
    except (TypeError, ValueError):  # as the trace will tell better
        return False


def dense_hessian(tangent: Tangent) -> Any:
    """The Hessian of a loss in tangent coordinates, halved, on the host: `(1, size, size)`."""
    model = hessian(tangent, Structure.dense(tangent.size))
    return _arrays.to_host(next(iter(model.blocks.values())))


def _flat(objective: Objective, params: Params, kind: str) -> tuple[Callable[[Array], Array], Array]:
    """The residual's rows, or the loss's gradient, as a function of all entries of the params, and these."""

    def function(entries: Array) -> Array:
        named = shaped(entries, params)
        if kind == "residual":
            return rows(objective, objective.residual(named))[0]
        return flat(objective.value_and_gradient(named)[1])

    return function, flat(params)


def _moved(tangent: Tangent) -> list[components.Indices]:
    """For each tangent coordinate, the entries of all params that it moves."""
    found: list[components.Indices] = []
    start = 0
    for name, x in tangent.params.items():
        width = tangent.objective.domains[name].size(tuple(x.shape))
        for _, changes in _chunks(tangent.objective.backend, partial(_lifted, tangent, name), width):
            found += [start + entries for entries in components.nonzero(_arrays.to_host(changes))]
        start += math.prod(x.shape)
    return found


def _lifted(tangent: Tangent, name: str, u: Array) -> Array:
    return flat({name: tangent.lifted(name, u)})


def _own_rows(
    blocks: tuple[tuple[int, ...], ...], moved: list[components.Indices], reach: Sequence[components.Indices]
) -> tuple[tuple[int, ...], ...] | None:
    """The rows that each block reaches, where all blocks have as many coordinates and as many rows."""
    own = tuple(components.union([reach[entry] for k in block for entry in moved[k]]) for block in blocks)
    alike = len(set(map(len, blocks))) == 1 == len(set(map(len, own)))
    return own if alike else None


def _coupled(points: list[tuple[Objective, Params]], size: int) -> tuple[tuple[int, ...], ...]:
    """The blocks of J'J at some points, a chunk of its rows at a time: neither it nor J is ever whole."""
    # Rows of J'J one chunk at a time, by a product with J and one with J' for each unit vector: storage stays at CHUNK * size.
    label = components.singletons(size)
    for objective, params in points:
        column, row = _products(Tangent(objective, params))
        lengths = components.lengths([_arrays.to_host(found) for _, found in _chunks(objective.backend, column, size)])
        for first, found in _chunks(objective.backend, row, size):
            label = components.linked(label, first, _arrays.to_host(found), lengths)
            if components.is_one(label):
                return (tuple(range(size)),)
    return components.labelled(label)


def _products(tangent: Tangent) -> tuple[Callable[[Array], Array], Callable[[Array], Array]]:
    """The functions u -> J u and u -> J'J u."""
    objective, params = tangent.objective, tangent.params

    def vector(params: Params) -> Array:
        return rows(objective, objective.residual(params))[0]

    def column(u: Array) -> Array:
        found: Array = objective.backend.jvp(vector, (params,), (tangent.from_coordinates(u),))[1]
        return found

    transpose = objective.backend.vjp(vector, params)[1]
    return column, lambda u: tangent.to_coordinates(transpose(column(u))[0])


def _chunks(backend: Backend, f: Callable[[Array], Array], size: int) -> Iterator[tuple[int, Array]]:
    """A function of every unit vector, some at a time, each time with the number of the first."""
    for first in range(0, size, CHUNK):
        unit_vectors = backend.load(components.unit_vectors(first, min(first + CHUNK, size), size), "float64", None)
        yield first, backend.vmap(f)(unit_vectors)


def _point(
    problem: Problem, backend: str, shapes: dict[str, Shape], data: dict[str, Shape], seed: int
) -> tuple[Objective, Params]:
    """Random data and a random feasible point."""
    count = iter(range(seed, seed + 10_000))

    def draw(shape: Shape, name: str) -> Array:
        found: Array = _load(backend, components.random_point(shape, seed, name) * 2.0 ** SIZES[next(count) % len(SIZES)])
        return found

    drawn = {name: draw(shape, name) for name, shape in data.items()}
    captured = {
        role: [draw(tuple(a.shape), f"{role} {k}") if _is_float(a) else _load(backend, a, False) for k, a in enumerate(arrays)]
        for role, arrays in ((role, frozen.arrays()) for role, frozen in problem.frozen.items())
    }
    objective = Objective(problem, backends.get(backend), drawn, captured)
    params = {name: draw(shape, f"param {name}") for name, shape in shapes.items()}
    return objective, objective.project(params)


def _is_float(array: Array) -> bool:
    return _arrays.dtype_name(array) in _arrays.FLOATS


def _load(backend: str, array: Array, floating: bool = True) -> Any:
    return backends.get(backend).load(_arrays.to_host(array), "float64" if floating else None, None)
