"""The operations of a function of tensors as a graph, written down while it runs on numbers.

What `make_fx` does, in its plainest mode and without its first step, which is to load torch.compile: that takes longer than
tracing a whole problem. Needs `no_dynamo`. Transforms are done above it: what arrives are ATen operations on plain tensors. A run is
a list of calls first; those that its results rest on, equal ones once, become a graph, which is the dearer part. Functions that
change tensors in place are run again with every change made a new tensor: few do, and it makes each call longer.
"""

from __future__ import annotations

import linecache
import operator
import weakref
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import torch
import torch.fx.traceback as marks
from torch import Tensor
from torch._ops import OpOverload
from torch.func import functionalize
from torch.fx import Graph, GraphModule, Node, graph_module

from backends.alone import ALONE
from backends.torch import zero_tangents
from backends.torch.no_dynamo import Mode, no_dynamo

Arguments = tuple[Any, ...]

Target = OpOverload | Callable[..., object] | str
"""An operation, or the name of an input or constant."""

LARGE = 4096
"""Elements above which a result's numbers are given up as soon as nothing reads them: all of a trace would fill the memory."""


_aten = torch.ops.aten
INPLACE_VIEWS = {_aten.squeeze_.dim: _aten.squeeze.dim, _aten.unsqueeze_.default: _aten.unsqueeze.default}
"""Operations that change no number, only the shape, of a tensor that torch's rules for batches have just made."""

FILLING = {
    _aten.fill_.Scalar: _aten.fill.Scalar,
    _aten.fill_.Tensor: _aten.fill.Tensor,
    _aten.zero_.default: _aten.zero.default,
    _aten.copy_.default: _aten.copy.default,
}
"""Operations that give all of a tensor's numbers anew: one that shares its memory with no other is then another tensor."""


class RecordedGraph:
    """A graph of operations and its constants by name; a module of Python code is made of it when it is first run.

    Whoever changes the graph after that says so by `changed`.
    """

    def __init__(self, graph: Graph, constants: dict[str, Tensor]) -> None:
        self.graph, self.constants = graph, {name: _readable(constant) for name, constant in constants.items()}
        self._module: GraphModule | None = None

    def __call__(self, *inputs: Tensor) -> Any:
        """Run it."""
        return self.module()(*inputs)

    def hold(self, name: str, constant: Tensor) -> Node:
        """A new constant's node, where the graph inserts."""
        self.changed()
        self.constants[name] = _readable(constant)
        node = self.graph.get_attr(name)
        node.meta.update(val=constant, device=constant.device)
        return node

    def prune(self) -> None:
        """Nodes that nothing rests on go; torch's own pass asks of each whether it is pure, which takes longer than all of `fold`."""
        for node in reversed(self.graph.nodes):
            if not node.users and node.op in ("call_function", "get_attr") and not mutates(node):
                self.graph.erase_node(node)
        self.changed()

    def changed(self) -> None:
        """The graph is another than it was."""
        self._module, self.graph.owning_module = None, None

    def module(self) -> GraphModule:
        """The graph as a module."""
        found = self._module
        if found is not None:
            return found
        with ALONE:  # of two threads that run it first, one writes its code
            if self._module is None:
                root = torch.nn.Module()
                for name, constant in self.constants.items():
                    root.register_buffer(name, constant)
                made = GraphModule(root, self.graph)
                _forget_text(made)
                self._module = made
            return self._module


class Call:
    """One operation of a run, or an input or constant: arguments with calls in the place of tensors, and what it gave."""

    __slots__ = ("args", "constant", "device", "first", "kwargs", "marks", "node", "number", "op", "same", "target", "value")

    def __init__(self, number: int, op: str, target: Target, args: Arguments, kwargs: dict[str, Any], constant: bool) -> None:
        self.number, self.op, self.target, self.args, self.kwargs = number, op, target, args, kwargs
        self.constant = constant  # whether it rests on no input
        self.value: Any = None
        self.device: Any = None
        self.first, self.same = self, self  # the call that made the memory, and the first one that is equal
        self.marks = dict(marks.current_meta)  # the user's line, where it is wanted
        self.node: Node | None = None

    def __repr__(self) -> str:
        return f"%{self.same.number}"  # no string prints so: those have quotes


class Mutation(BaseException):  # nobody's `except Exception` may take it
    """A tensor is changed in place that others may see."""


def record_graph(
    f: Callable[..., list[Tensor]], inputs: list[Tensor], seen: Callable[[Call], None] | None = None
) -> tuple[RecordedGraph, list[Tensor]]:
    """The graph of f, and its results; each node keeps its result of this run as `meta["val"]`, without large numbers.

    `seen` is shown every call, those too that nothing rests on.
    """
    try:
        return _record(f, inputs, Recorder(pure=True), seen)
    except Mutation:
        return _record(functionalize(f), inputs, Recorder(), seen)


def _record(
    f: Callable[..., list[Tensor]], inputs: list[Tensor], mode: Recorder, seen: Callable[[Call], None] | None
) -> tuple[RecordedGraph, list[Tensor]]:
    for k, tensor in enumerate(inputs):
        mode.known(tensor, mode.call("placeholder", f"input_{k}"))
    with no_dynamo(), mode:
        outputs = f(*inputs)
    found = [tensor if tensor is None else mode.of(tensor) for tensor in outputs]
    if seen is not None:
        for call in mode.calls:
            seen(call)
    return RecordedGraph(_graph(mode.calls, found), mode.constants), outputs


def _graph(calls: list[Call], outputs: Sequence[Call | None]) -> Graph:
    """The calls that outputs rest on, equal ones once.

    Without mutation an alias is its input, a copy over another tensor what was copied. Which of several equal calls a run refers
    to changes from run to run. With mutation no two calls are one, and those that mutate count as outputs: the graph is for
    another run, which is recorded again.
    """
    first: dict[tuple[Any, str, str], Call] = {}
    mutating = [call for call in calls if call.op == "call_function" and mutates(call)]
    for call in calls:
        if call.op != "call_function" or mutating:
            continue
        if call.target is _aten.copy.default and _like(call.args[0].value, call.args[1].value):  # vmap has no rule for it
            call.same = call.args[1].same
        elif call.target is _aten.alias.default:
            call.same = call.args[0].same
        else:
            call.same = first.setdefault((call.target, repr(call.args), repr(call.kwargs)), call)
    live = {call.same for call in (*outputs, *mutating) if call is not None}
    for call in reversed(calls):
        if call in live:
            _each((call.args, call.kwargs), lambda other: live.add(other.same))
    graph = Graph()
    for call in calls:
        if call in live or call.op == "placeholder":
            _written(graph, call)
    graph.output([None if call is None else call.same.node for call in outputs])
    return graph


def _written(graph: Graph, call: Call) -> None:
    """A call as a node of the graph."""
    if isinstance(call.target, str):
        call.node = graph.placeholder(call.target) if call.op == "placeholder" else graph.get_attr(call.target)
    else:
        args, kwargs = (_each(given, lambda other: other.same.node) for given in (call.args, call.kwargs))
        call.node = graph.call_function(call.target, args, kwargs)
    call.node.meta.update(call.marks)
    call.node.meta.update(val=call.value, device=call.device)


def _each(value: object, f: Callable[[Call], Any]) -> Any:
    """Arguments with something in the place of each call."""
    if isinstance(value, Call):
        return f(value)
    if isinstance(value, tuple | list):
        return type(value)([_each(v, f) for v in value])
    return {k: _each(v, f) for k, v in value.items()} if isinstance(value, dict) else value


def _like(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and a.dtype == b.dtype


def _forget_text(graph: GraphModule) -> None:
    """torch keeps the text of all code that it makes for as long as the process lives, to show lines of it: megabytes a problem."""
    name = type(graph).forward.__code__.co_filename
    linecache.cache.pop(name, None)
    getattr(graph_module, "_loader").eval_cache.pop(name, None)  # noqa: B009


class Recorder(Mode):  # type: ignore[no-untyped-call]
    """Writes down every operation; tensors that it has not seen made are constants. With `pure`, a mutation is refused."""

    def __init__(self, pure: bool = False) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.pure = pure
        self.calls: list[Call] = []  # a tensor that is gone would leave its id to another: a call keeps it,
        self.large: list[Any] = []  # or a weak reference sees it
        self.constants: dict[str, Tensor] = {}
        self.made: dict[int, Call] = {}
        self.held: set[Call] = set()  # constants whose memory is of this run
        self.zeros: dict[int, Tensor] = {}  # tangents that are 0 by structure,
        self.sums: list[Tensor] = []  # and what sums with them are: held, like what calls hold

    def __torch_dispatch__(
        self, func: OpOverload, types: Sequence[type], args: Arguments = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in zero_tangents.QUERIES:
            return func(*args)
        if self.pure and (func is zero_tangents.MADE or self.zeros):
            known = self._of_zeros(func, args, kwargs)
            if known is not None:
                return known
        if func in INPLACE_VIEWS and id(args[0]) in self.made:
            # the tensor that it changes keeps its shape in what is known of it
            self.made[id(args[0])].value = args[0].detach()
            result, func = func(*args, **kwargs), INPLACE_VIEWS[func]
        elif self.pure and func._schema.is_mutable:
            return self._changed(func, args, kwargs)
        else:
            result = func(*args, **kwargs)
        several = isinstance(result, tuple | list)
        if not isinstance(result, Tensor) and not several and result is not None and self._is_constant((args, kwargs)):
            return result  # a number of a constant is one
        call = self.call("call_function", *_ruled(func, args), kwargs)
        self.known(result, call)
        for k, part in enumerate(result if several else ()):
            if isinstance(part, Tensor):
                self.known(part, self.call("call_function", operator.getitem, (call, k)))
        return result

    def _of_zeros(self, func: OpOverload, args: Arguments, kwargs: dict[str, Any]) -> Tensor | None:
        """A tangent that is 0 by structure, or a sum with one; None for all other operations."""
        if func is zero_tangents.MADE:
            result = torch.zeros(*args, dtype=kwargs["dtype"], device=kwargs["device"])
        elif zero_tangents.is_absorbed(func, args, self.is_zero):
            result = func(*args, **kwargs)
            result = result if func in zero_tangents.LINEAR else torch.zeros_like(result)
        else:
            rest = zero_tangents.summand(func, args, kwargs, self.is_zero)
            if rest is None or rest.numel() > LARGE:
                return None
            if rest is args[1] and func is _aten.sub.Tensor:
                result = torch.neg(rest)
                self.known(result, self.call("call_function", _aten.neg.default, (rest,)))
                return result
            result = rest.detach()
            self.made[id(result)] = self.of(rest)
            self.sums.append(result)
            return result
        if result.numel() > LARGE:
            return None
        self.zeros[id(result)] = result
        return result

    def is_zero(self, value: object) -> bool:
        """Whether it is a tangent that is 0 by structure."""
        return id(value) in self.zeros

    def _changed(self, func: OpOverload, args: Arguments, kwargs: dict[str, Any]) -> Any:
        """A tensor of this run, changed in place: filled where no other shares its memory, or a constant that nothing has read."""
        tensor, before = args[0], self.made.get(id(args[0]))
        if before is None or self.is_zero(tensor) or (before.first.op != "call_function" and before.first not in self.held):
            raise Mutation
        sharing = [call for call in self.calls[before.first.number :] if call.first is before.first]
        if func in FILLING and all(call.value is tensor for call in sharing):
            result, func = func(*args, **kwargs), FILLING[func]
            call = self.call("call_function", *_ruled(func, args), kwargs)
            call.first = before.first
            self.known(tensor, call)
            return result
        if not self._is_constant((args, kwargs)) or not self._are_unread(sharing):
            raise Mutation
        for call in sharing:
            if isinstance(call.value, Tensor):
                call.op, call.target, call.args, call.kwargs = "get_attr", f"constant_{call.number}", (), {}
                self.constants[call.target] = call.value
        self.held.add(before.first)
        return func(*args, **kwargs)

    def _are_unread(self, sharing: list[Call]) -> bool:
        """Whether the numbers of some tensors, those of one memory, are known and went nowhere else."""
        own, read = set(sharing), list[Call]()
        for call in self.calls[sharing[0].number :]:
            if call not in own:
                _each((call.args, call.kwargs), read.append)
        held = all(not isinstance(call.value, Tensor) or call.value.device.type != "meta" for call in sharing)
        return held and own.isdisjoint(read)

    def call(self, op: str, target: Target, args: Arguments = (), kwargs: dict[str, Any] | None = None) -> Call:
        """A new call."""
        given: list[Call] = []
        args, kwargs = self._arguments(args, given), self._arguments(kwargs or {}, given)
        call = Call(len(self.calls), op, target, args, kwargs, op != "placeholder" and all(g.constant for g in given))
        if given and _is_view(target):
            call.first = given[0].first
        self.calls.append(call)
        return call

    def known(self, value: object, call: Call) -> None:
        """`value` is what `call` gives."""
        call.value = value
        if isinstance(value, Tensor):
            call.device = value.device
            if value.numel() > LARGE and call.op != "get_attr":
                call.value = torch.empty_strided(value.shape, value.stride(), dtype=value.dtype, device="meta")
                self.large.append(weakref.ref(value, partial(self._gone, id(value))))
            self.made[id(value)] = call

    def _gone(self, number: int, reference: weakref.ref[Tensor]) -> None:
        self.made.pop(number, None)

    def of(self, tensor: Tensor) -> Call:
        """The call that gave a tensor."""
        found = self.made.get(id(tensor))
        if found is None and self.is_zero(tensor):
            like = {"dtype": tensor.dtype, "device": tensor.device}
            found = self.call("call_function", _aten.zeros.default, (list(tensor.shape),), like)
            self.known(tensor, found)
        if found is None:
            name = f"constant_{len(self.calls)}"
            self.constants[name] = tensor
            found = self.call("get_attr", name)
            self.known(tensor, found)
        return found

    def _arguments(self, value: object, given: list[Call]) -> Any:
        if isinstance(value, Tensor):
            given.append(self.of(value))
            return given[-1]
        if isinstance(value, tuple | list):
            return type(value)([self._arguments(v, given) for v in value])
        if isinstance(value, Call):
            given.append(value)
        return {k: self._arguments(v, given) for k, v in value.items()} if isinstance(value, dict) else value

    def _is_constant(self, value: object) -> bool:
        if isinstance(value, Tensor):
            call = self.made.get(id(value))
            return call is None or call.constant
        if isinstance(value, tuple | list | dict):
            return all(self._is_constant(v) for v in (value.values() if isinstance(value, dict) else value))
        return True


def _ruled(func: OpOverload, args: Arguments) -> tuple[OpOverload, Arguments]:
    """An operation of derivative formulas for which vmap has no rule, as one for which it has."""
    if func is _aten.fill.Scalar:
        return _aten.full_like.default, args
    if func is _aten.fill.Tensor:
        return _aten.expand.default, (args[1], list(args[0].shape))
    return (_aten.zeros_like.default, args) if func is _aten.zero.default else (func, args)


def _readable(constant: Tensor) -> Tensor:
    """A constant whose numbers can be read: a constant's tangent in forward mode has no memory."""
    return torch.zeros(constant.shape, dtype=constant.dtype, device=constant.device) if constant._is_zerotensor() else constant


@cache
def _is_view(target: Target) -> bool:
    """Whether an operation gives a part of its first argument's memory."""
    if not isinstance(target, OpOverload):
        return target is operator.getitem
    return target is _aten._unsafe_view.default or any(out.alias_info is not None for out in target._schema.returns)


def mutates(call: Call | Node) -> bool:
    """Whether an operation changes a tensor."""
    return isinstance(call.target, OpOverload) and call.target._schema.is_mutable
