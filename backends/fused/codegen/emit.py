"""From the lane IR to C++: the body of one function of one block of lanes. Needs `outputs` and the layers below it, `schedule`."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from backends.fused.codegen.operands import Address, vector_type
from backends.fused.codegen.outputs import Outputs
from backends.fused.ir.graph import Node
from backends.fused.passes.arrange import arranged, flops
from backends.fused.passes.schedule import Group, is_branch

STRETCH = 40_000
"""Characters of a stretch of statements that is a function of its own: compilers work on several side by side."""

LONG_FLOPS = 30_000
"""Flops from which a function is cut. Outside of branches so many, and all its single numbers are handed on in memory."""


@dataclass(frozen=True)
class Outlined:
    """A function of its own: a stretch of statements, or a branch, which few lanes want."""

    name: str
    body: str
    branch: bool


class Emitter(Outputs):
    """Writes the body of one function, group by group of its schedule."""

    def body(self) -> str:
        """The statements; those of functions of their own are in `outlined`."""
        if self.function != "postprocess" and self.flops() < LONG_FLOPS:
            self.function = ""  # another compiler takes longer to start than it saves, but for what can be compiled for size
        self.is_long = self.flops() - sum(flops(branch.nodes) for branch in self.branches) >= LONG_FLOPS
        copied_outputs = self._plan_outputs()
        self._allocate(copied_outputs)
        self.places, self.lines = self.lines, []
        self.outlined: list[Outlined] = []
        self.around: list[tuple[str, list[str], set[Node]]] = []
        calls = []
        for k, group in enumerate(self.schedule.groups):
            self._open(k)
            self.usual = not is_branch(self.schedule.part(k))
            self._group(group)
            if self.function and self.is_long and self.usual and sum(map(len, self.lines)) > STRETCH:
                calls.append(self._call(self.lines, False))
                self.lines, self.defined = [], set()
        self._open(len(self.schedule.groups))
        self._copies(copied_outputs)
        return "\n".join([*self.places, *calls, *self.lines])

    def reads(self) -> list[Address]:
        """Addresses of the inputs that the function reads."""
        used = {view.node for node in self.nodes for view in node.args} | {view.node for view, _ in self.outputs}
        return [self.inputs[node] for node in used if node in self.inputs]

    def flops(self) -> int:
        """Floating-point operations of one lane."""
        return flops(self.nodes)

    def _open(self, group: int) -> None:
        """Ends of branches, and tests in front of them."""
        begins, ends = self.schedule.starts[1::2], self.schedule.starts[2::2]
        self.usual = True
        for _ in range(ends.count(group)):
            self._end()
        for branch, begin in zip(self.branches, begins, strict=True):
            if begin == group:
                truths = [self._read(truth, "0") for truth in branch.predicates]
                self.around.append((f"if (any({' & '.join(truths)}))", self.lines, self.defined))
                self.lines, self.defined = [], set() if self.function else self.defined

    def _end(self) -> None:
        inner = self.lines
        test, self.lines, self.defined = self.around.pop()
        self.lines += [f"{test} {self._call(inner, True)}"] if self.function else [f"{test} {{", *inner, "}"]

    def _call(self, lines: list[str], branch: bool) -> str:
        """Lines as a function of their own, called; of buffers it has those that it names."""
        words = set(re.findall(r"\w+", "\n".join(lines)))
        places = [line for line in self.places if line.split(", ")[1] in words]
        name = f"{self.function}{len(self.outlined)}"
        self.outlined.append(Outlined(name, "\n".join([*places, *lines]), branch))
        return f"{name}(in, s, sh, w{', r' if self.function == 'postprocess' else ''});"

    def _group(self, group: Group) -> None:
        if group.head is not None:
            self._contraction(group)
        elif group.alone:
            {"concat": self._concat, "fori_loop": self._fori_loop, "reduce": self._reduce}[group.members[0].kind](
                group.members[0]
            )
        elif group.size == 1:
            for node in group.members:
                self.lines.append(f"const {vector_type(node.dtype)} {self.names[node]} = {self._value(node, '0', {})};")
                self._store(node, "0", self.names[node], 1)
        else:
            self._elementwise(group)

    def _concat(self, node: Node) -> None:
        start = 0
        for view in node.args:
            self._loop_copy(view, f"{self.names[node]} + {start}")
            start += view.index.size

    def _fori_loop(self, node: Node) -> None:
        """The rounds, on the state where it lies."""
        self._concat(node)
        loop, name = node.loop, self.names[node]
        assert loop is not None
        starts = np.cumsum([0, *(view.index.size for view in loop.inputs)])
        places = [Address(name, int(start)) for start in starts]
        inputs = {view.node: place for view, place in zip(loop.inputs, places, strict=False)}
        outputs = list(zip(loop.outputs, places, strict=False))
        order = arranged(loop.nodes, loop.outputs, inputs)
        inner = Emitter(order, inputs, outputs, self.tables, self.tile, self.usual, prefix=f"{self.prefix}r", scratch=self.base)
        self.lines.append(f"LW_ROUNDS for (int round = 0; round < {loop.count}; round++) {{")
        self.lines.append(f"{inner.body()}\n}}")
        self.scratch = max(self.scratch, inner.scratch)
        self.has_interleaved_chains |= inner.has_interleaved_chains
        self.has_wide_buffers |= inner.has_wide_buffers
