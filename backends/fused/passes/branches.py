"""Lane branches: nodes used only by one side of a `select` whose condition is one boolean of the lane, or by selects around it.

A vector of lanes skips them when no lane takes that side of all; each lane selects by its own condition either
way, so that no lane's numbers depend on another. Needs `ir`.

Source:
    Shin, Introducing control flow into vectorized code, PACT 2007 (branches on superword condition codes): a trace has turned
    every branch into selects, and this takes those back that are worth a jump.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from backends.fused.ir.graph import Node, View

LEAST = 300
"""Flops below which a test and a jump cost about what they save."""

MIN_SHARE = 0.03
"""Of a function's flops below which there is no branch: its nodes join no loop of the rest."""

INNER = 0.5
"""Share of a branch's flops above which a branch inside of it is taken in its place: a step that is
accepted is not rare; work for a few of the accepted ones is."""


@dataclass(frozen=True)
class Branch:
    """`nodes` are needed where all of `predicates`, each one boolean of the lane, hold."""

    predicates: tuple[View, ...]
    nodes: frozenset[Node]


@dataclass(frozen=True)
class Work:
    """Nodes `only` needed where `truth` holds."""

    truth: View
    only: frozenset[Node]
    flops: int


def find(nodes: Sequence[Node], outputs: Iterable[View], flops: Callable[[Collection[Node]], int]) -> list[Branch]:
    """The works that are worth a test and a jump, each decided on by a truth of its own, in an order to compute them in."""
    readers: dict[Node, list[tuple[Node, int]]] = {}
    selects: dict[Node, list[Node]] = {}  # by their truth
    for node in nodes:
        for place, view in enumerate(node.args):
            readers.setdefault(view.node, []).append((node, place))
        if node.name == "select" and node.args[0].node.size == 1:
            selects.setdefault(node.args[0].node, []).append(node)
    kept, places = {view.node for view in outputs}, {node: place for place, node in enumerate(nodes)}
    least, works = max(LEAST, MIN_SHARE * flops(nodes)), list[Work]()
    for own in selects.values():
        only = _only(nodes, places, readers, kept, own)
        if (size := flops(only)) >= INNER * least:  # else it is no branch, and no branch inside of one
            truth = own[-1].args[0]
            works.append(Work(truth.at(truth.index.reshape(-1)[:1]), only, size))
    works.sort(key=lambda work: -work.flops)
    chosen = list[Branch]()
    for work in works:
        for stage in _stages(nodes, _inner(work, works, flops)):
            if flops(stage) >= least and not any(stage & other.nodes for other in chosen):
                chosen.append(Branch((work.truth,), stage))
    inside = frozenset().union(*(branch.nodes for branch in chosen))
    return _ordered(nodes, [_behind_all(branch, works, inside) for branch in chosen])


def _inner(work: Work, works: Iterable[Work], flops: Callable[[Collection[Node]], int]) -> frozenset[Node]:
    """The nodes of a work that other truths decide on, too, as long as they are most of it."""
    found = work.only
    for other in works:
        both = found & other.only
        if len(both) < len(found) and flops(both) >= INNER * work.flops:
            found = both
    return found


def _behind_all(branch: Branch, works: Iterable[Work], inside: frozenset[Node]) -> Branch:
    """The branch behind the truths of all selects around it, but for those that a branch computes."""
    (own,) = branch.predicates
    around = [work.truth for work in works if branch.nodes <= work.only and work.truth.node not in inside]
    return Branch((own, *(truth for truth in around if truth.node is not own.node)), branch.nodes)


def _ordered(nodes: Sequence[Node], chosen: list[Branch]) -> list[Branch]:
    """Works in an order in which what one reads of another comes first; in cycles, the first one alone."""
    before: dict[Node, set[int]] = {}
    for node in nodes:
        own = {k for k, branch in enumerate(chosen) if node in branch.nodes}
        before[node] = own.union(*(before.get(view.node, set()) for view in node.args))
    needs = [
        set().union(*(before.get(node, set()) for node in (*(truth.node for truth in branch.predicates), *branch.nodes))) - {k}
        for k, branch in enumerate(chosen)
    ]
    done: list[int] = []
    while free := [k for k in range(len(chosen)) if k not in done and needs[k] <= set(done)]:
        done.append(free[0])
    return [chosen[k] for k in done]


def _stages(nodes: Sequence[Node], only: frozenset[Node]) -> list[frozenset[Node]]:
    """The work cut where it reads what rests on a choice that it made before: all of a stage can stand together."""
    # The stage of a node counts how often its inputs went into the work, out of it by a select, and in again: work behind a
    # select of this truth cannot stand in one region with the work before it.
    stage: dict[Node, int] = {}
    for node in nodes:
        own = node in only
        stage[node] = max(
            (stage.get(v.node, 0) + (v.node in only and not own) for v in node.args),
            default=0,
        )
    found: dict[int, set[Node]] = {}
    for node in only:
        found.setdefault(stage[node], set()).add(node)
    return [frozenset(found[k]) for k in sorted(found)]


def _only(
    nodes: Sequence[Node], places: dict[Node, int], readers: dict[Node, list[tuple[Node, int]]], kept: set[Node], selects: list[Node]
) -> frozenset[Node]:  # fmt: skip
    """Nodes that are read by selects by one truth alone, as their value where it holds."""
    # Backwards from those values, readers first: a node is only for this truth if all its readers are, or are such selects.
    own, only = set(selects), set[Node]()
    waiting = [-places[select.args[1].node] for select in selects if select.args[1].node in places]
    heapq.heapify(waiting)
    while waiting:
        place = heapq.heappop(waiting)
        while waiting and waiting[0] == place:
            heapq.heappop(waiting)
        node = nodes[-place]
        if node.kind in ("input", "const") or node in kept:
            continue
        if all(reader in only or (reader in own and where == 1) for reader, where in readers[node]):
            only.add(node)
            for view in node.args:
                if view.node in places:
                    heapq.heappush(waiting, -places[view.node])
    return frozenset(only)
