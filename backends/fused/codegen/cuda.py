"""The text of a whole kernel of CUDA C++, in which a thread is a lane: the bodies that `emit` writes, between other headers.

The steps keep a lane's numbers in one of three places (`mapping`), by how many there are: in registers, in shared memory, or
where they lie in the device's memory. The type of the arrays that a function is given decides what its body becomes.

Source:
    cuSOLVERDx, NVIDIA: a thread a matrix of up to some 100 numbers, more threads or shared memory a matrix beyond.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backends.fused.codegen.emit import Emitter
from backends.fused.codegen.layout import Field
from backends.fused.codegen.operands import ConstantPool, scalar_type
from backends.fused.codegen.source import STORED, Part
from backends.fused.native import header

SOURCE_LIMIT = 1_000_000
"""Characters beyond which a kernel is not compiled for a device: NVRTC takes some ten seconds over a fifth of that."""

REGISTERS = 250
"""Words of four bytes that inputs, state and scratch may take to be kept in registers, of which a thread has 255: what lives at
the same time is less, and room is left for addresses and products. Gradient descent on the inverse, float32, n = 4, has 216 words
and takes 208 registers; three parameters fitted by Levenberg-Marquardt to 16 points have 296 and take 254; of 309 some spill."""

WRITTEN_OUT = 6_000
"""Flops of a step up to which all its loops may be written out, as registers want."""

SHARED = 99 * 1024
"""Bytes of shared memory that a block may have on every device from compute capability 8.0 on."""

BLOCK = 128
"""Threads of a block where they share no memory."""

WARP = 32
"""Threads of a block that does: the fewest, so that as many lanes as a multiprocessor holds find room."""

CONSTANTS = tuple("N_INPUT N_STATE N_RESULT N_SCRATCH LOSS STATUS CHECK_EVERY STEPS_PER_POLL N_HOISTED".split())
"""Constants of the text, beside those of the mapping."""

LOOPED = ("step", "terminate")
"""Functions that run again and again in one kernel, `lw_solve`."""


@dataclass(frozen=True)
class Placement:
    """Memory in which the steps keep a lane's numbers, threads of a block, and its bytes of shared memory."""

    mapping: str
    lanes: int
    shared_bytes: int


def placement(held: int, tested: int, flops: int, item: int, wide: bool = False) -> Placement:
    """The mapping of a step.

    Args:
        held: numbers of inputs, state and scratch of a step.
        tested: the same with the scratch of a test, if that is more; a test's scratch is never in shared memory.
        flops: of a step.
        item: bytes of a number.
        wide: whether there are arrays of doubles beside floats, which registers do not hold.

    >>> placement(102, 216, 400, 4)
    Placement(mapping='registers', lanes=128, shared_bytes=0)
    >>> placement(390, 840, 2600, 4)
    Placement(mapping='shared', lanes=32, shared_bytes=49920)
    >>> placement(5_000, 5_000, 50_000, 8).mapping
    'global'
    """
    if tested * item <= 4 * REGISTERS and flops <= WRITTEN_OUT and not wide:
        return Placement("registers", BLOCK, 0)
    if held * item * WARP <= SHARED:
        return Placement("shared", WARP, held * item * WARP)
    return Placement("global", BLOCK, 0)


def function_text(name: str, body: str) -> str:
    """The text of a function, for arrays wherever they are."""
    kinds, arguments = "class In, class S, class W", "In in, S s, const T *__restrict__ sh, W w"
    if name == "step":
        name, arguments = "steps", f"{arguments}, long n"
        body = f"LW_ROUNDS for (; n > 0; n--) {{\n{body}\n}}"
    elif name == "postprocess":
        kinds, arguments = f"{kinds}, class R", f"{arguments}, R r"
    return f"template <{kinds}> LW_FN void {name}({arguments}) {{\n{body}\n}}"


def part_of(name: str, emitter: Emitter) -> Part:
    """A function by its emitter."""
    return Part(function_text(name, emitter.body()), 1)


def assembled(
    dtype: str, tables: ConstantPool, functions: Mapping[str, Part], hoist: str, where: Placement, constants: Mapping[str, int],
    lane_inputs: Sequence[Field], results: Sequence[Field],
) -> str:  # fmt: skip
    """A kernel's whole text."""
    scalar, integer = ("double", "long") if dtype == "float64" else ("float", "int")
    names = ("registers", "shared", "global")
    lines = [
        *(f"#define LW_{name.upper()} {k}" for k, name in enumerate(names)),
        f"#define LW_MAPPING LW_{where.mapping.upper()}",
        f"typedef {scalar} T;\ntypedef {integer} Int;",
        header("cuda/block.cuh"),
        header("cuda/lane_math.cuh"),
        *tables.texts.values(),
        *(part.text for name, part in functions.items() if name not in LOOPED),
        f"LW_FN void hoist(T *sh, T *h, T *w) {{\n{hoist}\n}}",
        *([header("cuda/every_round.cuh")] if where.mapping == "registers" else []),
        *(functions[name].text for name in LOOPED),
        *(f"constexpr long {name} = {value};" for name, value in constants.items()),
        header("input.h"),
        header("cuda/lane_io.cuh"),
        header("cuda/runtime.cuh"),
        loader(lane_inputs),
        storer(results),
    ]
    return "\n".join([*lines, ""])


def loader(lane_inputs: Sequence[Field]) -> str:
    """Every input of a lane into its column."""
    lines = [f"gather(t.in[{n}], id, in, {leaf.offset}, {leaf.size});" for n, leaf in enumerate(lane_inputs)]
    return "LW_FN void load(const Task &t, long id, Column<T> in) {\n" + "\n".join(lines) + "\n}"


def storer(results: Sequence[Field]) -> str:
    """The results of a lane into the outputs, in their own dtypes."""
    lines = []
    for n, leaf in enumerate(results):
        kind, read = STORED[leaf.dtype], f"LW_AT({scalar_type(leaf.dtype)}, r, {leaf.offset})[k]"
        lines.append(f"for (long k = 0; k < {leaf.size}; k++) (({kind} *)t.out[{n}])[id * {leaf.size} + k] = ({kind}){read};")
    return "LW_FN void store(const Task &t, long id, Column<T> r) {\n" + "\n".join(lines) + "\n}"
