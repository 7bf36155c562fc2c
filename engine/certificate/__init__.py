"""The verdict on a lane: its optimality, which `tol` is compared with, recomputed from the returned params alone.

Needs an Objective. One file for each kind of problem, and one for those too large for dense derivatives:

exact       exact problems: the backward error of the residual
offset      least squares: the relative offset of Bates and Watts
decrement   a plain loss: the Newton decrement, with a semidefinite Hessian
estimate    problems too large for dense derivatives: cosines of columns, the relative gradient

What they rest on: `quadratic` and `nearby` for plain losses, `neighbourhood` and `hidden` for fits in doubt, `rounding` for all.

Nothing here reads what a solver found out, neither its model nor the sparsity of its curvature.
"""

from __future__ import annotations

import math

from backends.types import Array
from engine.certificate.decrement import newton_decrement
from engine.certificate.estimate import cosine, gradient_verdict, offset_verdict
from engine.certificate.exact import backward_verdict
from engine.certificate.offset import relative_offset
from engine.certificate.verdict import Verdict, all_finite, true
from engine.jacobian import FEW
from engine.objective import Objective, Params, zero
from engine.problem import Problem

TOL = {True: {"float64": 1e-12, "float32": 1e-5}, False: {"float64": 1e-6, "float32": 1e-3}}
"""exact? -> dtype -> default tolerance; that of False is also below which a point counts as stationary."""

HESSIAN = 32
"""Unknowns of a plain loss up to which its Hessian is made."""

ENTRIES, WORK = 2**17, 2**23
"""Entries of J, and rows times unknowns squared, up to which its columns are made orthogonal."""

__all__ = ["TOL", "Verdict", "all_finite", "cosine", "described", "stationarity", "verdict"]


def is_dense(problem: Problem, size: int, rows: int, compared: bool = True) -> bool:
    """Whether the certificate of a problem of so many unknowns and residual rows has dense derivatives of its own.

    A figure that no tolerance is compared with (`tol=0`) has those of few unknowns alone: of 48 they take as long as thousands of
    steps of descent.
    """
    if problem.residual is None:
        return size <= HESSIAN
    return problem.exact or ((compared or size <= FEW) and size * rows <= ENTRIES and size * size * rows <= WORK)


def described(problem: Problem, size: int, rows: int, compared: bool = True) -> str:
    """The kind of certificate of a problem of so many unknowns and residual rows, in words."""
    if problem.exact:
        return "backward error of the residual"
    fits, dense = problem.residual is not None, is_dense(problem, size, rows, compared)
    if dense:
        return "relative offset of Bates and Watts" if fits else "Newton decrement, semidefinite Hessian"
    if is_dense(problem, size, rows):
        return "cosines of the columns of J, an estimate: nothing is compared with tol=0"
    many = f"an estimate: {size:,} unknowns{f' and {rows:,} rows' if fits else ''} are too many for dense derivatives"
    return f"{'cosines of the columns of J' if fits else 'relative gradient'}, {many}"


def verdict(objective: Objective, params: Params, first: Array | None, thorough: bool = True, compared: bool = True) -> Verdict:
    """The verdict on some params.

    Args:
        first: the loss at the start, which a plain loss needs.
        thorough: look at the neighbourhood, too, for a lower loss and for parameters without effect; a test while
            iterating does not.
        compared: whether a tolerance is compared with the optimality.
    """
    found = _judged(objective, params, first, thorough, compared)
    if objective.is_empty(params):  # there is no data that could determine anything
        return Verdict(found.optimality, true(found.optimality), found.digits)
    return found


def stationarity(objective: Objective, params: Params) -> Array | None:
    """How far an exact problem of few unknowns is from a stationary point: the relative offset, with curvature.

    None of more unknowns, which the cosines of the columns of J are for: of one equation in one unknown the cosine is 1
    wherever the slope is not 0.
    """
    size = _size(objective, params)
    return relative_offset(objective, params, thorough=True).optimality if 0 < size <= FEW else None


def _size(objective: Objective, params: Params) -> int:
    return sum(objective.domains[name].size(tuple(x.shape)) for name, x in params.items())


def _judged(objective: Objective, params: Params, first: Array | None, thorough: bool, compared: bool) -> Verdict:
    problem = objective.problem
    size = _size(objective, params)
    if problem.exact:
        return backward_verdict(objective, params)
    if not size:
        nothing = zero(next(iter(params.values())))
        return Verdict(nothing, true(nothing), true(nothing))
    if problem.residual is None:
        if is_dense(problem, size, 0):
            assert first is not None, "a plain loss is compared with the start's"
            return newton_decrement(objective, params, first)
        assert first is not None, "a plain loss is compared with the start's"
        return gradient_verdict(objective, params, first)
    rows = sum(math.prod(block.shape) for block in objective.residual(params).values())
    if is_dense(problem, size, rows, compared):
        return relative_offset(objective, params, thorough, compared)
    return offset_verdict(objective, params)
