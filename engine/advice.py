"""The meaning of a status for the lanes of a solution, and remedies by the solver that they had.

Needs `status` for the codes, a Solution for its plan and its call.
"""

from __future__ import annotations

from backends import arrays as _arrays
from engine import dead_start, remedies
from engine.answers import Answers
from engine.status import Status

MEANINGS = {
    Status.ILL_CONDITIONED: "the equations hold as well as rounding allows, but their solution is known to few digits",
    Status.MAX_STEPS: "the step limit of {max_steps} came before the test of tol = {tol:g} held",
    Status.STALLED: "no step lowers the loss further at {dtype}, and the test of tol = {tol:g} does not hold",
    Status.INFEASIBLE: "at rest where the equations do not hold: none near this point solves them (a singular matrix, say)",
    Status.NONFINITE: "the loss or a derivative is NaN or Inf, at the start or at every step that was tried",
    Status.NONFINITE_INPUT: "{culprits} NaN or Inf, so nothing was computed",
    Status.UNDETERMINED: "the loss is as low as it gets, but the data does not determine every parameter: one has no effect, "
    "or moves on without end",
}
"""Status -> what happened."""

RATE = {
    Status.NONFINITE: "retry(solver=...) with a lower learning rate; scale the data to numbers near 1",
}
"""Remedies of solvers that have a learning rate."""

ANY = {
    Status.ILL_CONDITIONED: "use float64, or scale rows and columns to one size",
    Status.INFEASIBLE: "retry(start=...) or retry(seed=...) from another point; look at the data of these lanes",
    Status.NONFINITE: "retry(start=...) where the loss is finite; give bounds (engine.domains) that keep out what is not",
    Status.NONFINITE_INPUT: "clean these lanes, or mask what is missing in the residual",
    Status.UNDETERMINED: "fix or bound (engine.domains) the parameter, give data that depends on it, or retry(start=...)",
}
"""Remedies of all others."""


def words(solution: Answers, status: Status) -> tuple[str, str]:
    """Meaning and remedy of a status for this call, whose first such lane is evaluated once."""
    dead = dead_start.starts_dead(solution, status)
    return meaning(solution, status, dead), remedy(solution, status, dead)


def meaning(solution: Answers, status: Status, dead: bool | None = None) -> str:
    """The meaning of a status for this call, as a clause; `dead` of one lane, where it is known whether its start was a dead one."""
    if dead if dead is not None else dead_start.starts_dead(solution, status):
        return dead_start.MEANING
    words = MEANINGS[status]
    culprits = _culprits(solution) if "{culprits}" in words else ""
    limit, tol = solution.call.limit, solution.call.tol
    return words.format(max_steps=limit, tol=tol, dtype=solution.plan.dtype, culprits=culprits)


def remedy(solution: Answers, status: Status, dead: bool | None = None) -> str:
    """The remedy of a status for this call, as a clause."""
    if dead if dead is not None else dead_start.starts_dead(solution, status):
        return dead_start.REMEDY
    if status in (Status.MAX_STEPS, Status.STALLED):
        return remedies.remedy(solution, status)
    rated = RATE if hasattr(solution.plan.solver, "learning_rate") else {}
    return rated.get(status, ANY[status])


def _culprits(solution: Answers) -> str:
    """The data and starts that have NaN or Inf, by name, with a verb."""
    if solution.call.problem is None:
        return "data or start has"
    named = {f"datum {name!r}": array for name, array in solution.call.named.items()}
    named |= {f"start of {name!r}": array for name, array in (solution.call.start or {}).items()}
    found = [name for name, array in named.items() if _arrays.has_nonfinite(array)]
    if not found:
        return "the start has"  # a declared function of the data, or a bound
    return f"{' and '.join(found)} {'has' if len(found) == 1 else 'have'}"
