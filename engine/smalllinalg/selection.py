"""Order and extremes by comparison: no sort, no index that depends on a value."""

from __future__ import annotations

from array_api_compat import device

from backends.types import Array, array_namespace


def descending(values: Array) -> Array:
    """The permutation P with `values @ P` in descending order, as a matrix of ones and zeros: `(..., n, n)`.

    A comparison of all pairs: no sort, no index that depends on a value. Equal values keep their order.

    Example:
        >>> import numpy as np
        >>> v = np.array([1.0, 3.0, 2.0])
        >>> (v @ descending(v)).tolist()
        [3.0, 2.0, 1.0]
    """
    xp = array_namespace(values)
    places = xp.arange(values.shape[-1], device=device(values))
    here, there = values[..., :, None], values[..., None, :]
    ahead = (there > here) | ((there == here) & (places[None, :] < places[:, None]))
    rank = xp.sum(xp.astype(ahead, values.dtype), axis=-1)
    return xp.astype(rank[..., :, None] == xp.astype(places, values.dtype), values.dtype)


def first_largest(values: Array) -> tuple[Array, Array]:
    """The largest along the last axis, and 1 at its first place, 0 elsewhere: `(..., n)` -> `(...)`, `(..., n)`.

    There is no 1 beside a NaN.

    Example:
        >>> import numpy as np
        >>> top, pick = first_largest(np.array([1.0, 3.0, 3.0]))
        >>> float(top), pick.tolist()
        (3.0, [0.0, 1.0, 0.0])
    """
    xp = array_namespace(values)
    places = xp.arange(values.shape[-1], dtype=values.dtype, device=device(values))
    top = xp.max(values, axis=-1)
    at = xp.min(xp.where(values == top[..., None], places, xp.ones_like(places) * values.shape[-1]), axis=-1)
    return top, xp.astype(places == at[..., None], values.dtype)
