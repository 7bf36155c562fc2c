"""From a graph of ATen operations of one lane to the lane IR. Needs `ir`, `movement` and `aten` for the operations.

What an operation means stands in `aten` (one entry an operation); operations that only move elements are run by
torch itself on the indices of their arguments (`movement`); what is neither is replaced by torch's own decomposition.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, _decomp
from torch.fx.node import Node as FxNode
from torch.fx.node import map_arg

from backends.errors import ExtensionError, Unsupported
from backends.fused.ir.graph import Graph, Loop, View
from backends.fused.lowering import movement
from backends.fused.lowering.aten import LOWERINGS
from backends.fused.lowering.call import LoweringContext, checked
from backends.fused.lowering.decomposed import DECOMPOSED
from backends.torch.fori_loop import BODIES
from backends.torch.recorder import RecordedGraph, record_graph
from backends.torch.trace import Traced, fold


class NotLowered(Unsupported):
    """An operation that the lane IR cannot express: its ATen name, why, and the user's line that it comes from."""

    def __init__(self, operation: str, why: str = "no lowering", line: str = "") -> None:
        super().__init__(f"{operation}: {why}{f', at {line}' if line else ''}")
        self.operation, self.why, self.line = operation, why, line
        self.node: FxNode | None = None


def dtype_name(dtype: torch.dtype) -> str:
    """NumPy's name of a torch dtype.

    Raises NotLowered for complex and half types.
    """
    name = str(dtype).removeprefix("torch.")
    if name not in ("float32", "float64", "bool", "int8", "int16", "int32", "int64", "uint8"):
        raise NotLowered(f"an array of dtype {name}")
    return name


def lowered(traced: Traced, inputs: list[View], graph: Graph) -> list[Any]:
    """The outputs of a traced function of one lane, given views for its inputs.

    Raises NotLowered, which names the operation and the line of the user's code that it comes from.
    """
    try:
        return lower(traced.graph, inputs, graph)
    except NotLowered as error:
        if error.node is None:
            raise
        name, why = _name(error.node), error.why  # of the user's operation, not of one that it is made of
        raise NotLowered(
            name, why if name == error.operation else f"{error.operation}: {why}", traced.line_of(error.node)
        ) from error


def _name(node: FxNode) -> str:
    """An operation's name without its overload, as aten.exp."""
    schema = getattr(node.target, "_schema", None)
    return schema.name.replace("::", ".") if schema else str(node.target)


def lower(source: RecordedGraph, inputs: list[View], graph: Graph) -> list[Any]:
    """The same of a graph alone; NotLowered names its node."""
    found: dict[FxNode, Any] = {}
    remaining = iter(inputs)
    for node in source.graph.nodes:
        if node.op == "placeholder":
            found[node] = next(remaining)
        elif node.op == "output":
            return _known(list(node.args[0]), found)  # type: ignore[no-any-return]
        else:
            try:
                given = node.op == "get_attr"
                found[node] = constant(graph, source.constants[str(node.target)]) if given else _call(graph, node, found)
            except NotLowered as error:
                error.node = node
                raise
    raise AssertionError("a traced graph ends in its outputs")


def constant(graph: Graph, tensor: Tensor) -> View:
    """A tensor's numbers."""
    return graph.const(tensor.detach().cpu().numpy(force=True), dtype_name(tensor.dtype))


def _known(value: object, found: Mapping[FxNode, Any]) -> Any:
    if isinstance(value, FxNode):
        return found[value]
    if isinstance(value, list | tuple):
        return [_known(v, found) for v in value]
    return value


def _call(graph: Graph, node: FxNode, found: Mapping[FxNode, Any]) -> Any:
    args = _known(node.args, found)
    kwargs = {name: _known(value, found) for name, value in node.kwargs.items()}
    if getattr(node.target, "__name__", "") == "getitem":
        return args[0][args[1]]
    target: Any = node.target
    name = _name(node).removeprefix("aten.").removeprefix("prims.")
    if name == "lanewise.fori_loop":
        return _fori_loop(graph, *args)
    call = LoweringContext(graph, node.meta.get("val"), dtype_name)
    if not _has_elements(call.meta):
        return _empty(graph, call.meta)
    if _is_of_nothing((args, kwargs)):
        return [constant(graph, m) for m in call.meta] if isinstance(call.meta, list | tuple) else constant(graph, call.meta)
    try:
        if name in movement.MOVES and movement.is_static(name, args):
            first = node.args[0].meta.get("val") if node.args and isinstance(node.args[0], FxNode) else None
            return movement.move(graph, target, args, kwargs, first)
        if name in LOWERINGS:
            return checked(_name(node), LOWERINGS[name](call, *args, **kwargs), call.meta, dtype_name)
    except ExtensionError:
        raise
    except Exception as error:  # a form of the operation that no entry foresaw
        raise NotLowered(_name(node), str(error) or type(error).__name__) from error
    decomposition = DECOMPOSED.get(name) or _decomp.decomposition_table.get(target)
    if decomposition is None:
        raise NotLowered(_name(node))
    inputs: list[FxNode] = []
    map_arg((node.args, node.kwargs), inputs.append)
    return _inlined(graph, decomposition, _name(node), args, kwargs, [n.meta.get("val") for n in inputs])


def _fori_loop(graph: Graph, state: list[View], body: int, count: int) -> list[View]:
    """A step and its rounds, as a loop of its own."""
    if len({view.dtype for view in state}) > 1:
        raise NotLowered("a repeated step", "its state has several dtypes")
    source, inner = BODIES[body], Graph()
    fold(source)
    inputs = [inner.input(str(k), view.shape, view.dtype) for k, view in enumerate(state)]
    outputs = lower(source, inputs, inner)
    return graph.fori_loop(Loop(inner.nodes, inputs, outputs, count), state)


def _inlined(graph: Graph, function: Callable[..., Any], name: str, args: object, kwargs: object, metas: list[Any]) -> Any:
    """Lower what another function does with the same arguments, laid out in memory as `metas`."""
    views = _views((args, kwargs))
    like = [torch.zeros(v.shape, dtype=getattr(torch, v.dtype)) for v in views]
    if len(metas) == len(like):  # of a tensor in columns, some operations give the factors in another order
        like = [
            torch.empty_strided(tuple(m.shape), m.stride(), dtype=m.dtype).zero_() if _alike(m, t) else t
            for m, t in zip(metas, like, strict=True)
        ]
    single = False

    def flat(*tensors: Tensor) -> list[Tensor]:
        nonlocal single
        given = iter(tensors)
        own_args, own_kwargs = _walk((args, kwargs), lambda _: next(given))
        result = function(*own_args, **own_kwargs)
        single = isinstance(result, Tensor)
        return [result] if single else list(result)

    try:
        source, _ = record_graph(flat, like)
        fold(source)
    except Exception as error:
        raise NotLowered(name, f"its decomposition cannot be traced ({error})") from error
    if any(n.op == "call_function" and _name(n) == name for n in source.graph.nodes):
        raise NotLowered(name)
    outputs = lower(source, views, graph)
    return outputs[0] if single else outputs


def _alike(meta: object, like: Tensor) -> bool:
    return isinstance(meta, Tensor) and meta.shape == like.shape and meta.dtype == like.dtype


def _walk(tree: Any, f: Callable[[View], Any]) -> Any:
    if isinstance(tree, View):
        return f(tree)
    if isinstance(tree, list | tuple):
        return type(tree)(_walk(v, f) for v in tree)
    if isinstance(tree, dict):
        return {name: _walk(v, f) for name, v in tree.items()}
    return tree


def _views(tree: Any) -> list[View]:
    """The arrays among arguments."""
    views: list[View] = []
    _walk(tree, lambda view: views.append(view) or view)  # type: ignore[func-returns-value]
    return views


def _is_of_nothing(arguments: object) -> bool:
    """Whether a call is given arrays, and none of them has an element: its result is known."""
    views = _views(arguments)
    return bool(views) and not any(view.index.size for view in views)


def _has_elements(meta: object) -> bool:
    """False where all results are empty."""
    metas = list(meta) if isinstance(meta, tuple | list) else [meta]
    return not metas or any(not isinstance(m, Tensor) or m.numel() for m in metas)


def _empty(graph: Graph, meta: Any) -> Any:
    if isinstance(meta, tuple | list):
        return [_empty(graph, m) for m in meta]
    return graph.const(np.zeros(tuple(meta.shape), dtype_name(meta.dtype)))
