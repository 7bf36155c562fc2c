"""Solvers: frozen settings with a pure `init` and `step` for one lane.

A solver is a frozen dataclass. Its float fields (and tuples of floats) reach `step` as scalar arrays of the
working dtype, so that another rate compiles nothing; ints, bools and strings are part of the compiled code.
"""

from __future__ import annotations

import copy
import dataclasses
import sys
from abc import abstractmethod
from collections.abc import Callable
from numbers import Real
from typing import Any, ClassVar, TypeVar

from backends.tree import tree_map
from backends.types import State as State
from engine.errors import ArgumentError
from engine.objective import Objective, Params

S = TypeVar("S", bound="Solver")


class Solver:
    """The base class of solvers: derive from it and write `init` and `step`; the class constants have defaults.

    CHECK_EVERY         steps between two tests of a lane, 1 or more
    MAX_STEPS           the default limit of a lane
    CURVATURE           `"residual"` where it solves with J'J (`curvature.least_squares`), `"loss"` where with the Hessian
                        (`curvature.second_order`): the plan looks for its blocks. None: with neither
    OWN_OPTIMALITY      whether it judges its own steps. Its params are then always the best so far, and its state holds
                        what stops a lane, as scalars: `optimality`, compared with `tol`; `halving`, whether the last steps still
                        halved it; `stuck`, whether it can get no further; for a residual that need not vanish, `rate`, the
                        share of the optimality that the last step left, and `reference`, the size of the residual's terms
    CERTIFIED           whether answers are judged; False for a call that asks for measures alone, whose `residual` is NaN

    A frozen dataclass that has `init` and `step` is a solver without deriving, too. `contract` checks what is handed in.
    """

    CHECK_EVERY: ClassVar[int] = 4
    MAX_STEPS: ClassVar[int] = 10_000
    CURVATURE: ClassVar[str | None] = None
    OWN_OPTIMALITY: ClassVar[bool] = False
    CERTIFIED: ClassVar[bool] = True

    @abstractmethod
    def init(self, objective: Objective, params: Params) -> State:
        """The state before the first step: at least `{"params": params, "loss": scalar}`, a dict or a `Record`."""
        raise NotImplementedError

    @abstractmethod
    def step(self, objective: Objective, state: State) -> State:
        """One iteration: the same entries, with new params, and in `"loss"` the loss of the params before it."""
        raise NotImplementedError


RENAMED = {"CHECK_EVERY": "EVERY"}
"""Class constant -> its name before version 0.2, which still counts."""


def said(solver: Solver | type, name: str) -> Any:
    """A class constant of a solver; the default of `Solver` where it has none."""
    if name in RENAMED:
        for kind in solver.__mro__ if isinstance(solver, type) else type(solver).__mro__:
            for known in (name, RENAMED[name]):
                if known in vars(kind):
                    return vars(kind)[known]
    return getattr(solver, name, getattr(Solver, name))


def numbers(solver: Solver) -> list[float]:
    """The float settings, in order of declaration."""
    found: list[float] = []
    _map_floats(solver, lambda value: found.append(value) or value)  # type: ignore[func-returns-value]
    return found


def with_numbers(solver: S, values: list[Any]) -> S:
    """The solver with these scalars in place of its float settings."""
    remaining = iter(values)
    return _map_floats(solver, lambda _: next(remaining))


def static_key(solver: Solver) -> tuple[Any, ...]:
    """The part of a solver that is compiled: its class and all settings that are no floats."""
    plain = _map_floats(solver, lambda _: 0.0)
    return (type(solver), *(getattr(plain, f.name) for f in dataclasses.fields(plain)))  # type: ignore[arg-type]


def _map_floats(solver: S, f: Callable[[float], Any]) -> S:
    """A copy whose floats, also inside tuples, are mapped; `replace` would validate scalars as settings."""
    made = copy.copy(solver)
    for field in dataclasses.fields(solver):  # type: ignore[arg-type]
        value = getattr(solver, field.name)
        if isinstance(value, float):
            object.__setattr__(made, field.name, f(value))
        elif isinstance(value, tuple | list | dict):
            object.__setattr__(made, field.name, tree_map(lambda v: f(v) if isinstance(v, float) else v, value))
    return made


def checked(owner: str, name: str, value: object, low: float, high: float, closed: bool = True) -> float:
    """A setting as a float between low and high.

    Raises TypeError, ValueError naming the setting, what came and what was expected.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise ArgumentError(f"{owner}: {name} came as {repr(value)[:80]}; expected a number")
    if isinstance(value, int) and abs(value) > sys.float_info.max:
        raise ArgumentError(f"{owner}: {name} came as a whole number beyond all floats; expected {low} <= {name} <= {high}")
    if not low <= (number := float(value)) <= high or (number == high and not closed):
        raise ArgumentError(f"{owner}: {name} came as {value!r}; expected {low} <= {name} {'<=' if closed else '<'} {high}")
    return number


def whole(owner: str, name: str, value: object, low: int, high: int) -> int:
    """A setting as a whole number between low and high.

    Raises TypeError, ValueError naming the setting, what came and what was expected.
    """
    if isinstance(value, bool) or not isinstance(value, int):
        raise ArgumentError(f"{owner}: {name} came as {repr(value)[:80]}; expected a whole number")
    if not low <= value <= high:
        came = repr(value) if abs(value) < 10**30 else "a number of over 30 digits"
        raise ArgumentError(f"{owner}: {name} came as {came}; expected {low} <= {name} <= {high}")
    return value


MEMORY = 100
"""The most changes that a solver remembers: each is part of the compiled step."""
