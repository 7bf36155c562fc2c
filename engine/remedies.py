"""Remedies for lanes that ran out of steps or of progress, by the solver, problem, domains, starts and dtype that they had.

Needs a Solution for its plan and its call; `advice` has the remedies of the other statuses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

from backends import arrays as _arrays
from engine.answers import Answers, Array
from engine.domains import Positive, PositiveDefinite
from engine.domains.closed import Closed
from engine.problem import Param
from engine.status import Status

FAR = 1e8
"""Size of an entry above which a parameter counts as one that ran off."""

EDGED = (Closed, Positive, PositiveDefinite)
"""Domains with an edge."""

RANDOM = ("normal", "uniform")
"""Declared starts that are drawn."""


def remedy(solution: Answers, status: Status) -> str:
    """Clauses for MAX_STEPS or STALLED, the nearest remedy first."""
    problem = solution.call.problem
    of_status = _arrays.to_host(solution.status) == int(status)
    clauses = [*_solver(solution, status), *_steps(solution, status), *_runaways(solution, of_status)]
    if solution.plan.dtype == "float32":
        clauses.append("solve in float64")
    if problem is not None:
        clauses += [_start(problem.params), *_domains(problem.params)]
    clauses += _tolerance(solution, of_status)
    return "; ".join(clauses)


def _solver(solution: Answers, status: Status) -> list[str]:
    """Another solver or rate, where the solver is one of first order."""
    solver, problem = solution.plan.solver, solution.call.problem
    rate = getattr(solver, "learning_rate", None)
    if rate is None:
        return []
    better = "LBFGS() or Newton()" if problem is not None and problem.residual is None else "LevenbergMarquardt()"
    now = f" than {rate:g}" if isinstance(rate, int | float) else ""
    lower = f"a lower learning rate{now}"
    change = lower if status == Status.STALLED else f"a higher learning rate{now} or, where the loss swings, a lower one"
    return [f"retry(solver={better}) needs no learning rate; or {change}"]


def _steps(solution: Answers, status: Status) -> list[str]:
    """More steps from where the lanes are, where steps were what was missing."""
    if status != Status.MAX_STEPS:
        return []
    return [f"retry(start=solution.params, max_steps={max(10, 10 * solution.call.limit)}) goes on from here"]


def _start(params: Mapping[str, Param]) -> str:
    """Another start: another draw, or a point that the user knows."""
    drawn = [name for name, param in params.items() if isinstance(param.start, str) and param.start in RANDOM]
    if drawn:
        return f"retry(seed=1) draws another start of {' and '.join(drawn)}"
    named = ", ".join(f"'{name}': ..." for name in params)
    return f"retry(start={{{named}}}) from another point, with data and params scaled to numbers near 1"


def _domains(params: Mapping[str, Param]) -> list[str]:
    """A question about params whose domain has an edge that they may lean against."""
    for name, param in params.items():
        if isinstance(param.domain, EDGED):
            return [f"look whether {name} lies at the edge of its {type(param.domain).__name__} domain, and start inside"]
    return []


def _runaways(solution: Answers, of_status: Array) -> list[str]:
    """Bounds for params that went far away in some of these lanes."""
    far = {}
    for name, array in solution.params.items():
        entries = _arrays.to_host(array)[of_status].reshape(-1).tolist()
        largest = max(entries, key=abs, default=0.0)
        if abs(largest) > FAR:
            far[name] = largest
    words = " and ".join(f"{name} ran off to {value:.0e}" for name, value in far.items())
    return [f"{words} in some: give bounds (engine.domains.Box, bounds= of curve_fit)"] if far else []


def _tolerance(solution: Answers, of_status: Array) -> list[str]:
    """The tol that most of these lanes would pass, where it is one that says something."""
    reached = sorted(float(x) for x in _arrays.to_host(solution.residual)[of_status].reshape(-1) if math.isfinite(x))
    if not reached or not solution.call.tol < (median := reached[len(reached) // 2]) < 1e-2:
        return []
    return [
        f"half of these lanes reached {median:.0e}: retry(tol={10 ** math.ceil(math.log10(median)):g}) takes them, if that is enough"
    ]
