"""A kernel as its caller sees it: inputs and results, one array after the other, and figures. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

from backends.arrays import dtype_name
from backends.tree import Tree


@dataclass(frozen=True)
class Field:
    """An array of the lane: its dotted name, shape, dtype, and where its first number stands."""

    name: str
    shape: tuple[int, ...]
    dtype: str
    offset: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


def layout(tree_names: Sequence[str], arrays: Sequence[Any]) -> list[Field]:
    """Leaves one after the other; arrays are tensors or views of one lane."""
    found, offset = [], 0
    for name, array in zip(tree_names, arrays, strict=True):
        found.append(Field(name, tuple(array.shape), dtype_name(array), offset))
        offset += found[-1].size
    return found


def packed(leaves_: list[Field]) -> list[Field]:
    """Leaves one after the other, without gaps."""
    found, offset = [], 0
    for leaf in leaves_:
        found.append(Field(leaf.name, leaf.shape, leaf.dtype, offset))
        offset += leaf.size
    return found


@dataclass(frozen=True)
class Kernel:
    """A kernel's text, the layouts of its inputs and results, and figures.

    `flops` of a lane-step, `once` of all that a lane takes beside its steps; `steps_per_poll` go between two looks at `stop`.
    """

    source: str
    lane_inputs: list[Field]
    shared_inputs: list[Field]
    results: list[Field]
    form: Tree
    dtype: str
    width: int
    flops: int
    once: int
    steps_per_poll: int
    working_set: int

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """A kernel from what `dataclasses.asdict` gave, tuples as lists."""
        groups = {name: [Field(**leaf | {"shape": tuple(leaf["shape"])}) for leaf in fields[name]] for name in GROUPS}
        return cls(**fields | groups)


@dataclass(frozen=True)
class CudaKernel(Kernel):
    """A kernel of CUDA C++.

    Fields:
        mapping: where the steps keep a lane's numbers: "registers", "shared" memory or "global" memory.
        lanes: threads of a block of `lw_solve`.
        shared_bytes: shared memory of such a block.
        sizes: constant of the text -> its number: N_INPUT, N_STATE, N_RESULT, N_SCRATCH, N_SHARED, N_HOISTED, N_HOIST.
    """

    mapping: str
    lanes: int
    shared_bytes: int
    sizes: dict[str, int]


GROUPS = ("lane_inputs", "shared_inputs", "results")
