"""grad, jvp, vjp, jacfwd, ... under JAX's names and signatures, one complex step per direction.

Needs `point` for values and derivatives of one function, `stencil` where transforms nest.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backends.numpy.context import inside
from backends.numpy.lane_array import LaneArray, inner_dtype
from backends.numpy.point import Point, as_lane
from backends.numpy.stencil import lift
from backends.tree import Tree, leaves, names, tree_map, unflatten
from backends.types import ScalarFunction

Function = Callable[..., Any]


def exposed(tree: object) -> Tree:
    """Results as plain arrays for a user, as Lanes inside a declared function."""
    if inside():
        return tree_map(as_lane, tree)
    return tree_map(lambda a: a.view(np.ndarray) if isinstance(a, LaneArray) else a, tree)


def value_and_grad(
    f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, what: str = "value_and_grad"
) -> Function:
    """(value, gradient), or ((value, aux), gradient)."""

    def transform(args: tuple[object, ...], kwargs: dict[str, object]) -> Tree:
        point = Point.of(what, f, argnums, args, kwargs, has_aux)
        value, aux = point.value()
        gradient = point.gradient(what, value)
        return exposed(((value, aux) if has_aux else value, gradient))

    return lambda *args, **kwargs: lift(transform, args, kwargs)


def grad(f: ScalarFunction, argnums: int | tuple[int, ...] = 0, has_aux: bool = False) -> Function:
    """The gradient of a scalar function, or (gradient, aux)."""
    both = value_and_grad(f, argnums, has_aux, "grad")

    def transform(*args: object, **kwargs: object) -> Tree:
        value, gradient = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return transform


def jacobian(f: Function, argnums: int | tuple[int, ...] = 0, has_aux: bool = False, what: str = "jacfwd") -> Function:
    """The Jacobian, output by input, or (Jacobian, aux); jacfwd and jacrev are the same numbers."""

    def transform(args: tuple[object, ...], kwargs: dict[str, object]) -> Tree:
        point = Point.of(what, f, argnums, args, kwargs, has_aux)
        value, aux = point.value()
        flat = leaves(value)
        rows = point.jacobian(flat)
        rows = [[a.astype(inner_dtype(o)) for a in row] for o, row in zip(flat, rows, strict=True)]
        found = unflatten(value, [unflatten(point.form, row) for row in rows])
        return exposed((found, aux) if has_aux else found)

    return lambda *args, **kwargs: lift(transform, args, kwargs)


def jvp(f: Function, primals: Sequence[object], tangents: Sequence[object], has_aux: bool = False) -> Any:
    """(value, tangent), or (value, tangent, aux). Raises TypeError, ValueError where tangents do not fit."""

    def transform(primals: tuple[object, ...], tangents: tuple[object, ...]) -> Tree:
        point = Point.of("jvp", f, tuple(range(len(primals))), primals, {}, has_aux)
        directions = _fitting("jvp: tangents", tangents, primals, point.x)
        value, aux = point.value()
        flat = leaves(value)
        slopes = point.along([t if np.any(t) else None for t in directions])
        tangent = unflatten(value, [_cast(s, o) for s, o in zip(slopes, flat, strict=True)])
        return exposed((value, tangent, aux) if has_aux else (value, tangent))

    return lift(transform, tuple(primals), tuple(tangents))


def vjp(f: Function, *primals: object, has_aux: bool = False) -> Any:
    """(value, pullback), or (value, pullback, aux); pullback(cotangent) is a tuple, one tree per primal."""

    def point_of(primals: tuple[object, ...]) -> Point:
        return Point.of("vjp", f, tuple(range(len(primals))), primals, {}, has_aux)

    def transform(primals: tuple[object, ...], cotangent: object) -> Tree:
        point = point_of(primals)
        value, _ = point.value()
        flat = leaves(value)
        weights = _fitting("vjp: cotangents", cotangent, value, flat)
        found = [np.zeros(x.shape, np.promote_types(inner_dtype(x), np.float64)) for x in point.x]
        for k, index, tangents in point.basis():
            slopes = point.along(tangents)
            found[k][index] = sum(np.sum(np.multiply(w, s)) for w, s in zip(weights, slopes, strict=True))
        return exposed(unflatten(point.form, [_cast(a, x) for a, x in zip(found, point.x, strict=True)]))

    def value_and_aux(primals: tuple[object, ...]) -> Tree:
        return exposed(point_of(primals).value())

    value, aux = lift(value_and_aux, primals)

    def pullback(cotangent: object) -> Any:
        return lift(transform, primals, cotangent)

    return (value, pullback, aux) if has_aux else (value, pullback)


def _fitting(what: str, given: object, form: object, like: list[np.ndarray]) -> list[Any]:
    """The arrays of a tree that fits another, as plain ones. Raises TypeError, ValueError naming the first misfit."""
    if names(given) != names(form):
        raise TypeError(f"{what} came as the tree {names(given)}; expected {names(form)}")
    flat = [np.asarray(as_lane(leaf)) for leaf in leaves(given)]
    for name, a, x in zip(names(form), flat, like, strict=True):
        if a.shape != x.shape:
            raise ValueError(f"{what} {name!r} came with shape {a.shape}; expected {x.shape}")
    return flat


def _cast(value: np.ndarray, like: np.ndarray) -> Any:
    """A derivative in the shape and dtype of an array; float64 where that is no float."""
    dtype = inner_dtype(like)
    return np.array(np.broadcast_to(value, like.shape), dtype if dtype.kind == "f" else np.float64)
