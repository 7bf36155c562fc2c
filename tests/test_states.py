"""Typed states: records as trees, and users' solvers that build on ours with dicts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import engine
import problems
from backends.record import Record
from backends.tree import leaves, names, tree_map
from engine.objective import Objective, Params
from engine.solvers import GradientDescent, LevenbergMarquardt
from engine.solvers.base import Solver, State

A = np.array([[[2.0, 1.0], [0.5, 3.0]], [[1.0, -0.25], [0.75, 2.0]]])


@dataclass(frozen=True, eq=False)
class Pair(Record):
    first: Any
    gap: Any
    last: Any = None


def test_a_record_is_a_tree_of_the_fields_that_are_there() -> None:
    pair = Pair({"x": 1, "y": 2}, None, 3)
    assert leaves([pair, 4]) == [1, 2, 3, 4] and names(pair) == ["first.x", "first.y", "last"]
    doubled = tree_map(lambda leaf: 2 * leaf, pair)
    assert type(doubled) is Pair and doubled.first == {"x": 2, "y": 4} and doubled.gap is None and doubled.last == 6


def test_a_record_is_read_as_a_dict_is_and_does_not_change() -> None:
    pair = Pair(1, None)
    assert {**pair} == {"first": 1} and "gap" not in pair and pair.get("gap", 7) == 7 and len(pair) == 1
    with pytest.raises(KeyError, match="gap"):
        pair["gap"]
    with pytest.raises(TypeError, match=r"Pair: entry 'first' was assigned; .* write state \| \{'first': value\}"):
        pair["first"] = 2
    more = pair | {"last": 5}
    assert type(more) is Pair and (more.first, more.last) == (1, 5) and pair.last is None
    assert pair | {"own": 2} == {"first": 1, "own": 2} and {"own": 2} | pair == {"own": 2, "first": 1}


def adds_an_entry(solver: type[Solver]) -> type:
    @dataclass(frozen=True)
    class Adds(solver):  # type: ignore[valid-type, misc]
        def init(self, objective: Objective, params: Params) -> State:
            found: State = super().init(objective, params) | {"own": objective.loss(params) * 0}
            return found

        def step(self, objective: Objective, state: State) -> State:
            return {**super().step(objective, state), "own": state["own"] + 1}

    return Adds


def has_plain_dicts(solver: type[Solver]) -> type:
    @dataclass(frozen=True)
    class Plain(solver):  # type: ignore[valid-type, misc]
        def init(self, objective: Objective, params: Params) -> State:
            return dict(super().init(objective, params))

        def step(self, objective: Objective, state: State) -> State:
            return dict(super().step(objective, state))

    return Plain


@pytest.mark.parametrize("change", [adds_an_entry, has_plain_dicts])
@pytest.mark.parametrize(("base", "settings"), [(GradientDescent, {"learning_rate": 0.1}), (LevenbergMarquardt, {})])
def test_a_solver_that_builds_on_ours_with_dicts_takes_the_same_steps(
    base: type[Solver], settings: dict[str, float], change: Callable[[type[Solver]], type]
) -> None:
    expected, found = (
        engine.solve(problems.inverse(), A, solver=kind(**settings), backend="numpy", max_steps=30)
        for kind in (base, change(base))
    )
    np.testing.assert_array_equal(found["X"], expected["X"])
    np.testing.assert_array_equal(found.status, expected.status)
    np.testing.assert_array_equal(found.steps, expected.steps)
