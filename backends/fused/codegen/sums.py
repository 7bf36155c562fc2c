"""Reductions: accumulators, several for each sum so that they do not wait for one another. Needs `loops`."""

from __future__ import annotations

from collections.abc import Sequence

from backends.fused.codegen.loops import WRITTEN_OUT, Loops
from backends.fused.codegen.operands import neutral, vector_type
from backends.fused.ir.graph import Node, View
from backends.fused.ir.ops import OPS
from backends.fused.passes.schedule import Group


def _is_costly(nodes: Sequence[Node]) -> bool:
    """Whether there is a function among them that takes many instructions, one waiting for the other."""
    return any(node.kind == "map" and OPS[node.name].flops >= 20 for node in nodes)


class Sums(Loops):
    """Loops that sum, or join in another way, what they compute."""

    def _elementwise(self, group: Group) -> None:
        """A loop over the elements of a group, with its sums."""
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

    def _open_sums(self, group: Group, lanes: int) -> list[tuple[Node, int]]:
        """Accumulators, several for each sum so that they do not wait for one another."""
        found = []
        for node in group.members:
            if node.kind != "reduce":
                continue
            count = lanes if group.size % lanes == 0 else 1
            kind, start = vector_type(node.dtype), neutral(node)
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
