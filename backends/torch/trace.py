"""From a pure one-lane function to a graph of ATen operations, or a refusal that says why not.

The function is traced through torch.func (derivatives become plain operations), on two random lanes where it may be a user's:
a difference between the two graphs means that a number of one lane was frozen in. Needs `purity`, `linalg`, `source_lines` and `batch_invariant`.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import cache
from itertools import zip_longest
from typing import Any

import torch
from torch import Tensor
from torch.fx.node import Node, map_arg

from backends.base import Program
from backends.errors import TraceError
from backends.torch.batch_invariant import make_batch_invariant
from backends.torch.fori_loop import inline
from backends.torch.linalg import make_safe
from backends.torch.numpy_dispatch import stopping
from backends.torch.purity import Guard
from backends.torch.recorder import Call, RecordedGraph, mutates, record_graph
from backends.torch.source_lines import line_of, with_source_lines
from backends.tree import Tree, leaves, names, tree_map, unflatten

_aten = torch.ops.aten
_UNFAITHFUL = {
    torch.Tag.nondeterministic_seeded: (
        "draws random numbers",
        "a declared function is a pure function",
        "a datum: pass them as data",
    ),
    torch.Tag.dynamic_output_shape: ("makes a shape that depends on values", "shapes are fixed", "np.where(condition, a, b)"),
    torch.Tag.data_dependent_output: (
        "reads an array's value",
        "a declared function is a pure function",
        "np.where(condition, a, b)",
    ),
}


def proven(program: Program, lanes: list[dict[str, Tensor]]) -> list[dict[str, Tensor]]:
    """The lanes that a program's functions are traced on: one, where its users' own functions are proven to be pure apart."""
    if program.users is None:
        return lanes
    Traced(program.users, [(lane,) for lane in lanes], for_torch_kernels=False)
    return lanes[:1]


class Traced:
    """A one-lane function as a graph; called with trees of one lane's tensors, or batched by vmap.

    Of two lanes, it is traced on both and compared; of one it is taken to be pure. `polish` makes it fit to be run by torch's own
    kernels: linear algebra that does not raise, even rounding.
    """

    def __init__(self, function: Callable[..., Tree], lanes: list[tuple[Tree, ...]], for_torch_kernels: bool = True) -> None:
        self.function: Callable[..., Tree] | None = function
        self.arguments = lanes[0]
        self.inputs = names(list(lanes[0]))
        traces = [_trace(function, tree_map(torch.clone, lane)) for lane in lanes]  # one tensor, one input
        self.graph, self.results = traces[0][0], [results for _, results in traces]
        self.output: Tree = unflatten(self.results[0], [0] * len(leaves(self.results[0])))
        if len(traces) > 1:
            _compare(*(graph for graph, _ in traces))
        if for_torch_kernels:
            _loosen_views(self.graph)
            inline(self.graph)
            make_safe(self.graph)
        fold(self.graph)
        if for_torch_kernels and all(leaf.device.type == "cpu" for leaf in leaves(list(lanes[0]))):
            make_batch_invariant(self.graph)

    def line_of(self, node: Node) -> str:
        """The line of the user's code that a node of the graph comes from, by another trace; empty where it is not known."""
        if self.function is None:
            return ""
        place = list(self.graph.graph.nodes).index(node)
        graph, _ = _trace(self.function, tree_map(torch.clone, self.arguments), with_lines=True)
        fold(graph)
        again = list(graph.graph.nodes)
        return line_of(again[place]) if len(again) == len(self.graph.graph.nodes) else ""

    def release(self) -> Traced:
        """Forget the function, which may hold a whole problem, and all numbers; no line is asked for any more."""
        self.function, self.arguments, self.results = None, (), []
        return self

    def peak(self) -> int:
        """The most bytes of one lane's arrays that are alive at once while the graph runs."""
        last: dict[Node, Node] = {used: node for node in self.graph.graph.nodes for used in node.all_input_nodes}
        dies: dict[Node, int] = {}
        alive = most = 0
        for node in self.graph.graph.nodes:
            value = node.meta.get("val")
            size = value.numel() * value.element_size() if isinstance(value, Tensor) and node.op != "get_attr" else 0
            alive += size
            most = max(most, alive)
            if node in last:
                dies[last[node]] = dies.get(last[node], 0) + size
            alive -= dies.pop(node, 0)
        return most

    def flat(self, arguments: tuple[Tree, ...]) -> list[Tensor]:
        """The tensors of the arguments, in the graph's order."""
        return [leaf for argument in arguments for leaf in leaves(argument)]

    def __call__(self, *arguments: Tree) -> Tree:
        """Run the graph."""
        return unflatten(self.output, list(self.graph(*self.flat(arguments))))


def _trace(function: Callable[..., Tree], lane: tuple[Tree, ...], with_lines: bool = False) -> tuple[RecordedGraph, Tree]:
    """The graph, and the results on this lane."""
    output: list[Tree] = []

    def flat(*tensors: Tensor) -> list[Tensor]:
        found = function(*unflatten(list(lane), list(tensors)))
        output[:] = [found]
        return leaves(found)

    told = with_source_lines(flat.__code__) if with_lines else nullcontext()
    with stopping(), Guard(), told, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torch about its own internals, once per process
        graph, results = record_graph(flat, leaves(list(lane)), _refuse)
        if any(mutates(node) for node in graph.graph.nodes):  # what some of torch's operations are made of
            graph, results = record_graph(graph.module(), leaves(list(lane)), _refuse)
    return graph, unflatten(output[0], results)


def _refuse(call: Call) -> None:
    """Raises on what is no pure function, or of no static shape."""
    for reason in _suspected(call.target) if call.op == "call_function" else ():
        if not _is_static_index(call):
            raise TraceError(f"{reason[0]} ({call.target})", *reason[1:])


@cache
def _suspected(target: object) -> list[tuple[str, str, str]]:
    return [reason for tag, reason in _UNFAITHFUL.items() if tag in getattr(target, "tags", ())]


def _loosen_views(graph: RecordedGraph) -> None:
    """A view of one lane need not be one of a batch, whose linear algebra lays its results out otherwise."""
    for node in graph.graph.nodes:
        if node.target is _aten.view.default:
            node.target = _aten.reshape.default


def _is_static_index(call: Call) -> bool:
    """Indexing has a dynamic shape only with a mask."""
    if call.target is not _aten.index.Tensor:
        return False
    given = [i.value for i in call.args[1] if i is not None]
    return all(i is None or i.dtype not in (torch.bool, torch.uint8) for i in given)


def _compare(first: RecordedGraph, second: RecordedGraph) -> None:
    """Two traces of a pure function agree, constants included; names, which count dead nodes too, do not matter.

    A constant that is one object in both was there before: a tensor that changes later is no constant.
    """
    if any(_held(first, a) is _held(second, b) is not None for a, b in zip(first.graph.nodes, second.graph.nodes, strict=False)):
        raise TraceError(
            "reads a tensor that it did not capture as a variable, an attribute of a class or a module, say",
            "it would be frozen in, whatever it holds later", "the tensor as a variable of its own: capture the tensor as a variable, or as data",
        )  # fmt: skip
    if not all(_same(a, b) for a, b in zip_longest(_described(first), _described(second))):
        raise TraceError(
            "gives another computation at every call", "a number of one lane, a random or a changing one was frozen in",
            "a pure function, with np.where for choices and such numbers as data",
        )  # fmt: skip


def _described(graph: RecordedGraph) -> Iterator[tuple[str, Tensor | None]]:
    """Each node by its operation, its arguments with nodes as their places, and its constant."""
    places = {node: place for place, node in enumerate(graph.graph.nodes)}
    for node in places:
        args = map_arg((node.args, node.kwargs), lambda n: f"%{places[n]}")
        held = _held(graph, node)
        yield f"{node.op} {'' if node.op == 'get_attr' else node.target if node.op == 'call_function' else node.op} {args}", held


def _held(graph: RecordedGraph, node: Node) -> Tensor | None:
    """The constant that a node stands for."""
    return graph.constants[str(node.target)] if node.op == "get_attr" else None


def _same(a: tuple[str, Tensor | None] | None, b: tuple[str, Tensor | None] | None) -> bool:
    if a is None or b is None or a[0] != b[0]:
        return False
    return a[1] is None or (b[1] is not None and _equal(a[1], b[1]))


def fold(graph: RecordedGraph) -> None:
    """Compute once what depends on no input, or only on the shape of one."""
    known: dict[Any, Any] = {}
    for node in list(graph.graph.nodes):
        if node.op == "get_attr":
            known[node] = graph.constants[node.target]
        elif node.op == "call_function" and (node.target in _SHAPE_ONLY or known.keys() >= set(node.all_input_nodes)):
            args, kwargs = map_arg((node.args, node.kwargs), lambda a: known[a] if a in known else _blank(a))
            value = node.target(*args, **kwargs)
            known[_hold(graph, node, value) if isinstance(value, Tensor) else node] = value
    graph.prune()


def _blank(node: Any) -> Tensor:
    """A tensor of a node's shape, dtype and device, for operations that do not read it."""
    like = node.meta["val"]
    return torch.zeros(like.shape, dtype=like.dtype, device=node.meta["device"])


_SHAPE_ONLY = {_aten.ones_like.default, _aten.zeros_like.default, _aten.full_like.default, _aten.new_zeros.default}


def _hold(graph: RecordedGraph, node: Any, value: Tensor) -> Any:
    """Put a constant in a node's place."""
    with graph.graph.inserting_before(node):
        held = graph.hold(f"constant_{node.name}", value)
    node.replace_all_uses_with(held)
    return held


def _equal(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype and bool(((a == b) | (a.isnan() & b.isnan())).all())
