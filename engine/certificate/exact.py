"""Exact problems: the backward error of a residual that vanishes at a solution. Needs an Objective."""

from __future__ import annotations

from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine.certificate.rounding import by_data
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
    blocks = _blocks(objective, params)
    parts = [{name: block.residual for name, block in blocks.items()}, {name: block.origin for name, block in blocks.items()}]
    one = pow2_scale(largest([a for part in parts for a in part.values()]))
    here, origin = (norm([scale_down(a, one) for a in objective.scaled(part).values()]) for part in parts)
    return Verdict(_worst(blocks, params), true(here), (here <= DIGITS * origin) | (origin == 0))


def backward_error(objective: Objective, params: Params) -> Array:
    """max over blocks of rms(r_k) / rms(s_k), s = |J p| entry by entry + |r at zero params|.

    |J p| is the root mean square of J (sigma p) over a few fixed sign patterns sigma, so that terms of a sum
    do not cancel in it. Where that overflows, nothing is known of the terms: they count as large as r. What the residual is at
    zero params counts by no more than its terms are here, by the params, the data and itself: far from there, as of an unknown in
    an exponent, it tells nothing.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, section 7.1 (normwise backward error).
    """
    return _worst(_blocks(objective, params), params)


@dataclass(frozen=True)
class Block:
    """A block of the residual, |J p|, and the residual at zero params as far as it counts: entry by entry."""

    residual: Array
    size: Array
    origin: Array


def _worst(blocks: dict[str, Block], params: Params) -> Array:
    """The largest backward error of a block."""
    worst = zero(next(iter(params.values())))
    for block in blocks.values():
        xp = array_namespace(worst)
        one = pow2_scale(largest([block.residual, block.size, block.origin]))
        here = _rms(scale_down(block.residual, one))
        whole = _rms(scale_down(block.size, one) + xp.abs(scale_down(block.origin, one)))
        worst = xp.maximum(worst, ratio(here, xp.where(xp.isfinite(whole), whole, here)))
    return worst


def _blocks(objective: Objective, params: Params) -> dict[str, Block]:
    # Signs for the entries of p make E[(J sigma p)_i^2] = sum_j (J_ij p_j)^2: the squared terms of r_i, by a few products.
    products = []
    for k in range(DIRECTIONS):
        turned = {name: x * rademacher(x, f"{name}.{k}") for name, x in params.items()}
        residual, product = objective.linearise(params, turned)
        products.append(product)
    at_origin, by_data_ = at_zero(objective, params), by_data(objective, lambda given: objective.given(**given).residual(params))
    found = {}
    for name, r in residual.items():
        size, data = (
            _mean_size(r, [product[name] for product in products]),
            _mean_size(r, [product[name] for product in by_data_]),
        )
        one = pow2_scale(largest([r, size, data, at_origin[name]]))
        here, terms, given, origin = (_rms(scale_down(a, one)) for a in (r, size, data, at_origin[name]))
        found[name] = Block(r, size, at_origin[name] * _share(here + terms + given, origin))
    return found


def _share(most: Array, origin: Array) -> Array:
    """The factor that brings a size down to at most another one; 1 where that is not finite."""
    xp = array_namespace(most)
    return xp.where(origin > most, ratio(most, origin), xp.ones_like(origin))


def _mean_size(like: Array, products: list[Array]) -> Array:
    """The root mean square of some products, entry by entry; 0 of none."""
    xp = array_namespace(like)
    if not products:
        return xp.zeros_like(like)
    one = pow2_scale(largest(products))
    squares = [scale_down(p, one) * scale_down(p, one) for p in products]
    return xp.sqrt(sum(squares[1:], start=squares[0]) / len(products)) * one


def _rms(a: Array) -> Array:
    found: Array = array_namespace(a).sqrt(mean_square(a))
    return found
