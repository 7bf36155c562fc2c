"""Properties of arrays: library, dtype, device; and host-side numbers (draws, constants).

The only place that asks an array where it comes from. Imports NumPy alone; other libraries are
recognised by the module of an array's class, so that none is imported before its arrays come.
"""

from __future__ import annotations

import hashlib
import math
import sys
import zlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import numpy as np

from backends.alone import is_forward
from backends.types import Array

FLOATS = ("float32", "float64")


def library(value: object) -> str | None:
    """`"numpy"`, `"torch"`, `"jax"`; None for Python numbers and lists of them.

    Raises TypeError for anything else.

    >>> library(np.zeros(2)), library([1.0, 2.0])
    ('numpy', None)
    """
    root = type(value).__module__.partition(".")[0]
    # first: torch.compile, when it traces a transform, does not get past an isinstance with NumPy's types
    if any(c.__module__.partition(".")[0] == "torch" and c.__name__ == "Tensor" for c in type(value).__mro__):
        return "torch"
    if isinstance(value, np.ndarray | np.generic):
        return "numpy"
    if root in ("jax", "jaxlib") and hasattr(value, "dtype"):
        return "jax"
    if isinstance(value, bool | int | float | complex | list | tuple):
        return None
    if hasattr(value, "__array__"):
        return "numpy"
    raise TypeError(f"got {type(value).__name__}; expected a NumPy array, a torch tensor, numbers or lists of them")


def is_array(value: object) -> bool:
    """True for arrays and tensors, not for Python numbers, lists or NumPy scalars."""
    if isinstance(value, np.generic):
        return False
    root = type(value).__module__.partition(".")[0]
    return isinstance(value, np.ndarray) or (root in ("torch", "jax", "jaxlib") and library_or_none(value) is not None)


def library_or_none(value: object) -> str | None:
    """`library`, with None for what is not an array."""
    try:
        return library(value)
    except TypeError:
        return None


def as_array(value: object) -> Any:
    """Numbers, lists and objects with `__array__` as NumPy arrays; arrays as they are."""
    return value if is_array(value) else np.asarray(value)


def dtype_name(array: Array) -> str:
    """The name of the dtype.

    >>> dtype_name(np.zeros(2, np.float32))
    'float32'
    """
    return str(getattr(array.dtype, "name", array.dtype)).removeprefix("torch.")  # of either byte order


def device(array: object) -> Any:
    """The device of a torch tensor, None where there is only the host."""
    return getattr(array, "device", None) if library(array) == "torch" else None


_PLAIN = frozenset(map(np.dtype, FLOATS))


def is_plain(value: object) -> bool:
    """Whether a value is a NumPy array of floats, of no subclass and of the machine's byte order: nothing needs to be asked of it."""
    return type(value) is np.ndarray and value.dtype in _PLAIN


def kind(array: Array) -> tuple[Any, ...]:
    """All of an array but its numbers: where it lives, shape, dtype, and the dtype that a solve of it alone works in.

    >>> kind(np.zeros((2, 3)))
    ((2, 3), dtype('float64'))
    """
    if is_plain(array):
        return array.shape, array.dtype
    name = library(array) or "numpy"
    return name, device(array), tuple(array.shape), array.dtype, common_float([array], name)


def common_float(arrays: Iterable[Any], library_name: str) -> str:
    """The float dtype that a solve works in.

    float32 and float64 are kept, a mixture is float64 (both libraries' promotion); integers and bools
    take the float dtype of the others, else the library's default (float64 in NumPy, torch's own in torch).
    """
    found = {dtype_name(array) for array in arrays} & set(FLOATS)
    if found:
        return max(found)
    if library_name == "torch":
        import torch

        return str(torch.get_default_dtype()).removeprefix("torch.")
    return "float64"


MASKED = "got a masked array; expected a plain one: fill it with .filled(), and give the mask as data of its own"
"""Words for an array whose mask would be dropped."""


def is_masked(value: object) -> bool:
    """Whether a value is a masked array, or a list that holds one."""
    return isinstance(value, np.ma.MaskedArray) or (isinstance(value, list | tuple) and any(map(is_masked, value)))


def refusal(array: Any) -> str | None:
    """Why an array cannot be used, with the remedy; None if it can."""
    name = dtype_name(array)
    if name not in FLOATS and not name.startswith(("int", "uint", "bool")):
        return f"got dtype {name}; expected float32, float64, integer or bool: convert it first"
    if isinstance(array, np.ma.MaskedArray):
        return MASKED
    if isinstance(array, np.ndarray) and array.view(np.ndarray).dtype != array.dtype:
        return "got a NumPy array within nested transforms, in long double; expected a torch tensor: pass torch.from_numpy(array)"
    if library(array) == "torch":
        import torch

        if array.layout is not torch.strided:
            return f"got a tensor of layout {array.layout}; expected a dense one: use .to_dense()"
    return None


def is_tracked(array: Any) -> bool:
    """Whether somebody may take a derivative of an array, or a transform of torch.func is at work on it."""
    if is_plain(array) or library(array) != "torch":
        return False
    import torch

    return bool(array.requires_grad or torch._C._functorch.is_functorch_wrapped_tensor(array) or is_forward())


def is_perturbed(value: object) -> bool:
    """Whether a value is a NumPy array that carries a derivative (`backends.numpy.complex_step`)."""
    return type(value) is not np.ndarray and getattr(type(value), "is_perturbed", False)


def is_compiling() -> bool:
    """Whether torch.compile is tracing the code that asks."""
    compiler = getattr(sys.modules.get("torch"), "compiler", None)  # not there while another thread loads torch
    return compiler is not None and bool(compiler.is_compiling())


def detached(array: Any) -> Any:
    """The numbers of an array without derivatives, forward or reverse, of any transform."""
    return array.detach() if library(array) == "torch" else array


def has_nonfinite(value: object) -> bool:
    """Whether there is a NaN or Inf among floats.

    >>> has_nonfinite([1.0, float("nan")]), has_nonfinite(np.arange(3))
    (True, False)
    """
    array = to_host(value)
    return array.dtype.kind == "f" and not bool(np.isfinite(array).all())


def first_nonfinite(value: object) -> str:
    """The first number that is not finite, with its index; empty where all are.

    >>> first_nonfinite(np.array([1.0, float("nan")]))
    'nan at [1]'
    """
    array = to_host(value)
    if array.dtype.kind != "f" or np.isfinite(array).all():
        return ""
    index = tuple(map(int, np.argwhere(~np.isfinite(array))[0]))
    return f"{array[index]} at {list(index)}" if index else f"{array[()]}"


def in_library(array: np.ndarray, name: str) -> Any:
    """A NumPy array as one of that library, on the host, with the same memory."""
    if name != "torch":
        return array
    import torch

    return torch.from_numpy(array)


def to_host(array: object) -> np.ndarray:
    """A NumPy copy or view for printing; moves from a device when it must."""
    if library_or_none(array) == "torch":
        tensor: Any = array
        return np.asarray(tensor.detach().cpu().numpy())
    return np.asarray(array)


def draw(kind: str, shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    """One random start, float64: `"normal"` N(0, 1) or `"uniform"` on [0, 1).

    NumPy's Philox on the host, keyed by seed, any integer, and parameter name: the same bits for every backend. Read-only: small
    ones are kept.
    """
    return (_kept if math.prod(shape) <= SMALL else _drawn)(kind, shape, seed, name)


def _drawn(kind: str, shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    generator = np.random.Generator(np.random.Philox(key=_key(seed, name)))
    made = np.asarray(generator.standard_normal(shape) if kind == "normal" else generator.random(shape))
    made.flags.writeable = False
    return made


def _key(seed: int, name: str) -> np.ndarray:
    """Philox's two words: seed and name as they are, or a digest of both where the seed is no word."""
    if 0 <= seed < 2**64:
        return np.array([seed, zlib.crc32(name.encode())], np.uint64)  # as a list they would meet in float64
    written = seed.to_bytes(seed.bit_length() // 8 + 1, "little", signed=True)
    return np.frombuffer(hashlib.sha256(written + name.encode()).digest()[:16], "<u8")


SMALL = 4096
"""Numbers up to which a draw is kept for the next call."""

_kept = lru_cache(64)(_drawn)


def signs(shape: tuple[int, ...], name: str) -> np.ndarray:
    """Fixed directions of +1 and -1, float64, the same in every process and on every backend."""
    return np.where(draw("uniform", shape, 0x51635, name) < 0.5, -1.0, 1.0)


def start(kind: str, shape: tuple[int, ...], seed: int, name: str) -> np.ndarray:
    """A declared start by its word: `"zeros"`, `"eye"` (ones where the last two indices agree), or a draw."""
    if kind == "zeros":
        return np.zeros(shape)
    if kind == "eye":
        if len(shape) < 2:
            return np.ones(shape)
        return np.broadcast_to(np.eye(shape[-2], shape[-1]), shape).copy()
    return draw(kind, shape, seed, name)


def blank(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Zeros on the host."""
    return np.zeros(shape, dtype)


def full(value: Any, shape: tuple[int, ...]) -> Any:
    """An array full of a scalar array's value, in its library."""
    if library(value) == "torch":
        return value.expand(shape)
    return np.broadcast_to(value, shape)


def to_lanes(array: Any, batch: tuple[int, ...], rank: int) -> Any:
    """Broadcast the batch axes in front of the last `rank` axes and flatten them into one; no copy if they fit."""
    own = tuple(array.shape[array.ndim - rank :]) if rank else ()
    wide = array.expand((*batch, *own)) if library(array) == "torch" else np.broadcast_to(array, (*batch, *own))
    return wide.reshape((int(np.prod(batch, dtype=np.int64)), *own))


def one_lane(array: Array) -> Any:
    """The first lane of a batch, or one of zeros where there is none."""
    if len(array):
        return array[0]
    return array.new_zeros(array.shape[1:]) if hasattr(array, "new_zeros") else np.zeros(array.shape[1:], array.dtype)


def where_equal(codes: np.ndarray, code: int, most: int) -> np.ndarray:
    """The first indices at which an array has a value, one row each."""
    return np.argwhere(codes == code)[:most]


def pick_lanes(value: object, rank: int, batch: tuple[int, ...], lanes: Array) -> Any:
    """Some lanes of an array; one without batch axes is shared and stays whole."""
    array = as_array(value)
    if array.ndim <= rank:
        return value if array.ndim == rank or len(lanes) == 0 else array
    return to_lanes(array, batch, rank)[lanes]


def put_lanes(array: Any, axes: int, lanes: np.ndarray, values: Array) -> Any:
    """A copy of an array with other values in some lanes of its first axes."""
    copy = array.clone() if library(array) == "torch" else np.array(array)
    flat = copy.reshape((math.prod(array.shape[:axes]), *array.shape[axes:]))
    flat[lanes] = values
    return flat.reshape(array.shape)


def quantiles(values: object, at: tuple[float, ...]) -> list[float]:
    """Quantiles of the finite values, NaN where there is none."""
    finite = to_host(values).astype(np.float64).reshape(-1)
    finite = finite[np.isfinite(finite)]
    return [float(q) for q in np.quantile(finite, at)] if finite.size else [float("nan")] * len(at)
