"""Answers and figures of all lanes, and the call that they answer: what the words of a Solution are made from.

Needs `problem`, `plan` and `status` for what stands in the fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, KeysView, Mapping
from copy import deepcopy
from dataclasses import dataclass, field, fields, replace
from typing import Any

from backends import arrays as _arrays
from backends.types import array_namespace
from engine.errors import ArgumentError
from engine.plan import Plan
from engine.problem import Problem
from engine.status import USABLE, Status

Array = Any
"""An array as the user gave it, with all methods of its library; `backends.types.Array` has those that all libraries share."""


@dataclass(frozen=True)
class Call:
    """The call that a solution answers, so that `retry` can make it again; `tol` and `limit` as they were settled.

    Fields:
        problem: None where the solution was loaded from a file, which holds no declared functions.
        derived: names of the problem's derived figures.
        solve: `engine.solve`.
    """

    problem: Problem | None
    data: Any
    batch: tuple[int, ...]
    start: Mapping[str, Any] | None
    options: dict[str, Any]
    tol: float
    limit: int
    derived: tuple[str, ...] = ()
    solve: Callable[..., Any] | None = None

    @property
    def named(self) -> Mapping[str, Any]:
        """The data by name, also where a single array was given."""
        if self.problem is None or isinstance(self.data, Mapping):
            return self.data or {}
        return {next(iter(self.problem.data)): self.data}

    def declared(self, who: str) -> Problem:
        """The problem, for a method that needs it. Raises ArgumentError naming the method where a file was loaded."""
        if self.problem is None:
            raise ArgumentError(
                f"{who}: this solution was loaded from a file, which holds no problem and no data; expected one that engine.solve "
                f"returned: call solve(problem, data, start=solution.params), then {who}"
            )
        return self.problem


@dataclass(frozen=True, eq=False)
class Answers:
    """The fields of a Solution, which its docstring explains, and access to them."""

    params: dict[str, Array]
    status: Array
    steps: Array
    loss: Array
    residual: Array
    measures: dict[str, Array]
    history: Array
    lane_steps: int | Array
    plan: Plan
    timings: dict[str, float]
    call: Call = field(repr=False)

    def __getitem__(self, name: str) -> Array:
        """A parameter by name."""
        if name not in self.params:
            raise KeyError(f"no param {name!r}; there are {', '.join(self.params)}")
        return self.params[name]

    def __iter__(self) -> Iterator[Array]:
        """The params, in order of declaration: `U, S, V = solve(...)`."""
        return iter(self.params.values())

    def __len__(self) -> int:
        return len(self.params)

    def __contains__(self, name: object) -> bool:
        """Whether there is a param of that name."""
        return name in self.params

    def keys(self) -> KeysView[str]:
        """The names of the params: `dict(solution)` has the arrays by name."""
        return self.params.keys()

    @property
    def converged(self) -> Array:
        """True where the answer is usable: CONVERGED or ILL_CONDITIONED."""
        one, other = map(int, USABLE)  # torch.compile takes a tensor for unequal to whatever is no number
        return (self.status == one) | (self.status == other)

    @property
    def failed(self) -> Array:
        """Indices of the lanes that did not converge: `A[solution.failed]` are their matrices.

        An index array for one batch axis; a tuple of them for several; for no batch axis, those of a batch of one.
        """
        xp = array_namespace(self.status)
        found = xp.nonzero(~xp.reshape(self.converged, (-1,)) if self.status.ndim == 0 else ~self.converged)
        return found[0] if len(found) == 1 else found

    def __deepcopy__(self, memo: dict[int, Any]) -> Any:
        """A copy of all arrays, without derivatives: torch copies no tensor that belongs to a graph."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "call"}
        call = replace(self.call, data=_detached(self.call.data), start=_detached(self.call.start))
        copied = {name: deepcopy(_detached(value), memo) for name, value in own.items()}
        return type(self)(**copied, call=deepcopy(call, memo))

    def counts(self) -> dict[Status, int]:
        """How many lanes have each status, in order of the codes; absent ones are left out."""
        codes = _arrays.to_host(self.status).reshape(-1)
        return {status: count for status in Status if (count := int((codes == int(status)).sum()))}


def _detached(value: Any) -> Any:
    """A value, or values by name, without the derivatives that tensors among them carry."""
    if isinstance(value, Mapping):
        return {name: _detached(part) for name, part in value.items()}
    return _arrays.detached(value) if _arrays.is_array(value) else value
