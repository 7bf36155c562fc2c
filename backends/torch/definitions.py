"""Functions by their definitions, as forward mode twice through torch's own ends the process (torch 2.13)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Dim = int | tuple[int, ...] | None


def variance(
    x: Tensor,
    dim: Dim | bool = None,
    unbiased: bool = True,
    keepdim: bool = False,
    *,
    correction: float | None = None,
    **more: Any,
) -> Tensor:
    """The sum of squares about the mean, over their number less the correction; arguments as those of `torch.var`.

    >>> variance(torch.tensor([1.0, 3.0])).item(), variance(torch.tensor([[1.0], [3.0]]), 0, correction=0).tolist()
    (2.0, [1.0])
    """
    unbiased = dim if isinstance(dim, bool) else unbiased
    along: Dim = None if isinstance(dim, bool) else more.get("axis", dim)
    keepdim = more.get("keepdims", keepdim)
    axes = tuple(range(x.ndim)) if along is None or along == () else (along,) if isinstance(along, int) else along
    centred = x - x.mean(axes, keepdim=True) if axes else x - x
    number = math.prod(x.shape[axis] for axis in axes)
    total = (centred * centred).sum(axes, keepdim=keepdim) if axes else centred
    less = float(unbiased) if correction is None else correction
    return total / total.new_tensor(max(0.0, number - less))  # a tangent of a lone float32 over a float is float64 in torch


def deviation(x: Tensor, *args: Any, **more: Any) -> Tensor:
    """The root of the variance; where it is zero, so is the derivative.

    >>> deviation(torch.tensor([1.0, 3.0]), correction=0).item()
    1.0
    """
    square = variance(x, *args, **more)
    still = square == 0
    return torch.where(still, square, torch.sqrt(torch.where(still, torch.ones_like(square), square)))


def mse_loss(x: Tensor, y: Tensor, *args: Any, reduction: str = "mean", weight: Any = None, **more: Any) -> Any:
    """The mean, or the sum, of squared differences; arguments as those of `torch.nn.functional.mse_loss`.

    >>> mse_loss(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 0.0])).item()
    5.0
    """
    if args or any(value is not None for value in more.values()):  # the old words for `reduction`
        own: Any = torch.nn.functional.mse_loss
        return own(x, y, *args, reduction=reduction, weight=weight, **more)
    square = (x - y) * (x - y) if weight is None else weight * (x - y) * (x - y)
    if reduction == "mean" and weight is not None:
        return square.sum() / weight.expand_as(square).sum()
    return {"none": lambda: square, "sum": square.sum, "mean": square.mean}[reduction]()


def trapezoid(y: Tensor, x: Tensor | None = None, *, dx: float = 1.0, dim: int = -1) -> Tensor:
    """The integral by trapezoids along an axis; arguments as those of `torch.trapezoid`.

    >>> trapezoid(torch.tensor([1.0, 3.0, 1.0]), torch.tensor([0.0, 1.0, 3.0])).item()
    6.0
    """
    y = y.movedim(dim, -1)
    heights = (y[..., 1:] + y[..., :-1]) / 2
    if x is None:
        return (heights * dx).sum(-1)
    x = x if x.ndim == 1 else x.movedim(dim, -1)
    return (heights * (x[..., 1:] - x[..., :-1])).sum(-1)


def atanh(x: Tensor) -> Tensor:
    """Half of log((1 + x) / (1 - x)).

    >>> atanh(torch.tensor(0.0)).item()
    0.0
    """
    return 0.5 * (torch.log1p(x) - torch.log1p(-x))


def radians(x: Tensor) -> Tensor:
    """An angle in degrees, in radians.

    >>> radians(torch.tensor(180.0)).item() == torch.tensor(math.pi).item()
    True
    """
    return x * (math.pi / 180.0)


def degrees(x: Tensor) -> Tensor:
    """An angle in radians, in degrees.

    >>> round(degrees(torch.tensor(math.pi)).item(), 4)
    180.0
    """
    return x * (180.0 / math.pi)


DEFINITIONS: dict[Any, Callable[..., Tensor]] = {
    **dict.fromkeys((torch.var, Tensor.var), variance),
    **dict.fromkeys((torch.std, Tensor.std), deviation),
    torch.nn.functional.mse_loss: mse_loss,
    **dict.fromkeys((torch.trapezoid, torch.trapz), trapezoid),
    **dict.fromkeys((torch.atanh, torch.arctanh, Tensor.atanh, Tensor.arctanh), atanh),
    **dict.fromkeys((torch.deg2rad, Tensor.deg2rad), radians),
    **dict.fromkeys((torch.rad2deg, Tensor.rad2deg), degrees),
}
"""Function or method of torch -> the same by its definition."""
