"""From the lane IR to C++: one function of one block of lanes. Needs `ir`, `ops`, `schedule`.

A vector `V` holds one number of W lanes; `I` are integers of the same size, masks among them. Memory is arrays of such
vectors: the lanes' inputs `in`, their state `s`, results `r`; inputs that all lanes share are plain numbers in `sh`.
A contraction is a loop over tiles whose accumulators stay in registers, with the rest of its group at its end.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from backends.fused.codegen.affine_tables import declaration
from backends.fused.ir.graph import Node, View
from backends.fused.ir.ops import OPS
from backends.fused.passes.arrange import Arrangement, arranged, flops
from backends.fused.passes.memory_plan import Buffer, pack
from backends.fused.passes.schedule import Group, is_branch


@dataclass(frozen=True)
class Address:
    """Where an input or output lies: `array[offset]` on; `shared` where it is numbers, not vectors."""

    array: str
    offset: int
    shared: bool = False


_PARTS = ("concat", "fori_loop")
"""Kinds of nodes that are written in several parts, into a buffer."""


WRITTEN_OUT = 48
"""Statements up to which a loop is written out: the C++ compiler gains little beyond, and its passes take long over each."""

TILES = 16
"""Tiles of a function's contractions up to which all are written out."""

MAX_INTERLEAVE = 8
"""Most elements of a loop with costly functions that are computed side by side."""

SEVERAL = frozenset({"exp"})
"""Functions that `vmath.h` has for several vectors at once."""


@dataclass
class ConstantPool:
    """Constant arrays of a kernel of some working dtype, each written once."""

    dtype: str
    texts: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, values: np.ndarray) -> str:
        """The name of an array of numbers; `kind` is its C++ type."""
        text = ", ".join(literal(v) for v in values.reshape(-1))
        key = f"{kind}:{text}"
        if key not in self.names:
            self.names[key] = name = f"k{len(self.texts)}"
            short = declaration(name, values.reshape(-1)) if kind == "int" else None
            self.texts[name] = short or f"static const {kind} {name}[{values.size}] = {{{text}}};"
        return self.names[key]


def literal(value: Any) -> str:
    """A number in C++."""
    if isinstance(value, bool | np.bool_):
        return "-1" if value else "0"
    if isinstance(value, int | np.integer):
        return str(int(value))
    kind = "" if isinstance(value, float | np.float64) else "f"  # an infinite double is no float in a list of them
    if math.isnan(value):
        return f'__builtin_nan{kind}("")'
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}__builtin_inf{kind}()"
    return f"{float(value).hex()}{kind}"


def vector_type(dtype: str) -> str:
    """The C++ type of a vector of a dtype."""
    return {"float32": "F", "float64": "D"}.get(dtype, "I")


def scalar_type(dtype: str) -> str:
    """The C++ type of a number of a dtype."""
    return {"float32": "float", "float64": "double"}.get(dtype, "Int")


class Emitter:
    """Writes the body of one function.

    Args:
        order: the function's nodes, branches and loops.
        inputs: input node, or one that was computed before -> where it lies.
        outputs: views, each with where it goes.
        tables: of the kernel.
        tile: most rows and columns of a contraction's tile.
        unroll: whether short loops are written out, which what runs once a lane does not win back.
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
        prefix: str = "t",
        scratch: int = 0,
    ) -> None:
        self.inputs, self.outputs, self.tables, self.tile = inputs, outputs, tables, tile
        self.nodes, self.branches, self.schedule = order.nodes, order.branches, order.schedule
        self.names: dict[Node, str] = {node: f"{prefix}{k}" for k, node in enumerate(self.nodes)}
        self.buffers: dict[Node, str] = {}
        self.in_place: dict[Node, list[str]] = {}
        self.unroll, self.prefix, self.base, self.scratch = unroll, prefix, scratch, scratch
        self.usual = True  # whether what is being written is outside of branches
        self.has_interleaved_chains = False  # whether there is a loop whose elements are computed side by side
        self.interleave = 0  # how many elements the statement that is being written is for; 0: one
        self.lines: list[str] = []

    def body(self) -> str:
        """The statements."""
        copied_outputs = self._plan_outputs()
        self._allocate(copied_outputs)
        for k, group in enumerate(self.schedule.groups):
            self._open(k)
            self.usual = not is_branch(self.schedule.part(k))
            self._group(group)
        self._open(len(self.schedule.groups))
        self.usual = True
        self._copies(copied_outputs)
        return "\n".join(self.lines)

    def reads(self) -> list[Address]:
        """Where that lies which is given and read."""
        used = {view.node for node in self.nodes for view in node.args} | {view.node for view, _ in self.outputs}
        return [self.inputs[node] for node in used if node in self.inputs]

    def flops(self) -> int:
        """Floating-point operations of one lane."""
        return flops(self.nodes)

    # Outputs: written where they are computed if nothing reads the old value later, else copied at the end.

    def _plan_outputs(self) -> list[tuple[View, Address]]:
        copied_outputs = []
        for view, place in self.outputs:
            own = self.inputs.get(view.node)
            if own is not None and own.array == place.array and own.offset == place.offset and view.is_whole():
                continue
            if (
                view.node in self.schedule.place
                and view.is_whole()
                and view.node.kind not in _PARTS
                and self._is_free(view.node, place)
            ):
                self.in_place.setdefault(view.node, []).append(_pointer(view.dtype, place))
            else:
                copied_outputs.append((view, place))
        return copied_outputs

    def _is_free(self, writer: Node, place: Address) -> bool:
        """True where writing as soon as the value is known overwrites nothing that is read after."""
        at = self.schedule.place[writer]
        for node, own in self.inputs.items():
            if own.array != place.array or own.offset != place.offset:
                continue
            for k, group in enumerate(self.schedule.groups):
                for reader in group.nodes():
                    for view in reader.args:
                        if view.node is node and not self._before(k, at, group, reader, view):
                            return False
            if any(view.node is node and other.offset != place.offset for view, other in self.outputs):
                return False
        return True

    @staticmethod
    def _before(k: int, at: int, group: Group, reader: Node, view: View) -> bool:
        if k != at:
            return k < at
        return reader.kind == "map" and not group.alone and view.index.size == group.size and view.is_whole()

    def _open(self, group: int) -> None:
        """Ends of branches, and tests in front of them."""
        begins, ends = self.schedule.starts[1::2], self.schedule.starts[2::2]
        self.lines += ["}" for end in ends if end == group]
        for branch, begin in zip(self.branches, begins, strict=True):
            if begin == group:
                self.lines.append(f"if (any({self._read(branch.predicate, '0')})) {{")

    def _allocate(self, copied_outputs: list[tuple[View, Address]]) -> None:
        """A buffer for every node that another group or a late output reads; single numbers are variables.

        A buffer's room is another's of its C++ type after its last reader.
        """
        kinds: dict[str, list[Buffer]] = {}
        readers = self.schedule.readers()
        end = len(self.schedule.groups)
        last = {node: max(readers.get(node, set()), default=-1) for node in self.schedule.place}
        last |= {view.node: end for view, _ in copied_outputs}
        for node, place in sorted(self.schedule.place.items(), key=lambda item: item[1]):
            outside = last[node] > place or node.kind in _PARTS
            inner = any(
                not self._is_local(place, v) for n in self.schedule.groups[place].nodes() for v in n.args if v.node is node
            )
            part = self.schedule.part(place)
            leaves = is_branch(part) and part != self.schedule.part(last[node])
            if leaves or (node.size > 1 and (outside or inner)):
                name = self.buffers[node] = f"b{self.names[node]}" if node.size == 1 else self.names[node]
                kinds.setdefault(vector_type(node.dtype), []).append(Buffer(name, node.size, place, max(last[node], place)))
        for kind, buffers in kinds.items():
            starts, size = pack(buffers)
            base = self._scratch(size, kind)
            for buffer, start in zip(buffers, starts, strict=True):
                offset = base + start * self._places(kind)
                self.lines.append(f"{kind} *const {buffer.name} = ({kind} *)(w + {offset});")

    def _scratch(self, size: int, kind: str) -> int:
        """Room for some vectors."""
        start = self.base
        self.base += size * self._places(kind)
        self.scratch = max(self.scratch, self.base)
        return start

    def _places(self, kind: str) -> int:
        """Doubles take two places where the others are floats."""
        return 2 if kind == "D" and self.tables.dtype == "float32" else 1

    def _is_local(self, place: int, view: View) -> bool:
        group = self.schedule.groups[place]
        return not group.alone and view.is_whole() and view.index.size == group.size

    # Loops

    def _group(self, group: Group) -> None:
        if group.head is not None:
            self._contraction(group)
        elif group.alone:
            {"concat": self._concat, "fori_loop": self._fori_loop, "reduce": self._reduce}[group.members[0].kind](
                group.members[0]
            )
        elif group.size == 1:
            for node in group.members:
                self.lines.append(f"const {vector_type(node.dtype)} {self.names[node]} = {self._value(node, '0', {})};")
                self._store(node, "0", self.names[node], 1)
        else:
            # elements side by side do not wait for one another; nor do sums, where an element takes long or there are many
            costly, count = _is_costly(group.members), sum(node.kind == "reduce" for node in group.members)
            step = 4 if 0 < count <= 4 and group.size % 4 == 0 and not costly else 1
            sums = self._open_sums(group, step)
            if costly:
                self._interleaved(group)
            else:
                self._loop("e", 0, group.size, step, len(group.members) * step)
                for k in range(step):
                    self._element(group, f"e + {k}" if k else "e", {}, k)
                self.lines.append("}")
            self._close_sums(sums)

    def _interleaved(self, group: Group) -> None:
        """Elements some at a time, statement by statement: each is a chain of operations that wait for one another."""
        some = max((k for k in range(MAX_INTERLEAVE // 2, MAX_INTERLEAVE + 1) if group.size % k == 0), default=MAX_INTERLEAVE)
        whole = group.size - group.size % some
        self.has_interleaved_chains = True
        for first, last in ((0, whole), (whole, group.size)):
            if first < last:
                self.interleave = min(some, last - first)
                self._loop("e", first, last, self.interleave, WRITTEN_OUT)
                self._element(group, "e + u", {}, 0)
                self.lines.append("}")
        self.interleave = 0

    def _loop(self, name: str, first: int, last: int, step: int = 1, statements: int = 1, body: str = "{") -> None:
        """The head of a loop, which stays one unless it is short."""
        rounds = -(-(last - first) // step)
        kept = self._written_out(rounds if rounds * statements <= WRITTEN_OUT else 0)
        self.lines.append(f"{kept} for (int {name} = {first}; {name} < {last}; {name} += {step}) {body}")

    def _written_out(self, rounds: int) -> str:
        """What makes some rounds of a loop written out, where that is worth it; 0: none."""
        return f"LW_WRITTEN_OUT({rounds})" if rounds and self.unroll and self.usual else "LW_LOOP"

    def _element(self, group: Group, at: str, known: dict[Node, str], lane: int) -> None:
        """Everything of a group for one element."""
        self.lines.append("{")
        stores: list[tuple[Node, str]] = [(node, known[node]) for node in known]
        local = dict(known)
        loads: dict[str, str] = {}
        for node in group.members:
            if node.kind == "reduce":
                name = f"{self.names[node]}_{lane}"
                value = local.get(node.args[0].node) or self._read(node.args[0], at, local, loads)
                self.lines.append(f"{self._each()}{name} = {OPS[node.name].text.format(name, value)};")
                continue
            name = f"v{self.names[node]}"
            if self.interleave and node.name in SEVERAL:
                self._define(f"g{name}", node.dtype, self._read(node.args[0], at, local, loads))
                self.lines.append(f"{vector_type(node.dtype)} {name}[{self.interleave}]; lw::{node.name}(g{name}, {name});")
                local[node] = f"{name}[u]"
            else:
                local[node] = self._define(name, node.dtype, self._value(node, at, local, loads))
            stores.append((node, local[node]))
        for node, name in stores:
            self._store(node, at, name, group.size)
        self.lines.append("}")

    def _store(self, node: Node, at: str, value: str, size: int) -> None:
        targets = list(self.in_place.get(node, []))
        if node in self.buffers:
            targets.append(self.buffers[node])
        for target in targets:
            self.lines.append(f"{self._each()}{target}[{at}] = {value};")

    def _define(self, name: str, dtype: str, text: str) -> str:
        """A new name for a value; how to read it."""
        if not self.interleave:
            self.lines.append(f"const {vector_type(dtype)} {name} = {text};")
            return name
        self.lines.append(f"{vector_type(dtype)} {name}[{self.interleave}]; {self._each()}{name}[u] = {text};")
        return f"{name}[u]"

    def _each(self) -> str:
        return f"LW_INTERLEAVE({self.interleave}) " if self.interleave else ""

    def _open_sums(self, group: Group, lanes: int) -> list[tuple[Node, int]]:
        """Accumulators, several for each sum so that they do not wait for one another."""
        found = []
        for node in group.members:
            if node.kind != "reduce":
                continue
            count = lanes if group.size % lanes == 0 else 1
            kind, start = vector_type(node.dtype), _neutral(node)
            self.lines.append(f"{kind} {', '.join(f'{self.names[node]}_{k} = fill<{kind}>({start})' for k in range(count))};")
            found.append((node, count))
        return found

    def _close_sums(self, sums: list[tuple[Node, int]]) -> None:
        for node, count in sums:
            parts = [f"{self.names[node]}_{k}" for k in range(count)]
            while len(parts) > 1:
                parts = [OPS[node.name].text.format(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
            self.lines.append(f"const {vector_type(node.dtype)} {self.names[node]} = {parts[0]};")
            self._store(node, "0", self.names[node], 1)

    def _reduce(self, node: Node) -> None:
        view = node.args[0]
        rows, length = view.shape
        kind, join = vector_type(node.dtype), OPS[node.name].text
        flat = View(view.node, view.index.reshape(-1))
        count = 4 if length >= 8 else 1
        cut = length - length % count
        if rows == 1:
            self.lines.append(f"{kind} q{self.names[node]};")
        else:
            self._loop("e", 0, rows, 1, length)
        row = "0" if rows == 1 else "e"
        parts = [f"a{self.names[node]}_{k}" for k in range(count)]
        for k, part in enumerate(parts):
            self.lines.append(f"{kind} {part} = {self._read(flat, f'{row} * {length} + {k}')};")
        if cut > count:
            self._loop("k", count, cut, count, count if rows == 1 else WRITTEN_OUT)
            for k, part in enumerate(parts):
                self.lines.append(f"{part} = {join.format(part, self._read(flat, f'{row} * {length} + k + {k}'))};")
            self.lines.append("}")
        for k in range(cut, length):
            self.lines.append(f"{parts[0]} = {join.format(parts[0], self._read(flat, f'{row} * {length} + {k}'))};")
        while len(parts) > 1:
            parts = [join.format(a, b) for a, b in zip(parts[::2], parts[1::2], strict=True)]
        if rows == 1:
            self.lines.append(f"q{self.names[node]} = {parts[0]}; const {kind} {self.names[node]} = q{self.names[node]};")
            self._store(node, "0", self.names[node], 1)
        else:
            self.lines.append(f"const {kind} x = {parts[0]};")
            self._store(node, "e", "x", rows)
            self.lines.append("}")

    def _concat(self, node: Node) -> None:
        start = 0
        for view in node.args:
            self._loop_copy(view, f"{self.names[node]} + {start}")
            start += view.index.size

    def _fori_loop(self, node: Node) -> None:
        """The rounds, on the state where it lies."""
        self._concat(node)
        loop, name = node.loop, self.names[node]
        assert loop is not None
        starts = np.cumsum([0, *(view.index.size for view in loop.inputs)])
        places = [Address(name, int(start)) for start in starts]
        inputs = {view.node: place for view, place in zip(loop.inputs, places, strict=False)}
        outputs = list(zip(loop.outputs, places, strict=False))
        order = arranged(loop.nodes, loop.outputs, inputs)
        inner = Emitter(order, inputs, outputs, self.tables, self.tile, self.usual, f"{self.prefix}r", self.base)
        self._loop("round", 0, loop.count, 1, WRITTEN_OUT)
        self.lines.append(f"{inner.body()}\n}}")
        self.scratch = max(self.scratch, inner.scratch)
        self.has_interleaved_chains |= inner.has_interleaved_chains

    def _copies(self, copied_outputs: list[tuple[View, Address]]) -> None:
        """Late outputs, by way of a copy where one output's place is another one's source."""
        second: list[tuple[str, str, int]] = []
        for view, place in copied_outputs:
            target, size = _pointer(view.dtype, place), view.index.size
            if view.node in self.inputs and not self.inputs[view.node].shared and self.inputs[view.node].array == place.array:
                kind = vector_type(view.dtype)
                self.lines.append(f"{kind} *const c{len(second)} = ({kind} *)(w + {self._scratch(size, kind)});")
                self._loop_copy(view, f"c{len(second)}")
                second.append((f"c{len(second)}", target, size))
            else:
                self._loop_copy(view, target)
        for name, target, size in second:
            self._loop("e", 0, size, body=f"({target})[e] = {name}[e];")

    def _loop_copy(self, view: View, target: str) -> None:
        flat = View(view.node, view.index.reshape(-1))
        if flat.index.size:
            self._loop("e", 0, flat.index.size, body=f"({target})[e] = {self._read(flat, 'e')};")

    def _contraction(self, group: Group) -> None:
        node = group.head
        assert node is not None
        a, b = node.args
        batch, rows, depth = a.shape
        columns = b.shape[2]
        sums = self._open_sums(group, 4)
        statements = 1 if self.tiles <= TILES else WRITTEN_OUT
        self._range("g", 0, batch, 1, rows * columns)
        for i0, i1, ti in _tiles(rows, self.tile[0]):
            self._range("i", i0, i1, ti, statements)
            for j0, j1, tj in _tiles(columns, self.tile[1]):
                self._range("j", j0, j1, tj, statements)
                self._tile(group, node, ti, tj, depth, rows, columns, sums)
                self.lines.append("}")
            self.lines.append("}")
        self.lines.append("}")
        self._close_sums(sums)

    @cached_property
    def tiles(self) -> int:
        """How many tiles all contractions have."""
        shapes = [(g.head.args[0].shape, g.head.args[1].shape[2]) for g in self.schedule.groups if g.head is not None]
        high, wide = self.tile
        return sum(batch * -(-rows // high) * -(-columns // wide) for (batch, rows, _), columns in shapes)

    def _range(self, name: str, first: int, last: int, step: int, statements: int) -> None:
        """A loop, or a block where there is one round."""
        if last - first > step:
            self._loop(name, first, last, step, statements)
        else:
            self.lines.append(f"{{ constexpr int {name} = {first};")

    def _tile(self, group: Group, node: Node, ti: int, tj: int, depth: int, rows: int, columns: int, sums: Any) -> None:
        a, b = node.args
        kind = vector_type(node.dtype)
        for first in (True, False):
            if not first:
                if depth == 1:
                    break
                self.lines.append(f"{self._written_out(4)} for (int k = 1; k < {depth}; k++) {{")
            k = "0" if first else "k"
            left = [self._cell(a, ("g", f"(i + {x})", k)) for x in range(ti)]
            right = [self._cell(b, ("g", k, f"(j + {y})")) for y in range(tj)]
            z = "z" if first else ""
            for name, texts, held in (("a", left, False), ("b", right, True)):
                self.lines.append(
                    " ".join(
                        f"{kind} {z}{name}{x} = {text};{f' hold({z}{name}{x});' if held else ''}" for x, text in enumerate(texts)
                    )
                )
            for x in range(ti):
                for y in range(tj):
                    self.lines.append(f"{kind} m{x}_{y} = za{x} * zb{y};" if first else f"m{x}_{y} += a{x} * b{y};")
            if not first:
                self.lines.append("}")
        count = sums[0][1] if sums else 1
        for x in range(ti):
            for y in range(tj):
                at = f"((g * {rows} + i + {x}) * {columns} + j + {y})"
                self._element(group, at, {node: f"m{x}_{y}"}, (x * tj + y) % count)

    # Reading

    def _value(self, node: Node, at: str, local: dict[Node, str], loads: dict[str, str] | None = None) -> str:
        if node.kind == "take_along":
            return self._pick(node, at, local)
        given = [self._read(view, at, local, loads) for view in node.args]
        if node.name == "copy":
            source = node.args[0].dtype
            return (
                given[0]
                if vector_type(source) == vector_type(node.dtype) and source != "bool"
                else _cast(given[0], source, node.dtype)
            )
        text = OPS[node.name].text.format(*given)
        if OPS[node.name].result == "mask":
            return f"mask({text})"
        return text

    def _pick(self, node: Node, at: str, local: dict[Node, str]) -> str:
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
        """Where element `at` of a flat index lies: a formula where there is one, else a table."""
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
            return f"fill<{vector_type(node.dtype)}>((({scalar_type(node.dtype)} *)(sh + {own.offset}))[{element}])"
        if own is not None:
            return f"({_pointer(node.dtype, own)})[{element}]"
        return f"{self.buffers[node]}[{element}]" if node in self.buffers else self.names[node]


def _pointer(dtype: str, place: Address) -> str:
    return f"(({vector_type(dtype)} *)({place.array} + {place.offset}))"


def _is_costly(nodes: Sequence[Node]) -> bool:
    """Whether there is a function among them that takes many instructions, one waiting for the other."""
    return any(node.kind == "map" and OPS[node.name].flops >= 20 for node in nodes)


def _neutral(node: Node) -> str:
    if node.name in ("max", "min"):
        return (
            literal(-math.inf if node.name == "max" else math.inf)
            if node.dtype.startswith("float")
            else ("-2147483647" if node.name == "max" else "2147483647")
        )
    return {"add": "0", "mul": "1", "and": "-1", "or": "0"}[node.name]


def _cast(value: str, source: str, target: str) -> str:
    if target == "bool":
        return f"mask({value} != 0)"
    text = f"(-{value})" if source == "bool" else value
    return f"__builtin_convertvector({text}, {vector_type(target)})"


def _tiles(size: int, most: int) -> list[tuple[int, int, int]]:
    """A range cut into (first, end, tile): equal tiles, and what is left."""
    tile = -(-size // -(-size // most))
    full = size - size % tile
    return [(0, full, tile), *([(full, size, size - full)] if full < size else [])]
