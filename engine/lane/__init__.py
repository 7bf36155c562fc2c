"""The program of one lane: a Problem and a solver as four pure functions.

program          the four functions, in the order in which they are called
declared         the problem's own functions: start, canonical answer, measures
monitor          when a lane is done, which iterate is its answer: `own_optimality`, `best_so_far`, `fixed_steps`
final_status     the status of the answer, recomputed from it
scalars          codes, losses and dtypes of a lane's state
"""

from engine.lane.program import LaneProgram

__all__ = ["LaneProgram"]
