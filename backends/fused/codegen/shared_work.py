"""Work on what all lanes share, done once a call: its results join the shared numbers. Needs `ir`, `emit`.

A node that rests on shared inputs and constants alone is shared itself; those that others read, or that are results, are
kept, a number for each element.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from backends.fused.codegen.emit import Emitter
from backends.fused.codegen.operands import Address, ConstantPool, scalar_type, vector_type
from backends.fused.ir.graph import Node, View, full_view
from backends.fused.passes.arrange import arranged
from backends.fused.passes.schedule import needed


class SharedWork:
    """The shared work of some functions of one kernel.

    Args:
        given: shared numbers that the caller passes.
        tables: of the kernel; what is wider than its dtype is not hoisted.
    """

    def __init__(self, given: int, tables: ConstantPool) -> None:
        self.given, self.tables = given, tables
        self.size = self.scratch = 0
        self.bodies: list[str] = []
        self.copies: list[str] = []

    def places(self, nodes: Sequence[Node], where: Mapping[Node, Address], outputs: Sequence[View]) -> dict[Node, Address]:
        """Addresses of the shared results that a function needs."""
        live = needed(nodes, outputs)
        shared = {node for node in live if node in where and where[node].shared}
        for node in live:
            wide = node.dtype == "float64" and self.tables.dtype == "float32"
            if node not in where and not wide and all(v.node in shared for v in node.args):
                shared.add(node)
        work = {node for node in shared if node.kind not in ("input", "const")}
        read = {view.node for node in live if node not in shared for view in node.args} | {view.node for view in outputs}
        found, stores = {}, []
        for node in [node for node in live if node in work and node in read]:
            found[node] = Address("sh", self.given + self.size, True)
            stores.append((full_view(node, (node.size,)), Address("h", self.size)))
            kind, vector = scalar_type(node.dtype), vector_type(node.dtype)
            self.copies.append(
                f"for (long e = 0; e < {node.size}; e++) "
                f"LW_AT({kind}, sh, {self.given + self.size})[e] = first_lane(LW_AT({vector}, h, {self.size})[e]);"
            )
            self.size += node.size
        if stores:
            order = arranged(nodes, [view for view, _ in stores], where)
            emitter = Emitter(order, dict(where), stores, self.tables, (2, 2), False)
            self.bodies.append(f"{{\n{emitter.body()}\n}}")
            self.scratch = max(self.scratch, emitter.scratch)
        return found

    def body(self) -> str:
        """The statements that compute it all, of vectors whose lanes are equal."""
        return "\n".join([*self.bodies, *self.copies])
