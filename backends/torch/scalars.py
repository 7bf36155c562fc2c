"""Python numbers beside scalar tensors, in forward mode: float32 stays float32.

A number gives way to a tensor's dtype. In torch's derivative formulas for sums, products and quotients it has become a tensor
of float64, which does not give way to another tensor of no axes: the derivative of `10.0 * p[1]` is a double, and the first
product with a matrix raises. Within `keeping`, numbers in these calls are tensors of the right dtype from the start.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from backends.tree import leaves


def functions_named(names: str) -> frozenset[Any]:
    """The functions of torch and the methods of tensors under some names."""
    found = (getattr(owner, name, None) for owner in (torch, Tensor) for name in names.split())
    return frozenset(function for function in found if function is not None)


ARITHMETIC = functions_named(
    "add sub subtract mul multiply div divide true_divide rsub ldexp __add__ __radd__ __iadd__ __sub__ __rsub__ __isub__ __mul__ "
    "__rmul__ __imul__ __truediv__ __rtruediv__ __itruediv__ add_ sub_ mul_ div_"
)
"""Calls in whose derivatives torch takes a number for a double."""


class Scalars(TorchFunctionMode):
    """Hands numbers beside a scalar tensor on as tensors of its dtype."""

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        if func in ARITHMETIC and args and (like := _scalar(args)) is not None:
            if func in (torch.ldexp, Tensor.ldexp):
                return args[0] * torch.pow(_as(like, 2.0), args[1])
            if isinstance(alpha := kwargs.get("alpha"), float):
                kwargs = {name: value for name, value in kwargs.items() if name != "alpha"}
                args = (args[0], _as(like, alpha) * args[1], *args[2:])
            args = tuple(_as(like, a) if isinstance(a, float | np.floating) else a for a in args)
        return func(*args, **kwargs)


def keeping(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function within such a mode."""
    if torch.compiler.is_compiling():  # a compiler's trace has no modes
        return function

    def kept(*args: object, **kwargs: object) -> Any:
        narrow = any(isinstance(a, Tensor) and a.dtype != torch.float64 for a in leaves((args, kwargs)))
        with Scalars() if narrow else nullcontext():
            return function(*args, **kwargs)

    return kept


def _scalar(args: tuple[Any, ...]) -> Tensor | None:
    """The first argument that is a tensor, where it is of no axes and of a dtype that is narrower than a double's."""
    like = next((a for a in args if isinstance(a, Tensor)), None)
    narrow = like is not None and like.is_floating_point() and like.dtype != torch.float64
    return like if like is not None and narrow and like.ndim == 0 else None


def _as(like: Tensor, number: Any) -> Tensor:
    return torch.tensor(float(number), dtype=like.dtype, device=like.device)
