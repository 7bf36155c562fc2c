"""Work of a lane function that only some lanes want: what a select by one truth of the lane alone reads.

A vector of lanes computes it where any of them wants it, and skips it otherwise; each lane chooses by its own truth either
way, so that no lane's numbers depend on another. Needs `ir`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from backends.fused.ir import Node, View

LEAST = 300
"""Flops below which a test and a jump cost about what they save."""

SHARE = 0.1
"""Of a function's flops below which no work is set apart: what is apart joins no loop of the rest."""


@dataclass(frozen=True)
class Rare:
    """`nodes` are wanted where `wanted`, one truth of the lane, holds."""

    wanted: View
    nodes: frozenset[Node]


def find(nodes: Sequence[Node], outputs: Iterable[View], flops: Callable[[Collection[Node]], int]) -> Rare | None:
    """The most work that one truth decides on; None where none is worth it."""
    readers: dict[Node, list[tuple[Node, int]]] = {}
    for node in nodes:
        for place, view in enumerate(node.args):
            readers.setdefault(view.node, []).append((node, place))
    kept = {view.node for view in outputs}
    truths = {node.args[0].node: node.args[0] for node in nodes if node.name == "select" and node.args[0].node.size == 1}
    found = [Rare(view.at(view.index.reshape(-1)[:1]), _only(nodes, readers, kept, view.node)) for view in truths.values()]
    most = max(found, key=lambda rare: flops(rare.nodes), default=None)
    worth = max(LEAST, SHARE * flops(nodes))
    return most if most is not None and flops(most.nodes) >= worth else None


def _only(nodes: Sequence[Node], readers: dict[Node, list[tuple[Node, int]]], kept: set[Node], truth: Node) -> frozenset[Node]:
    """What is read by selects by this truth, as what they take where it holds, and by nothing else."""
    only: set[Node] = set()
    for node in reversed(nodes):
        if node.kind in ("input", "const") or node in kept or node not in readers:
            continue
        if all(
            reader in only or (reader.name == "select" and place == 1 and reader.args[0].node is truth)
            for reader, place in readers[node]
        ):
            only.add(node)
    return frozenset(only)
