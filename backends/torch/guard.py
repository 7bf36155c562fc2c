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

from backends.errors import TraceError
from backends.torch.determinant import det
from backends.torch.quantile import replacement
from backends.tree import leaves

_T = torch.Tensor
_REMEDY_VALUE = "values are not known while one lane is traced: use where() of the array namespace"
_REMEDY_NUMPY = "it would freeze one lane's numbers: use the array namespace (array_api_compat.array_namespace(x))"

REFUSED: dict[Any, str] = {
    _T.__bool__: f"branches on the value of an array; {_REMEDY_VALUE}",
    _T.__float__: f"turns an array into a Python float; {_REMEDY_VALUE}",
    _T.__int__: f"turns an array into a Python int; {_REMEDY_VALUE}",
    _T.__index__: f"uses an array's value as an index or a size; {_REMEDY_VALUE}",
    _T.item: f"reads an array's value with item(); {_REMEDY_VALUE}",
    _T.tolist: f"reads an array's values with tolist(); {_REMEDY_VALUE}",
    _T.numpy: f"calls NumPy on a traced array (numpy()); {_REMEDY_NUMPY}",
    _T.__array__: f"calls NumPy on a traced array, or mixes it with a NumPy array that it did not capture as a "
    f"variable; {_REMEDY_NUMPY}",
    torch.linalg.lstsq: "calls torch.linalg.lstsq, whose results have shapes that depend on values, and which raises for all "
    "lanes when one is not finite: use linalg.pinv(A) @ b, or solve(A.T @ A, A.T @ b), of the array namespace",
    torch.nonzero: f"asks where an array is not zero, a shape that depends on values; {_REMEDY_VALUE}",
    _T.nonzero: f"asks where an array is not zero, a shape that depends on values; {_REMEDY_VALUE}",
}


def _cholesky(a: torch.Tensor, *, upper: bool = False) -> torch.Tensor:
    factor: torch.Tensor = torch.linalg.cholesky_ex(a, upper=upper).L
    return factor


def _mse_loss(x: torch.Tensor, y: torch.Tensor, *args: Any, reduction: str = "mean", weight: Any = None, **more: Any) -> Any:
    """The same by its definition: forward mode through the gradient of torch's own ends the process (torch 2.13)."""
    if args or any(value is not None for value in more.values()):  # the old words for `reduction`
        own: Any = torch.nn.functional.mse_loss
        return own(x, y, *args, reduction=reduction, weight=weight, **more)
    square = (x - y) * (x - y) if weight is None else weight * (x - y) * (x - y)
    if reduction == "mean" and weight is not None:
        return square.sum() / weight.expand_as(square).sum()
    return {"none": lambda: square, "sum": square.sum, "mean": square.mean}[reduction]()


REPLACED: dict[Any, Callable[..., Any]] = {
    torch.linalg.cholesky: _cholesky,
    torch.cholesky: lambda a, upper=False: _cholesky(a, upper=upper),
    _T.cholesky: lambda a, upper=False: _cholesky(a, upper=upper),
    torch.linalg.det: det,
    torch.det: det,
    _T.det: det,
    torch.nn.functional.mse_loss: _mse_loss,
    **{own: replacement(torch.quantile) for own in (torch.quantile, _T.quantile)},
    **{own: replacement(torch.nanquantile) for own in (torch.nanquantile, _T.nanquantile)},
}
"""Calls that raise for some matrices, which the example lanes, random ones, may well be; the others tell lane by lane. And
those whose derivatives torch has not, or crashes at, or has by operations that do not lower."""


class Guard(TorchFunctionMode):
    """Raises `TraceError` on the calls in `REFUSED`, and on NumPy arrays that meet traced tensors."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        reason = REFUSED.get(func)
        if reason is not None:
            raise TraceError(reason)
        if any(isinstance(leaf, np.ndarray) for leaf in leaves(args)) and types:
            raise TraceError(
                f"mixes a NumPy array that it did not capture as a variable with traced ones in "
                f"{getattr(func, '__name__', func)}; {_REMEDY_NUMPY}, and capture the array as a variable"
            )
        return REPLACED.get(func, func)(*args, **(kwargs or {}))
