"""Tangents that are 0 by structure, while operations are recorded: no operation on them is written down, and few are done.

Forward mode makes one for each constant beside a param. torch has a type for these, whose every product runs a Python
function to find its shape; plain zeros that are known to be 0 take a tenth of the time and leave the same graph.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

_aten = torch.ops.aten

MADE = _aten._efficientzerotensor.default
"""The operation that makes one."""

QUERIES = {_aten.is_same_size.default, _aten._has_same_storage_numel.default}
"""Questions about two tensors whose answer rests on no number."""

LINEAR = {
    getattr(getattr(_aten, name), overload)
    for name, overloads in {
        "alias": "default", "clone": "default", "detach": "default", "diagonal": "default", "expand": "default", "neg": "default",
        "permute": "default", "select": "int", "slice": "Tensor", "squeeze": "default dim dims", "sum": "default dim_IntList",
        "t": "default", "transpose": "int", "unsqueeze": "default", "view": "default", "_to_copy": "default", "_unsafe_view": "default",
    }.items()
    for overload in overloads.split()
}  # fmt: skip
"""Operations of one tensor that make 0 of 0."""

Zero = Callable[[object], bool]


def is_absorbed(func: OpOverload, args: tuple[Any, ...], is_zero: Zero) -> bool:
    """Whether an operation's result is 0 because of an argument that is."""
    if func in LINEAR:
        return is_zero(args[0])
    if func is _aten.mul.Tensor:
        return is_zero(args[0]) or is_zero(args[1])
    if func in (_aten.div.Tensor, _aten.mul.Scalar, _aten.div.Scalar):
        return is_zero(args[0])
    return func in (_aten.add.Tensor, _aten.sub.Tensor) and is_zero(args[0]) and is_zero(args[1])


def summand(func: OpOverload, args: tuple[Any, ...], kwargs: dict[str, Any], is_zero: Zero) -> Tensor | None:
    """The argument that a sum with 0 is, or the negative of a difference from 0, where it has the result's shape and type."""
    if func not in (_aten.add.Tensor, _aten.sub.Tensor) or kwargs or not any(map(is_zero, args)):
        return None
    rest, zero = args if is_zero(args[1]) else args[::-1]
    if not isinstance(rest, Tensor) or rest.dtype != zero.dtype or zero.ndim > rest.ndim:
        return None
    behind = zip(reversed(zero.shape), reversed(rest.shape), strict=False)
    return rest if all(own in (1, size) for own, size in behind) else None
