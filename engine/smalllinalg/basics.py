"""The identity, zeros, and arrays over their largest magnitude."""

from __future__ import annotations

import math

from array_api_compat import device

from backends.types import Array, array_namespace


def scaled(a: Array) -> tuple[Array, Array]:
    """A over its largest magnitude, and that; zeros are over 1: any shape -> the same shape, `()`.

    For ONE lane: the magnitude is that of the whole array. No square of the result overflows.

    Example:
        >>> import numpy as np
        >>> scaled(np.array([[2.0, -4.0]]))[0].tolist()
        [[0.5, -1.0]]
    """
    xp = array_namespace(a)
    size = xp.max(xp.abs(a)) if math.prod(a.shape) else xp.sum(a)
    size = xp.where(size > 0, size, xp.ones_like(size))
    return a / size, size


def eye(n: int, like: Array) -> Array:
    """The identity of order n in the dtype and on the device of `like`, an array of any shape: `(n, n)`.

    Example:
        >>> import numpy as np
        >>> eye(2, like=np.float32([3.0])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return array_namespace(like).eye(n, dtype=like.dtype, device=device(like))


def zeros(like: Array, count: int) -> Array:
    """Zeros with the leading axes of an array: `(..., n)` -> `(..., count)`, in its dtype and on its device."""
    xp = array_namespace(like)
    return xp.zeros((*like.shape[:-1], count), dtype=like.dtype, device=device(like))
