"""Loops over the elements of a group of nodes. Needs `reader`."""

from __future__ import annotations

from backends.fused.codegen.operands import vector_type
from backends.fused.codegen.reader import Reader
from backends.fused.ir.graph import Node, View
from backends.fused.ir.ops import OPS
from backends.fused.passes.schedule import Group

WRITTEN_OUT = 48
"""Statements up to which a loop is written out: the C++ compiler gains little beyond, and its passes take long over each."""

MAX_INTERLEAVE = 8
"""Most elements of a loop with costly functions that are computed side by side."""

SEVERAL = frozenset({"exp"})
"""Functions that `vmath.h` has for several vectors at once."""


class Loops(Reader):
    """Loop heads, and the statements of one element."""

    def _loop(self, name: str, first: int, last: int, step: int = 1, statements: int = 1, body: str = "{") -> None:
        """The head of a loop, which stays one unless it is short."""
        rounds = -(-(last - first) // step)
        kept = self._written_out(rounds if rounds * statements <= WRITTEN_OUT else 0)
        self.lines.append(f"{kept} for (int {name} = {first}; {name} < {last}; {name} += {step}) {body}")

    def _written_out(self, rounds: int) -> str:
        """The pragma that writes out some rounds of a loop, where that is worth it; 0: none."""
        return f"LW_WRITTEN_OUT({rounds})" if rounds and self.unroll and self.usual else "LW_LOOP"

    def _range(self, name: str, first: int, last: int, step: int, statements: int = WRITTEN_OUT) -> None:
        """A loop over tiles, or a block where there is one round."""
        if last - first > step:
            self._loop(name, first, last, step, statements)
            if self.unroll and self.usual:
                self.lines[-1] = self.lines[-1].replace("LW_LOOP", "LW_TILES")
        else:
            self.lines.append(f"{{ constexpr int {name} = {first};")

    def _loop_copy(self, view: View, target: str) -> None:
        flat = View(view.node, view.index.reshape(-1))
        if flat.index.size:
            self._loop("e", 0, flat.index.size, body=f"({target})[e] = {self._read(flat, 'e')};")

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
        targets += [names[node] for names in (self.buffers, self.passed) if node in names]
        self.defined.add(node)
        for target in targets:
            self.lines.append(f"{self._each()}{target}[{at}] = {value};")

    def _interleaved(self, group: Group) -> None:
        """Elements some at a time, statement by statement: each is a chain of operations that wait for one another.

        Interleaving hides latency (Lam, Software pipelining, PLDI 1988): an out-of-order core looks only a few elements ahead.
        """
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
