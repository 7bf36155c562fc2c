"""Exact problems: the backward error of a residual that vanishes at a solution. Needs an Objective."""

from __future__ import annotations

import functools
import operator
from dataclasses import dataclass

from backends.types import Array, array_namespace
from engine.certificate.rounding import by_data
from engine.certificate.verdict import STILL, Verdict, norm, ratio, true
from engine.objective import Objective, Params, at_zero, mean_square
from engine.pow2 import largest, pow2_scale, scale_down
from engine.tangent import rademacher

DIRECTIONS = 4
"""Sign directions per estimate; each gives an unbiased estimate of the squared size."""

BESIDE = 10.0
"""Times the terms here that the residual at zero params counts at most."""

DIGITS = 0.01
"""Share of rms(r at zero params), and of |J p|, above which rms(r), or its rounding, means that digits are lost."""


def backward_verdict(objective: Objective, params: Params) -> Verdict:
    """The backward error, and whether the answer keeps its digits.

    It does where rms(r) <= 0.01 rms(r at zero params), and where in some block both rms(r) and what rounding makes of it are no
    more than 0.01 of |J p|: on a plateau params move far before the residual tells. Where r is 0 at zero params, that says nothing.
    """
    blocks = _blocks(objective, params)
    parts = [{name: block.residual for name, block in blocks.items()}, {name: block.origin for name, block in blocks.items()}]
    one = pow2_scale(largest([a for part in parts for a in part.values()]))
    here, origin = (norm([scale_down(a, one) for a in objective.scaled(part).values()]) for part in parts)
    firm = functools.reduce(operator.or_, [block.firm for block in blocks.values()])
    return Verdict(_worst(blocks), true(here), ((here <= DIGITS * origin) & firm) | (origin == 0))


def backward_error(objective: Objective, params: Params) -> Array:
    """max over blocks of rms(r_k) / rms(s_k), s = |J p| entry by entry + |r at zero params|; of a row alone where that is much wrong.

    |J p| is the root mean square of J (sigma p) over a few fixed sign patterns sigma, so that terms of a sum
    do not cancel in it. Where that overflows, nothing is known of the terms: they count as large as r. What the residual is at
    zero params counts by no more than ten times its terms here, by the params, the data and itself: far from there, as of an unknown
    in an exponent, it tells nothing. An entry of a vector that is off by more than 1e-3 of what it is at zero params and of its
    own terms, each parameter as large as its largest entry, is judged alone: an equation of small numbers beside others of large ones.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, section 7.1 (normwise backward error).
    """
    return _worst(_blocks(objective, params))


@dataclass(frozen=True)
class Block:
    """A block of the residual.

    residual   `(...)`, and `origin`: what it is at zero params, as far as that counts
    firm       whether the residual and its rounding are small beside |J p|
    error      its backward error
    """

    residual: Array
    origin: Array
    firm: Array
    error: Array


def _worst(blocks: dict[str, Block]) -> Array:
    errors = [block.error for block in blocks.values()]
    return functools.reduce(array_namespace(errors[0]).maximum, errors)


def _blocks(objective: Objective, params: Params) -> dict[str, Block]:
    residual, products = _products(objective, params, params)
    origin = at_zero(objective, params)
    scales = {name: pow2_scale(largest([r, origin[name], *(p[name] for p in products)])) for name, r in residual.items()}
    sizes = {name: _mean_size([scale_down(p[name], one) for p in products]) for name, one in scales.items()}
    here, there = ({name: _rms(scale_down(a[name], one)) for name, one in scales.items()} for a in (residual, origin))
    own = {name: _rms(size) for name, size in sizes.items()}
    known = {name: BESIDE * (here[name] + size) for name, size in own.items()}
    # Few lanes ask for the data, or for rows: lane branches of the kernel skip their products for all others.
    far = functools.reduce(operator.or_, [there[name] > known[name] for name in scales])
    data = _by_data(objective, params, scales, far)
    small = {
        name: _wrong(scale_down(residual[name], one), scale_down(origin[name], one), sizes[name])
        for name, one in scales.items()
        if residual[name].ndim == 1  # entries of a matrix are one equation
    }
    rows = _by_row(objective, params, residual, small)
    found = {}
    for name, one in scales.items():
        xp, most = array_namespace(far), known[name] + BESIDE * data[name]
        counts = xp.where(far & (there[name] > most), ratio(most, there[name]), xp.ones_like(most))
        whole = _rms(sizes[name] + counts * xp.abs(scale_down(origin[name], one)))
        error = ratio(here[name], xp.where(xp.isfinite(whole), whole, here[name]))
        unsure = xp.maximum(here[name], float(xp.finfo(one.dtype).eps) * (own[name] + counts * there[name]))
        found[name] = Block(
            residual[name], counts * origin[name], unsure <= DIGITS * own[name], xp.maximum(error, rows.get(name, 0 * error))
        )
    return found


def _products(objective: Objective, params: Params, sizes: Params) -> tuple[dict[str, Array], list[dict[str, Array]]]:
    """The residual, and its derivatives along the sizes with a few fixed patterns of signs."""
    # Signs for the entries of p make E[(J sigma p)_i^2] = sum_j (J_ij p_j)^2: the squared terms of r_i, by a few products.
    products = []
    for k in range(DIRECTIONS):
        turned = {name: x * rademacher(x, f"{name}.{k}") for name, x in sizes.items()}
        residual, product = objective.linearise(params, turned)
        products.append(product)
    return residual, products


def _wrong(residual: Array, origin: Array, terms: Array) -> Array:
    """Entries that are much of their own terms, and of what they are at zero params: `origin`, where it is not 0."""
    xp = array_namespace(residual)
    return (origin != 0) & (xp.abs(residual) > STILL * xp.maximum(terms, xp.abs(origin)))


def _by_row(objective: Objective, params: Params, residual: dict[str, Array], small: dict[str, Array]) -> dict[str, Array]:
    """By block, the backward error of its worst wrong row, each parameter as large as its largest entry; 0 where none is wrong.

    An entry that is small beside others of its parameter may be off by rounding of those: rows that it alone is in prove nothing.
    """
    if not small:
        return {}
    asked = functools.reduce(operator.or_, [array_namespace(rows).any(rows) for rows in small.values()])
    most = {name: array_namespace(x).ones_like(x) * largest([x]) for name, x in params.items()}
    _, products = _products(objective, params, most)
    found = {}
    for name, rows in small.items():
        r, terms = residual[name], _mean_size([p[name] for p in products])
        xp = array_namespace(r)
        wrong = rows & (xp.abs(r) > STILL * terms)
        error = largest([xp.where(wrong, ratio(xp.abs(r), terms), xp.zeros_like(r))])
        found[name] = xp.where(asked, error, xp.zeros_like(error))
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
