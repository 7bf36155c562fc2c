"""The result of a solve: answers, statuses and figures per lane, and their words."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from backends import arrays as _arrays
from backends.tree import tree_map
from backends.types import array_namespace
from engine import advice, curvature_at, report
from engine.answers import Answers, Array
from engine.errors import ArgumentError, SolveError
from engine.io import archive, npz_write
from engine.plots.convergence import Lanes, losses_of, of_one
from engine.status import USABLE
from engine.story.explain import explain


@dataclass(frozen=True, eq=False)
class Solution(Answers):
    """Answers for every lane; arrays have the batch shape and live where the data lives.

    Fields:
        params: name -> array, `(..., *shape of the parameter)`, in order of declaration.
        status: int8 codes of `Status`.
        steps: int32, steps that the lane took.
        loss: the loss of the returned params.
        residual: what `tol` is compared with, recomputed from the returned params.
        measures: name -> the problem's extra figures.
        history: the loss before each step, `(..., T)`, NaN after a lane is done; None when not asked for.
        lane_steps: lane-steps executed, idle ones included: a number, or a tensor without axes of a solve that was launched on a GPU.
        plan: solver, backend and why; printable.
        timings: seconds of the call: `compile_s` before it runs, of them `import_s` of loading a backend and `trace_s` of tracing
            and lowering; `run_s`; `wall_s` in all.

    Example:
        >>> import numpy as np, engine, problems
        >>> solution = engine.solve(problems.inverse(), np.eye(2) * np.array([1.0, 2.0])[:, None, None])
        >>> solution["X"].shape, solution.converged
        ((2, 2, 2), array([ True,  True]))
    """

    def __getattr__(self, name: str) -> Any:
        """A figure that the problem derives from a solution, as a method."""
        call = self.__dict__.get("call")
        if call is None or name not in call.derived:
            raise AttributeError(self._no_attribute(name))

        def derived(*args: Any, **named: Any) -> Any:
            return call.declared(name).derived[name](self, *args, **named)

        return derived

    def _no_attribute(self, name: str) -> str:
        """Words for an attribute that there is not, with where a param or measure of that name is found."""
        for kind, place in (("params", "solution[{!r}]"), ("measures", "solution.measures[{!r}]")):
            if name in self.__dict__.get(kind, {}):
                return (
                    f"a Solution has no attribute {name!r}; expected {place.format(name)}, which is the {kind[:-1]} of that name"
                )
        derived = self.call.derived if "call" in self.__dict__ else ()
        params = ", ".join(f"solution[{param!r}]" for param in self.__dict__.get("params", {}))
        return f"a Solution has no {name!r}; expected {params}{f', or one that it derives: {sorted(derived)}' if derived else ''}"

    def _planned(self, who: str) -> None:
        """Raises ArgumentError where compiled code made the solution, which has no plan."""
        if self.plan is None:
            raise ArgumentError(
                f"{who}: the solution was made by compiled code, which hands back arrays alone; expected one of a plain call: call "
                "engine.solve outside of torch.compile"
            )

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self.call.derived]

    def summary(self) -> str:
        """A readable table: counts by status, quantiles of steps and residual, time."""
        self._planned("summary")
        return report.summary(self)

    def explain(self, lane: int | tuple[int, ...]) -> str:
        """One lane's own story: start, steps, the end, the params that the data leaves open, the condition, a remedy.

        The functions of this lane are evaluated again, without compiling.

        Args:
            lane: its flat number, or its index in the batch shape.

        Raises:
            IndexError: for a lane that there is not.
            ValueError: of a solution that was loaded from a file.

        Example:
            >>> import numpy as np, engine
            >>> twin = engine.Problem(name="twin", data={"y": ""}, params={"a": "", "b": ""}, residual=lambda a, b, y: a + b - y)
            >>> story = engine.solve(twin, np.ones(2), backend="numpy").explain(1)
            >>> [line for line in story.splitlines() if "open" in line]
            ['  open:       a and b can move together, or trade against each other, without effect on the loss']
        """
        self._planned("explain")
        return explain(self, lane)

    def hessian(self) -> dict[str, dict[str, Array]]:
        """The curvature at the answers, by parameter: `hessian()["a"]["b"]` is d2 loss / da db, `(*batch, *a's shape, *b's shape)`.

        Second derivatives of the declared loss, `sum_k weights[k] mean(r_k^2)` of a residual, in the params' own coordinates
        whatever their domains, in the dtype of the solve; evaluated for all lanes at once, without compiling.

        Raises:
            ValueError: of a solution that was loaded from a file.

        Example:
            >>> import numpy as np, engine
            >>> bowl = engine.Problem(name="bowl", data={"k": ""}, params={"a": "", "b": ""}, loss=lambda a, b, k: k * a * a + a * b + b * b)
            >>> found = engine.solve(bowl, np.array([1.0, 3.0]), backend="numpy").hessian()
            >>> found["a"]["a"].round(6).tolist(), found["a"]["b"].round(6).tolist()
            ([2.0, 6.0], [1.0, 1.0])
        """
        self._planned("hessian")
        return curvature_at.hessian(self)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write an npz file of all fields, whole or not at all, which `engine.load` reads, and `lanewise plot`.

        Arrays keep their bits. The problem is not part of it: its functions are code, and nothing is unpickled from a file; pickle
        keeps them.

        Raises:
            FileError: naming the file, when the system refuses.
            ValueError: a parameter has the name of a field.

        Example:
            >>> import numpy as np, engine, problems, tempfile
            >>> solution = engine.solve(problems.inverse(), np.eye(2))
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     solution.save(f"{folder}/inverse.npz")
            ...     engine.load(f"{folder}/inverse.npz")["X"].round(6).tolist()
            [[1.0, 0.0], [0.0, 1.0]]
        """
        self._planned("save")
        npz_write.write(os.fspath(path), archive.arrays(self))

    def raise_for_status(self) -> Solution:
        """This solution, or SolveError naming the lanes that did not converge, likely causes and remedies."""
        counts = {status: n for status, n in self.counts().items() if status not in USABLE}
        if not counts:
            return self
        self._planned("raise_for_status")
        codes = _arrays.to_host(self.status)
        lines = [f"{sum(counts.values())} of {codes.size} lanes of problem {self.plan.problem!r} did not converge:"]
        for status, count in counts.items():
            lanes = [tuple(int(i) for i in row) for row in _arrays.where_equal(codes, int(status), 8)]
            named = ", ".join(str(lane[0] if len(lane) == 1 else lane) for lane in lanes)
            lines.append(f"  {status.name}: {count} (lanes {named}{', ...' if count > len(lanes) else ''})")
            meaning, remedy = advice.words(self, status)
            lines.append(f"    what it means: {meaning}")
            lines.append(f"    what helps: {remedy}")
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
        problem, batch, solve = self.call.declared("retry"), self.call.batch, self.call.solve
        assert solve is not None
        unknown = set(changes) - {*self.call.options, "start"} | {"history"} & set(changes)
        if unknown:
            raise ArgumentError(
                f"retry: unknown option {min(unknown)!r}; expected some of {sorted(self.call.options)} or 'start'"
            )
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

    def plot(self, lanes: Lanes = (), *, title: str = "", dark: bool = False, points: int = 1000) -> Any:
        """A plotly figure of the loss against the step, on a log scale.

        Up to 8 lanes are drawn one by one, with their statuses; more by their median and quantile bands.

        Args:
            lanes: which lanes to draw one by one, such as `solution.failed[:3]`: flat numbers, or indices (tuples)
                of the batch shape; or a mapping of names for the legend to them.
            title: the words above; by default the problem's name and the number of lanes.
            dark: light on dark.
            points: at most so many steps are drawn, evenly spaced.

        Returns:
            plotly.graph_objects.Figure: a lane that is done keeps its last finite loss, so that the quantiles are
            over all lanes at every step; a loss of 0 stands at the smallest positive one.

        Raises:
            ValueError: without a history.
            IndexError: for a lane that there is not.
        """
        return of_one(losses_of(self, "plot"), lanes, title, dark, points)
