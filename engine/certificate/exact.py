"""Exact problems: the backward error of a residual that vanishes at a solution. Needs an Objective."""

from __future__ import annotations

from backends.types import Array, array_namespace
from engine.certificate.verdict import Verdict, norm, ratio, true
from engine.objective import Objective, Params, at_zero, mean_square, zero
from engine.pow2 import largest, pow2_scale, scale_down
from engine.tangent import rademacher

DIRECTIONS = 4
"""Sign directions per estimate; each gives an unbiased estimate of the squared size."""

DIGITS = 0.01
"""rms(r) above this share of rms(r at zero params) means that digits are lost, whatever the backward error."""


def backward_verdict(objective: Objective, params: Params) -> Verdict:
    """The backward error, and whether rms(r) <= 0.01 rms(r at zero params), or the latter is zero."""
    blocks = [objective.residual(params), at_zero(objective, params)]
    one = pow2_scale(largest([block for parts in blocks for block in parts.values()]))
    here, origin = (norm([scale_down(block, one) for block in objective.scaled(parts).values()]) for parts in blocks)
    return Verdict(backward_error(objective, params), true(here), (here <= DIGITS * origin) | (origin == 0))


def backward_error(objective: Objective, params: Params) -> Array:
    """max over blocks of rms(r_k) / rms(s_k), s = |J p| entry by entry + |r at zero params|.

    |J p| is the root mean square of J (sigma p) over a few fixed sign patterns sigma, so that terms of a sum
    do not cancel in it. Where that overflows, nothing is known of the terms: they count as large as r.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, section 7.1 (normwise backward error).
    """
    # Signs for the entries of p make E[(J sigma p)_i^2] = sum_j (J_ij p_j)^2: the squared terms of r_i, by a few products.
    products = []
    for k in range(DIRECTIONS):
        turned = {name: x * rademacher(x, f"{name}.{k}") for name, x in params.items()}
        residual, product = objective.linearise(params, turned)
        products.append(product)
    origin = at_zero(objective, params)
    worst = zero(next(iter(params.values())))
    for name, r in residual.items():
        xp = array_namespace(r)
        terms = [product[name] for product in products]
        one = pow2_scale(largest([r, origin[name], *terms]))
        squares = [scale_down(p, one) * scale_down(p, one) for p in terms]
        size = xp.sqrt(sum(squares[1:], start=squares[0]) / DIRECTIONS) + xp.abs(scale_down(origin[name], one))
        here, whole = xp.sqrt(mean_square(scale_down(r, one))), xp.sqrt(mean_square(size))
        worst = xp.maximum(worst, ratio(here, xp.where(xp.isfinite(whole), whole, here)))
    return worst
