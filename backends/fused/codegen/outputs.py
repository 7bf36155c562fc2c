"""Buffers and outputs of a function: computed in place where nothing reads the old value later, else copied. Needs `tiles`."""

from __future__ import annotations

from backends.fused.codegen.operands import PARTS, Address, pointer, vector_type
from backends.fused.codegen.tiles import Tiles
from backends.fused.ir.graph import Node, View
from backends.fused.passes.memory_plan import Buffer, pack
from backends.fused.passes.schedule import Group, is_branch


class Outputs(Tiles):
    """Places of the nodes that outlive their loop."""

    def _plan_outputs(self) -> list[tuple[View, Address]]:
        copied_outputs = []
        for view, place in self.outputs:
            own = self.inputs.get(view.node)
            if own is not None and own.array == place.array and own.offset == place.offset and view.is_whole():
                continue
            if (
                view.node in self.schedule.place
                and view.is_whole()
                and view.node.kind not in PARTS
                and self._is_free(view.node, place)
            ):
                self.in_place.setdefault(view.node, []).append(pointer(view.dtype, place))
            else:
                copied_outputs.append((view, place))
        return copied_outputs

    def _is_free(self, writer: Node, place: Address) -> bool:
        """True where writing as soon as the value is known overwrites nothing that is read after."""
        # The state is read and written in one memory: a new value may be stored where the old one stands as soon as every reader
        # of the old one has run (a write-after-read dependence), and nothing copies the old one somewhere else at the end.
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

    def _allocate(self, copied_outputs: list[tuple[View, Address]]) -> None:
        """A buffer for every node that another group or a copied output reads; single numbers are variables.

        A buffer's room is another's of its C++ type after its last reader.
        """
        kinds: dict[str, list[Buffer]] = {}
        readers = self.schedule.readers()
        end = len(self.schedule.groups)
        last = {node: max(readers.get(node, set()), default=-1) for node in self.schedule.place}
        last |= {view.node: end for view, _ in copied_outputs}
        for node, place in sorted(self.schedule.place.items(), key=lambda item: item[1]):
            outside = last[node] > place or node.kind in PARTS
            inner = any(
                not self._is_local(place, v) for n in self.schedule.groups[place].nodes() for v in n.args if v.node is node
            )
            part = self.schedule.part(place)
            leaves = is_branch(part) and part != self.schedule.part(last[node])
            passed = bool(self.function) and (
                (self.is_long and outside) or any(self._is_apart(part, reader) for reader in readers.get(node, set()))
            )
            if leaves or passed or (node.size > 1 and (outside or inner)):
                name = f"b{self.names[node]}" if node.size == 1 else self.names[node]
                (self.passed if node.size == 1 and not leaves else self.buffers)[node] = name
                kinds.setdefault(vector_type(node.dtype), []).append(Buffer(name, node.size, place, max(last[node], place)))
        for kind, buffers in kinds.items():
            starts, size = pack(buffers)
            base = self._scratch(size, kind)
            self.has_wide_buffers |= self._places(kind) > 1
            for buffer, start in zip(buffers, starts, strict=True):
                offset = base + start * self._places(kind)
                self.lines.append(f"LW_BUFFER({kind}, {buffer.name}, {offset});")

    def _is_apart(self, part: int, group: int) -> bool:
        """Whether a group is in a branch that what is computed in some part must be handed to."""
        other = self.schedule.part(group)
        return is_branch(other) and other != part

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

    def _copies(self, copied_outputs: list[tuple[View, Address]]) -> None:
        """Copied outputs, by way of another copy where one output's place is another one's source."""
        second: list[tuple[str, str, int]] = []
        for view, place in copied_outputs:
            target, size = pointer(view.dtype, place), view.index.size
            if view.node in self.inputs and not self.inputs[view.node].shared and self.inputs[view.node].array == place.array:
                kind = vector_type(view.dtype)
                self.lines.append(f"LW_BUFFER({kind}, c{len(second)}, {self._scratch(size, kind)});")
                self._loop_copy(view, f"c{len(second)}")
                second.append((f"c{len(second)}", target, size))
            else:
                self._loop_copy(view, target)
        for name, target, size in second:
            self._loop("e", 0, size, body=f"({target})[e] = {name}[e];")
