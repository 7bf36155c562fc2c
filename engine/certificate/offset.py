"""Least squares: the relative offset of Bates and Watts, with the curvature of the residual looked at.

Needs `jacobian` for the columns of J, `neighbourhood` for lanes that the products of columns leave in doubt.

Source:
    Bates and Watts, A relative offset orthogonality convergence criterion for nonlinear least squares, Technometrics 23
    (1981); Nonlinear Regression Analysis, section 2.2.3.
"""

from __future__ import annotations

from backends.types import Array, array_namespace
from engine import jacobian, smalllinalg
from engine.certificate.neighbourhood import SMALL, Columns, Finding, examine, terms_of
from engine.certificate.verdict import Verdict, ratio, true
from engine.objective import Objective, Params
from engine.tangent import Tangent, pow2_scales_at

NEAR = 1e4
"""Units in the last place of the residual's length within which a parameter's own part in it is looked at."""


def relative_offset(objective: Objective, params: Params, thorough: bool, compared: bool = True) -> Verdict:
    """|P r| / |r|, P the projection on all columns of J together in tangent coordinates, on the free set.

    Its square is the share of the loss that one more Gauss-Newton step would remove. Rounding of the terms of r counts
    as nothing, and a residual that is rounding itself is an exact fit. With `thorough`, the curvature of r counts, too: a
    saddle is no minimum. Few unknowns have the offset from J'J and J'r; a lane for which these say too little, for which
    it is not small, or whose Hessian is not positive, is looked at column by column. Where no tolerance is compared with it,
    it may be large, unless the residual may be rounding.
    """
    tangent = Tangent(objective if objective.pow2_scales else objective.within(pow2_scales_at(objective, params)), params)
    columns = _columns(tangent)
    xp = array_namespace(columns.rows)
    curvature = jacobian.curvature(tangent, columns.vector) if thorough else None
    whole = xp.sum(columns.vector * columns.vector)
    if tangent.size > jacobian.FEW or objective.problem.exact:  # of an exact problem few lanes ask
        found = examine(tangent, columns, curvature, terms_of(tangent, columns, thorough))
    else:
        found = _by_products(tangent, columns, curvature, whole, compared)
    offset = xp.sqrt(ratio(found.excess, whole))
    lost = (whole == 0) & xp.any(columns.vector != 0)
    finite = xp.isfinite(whole + xp.sum(columns.rows)) & ~lost
    return Verdict(xp.where(finite, offset, xp.ones_like(offset) * float("nan")), found.determined, true(offset))


def _columns(tangent: Tangent) -> Columns:
    """J's columns on the free set."""
    rows, vector, _ = jacobian.columns(tangent)
    if tangent.objective.singular:
        rows = jacobian.repaired(tangent, rows, vector)
    free = tangent.inactive_mask(rows @ vector)
    return Columns(rows if free is None else rows * free[:, None], vector, free)


def _by_products(tangent: Tangent, columns: Columns, curvature: Array | None, whole: Array, compared: bool) -> Finding:
    """The share by the normal equations, where these are no doubt."""
    xp = array_namespace(whole)
    eps = float(xp.finfo(whole.dtype).eps)
    small, rows = SMALL * eps**0.375, columns.rows
    gram, slope = rows @ xp.matrix_transpose(rows), rows @ columns.vector
    system = gram
    if columns.free is not None:
        system = gram + smalllinalg.eye(tangent.size, gram) * (1 - columns.free)
    step, inflation = smalllinalg.solve_symmetric(system, slope)
    excess = xp.sum(slope * step)
    if curvature is not None:
        newton, pivots = smalllinalg.solve_symmetric(system + curvature, slope)
        excess = xp.maximum(excess, xp.sum(slope * newton))
    # Normal equations square the condition: they are trusted where the pivots kept more digits than the offset needs.
    own, large = xp.linalg.diagonal(gram) * tangent.typical_scale() ** 2, ~(excess <= small**2 * whole)
    if not compared:
        large = large & (whole <= (NEAR * eps) ** 2 * xp.max(own))
    doubtful = large | ~(inflation < small / eps)
    if curvature is not None:
        doubtful = doubtful | ~(pivots < 1 / eps)
    # All lanes compute all of it, and lane branches of the kernel skip what is dear where no lane of a vector is in doubt: first
    # the terms, where a parameter's own part in the residual is rounding, as of a position near 0, then the columns one by one.
    faint = columns.any_free(own <= (NEAR * eps) ** 2 * (xp.max(own) + whole))
    terms = terms_of(tangent, columns, curvature is not None).where(doubtful | faint)
    doubtful = doubtful | columns.any_free(terms.dead | terms.idle)
    found = examine(tangent, columns, curvature, terms)
    return Finding(xp.where(doubtful, found.excess, excess), xp.where(doubtful, found.determined, true(excess)))
