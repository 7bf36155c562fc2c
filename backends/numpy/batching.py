"""vmap under JAX's signature: a loop over lanes and a stack."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from backends.numpy.context import call, evaluating
from backends.numpy.point import as_lane
from backends.numpy.transforms import exposed
from backends.tree import Tree, leaves, names, unflatten
from backends.types import Axes

Function = Callable[..., Any]


def vmap(f: Function, in_axes: Axes = 0, out_axes: Axes = 0) -> Function:
    """f over one axis of its arguments. `in_axes`, `out_axes`: an int, None or a tree of them; keywords use 0.

    Raises ValueError where axes do not fit the arguments or the sizes differ.
    """

    def mapped(*args: object, **kwargs: object) -> Any:
        axes = _spread("in_axes", list(in_axes) if isinstance(in_axes, tuple | list) else in_axes, list(args))
        trees = (args, kwargs)
        axes += [0] * len(leaves(kwargs))
        flat = [as_lane(leaf) for leaf in leaves(trees)]
        size = _size(flat, axes, names(trees))

        def lane(k: int) -> Tree:
            given = [a if axis is None else a[_at(axis, k)] for a, axis in zip(flat, axes, strict=True)]
            own_args, own_kwargs = unflatten(trees, given)
            return call(f, *own_args, **own_kwargs)

        if size == 0:
            flat = [a if axis is None else _one_lane(a, axis) for a, axis in zip(flat, axes, strict=True)]
            return exposed(_stacked([lane(0)], out_axes, 0))
        return exposed(_stacked([lane(k) for k in range(size)], out_axes, size))

    return mapped


def _spread(what: str, prefix: object, tree: object) -> list[Any]:
    """One axis for each leaf, from a tree that may stop above the leaves."""
    if prefix is None or isinstance(prefix, int):
        return [prefix] * len(leaves(tree))
    if isinstance(prefix, dict) and isinstance(tree, dict) and prefix.keys() == tree.keys():
        return [axis for name in tree for axis in _spread(what, prefix[name], tree[name])]
    if isinstance(prefix, tuple | list) and isinstance(tree, tuple | list) and len(prefix) == len(tree):
        return [axis for p, t in zip(prefix, tree, strict=True) for axis in _spread(what, p, t)]
    raise ValueError(f"vmap: {what} came as {prefix!r}; expected an int, None or a tree that fits {names(tree)}")


def _size(flat: list[Any], axes: list[Any], called: list[str]) -> int:
    sizes = {}
    for leaf, axis, name in zip(flat, axes, called, strict=True):
        if axis is not None:
            if not -np.ndim(leaf) <= axis < np.ndim(leaf):
                raise ValueError(f"vmap: argument {name} has shape {np.shape(leaf)}, which has no axis {axis}")
            sizes[name] = leaf.shape[axis]
    if not sizes:
        raise ValueError("vmap: in_axes maps no argument; expected an axis for at least one")
    if len(set(sizes.values())) > 1:
        raise ValueError(f"vmap: mapped axes have different sizes: {sizes}")
    return int(next(iter(sizes.values())))


def _at(axis: int, k: int) -> tuple[Any, ...]:
    """The index of slice k of an axis, counted from either end."""
    return (slice(None),) * axis + (k,) if axis >= 0 else (..., k, *(slice(None),) * (-axis - 1))


def _one_lane(array: np.ndarray, axis: int) -> Any:
    """Zeros in place of an empty axis, to learn the shapes from."""
    shape = list(array.shape)
    shape[axis] = 1
    return as_lane(np.zeros(shape, array.dtype))


def _stacked(lanes: list[Tree], out_axes: Axes, size: int) -> Tree:
    """The outputs of all lanes, stacked leaf by leaf; None takes the first lane's."""
    columns = zip(*(leaves(lane) for lane in lanes), strict=True)
    axes = _spread("out_axes", out_axes, lanes[0])
    with evaluating():
        found = [
            column[0] if axis is None else _cut(np.stack([as_lane(_array(a)) for a in column], axis=axis), axis, size)
            for column, axis in zip(columns, axes, strict=True)
        ]
    return unflatten(lanes[0], [as_lane(_array(a)) for a in found])


def _array(leaf: object) -> np.ndarray:
    return leaf if isinstance(leaf, np.ndarray) else np.asarray(leaf)


def _cut(stack: np.ndarray, axis: int, size: int) -> Any:
    """No lanes of a stack that was made of one to learn the shapes."""
    return stack if size else stack[_at(axis, slice(0, 0))]  # type: ignore[arg-type]
