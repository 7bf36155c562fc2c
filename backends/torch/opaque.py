"""One opaque operation for a whole solve, and what torch says of tensors that somebody differentiates.

The operation has no derivative: it is fed detached tensors, and its results are re-attached by ordinary operations. It has a
rule for vmap, which puts one more axis in front of the batch, and one for torch.compile, which says shapes. Under either the
code behind it runs on plain tensors, outside of every transform.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch._functorch.pyfunctorch import retrieve_all_functorch_interpreters
from torch.autograd import forward_ad


@dataclass(frozen=True)
class OpaqueCall:
    """A solve behind the operation.

    Fields:
        run: tensors, each `(*batch, *own)` or `(*own,)`, to the results, each with all batch axes in front.
        ranks: the number of each tensor's own axes; None for one that cannot differ by lane.
        batch: the number of batch axes.
    """

    run: Callable[[list[Tensor]], list[Tensor]]
    ranks: list[int | None]
    batch: int


_calls: dict[int, OpaqueCall] = {}
_number = itertools.count()


@torch.library.custom_op("lanewise::solve", mutates_args=())
def _solve(number: int, lead: int, tensors: list[Tensor]) -> list[Tensor]:
    return _calls[number].run(tensors)


@_solve.register_vmap
def _vmapped(
    info: object, in_dims: tuple[None, None, list[int | None]], number: int, lead: int, tensors: list[Tensor]
) -> tuple[list[Tensor], list[int]]:
    """One more batch axis in front; one solve after the other where a tensor that all lanes share differs."""
    call, dims = _calls[number], in_dims[2]
    fronted = [t if dim is None else t.movedim(dim, 0) for t, dim in zip(tensors, dims, strict=True)]
    if any(dim is not None and rank is None for dim, rank in zip(dims, call.ranks, strict=True)):
        size = next(t.shape[0] for t, dim in zip(fronted, dims, strict=True) if dim is not None)
        each = [
            _solve(number, lead, [t if dim is None else t[k] for t, dim in zip(fronted, dims, strict=True)]) for k in range(size)
        ]
        found = [torch.stack(parts) for parts in zip(*each, strict=True)]
    else:
        wide = [
            t if dim is None else _padded(t, 1 + call.batch + lead + int(rank or 0))
            for t, dim, rank in zip(fronted, dims, call.ranks, strict=True)
        ]
        found = _solve(number, lead + 1, wide)
    return found, [0] * len(found)


def _padded(tensor: Tensor, ndim: int) -> Tensor:
    """A tensor with axes of size 1 after its first."""
    return tensor.reshape(tensor.shape[0], *[1] * (ndim - tensor.ndim), *tensor.shape[1:])


def solve(
    run: Callable[[list[Tensor]], list[Tensor]], tensors: list[Tensor], ranks: list[int | None], batch: int
) -> list[Tensor]:
    """The results of a solve within a transform, without derivatives; see `OpaqueCall`."""
    number = next(_number)
    _calls[number] = OpaqueCall(run, ranks, batch)
    try:
        found: list[Tensor] = _solve(number, 0, [t.detach() for t in tensors])
        return found
    finally:
        del _calls[number]


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
