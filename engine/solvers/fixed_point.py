"""Fixed-point iteration, with Anderson's acceleration."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from array_api_compat import device

from backends.record import Record
from backends.types import Array, Matrix, Scalar, Vector, array_namespace
from engine import smalllinalg
from engine.errors import ArgumentError
from engine.objective import Objective, Params
from engine.params import flat, shaped
from engine.solvers.base import MEMORY, Solver, State, checked, whole


@dataclass(frozen=True, eq=False)
class History(Record):
    """The last changes of a lane, the newest first.

    Fields:
        point, before: the flat params and the flat residual of the step before, `(size,)`.
        moves, changes: the last changes of both, `(memory, size)`.
        seen: 0 before the first step, when there is no step before.
    """

    point: Vector
    before: Vector
    moves: Matrix
    changes: Matrix
    seen: Scalar


@dataclass(frozen=True, eq=False)
class FixedPointState(Record):
    """The state of a fixed-point iteration; without memory there is no history."""

    params: Params
    loss: Scalar
    history: History | None = None


@dataclass(frozen=True)
class FixedPoint(Solver):
    r"""x <- x + damping * r(x), for residuals of the params' shapes, accelerated from the last few changes.

    With memory, x <- x + b r - (dX + b dR)' c, where c minimises |r - dR' c| over the last changes dX, dR. The residual
    is an array for a single param, else a dict by param name. On a domain, r is its part in the tangent space or cone.

    Args:
        damping: b, above 0.
        memory: how many changes are used, at most 100; 0 for the plain iteration.

    Raises:
        TypeError, ValueError: a setting out of its range; a residual whose blocks are not the params.

    Source:
        Walker and Ni, Anderson acceleration for fixed-point iterations, SIAM J. Numer. Anal. 49, algorithm AA.

    Example:
        >>> FixedPoint(0.5)
        FixedPoint(damping=0.5, memory=4)
    """

    damping: float = 1.0
    memory: int = 4

    CHECK_EVERY: ClassVar[int] = 2
    MAX_STEPS: ClassVar[int] = 2_000

    def __post_init__(self) -> None:
        object.__setattr__(self, "damping", checked("FixedPoint", "damping", self.damping, 1e-15, 1e15))
        whole("FixedPoint", "memory", self.memory, 0, MEMORY)

    def init(self, objective: Objective, params: Params) -> FixedPointState:
        """Nothing remembered."""
        state = FixedPointState(params, objective.loss(params))
        x = flat(params)
        if not self.memory:
            return state
        xp = array_namespace(x)
        empty = xp.zeros((self.memory, x.shape[0]), dtype=x.dtype, device=device(x))
        return replace(state, history=History(point=x, before=x * 0, moves=empty, changes=empty, seen=xp.sum(x[:0])))

    def step(self, objective: Objective, state: State) -> FixedPointState:
        """One evaluation of the residual."""
        now = FixedPointState.of(state)
        params = now.params
        loss, residual = objective.loss(params), _by_param(objective, params)
        if now.history is None:
            moved = objective.retract(params, {name: self.damping * r for name, r in residual.items()})
            return FixedPointState(moved, loss)
        last = now.history
        x, r = flat(params), flat(residual)
        xp = array_namespace(x)
        known = last.seen > 0
        moves = xp.where(known, _pushed(last.moves, x - last.point), last.moves)
        changes = xp.where(known, _pushed(last.changes, r - last.before), last.changes)
        gram = changes @ xp.matrix_transpose(changes)
        size = xp.linalg.trace(gram) * (100 * float(xp.finfo(x.dtype).eps)) + float(xp.finfo(x.dtype).smallest_normal)
        share, _ = smalllinalg.solve_symmetric(gram + size * smalllinalg.eye(self.memory, x), changes @ r)
        change = self.damping * r - share @ (moves + self.damping * changes)
        moved = objective.retract(params, shaped(change, params))
        seen = last.seen * 0 + 1
        return FixedPointState(moved, loss, History(x, r, moves, changes, seen))


def _by_param(objective: Objective, params: Params) -> Params:
    """The residual's blocks by the params that they move: what of them leads somewhere inside the domains."""
    blocks = objective.residual(params)
    if set(blocks) == {""} and len(params) == 1:
        blocks = {next(iter(params)): blocks[""]}
    shapes = {name: tuple(x.shape) for name, x in params.items()}
    came = {name: tuple(r.shape) for name, r in blocks.items()}
    if came != shapes:
        raise ArgumentError(
            f"problem {objective.problem.name!r}: FixedPoint moves params by the residual, which came as {came}; "
            f"expected the params' names and shapes {shapes}: choose LevenbergMarquardt()"
        )
    against = {name: -blocks[name] for name in params}
    return {name: -r for name, r in objective.riemannian_gradient(params, against).items()}


def _pushed(rows: Array, row: Array) -> Array:
    return array_namespace(rows).concat([row[None], rows[:-1]])
