"""The transforms that are at work on a tensor: how many derivatives are taken of it, one inside of the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor
from torch._functorch import eager_transforms
from torch._functorch.pyfunctorch import retrieve_all_functorch_interpreters
from torch.autograd import forward_ad

from backends.alone import ALONE


def is_wrapped(tensor: Tensor) -> bool:
    """Whether a transform of torch.func is at work on a tensor."""
    return bool(torch._C._functorch.is_functorch_wrapped_tensor(tensor)) and not torch._C._functorch.is_functionaltensor(tensor)


def orders(tensor: Tensor) -> int:
    """The derivatives that are taken of a tensor, one inside of the other: those of torch.func, and one by autograd.

    torch does not show an outer transform's tangents, so that whatever was computed within a `jvp` counts as moved by it.
    """
    functorch = torch._C._functorch
    if not is_wrapped(tensor):
        return int(tensor.requires_grad and torch.is_grad_enabled()) + _has_tangent(tensor)
    forward = {level.level() for level in retrieve_all_functorch_interpreters() if level.key() == functorch.TransformType.Jvp}
    count = 0
    while is_wrapped(tensor):
        if functorch.is_gradtrackingtensor(tensor):
            count += tensor.requires_grad or functorch.maybe_get_level(tensor) in forward
        tensor = functorch.get_unwrapped(tensor)
    return count + int(tensor.requires_grad)


def _has_tangent(tensor: Tensor) -> bool:
    if forward_ad._current_level < 0 or not tensor.is_floating_point():
        return False
    return forward_ad.unpack_dual(tensor).tangent is not None  # type: ignore[no-untyped-call]


@contextmanager
def within_dual_numbers() -> Iterator[None]:
    """A context in which torch.func takes forward derivatives of plain tensors, also where dual numbers are at work outside."""
    with ALONE:  # the level may be that of another thread's trace, which counts its own
        if forward_ad._current_level >= 0 and not eager_transforms.JVP_NESTING:
            eager_transforms.JVP_NESTING += 1
            try:
                yield
            finally:
                eager_transforms.JVP_NESTING -= 1
            return
    yield


def raise_twice(tensor: Tensor, words: str) -> Tensor:
    """The tensor, whose gradient by autograd cannot be differentiated again: that raises RuntimeError with these words."""

    def refuse(_: Tensor) -> None:
        raise RuntimeError(words)

    def first(gradient: Tensor) -> None:
        if gradient.requires_grad:
            gradient.register_hook(refuse)  # type: ignore[no-untyped-call]

    once = tensor.view_as(tensor)
    once.register_hook(first)  # type: ignore[no-untyped-call]
    return once
