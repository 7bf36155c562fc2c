"""The operations of a function of tensors as a graph, written down while it runs on numbers.

What `make_fx` does, in its plainest mode and without its first step, which is to load torch.compile: that takes longer than
tracing a whole problem. Needs `lean`. Transforms and functionalisation are done above it: what arrives are ATen operations
on plain tensors.
"""

from __future__ import annotations

import linecache
import operator
import weakref
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.fx.traceback as marks
from torch import Tensor
from torch.fx import Graph, GraphModule, Node, graph_module

from backends.torch.lean import Mode, lean

Arguments = tuple[Any, ...]

LARGE = 4096
"""Elements above which a result's numbers are given up as soon as nothing reads them: all of a trace would fill the memory."""


_aten = torch.ops.aten
INPLACE_VIEWS = {_aten.squeeze_.dim: _aten.squeeze.dim, _aten.unsqueeze_.default: _aten.unsqueeze.default}
"""Operations that change no number, only the shape, of a tensor that torch's rules for batches have just made."""


class Recorded:
    """A graph of operations and its constants by name; a module of Python code is made of it when it is first run.

    Whoever changes the graph after that says so by `changed`.
    """

    def __init__(self, graph: Graph, constants: dict[str, Tensor]) -> None:
        self.graph, self.constants = graph, constants
        self._module: GraphModule | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        """Run it."""
        return self.module()(*inputs)

    def hold(self, name: str, constant: Tensor) -> Node:
        """A new constant's node, where the graph inserts."""
        self.changed()
        self.constants[name] = constant
        node = self.graph.get_attr(name)
        node.meta.update(val=constant, device=constant.device)
        return node

    def changed(self) -> None:
        """The graph is another than it was."""
        self._module, self.graph.owning_module = None, None

    def module(self) -> GraphModule:
        """The graph as a module."""
        if self._module is None:
            root = torch.nn.Module()
            for name, constant in self.constants.items():
                root.register_buffer(name, constant)
            self._module = GraphModule(root, self.graph)
            _forget_text(self._module)
        return self._module


def record(f: Callable[..., list[Tensor]], inputs: list[Tensor]) -> tuple[Recorded, list[Tensor]]:
    """The graph of f, and its results; each node keeps its result of this run as `meta["val"]`, without large numbers."""
    mode = Recorder()
    for k, tensor in enumerate(inputs):
        mode.known(tensor, mode.graph.placeholder(f"input_{k}"))
    with lean(), mode:
        outputs = f(*inputs)
    mode.graph.output([tensor if tensor is None else mode.node(tensor) for tensor in outputs])
    return Recorded(mode.graph, mode.constants), outputs


def _forget_text(graph: GraphModule) -> None:
    """torch keeps the text of all code that it makes for as long as the process lives, to show lines of it: megabytes a problem."""
    name = type(graph).forward.__code__.co_filename
    linecache.cache.pop(name, None)
    getattr(graph_module, "_loader").eval_cache.pop(name, None)  # noqa: B009


class Recorder(Mode):  # type: ignore[no-untyped-call]
    """Writes down every operation; tensors that it has not seen made are constants."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.graph, self.constants = Graph(), dict[str, Tensor]()
        self.nodes: dict[int, Node] = {}
        self.kept: list[Any] = []  # a tensor that is gone would leave its id to another, which a weak reference sees

    def __torch_dispatch__(self, func: Any, types: Any, args: Arguments = (), kwargs: dict[str, Any] | None = None) -> Any:
        kwargs = kwargs or {}
        if func in INPLACE_VIEWS and id(args[0]) in self.nodes:
            # the tensor that it changes keeps its shape in what is known of it
            self.nodes[id(args[0])].meta["val"] = args[0].detach()
            result, func = func(*args, **kwargs), INPLACE_VIEWS[func]
        else:
            result = func(*args, **kwargs)
        several = isinstance(result, tuple | list)
        if not isinstance(result, Tensor) and not several and result is not None and self._is_constant((args, kwargs)):
            return result  # a number of a constant is one
        node = self.graph.call_function(func, self._arguments(args), self._arguments(kwargs))
        node.meta.update(marks.current_meta)  # the user's line, where it is wanted
        self.known(result, node)
        for k, part in enumerate(result if several else ()):
            if isinstance(part, Tensor):
                self.known(part, self.graph.call_function(operator.getitem, (node, k)))
        return result

    def known(self, value: Any, node: Node) -> None:
        """`value` is what `node` gives."""
        large = isinstance(value, Tensor) and value.numel() > LARGE and node.op != "get_attr"
        node.meta["val"] = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta") if large else value
        node.meta["device"] = getattr(value, "device", None)
        self.kept.append(weakref.ref(value, partial(self._gone, id(value))) if large else value)
        self.nodes[id(value)] = node

    def _gone(self, number: int, reference: Any) -> None:
        self.nodes.pop(number, None)

    def node(self, tensor: Tensor) -> Node:
        """The node that gave a tensor."""
        if id(tensor) not in self.nodes:
            name = f"constant_{len(self.kept)}"
            self.constants[name] = tensor
            self.known(tensor, self.graph.get_attr(name))
        return self.nodes[id(tensor)]

    def _arguments(self, value: Any) -> Any:
        if isinstance(value, Tensor):
            return self.node(value)
        if isinstance(value, tuple | list):
            return type(value)(self._arguments(v) for v in value)
        return {k: self._arguments(v) for k, v in value.items()} if isinstance(value, dict) else value

    def _is_constant(self, value: Any) -> bool:
        if isinstance(value, Tensor):
            node = self.nodes.get(id(value))
            return node is None or self._rests_on_constants(node)
        if isinstance(value, tuple | list | dict):
            return all(self._is_constant(v) for v in (value.values() if isinstance(value, dict) else value))
        return True

    def _rests_on_constants(self, node: Node) -> bool:
        reached, found = [node], {node}
        while reached:
            node = reached.pop()
            if node.op == "placeholder":
                return False
            reached += [n for n in node.all_input_nodes if n not in found]
            found |= set(node.all_input_nodes)
        return True
