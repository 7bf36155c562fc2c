"""Which nodes of a function are computed, which of them only where a lane wants them, and in what loops.

Needs `schedule` and `branches`; the passes in the order in which they run: dead code first, for branches weigh what is left,
then branches, for the nodes of one stand together, then loops.
"""

from __future__ import annotations

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass

from backends.fused.ir.graph import Node, View
from backends.fused.ir.ops import OPS
from backends.fused.passes.branches import Branch, find
from backends.fused.passes.schedule import Schedule, needed, schedule


@dataclass(frozen=True)
class Arrangement:
    """The nodes in order, the branches among them, and the loops."""

    nodes: list[Node]
    branches: list[Branch]
    schedule: Schedule


def arranged(nodes: Sequence[Node], outputs: Sequence[View], given: Container[Node] = ()) -> Arrangement:
    """The nodes of a graph that the outputs need, beyond those that are given."""
    live = needed(nodes, outputs, given)
    branches = find(live, outputs, flops)
    truths = {truth.node for branch in branches for truth in branch.predicates}
    return Arrangement(live, branches, schedule(live, [branch.nodes for branch in branches], truths))


def flops(nodes: Collection[Node]) -> int:
    """Floating-point operations of one lane."""
    total = 0
    for node in nodes:
        if node.kind == "map" and node.args[0].dtype.startswith("float"):
            total += node.size * OPS[node.name].flops
        elif node.kind == "reduce":
            total += node.args[0].index.size
        elif node.kind == "contract":
            total += 2 * node.size * node.args[0].shape[2]
        elif node.loop is not None:
            total += node.loop.count * flops(needed(node.loop.nodes, node.loop.outputs))
    return total
