"""The identity that belongs to an array."""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from backends.types import array_namespace
from engine.errors import ArgumentError


def eye_like(a: Any) -> Any:
    """The identity of an array's last axis, `(n, n)`, in its dtype and on its device.

    Args:
        a: an array `(..., n)`.

    Raises:
        ValueError: for a scalar, which has no last axis.

    Example:
        >>> import numpy as np
        >>> eye_like(np.zeros((3, 2), np.float32))
        array([[1., 0.],
               [0., 1.]], dtype=float32)
    """
    if a.ndim == 0:
        raise ArgumentError("eye_like: got a scalar; expected an array with a last axis, such as a matrix")
    return array_namespace(a).eye(a.shape[-1], dtype=a.dtype, device=device(a))
