"""The text of a whole kernel: functions apart, the arrays that they read, headers, and how lanes come and go.

Needs `emit`, `layout`, `operands`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from backends.fused.codegen.emit import Emitter
from backends.fused.codegen.layout import Field
from backends.fused.codegen.operands import ConstantPool, scalar_type
from backends.fused.native import header

OPTIMISE_BELOW_CHARS = 70_000
"""Characters of a function that runs once a lane up to which it is optimised as a step is, where lanes end after few steps."""

LONG = 140_000
"""Characters of a step up to which it is optimised in full; beyond, that takes seconds, and wins nothing that can be measured."""

FUNCTIONS = ("init", "step", "terminate", "postprocess")
"""A program's functions, in the order of a kernel's text."""


@dataclass(frozen=True)
class Part:
    """Some of a kernel's text, which can be compiled apart, and how long a character of it takes, in a compiler's time."""

    text: str
    weight: float


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


def parts_of(name: str, emitter: Emitter) -> list[Part]:
    """A function by its emitter, and behind it what is a function of its own: each stretch, and all branches together."""
    body = emitter.body()
    length = len(body) + sum(len(own.body) for own in emitter.outlined)
    per_step = emitter.unroll and length <= (LONG if name == "step" else OPTIMISE_BELOW_CHARS)
    kind = _kind(per_step, emitter.has_interleaved_chains)
    stretches = [_function(kind, own.name, ARGUMENTS[name], own.body) for own in emitter.outlined if not own.branch]
    few = "noinline" if name == "step" else "FEW"
    branches = [_function(few, own.name, ARGUMENTS[name], own.body) for own in emitter.outlined if own.branch]
    declared, weight = list(map(_declared, stretches + branches)), 3 if per_step else 1
    texts = [function_text(name, body, per_step, emitter.has_interleaved_chains), *stretches]
    parts = [Part("\n".join([*declared, text]), weight) for text in texts]
    return [*parts, Part("\n".join(branches), 3 if name == "step" else 1)] if branches else parts


ARGUMENTS = dict.fromkeys(FUNCTIONS, "const V *__restrict in, V *__restrict s, const T *__restrict sh, V *__restrict w")
ARGUMENTS["postprocess"] += ", V *__restrict r"
"""Arguments of each function."""


def function_text(name: str, body: str, per_step: bool, has_interleaved_chains: bool) -> str:
    """The text of a function apart, so that its one copy rounds in one way wherever it is called from."""
    arguments = ARGUMENTS[name]
    if name == "step":
        name, arguments = "steps", f"{arguments}, long n"
        body = f'for (; n > 0; n--) {{\nasm volatile("" ::: "memory");  // or the whole state goes to registers, and spills\n{body}\n}}'
    return _function(_kind(per_step, has_interleaved_chains), name, arguments, body)


def _kind(per_step: bool, has_interleaved_chains: bool) -> str:
    """How a function is compiled: macros of block.h."""
    return "CHAINED" if has_interleaved_chains else "noinline" if per_step else "ONCE"


def _function(kind: str, name: str, arguments: str, body: str) -> str:
    return f"LW_OWN __attribute__(({kind})) void {name}({arguments}) {{\n{body}\n}}"


def hoist_text(body: str) -> str:
    """The text of the function for what all lanes share."""
    return _function("ONCE", "hoist", "T *sh, V *h, V *w", body)


DECLARED = [
    header("input.h"),
    header("kernel.h"),
    *(_declared(function_text(name, "", True, False)) for name in FUNCTIONS),
    "LW_OWN void hoist(T *sh, V *h, V *w);",
]
"""Text that every part of a kernel reads."""


def runtime(dtype: str, width: int) -> str:
    """The loop over lanes as a part, compiled once for all kernels of a dtype and a width."""
    return assembled(dtype, width, ConstantPool(dtype), DECLARED, [RUNTIME])


RUNTIME = Part("\n".join(map(header, ("lane_io.h", "runtime.h"))), 4)
"""The part that all kernels of a dtype share."""


def loader(lane_inputs: list[Field]) -> str:
    """`count` lanes of every input into a block."""
    lines = [
        f"gather_lanes(t.in[{n}], first, count, in + {leaf.offset}, {leaf.size}, W * t.threads);"
        for n, leaf in enumerate(lane_inputs)
    ]
    return "LW_OWN void load(const Task &t, long first, int count, V *in) {\n" + "\n".join(lines) + "\n}"


STORED = {"float32": "float", "float64": "double", "int8": "signed char", "int16": "short", "int32": "int", "int64": "long"}
STORED |= {"bool": "bool", "uint8": "unsigned char"}


def storer(results: list[Field]) -> str:
    """Place `lane` of the results into lane `id` of the outputs, in their own dtypes."""
    lines = []
    for n, leaf in enumerate(results):
        kind = STORED[leaf.dtype]
        read = f"(({scalar_type(leaf.dtype)} *)(r + {leaf.offset}))[k * W + lane]"
        lines.append(f"for (long k = 0; k < {leaf.size}; k++) (({kind} *)t.out[{n}])[id * {leaf.size} + k] = ({kind}){read};")
    return "LW_OWN void store(const Task &t, long id, const V *r, int lane) {\n" + "\n".join(lines) + "\n}"
