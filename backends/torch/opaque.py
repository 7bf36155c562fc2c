"""One opaque operation for a whole solve, within transforms of torch.func and in graphs of torch.compile.

The operation has no derivative: it is fed detached tensors, and its results are re-attached by ordinary operations. It has a
rule for vmap, which puts one more axis in front of the batch, and one for torch.compile, which says shapes. Under either the
code behind it runs on plain tensors, outside of every transform.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor

from backends.alone import lent

T = TypeVar("T")


@dataclass(frozen=True)
class OpaqueCall:
    """A solve behind the operation.

    Fields:
        run: tensors, each `(*batch, *own)` or `(*own,)`, to the results, each with all batch axes in front.
        ranks: the number of each tensor's own axes; None for one that cannot differ by lane.
        batch: the number of batch axes.
        results: shapes and dtypes of the results for one lane; None within torch.func, which needs none.
    """

    run: Callable[[list[Tensor]], list[Tensor]]
    ranks: list[int | None]
    batch: int
    results: list[tuple[tuple[int, ...], torch.dtype]] | None = None


_calls: dict[int, OpaqueCall] = {}
_number = itertools.count()


@torch.library.custom_op("lanewise::solve", mutates_args=())
def _solve(number: int, lead: int, tensors: list[Tensor]) -> list[Tensor]:
    call, tensors = _calls[number], [t.detach() for t in tensors]  # Inductor hands over the leaves of a graph as they are
    if call.results is None:
        return call.run(tensors)
    return outside(lambda: call.run(tensors))  # compiled code's first run is watched by a mode, below which there is no vmap


@_solve.register_fake
def _blank(number: int, lead: int, tensors: list[Tensor]) -> list[Tensor]:
    call = _calls[number]
    assert call.results is not None
    own = [t.shape[: t.ndim - rank] for t, rank in zip(tensors, call.ranks, strict=True) if rank is not None]
    batch, like = torch.broadcast_shapes(*own), tensors[0]  # type: ignore[no-untyped-call]
    return [like.new_empty((*batch, *shape), dtype=dtype) for shape, dtype in call.results]


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


def solve(call: OpaqueCall, tensors: list[Tensor]) -> list[Tensor]:
    """The results of a call within a transform of torch.func, without derivatives."""
    number = kept(call)
    try:
        return again(number, tensors)
    finally:
        del _calls[number]


def kept(call: OpaqueCall) -> int:
    """The number of a call that compiled code makes again; it is kept."""
    number = next(_number)
    _calls[number] = call
    return number


def again(number: int, tensors: list[Tensor]) -> list[Tensor]:
    """The results of a call that is kept, without derivatives."""
    found: list[Tensor] = _solve(number, 0, [t.detach() for t in tensors])
    return found


def fresh(results: list[Tensor]) -> list[Tensor]:
    """Copies of results in the layout that compiled code was told of: no two on one memory, row by row."""
    return [a.clone(memory_format=torch.contiguous_format) for a in results]


_reads: dict[int, Callable[[], list[Tensor]]] = {}


@torch.library.custom_op("lanewise::read", mutates_args=())
def _read(number: int, device: torch.device) -> list[Tensor]:
    return fresh(_reads[number]())


@_read.register_fake
def _unread(number: int, device: torch.device) -> list[Tensor]:
    return [torch.empty(tuple(a.shape), dtype=a.dtype, device=device) for a in _reads[number]()]


def read(get: Callable[[], list[Tensor]], device: torch.device) -> list[Tensor]:
    """Tensors that compiled code reads anew each time that it runs."""
    number = next(_number)
    _reads[number] = get
    found: list[Tensor] = _read(number, device)
    return found


def in_graph(f: Callable[..., Any]) -> Callable[..., Any]:
    """A function that torch.compile runs as it stands while it traces, and whose operations go into the graph."""
    found: Callable[..., Any] = torch._dynamo.nonstrict_trace(f)
    return found


def outside(f: Callable[[], T]) -> T:
    """The result of a function that runs where no tracer is at work: in a thread of its own, and not as if it were compiled."""
    flag, torch.compiler._is_compiling_flag = torch.compiler._is_compiling_flag, False
    try:
        with lent(), ThreadPoolExecutor(1) as pool:
            return pool.submit(f).result()
    finally:
        torch.compiler._is_compiling_flag = flag
