"""Arrays of the state that a step only remembers: L' = where(m, P, L), with P an array as it was before the step.

Of a row of steps only the last one's P matters where its m is true, so the loop over lanes copies it once in many steps
(`step_with_deferred` in runtime.h) and the steps between load, choose and store nothing. Needs `ir` and `schedule`.

That is speculation with a rollback: a row of steps runs as if m held in all of them; where it did not hold for a lane in the
last one, the row starts again from a snapshot, step by step. m is false only as a lane ends, so that this is rare.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from backends.fused.ir.graph import Graph, View
from backends.fused.passes.schedule import needed

P = TypeVar("P")
"""The place of an output."""


@dataclass(frozen=True)
class Deferred:
    """`dst_src` are (dst, src), places of L and P in the state; `mask` is m, one boolean of the lane."""

    dst_src: tuple[tuple[int, int], ...]
    mask: View


def find(graph: Graph, state: list[View], outputs: list[View], status: int) -> Deferred | None:
    """Selects that share the first m on which the status depends: where it is false a lane is about to be done, which is rare.

    Args:
        graph: that the step was lowered into.
        state: the views of the state before the step.
        outputs: of the state after it, in the same order.
        status: which of them is the status.
    """
    places = {view.node: k for k, view in enumerate(state)}
    grounds = set(needed(graph.nodes, [outputs[status]]))
    found: dict[int, tuple[int, View]] = {}
    for k, (before, after) in enumerate(zip(state, outputs, strict=True)):
        if after.node.kind != "map" or after.node.name != "select" or not after.is_whole():
            continue
        mask, kept, own = after.node.args
        remembers = own.node is before.node and own.is_whole() and kept.node in places and kept.is_whole()
        if remembers and mask.node.size == 1 and mask.node in grounds:
            found[k] = places[kept.node], mask.at(mask.index[:1])
    found = {k: pair for k, pair in found.items() if pair[1].node is next(iter(found.values()))[1].node}
    rest = [view for k, view in enumerate(outputs) if k not in found]
    read = {view.node for node in needed(graph.nodes, rest) for view in node.args} | {view.node for view in rest}
    dst_src = {k: place for k, (place, _) in found.items() if state[k].node not in read and place not in found}
    return Deferred(tuple(dst_src.items()), found[next(iter(dst_src))][1]) if dst_src else None


def remove_deferred(found: Deferred, outputs: list[View], places: list[P], mask: P) -> None:
    """Drop the deferred selects from the outputs and their places, and add their mask."""
    gone = dict(found.dst_src)
    kept = [k for k in range(len(outputs)) if k not in gone]
    outputs[:], places[:] = [*(outputs[k] for k in kept), found.mask], [*(places[k] for k in kept), mask]
