"""Limited-memory BFGS with a backtracking line search."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import device

from backends.record import Record
from backends.types import Array, Matrix, Scalar, Vector, array_namespace
from engine.objective import Objective, Params
from engine.params import select
from engine.solvers.base import MEMORY, Solver, State, whole
from engine.tangent import Tangent

DECREASE = 1e-4
NOISE = 8.0


@dataclass(frozen=True, eq=False)
class LBFGSState(Record):
    """The state of L-BFGS.

    Fields:
        here, gradient: loss and gradient at the params.
        moves, turns: the last changes of coordinates and gradient, the newest first, `(memory, size)`.
        loss: that of the params before the trial.
        length: t of the next trial.
    """

    params: Params
    here: Scalar
    gradient: Vector
    moves: Matrix
    turns: Matrix
    loss: Scalar
    length: Scalar


@dataclass(frozen=True)
class LBFGS(Solver):
    r"""L-BFGS for any loss: x moved along t d, d = -H g with H from the last changes of x and g.

    A step is one trial: t is cut by interpolation until the loss falls by 1e-4 of what its slope promises. Changes
    whose curvature is not positive are not remembered; where the search gives up, all of them are forgotten. On
    domains, coordinates carry over from point to point.

    Args:
        memory: how many changes are remembered, 1 to 100.

    Raises:
        TypeError, ValueError: a memory that is no whole number, or out of its range.

    Source:
        Nocedal and Wright, Numerical Optimization, algorithms 7.4 and 3.1.

    Example:
        >>> LBFGS()
        LBFGS(memory=8)
    """

    memory: int = 8

    CHECK_EVERY: ClassVar[int] = 4
    MAX_STEPS: ClassVar[int] = 5_000

    def __post_init__(self) -> None:
        whole("LBFGS", "memory", self.memory, 1, MEMORY)

    def init(self, objective: Objective, params: Params) -> LBFGSState:
        """Nothing remembered; the first step has length 1 or |g|, the smaller."""
        loss, gradient = _evaluate(objective, params)
        xp = array_namespace(gradient)
        loss = xp.where(xp.isfinite(xp.sum(gradient)), loss, xp.ones_like(loss) * float("nan"))  # no step leads away from there
        empty = xp.zeros((self.memory, gradient.shape[0]), dtype=gradient.dtype, device=device(gradient))
        return LBFGSState(params, loss, gradient, empty, empty, loss, _first(gradient))

    def step(self, objective: Objective, state: State) -> LBFGSState:
        """One trial."""
        before = LBFGSState.of(state)
        params, loss, gradient, length = before.params, before.here, before.gradient, before.length
        tangent = Tangent(objective, params)
        xp = array_namespace(gradient)
        free = tangent.inactive_mask(gradient)
        slope = gradient if free is None else gradient * free
        u = length * self._direction(before, slope, free)
        moved = tangent.move(u)
        taken = tangent.effective_step(moved, u)
        trial, after = _evaluate(objective, moved)
        promise = xp.sum(slope * taken)
        noise = NOISE * float(xp.finfo(loss.dtype).eps) * xp.abs(loss)
        flatter = (trial <= loss + noise) & (xp.sum(after * after) < xp.sum(gradient * gradient)) & (-promise <= noise)
        accepted = xp.isfinite(trial + xp.sum(after)) & ((trial <= loss + DECREASE * promise) | flatter)
        # the minimum of the parabola through both losses with the slope at the start
        cut = -promise / (2 * (trial - loss - promise))
        cut = xp.clip(xp.where(xp.isfinite(cut), cut, cut * 0 + 0.1), 0.1, 0.5)
        one = xp.ones_like(length)
        lost = ~accepted & (length < 1e-8)
        kept = (moved, trial, after, *_remembered(before, taken, after - gradient))
        memory = [xp.where(lost, xp.zeros_like(own), own) for own in (before.moves, before.turns)]
        rest = (params, loss, gradient, *memory)
        length = xp.where(accepted, one, xp.where(lost, _first(gradient), length * xp.where(xp.isnan(cut), one / 10, cut)))
        params, here, gradient, moves, turns = select(accepted, kept, rest)
        return LBFGSState(params, here, gradient, moves, turns, loss, length)

    def _direction(self, state: LBFGSState, slope: Array, free: Array | None) -> Array:
        """-H g by the two-loop recursion; what is not remembered has a zero row."""
        xp = array_namespace(slope)
        moves, turns = state.moves, state.turns
        products = xp.sum(moves * turns, axis=1)
        inverse = xp.where(products > 0, 1 / xp.where(products > 0, products, products * 0 + 1), products * 0)
        q, shares = slope, {}
        for k in range(self.memory):  # row 0 is the newest
            shares[k] = inverse[k] * xp.sum(moves[k] * q)
            q = q - shares[k] * turns[k]
        size = xp.sum(turns[0] * turns[0])
        q = q * xp.where(size > 0, products[0] / xp.where(size > 0, size, size * 0 + 1), size * 0 + 1)
        for k in reversed(range(self.memory)):
            q = q + moves[k] * (shares[k] - inverse[k] * xp.sum(turns[k] * q))
        q = q if free is None else q * free
        return -xp.where(xp.sum(q * slope) > 0, q, slope)


def _evaluate(objective: Objective, params: Params) -> tuple[Array, Array]:
    loss, gradient = objective.value_and_gradient(params)
    return loss, Tangent(objective, params).to_coordinates(gradient)


def _first(gradient: Array) -> Array:
    """1 / |g|, at most 1."""
    xp = array_namespace(gradient)
    size = xp.sqrt(xp.sum(gradient * gradient))
    return 1 / xp.maximum(size, xp.ones_like(size))


def _remembered(state: LBFGSState, move: Array, turn: Array) -> tuple[Array, Array]:
    """The newest change in front of the others, if it has positive curvature."""
    xp = array_namespace(move)
    product = xp.sum(move * turn)
    good = product > float(xp.finfo(move.dtype).eps) * xp.sqrt(xp.sum(move * move) * xp.sum(turn * turn))

    def pushed(rows: Array, row: Array) -> Array:
        return xp.where(good, xp.concat([row[None], rows[:-1]]), rows)

    return pushed(state.moves, move), pushed(state.turns, turn)
