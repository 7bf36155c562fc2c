"""The lane IR: what one lane computes, as a graph of operations on small flat arrays. Needs `ops`.

A `Node` is a flat array of `size` elements of one lane; a `View` is an array of any shape of the elements of one node,
given by their indices. Transposing, slicing, expanding, flipping, gathering by constants and reshaping are NumPy on the
indices: they cost nothing and make no node. Six kinds of node compute:

    map        a pointwise operation of views of one shape
    reduce     a view (size, k) joined along its last axis
    contract   sum_k a[g, i, k] b[g, k, j], of views (g, i, k) and (g, k, j)
    concat     views one after the other
    take_along the element of a view (size, k) that an integer view (size,) names, lane by lane
    fori_loop  a state of several arrays, laid end to end, after a number of rounds of a graph of its own

`Graph` makes them: equal nodes are made once, what depends on constants alone is folded, and a map of expanded views
is computed before it is expanded.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.errors import ExtensionError
from backends.fused.ir.ops import OPS, REDUCTIONS

Indices = np.ndarray[Any, np.dtype[np.intp]]


DOTS, LONG = 32, 8
"""A product of at most so many entries, each a sum of at least so many terms, is taken as single sums."""


@dataclass(frozen=True, eq=False)
class Node:
    """`kind` as above, or "input" and "const"; `name` is the operation's, or the input's; dtypes are NumPy's names."""

    kind: str
    name: str
    args: tuple[View, ...]
    size: int
    dtype: str
    value: np.ndarray | None = None
    loop: Loop | None = None


@dataclass(frozen=True, eq=False)
class Loop:
    """The rounds of a fori_loop: `outputs` of one round are the `inputs` of the next."""

    nodes: list[Node]
    inputs: list[View]
    outputs: list[View]
    count: int


@dataclass(frozen=True, eq=False)
class View:
    """The elements `index` of a node, in the shape of `index`."""

    node: Node
    index: Indices

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array that it stands for."""
        return tuple(self.index.shape)

    @property
    def dtype(self) -> str:
        """The dtype of the node."""
        return self.node.dtype

    def at(self, index: Indices) -> View:
        """The view with other indices into the same node."""
        return View(self.node, np.asarray(index, np.intp, order="C"))

    def constant(self) -> np.ndarray | None:
        """Its numbers, if they are known."""
        return None if self.node.value is None else self.node.value[self.index]

    def is_whole(self) -> bool:
        """True where it is the node, element by element."""
        return self.index.size == self.node.size and bool((self.index.reshape(-1) == np.arange(self.node.size)).all())


def full_view(node: Node, shape: Iterable[int]) -> View:
    """All elements of a node in a shape."""
    return View(node, np.arange(node.size).reshape(tuple(shape)))


@dataclass
class Graph:
    """Makes nodes. `nodes` holds them in an order in which arguments come first."""

    nodes: list[Node] = field(default_factory=list)
    _known: dict[Any, Node] = field(default_factory=dict)

    def input(self, name: str, shape: tuple[int, ...], dtype: str) -> View:
        """An array that the lane is given."""
        return full_view(self._node("input", name, (), math.prod(shape), dtype), shape)

    def const(self, value: Any, dtype: str | None = None) -> View:
        """Known numbers."""
        array = np.asarray(value, dtype)
        key = ("const", array.dtype.name, array.shape, array.tobytes())
        if key not in self._known:
            self._known[key] = Node("const", "", (), array.size, array.dtype.name, array.reshape(-1))
            self.nodes.append(self._known[key])
        return full_view(self._known[key], array.shape)

    def map(self, name: str, *args: View, dtype: str | None = None) -> View:
        """A pointwise operation; arguments broadcast. The dtype is that of the last argument, or as given."""
        if name not in OPS:
            raise ExtensionError(f"operation {name!r} is not in OPS; expected one of backends/fused/ir/ops.py: add a line there")
        shapes = [a.shape for a in args]
        shape = shapes[0] if len(set(shapes)) == 1 else np.broadcast_shapes(*shapes)
        wide = [a if a.shape == shape else a.at(np.broadcast_to(a.index, shape)) for a in args]
        dtype = dtype or ("bool" if OPS[name].result == "mask" else args[-1].dtype)
        if all(a.node.value is not None for a in wide):
            with np.errstate(all="ignore"):
                return self.const(OPS[name].numpy(*(a.constant() for a in wide)), dtype)
        found = self._simplify(name, wide, dtype)
        if found is not None:
            return found
        narrow = [_narrowed(wide, axis) for axis in range(len(shape))]
        small = [a.at(a.index[tuple(narrow)]) for a in wide] if shape else wide
        node = self._node("map", name, tuple(s.at(s.index.reshape(-1)) for s in small), small[0].index.size, dtype)
        made = full_view(node, small[0].shape)
        return made if made.shape == shape else made.at(np.broadcast_to(made.index, shape))

    def reduce(self, name: str, a: View, axes: Iterable[int], keep: bool = False) -> View:
        """Join along some axes: one of `REDUCTIONS`."""
        gone = sorted({axis % max(1, len(a.shape)) for axis in axes}) if a.shape else []
        rest = [axis for axis in range(len(a.shape)) if axis not in gone]
        outer = tuple(a.shape[axis] for axis in rest)
        shape = tuple(1 if axis in gone else size for axis, size in enumerate(a.shape)) if keep else outer
        inner = math.prod(a.shape[axis] for axis in gone)  # 1 where nothing goes
        index = a.index.transpose(*rest, *gone).reshape(math.prod(outer), inner)
        join, numpy = REDUCTIONS[name]
        if a.node.value is not None or not index.shape[1]:
            values = a.node.value[index] if a.node.value is not None else np.zeros(index.shape, a.dtype)
            return self.const(numpy(values, axis=-1).reshape(shape), a.dtype)
        if index.shape[1] == 1:
            return a.at(index.reshape(shape))
        if name == "sum" and a.dtype.startswith("float"):
            bare, factors = self._factor_out_of_sum(a.node, index, lanes=True)
            own = [factor.node for factor in factors if factor.node.value is None]
            if len(own) > 1 or any(node.kind != "input" for node in own):
                bare, factors = self._factor_out_of_sum(a.node, index, lanes=False)
            if factors:
                total = self.reduce("sum", bare.at(bare.index[index]), [1])
                for factor in factors:
                    total = self.map("mul", total, factor)
                return total.at(total.index.reshape(shape))
        if not outer or (index == index[:1]).all():  # rows that are equal are joined once
            node = self._node("reduce", join, (a.at(index[:1]),), min(1, len(index)), a.dtype)
            return View(node, np.zeros(shape, np.intp))
        return full_view(self._node("reduce", join, (a.at(index),), len(index), a.dtype), shape)

    def _factor_out_of_sum(self, node: Node, at: Indices, lanes: bool) -> tuple[View, list[View]]:
        """The elements of a node without the factors that do not change along the rows of `at`; and these factors.

        sum_k s v_k = s sum_k v_k. Constants are near 1; with `lanes` numbers of the lane are drawn out, too, though not out
        of a square. Where there are several, or one is computed, one may scale what the other makes far too large or small:
        then none is.
        """
        # Distributivity, which the C++ compiler may not use: it changes the rounding. It is done here once for all targets, so
        # that they round alike.
        own = full_view(node, (node.size,))
        if node.kind != "map" or node.name not in ("mul", "neg"):
            return own, []
        parts: list[View] = list(node.args)
        factors: list[View] = [self.const(-1, node.dtype)] if node.name == "neg" else []
        for k, part in enumerate(parts):
            chosen, values = part.at(part.index[at]), part.constant()
            near = values is None or bool((np.abs(np.frexp(values)[1]) <= 20).all() and np.isfinite(values).all())
            if len(parts) == 2 and near and (values is not None or lanes) and _is_even(chosen):
                factors.append(chosen.at(chosen.index[:, 0]))
                parts = [parts[1 - k]]
                break
        lanes = lanes and not (len(parts) == 2 and parts[0].node is parts[1].node)
        for k, part in enumerate(parts):
            inner, more = self._factor_out_of_sum(part.node, part.index[at], lanes)
            factors += more
            parts[k] = inner.at(inner.index[part.index])
        if not factors:
            return own, []
        return parts[0] if len(parts) == 1 else self.map("mul", *parts), factors

    def contract(self, a: View, b: View) -> View:
        """sum_k a[g, i, k] b[g, k, j]: shape (g, i, j)."""
        if a.shape[2] == 0 or 0 in a.shape or 0 in b.shape:
            return self.const(np.zeros((a.shape[0], a.shape[1], b.shape[2])), a.dtype)
        if a.shape[2] == 1:
            return self.map("mul", a, b)
        if a.node.value is not None and b.node.value is not None:
            return self.const(np.matmul(a.node.value[a.index], b.node.value[b.index]), a.dtype)
        shape = (a.shape[0], a.shape[1], b.shape[2])
        right = b.at(b.index.transpose(0, 2, 1))
        if math.prod(shape) == 1:  # a dot product is a sum, and sums know how to be single numbers
            return self.reduce("sum", self.map("mul", a, right), [2], keep=True)
        if math.prod(shape) <= DOTS and a.shape[2] >= LONG and all(_is_made(v) for v in (*_rows(a), *_rows(right))):
            return self._as_dot_sums(a, right)
        return full_view(self._node("contract", "", (a, b), math.prod(shape), a.dtype), shape)

    def _as_dot_sums(self, a: View, b: View) -> View:
        """Products of few long rows, as sums that the loop which makes the rows takes along: none is stored."""
        sums = [
            self.reduce("sum", self.map("mul", *(_see_through_concat(v.at(v.index[g, k])) for v, k in ((a, i), (b, j)))), [0])
            for g, i, j in np.ndindex(a.shape[0], a.shape[1], b.shape[1])
        ]
        ones = [s.at(s.index.reshape(1)) for s in sums]
        joined = self.concat(ones, 0)
        return joined.at(joined.index.reshape(a.shape[0], a.shape[1], b.shape[1]))

    def concat(self, parts: list[View], axis: int) -> View:
        """Arrays joined along an axis."""
        if len(parts) == 1:
            return parts[0]
        nodes = {id(p.node) for p in parts}
        if len(nodes) == 1:
            return parts[0].at(np.concatenate([p.index for p in parts], axis))
        if all(p.node.value is not None for p in parts):
            return self.const(np.concatenate([np.asarray(p.constant()) for p in parts], axis), parts[0].dtype)
        sizes = np.cumsum([0, *(p.index.size for p in parts)])
        index = [np.arange(p.index.size).reshape(p.shape) + start for p, start in zip(parts, sizes[:-1], strict=True)]
        flat = tuple(p.at(p.index.reshape(-1)) for p in parts)
        return View(self._node("concat", "", flat, int(sizes[-1]), parts[0].dtype), np.concatenate(index, axis))

    def take_along(self, table: View, which: View) -> View:
        """table[..., which[...]] with an index that each lane has of its own."""
        index = table.index.reshape(-1, table.shape[-1])
        node = self._node("take_along", "", (table.at(index), which.at(which.index.reshape(-1))), len(index), table.dtype)
        return full_view(node, which.shape)

    def fori_loop(self, loop: Loop, state: list[View]) -> list[View]:
        """The state after the rounds."""
        size = sum(view.index.size for view in state)
        node = Node("fori_loop", "", tuple(v.at(v.index.reshape(-1)) for v in state), size, state[0].dtype, loop=loop)
        self.nodes.append(node)
        found, start = [], 0
        for view in state:
            found.append(View(node, np.arange(start, start + view.index.size).reshape(view.shape)))
            start += view.index.size
        return found

    def _node(self, kind: str, name: str, args: tuple[View, ...], size: int, dtype: str) -> Node:
        args = tuple(_see_through_concat(a) for a in args)
        # Hash-consing, also called local value numbering (Aho et al., Compilers, section 6.1.2): equal nodes are one node.
        views = [(id(a.node), a.shape, a.index.tobytes()) for a in args]
        if kind == "map" and name in ("add", "mul", "max", "min", "and", "or", "eq"):
            views.sort()  # the same either way round, to the bit
        key = (kind, name, tuple(views), size, dtype)
        if key not in self._known:
            self._known[key] = Node(kind, name, args, size, dtype)
            self.nodes.append(self._known[key])
        return self._known[key]

    def _simplify(self, name: str, args: list[View], dtype: str) -> View | None:
        """An equal view without the operation, or with a cheaper one; equal to the bit but for the sign of a zero sum."""
        numbers = [_single(a) for a in args]
        a, b = args[0], args[1] if len(args) > 1 else args[0]
        if name == "copy" and a.dtype == dtype:
            return a
        if name == "select":
            return args[1 if numbers[0] else 2] if numbers[0] is not None else None
        if name in ("add", "sub") and numbers[1] == 0:
            return a
        if name in ("mul", "div") and numbers[1] == 1:
            return a
        if name in ("add", "mul") and numbers[0] == {"add": 0, "mul": 1}[name]:
            return b
        if name == "div" and numbers[1] is not None and _is_power_of_two(numbers[1]):
            return self.map("mul", a, self.const(1 / float(numbers[1]), dtype))
        if name == "add":
            if a.node is b.node and (a.index == b.index).all() and dtype != "bool":
                return self.map("mul", a, self.const(2, dtype))
            for one, other in ((a, b), (b, a)):
                if (inner := _argument(one, "neg")) is not None:
                    return self.map("sub", other, inner)
        if name == "sub" and (inner := _argument(b, "neg")) is not None:
            return self.map("add", a, inner)
        if name == "neg" and (inner := _argument(a, "neg")) is not None:
            return inner
        if name == "mul":
            for one, number in ((a, numbers[1]), (b, numbers[0])):
                found = self._scaled(one, number, dtype)
                if found is not None:
                    return found
        return None

    def _scaled(self, a: View, number: Any, dtype: str) -> View | None:
        """(x c) 2^k as x (c 2^k), which rounds as before."""
        if number is None or not _is_power_of_two(number) or a.node.kind != "map" or a.node.name != "mul":
            return None
        for k in (0, 1):
            inner = _single(a.node.args[k])
            if inner is not None and np.isfinite(inner):
                rest = a.node.args[1 - k]
                return self.map("mul", rest.at(rest.index[a.index]), self.const(float(inner) * float(number), dtype))
        return None


def _see_through_concat(a: View) -> View:
    """A view of arrays joined that lies in one of them, as a view of that one."""
    while a.node.kind == "concat" and a.index.size:
        low, high, start = int(a.index.min()), int(a.index.max()), 0
        for part in a.node.args:
            if start <= low and high < start + part.index.size:
                a = part.at(part.index[a.index - start])
                break
            start += part.index.size
        else:
            return a
    return a


def _rows(a: View) -> list[View]:
    return [_see_through_concat(a.at(a.index[g, i])) for g, i in np.ndindex(a.shape[0], a.shape[1])]


def _is_made(row: View) -> bool:
    """True for what a loop over the row makes, element by element, for known numbers, and for one number all along."""
    made = row.node.value is not None or (row.node.kind == "map" and row.is_whole())
    return made or bool((row.index == row.index[:1]).all())


def _narrowed(args: list[View], axis: int) -> slice:
    """The first of an axis along which no argument changes, else all of it."""
    same = all((a.index == a.index.take([0], axis)).all() for a in args if a.index.shape[axis])
    return slice(0, 1) if same and args[0].index.shape[axis] else slice(None)


def _is_even(a: View) -> bool:
    """True where all entries of each row are one number."""
    entries = a.index if a.node.value is None else a.node.value[a.index]
    return bool((entries == entries[:, :1]).all())


def _single(a: View) -> Any:
    """The number that all entries of a constant view are; None otherwise."""
    values = a.constant()
    if values is None or not values.size:
        return None
    first = values.reshape(-1)[0]
    return first if (values == first).all() else None


def _argument(a: View, name: str) -> View | None:
    """The argument of a map of that name, indexed as the view is."""
    if a.node.kind != "map" or a.node.name != name:
        return None
    inner = a.node.args[0]
    return inner.at(inner.index[a.index])


def _is_power_of_two(number: Any) -> bool:
    value = abs(float(number))
    return 2.0**-60 < value < 2.0**60 and math.frexp(value)[0] == 0.5
