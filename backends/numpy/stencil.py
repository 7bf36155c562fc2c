"""Derivatives of derivatives: a transform of arguments that already carry a perturbation.

T(x + i h t) = T(x) + i h D_t T(x). T's own derivatives are complex steps, and no array has two imaginary units,
so D_t T comes from a central difference of order 8 of T along t, in long double:

    D_t T(x) = sum_k c_k (T(x + k e t) - T(x - k e t)) / e,    c = 4/5, -1/5, 4/105, -1/280

The difference to the formula of order 6 on the same points estimates the error; steps shrink until it is small.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from backends.numpy.complex_step import H, hide, is_perturbed, numbers, result
from backends.numpy.lane_array import LaneArray, inner_dtype
from backends.tree import Tree, leaves, unflatten

Transform = Callable[..., Tree]

_L = np.longdouble
_ORDER_8 = (_L(4) / 5, -_L(1) / 5, _L(4) / 105, -_L(1) / 280)
_ORDER_6 = (_L(3) / 4, -_L(3) / 20, _L(1) / 60, _L(0))
_STEP = 2.0**-10
_SHRINK = 2.0**-4
_TRIES = 6
_NOISE = 8 * float(np.finfo(_L).eps)
_TOLERANCE = 2.0**-44


def lift(transform: Transform, *arguments: object) -> Tree:
    """transform(*arguments), where some of the arrays in the arguments may carry a perturbation."""
    flat = leaves(arguments)
    carriers = [k for k, leaf in enumerate(flat) if is_perturbed(leaf)]
    if not carriers:
        return transform(*arguments)
    z = [numbers(flat[k]) for k in carriers]
    x, t = [a.real.astype(_L) for a in z], [(a.imag / H).astype(_L) for a in z]

    def at(shift: np.floating) -> Tree:
        for k, point, direction in zip(carriers, x, t, strict=True):
            flat[k] = np.asarray(point + shift * direction).view(LaneArray)
        return transform(*unflatten(arguments, list(flat)))

    base = at(_L(0))
    finite = [bool(np.isfinite(leaf).all()) for leaf in _floats(leaves(base))]
    slopes = _difference(lambda shift: _floats(leaves(at(shift))), _first_step(x, t), finite)
    kind = np.result_type(*z)
    return unflatten(base, [_joined(leaf, slope, kind) for leaf, slope in zip(leaves(base), slopes, strict=True)])


def _first_step(x: list[np.ndarray], t: list[np.ndarray]) -> np.floating:
    """A power of two that moves the entries by about `_STEP` of the largest one that moves, or of 1."""
    moves = max((float(np.max(np.abs(d), initial=0.0)) for d in t), default=0.0)
    if not (0 < moves < np.inf):
        return _L(_STEP)
    sizes = [float(np.max(np.abs(p[d != 0]), initial=0.0)) for p, d in zip(x, t, strict=True)]
    scale = max(1.0, max(sizes)) / moves
    return _L(_STEP) * _L(2) ** np.floor(np.log2(scale)) if np.isfinite(scale) else _L(_STEP)


def _difference(values: Callable[[np.floating], list[np.ndarray]], step: np.floating, finite: Sequence[bool]) -> list[Any]:
    """The derivative at 0, with the step at which both formulas agree best, array by array; no shorter one where it is not finite."""
    best, errors = _try(values, step)
    errors = [error if known else 0.0 for error, known in zip(errors, finite, strict=True)]
    for _ in range(_TRIES):
        if all(error <= _TOLERANCE for error in errors):
            break
        step = step * _SHRINK
        found, now = _try(values, step)
        better = [new < old for new, old in zip(now, errors, strict=True)]
        if np.isfinite(errors).all() and not any(better):
            break
        best = [new if yes else old for new, old, yes in zip(found, best, better, strict=True)]
        errors = [min(new, old) for new, old in zip(now, errors, strict=True)]
    return best


def _try(values: Callable[[np.floating], list[np.ndarray]], step: np.floating) -> tuple[list[Any], list[float]]:
    """The derivatives with one step, and their estimated relative errors."""
    pairs = [(values(k * step), values(-k * step)) for k in range(1, 5)]
    found = [_formula(_ORDER_8, pairs, j, step) for j in range(len(pairs[0][0]))]
    rough = [_formula(_ORDER_6, pairs, j, step) for j in range(len(found))]
    noise = [_NOISE * float(np.max(np.abs(first), initial=0.0)) / float(step) for first in pairs[0][0]]
    return found, [_disagreement(a, b, n) for a, b, n in zip(found, rough, noise, strict=True)]


def _formula(
    weights: Sequence[np.floating], pairs: Sequence[tuple[list[np.ndarray], list[np.ndarray]]], j: int, step: np.floating
) -> Any:
    return sum(c * (ahead[j] - behind[j]) for c, (ahead, behind) in zip(weights, pairs, strict=True)) / step


def _disagreement(a: np.ndarray, b: np.ndarray, noise: float) -> float:
    """Largest difference relative to the largest entry, 0 within the noise; infinite where not a number."""
    if not np.size(a):
        return 0.0
    size = float(np.max(np.abs(a)))
    error = float(np.max(np.abs(a - b)))
    return 0.0 if error <= noise else error / size if np.isfinite(error) and size else np.inf


def _floats(flat: list[Any]) -> list[Any]:
    """Floating-point arrays as they are; zeros for the rest, which has no derivative."""
    arrays = (leaf.view(np.ndarray) if isinstance(leaf, np.ndarray) else np.asarray(0.0) for leaf in flat)
    return [array if array.dtype.kind == "f" else np.zeros(array.shape) for array in arrays]


def _joined(leaf: object, slope: np.ndarray, kind: np.dtype[Any]) -> Any:
    """leaf + i h slope, in the precision of the outer perturbation."""
    if not isinstance(leaf, np.ndarray) or inner_dtype(leaf).kind != "f":
        return result(leaf)
    z = np.empty(leaf.shape, kind)
    z.real, z.imag = leaf.view(np.ndarray), slope * _L(H)
    return hide(z)
