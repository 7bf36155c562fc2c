"""Gradient descent with momentum on mean((X A - I)^2) as others would write it; one function a peer.

Each takes `(A, start, steps)`, `A` and `start` of shape `(batch, n, n)` and one float dtype, and returns X after so many
steps, alike. The rate is a tensor, so that torch.compile does not guard on its value.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor

RATE, MOMENTUM = 0.9, 0.9
Peer = Callable[[Tensor, Tensor, int], Tensor]


def plain_loop(A: Tensor, start: Tensor, steps: int) -> Tensor:
    """The posts' loop: one matrix after another, autograd and torch.optim's arithmetic by hand."""
    return torch.stack([_one(a, x, steps) for a, x in zip(A, start, strict=True)])


def eager_vmap(A: Tensor, start: Tensor, steps: int) -> Tensor:
    """torch.func, eager: vmap of grad of the one-matrix loss."""
    eye = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    gradient = torch.vmap(torch.func.grad(lambda X, a: ((X @ a - eye) ** 2).mean()))
    X, velocity = start, torch.zeros_like(start)
    for _ in range(steps):
        velocity = MOMENTUM * velocity + gradient(X, A)
        X = X - RATE * velocity
    return X


def by_hand(A: Tensor, start: Tensor, steps: int) -> Tensor:
    """The gradient derived on paper, two baddbmm a step, in place."""
    n = A.shape[-1]
    minus_eye, transposed = -torch.eye(n, dtype=A.dtype, device=A.device).expand_as(A), A.mT.contiguous()
    X, velocity = start.clone(), torch.zeros_like(start)
    for _ in range(steps):
        residual = torch.baddbmm(minus_eye, X, A)
        velocity = torch.baddbmm(velocity, residual, transposed, beta=MOMENTUM, alpha=2 / n**2)
        X.sub_(velocity, alpha=RATE)
    return X


def compiled_batch_first(A: Tensor, start: Tensor, steps: int) -> Tensor:
    """torch.compile of a step written with matrix products over (batch, n, n)."""
    return _compiled(_step_batch_first, A, start, steps)


def compiled_batch_last(A: Tensor, start: Tensor, steps: int) -> Tensor:
    """torch.compile of a step written as multiply-and-sum over (n, n, batch)."""
    inner, outer = (tensor.permute(1, 2, 0).contiguous() for tensor in (A, start))
    return _compiled(_step_batch_last, inner, outer, steps).permute(2, 0, 1)


PEERS: dict[str, Peer] = {
    "plain loop": plain_loop,
    "eager vmap(grad)": eager_vmap,
    "baddbmm by hand": by_hand,
    "torch.compile (B,n,n)": compiled_batch_first,
    "torch.compile (n,n,B)": compiled_batch_last,
}


def _one(a: Tensor, start: Tensor, steps: int) -> Tensor:
    eye, velocity = torch.eye(len(a), dtype=a.dtype), torch.zeros_like(a)
    X = start.clone().requires_grad_()
    for _ in range(steps):
        loss = ((X @ a - eye) ** 2).mean()
        (gradient,) = torch.autograd.grad(loss, X)
        with torch.no_grad():
            velocity = MOMENTUM * velocity + gradient
            X -= RATE * velocity
    return X.detach()


def _compiled(step: Any, A: Tensor, start: Tensor, steps: int) -> Tensor:
    X, velocity, rate = start, torch.zeros_like(start), torch.tensor(RATE, dtype=A.dtype, device=A.device)
    run = _compile(step, A.shape, A.dtype)
    with torch.no_grad():
        for _ in range(steps):
            X, velocity = run(A, X, velocity, rate)
    return X


@cache
def _compile(step: Any, shape: torch.Size, dtype: torch.dtype) -> Any:
    """Compiled anew for each shape, with all sizes static: what suits the peer best."""
    torch._dynamo.reset()
    return torch.compile(step, dynamic=False, fullgraph=True)


def _step_batch_first(A: Tensor, X: Tensor, velocity: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    n = A.shape[-1]
    residual = X @ A - torch.eye(n, dtype=A.dtype, device=A.device)
    velocity = MOMENTUM * velocity + (2 / n**2) * (residual @ A.mT)
    return X - rate * velocity, velocity


def _step_batch_last(A: Tensor, X: Tensor, velocity: Tensor, rate: Tensor) -> tuple[Tensor, Tensor]:
    n = A.shape[0]
    residual = (X[:, :, None] * A[None]).sum(1) - torch.eye(n, dtype=A.dtype, device=A.device)[:, :, None]
    velocity = MOMENTUM * velocity + (2 / n**2) * (residual[:, None] * A[None]).sum(2)
    return X - rate * velocity, velocity
