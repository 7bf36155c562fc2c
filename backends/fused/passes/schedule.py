"""Which nodes of a lane function are computed in one loop. Needs `ir`.

A `Group` is one loop over `size` elements, led by a contraction or not. A node joins a loop where everything it reads of
that loop it reads element by element; a sum over a whole loop becomes an accumulator of it. What only its own loop reads
is never stored.

Source:
    Kennedy and McKinley, Maximizing loop parallelism and improving data locality via loop fusion and distribution, LCPC 1993:
    greedy fusion in topological order, as here; finding the fewest loops is NP-hard.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, field

from backends.fused.ir.graph import Node, View


def is_branch(part: int) -> bool:
    """Whether a part, counted from 1, is computed only where a lane wants it: every other one is."""
    return part % 2 == 0


@dataclass
class Group:
    """One loop: `head` is the contraction that leads it; `members` are maps, picks and joined sums in order."""

    size: int
    head: Node | None = None
    members: list[Node] = field(default_factory=list)
    alone: bool = False

    def nodes(self) -> list[Node]:
        """All nodes that it computes."""
        return [*([self.head] if self.head else []), *self.members]


@dataclass
class Schedule:
    """Groups in order, and which group computes a node."""

    groups: list[Group]
    place: dict[Node, int]
    starts: list[int] = field(default_factory=list)  # the first group of each part

    def part(self, group: int) -> int:
        """The part that a group belongs to."""
        return sum(group >= start for start in self.starts)

    def readers(self) -> dict[Node, set[int]]:
        """Node -> the groups that read it."""
        found: dict[Node, set[int]] = {}
        for k, group in enumerate(self.groups):
            for node in group.nodes():
                for view in node.args:
                    found.setdefault(view.node, set()).add(k)
        return found


def needed(nodes: Iterable[Node], outputs: Iterable[View], given: Container[Node] = ()) -> list[Node]:
    """The nodes that outputs depend on, in their order, without what is given and what only that depends on."""
    live = {view.node for view in outputs}
    kept = []
    for node in reversed(list(nodes)):
        if node in live and node not in given:
            kept.append(node)
            live.update(view.node for view in node.args)
    return kept[::-1]


def schedule(nodes: Iterable[Node], branches: Sequence[frozenset[Node]] = (), truths: Container[Node] = ()) -> Schedule:
    """Groups for nodes in an order in which arguments come first; the nodes of a branch stand together, as a part of their own.

    The predicates of branches are read in front of them, too.
    """
    made = Schedule([], {})
    for part in _parts(list(nodes), branches):
        made.starts.append(len(made.groups))
        for node in part:
            if node.kind not in ("input", "const"):
                _place(made, node)
    _sink(made, truths)
    return made


def _parts(nodes: list[Node], branches: Sequence[frozenset[Node]]) -> list[list[Node]]:
    """By turns, the nodes that need no branch from here on, and the next branch."""
    parts: list[list[Node]] = []
    left = nodes
    for k, work in enumerate(branches):
        waiting = frozenset().union(*branches[k:])
        late: set[Node] = set()
        for node in left:
            if node in waiting or any(view.node in late for view in node.args):
                late.add(node)
        parts += [[node for node in left if node not in late], [node for node in left if node in work]]
        left = [node for node in left if node in late and node not in work]
    return [*parts, left]


def _place(made: Schedule, node: Node) -> None:
    """Into the first group of the last part that takes the node, or a new one."""
    if joined := _joined(made, node):
        made.groups[joined - 1].members.append(node)
        made.place[node] = joined - 1
        return
    first = max((_earliest(made, node, view) for view in node.args), default=0)
    fits = [k for k in range(max(first, made.starts[-1]), len(made.groups)) if _takes(made.groups[k], node)]
    if not fits:
        alone = node.kind in ("reduce", "concat", "fori_loop")
        made.groups.append(Group(node.size, node if node.kind == "contract" else None, alone=alone))
        fits = [len(made.groups) - 1]
    if node.kind != "contract":
        made.groups[fits[0]].members.append(node)
    made.place[node] = fits[0]


def _sink(made: Schedule, truths: Container[Node]) -> None:
    """Move maps of inputs to the one later loop that reads them, where they need no storing."""
    # From the last group to the first, so that a chain of maps over several groups moves as one. A map that reads a node of its
    # own group stays: its argument would have to be stored for it. Into or out of a branch nothing moves: it would be computed
    # for other lanes.
    uses: dict[Node, list[tuple[Node, View]]] = {}
    for reader in made.place:
        for view in reader.args:
            uses.setdefault(view.node, []).append((reader, view))
    for k in range(len(made.groups) - 1, -1, -1):
        group = made.groups[k]
        maps = [n for n in group.members[::-1] if n.kind == "map" and n not in truths]
        for node in [n for n in maps if all(made.place.get(v.node) != k for v in n.args)]:
            readers = uses.get(node, [])
            places = {made.place[reader] for reader, _ in readers}
            if len(places) != 1 or k in places:
                continue
            (place,) = places
            if made.part(place) != made.part(k) and (is_branch(made.part(place)) or is_branch(made.part(k))):
                continue
            later = made.groups[place]
            fits = later.size == node.size and not later.alone
            if fits and all(
                reader.kind in ("map", "reduce") and view.is_whole() and view.index.size == node.size for reader, view in readers
            ):
                group.members.remove(node)
                later.members.insert(0, node)
                made.place[node] = place


def _takes(group: Group, node: Node) -> bool:
    return node.kind in ("map", "take_along") and not group.alone and group.size == node.size


def _earliest(made: Schedule, node: Node, view: View) -> int:
    """The first group in which the node may read the view."""
    if view.node not in made.place:
        return 0
    place = made.place[view.node]
    group = made.groups[place]
    same = node.kind == "map" and view.node.kind != "reduce" and group.size == node.size and not group.alone and view.is_whole()
    return place if same else place + 1


def _joined(made: Schedule, node: Node) -> int:
    """1 + the group over all of whose elements a node sums; 0 where there is none."""
    if node.kind != "reduce" or node.size != 1:
        return 0
    view = node.args[0]
    place = made.place.get(view.node)
    if (
        place is None
        or place < made.starts[-1]
        or view.node.kind not in ("map", "contract", "take_along")
        or made.groups[place].size != view.index.size
    ):
        return 0
    return place + 1 if view.index.size > 1 and view.is_whole() and not made.groups[place].alone else 0
