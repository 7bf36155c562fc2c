"""The C++ text of a whole kernel: vector math, emitted functions, the loop over lanes. Needs `emit`, `lower`, `ir`.

A kernel solves lanes of one shape and dtype. Inputs are laid out as vectors, one a number of the lane; what all lanes
share is a plain array. The state's `status` and `loss` are where the loop over lanes finds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from backends.base import Program
from backends.fused.build.parts import unit
from backends.fused.build.target import Target
from backends.fused.codegen.emit import Address, ConstantPool, Emitter, scalar_type
from backends.fused.codegen.layout import Field, Kernel, layout, packed
from backends.fused.codegen.shared_work import SharedWork
from backends.fused.ir.graph import Graph, View
from backends.fused.lowering.lower import NotLowered
from backends.fused.native import header
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

OPTIMISE_BELOW_CHARS = 70_000
"""Characters of a function that runs once a lane up to which it is optimised as a step is, where lanes end after few steps."""

LONG = 140_000
"""Characters of a step up to which it is optimised in full; beyond, that takes seconds, and wins nothing that can be measured."""

FLOPS_PER_POLL = 100_000_000
"""Flops of a block of lanes between two looks at whether to stop: 0.1 s for a core that does one a nanosecond."""


def build(
    program: Program, example: Mapping[str, Array], shared: frozenset[str], target: Target, begin: Callable[[str], None]
) -> Kernel:
    """Trace a program on lanes like the example, lower it, and write its kernel.

    The text of a function is handed to `begin` as soon as it is known, to be compiled while the next one is traced.

    Raises NotLowered where an operation, a dtype or the size stands in the way.
    """
    given = layout(list(example), list(example.values()))
    floats = {leaf.dtype for leaf in given if leaf.dtype.startswith("float")}
    if len(floats) != 1:
        raise NotLowered("inputs of several float dtypes")
    (dtype,) = floats
    lane_inputs, shared_inputs = (packed([g for g in given if (g.name in shared) == own]) for own in (False, True))
    if any(leaf.dtype != dtype for leaf in lane_inputs):
        raise NotLowered("an input of every lane that is not of the working dtype")
    width = target.vector_bytes // (8 if dtype == "float64" else 4)
    places = {
        leaf.name: Address("sh" if leaf.name in shared else "in", leaf.offset, leaf.name in shared)
        for leaf in (*lane_inputs, *shared_inputs)
    }

    tensors = {name: BACKEND.load(array) for name, array in example.items()}
    lanes = proven(program, [random_lane(tensors, seed) for seed in (1, 2)])
    init = Traced(program.init, [(lane,) for lane in lanes], for_torch_kernels=False)
    states = init.results
    state = layout(names(states[0]), leaves(states[0]))
    if any(leaf.dtype.startswith("float") and leaf.dtype != dtype for leaf in state):
        raise NotLowered("a state of several float dtypes")
    arguments = list(zip(lanes, states, strict=True))
    tables, emitters, parts, deferred = ConstantPool(dtype), dict[str, Emitter](), dict[str, Part](), None
    shared_work = SharedWork(sum(leaf.size for leaf in shared_inputs), tables)
    before = [(leaf, Address("s", leaf.offset)) for leaf in state]

    def defer(graph: Graph, views: list[View], outputs: list[View], addresses: list[Address]) -> Deferred | None:
        found = find(graph, views[len(given) :], outputs, names(states[0]).index("status"))
        if found:
            remove_deferred(found, outputs, addresses, Address("s", sum(leaf.size for leaf in state)))
        return found

    for name in ORDER:
        traced = init if name == "init" else Traced(getattr(program, name), arguments, for_torch_kernels=False)
        made = written(
            traced,
            [*((leaf, places[leaf.name]) for leaf in given), *(before if name != "init" else ())],
            partial(_results, traced) if name == "postprocess" else lambda _: before,
            tables,
            (2, 2) if name != "step" else (4, 4) if target.name in ("avx512", "neon") else (4, 2),
            unroll=name == "step" or program.every == 1,  # who tests at every step ends after a few
            defer=defer if name == "step" else None,
            shared_work=shared_work,
        )
        emitters[name], deferred = made.emitter, made.deferred or deferred
        parts[name] = _part(name, made.emitter)
        begin(unit(assembled(dtype, width, tables, DECLARED_FUNCTIONS, [parts[name]]), 1))
        if name == "postprocess":
            form, results = traced.output, [leaf for leaf, _ in made.results]
    return _assemble(
        emitters,
        parts,
        program.every,
        lane_inputs,
        shared_inputs,
        state,
        deferred,
        results,
        form,
        dtype,
        width,
        tables,
        shared_work,
    )


def _results(traced: Traced, outputs: list[View]) -> list[tuple[Field, Address]]:
    """The results, one after the other."""
    return [(leaf, Address("r", leaf.offset)) for leaf in layout(names(traced.output), outputs)]


def _assemble(
    emitters: Mapping[str, Emitter], written_out: Mapping[str, Part], every: int, lane_inputs: list[Field], shared_inputs: list[Field], state: list[Field],
    deferred: Deferred | None, results: list[Field], form: Tree, dtype: str, width: int, tables: ConstantPool, shared_work: SharedWork,
) -> Kernel:  # fmt: skip
    vectors = [sum(leaf.size for leaf in group) for group in (lane_inputs, state, results)]
    scratch = max(emitter.scratch for emitter in emitters.values()) + 1
    copies = [(state[to].offset, state[of].offset, state[to].size) for to, of in deferred.dst_src] if deferred else [(0, 0, 0)]
    mask = vectors[1] if deferred else -1
    vectors[1] += deferred is not None
    where = {leaf.name: leaf.offset for leaf in state}
    last = _stretches(emitters["postprocess"].reads(), lane_inputs, state)
    flops = {name: emitter.flops() for name, emitter in emitters.items()}
    once = sum(vectors) + flops["init"] + 2 * flops["terminate"] + flops["postprocess"]
    numbers = dict(
        N_INPUT=vectors[0],
        N_STATE=vectors[1],
        N_RESULT=vectors[2],
        N_SCRATCH=scratch,
        LOSS=where["loss"],
        STATUS=where["status"],
        CHECK_EVERY=every,
        STEPS_PER_POLL=max(1, FLOPS_PER_POLL // (flops["step"] * width + 1)),
        DEFER_MASK=mask,
        N_DEFERRED=sum(size for *_, size in copies),
        N_SHARED=shared_work.given,
        N_HOISTED=shared_work.size,
        N_HOIST=shared_work.scratch,
    )
    runtime = [
        "\n".join(f"constexpr long {name} = {value};" for name, value in numbers.items()),
        f"constexpr long DEFERRED[][3] = {{{', '.join(f'{{{to}, {of}, {size}}}' for to, of, size in copies)}}};",
        f"constexpr long POSTPROCESS_READS[][2] = {{{', '.join(f'{{{first}, {size}}}' for first, size in last)}}};",
        DECLARED,
        header("lane_io.h"),
        header("runtime.h"),
        loader(lane_inputs),
        storer(results),
    ]
    functions = [*(written_out[name] for name in FUNCTIONS), Part(shared_work.source(), 1)]
    source = assembled(dtype, width, tables, DECLARED_FUNCTIONS, [Part("\n".join(runtime), RUNTIME), *functions])
    block = 3 * (vectors[0] + vectors[1]) + vectors[2] + scratch + vectors[1] + numbers["N_DEFERRED"]
    working_set = block * width * (8 if dtype == "float64" else 4)
    if len(source) > SOURCE_LIMIT:
        raise NotLowered("a kernel", f"its source has {len(source):,} characters, more than {SOURCE_LIMIT:,}")
    if working_set > WORKING_SET_LIMIT:
        raise NotLowered("a kernel", f"a block of lanes takes {working_set:,} bytes, more than {WORKING_SET_LIMIT:,}")
    sizes = dict(width=width, flops=flops["step"], once=once, steps_per_poll=numbers["STEPS_PER_POLL"], working_set=working_set)
    return Kernel(source, lane_inputs, shared_inputs, results, form, dtype, **sizes)


@dataclass(frozen=True)
class Part:
    """Some of a kernel's text, which can be compiled apart, and how long a character of it takes, in a compiler's time."""

    text: str
    weight: float


FUNCTIONS = ("init", "step", "terminate", "postprocess")

ORDER = ("init", "postprocess", "step", "terminate")
"""In which they are traced: what takes long to compile is begun with first, and needs only the state that `init` gives."""

RUNTIME = 4.0
"""Weight of the loop over lanes."""


def assembled(dtype: str, width: int, tables: ConstantPool, declared: Sequence[str], parts: Sequence[Part]) -> str:
    """A kernel's whole text: what all parts need, and each part, with the tables that it reads, where its bit is asked for."""
    scalar, integer = ("double", "long") if dtype == "float64" else ("float", "int")
    lines = [
        header("vmath.h"),
        f"typedef {scalar} T;\ntypedef {integer} Int;\nconstexpr long W = {width};",
        header("block.h"),
        *declared,
    ]
    split_names = [set(re.findall(r"\bk\d+\b", part.text)) for part in parts]
    for name, text in tables.texts.items():
        mask = sum(1 << k for k, own in enumerate(split_names) if name in own)
        lines.append(f"#if LW_IN({mask})\n{text}\n#endif")
    for k, part in enumerate(parts):
        lines.append(f"#if LW_IN({1 << k})  // part {k}: {part.weight * len(part.text):.0f}\n{part.text}\n#endif")
    return "\n".join([*lines, ""])


def _declared(function: str) -> str:
    """A function's declaration by its text, without how it is compiled."""
    head = function[: function.index(" {\n")]
    return f"LW_OWN {head[head.index('void') :]};"


def _stretches(read: Iterable[Address], lane_inputs: list[Field], state: list[Field]) -> list[tuple[int, int]]:
    """First vector and size of what is read of a block's inputs and, behind them, state; neighbours together."""
    behind = sum(leaf.size for leaf in lane_inputs)
    predicate, found = {(place.array, place.offset) for place in read}, [(0, 0)]
    for array, base, group in (("in", 0, lane_inputs), ("s", behind, state)):
        for leaf in group:
            if (array, leaf.offset) in predicate:
                first, size = found[-1]
                if first + size == base + leaf.offset:
                    found[-1] = (first, size + leaf.size)
                else:
                    found.append((base + leaf.offset, leaf.size))
    return found


def _part(name: str, emitter: Emitter) -> Part:
    """A function by its emitter."""
    body = emitter.body()
    per_step = emitter.unroll and len(body) <= (LONG if name == "step" else OPTIMISE_BELOW_CHARS)
    return Part(_function(name, body, per_step, emitter.has_interleaved_chains), 3 if per_step else 1)


def _function(name: str, body: str, per_step: bool, has_interleaved_chains: bool) -> str:
    """A function apart, so that its one copy rounds in one way wherever it is called from."""
    kind = "CHAINED" if has_interleaved_chains else "noinline" if per_step else "ONCE"
    arguments = "const V *__restrict in, V *__restrict s, const T *__restrict sh, V *__restrict w"
    if name == "step":
        name, arguments = "steps", f"{arguments}, long n"
        body = f'for (; n > 0; n--) {{\nasm volatile("" ::: "memory");  // or the whole state goes to registers, and spills\n{body}\n}}'
    elif name == "postprocess":
        arguments += ", V *__restrict r"
    return f"LW_OWN __attribute__(({kind})) void {name}({arguments}) {{\n{body}\n}}"


DECLARED_FUNCTIONS = [
    *(_declared(_function(name, "", True, False)) for name in FUNCTIONS),
    "LW_OWN void hoist(T *sh, V *h, V *w);",
]

DECLARED = """struct Task;
static inline void load(const Task &, long, int, V *);
static inline void store(const Task &, long, const V *, int);"""


def loader(lane_inputs: list[Field]) -> str:
    """`count` lanes of every input into a block."""
    lines = [
        f"gather_lanes(t.in[{n}], first, count, in + {leaf.offset}, {leaf.size}, W * t.threads);"
        for n, leaf in enumerate(lane_inputs)
    ]
    return "static inline void load(const Task &t, long first, int count, V *in) {\n" + "\n".join(lines) + "\n}"


STORED = {"float32": "float", "float64": "double", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long"}
STORED |= {"bool": "bool", "uint8": "unsigned char"}


def storer(results: list[Field]) -> str:
    """Place `lane` of the results into lane `id` of the outputs, in their own dtypes."""
    lines = []
    for n, leaf in enumerate(results):
        kind = STORED[leaf.dtype]
        read = f"(({scalar_type(leaf.dtype)} *)(r + {leaf.offset}))[k * W + lane]"
        lines.append(f"for (long k = 0; k < {leaf.size}; k++) (({kind} *)t.out[{n}])[id * {leaf.size} + k] = ({kind}){read};")
    return "static inline void store(const Task &t, long id, const V *r, int lane) {\n" + "\n".join(lines) + "\n}"
