"""NumPy's and SciPy's functions by name, on tensors: with NumPy's arguments, by torch's operations.

`find(name)` looks here first, then, for names in `SAME` and universal functions, among the array-API's, torch's and `torch.special`'s.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Sequence
from typing import Any

import array_api_compat.torch
import torch
from torch import Tensor

from backends.torch.sequences import SEQUENCES, Operand

Function = Callable[..., Any]

xp: Any = array_api_compat.torch

OPERATORS: dict[str, Function] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv,
    "floor_divide": operator.floordiv, "remainder": operator.mod, "power": operator.pow, "float_power": operator.pow,
    "negative": operator.neg, "positive": operator.pos, "less": operator.lt, "less_equal": operator.le,
    "equal": operator.eq, "not_equal": operator.ne, "greater": operator.gt, "greater_equal": operator.ge,
    "bitwise_and": operator.and_, "bitwise_or": operator.or_, "bitwise_xor": operator.xor, "invert": operator.invert,
}  # fmt: skip
"""Universal functions that are operators, which take Python numbers as they are."""

OTHER_NAMES = {
    "absolute": "abs", "fabs": "abs", "arccos": "acos", "arccosh": "acosh", "arcsin": "asin", "arcsinh": "asinh",
    "arctan": "atan", "arctan2": "atan2", "arctanh": "atanh", "rint": "round", "fix": "trunc", "conjugate": "conj",
    "radians": "deg2rad", "degrees": "rad2deg", "psi": "digamma", "gammaln": "lgamma", "expit": "sigmoid", "row_stack": "vstack",
    "cumulative_sum": "cumsum", "linalg.matmul": "matmul", "linalg.outer": "outer", "linalg.trace": "trace",
    "linalg.diagonal": "diagonal", "linalg.matrix_transpose": "matrix_transpose", "linalg.tensordot": "tensordot",
}  # fmt: skip
"""NumPy's and SciPy's names -> torch's, or the name of another function of this table."""


SAME = frozenset(
    """
    tensordot kron matrix_transpose moveaxis hstack vstack dstack atleast_1d atleast_2d atleast_3d nan_to_num
    flipud fliplr rot90 cov corrcoef count_nonzero isclose sinc broadcast_arrays unstack searchsorted
    linalg.inv linalg.det linalg.slogdet linalg.pinv linalg.matrix_power linalg.eigh linalg.eigvalsh linalg.svd linalg.svdvals
    linalg.matrix_norm linalg.matrix_rank
    """.split()
)
"""Functions that torch, or its array-API namespace, has under NumPy's name and with NumPy's arguments."""


def find(name: str, universal: bool = False) -> Function | None:
    """The function on tensors, or None where there is none; universal ones, of numbers, are alike under one name."""
    name = OTHER_NAMES.get(name, name)
    if name in TABLE or not (universal or name in SAME):
        return TABLE.get(name)
    last = name.removeprefix("linalg.")
    places = (xp.linalg,) if last != name else (xp, torch, torch.special)
    return next((getattr(place, last) for place in places if callable(getattr(place, last, None))), None)


def outer_call(function: Function, a: Operand, b: Operand) -> Any:
    """A function of two numbers, of every pair: `np.subtract.outer`."""
    a, b = torch.as_tensor(a), torch.as_tensor(b)
    return function(a.reshape(*a.shape, *(1,) * b.ndim), b)


def _reduction(name: str) -> Function:
    whole = getattr(xp, name)

    def reduce(x: Tensor, axis: int | tuple[int, ...] | None = None, dtype: object = None, *, keepdims: bool = False) -> Any:
        cast = {} if dtype is None else {"dtype": getattr(torch, str(getattr(dtype, "__name__", dtype)))}
        return whole(x, axis=axis, keepdims=keepdims, **cast)

    return reduce


def _extreme(name: str) -> Function:
    whole = getattr(xp, name)
    return lambda x, axis=None, *, keepdims=False: whole(x, axis=axis, keepdims=keepdims)


def _moment(name: str) -> Function:
    whole = getattr(xp, name)

    def moment(
        x: Tensor,
        axis: int | tuple[int, ...] | None = None,
        *,
        ddof: float = 0,
        correction: float | None = None,
        keepdims: bool = False,
    ) -> Any:
        return whole(x, axis=axis, keepdims=keepdims, correction=ddof if correction is None else correction)

    return moment


def _running(name: str) -> Function:
    whole = getattr(torch, name)
    return lambda x, axis=None: whole(x.reshape(-1) if axis is None else x, dim=0 if axis is None else axis)


def _dot(a: Operand, b: Operand) -> Any:
    if not isinstance(a, Tensor) or not isinstance(b, Tensor) or not a.ndim or not b.ndim:
        return a * b
    return xp.matmul(a, b) if b.ndim < 3 else xp.tensordot(a, b, axes=([-1], [-2]))


def _inner(a: Operand, b: Operand) -> Any:
    has_axes = isinstance(a, Tensor) and isinstance(b, Tensor) and a.ndim and b.ndim
    return xp.tensordot(a, b, axes=([-1], [-1])) if has_axes else a * b


def _transpose(x: Tensor, axes: Sequence[int] | None = None) -> Any:
    return x.permute(*(range(x.ndim)[::-1] if axes is None else axes))


def _concatenate(arrays: Sequence[Tensor], axis: int | tuple[int, ...] | None = 0) -> Any:
    return xp.concat(tuple(arrays), axis=axis)


def _repeat(x: Tensor, repeats: int | Tensor, axis: int | None = None) -> Any:
    return torch.repeat_interleave(x.reshape(-1) if axis is None else x, repeats, dim=0 if axis is None else axis)


def _split(x: Tensor, sections: int | Sequence[int], axis: int = 0) -> Any:
    return list(torch.tensor_split(x, sections, dim=axis))


def _clip(x: Tensor, a_min: object = None, a_max: object = None, *, min: object = None, max: object = None) -> Any:
    low, high = (a_min if min is None else min), (a_max if max is None else max)
    return xp.clip(x, low, high)


def _where(condition: Tensor, *branches: Operand) -> Any:
    if not branches:
        return torch.nonzero(condition, as_tuple=True)
    like = next((b for b in branches if isinstance(b, Tensor)), None)
    cast: dict[str, Any] = {} if like is None else {"dtype": like.dtype, "device": like.device}
    a, b = (b if isinstance(b, Tensor) else torch.as_tensor(b, **cast) for b in branches)
    return torch.where(torch.as_tensor(condition), a, b)


def _average(x: Tensor, axis: int | tuple[int, ...] | None = None, weights: Tensor | None = None) -> Any:
    if weights is None:
        return TABLE["mean"](x, axis)
    return TABLE["sum"](x * weights, axis) / TABLE["sum"](weights * torch.ones_like(x), axis)


def _norm(x: Tensor, ord: object = None, axis: int | tuple[int, ...] | None = None, keepdims: bool = False) -> Any:
    return torch.linalg.norm(x, ord, dim=axis, keepdim=keepdims)


def _cross(a: Tensor, b: Tensor, axis: int = -1) -> Any:
    return torch.linalg.cross(*torch.broadcast_tensors(a, b), dim=axis)  # type: ignore[no-untyped-call]


def _polyval(coefficients: Sequence[Operand], x: Operand) -> Any:
    """Horner's rule, the highest power first, as in NumPy."""
    value = 0 * x
    for coefficient in coefficients:
        value = value * x + coefficient
    return value


def _take(x: Tensor, at: Any, axis: int | None = None) -> Tensor:
    if axis is None:
        x, axis = x.reshape(-1), 0
    if isinstance(at, int):
        return x.select(axis, at)
    axis, index = axis % x.ndim, torch.as_tensor(at, device=x.device)
    picked = torch.index_select(x, axis, index.reshape(-1) % x.shape[axis])
    return picked.reshape(*x.shape[:axis], *index.shape, *x.shape[axis + 1 :])


def _trapezoid(y: Tensor, x: Tensor | None = None, dx: float = 1.0, axis: int = -1) -> Any:
    return torch.trapezoid(y, dx=dx, dim=axis) if x is None else torch.trapezoid(y, x, dim=axis)


def _logsumexp(a: Tensor, axis: int | tuple[int, ...] | None = None, b: Operand | None = None, keepdims: bool = False) -> Any:
    axes = tuple(range(a.ndim)) if axis is None else axis
    if b is None:
        return torch.logsumexp(a, axes, keepdim=keepdims)
    top = torch.amax(a, axes, keepdim=True).detach()
    total = torch.log(torch.sum(b * torch.exp(a - top), axes, keepdim=True)) + top
    return total if keepdims else torch.sum(total, axes)  # of one element each


def _softmax(x: Tensor, axis: int | tuple[int, ...] | None = None) -> Any:
    return torch.exp(_log_softmax(x, axis))


def _log_softmax(x: Tensor, axis: int | tuple[int, ...] | None = None) -> Any:
    return x - _logsumexp(x, axis, keepdims=True)


def _betaln(a: Tensor, b: Tensor) -> Any:
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


def _ndtr(x: Tensor) -> Any:
    return torch.erfc(x * -math.sqrt(0.5)) / 2


def _log_ndtr(x: Tensor) -> Any:
    """log of the normal distribution function: by erfc on the right, by the scaled erfcx on the left, where erfc underflows."""
    left = torch.where(x < -1, x, torch.full_like(x, -1))
    right = torch.where(x < -1, torch.full_like(x, -1), x)
    tail = torch.log(torch.special.erfcx(left * -math.sqrt(0.5)) / 2) - left * left / 2
    return torch.where(x < -1, tail, torch.log1p(-torch.erfc(right * math.sqrt(0.5)) / 2))


def _ndtri(p: Tensor) -> Any:
    return math.sqrt(2) * torch.erfinv(2 * p - 1)


def _sign(x: Tensor) -> Any:
    """NumPy's, of NaN too."""
    return torch.where(x == x, torch.sign(x), x)


def _cbrt(x: Tensor) -> Any:
    return torch.sign(x) * torch.abs(x) ** (1 / 3)


def _einsum(spec: str, *operands: object, optimize: object = None) -> Any:
    return torch.einsum(spec, *operands)


TABLE: dict[str, Function] = {
    **{name: _reduction(name) for name in ("sum", "prod", "mean")},
    **{name: _extreme(name) for name in ("max", "min", "any", "all", "argmax", "argmin")},
    **{name: _moment(name) for name in ("var", "std")},
    **{name: _running(name) for name in ("cumsum", "cumprod")},
    "ptp": lambda x, axis=None, *, keepdims=False: xp.max(x, axis=axis, keepdims=keepdims) - xp.min(x, axis=axis, keepdims=keepdims),
    "average": _average, "dot": _dot, "inner": _inner, "vdot": lambda a, b: a.reshape(-1) @ b.reshape(-1),
    "matmul": xp.matmul, "meshgrid": lambda *x, indexing="xy": torch.meshgrid(*x, indexing=indexing), "outer": lambda a, b: a.reshape(-1, 1) * b.reshape(1, -1), "cross": _cross, "linalg.cross": _cross,
    "einsum": _einsum, "trace": lambda x, offset=0: torch.diagonal(x, offset).sum(-1),
    "diag": lambda x, k=0: torch.diag(x, k), "diagonal": lambda x, offset=0, axis1=0, axis2=1: torch.diagonal(x, offset, axis1, axis2),
    "triu": lambda x, k=0: torch.triu(x, k), "tril": lambda x, k=0: torch.tril(x, k),
    "transpose": _transpose, "permute_dims": _transpose, "swapaxes": lambda x, a, b: torch.swapaxes(x, a, b),
    "reshape": lambda x, shape: torch.reshape(x, (shape,) if isinstance(shape, int) else tuple(shape)),
    "ravel": lambda x: x.reshape(-1), "squeeze": lambda x, axis=None: x.squeeze() if axis is None else x.squeeze(axis),
    "expand_dims": lambda x, axis: xp.expand_dims(x, axis=axis), "flip": lambda x, axis=None: xp.flip(x, axis=axis),
    "broadcast_to": lambda x, shape: torch.broadcast_to(x, (shape,) if isinstance(shape, int) else tuple(shape)),
    "stack": lambda arrays, axis=0: xp.stack(tuple(arrays), axis=axis), "concatenate": _concatenate, "concat": _concatenate,
    "split": _split, "array_split": _split, "repeat": _repeat, "tile": lambda x, reps: torch.tile(x, (reps,) if isinstance(reps, int) else reps),
    "roll": lambda x, shift, axis=None: xp.roll(x, shift, axis=axis), "clip": _clip, "where": _where, "polyval": _polyval,
    "take": _take, "column_stack": lambda arrays: torch.cat([x.reshape(-1, 1) if x.ndim < 2 else x for x in arrays], 1),
    "take_along_axis": lambda x, at, axis=-1: torch.take_along_dim(x, at, dim=axis),
    "sort": lambda x, axis=-1: torch.sort(x, dim=axis).values, "argsort": lambda x, axis=-1: torch.argsort(x, dim=axis),
    "trapezoid": _trapezoid, "cbrt": _cbrt, "sign": _sign,
    "round": lambda x, decimals=0: torch.round(x, decimals=decimals), "copy": torch.clone, "real": lambda x: x,
    "zeros_like": lambda x: torch.zeros_like(x), "ones_like": lambda x: torch.ones_like(x),
    "full_like": lambda x, value: torch.zeros_like(x) + value, "empty_like": lambda x: torch.zeros_like(x),
    "ndim": lambda x: x.ndim, "shape": lambda x: tuple(x.shape), "size": lambda x: x.numel(),
    "linalg.norm": _norm, "linalg.vector_norm": xp.linalg.vector_norm, "linalg.solve": torch.linalg.solve,
    "linalg.multi_dot": torch.linalg.multi_dot, "linalg.cholesky": lambda a, *, upper=False: torch.linalg.cholesky(a, upper=upper),
    "linalg.qr": lambda a, mode="reduced": torch.linalg.qr(a, mode=mode),
    "logsumexp": _logsumexp, "softmax": _softmax, "log_softmax": _log_softmax, "polygamma": torch.polygamma, "betaln": _betaln,
    "log_expit": torch.nn.functional.logsigmoid, "ndtr": _ndtr, "log_ndtr": _log_ndtr, "ndtri": _ndtri,
    "rel_entr": lambda x, y: torch.xlogy(x, x) - torch.xlogy(x, y),
}  # fmt: skip
"""Functions whose arguments NumPy names or orders otherwise, or that torch has not."""
TABLE |= SEQUENCES | {"amax": TABLE["max"], "amin": TABLE["min"], "around": TABLE["round"]}
