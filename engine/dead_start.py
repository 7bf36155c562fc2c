"""Starts from which nothing leads away, since the gradient is exactly zero there. Needs `one_lane`."""

from __future__ import annotations

from backends import arrays as _arrays
from engine.answers import Answers
from engine.errors import LanewiseError
from engine.objective import Objective, Params
from engine.one_lane import OneLane, one_lane
from engine.status import Status
from engine.tangent import Tangent

MEANING = (
    "the gradient is exactly zero at the start: a maximum, a saddle, a loss that is even in the params, or a product or square of "
    "params that start at 0; no solver can tell which way to go"
)
REMEDY = "start elsewhere, at random for instance (start='normal', another seed): no step leads away from here"
EARLY = 64
"""Steps after which a lane that has this status is not looked at: it has moved."""

POSSIBLE = (Status.MAX_STEPS, Status.STALLED, Status.INFEASIBLE, Status.UNDETERMINED)


def is_dead(lane: OneLane) -> bool:
    """Whether the gradient is exactly zero at a start that is still the answer, with something left to be lowered."""
    objective, start = lane.objective, lane.start
    value, gradient = objective.value_and_gradient(start)
    pulled = _arrays.to_host(Tangent(objective, start).to_coordinates(gradient))
    same = all(bool((_arrays.to_host(start[name]) == _arrays.to_host(x)).all()) for name, x in lane.answer.items())
    lost = objective.problem.residual is None or bool(_arrays.to_host(value) > 0)
    return pulled.size > 0 and same and lost and not pulled.any() and _matters(objective, start)


def _matters(objective: Objective, start: Params) -> bool:
    """Whether the gradient at another point is not zero: else no params have an effect with this data, and no start is better."""
    elsewhere = objective.project({name: 1.37 * array + 0.61 for name, array in start.items()})
    gradient = objective.value_and_gradient(elsewhere)[1]
    return bool(_arrays.to_host(Tangent(objective, elsewhere).to_coordinates(gradient)).any())


def starts_dead(solution: Answers, status: Status) -> bool:
    """Whether the first lane of a status had such a start."""
    lanes = _arrays.where_equal(_arrays.to_host(solution.status), int(status), 1)
    if status not in POSSIBLE or solution.call.problem is None or not len(lanes):
        return False
    index = tuple(map(int, lanes[0]))
    if int(_arrays.to_host(solution.steps)[index]) > EARLY:
        return False
    try:
        return is_dead(one_lane(solution, index, "summary"))
    except LanewiseError:  # functions that a message cannot evaluate are not the message's concern
        return False
