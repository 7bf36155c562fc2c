"""Powers of two that bring a lane's numbers near 1, so that their squares neither underflow nor overflow.

Needs the array namespace. A unit is 1 for all ordinary numbers and exact for the others: no bit of a lane's answer
depends on it unless a square would have been lost.
"""

from __future__ import annotations

import math
from typing import Any

from backends.types import Array, array_namespace


def pow2_scale(size: Array) -> Array:
    """A power of two that size is near, where its square could be lost; 1 where size is near 1, and where it is 0, Inf or NaN.

    Near is within a factor of 2^128 (of 2^16 in float32).

    Example:
        >>> import numpy as np
        >>> pow2_scale(np.array([3.0, 1e30, 0.0, np.inf])).tolist(), bool(2**-128 < 1e-200 / pow2_scale(np.array(1e-200)) < 2**128)
        ([1.0, 1.0, 1.0, 1.0], True)
    """
    xp = array_namespace(size)
    top = float(xp.finfo(size.dtype).max)
    bits = round(math.log2(top))
    one = xp.ones_like(size)
    # its reciprocal must be a number, too
    held = xp.minimum(xp.maximum(size, one * 2.0 ** (8 - bits)), one * 2.0 ** (bits - 8))
    mantissa, _ = xp.frexp(held)
    ordinary = (size >= 2.0 ** -(bits // 8)) & (size <= 2.0 ** (bits // 8))
    return xp.where(ordinary | ~(size > 0) | ~(size <= top), one, held / (2 * mantissa))


def scale_down(a: Array, one: Array) -> Array:
    """a / one for a unit, to the bit: a product with 1 / one, which is exact, costs a vector of lanes a tenth.

    Example:
        >>> import numpy as np
        >>> scale_down(np.array([3.0, 0.1]), np.array(2.0**100)).tolist() == [3 / 2**100, 0.1 / 2**100]
        True
    """
    return a * (1 / one)


def largest(arrays: list[Array]) -> Array:
    """max |entry| of several arrays, a scalar; 0 where there are none."""
    found: Any = None
    for a in arrays:
        xp = array_namespace(a)
        size = xp.sum(a) if 0 in a.shape else xp.max(xp.abs(a))
        found = size if found is None else xp.maximum(found, size)
    result: Array = found
    return result
