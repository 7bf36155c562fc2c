"""What a solve returns: answers, statuses and figures per lane, and their words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import partial
from typing import Any

from backends import arrays as _arrays
from backends.tree import tree_map
from backends.types import array_namespace
from engine import advice
from engine.errors import ArgumentError, SolveError
from engine.plan import Plan
from engine.problem import Problem
from engine.status import USABLE, Status

Array = Any


@dataclass(frozen=True)
class Call:
    """What was asked, so that `retry` can ask again; `tol` and `limit` as they were settled."""

    problem: Problem
    data: Any
    batch: tuple[int, ...]
    start: Mapping[str, Any] | None
    options: dict[str, Any]
    tol: float
    limit: int

    @property
    def named(self) -> Mapping[str, Any]:
        """The data by name, also where a single array was given."""
        return self.data if isinstance(self.data, Mapping) else {next(iter(self.problem.data)): self.data}


@dataclass(frozen=True, eq=False)
class Solution:
    """Answers for every lane; arrays have the batch shape and live where the data lives.

    Fields:
        params: name -> array, `(..., *shape of the parameter)`, in order of declaration.
        status: int8 codes of `Status`.
        steps: int32, steps that the lane took.
        loss: the loss of the returned params.
        residual: what `tol` is compared with, recomputed from the returned params.
        measures: name -> the problem's extra figures.
        history: the loss before each step, `(..., T)`, NaN after a lane is done; None when not asked for.
        lane_steps: lane-steps executed, idle ones included.
        plan: solver, backend and why; printable.
        timings: seconds of the call: `compile_s` before it runs, of them `import_s` of loading a backend and `trace_s` of tracing
            and lowering; `run_s`; `wall_s` in all.

    Example:
        >>> import numpy as np, engine, problems
        >>> solution = engine.solve(problems.inverse(), np.eye(2) * np.array([1.0, 2.0])[:, None, None])
        >>> solution["X"].shape, solution.converged
        ((2, 2, 2), array([ True,  True]))
    """

    params: dict[str, Array]
    status: Array
    steps: Array
    loss: Array
    residual: Array
    measures: dict[str, Array]
    history: Array
    lane_steps: int
    plan: Plan
    timings: dict[str, float]
    call: Call = field(repr=False)

    def __getitem__(self, name: str) -> Array:
        """A parameter by name."""
        if name not in self.params:
            raise KeyError(f"no param {name!r}; there are {', '.join(self.params)}")
        return self.params[name]

    def __getattr__(self, name: str) -> Any:
        """What the problem derives from a solution, as a method."""
        call = self.__dict__.get("call")
        derived = {} if call is None else call.problem.derived
        if name not in derived:
            raise AttributeError(f"a Solution has no {name!r}{f'; this one derives {sorted(derived)}' if derived else ''}")
        return partial(derived[name], self)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.call.problem.derived]

    def __iter__(self) -> Iterator[Array]:
        """The params, in order of declaration: `U, S, V = solve(...)`."""
        return iter(self.params.values())

    def __len__(self) -> int:
        return len(self.params)

    @property
    def converged(self) -> Array:
        """True where the answer is usable: CONVERGED or ILL_CONDITIONED."""
        return (self.status == USABLE[0]) | (self.status == USABLE[1])

    @property
    def failed(self) -> Array:
        """Indices of the lanes that did not converge: `A[solution.failed]` are their matrices.

        An index array for one batch axis; a tuple of them for several; for no batch axis, those of a batch of one.
        """
        xp = array_namespace(self.status)
        found = xp.nonzero(~xp.reshape(self.converged, (-1,)) if self.status.ndim == 0 else ~self.converged)
        return found[0] if len(found) == 1 else found

    def counts(self) -> dict[Status, int]:
        """How many lanes have each status, in order of the codes; absent ones are left out."""
        codes = _arrays.to_host(self.status).reshape(-1)
        return {status: count for status in Status if (count := int((codes == int(status)).sum()))}

    def summary(self) -> str:
        """A readable table: counts by status, quantiles of steps and residual, time."""
        from engine.report import summary

        return summary(self)

    def raise_for_status(self) -> Solution:
        """This solution, or SolveError naming the lanes that did not converge, likely causes and remedies."""
        counts = {status: n for status, n in self.counts().items() if status not in USABLE}
        if not counts:
            return self
        codes = _arrays.to_host(self.status)
        lines = [f"{sum(counts.values())} of {codes.size} lanes of problem {self.plan.problem!r} did not converge:"]
        for status, count in counts.items():
            lanes = [tuple(int(i) for i in row) for row in _arrays.where_equal(codes, int(status), 8)]
            named = ", ".join(str(lane[0] if len(lane) == 1 else lane) for lane in lanes)
            lines.append(f"  {status.name}: {count} (lanes {named}{', ...' if count > len(lanes) else ''})")
            lines.append(f"    what it means: {advice.meaning(self, status)}")
            lines.append(f"    what helps: {advice.remedy(self, status)}")
        raise SolveError("\n".join(lines), self)

    def retry(self, **changes: Any) -> Solution:
        """Solve the failed lanes again with other options of `solve`; the others stay as they are, bit for bit.

        Args:
            **changes: any of solver, backend, tol, max_steps, start, seed, progress. A `start` may have this
                solution's batch shape: `retry(start=solution.params)` goes on from where the lanes stopped.

        Returns:
            Solution: of the same batch shape, the failed lanes replaced.

        Raises:
            TypeError: for an option that `solve` does not have.
        """
        from engine.solve import solve

        unknown = set(changes) - {*self.call.options, "start"} | {"history"} & set(changes)
        if unknown:
            raise ArgumentError(
                f"retry: unknown option {min(unknown)!r}; expected some of {sorted(self.call.options)} or 'start'"
            )
        problem, batch = self.call.problem, self.call.batch
        flat = array_namespace(self.status).reshape(~self.converged, (-1,))
        lanes = array_namespace(flat).nonzero(flat)[0]
        if not len(lanes):
            return self

        def pick(named: Mapping[str, Any]) -> dict[str, Any]:
            return {name: _arrays.pick_lanes(value, len(problem.axes[name]), batch, lanes) for name, value in named.items()}

        start = changes.pop("start", self.call.start) or {}
        options = {**self.call.options, "history": False, **changes}
        again = solve(problem, pick(self.call.named), start=pick(start), **options)
        return self._merged(again, lanes)

    def _merged(self, again: Solution, lanes: Array) -> Solution:
        """The lanes of another solution in place of these; its plan and its time on top."""
        names = ("params", "status", "steps", "loss", "residual", "measures")
        mine, other = ({name: getattr(s, name) for name in names} for s in (self, again))
        batch = len(self.call.batch)
        merged = tree_map(lambda a, b: _arrays.put_lanes(a, batch, lanes, b), mine, other)
        timings = {name: self.timings[name] + again.timings[name] for name in self.timings}
        rest = {f.name: getattr(self, f.name) for f in fields(self)}
        return Solution(
            **(
                rest
                | merged
                | dict(history=None, lane_steps=self.lane_steps + again.lane_steps, plan=again.plan, timings=timings)
            )
        )

    def plot(self, lanes: Any = (), *, dark: bool = False, points: int = 1000) -> Any:
        """A plotly figure of the loss against the step: median and quantile bands over the lanes, log scale.

        Args:
            lanes: which lanes to draw one by one, such as `solution.failed[:3]`: flat numbers, or indices (tuples)
                of the batch shape.
            dark: light on dark.
            points: at most so many steps are drawn, evenly spaced.

        Returns:
            plotly.graph_objects.Figure: a lane that is done keeps its last finite loss, so that the quantiles are
            over all lanes at every step; a loss of 0 stands at the smallest positive one.

        Raises:
            ValueError: without a history.
            IndexError: for a lane that there is not.
        """
        from engine.figures import Losses, convergence

        if self.history is None:
            raise ArgumentError("plot: the solution has no history; expected one: call solve(..., history=True)")
        plan, counts = self.plan, {status.name: count for status, count in self.counts().items()}
        every = int(self.call.options["history"])
        return convergence(Losses(self.history, every, plan.problem, str(plan.solver), plan.backend, counts), lanes, dark, points)
