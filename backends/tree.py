"""Nested dicts, tuples, lists and records of arrays as flat lists of leaves, and back.

Needs `record` alone. Everything that is no dict, tuple, list or record is a leaf.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from backends.record import Record

KEYED = (dict, Record)
"""Nodes whose children have names."""

Tree = Any
"""A tree that a function returns: nested as its argument was, or as another function made it."""


def leaves(tree: object) -> list[Any]:
    """The leaves of a tree, in order.

    >>> leaves({"a": 1, "b": (2, [3])})
    [1, 2, 3]
    """
    if isinstance(tree, KEYED):
        return [leaf for _, value in tree.items() for leaf in leaves(value)]
    if isinstance(tree, (tuple, list)):
        return [leaf for value in tree for leaf in leaves(value)]
    return [tree]


def unflatten(tree: object, values: list[Any] | Iterator[Any]) -> Tree:
    """A tree of the same form with other leaves.

    >>> unflatten({"a": 1, "b": (2, [3])}, [7, 8, 9])
    {'a': 7, 'b': (8, [9])}
    """
    return _rebuilt(tree, iter(values))


def _rebuilt(tree: object, values: Iterator[Any]) -> Tree:
    if isinstance(tree, dict):
        return {name: _rebuilt(value, values) for name, value in tree.items()}
    if isinstance(tree, Record):
        return replace(tree, **{name: _rebuilt(value, values) for name, value in tree.items()})  # type: ignore[type-var]
    if not isinstance(tree, (tuple, list)):
        return next(values)
    parts = [_rebuilt(value, values) for value in tree]
    return type(tree)(*parts) if hasattr(tree, "_fields") else type(tree)(parts)


def tree_map(f: Callable[..., Any], tree: object, *others: object) -> Tree:
    """Apply `f` leaf by leaf to trees of one form.

    >>> tree_map(lambda a, b: a + b, {"x": 1}, {"x": 2})
    {'x': 3}
    """
    columns = zip(leaves(tree), *(leaves(other) for other in others), strict=True)
    return unflatten(tree, [f(*column) for column in columns])


def names(tree: object, prefix: str = "") -> list[str]:
    """A dotted name for each leaf.

    >>> names({"params": {"X": 0}, "steps": 1})
    ['params.X', 'steps']
    """
    if isinstance(tree, KEYED):
        items = [(str(key), value) for key, value in tree.items()]
    elif isinstance(tree, (tuple, list)):
        items = [(str(key), value) for key, value in enumerate(tree)]
    else:
        return [prefix]
    return [name for key, value in items for name in names(value, f"{prefix}.{key}" if prefix else key)]
