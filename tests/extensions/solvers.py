"""Solvers that are wrong in one way each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

import engine
import problems
from engine.objective import Objective, Params
from engine.solvers import GradientDescent
from engine.solvers.base import Solver, State

A = np.eye(2) + np.full((3, 2, 2), 0.1)


def init(self: Any, objective: Objective, params: Params) -> State:
    return {"params": params, "loss": objective.loss(params), "last": objective.loss(params) * 0}


def step(self: Any, objective: Objective, state: State) -> State:
    loss, gradient = objective.value_and_gradient(state["params"])
    return state | {"params": objective.retract(state["params"], {n: -0.1 * g for n, g in gradient.items()}), "loss": loss}


def toy(**changes: Any) -> Any:
    """A solver without settings, of which some attributes are others; None takes one away."""
    namespace = {"init": init, "step": step} | changes
    kind: Any = type("Toy", (), {name: value for name, value in namespace.items() if value is not None})
    return dataclass(frozen=True)(kind)()


def began(change: Callable[[State, Params], Any]) -> Any:
    """A solver whose first state is another."""
    return toy(init=lambda self, objective, params: change(init(self, objective, params), params))


def stepped(change: Callable[[State], Any]) -> Any:
    """A solver whose later states are others."""
    return toy(step=lambda self, objective, state: change(step(self, objective, state)))


class NoDataclass(Solver):
    init, step = init, step


@dataclass
class Thawed(Solver):
    rate: float = 0.1

    init, step = init, step


@dataclass(frozen=True)
class Rates:
    """No more than what the recipe asks for: it does not derive from `Solver`."""

    rates: Any = 0.1

    init, step = init, step


@dataclass(frozen=True)
class Remembering(Solver):
    rate: float = 0.1

    init, step = init, step

    @cached_property
    def half(self) -> float:
        return self.rate / 2


def used() -> Any:
    solver = Remembering()
    assert solver.half == 0.05
    return solver


@dataclass(frozen=True)
class Schedule:
    steps: Any = field(default_factory=list)


class Changing:
    def __init__(self) -> None:
        self.rate = 0.1


@dataclass(frozen=True)
class Judging(Solver):
    OWN_OPTIMALITY: ClassVar[bool] = True

    init, step = init, step


def run(solver: Any) -> Callable[[], Any]:
    return lambda: engine.solve(problems.inverse(), A, solver=solver, backend="torch", max_steps=3)


WRONG: dict[str, tuple[Callable[[], Any], list[str]]] = {
    "a word": (run("adam"), ["solver", "'adam'", "engine.solvers"]),
    "a class": (run(GradientDescent), ["GradientDescent", "with its settings"]),
    "no dataclass": (run(NoDataclass()), ["NoDataclass", "no dataclass", "@dataclass(frozen=True)"]),
    "settings that can change": (run(Thawed()), ["Thawed", "can change", "frozen"]),
    "no step": (run(toy(step=None)), ["Toy has no step", "step(objective, state)", "write it"]),
    "no init": (run(toy(init=None)), ["Toy has no init", "init(objective, params)", "write it"]),
    "a step of other arguments": (run(toy(step=lambda self, state: state)), ["step takes (state)", "step(objective, state)"]),
    "a step that is no method": (run(toy(step=3)), ["step is 3", "step(objective, state)"]),
    "a list as a setting": (run(Rates([0.1, 0.2])), ["Rates", "'rates'", "[0.1, 0.2]", "tuple"]),
    "an array as a setting": (run(Rates(np.ones(3))), ["Rates", "'rates'", "ndarray", "tuple of floats"]),
    "a NumPy number as a setting": (run(Rates(np.float32(0.1))), ["Rates", "'rates'", "float32", "float(...)"]),
    "a list inside a setting": (run(Rates((Schedule([1]),))), ["'rates'", "its 'steps'", "a list", "tuple"]),
    "an object as a setting": (run(Rates(Changing())), ["Rates", "'rates'", "a Changing", "may change"]),
    "a value beside the settings": (run(used()), ["Remembering", "'half'", "field"]),
    "tests that never come": (run(toy(CHECK_EVERY=0)), ["Toy: CHECK_EVERY came as 0", "1 or more", "leave it out"]),
    "a limit in words": (run(toy(MAX_STEPS="many")), ["MAX_STEPS came as 'many'", "whole number"]),
    "a curvature of no kind": (run(toy(CURVATURE="hessian")), ["CURVATURE came as 'hessian'", "'residual', 'loss'"]),
    "a judge in words": (run(toy(OWN_OPTIMALITY="yes")), ["OWN_OPTIMALITY came as 'yes'", "True or False"]),
    "a first state that is a tuple": (run(began(lambda s, p: (p, s["loss"]))), ["init returned tuple", "'params' and 'loss'"]),
    "a first state without a loss": (run(began(lambda s, p: {"params": p})), ["init returned", "'loss'", "add it"]),
    "other params": (run(began(lambda s, p: s | {"params": {"Y": p["X"]}})), ["params.Y", "params.X"]),
    "params of another shape": (run(began(lambda s, p: s | {"params": {"X": p["X"][0]}})), ["'params.X'", "(2,)", "(2, 2)"]),
    "a loss of several numbers": (run(began(lambda s, p: s | {"loss": p["X"][0]})), ["'loss'", "(2,)", "scalar"]),
    "a number in the state": (run(began(lambda s, p: s | {"count": 0})), ["int for 'count'", "arrays alone", "0 * "]),
    "a key with a dot": (run(began(lambda s, p: s | {"params.X": p["X"]})), ["two entries 'params.X'", "rename"]),
    "a step that returns nothing": (run(stepped(lambda s: None)), ["step returned NoneType", "a dict"]),
    "a step that drops an entry": (run(stepped(lambda s: {n: s[n] for n in ("params", "loss")})), ["step returned", "'last'", "every"]),
    "a step that adds one": (run(stepped(lambda s: s | {"new": s["loss"]})), ["step returned", "'new'", "'last'"]),
    "a step of another shape": (run(stepped(lambda s: s | {"last": s["params"]["X"]})), ["'last'", "(2, 2)", "()"]),
    "a step of another dtype": (run(stepped(lambda s: s | {"last": s["loss"] > 0})), ["'last'", "bool", "float64", "astype"]),
    "a judge without a verdict": (run(Judging()), ["Judging: init returned", "'optimality'", "OWN_OPTIMALITY", "add it"]),
}  # fmt: skip
