"""Complex numbers x + i h t taken as a value and a derivative: how rules take them apart and put them together.

Needs nothing of the rest of the package. Most rules of `rules` and `functions` are written with these.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Operand = np.ndarray | float
"""A plain array, complex where it carries a derivative, or a number."""

Axis = int | tuple[int, ...] | None
"""The axis or axes that a function goes along, as in NumPy; None: all."""

Rule = Callable[..., Any]
"""A function of operands, written with NumPy, that keeps their derivatives."""


def real(value: object) -> Any:
    """Real parts; of nested lists and tuples, item by item."""
    if isinstance(value, np.ndarray | np.generic):
        return value.real if value.dtype.kind == "c" else value
    if isinstance(value, list | tuple):
        return type(value)(map(real, value))
    return value


def imag(value: object) -> Any:
    """Imaginary parts of an array; 0.0 of what is real."""
    return value.imag if isinstance(value, np.ndarray | np.generic) and value.dtype.kind == "c" else 0.0


def join(value: Operand, derivative: Operand) -> Any:
    """value + i derivative, broadcast, without the products that turn infinities into NaN."""
    value = np.asarray(value)
    found = np.empty(np.broadcast_shapes(value.shape, np.shape(derivative)), np.result_type(value, np.complex128))
    found.real, found.imag = value, derivative
    return found


def along(slope: Operand, tangent: Operand) -> Any:
    """slope * tangent; 0 where the tangent is 0, also next to an infinite slope."""
    return np.where(np.equal(tangent, 0), 0.0, slope * tangent)


def chain(value: Rule, *slopes: Rule) -> Rule:
    """The rule of a function from its real value and its partial derivatives; NaN where the value is NaN."""

    def rule(*arguments: object) -> Any:
        x = [np.asarray(real(a)) for a in arguments]
        tangents = [imag(a) for a in arguments]
        y = value(*x)
        terms = [along(slope(*x, y), t) for slope, t in zip(slopes, tangents, strict=True) if np.any(t)]
        return join(y, np.where(np.isnan(y), np.nan, sum(terms)))

    return rule
