"""From a program to its kernel: four functions traced, lowered and written, then the loop over lanes around them.

A kernel solves lanes of one shape and dtype. Inputs are laid out as vectors, one a number of the lane; what all lanes
share is a plain array. The state's `status` and `loss` are where the loop over lanes finds them. Needs `pipeline`, `source`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from backends.base import Program
from backends.fused.build.parts import unit
from backends.fused.build.target import Target
from backends.fused.codegen import cuda
from backends.fused.codegen.emit import Emitter
from backends.fused.codegen.layout import CudaKernel, Field, Kernel, layout, packed
from backends.fused.codegen.operands import Address, ConstantPool
from backends.fused.codegen.shared_work import SharedWork
from backends.fused.codegen.source import (
    DECLARED,
    FUNCTIONS,
    RUNTIME,
    Part,
    assembled,
    hoist_text,
    loader,
    parts_of,
    runtime,
    storer,
)
from backends.fused.ir.graph import Graph, View
from backends.fused.lowering.lower import NotLowered
from backends.fused.passes.deferred import Deferred, find, remove_deferred
from backends.fused.pipeline import written
from backends.torch import BACKEND
from backends.torch.iterate import random_lane
from backends.torch.trace import Traced, proven
from backends.tree import Tree, leaves, names
from backends.types import Array

SOURCE_LIMIT = 4_000_000
"""Characters of C++ beyond which a kernel is not compiled: minutes of compile time."""

WORKING_SET_LIMIT = 64 * 2**20
"""Bytes of one thread's block of lanes, scratch included."""

FLOPS_PER_POLL = 100_000_000
"""Flops of a block of lanes between two looks at whether to stop: 0.1 s for a core that does one a nanosecond."""

ORDER = ("init", "postprocess", "step", "terminate")
"""In which they are traced: what takes long to compile is begun with first, and needs only the state that `init` gives."""


def build(
    program: Program, example: Mapping[str, Array], shared: frozenset[str], target: Target, begin: Callable[[str], None]
) -> Kernel:
    """Trace a program on lanes like the example, lower it, and write its kernel.

    The text of a function is handed to `begin` as soon as it is known, to be compiled while the next one is traced.

    Raises NotLowered where an operation, a dtype or the size stands in the way.
    """
    inputs = InputLayout.of(example, shared)
    tensors = {name: BACKEND.load(array) for name, array in example.items()}
    if target.name != "cuda":
        begin(unit(runtime(inputs.dtype, target.width(inputs.dtype)), 1))
    lanes = proven(program, [random_lane(tensors, seed) for seed in (1, 2)])
    init = Traced(program.init, [(lane,) for lane in lanes], for_torch_kernels=False)
    functions = Functions(inputs, _state(init, inputs.dtype), target, program.every)
    arguments = list(zip(lanes, init.results, strict=True))
    for name in ORDER:
        traced = init if name == "init" else Traced(getattr(program, name), arguments, for_torch_kernels=False)
        for part in functions.add(name, traced):
            if not functions.on_device:
                begin(unit(assembled(inputs.dtype, functions.width, functions.tables, DECLARED, [part]), 1))
    return functions.kernel()


@dataclass(frozen=True)
class InputLayout:
    """Inputs in order of the program, and where a kernel has them: vectors of a lane's own, numbers that all lanes share."""

    given: list[Field]
    lane: list[Field]
    shared: list[Field]
    dtype: str

    @classmethod
    def of(cls, example: Mapping[str, Array], shared: frozenset[str]) -> InputLayout:
        """The layout of inputs like an example's. Raises NotLowered where they have not one float dtype."""
        given = layout(list(example), list(example.values()))
        floats = {leaf.dtype for leaf in given if leaf.dtype.startswith("float")}
        if len(floats) != 1:
            raise NotLowered("inputs of several float dtypes")
        (dtype,) = floats
        lane, common = (packed([leaf for leaf in given if (leaf.name in shared) == own]) for own in (False, True))
        if any(leaf.dtype != dtype for leaf in lane):
            raise NotLowered("an input of every lane that is not of the working dtype")
        return cls(given, lane, common, dtype)

    def addressed(self) -> list[tuple[Field, Address]]:
        """The inputs in order of the program, each with its address."""
        places = {leaf.name: Address("in", leaf.offset) for leaf in self.lane}
        places |= {leaf.name: Address("sh", leaf.offset, True) for leaf in self.shared}
        return [(leaf, places[leaf.name]) for leaf in self.given]


def _state(init: Traced, dtype: str) -> list[Field]:
    """The layout of the state that `init` gives."""
    state = layout(names(init.results[0]), leaves(init.results[0]))
    if any(leaf.dtype.startswith("float") and leaf.dtype != dtype for leaf in state):
        raise NotLowered("a state of several float dtypes")
    return state


class Functions:
    """The four functions of a program, written one by one, and the kernel that they make."""

    def __init__(self, inputs: InputLayout, state: list[Field], target: Target, every: int) -> None:
        self.inputs, self.state, self.target, self.every = inputs, state, target, every
        self.width, self.on_device = target.width(inputs.dtype), target.name == "cuda"
        self.tables = ConstantPool(inputs.dtype)
        self.shared_work = SharedWork(_size(inputs.shared), self.tables)
        self.emitters: dict[str, Emitter] = {}
        self.parts: dict[str, list[Part]] = {}
        self.deferred: Deferred | None = None
        self.results: list[Field] = []
        self.form: Tree = None

    def add(self, name: str, traced: Traced) -> list[Part]:
        """Lower a function, and write it; its parts."""
        state = [(leaf, Address("s", leaf.offset)) for leaf in self.state]
        done = written(
            traced,
            [*self.inputs.addressed(), *(state if name != "init" else ())],
            partial(_results, traced) if name == "postprocess" else lambda _: state,
            self.tables,
            self._tile(name),
            unroll=name == "step" or self.every == 1,  # who tests at every step ends after a few
            function="" if self.on_device or name == "init" else name,  # where decompositions do most of their work
            # a thread has its numbers where it steps: a select of two costs less there than another walk over a row of steps
            defer=self._defer if name == "step" and not self.on_device else None,
            shared_work=self.shared_work,
        )
        self.emitters[name], self.deferred = done.emitter, done.deferred or self.deferred
        self.parts[name] = [cuda.part_of(name, done.emitter)] if self.on_device else parts_of(name, done.emitter)
        if name == "postprocess":
            self.form, self.results = traced.output, [leaf for leaf, _ in done.results]
        return self.parts[name]

    def _tile(self, name: str) -> tuple[int, int]:
        """Rows and columns of a contraction's accumulators: 16 where there are 32 vector registers, 8 where there are 16."""
        if name != "step":
            return 2, 2
        return (4, 4) if self.target.name in ("avx512", "neon", "cuda") else (4, 2)

    def _defer(self, graph: Graph, views: list[View], outputs: list[View], addresses: list[Address]) -> Deferred | None:
        """Take deferred selects out of a step; their mask comes behind the state."""
        before, status = views[len(self.inputs.given) :], [leaf.name for leaf in self.state].index("status")
        found = find(graph, before, outputs, status)
        if found:
            remove_deferred(found, outputs, addresses, Address("s", _size(self.state)))
        return found

    def kernel(self) -> Kernel:
        """The kernel of all four. Raises NotLowered where it is too large."""
        flops = {name: emitter.flops() for name, emitter in self.emitters.items()}
        numbers = self._numbers(flops["step"])
        if self.on_device:
            return self._cuda_kernel(numbers, flops)
        inputs, state, results = (numbers[name] for name in ("N_INPUT", "N_STATE", "N_RESULT"))
        functions = [part for name in FUNCTIONS for part in self.parts[name]]
        parts = [RUNTIME, Part(self._definitions(numbers), 1), *functions]  # what is short and known last is one part
        source = assembled(self.inputs.dtype, self.width, self.tables, DECLARED, parts)
        block = 3 * (inputs + state) + results + numbers["N_SCRATCH"] + state + numbers["N_DEFERRED"]
        working_set = block * self.target.vector_bytes
        _check_length(source, SOURCE_LIMIT)
        if working_set > WORKING_SET_LIMIT:
            raise NotLowered("a kernel", f"a block of lanes takes {working_set:,} bytes, more than {WORKING_SET_LIMIT:,}")
        return Kernel(**self._about(source, numbers, flops), working_set=working_set)

    def _cuda_kernel(self, numbers: Mapping[str, int], flops: Mapping[str, int]) -> CudaKernel:
        """The kernel as CUDA C++. Raises NotLowered where it is too large."""
        item = 8 if self.inputs.dtype == "float64" else 4
        step, test = (self.emitters[name].scratch + 1 for name in cuda.LOOPED)
        wide = any(self.emitters[name].has_wide_buffers for name in cuda.LOOPED)
        lane = numbers["N_INPUT"] + numbers["N_STATE"]
        where = cuda.placement(lane + step, lane + max(step, test), flops["step"], item, wide)
        functions = {name: self.parts[name][0] for name in FUNCTIONS}
        constants = {name: value for name, value in numbers.items() if name in cuda.CONSTANTS} | {
            "N_STEP": step,
            "N_TEST": test,
            "LANES": where.lanes,
        }
        source = cuda.assembled(
            self.inputs.dtype, self.tables, functions, self.shared_work.body(), where, constants, self.inputs.lane, self.results
        )
        _check_length(source, cuda.SOURCE_LIMIT)
        working_set = item * sum(numbers[name] for name in ("N_INPUT", "N_STATE", "N_RESULT", "N_SCRATCH"))
        return CudaKernel(
            **self._about(source, numbers, flops), working_set=working_set,
            mapping=where.mapping, lanes=where.lanes, shared_bytes=where.shared_bytes, sizes=dict(numbers),
        )  # fmt: skip

    def _about(self, source: str, numbers: Mapping[str, int], flops: Mapping[str, int]) -> dict[str, Any]:
        """The fields that kernels of all targets have."""
        return dict(
            source=source, lane_inputs=self.inputs.lane, shared_inputs=self.inputs.shared, results=self.results, form=self.form,
            dtype=self.inputs.dtype, width=self.width, flops=flops["step"], steps_per_poll=numbers["STEPS_PER_POLL"],
            once=sum(numbers[name] for name in ("N_INPUT", "N_STATE", "N_RESULT"))
            + flops["init"] + 2 * flops["terminate"] + flops["postprocess"],
        )  # fmt: skip

    def _numbers(self, flops: int) -> dict[str, int]:
        """The constants that kernel.h declares."""
        where = {leaf.name: leaf.offset for leaf in self.state}
        return dict(
            N_INPUT=_size(self.inputs.lane),
            N_STATE=_size(self.state) + (self.deferred is not None),
            N_RESULT=_size(self.results),
            N_SCRATCH=max(emitter.scratch for emitter in self.emitters.values()) + 1,
            LOSS=where["loss"],
            STATUS=where["status"],
            CHECK_EVERY=self.every,
            STEPS_PER_POLL=max(1, FLOPS_PER_POLL // (flops * self.width + 1)),
            DEFER_MASK=_size(self.state) if self.deferred else -1,
            N_DEFERRED=sum(size for *_, size in self._copies()),
            N_SHARED=self.shared_work.given,
            N_HOISTED=self.shared_work.size,
            N_HOIST=self.shared_work.scratch,
        )

    def _copies(self) -> list[tuple[int, int, int]]:
        """Deferred copies in the state: (to, from, size)."""
        if self.deferred is None:
            return [(0, 0, 0)]
        return [(self.state[to].offset, self.state[of].offset, self.state[to].size) for to, of in self.deferred.dst_src]

    def _definitions(self, numbers: Mapping[str, int]) -> str:
        """Definitions of what `kernel.h` declares, and the work on what all lanes share."""
        copies = self._copies()
        reads = _stretches(self.emitters["postprocess"].reads(), self.inputs.lane, self.state)
        lines = [
            *(f"const long {name} = {value};" for name, value in numbers.items()),
            f"const long N_COPIES = {len(copies)}, DEFERRED[][3] = {{{', '.join(f'{{{to}, {of}, {size}}}' for to, of, size in copies)}}};",
            f"const long N_READS = {len(reads)}, POSTPROCESS_READS[][2] = {{{', '.join(f'{{{first}, {size}}}' for first, size in reads)}}};",
            loader(self.inputs.lane),
            storer(self.results),
            hoist_text(self.shared_work.body()),
        ]
        return "\n".join(lines)


def _check_length(source: str, limit: int) -> None:
    """Raises NotLowered for a text that is too long."""
    if len(source) > limit:
        raise NotLowered("a kernel", f"its source has {len(source):,} characters, more than {limit:,}")


def _size(fields: Iterable[Field]) -> int:
    """Numbers of some arrays together."""
    return sum(leaf.size for leaf in fields)


def _results(traced: Traced, outputs: list[View]) -> list[tuple[Field, Address]]:
    """The results, one after the other."""
    return [(leaf, Address("r", leaf.offset)) for leaf in layout(names(traced.output), outputs)]


def _stretches(read: Iterable[Address], lane_inputs: list[Field], state: list[Field]) -> list[tuple[int, int]]:
    """First vector and size of what is read of a block's inputs and, behind them, state; neighbours together."""
    places, found = {(place.array, place.offset) for place in read}, [(0, 0)]
    for array, base, group in (("in", 0, lane_inputs), ("s", _size(lane_inputs), state)):
        for leaf in group:
            if (array, leaf.offset) in places:
                first, size = found[-1]
                if first + size == base + leaf.offset:
                    found[-1] = (first, size + leaf.size)
                else:
                    found.append((base + leaf.offset, leaf.size))
    return found
