"""Operands of emitted C++: addresses, constants, types and literals."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from backends.fused.codegen.affine_tables import declaration
from backends.fused.ir.graph import Node


@dataclass(frozen=True)
class Address:
    """The place of an input or output: `array[offset]` on; `shared` where it is numbers, not vectors."""

    array: str
    offset: int
    shared: bool = False


PARTS = ("concat", "fori_loop")
"""Kinds of nodes that are written in several parts, into a buffer."""


@dataclass
class ConstantPool:
    """Constant arrays of a kernel of some working dtype, each written once."""

    dtype: str
    texts: dict[str, str] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)

    def add(self, kind: str, values: np.ndarray) -> str:
        """The name of an array of numbers; `kind` is its C++ type."""
        text = ", ".join(literal(v) for v in values.reshape(-1))
        key = f"{kind}:{text}"
        if key not in self.names:
            self.names[key] = name = f"k{len(self.texts)}"
            short = declaration(name, values.reshape(-1)) if kind == "int" else None
            self.texts[name] = short or f"LW_TABLE {kind} {name}[{values.size}] = {{{text}}};"
        return self.names[key]


def literal(value: Any) -> str:
    """A number in C++."""
    if isinstance(value, bool | np.bool_):
        return "-1" if value else "0"
    if isinstance(value, int | np.integer):
        return str(int(value))
    kind = "" if isinstance(value, float | np.float64) else "f"  # an infinite double is no float in a list of them
    if math.isnan(value):
        return f"LW_NAN{kind}"
    if math.isinf(value):
        return f"{'-' if value < 0 else ''}LW_INF{kind}"
    return f"{float(value).hex()}{kind}"


def vector_type(dtype: str) -> str:
    """The C++ type of a vector of a dtype."""
    return {"float32": "F", "float64": "D"}.get(dtype, "I")


def scalar_type(dtype: str) -> str:
    """The C++ type of a number of a dtype."""
    return {"float32": "float", "float64": "double"}.get(dtype, "Int")


def pointer(dtype: str, place: Address) -> str:
    """An address as an array of vectors of a dtype."""
    return f"LW_AT({vector_type(dtype)}, {place.array}, {place.offset})"


def neutral(node: Node) -> str:
    """The value that a reduction starts from, in C++."""
    if node.name in ("max", "min"):
        return (
            literal(-math.inf if node.name == "max" else math.inf)
            if node.dtype.startswith("float")
            else ("-2147483647" if node.name == "max" else "2147483647")
        )
    return {"add": "0", "mul": "1", "and": "-1", "or": "0"}[node.name]


def cast(value: str, source: str, target: str) -> str:
    """A vector of one dtype as another, in C++."""
    if target == "bool":
        return f"mask({value} != 0)"
    text = f"(-{value})" if source == "bool" else value
    return f"convert<{vector_type(target)}>({text})"
