"""Exact problems: the backward error of a residual that vanishes at a solution. Needs an Objective."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine.certificate.rounding import by_data
from engine.certificate.verdict import Verdict, norm, ratio, true
from engine.objective import Objective, Params, at_zero, mean_square
from engine.pow2 import largest, pow2_scale, scale_down
from engine.tangent import rademacher

DIRECTIONS = 4
"""Sign directions per estimate; each gives an unbiased estimate of the squared size."""

BESIDE = 10.0
"""Times the terms here that the residual at zero params counts at most."""

DIGITS = 0.01
"""rms(r) above this share of rms(r at zero params) means that digits are lost, whatever the backward error."""


def backward_verdict(objective: Objective, params: Params) -> Verdict:
    """The backward error, and whether rms(r) <= 0.01 rms(r at zero params), or the latter is zero."""
    blocks = _blocks(objective, params)
    parts = [{name: block.residual for name, block in blocks.items()}, {name: block.origin for name, block in blocks.items()}]
    one = pow2_scale(largest([a for part in parts for a in part.values()]))
    here, origin = (norm([scale_down(a, one) for a in objective.scaled(part).values()]) for part in parts)
    return Verdict(_worst(blocks), true(here), (here <= DIGITS * origin) | (origin == 0))


def backward_error(objective: Objective, params: Params) -> Array:
    """max over blocks of rms(r_k) / rms(s_k), s = |J p| entry by entry + |r at zero params|.

    |J p| is the root mean square of J (sigma p) over a few fixed sign patterns sigma, so that terms of a sum
    do not cancel in it. Where that overflows, nothing is known of the terms: they count as large as r. What the residual is at
    zero params counts by no more than ten times its terms here, by the params, the data and itself: far from there, as of an unknown
    in an exponent, it tells nothing.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, section 7.1 (normwise backward error).
    """
    return _worst(_blocks(objective, params))


@dataclass(frozen=True)
class Block:
    """A block of the residual, what it is at zero params as far as that counts, and its backward error."""

    residual: Array
    origin: Array
    error: Array


def _worst(blocks: dict[str, Block]) -> Array:
    errors = [block.error for block in blocks.values()]
    return functools.reduce(array_namespace(errors[0]).maximum, errors)


def _blocks(objective: Objective, params: Params) -> dict[str, Block]:
    # Signs for the entries of p make E[(J sigma p)_i^2] = sum_j (J_ij p_j)^2: the squared terms of r_i, by a few products.
    products = []
    for k in range(DIRECTIONS):
        turned = {name: x * rademacher(x, f"{name}.{k}") for name, x in params.items()}
        residual, product = objective.linearise(params, turned)
        products.append(product)
    origin = at_zero(objective, params)
    scales = {name: pow2_scale(largest([r, origin[name], *(p[name] for p in products)])) for name, r in residual.items()}
    sizes = {name: _mean_size([scale_down(p[name], one) for p in products]) for name, one in scales.items()}
    here, there = ({name: _rms(scale_down(a[name], one)) for name, one in scales.items()} for a in (residual, origin))
    known = {name: BESIDE * (here[name] + _rms(size)) for name, size in sizes.items()}
    # Few lanes ask for the data: a lane branch of the kernel skips their products for all others.
    far = functools.reduce(operator.or_, [there[name] > known[name] for name in scales])
    data = _by_data(objective, params, scales, far)
    found = {}
    for name, one in scales.items():
        xp, most = array_namespace(far), known[name] + BESIDE * data[name]
        counts = xp.where(far & (there[name] > most), ratio(most, there[name]), xp.ones_like(most))
        whole = _rms(sizes[name] + counts * xp.abs(scale_down(origin[name], one)))
        error = ratio(here[name], xp.where(xp.isfinite(whole), whole, here[name]))
        found[name] = Block(residual[name], counts * origin[name], error)
    return found


def _by_data(objective: Objective, params: Params, scales: dict[str, Array], far: Array) -> dict[str, Array]:
    """The root mean square of the terms that data make, by block and in its unit, of lanes that ask; 0 of others."""
    xp = array_namespace(far)
    products = by_data(objective, lambda given: objective.given(**given).residual(params))
    found = {}
    for name, one in scales.items():
        size = _rms(_mean_size([scale_down(p[name], one) for p in products])) if products else 0 * one
        found[name] = xp.where(far, size, xp.zeros_like(size))
    return found


def _mean_size(products: list[Array]) -> Array:
    """The root mean square of some products, entry by entry."""
    found: Array = array_namespace(*products).sqrt(sum((p * p for p in products[1:]), start=products[0] ** 2) / len(products))
    return found


def _rms(a: Array) -> Array:
    found: Array = array_namespace(a).sqrt(mean_square(a))
    return found
