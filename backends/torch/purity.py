"""While a declared function is traced: refuse what would freeze one lane's numbers.

A torch function mode sees every call on a tensor before it happens, so the refusal names the call, and comes
before anything is compiled.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.overrides import TorchFunctionMode

from backends.refusals import NUMPY, RANDOM, VALUES, WHERE, WRITES
from backends.torch.backwards import backwards, is_backwards
from backends.torch.definitions import DEFINITIONS
from backends.torch.determinant import det
from backends.torch.numpy_dispatch import Stop, hidden, is_input, lane_dtype
from backends.torch.quantile import replacement
from backends.torch.scalars import functions_named
from backends.tree import leaves, tree_map

_T = torch.Tensor
UNTRACEABLE: dict[Any, tuple[str, str, str]] = {
    **{getattr(_T, name): words for name, words in VALUES.items()},
    _T.numpy: NUMPY,
    _T.__array__: NUMPY,
    torch.linalg.lstsq: (
        "calls torch.linalg.lstsq",
        "its results have shapes that depend on values, and it raises for all lanes when one is not finite",
        "linalg.pinv(A) @ b, or solve(A.T @ A, A.T @ b)",
    ),
    torch.nonzero: ("asks where an array is not zero", "a shape may not depend on values", WHERE),
    _T.nonzero: ("asks where an array is not zero", "a shape may not depend on values", WHERE),
    **{
        draw: (f"draws random numbers with torch.{draw.__name__}()", *RANDOM)
        for draw in (torch.rand, torch.randn, torch.randint, torch.randperm, torch.normal, torch.rand_like, torch.randn_like,
                     torch.randint_like, torch.bernoulli, torch.multinomial, torch.poisson)
    },
}  # fmt: skip

IN_PLACE = frozenset(
    getattr(_T, name)
    for name in dir(_T)
    if (name.endswith("_") and not name.startswith("_") and name not in ("requires_grad_", "retain_grad_"))
    or name
    in ("__setitem__", *(f"__i{op}__" for op in "add sub mul div truediv floordiv mod pow and or xor lshift rshift".split()))
)
"""Methods that change the tensor itself."""


def _cholesky(a: torch.Tensor, *, upper: bool = False) -> torch.Tensor:
    factor: torch.Tensor = torch.linalg.cholesky_ex(a, upper=upper).L
    return factor


REPLACED: dict[Any, Callable[..., Any]] = {
    torch.linalg.cholesky: _cholesky,
    torch.cholesky: lambda a, upper=False: _cholesky(a, upper=upper),
    _T.cholesky: lambda a, upper=False: _cholesky(a, upper=upper),
    torch.linalg.det: det,
    torch.det: det,
    _T.det: det,
    **DEFINITIONS,
    **{own: replacement(torch.quantile) for own in (torch.quantile, _T.quantile)},
    **{own: replacement(torch.nanquantile) for own in (torch.nanquantile, _T.nanquantile)},
}
"""Calls that raise for some matrices, which the example lanes, random ones, may well be; the others tell lane by lane. And
those whose derivatives torch has not, or crashes at, or has by operations that do not lower."""


FRACTIONS = functions_named(
    "__truediv__ __rtruediv__ div divide true_divide sqrt rsqrt reciprocal exp exp2 expm1 log log2 log10 log1p sin cos tan sinh cosh "
    "tanh asin acos atan arcsin arccos arctan asinh acosh atanh atan2 arctan2 erf sigmoid lgamma digamma hypot"
)
"""Functions that make fractions of whole numbers: torch's would have its default dtype, float32, and the digits of that."""


def _is_fraction(value: object) -> bool:
    return isinstance(value, _T) and (value.is_floating_point() or value.is_complex())


def _as_lane(value: object) -> Any:
    return value.to(lane_dtype()) if isinstance(value, _T) else value


class Guard(TorchFunctionMode):
    """Raises `Stop` on the calls in `UNTRACEABLE`, on writes to inputs, and on NumPy arrays that meet traced tensors.

    Calls in `REPLACED` are made by what stands there; whole numbers in a call of `FRACTIONS` become floats of the lane's dtype.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: object, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        refused = UNTRACEABLE.get(func)
        if refused is not None:
            raise Stop(*refused)
        if func in IN_PLACE and is_input(args[0]):
            raise Stop(*WRITES)
        if any(isinstance(leaf, np.ndarray) for leaf in leaves(args)) and types:
            raise hidden(getattr(func, "__name__", "a call").strip("_"))
        rounded = (kwargs or {}).get("rounding_mode")
        if func in FRACTIONS and rounded is None and not any(map(_is_fraction, leaves(args))):
            args = tree_map(_as_lane, args)
        if func is _T.__getitem__ and is_backwards(args[1]):
            return backwards(*args)
        return REPLACED.get(func, func)(*args, **(kwargs or {}))
