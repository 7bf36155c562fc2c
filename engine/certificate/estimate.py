"""Problems too large for dense derivatives: one column of J at a time, or the gradient. Needs an Objective.

A column-wise cosine is blind along columns that are nearly collinear; the plan says where it is what `tol` means.

Source:
    Dennis and Schnabel, Numerical Methods for Unconstrained Optimization, sections 7.2 and 10.2 (relative gradient,
    cosine), with typical x 1.
"""

from __future__ import annotations

from typing import Any

from backends.tree import leaves, tree_map
from backends.types import Array, array_namespace
from engine.certificate.exact import DIRECTIONS, backward_error
from engine.certificate.verdict import Verdict, largest, norm, ratio, true
from engine.objective import Objective, Params
from engine.pow2 import largest as largest_entry
from engine.pow2 import pow2_scale, scale_down
from engine.tangent import Tangent, pow2_scales_at, rademacher

EXACT = 8.0
"""Units in the last place of a backward error within which a fit is exact."""


def offset_verdict(objective: Objective, params: Params) -> Verdict:
    """The largest cosine between the residual and a column of J; 0 for an exact fit."""
    angle, norms = _cosine(objective, params)
    xp = array_namespace(angle)
    exact = backward_error(objective, params) <= EXACT * float(xp.finfo(angle.dtype).eps)
    determined = ~xp.any(xp.stack([xp.any(length == 0) for length in norms.values()]))
    return Verdict(xp.where(exact, 0 * angle, angle), determined, true(angle))


def cosine(objective: Objective, params: Params) -> Array:
    """max_j |J_j' r| / (|J_j| |r|) over the columns of the weighted J in tangent coordinates: 0 at a stationary point.

    What presses against a face of a closed domain does not count. The angle does not depend on units: it is taken of
    r in its unit and of the columns in theirs, where no square underflows or overflows.
    """
    return _cosine(objective, params)[0]


def gradient_verdict(objective: Objective, params: Params, first: Array) -> Verdict:
    """max_j |g_j| max(|x_j|, 1) / max(|f|, min(1, |f at the start|)), in tangent coordinates."""
    tangent = Tangent(objective, params)
    value, gradient = objective.value_and_gradient(params)
    xp = array_namespace(value)
    scale = xp.maximum(xp.abs(value), xp.minimum(xp.abs(first), value * 0 + 1))
    slope, size = xp.abs(tangent.opened(tangent.to_coordinates(gradient))), tangent.typical_scale()
    return Verdict(largest(ratio(slope * xp.maximum(size, size * 0 + 1), scale), value), true(value), true(value))


def _cosine(objective: Objective, params: Params) -> tuple[Array, Params]:
    """The cosine and the lengths of J's columns, by parameter, in tangent coordinates and units."""
    objective = objective.within(pow2_scales_at(objective, params))
    tangent = Tangent(objective, params)
    residual, transpose = objective.pullback(params)
    norms = _column_norms(tangent, residual, transpose)
    size = pow2_scale(largest_entry(leaves(residual)))
    weighted = objective.scaled({name: scale_down(r, size) for name, r in residual.items()})
    gradient = tangent.to_coordinates(transpose(objective.scaled(weighted)))
    length = norm(leaves(weighted))
    angles = ratio(array_namespace(gradient).abs(tangent.opened(gradient)), tangent.joined(norms) * length)
    return largest(angles, length), norms


def _column_norms(tangent: Tangent, residual: dict[str, Array], transpose: Any) -> Params:
    """|J_j|: the root mean square of J' sigma over fixed sign patterns sigma, which has |J_j| as its expectation."""
    # Hutchinson's estimator of a diagonal (Bekas, Kokiopoulou and Saad, An estimator for the diagonal of a matrix, Appl. Numer.
    # Math. 57, 2007): E[(J' sigma)_j^2] = |J_j|^2 for independent signs sigma.
    objective, total = tangent.objective, None
    for k in range(DIRECTIONS):
        turned = {name: rademacher(r, f"row.{name}.{k}") for name, r in residual.items()}
        product = tangent.split(tangent.to_coordinates(transpose(objective.scaled(turned))))
        square = tree_map(lambda g: g * g / DIRECTIONS, product)
        total = square if total is None else tree_map(lambda a, b: a + b, total, square)
    norms: Params = tree_map(lambda t: array_namespace(t).sqrt(t), total)
    return norms
