"""Rules for NumPy's functions of sequences of perturbed arrays: tables, quantiles, values that are missing.

Arguments and results are plain arrays, complex where they carry a derivative. Needs `dual`, `extremes`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from backends.numpy.dual import Axis, Operand, Rule, real
from backends.numpy.extremes import refusal


def interp(x: Operand, xp: Any, fp: Any, left: Operand | None = None, right: Operand | None = None, period: object = None) -> Any:
    """The piecewise linear function through points, with the derivative of the segment that each x is in.

    NumPy's own rounds long doubles to doubles.
    """
    if period is not None:
        raise refusal("np.interp with a period", "x % period, and a point at each of its ends")
    x, xp, fp = np.asarray(x), np.asarray(xp), np.asarray(fp)
    at, places = real(x), real(xp)
    inside = np.where(at < places[0], xp[0], np.where(at > places[-1], xp[-1], x))
    first = np.clip(np.searchsorted(places, real(inside), side="right") - 1, 0, max(len(places) - 2, 0))
    last = np.minimum(first + 1, len(places) - 1)
    width = np.where(places[last] > places[first], xp[last] - xp[first], 1.0)
    found = fp[first] + (inside - xp[first]) * ((fp[last] - fp[first]) / width)
    found = found if left is None else np.where(at < places[0], left, found)
    return found if right is None else np.where(at > places[-1], right, found)


def sort(z: np.ndarray, axis: int | None = -1, **rest: object) -> Any:
    """The entries in the order of their values."""
    z, axis = (z.ravel(), 0) if axis is None else (z, axis)
    return np.take_along_axis(z, np.argsort(z.real, axis=axis, kind="stable"), axis=axis)


def quantile(z: np.ndarray, q: Operand, axis: Axis = None, *, keepdims: bool = False, **rest: object) -> Any:
    """The entries around a rank, and between them; NaN where an entry is."""
    _refuse("np.quantile", rest)
    if np.ndim(q) or isinstance(axis, tuple):
        raise refusal("np.quantile with several levels or axes", "one level and one axis")
    z, along = (z.ravel(), 0) if axis is None else (z, axis)
    if not z.shape[along]:  # of no entries NaN
        z = np.full([1 if k == along % z.ndim else size for k, size in enumerate(z.shape)], np.nan + 0j)
    ordered, rank = sort(z, along), np.asarray(q) * (z.shape[along] - 1)
    below, above = (np.take(ordered, [int(end)], axis=along) for end in (np.floor(real(rank)), np.ceil(real(rank))))
    found = below + (above - below) * (rank - np.floor(real(rank)))
    found = np.where(np.isnan(z.real).any(axis=along, keepdims=True), complex(np.nan, np.nan), found)
    return found if keepdims and axis is not None else np.squeeze(found, axis=along)


def nansum(z: np.ndarray, axis: Axis = None, *, keepdims: bool = False, **rest: object) -> Any:
    """The sum of what is there."""
    _refuse("np.nansum", rest)
    return np.sum(np.where(np.isnan(z.real), 0.0, z), axis=axis, keepdims=keepdims is True)


def nanmean(z: np.ndarray, axis: Axis = None, *, keepdims: bool = False, **rest: object) -> Any:
    """The mean of what is there."""
    _refuse("np.nanmean", rest)
    there = np.sum(~np.isnan(z.real), axis=axis, keepdims=keepdims is True)
    return nansum(z, axis, keepdims=keepdims) / there


def _refuse(name: str, rest: dict[str, object]) -> None:
    """Raises TraceError for arguments that a rule does not know."""
    given = [key for key, value in rest.items() if value is not np._NoValue]
    if given:
        raise refusal(f"{name} with {', '.join(given)}", "leave those arguments out, use where()")


def ediff1d(z: np.ndarray, to_end: Any = None, to_begin: Any = None) -> Any:
    """Differences of neighbours, and what stands before and behind them."""
    parts = [part for part in (to_begin, np.diff(np.ravel(z)), to_end) if part is not None]
    return np.concatenate([np.ravel(part) for part in parts])


def _wide(function: Rule) -> Rule:
    """A function whose result has the dtype of its first argument, which is to hold the derivatives of all."""

    def rule(z: Operand, *rest: Any, **named: Any) -> Any:
        numbers = [np.asarray(a) for a in (z, *rest, *named.values()) if isinstance(a, np.ndarray | float | int)]
        return function(np.asarray(z, np.result_type(*numbers)), *rest, **named)

    return rule


RULES: dict[Any, Rule] = {
    **{function: _wide(function) for function in (np.gradient, np.pad, np.full_like)},
    np.interp: interp,
    np.ediff1d: ediff1d,
    np.sort: sort,
    np.quantile: quantile,
    np.percentile: lambda z, q, axis=None, **rest: quantile(z, q / 100, axis, **rest),
    np.median: lambda z, axis=None, **rest: quantile(z, 0.5, axis, **rest),
    np.nansum: nansum,
    np.nanmean: nanmean,
}
