"""A function taken apart without its numbers: which results each input reaches, and which operations it is made of.

A NaN goes through arithmetic wherever there is a dependence, through a product with 0 as well, so that what a NaN in one
input makes NaN is what that input can reach at any numbers. A choice between two arrays counts as their sum, since at
other numbers it may take the other one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._ops import OpOverload

from backends.base import Anatomy
from backends.torch.no_dynamo import Mode
from backends.tree import leaves

POLYNOMIAL = frozenset(
    "_to_copy _unsafe_view add addmm addmv alias arange as_strided baddbmm bmm broadcast_to cat clone constant_pad_nd contiguous "
    "copy detach diag diag_embed diagonal diagonal_backward dot empty expand expand_as eye fill flip full full_like gather "
    "index_put index_select lift_fresh linalg_cross linalg_diagonal matmul mean mm movedim mul mv narrow neg new_empty "
    "new_empty_strided new_full new_ones new_zeros ones ones_like permute prod repeat reshape roll rsub scalar_tensor select "
    "select_backward slice slice_backward split squeeze stack sub sum t to trace transpose tril triu unbind unsafe_split "
    "unsqueeze vdot view zero zeros zeros_like".split()
)
"""Operations that are polynomials of what they are given."""

REGULAR = POLYNOMIAL | frozenset(
    "_log_softmax _log_softmax_backward_data _softmax _softmax_backward_data abs amax amin atan bitwise_and bitwise_not "
    "bitwise_or ceil clamp clamp_max clamp_min cos cosh cumsum div eq erf erfc exp exp2 expm1 floor ge gelu gelu_backward gt "
    "index isfinite isinf isnan le lgamma log log10 log1p log2 log_softmax logaddexp logical_and logical_not logical_or "
    "logsumexp lt max maximum min minimum ne reciprocal relu round sgn sigmoid sigmoid_backward sign silu silu_backward sin "
    "sinh softmax softplus softplus_backward square tan tanh tanh_backward threshold_backward where".split()
)
"""Operations with a finite derivative wherever their value is finite, but for overflow."""

TRANSPARENT = REGULAR | frozenset(
    "acos acosh asin asinh atan2 atanh cumprod hypot linalg_vector_norm logit masked_fill norm pow rsqrt sqrt std var "
    "xlogy".split()
)
"""Operations that a NaN goes through wherever there is a dependence; not through a sort, say, which only moves it."""

ORDINARY = 1e6
"""Constants are ordinary from its reciprocal on to it, and 0."""

CHUNK = 512
"""Inputs that are followed at a time: a NaN in each, side by side."""


class _Recorder(Mode):  # type: ignore[no-untyped-call]
    """Records the operations, and whether all constants among their arguments are ordinary."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.names, self.ordinary = set[str](), True

    def __torch_dispatch__(
        self, func: OpOverload, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = _name(func)
        self.names.add("mul" if name == "pow" and len(args) == 2 and args[1] in (1, 2, 3, 4) else name)
        found = func(*args, **(kwargs or {}))
        given = [leaf for leaf in leaves([list(args), dict(kwargs or {})]) if isinstance(leaf, float)]
        made = [] if any(isinstance(a, Tensor) for a in leaves(list(args))) else [a for a in leaves(found) if _is_small(a)]
        self.ordinary &= all(_is_ordinary(x) for x in (*given, *(x for a in made for x in a.reshape(-1).tolist())))
        return found


class _Spread(Mode):  # type: ignore[no-untyped-call]
    """Takes a choice as the sum of both."""

    def __torch_dispatch__(
        self, func: OpOverload, types: Sequence[type], args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        name = _name(func)
        if name == "where" and len(args) == 3 and args[1].is_floating_point():
            return args[1] + args[2] + 0 * args[0]
        if name in ("sgn", "sign"):  # of NaN it is 0
            return 0 * args[0]
        if name == "masked_fill":
            return args[0] + 0 * args[1] + args[2]
        return func(*args, **(kwargs or {}))


def examine(f: Callable[[Tensor], Tensor], x: Tensor) -> Anatomy | None:
    """The anatomy of a function of a vector, at any point where it is finite; None where it cannot be seen."""
    try:
        with torch.no_grad(), _Recorder() as recorder:
            f(x)
        names = frozenset(recorder.names)
        if not names <= TRANSPARENT:
            return None
        with torch.no_grad(), _Spread():  # type: ignore[no-untyped-call]
            reach = tuple(found for first in range(0, len(x), CHUNK) for found in _reach(f, x, first))
    except Exception:  # whatever an operation raises for NaN: nothing is known of it
        return None
    return Anatomy(reach, names <= POLYNOMIAL and recorder.ordinary, names <= REGULAR)


def _reach(f: Callable[[Tensor], Tensor], x: Tensor, first: int) -> list[Any]:
    """The results that each of some inputs reaches."""
    count = min(CHUNK, len(x) - first)
    lost = x.tile(count, 1)
    lost[range(count), range(first, first + count)] = math.nan
    return [row.nonzero()[:, 0].cpu().numpy() for row in torch.vmap(f)(lost).isnan()]


def _name(func: object) -> str:
    """An operation without its overload and without the mark of working in place."""
    return str(func).removeprefix("aten.").partition(".")[0].rstrip("_")


def _is_small(a: object) -> bool:
    return isinstance(a, Tensor) and a.is_floating_point() and a.numel() <= 4096


def _is_ordinary(x: float) -> bool:
    return x == 0 or 1 / ORDINARY <= abs(x) <= ORDINARY
