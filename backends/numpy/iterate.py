"""A plain loop over lanes: init, then step and test until the lane says that it is done, then finish."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backends.arrays import draw
from backends.base import RUNNING, Executable, Inputs, Outcome, Program, Run, State
from backends.errors import TraceError
from backends.numpy.context import call
from backends.numpy.point import as_lane
from backends.tree import Tree, leaves, names, tree_map

_RANDOM = (
    "draws random numbers or changes from call to call (two calls with the same arrays differ in {})",
    "a declared function is a pure function", "a datum: pass random numbers as data",
)  # fmt: skip


def evaluate(f: Callable[..., Tree], *arguments: Tree) -> Tree:
    """One of the program's functions, its arrays as Lanes before and after."""
    return tree_map(lambda a: as_lane(np.asarray(a) if isinstance(a, int | float) else a), call(f, *arguments))


def _random(name: str, array: np.ndarray) -> np.ndarray:
    """Numbers of an array's shape and dtype; integers, which may be indices, stay."""
    return np.asarray(0.5 + draw("uniform", array.shape, 1, name), array.dtype) if array.dtype.kind == "f" else array


class NumpyExecutable(Executable):
    """A program checked on one random lane: twice the same call must give the same bits.

    Raises TraceError where it does not.
    """

    def __init__(self, program: Program, example: Mapping[str, Any]) -> None:
        self.program = program
        self.example = {name: _random(name, array) for name, array in example.items()}
        inputs = {name: as_lane(array) for name, array in self.example.items()}
        state = self._twice(program.init, inputs)
        state = self._twice(program.terminate, inputs, self._twice(program.step, inputs, state))
        self._twice(program.postprocess, inputs, state)

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """Run all lanes; see `backends.base`."""
        if not run.lanes:
            return self._empty(run)
        lanes = []
        for k in range(run.lanes):
            own = {name: as_lane(a if name in run.shared else np.asarray(a)[k, ...]) for name, a in inputs.items()}
            lanes.append(self._lane(own, run))
            if run.progress is not None:
                run.progress(k + 1)
        results = [result for result, _, _ in lanes]
        stacked = tree_map(lambda *column: np.stack([np.asarray(a) for a in column]), *results)
        history = _rows([losses for _, losses, _ in lanes]) if run.history else None
        return Outcome(stacked, history, sum(taken for _, _, taken in lanes))

    def _lane(self, inputs: Inputs, run: Run) -> tuple[Tree, Any, int]:
        """Results of one lane, its history, and how many steps were called."""
        program = self.program
        state: State = evaluate(program.terminate, inputs, evaluate(program.init, inputs))
        losses, taken = [np.asarray(state["loss"])[None][:0]], 0
        while state["status"] == RUNNING and taken < run.max_steps:
            for _ in range(min(program.every, run.max_steps - taken)):
                state = evaluate(program.step, inputs, state)
                if run.history and taken % run.history == 0:
                    losses.append(np.asarray(state["loss"])[None])
                taken += 1
            state = evaluate(program.terminate, inputs, state)
        # a lane that fails between two tests is stepped on to the next one, which is no part of its history
        own = min(taken, int(state["steps"])) if "steps" in state else taken
        kept = np.concatenate(losses)[: -(-own // run.history)] if run.history else None
        return evaluate(program.postprocess, inputs, state), kept, taken

    def _empty(self, run: Run) -> Outcome:
        """No lanes, in the shapes of one of zeros that takes no step."""
        zeros = {name: as_lane(np.zeros_like(array)) for name, array in self.example.items()}
        result, losses, _ = self._lane(zeros, Run(1, run.shared, 0, run.history))
        results = tree_map(lambda a: np.asarray(a)[None][:0], result)
        return Outcome(results, losses[None][:0] if run.history else None, 0)

    def _twice(self, f: Callable[..., Tree], *arguments: Tree) -> Tree:
        """The result, if it is the same twice."""
        first, second = evaluate(f, *arguments), evaluate(f, *arguments)
        if names(first) != names(second):
            raise TraceError(_RANDOM[0].format("the names of their results"), *_RANDOM[1:])
        for name, a, b in zip(names(first), leaves(first), leaves(second), strict=True):
            if np.asarray(a).tobytes() != np.asarray(b).tobytes():
                raise TraceError(_RANDOM[0].format(name), *_RANDOM[1:])
        return first


def _rows(losses: list[Any]) -> Any:
    """Histories of lanes side by side, NaN where one is shorter than the longest."""
    found = np.full((len(losses), max(map(len, losses))), np.nan, losses[0].dtype)
    for row, own in zip(found, losses, strict=True):
        row[: len(own)] = own
    return found
