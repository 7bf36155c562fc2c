"""What `tol` is compared with: figures of one lane, recomputed from params alone.

Needs an Objective. Three kinds, by the problem's declaration:

exact          backward error: rms(r) over the size of the terms that cancel in r, the largest of the blocks
least squares  max_j |J_j' r| / (|J_j| |r|), the cosine between residual and columns, or the backward error
plain loss     max_j |g_j| max(|x_j|, 1) / max(|f|, min(1, |f at the start|)): the relative gradient of Dennis and
               Schnabel, Numerical Methods for Unconstrained Optimization, section 7.2, with typical x 1
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import array_namespace

from backends.tree import leaves, tree_map
from engine.curvature import diagonal, least_squares, structure_of
from engine.domains import Real
from engine.objective import Objective, Params, at_zero, mean_square, zero
from engine.tangent import Tangent, signed, units_at
from engine.units import largest, over, unit

Array = Any

TOL = {True: {"float64": 1e-12, "float32": 1e-5}, False: {"float64": 1e-8, "float32": 1e-3}}
"""exact? -> dtype -> default tolerance; that of False is also where a point counts as stationary."""

DIRECTIONS = 4
"""Sign directions per estimate; each gives an unbiased estimate of the squared size."""

DENSE = 4096
"""Entries of J up to which its column norms are computed, not estimated."""

DIGITS = 0.01
"""rms(r) above this share of rms(r at zero params) means that digits are lost, whatever the backward error."""


def figure(objective: Objective, params: Params, first: Array | None) -> Array:
    """The number that `tol` is compared with, by the problem's kind; a scalar, NaN where it has no meaning.

    `first` is |loss| at the start, which a plain loss needs.
    """
    problem = objective.problem
    if problem.residual is None:
        return relative_gradient(objective, params, first)
    backward = backward_error(objective, params)
    if problem.exact:
        return backward
    xp = array_namespace(backward)
    return xp.where(backward < (angle := cosine(objective, params)), backward, angle)


def backward_error(objective: Objective, params: Params) -> Array:
    """max over blocks of rms(r_k) / rms(s_k), s = |J p| entry by entry + |r at zero params|.

    |J p| is the root mean square of J (sigma p) over a few fixed sign patterns sigma, so that terms of a sum
    do not cancel in it. Where that overflows, nothing is known of the terms: they count as large as r.
    """
    products = []
    for k in range(DIRECTIONS):
        turned = {name: x * signed(x, f"{name}.{k}") for name, x in params.items()}
        residual, product = objective.linearise(params, turned)
        products.append(product)
    origin = at_zero(objective, params)
    worst = zero(leaves(params)[0])
    for name, r in residual.items():
        xp = array_namespace(r)
        terms = [product[name] for product in products]
        one = unit(largest([r, origin[name], *terms]))
        squares = [over(p, one) * over(p, one) for p in terms]
        size = xp.sqrt(sum(squares[1:], start=squares[0]) / DIRECTIONS) + xp.abs(over(origin[name], one))
        here, whole = xp.sqrt(mean_square(over(r, one))), xp.sqrt(mean_square(size))
        worst = xp.maximum(worst, ratio(here, xp.where(xp.isfinite(whole), whole, here)))
    return worst


def cosine(objective: Objective, params: Params) -> Array:
    """max_j |J_j' r| / (|J_j| |r|) over the columns of the weighted J in tangent coordinates: 0 at a stationary point.

    What presses against a face of a closed domain does not count. The angle does not depend on units: it is taken of
    r in its unit and of the columns in theirs, where no square underflows or overflows.
    """
    objective = objective.within(units_at(objective, params))
    tangent = Tangent(objective, params)
    columns = _columns(objective, params, tangent)
    residual, transpose = objective.pullback(params)
    size = unit(largest(leaves(residual)))
    weighted = objective.scaled({name: over(r, size) for name, r in residual.items()})
    gradient = tangent.pull(transpose(objective.scaled(weighted)))
    length = norm(leaves(weighted))
    return _largest(ratio(array_namespace(gradient).abs(_open(tangent, gradient)), columns * length), length)


def _columns(objective: Objective, params: Params, tangent: Tangent) -> Array:
    """|J_j| in tangent coordinates and units, exact or estimated."""
    if objective.structure is not None or not all(isinstance(domain, Real) for domain in objective.domains.values()):
        return _tangent_norms(objective, params, tangent)
    norms = column_norms(objective, params)
    return tangent.joined({name: array_namespace(x).reshape(x, (-1,)) for name, x in norms.items()})


def _tangent_norms(objective: Objective, params: Params, tangent: Tangent) -> Array:
    """|J_j| in tangent coordinates, from the diagonal of J'J."""
    blocks = least_squares(objective, params)["blocks"]
    squares = diagonal(blocks, structure_of(objective, tangent))
    return array_namespace(squares).sqrt(squares)


def _open(tangent: Tangent, gradient: Array) -> Array:
    """The gradient where a step against it may go, 0 elsewhere."""
    free = tangent.free(gradient)
    return gradient if free is None else gradient * free


def _largest(values: Array, like: Array) -> Array:
    xp = array_namespace(like)
    return xp.maximum(zero(like), xp.max(values)) if values.shape[0] else zero(like)


def column_norms(objective: Objective, params: Params) -> Params:
    """|J_j| of the weighted J over its unit, in the params' shapes: computed for a small J, else estimated.

    The estimate is the root mean square of J' sigma over fixed sign patterns sigma.
    """
    residual, transpose = objective.pullback(params)
    units = objective.units or units_at(objective, params)
    rows, columns = (sum(math.prod(a.shape) for a in tree.values()) for tree in (residual, params))
    if rows * columns <= DENSE:
        jacobian = objective.backend.jacfwd(lambda p: objective.scaled(objective.residual(p)))(params)
        return {
            name: _column_norm([over(block[name], units[name]) for block in jacobian.values()], x) for name, x in params.items()
        }
    total: Any = None
    for k in range(DIRECTIONS):
        turned = {name: signed(r, f"row.{name}.{k}") for name, r in residual.items()}
        product = {name: over(g, units[name]) for name, g in transpose(objective.scaled(turned)).items()}
        square = tree_map(lambda g: g * g, product)
        total = square if total is None else tree_map(lambda a, b: a + b, total, square)
    norms: Params = tree_map(lambda t: array_namespace(t).sqrt(t / DIRECTIONS), total)
    return norms


def relative_gradient(objective: Objective, params: Params, first: Array) -> Array:
    """max_j |g_j| max(|x_j|, 1) / max(|f|, min(1, |f at the start|)), in tangent coordinates."""
    tangent = Tangent(objective, params)
    value, gradient = objective.value_and_gradient(params)
    xp = array_namespace(value)
    scale = xp.maximum(xp.abs(value), xp.minimum(first, value * 0 + 1))
    slope, size = xp.abs(_open(tangent, tangent.pull(gradient))), tangent.magnitude()
    return _largest(ratio(slope * xp.maximum(size, size * 0 + 1), scale), value)


def digits_kept(objective: Objective, params: Params, tol: Array) -> Array:
    """Whether the figure speaks of every digit; always for a plain loss.

    Of an exact problem, rms(r) <= 0.01 rms(r at zero params), or the latter is zero. Of a least squares problem, no column
    of J has vanished, or the fit is exact: the angle to a column that underflowed says nothing.
    """
    problem = objective.problem
    if problem.residual is None:
        value = zero(leaves(params)[0])
        return value == value
    if not problem.exact:
        return (backward_error(objective, params) <= tol) | ~_vanished(objective, params)
    found = [objective.residual(params), at_zero(objective, params)]
    one = unit(largest([block for blocks in found for block in blocks.values()]))
    here, origin = (norm([over(block, one) for block in objective.scaled(blocks).values()]) for blocks in found)
    return (here <= DIGITS * origin) | (origin == 0)


def _vanished(objective: Objective, params: Params) -> Array:
    """True where a column of J, by entries of the params, is so short that its own entries have no digits left."""
    objective = objective.within(units_at(objective, params))
    tangent = Tangent(objective, params)
    if all(isinstance(domain, Real) for domain in objective.domains.values()):
        columns = _columns(objective, params, tangent)
        lengths = {name: columns[own] for name, own in tangent.slices.items()}
    else:  # coordinates of a domain may have a column of zeros: that of the one entry of a simplex that is 1
        lengths = column_norms(objective, params)
    units = objective.units
    assert units is not None
    xp = array_namespace(*lengths.values())
    short = [xp.any(length * units[name] < _least(length)) for name, length in lengths.items()]
    return xp.any(xp.stack(short))


def _least(like: Array) -> float:
    info = array_namespace(like).finfo(like.dtype)
    return float(info.smallest_normal) / float(info.eps)


def ratio(above: Array, below: Array) -> Array:
    """above / below, with 0 / 0 = 0."""
    xp = array_namespace(above)
    nothing = above == 0
    return xp.where(nothing, xp.zeros_like(above), above / xp.where(nothing & (below == 0), below + 1, below))


def norm(arrays: list[Array]) -> Array:
    """The Euclidean norm of several arrays together, a scalar."""
    xp = array_namespace(*arrays)
    squares = [xp.sum(a * a) for a in arrays]
    return xp.sqrt(sum(squares[1:], start=squares[0]))


def all_finite(arrays: list[Array], like: Array) -> Array:
    """True where no entry is NaN or Inf; `like` says of which library the answer is."""
    value = zero(like)
    verdict = value == value
    for a in arrays:
        verdict = verdict & array_namespace(a).all(array_namespace(a).isfinite(a))
    return verdict


def _column_norm(blocks: list[Array], like: Array) -> Array:
    """Norms over the residual's axes, which come first."""
    total: Any = None
    for block in blocks:
        xp = array_namespace(block)
        rows = tuple(range(block.ndim - like.ndim))
        square = xp.sum(block * block, axis=rows) if rows else block * block
        total = square if total is None else total + square
    return array_namespace(total).sqrt(total)
