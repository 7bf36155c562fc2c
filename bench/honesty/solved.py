"""Lanes of one kind: declared for the engine, solved at its defaults, judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

import engine
from bench.honesty import judge as _judge
from bench.honesty.objective import Function, Objective
from bench.honesty.spaces import Space
from engine import Problem, Status

Array = Any

CHUNK = 1000
"""Lanes judged at once: extended precision takes memory."""

UNDETERMINED = int(getattr(Status, "UNDETERMINED", 7))

THREADS = 2
"""Chunks judged at once: NumPy's loops over extended precision do not hold the interpreter."""


@dataclass(frozen=True)
class Judged:
    """The outcome of lanes, `(lanes,)` each.

    Attributes:
        status: codes.
        wrong: a success, CONVERGED or ILL_CONDITIONED, that is false.
        minimum: at the minimum (or, of an exact problem, at a solution).
        right: a status that is right at the minimum.
        fall, move: see `judge.Verdict`, 0 where not CONVERGED; of an exact problem a ratio over its bound, and 0.
        notes: lane -> more on a violation.
        error: the exception that ended the kind, if any.
    """

    status: Array
    wrong: Array
    minimum: Array
    right: Array
    fall: Array
    move: Array
    notes: Mapping[int, str] = field(default_factory=dict)
    error: str = ""

    @property
    def failed(self) -> Array:
        """At the minimum, yet not called so."""
        return self.minimum & ~self.right


@dataclass(frozen=True)
class Kind:
    """A kind of lanes.

    Attributes:
        name: in the table.
        lanes: how many, beside the other kinds.
        run: draws, solves and judges so many.
        least: the share of lanes that must be CONVERGED at least.
    """

    name: str
    lanes: int
    run: Callable[[np.random.Generator, int], Judged]
    least: float = 0


@dataclass(frozen=True)
class Lanes:
    """Problems of one kind, as the engine and as the judge see them.

    Attributes:
        problem: the declaration.
        data: arrays by name in the working precision, with a leading axis of lanes unless `shared`.
        start: starts `(lanes, size)`: the params' entries side by side, in order of declaration.
        truth: the generating params, certified values or a closed form, `(lanes, size)`.
        function: the judge's own residuals or loss, see `Objective`.
        space: the judge's own set of params.
        typical: usual sizes of the entries, `(lanes, size)` or `(size,)`; by default medians of the truth's, 1 where that is 0.
        shapes: name of a param -> its shape, where it is no scalar.
        shared: names of data that all lanes share.
        squares: whether `function` gives residuals.
        points: how many residuals count, `(lanes,)`; by default all.
        convex: whether `truth` is the global minimum of a convex loss, or its closed form.
    """

    problem: Problem
    data: Mapping[str, Array]
    start: Array
    truth: Array
    function: Function
    space: Space
    typical: Array | None = None
    shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    shared: frozenset[str] = frozenset()
    squares: bool = True
    points: Array | None = None
    convex: bool = False

    @property
    def dtype(self) -> str:
        """The working precision."""
        return str(self.data[next(iter(self.data))].dtype)

    def split(self, z: Array) -> dict[str, Array]:
        """Params by name."""
        shapes = [self.shapes.get(name, ()) for name in self.problem.params]
        cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        parts = np.split(z, cuts, axis=1)
        return {name: part.reshape(len(z), *shape) for name, part, shape in zip(self.problem.params, parts, shapes, strict=True)}

    def objective(self) -> Objective:
        """The loss of these lanes in extended precision."""
        data = {
            name: np.asarray(array, np.longdouble)[None] if name in self.shared else np.asarray(array, np.longdouble)
            for name, array in self.data.items()
        }
        middle = np.median(np.abs(self.truth), axis=0)
        typical = np.where(middle > 0, middle, 1) if self.typical is None else self.typical
        typical = np.broadcast_to(np.asarray(typical, np.longdouble), self.truth.shape)
        return Objective(self.function, self.squares, data, self.space, typical, self.dtype)

    def solve(self, **options: Any) -> Any:
        """The engine's solution on the lane compiler."""
        start = {name: part.astype(self.dtype) for name, part in self.split(self.start).items()}
        return engine.solve(self.problem, dict(self.data), start=start, backend="fused", **options)


def judged(draw: Callable[[np.random.Generator, int], Lanes], rng: np.random.Generator, count: int) -> Judged:
    """Draw lanes, solve and judge them."""
    lanes = draw(rng, count)
    solution = lanes.solve()
    answer = np.concatenate([np.asarray(solution[name]).reshape(count, -1) for name in lanes.problem.params], axis=1)
    return verdicts(lanes, np.asarray(solution.status), answer, int(rng.integers(2**31)))


def verdicts(lanes: Lanes, status: Array, answer: Array, seed: int = 0) -> Judged:
    """Judge answers `(lanes, size)` with their statuses, some lanes at a time."""
    objective = lanes.objective()
    points = (
        np.full(len(status), objective.terms(answer[:1].astype(np.longdouble)).shape[1]) if lanes.points is None else lanes.points
    )

    def chunk(rows: Array) -> Judged:
        rng = np.random.default_rng([seed, rows[0]])
        return _chunk(objective.take(rows), lanes, rows, status[rows], answer[rows], points[rows], rng)

    chunks = [np.arange(at, min(at + CHUNK, len(status))) for at in range(0, len(status), CHUNK)]
    with ThreadPoolExecutor(THREADS) as pool:
        parts = list(pool.map(chunk, chunks))
    notes = {lane: text for part in parts for lane, text in part.notes.items()}
    names = ("status", "wrong", "minimum", "right", "fall", "move")
    joined: dict[str, Any] = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
    return Judged(**joined, notes=notes)


@np.errstate(all="ignore")
def _chunk(
    objective: Objective, lanes: Lanes, rows: Array, status: Array, answer: Array, points: Array, rng: np.random.Generator
) -> Judged:
    truth = lanes.truth[rows]
    finite = np.isfinite(answer).all(axis=1)
    answer = np.where(finite[:, None], answer, truth)
    convex = truth.astype(np.longdouble) if lanes.convex else None
    converged = status == Status.CONVERGED
    usable = converged | (status == Status.ILL_CONDITIONED)
    verdict = _judge.judge(objective, answer, lanes.start[rows], points, usable, rng, convex)
    wrong = usable & (verdict.wrong | ~finite)
    minimum = usable & ~wrong
    others = np.flatnonzero(~usable & finite)
    if len(others):
        minimum[others] = _judge.reached(objective.take(others), answer[others], truth[others], verdict.take(others))
    right = converged | ((status == UNDETERMINED) & (verdict.singular | verdict.useless))
    fall, move = np.where(usable, verdict.fall, 0), np.where(usable, verdict.move, 0)
    notes = {int(rows[k]): _note(verdict, answer, int(k)) for k in np.flatnonzero(wrong | (minimum & ~right))}
    return Judged(status, wrong, minimum, right, fall, move, notes)


def _note(verdict: _judge.Verdict, answer: Array, lane: int) -> str:
    reason = verdict.reason(lane) or "at the minimum"
    return f"{reason}; answer {answer[lane].tolist()}, going on {verdict.best[lane].astype(float).tolist()}"
