"""Values of lane IR nodes as C++ expressions. Needs `operands`.

A vector `V` holds one number of W lanes; `I` are integers of the same size, masks among them. Memory is arrays of such
vectors: the lanes' inputs `in`, their state `s`, results `r`; inputs that all lanes share are plain numbers in `sh`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from backends.fused.codegen.operands import Address, ConstantPool, cast, literal, pointer, scalar_type, vector_type
from backends.fused.ir.graph import Node, View
from backends.fused.ir.ops import OPS
from backends.fused.passes.arrange import Arrangement


class Reader:
    """Names of a function's nodes, and expressions that read their elements.

    Args:
        order: the function's nodes, branches and loops.
        inputs: input node, or one that was computed before -> where it lies.
        outputs: views, each with where it goes.
        tables: of the kernel.
        tile: most rows and columns of a contraction's tile.
        unroll: whether short loops are written out, which what runs once a lane does not win back.
        function: the name, where branches and long stretches are functions of their own; else empty.
        prefix: of the names of nodes; a loop inside of another function has its own.
        scratch: vectors of scratch memory that are taken.
    """

    def __init__(
        self,
        order: Arrangement,
        inputs: dict[Node, Address],
        outputs: Sequence[tuple[View, Address]],
        tables: ConstantPool,
        tile: tuple[int, int],
        unroll: bool = True,
        function: str = "",
        prefix: str = "t",
        scratch: int = 0,
    ) -> None:
        self.inputs, self.outputs, self.tables, self.tile = inputs, outputs, tables, tile
        self.nodes, self.branches, self.schedule = order.nodes, order.branches, order.schedule
        self.names: dict[Node, str] = {node: f"{prefix}{k}" for k, node in enumerate(self.nodes)}
        self.buffers: dict[Node, str] = {}
        self.passed: dict[Node, str] = {}  # single numbers that functions of their own read, and where these find them
        self.is_long = False  # whether all single numbers are handed on in memory, for the function is cut into stretches
        self.defined: set[Node] = set()  # of those, what the function that is being written has as a variable
        self.in_place: dict[Node, list[str]] = {}
        self.unroll, self.function, self.prefix, self.base, self.scratch = unroll, function, prefix, scratch, scratch
        self.usual = True  # whether what is being written is outside of branches
        self.has_wide_buffers = False  # whether there are arrays of doubles where the others are floats
        self.has_interleaved_chains = False  # whether there is a loop whose elements are computed side by side
        self.interleave = 0  # how many elements the statement that is being written is for; 0: one
        self.lines: list[str] = []

    def _value(self, node: Node, at: str, local: dict[Node, str], loads: dict[str, str] | None = None) -> str:
        if node.kind == "take_along":
            return self._take_along(node, at, local)
        given = [self._read(view, at, local, loads) for view in node.args]
        if node.name == "copy":
            source = node.args[0].dtype
            return (
                given[0]
                if vector_type(source) == vector_type(node.dtype) and source != "bool"
                else cast(given[0], source, node.dtype)
            )
        text = OPS[node.name].text.format(*given)
        if OPS[node.name].result == "mask":
            return f"mask({text})"
        return text

    def _take_along(self, node: Node, at: str, local: dict[Node, str]) -> str:
        table, which = node.args
        choice = self._read(which, at, local)
        text = self._read(table.at(table.index[:, 0]), at, {})
        for k in range(1, table.shape[1]):
            text = f"select(I({choice} == {k}), {self._read(table.at(table.index[:, k]), at, {})}, {text})"
        return text

    def _read(self, view: View, at: str, local: dict[Node, str] | None = None, loads: dict[str, str] | None = None) -> str:
        """The element `at` of a flat view."""
        if local and view.node in local and view.is_whole():
            return local[view.node]
        text = self._load(view, at)
        if loads is None or not text.endswith("]"):
            return text
        if text not in loads:
            loads[text] = self._define(f"x{len(loads)}", view.dtype, text)
        return loads[text]

    def _load(self, view: View, at: str) -> str:
        node, index, kind = view.node, view.index.reshape(-1), vector_type(view.dtype)
        if node.value is not None:
            values = node.value[index]
            if (values == values[:1]).all() or (values.dtype.kind == "f" and np.isnan(values).all()):
                return f"fill<{kind}>({literal(values[0])})"
            if node.dtype == "bool":
                values = -values.astype(np.int64)
            return f"fill<{kind}>({self.tables.add(scalar_type(node.dtype), values)}[{at}])"
        return self._at(node, self._index(index, at))

    def _index(self, index: np.ndarray, at: str) -> str:
        """The place of element `at` of a flat index: a formula where there is one, else a table."""
        if index.size == 1 or (index == index[0]).all():
            return str(int(index[0]))
        step = int(index[1] - index[0])
        if (np.diff(index) == step).all():
            base = f"({at})" if step == 1 else f"({at}) * {step}"
            return base if index[0] == 0 else f"{base} + {int(index[0])}"
        return f"{self.tables.add('int', index)}[{at}]"

    def _cell(self, view: View, at: tuple[str, str, str]) -> str:
        """Element (g, i, k) of a view with three axes."""
        index = view.index
        strides = [int(index.take(1, axis).flat[0] - index.flat[0]) if index.shape[axis] > 1 else 0 for axis in range(3)]
        base_index = sum(
            np.arange(index.shape[axis]).reshape([-1 if a == axis else 1 for a in range(3)]) * strides[axis] for axis in range(3)
        )
        if view.node.value is None and (index == index.flat[0] + base_index).all():
            formula = " + ".join(f"{x} * {s}" for x, s in zip(at, strides, strict=True) if s)
            return self._at(view.node, f"{int(index.flat[0])} + {formula}" if formula else str(int(index.flat[0])))
        flat = View(view.node, index.reshape(-1))
        return self._load(flat, f"({at[0]} * {index.shape[1]} + {at[1]}) * {index.shape[2]} + {at[2]}")

    def _at(self, node: Node, element: str) -> str:
        """Element of an input, of a buffer, or a single number."""
        own = self.inputs.get(node)
        if own is not None and own.shared:
            return f"fill<{vector_type(node.dtype)}>(LW_AT({scalar_type(node.dtype)}, sh, {own.offset})[{element}])"
        if own is not None:
            return f"{pointer(node.dtype, own)}[{element}]"
        if node in self.passed and node not in self.defined:
            return f"{self.passed[node]}[0]"
        return f"{self.buffers[node]}[{element}]" if node in self.buffers else self.names[node]

    def _define(self, name: str, dtype: str, text: str) -> str:
        """A new name for a value; how to read it."""
        if not self.interleave:
            self.lines.append(f"const {vector_type(dtype)} {name} = {text};")
            return name
        self.lines.append(f"{vector_type(dtype)} {name}[{self.interleave}]; {self._each()}{name}[u] = {text};")
        return f"{name}[u]"

    def _each(self) -> str:
        return f"LW_INTERLEAVE({self.interleave}) " if self.interleave else ""
