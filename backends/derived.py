"""Derivatives that a backend need not write itself: gradients, Jacobians and Hessians from its `jvp` and `vjp`.

A Jacobian is taken column by column (forward, one `jvp` for each entry of the argument) or row by row (reverse, one
pullback for each entry of the output). Arguments and outputs are trees of arrays.

Source:
    Griewank and Walther, Evaluating Derivatives, chapter 3; the signatures are JAX's.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from array_api_compat import array_namespace, device

from backends.tree import Tree, leaves, tree_map, unflatten
from backends.types import Array, ScalarFunction

Function = Callable[..., Any]


def from_the_front(argnums: int | tuple[int, ...], count: int) -> int | tuple[int, ...]:
    """`argnums` of a call with so many arguments, without those that count from the end. Raises ValueError beyond either end.

    >>> from_the_front(-1, 2), from_the_front((0, -1), 3)
    (1, (0, 2))
    """
    if not isinstance(argnums, int):
        return tuple(number for each in argnums if isinstance(number := from_the_front(each, count), int))
    if not -count <= argnums < count:
        raise ValueError(f"argnums came as {argnums}; the function was called with {count} arguments")
    return argnums % count


def of_chosen(f: Function, argnums: int | tuple[int, ...], args: tuple[Any, ...]) -> tuple[Function, tuple[Any, ...]]:
    """f as a function of the arguments that `argnums` names alone, and these arguments."""
    counted = from_the_front(argnums, len(args))
    places = (counted,) if isinstance(counted, int) else counted

    def chosen(*values: Array) -> Any:
        given = dict(zip(places, values, strict=True))
        return f(*(given.get(place, argument) for place, argument in enumerate(args)))

    return chosen, tuple(args[place] for place in places)


def value_and_grad(vjp: Function, f: ScalarFunction, argnums: int | tuple[int, ...], has_aux: bool) -> Function:
    """The value and gradient of a scalar function by one pullback. Raises TypeError for an output that is no scalar."""

    def both(*args: object, **kwargs: object) -> Any:
        chosen, primals = of_chosen(lambda *a: f(*a, **kwargs), argnums, args)
        value, pull, *aux = vjp(chosen, *primals, has_aux=has_aux)
        if tuple(getattr(value, "shape", ())) != ():
            raise TypeError(f"grad: the function returned shape {tuple(value.shape)}; expected a scalar: use jacrev or jacfwd")
        gradient = pull(value * 0 + 1)
        gradient = gradient[0] if isinstance(argnums, int) else tuple(gradient)
        return ((value, *aux), gradient) if has_aux else (value, gradient)

    return both


def grad(both: Function, has_aux: bool) -> Function:
    """The gradient alone, of a function that gives the value too."""

    def gradient(*args: object, **kwargs: object) -> Any:
        value, found = both(*args, **kwargs)
        return (found, value[1]) if has_aux else found

    return gradient


def jacfwd(jvp: Function, f: Function, argnums: int | tuple[int, ...], has_aux: bool) -> Function:
    """The Jacobian by columns."""

    def jacobian(*args: object, **kwargs: object) -> Any:
        chosen, primals = of_chosen(lambda *a: f(*a, **kwargs), argnums, args)
        columns, aux = [], ()
        for tangents in basis(primals):
            value, column, *aux = jvp(chosen, primals, tangents, has_aux=has_aux)
            columns.append(leaves(column))
        if not columns:  # of no entries
            value, _, *aux = jvp(chosen, primals, tree_map(lambda x: x * 0, primals), has_aux=has_aux)
        stacks = [_stacked([column[k] for column in columns], one, -1) for k, one in enumerate(leaves(value))]
        blocks = [_split(stack, one, primals) for stack, one in zip(stacks, leaves(value), strict=True)]
        found = unflatten(value, [_of(argnums, block) for block in blocks])
        return (found, *aux) if has_aux else found

    return jacobian


def jacrev(vjp: Function, f: Function, argnums: int | tuple[int, ...], has_aux: bool) -> Function:
    """The Jacobian by rows."""

    def jacobian(*args: object, **kwargs: object) -> Any:
        chosen, primals = of_chosen(lambda *a: f(*a, **kwargs), argnums, args)
        value, pull, *aux = vjp(chosen, *primals, has_aux=has_aux)
        rows = [leaves(pull(cotangent)) for cotangent in basis(value)]
        blocks, start = [], 0
        for one in leaves(value):
            size = math.prod(one.shape)
            own = [_stacked([row[k] for row in rows[start : start + size]], x, 0) for k, x in enumerate(leaves(primals))]
            shaped = [array_namespace(a).reshape(a, (*one.shape, *a.shape[1:])) for a in own]
            blocks.append(_of(argnums, unflatten(primals, shaped)))
            start += size
        found = unflatten(value, blocks)
        return (found, *aux) if has_aux else found

    return jacobian


def basis(tree: object) -> Iterator[Tree]:
    """Every unit vector of the entries of a tree."""
    flat = leaves(tree)
    for k, leaf in enumerate(flat):
        xp, shape = array_namespace(leaf), tuple(leaf.shape)
        eye = xp.eye(math.prod(shape), dtype=leaf.dtype, device=device(leaf))
        for row in range(math.prod(shape)):
            yield unflatten(tree, [xp.reshape(eye[row, :], shape) if j == k else other * 0 for j, other in enumerate(flat)])


def _stacked(arrays: list[Array], like: Array, axis: int) -> Array:
    """Arrays along a new first or last axis, of length 0 where there are none."""
    stack = array_namespace(like).stack(arrays or [like], axis=axis)
    found: Array = stack if arrays else stack[(slice(0),) if axis == 0 else (..., slice(0))]
    return found


def _split(stack: Array, output: Array, primals: object) -> Tree:
    """The columns of a Jacobian by the arguments that they belong to."""
    xp, parts, start = array_namespace(stack), [], 0
    for leaf in leaves(primals):
        size = math.prod(leaf.shape)
        parts.append(xp.reshape(stack[..., start : start + size], (*output.shape, *leaf.shape)))
        start += size
    return unflatten(primals, parts)


def _of(argnums: int | tuple[int, ...], block: Tree) -> Tree:
    return block[0] if isinstance(argnums, int) else tuple(block)
