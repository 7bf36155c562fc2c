"""From a one-lane function to its C++ text: every pass, by name and in order, the same for whole solves and plain functions.

    trace       backends.torch.trace      the function through torch.func, as a graph of ATen operations
    lower       lowering.lower            ATen operations as nodes of the lane IR; equal nodes once, constants folded
    defer       passes.deferred           arrays that a step only remembers leave it
    hoist       codegen.shared_work       work on what all lanes share leaves every function
    need        passes.schedule           the nodes that the outputs rest on
    branch      passes.branches           work that few lanes want, behind one test each
    schedule    passes.schedule           which nodes share a loop
    place       passes.memory_plan        where buffers lie, dead ones lending their room
    emit        codegen.emit              loops as C++
    assemble    codegen.kernel, .source   functions, tables, headers and the loop over lanes as one text, in parts
                codegen.cuda              ... as CUDA C++, for a device
    compile     build.toolchain           the text as a loaded library, from memory, from disk, or by the compiler

`place` and `emit` run when a function's body is asked for. Needs the packages beside it; `codegen.kernel` and `run.mapped` drive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from backends.fused.codegen.emit import Emitter
from backends.fused.codegen.layout import Field
from backends.fused.codegen.operands import Address, ConstantPool
from backends.fused.codegen.shared_work import SharedWork
from backends.fused.ir.graph import Graph, View
from backends.fused.lowering.lower import lowered
from backends.fused.passes.arrange import arranged
from backends.fused.passes.deferred import Deferred
from backends.torch.trace import Traced


@dataclass(frozen=True)
class Written:
    """A function, ready to be written: its emitter, its results and where they lie, and what a step only remembers."""

    emitter: Emitter
    results: list[tuple[Field, Address]]
    deferred: Deferred | None


Defer = Callable[[Graph, list[View], list[View], list[Address]], Deferred | None]
"""Takes deferred selects out of a step's outputs and their places."""


def written(
    traced: Traced, given: Sequence[tuple[Field, Address]], place_outputs: Callable[[list[View]], list[tuple[Field, Address]]],
    tables: ConstantPool, tile: tuple[int, int],
    *, unroll: bool = True, function: str = "", defer: Defer | None = None, shared_work: SharedWork | None = None,
) -> Written:  # fmt: skip
    """The passes from a traced function to its emitter.

    Args:
        given: what the function is given, in order, and where it lies.
        place_outputs: outputs -> what they are called, and where each is stored.
        tables: of the kernel.
        tile: most rows and columns of a contraction's tile.
        unroll: whether short loops are written out.
        function: the name, where branches and long stretches are functions of their own; else empty.
        defer: of a step.
        shared_work: where the kernel's shared work is collected.
    """
    graph = Graph()
    views = [graph.input(leaf.name, leaf.shape, leaf.dtype) for leaf, _ in given]
    where = {view.node: place for view, (_, place) in zip(views, given, strict=True)}
    kept: list[View] = lowered(traced, views, graph)
    results = place_outputs(kept)
    places = [place for _, place in results]
    deferred = None if defer is None else defer(graph, views, kept, places)
    if shared_work is not None:
        where |= shared_work.places(graph.nodes, where, kept)
    order = arranged(graph.nodes, kept, where)
    emitter = Emitter(order, where, list(zip(kept, places, strict=True)), tables, tile, unroll, function)
    return Written(emitter, results, deferred)
