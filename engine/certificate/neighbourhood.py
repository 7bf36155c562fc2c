"""Least squares looked at column by column: along which directions the loss still falls, and which parameters have an effect.

Needs `projection` for orthogonal directions, `rounding` for what the arithmetic can tell.
"""

from __future__ import annotations

from dataclasses import dataclass

from array_api_compat import device

from backends.types import Array, array_namespace
from engine import jacobian
from engine.certificate.hidden import FAINT, hidden_share, shared_terms
from engine.certificate.rounding import squared_terms
from engine.certificate.verdict import largest, ratio
from engine.projection import ROUNDING, Projection, conjugate, project
from engine.tangent import Tangent

SMALL = 0.1
"""Times eps^(3/8), about a tenth of the default `tol`: the offset up to which rounding is no matter."""

REACH = 0.1
"""Standard errors that the neighbourhood reaches to, along each direction."""


@dataclass(frozen=True)
class Columns:
    """J' `(size, rows)` on the free set, the residual `(rows,)`, and 1 where a coordinate is free; None: everywhere."""

    rows: Array
    vector: Array
    free: Array | None

    def any_free(self, which: Array) -> Array:
        """Whether one of some coordinates, `(size,)` truths, is free."""
        return array_namespace(which).any(which if self.free is None else which & (self.free > 0))


@dataclass(frozen=True)
class Terms:
    """The size of residual and columns, and of what rounding makes of them.

    squares   `(rows,)`, of the size of the terms of each residual; `data`, of those that the data makes
    lengths   `(size,)`, of the columns, 1 of one that is 0
    dead      `(size,)`, which columns are 0, or have lost their digits to underflow
    idle      `(size,)`, which parameters have no effect beyond rounding though their columns are not 0
    """

    squares: Array
    data: Array
    lengths: Array
    dead: Array
    idle: Array

    def where(self, asked: Array) -> Terms:
        """The terms of lanes that ask; of others nothing."""
        xp = array_namespace(asked)
        squares, data, dead, idle = (
            xp.where(asked, a, xp.zeros_like(a)) for a in (self.squares, self.data, self.dead, self.idle)
        )
        return Terms(squares, data, xp.where(asked, self.lengths, xp.ones_like(self.lengths)), dead, idle)


@dataclass(frozen=True)
class Finding:
    """By how much the squared length of the residual can still fall, and whether all parameters have an effect."""

    excess: Array
    determined: Array


def terms_of(tangent: Tangent, columns: Columns, thorough: bool) -> Terms:
    """The terms; with `thorough` the parameters are tried for an effect."""
    xp, (squares, data) = array_namespace(columns.rows), squared_terms(tangent, columns.rows)
    lengths = xp.sqrt(xp.sum(columns.rows * columns.rows, axis=1))
    dead = lengths * tangent.column_scales() < _least(lengths)
    lengths = xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    idle = _idle(tangent, columns.vector, lengths, FAINT * _rounding(squares)) if thorough else xp.zeros_like(dead)
    return Terms(squares, data, lengths, dead, idle)


def examine(tangent: Tangent, columns: Columns, curvature: Array | None, terms: Terms) -> Finding:
    """The share of the loss that steps along J's orthogonal directions would remove, beyond rounding.

    With the curvature sum_i r_i r_i'' of the residual, what Newton steps would remove, and what a point nearby is lower
    by where the loss is no minimum; and whether a parameter with a short column has an effect. What the column of one
    without promises to remove is nothing.
    """
    xp = array_namespace(columns.rows)
    vector, squares, lengths = columns.vector, terms.squares, terms.lengths
    unit = columns.rows / lengths[:, None]
    unit = xp.where(terms.idle[:, None], xp.zeros_like(unit), unit)
    grid = lengths * tangent.typical_scale()
    span = project(unit, vector, squares, grid)
    excess = xp.sum(span.shares * span.shares)
    if curvature is not None:
        excess = _curved(span, curvature, lengths)
        excess = xp.maximum(excess, _alone(unit, vector, squares, grid, curvature, lengths))
        excess = xp.maximum(excess, _lower(tangent, unit, vector, curvature, lengths, squares))
        if vector.shape[0]:
            excess = xp.maximum(excess, hidden_share(unit, vector, shared_terms(vector, squares, terms.data), grid))
    rounded = xp.all(vector**2 <= (ROUNDING * _eps(lengths)) ** 2 * squares)
    return Finding(xp.where(rounded, xp.zeros_like(excess), excess), ~columns.any_free(terms.dead | terms.idle))


def _idle(tangent: Tangent, vector: Array, lengths: Array, least: Array) -> Array:
    """Which parameters have no effect, though their columns are not 0.

    A parameter whose own size changes the residual by little more than rounding takes a step that would change it by far
    more, were the residual linear in it: in a product with a factor that is 0 it is not.
    """
    xp = array_namespace(vector)
    basis = xp.eye(tangent.size, dtype=vector.dtype, device=device(vector))
    moved = jacobian.displaced(tangent, basis * (least / lengths)[:, None])
    effect = xp.sqrt(xp.sum((moved - vector) ** 2, axis=1))
    return (lengths * tangent.typical_scale() <= least) & (effect < least / 2)


def _curved(span: Projection, curvature: Array, lengths: Array) -> Array:
    """The reduction by Newton steps along each of J's orthogonal directions.

    A Gauss-Newton step promises share^2 of the squared length of the residual. The residual is no plane: with its second
    derivative along the direction the promise is share^2 / (1 + r'r''), less along nearly collinear columns, where the
    step is long, and more along a valley; where 1 + r'r'' is negative the loss falls on both sides, and it counts as 1.
    """
    # The second-order model of |r|^2 along a direction q of depth d: share^2 d^2 / (d^2 + q'(sum_i r_i r_i'')q): the effective
    # residual curvature of Hamilton, Watts and Bates, Accounting for intrinsic nonlinearity in nonlinear regression parameter
    # inference regions, Annals of Statistics 10 (1982).
    xp = array_namespace(lengths)
    squares, along = span.depths * span.depths, span.directions / lengths
    bend = xp.sum((along @ curvature) * along, axis=1)
    bend = xp.where(xp.isfinite(bend), bend, xp.zeros_like(bend))
    falls = bend < -squares
    removed = span.shares * span.shares * ratio(squares, xp.where(falls, squares, squares + bend))
    found: Array = xp.sum(removed)
    return found


def _alone(unit: Array, vector: Array, squares: Array, grid: Array, curvature: Array, lengths: Array) -> Array:
    """The most that a Newton step of one parameter alone would remove, beyond rounding.

    Of columns that are nearly parallel, one stands for all in an orthogonal basis: where it is the one that bends, it promises
    nothing, though another parameter, which does not, would remove as much as its column says.
    """
    xp = array_namespace(lengths)
    dots, share = unit @ xp.matrix_transpose(unit), xp.abs(unit @ vector)
    rounding = (unit * unit) @ squares + (dots * dots) @ (grid * grid) + xp.sum(vector * vector)
    beyond = xp.maximum(share - ROUNDING * _eps(lengths) * xp.sqrt(rounding), 0 * share)
    bend = xp.linalg.diagonal(curvature) / (lengths * lengths)
    bend = xp.where(bend > 0, bend, xp.zeros_like(bend))  # and of NaN, 0
    return largest(beyond * beyond / (1 + bend), lengths)


def _lower(tangent: Tangent, unit: Array, vector: Array, curvature: Array, lengths: Array, squares: Array) -> Array:
    """By how much the squared length of the residual is less nearby.

    Where the loss falls along a direction by its second derivative, a step tells whether it does by its value: along conjugate
    directions of the Hessian, which find negative curvature wherever there is some, so far that no column changes the residual by
    more than a tenth of a standard error.
    """
    xp = array_namespace(vector)
    whole = xp.sum(vector * vector)
    reach = REACH * xp.sqrt(whole / vector.shape[0])
    bend = curvature / (lengths[:, None] * lengths)
    along, values = conjugate(unit @ xp.matrix_transpose(unit) + xp.where(xp.isfinite(bend), bend, xp.zeros_like(bend)))
    along = along * (reach / xp.max(xp.abs(along), axis=1))[:, None]
    ahead = jacobian.displaced(tangent, along / lengths)
    lower = whole - xp.sum(ahead * ahead, axis=1) - 2 * _rounding(squares) * xp.sqrt(whole)
    return largest(xp.where((values < 0) & xp.isfinite(lower), lower, xp.zeros_like(lower)), whole)


def _rounding(squares: Array) -> Array:
    """The rounding of all terms, in the residual's length."""
    found: Array = ROUNDING * _eps(squares) * array_namespace(squares).sqrt(array_namespace(squares).sum(squares))
    return found


def _eps(like: Array) -> float:
    return float(array_namespace(like).finfo(like.dtype).eps)


def _least(like: Array) -> float:
    """Below it a number has lost digits to underflow."""
    info = array_namespace(like).finfo(like.dtype)
    return float(info.smallest_normal) / float(info.eps)
