"""One node of autograd's graph for a whole solve: nothing of its derivative is computed before it is asked for.

Plain autograd alone has such a node. Transforms of torch.func, dual numbers and graphs of torch.compile differentiate ordinary
operations.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from backends.alone import is_forward

Pullback = Callable[[Sequence[Tensor], Sequence[Tensor], Sequence[Tensor | None], Sequence[bool]], Sequence[Tensor | None]]
"""Inputs, results, the results' cotangents (None: zero), and whose cotangents are needed -> the inputs' cotangents."""


def is_autograd_alone() -> bool:
    """Whether no transform is at work: no level of torch.func, no dual numbers."""
    return not torch._C._are_functorch_transforms_active() and not is_forward()


def is_differentiated(cotangents: Sequence[Tensor | None]) -> bool:
    """Whether the backward pass at work is differentiated, or mapped, itself; autograd maps `is_grads_batched` by a key of its own."""
    mapped = any("Batched" in str(torch._C._dispatch_keys(g)) for g in cotangents if g is not None)
    return mapped or torch.is_grad_enabled() or not is_autograd_alone()


def attached(pullback: Pullback, inputs: Sequence[Tensor], results: Sequence[Tensor]) -> list[Tensor]:
    """The results, on the same memory, as functions of the inputs whose cotangents are what `pullback` says.

    Within a backward pass that is differentiated itself, grad mode is on, and `pullback` runs on tensors that are in the graph.
    """
    found: tuple[Tensor, ...] = Solve.apply(pullback, len(inputs), *inputs, *results)  # type: ignore[no-untyped-call]
    return list(found)


class Solve(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, pullback: Pullback, count: int, *tensors: Tensor) -> tuple[Tensor, ...]:
        results = tuple(a.detach() for a in tensors[count:])
        ctx.set_materialize_grads(False)
        ctx.pullback, ctx.count = pullback, count
        ctx.save_for_backward(*tensors[:count], *results)
        return results

    @staticmethod
    def backward(ctx: Any, *cotangents: Tensor | None) -> tuple[Any, ...]:
        saved, count = ctx.saved_tensors, ctx.count
        found = ctx.pullback(saved[:count], saved[count:], cotangents, ctx.needs_input_grad[2 : 2 + count])
        return (None, None, *found, *[None] * (len(saved) - count))


def pulled_back(
    f: Callable[[list[Tensor]], list[Tensor]],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Tensor | None],
    needed: Sequence[bool],
) -> list[Tensor | None]:
    """The inputs' cotangents by autograd through a function, differentiable where grad mode is on.

    Each input is a tensor of its own for the function, as one may be made of another in the graph outside.
    """
    twice = torch.is_grad_enabled()
    with torch.enable_grad():
        own = [a.view_as(a) if twice else a.detach() for a in inputs]
        for a, moves in zip(own, needed, strict=True):
            if moves and not a.requires_grad:
                a.requires_grad_()
        pairs = [(y, g) for y, g in zip(f(own), cotangents, strict=True) if g is not None and y.requires_grad]
        wanted = [a for a, moves in zip(own, needed, strict=True) if moves]
        if not pairs:
            return [None] * len(own)
        results, weights = zip(*pairs, strict=True)
        found = iter(torch.autograd.grad(results, wanted, weights, create_graph=twice, allow_unused=True))
    return [next(found) if moves else None for moves in needed]
