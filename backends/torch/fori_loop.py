"""A pure step done a fixed number of times: a loop, or one node of the graph while operations are recorded.

The node is a call of an operation of our own, so that a backend may make a native loop of it; `inline` undoes it. The
step is recorded apart, once. Needs `recorder`.
"""

from __future__ import annotations

from collections.abc import Callable
from threading import Lock
from typing import Any

import torch
from torch import Tensor
from torch._C._functorch import TransformType
from torch._functorch.pyfunctorch import retrieve_all_functorch_interpreters, temporarily_clear_interpreter_stack
from torch.utils._python_dispatch import _disable_current_modes, _get_current_dispatch_mode_stack

from backends.torch.recorder import RecordedGraph, Recorder, record_graph

State = tuple[Any, ...]

BODIES: list[RecordedGraph] = []
"""The recorded steps; equal ones are one, so that two traces of a function agree."""

_NUMBERS: dict[str, int] = {}
"""Their numbers by their texts."""

_LOCK = Lock()

_LIBRARY = torch.library.Library("lanewise", "DEF")  # type: ignore[no-untyped-call]
_LIBRARY.define("fori_loop(Tensor[] state, int body, int count) -> Tensor[]")  # type: ignore[no-untyped-call]


def fori_loop(step: Callable[..., State], count: int, state: State) -> State:
    """`step(*state)` on its own results, `count` times; the step sees nothing else of a lane.

    Derivatives and vmap go through a plain loop.
    """
    if count < 1 or not _is_recorded():
        for _ in range(count):
            state = step(*state)
        return state
    return tuple(torch.ops.lanewise.fori_loop(list(state), _body(step, state), count))


def inline(graph: RecordedGraph) -> None:
    """Each such node as the calls that it stands for."""
    for node in list(graph.graph.nodes):
        if node.target is not torch.ops.lanewise.fori_loop.default:
            continue
        values, count = list(node.args[0]), node.args[2]
        with graph.graph.inserting_before(node):
            for _ in range(count):
                values = _copied(graph, node.args[1], values)
        for user in list(node.users):
            user.replace_all_uses_with(values[user.args[1]])
            graph.graph.erase_node(user)
        graph.graph.erase_node(node)


def _copied(graph: RecordedGraph, number: int, values: list[Any]) -> list[Any]:
    body, known, given = BODIES[number], {}, iter(values)
    for node in body.graph.nodes:
        if node.op == "placeholder":
            known[node] = next(given)
        elif node.op == "output":
            return [known[n] for n in node.args[0]]
        elif node.op == "get_attr":
            known[node] = graph.hold(f"body_{number}_{node.target}", body.constants[node.target])
        else:
            known[node] = graph.graph.node_copy(node, known.__getitem__)
    raise AssertionError("a recorded graph ends in its outputs")


def _is_recorded() -> bool:
    """Whether operations are written down now, under no transform that this operation has no rule for."""
    modes = _get_current_dispatch_mode_stack()
    return any(isinstance(mode, Recorder) for mode in modes) and all(
        level.key() == TransformType.Functionalize for level in retrieve_all_functorch_interpreters()
    )


def _body(step: Callable[..., State], state: State) -> int:
    """The number of a step's graph."""
    shapes = [(tuple(x.shape), x.dtype, x.device) for x in state]
    with temporarily_clear_interpreter_stack(), _disable_current_modes():
        inputs = [torch.zeros(shape, dtype=dtype, device=device) for shape, dtype, device in shapes]
        graph, _ = record_graph(lambda *tensors: list(step(*tensors)), inputs)
        graph.prune()
    with torch._C.DisableTorchFunction():  # the guard's: these are no lane's numbers
        text = _text(graph)
    with _LOCK:
        number = _NUMBERS.setdefault(text, len(BODIES))
        if number == len(BODIES):
            BODIES.append(graph)
    return number


def _text(graph: RecordedGraph) -> str:
    """A text that tells a graph from another: its operations, the inputs' types and the constants."""
    # torch's own text of a graph takes far longer
    told = [f"{node.name} {node.target} {node.args} {node.kwargs}" for node in graph.graph.nodes]
    constants = [graph.constants[n.target] for n in graph.graph.nodes if n.op == "get_attr"]
    inputs = [n.meta["val"] for n in graph.graph.nodes if n.op == "placeholder"]
    told += [f"{x.dtype} {tuple(x.shape)}" for x in inputs] + [f"{c.dtype} {c.tolist()}" for c in constants]
    return "\n".join(told)


def _run(state: list[Tensor], body: int, count: int) -> list[Tensor]:
    values = state
    for _ in range(count):
        values = list(BODIES[body](*values))
    return [value.clone() for value in values]  # an operation gives no alias of what it was given


_LIBRARY.impl("fori_loop", _run, "CompositeExplicitAutograd")  # type: ignore[no-untyped-call]
