"""A backend in one file: NumPy, one lane after the other, derivatives by central differences. Some ten digits, and slow.

Source:
    Nocedal and Wright, Numerical Optimization, section 8.1 (central differences, the length of the step).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from backends.base import RUNNING, Backend, Executable, Function, Inputs, Outcome, Program, Run
from backends.derived import basis
from backends.tree import leaves, tree_map, unflatten
from backends.types import Array

STEP = float(np.finfo(float).eps) ** (1 / 3)


class Differences(Backend):
    """The methods that a backend has to write; the others come from its base class."""

    name = "differences"
    library = "numpy"

    def describe(self) -> str:
        return "one lane after the other; central differences"

    def load(self, array: Array | float, dtype: str | None = None, device: Any = None) -> Array:
        return np.asarray(array, dtype)

    def unload(self, array: Array, library: str) -> Array:
        if library == "numpy":
            return array
        import torch

        return torch.from_numpy(array)

    def jvp(self, f: Function, primals: Any, tangents: Any, has_aux: bool = False) -> Any:
        def at(share: float) -> Any:
            found = f(*tree_map(lambda x, t: x + share * t, tuple(primals), tuple(tangents)))
            return found[0] if has_aux else found

        value = f(*primals)
        tangent = tree_map(lambda above, below: (above - below) / (2 * STEP), at(STEP), at(-STEP))
        return (value[0], tangent, value[1]) if has_aux else (value, tangent)

    def vjp(self, f: Function, *primals: Any, has_aux: bool = False) -> Any:
        def pullback(cotangent: Any) -> Any:
            slopes = [self.jvp(f, primals, tangents, has_aux)[1] for tangents in basis(primals)]
            sums = iter([sum(np.sum(w * s) for w, s in zip(leaves(cotangent), leaves(slope), strict=True)) for slope in slopes])
            return tree_map(lambda x: np.reshape([next(sums) for _ in range(x.size)], x.shape).astype(x.dtype), primals)

        found = f(*primals)
        return (found[0], pullback, found[1]) if has_aux else (found, pullback)

    def vmap(self, f: Function, in_axes: Any = 0, out_axes: Any = 0) -> Function:
        def mapped(*args: Any) -> Any:
            axes = in_axes if isinstance(in_axes, tuple) else (in_axes,) * len(args)
            size = next(leaves(a)[0].shape[axis] for a, axis in zip(args, axes, strict=True) if axis is not None)
            lanes = [
                f(*(a if axis is None else _lane(a, k, axis) for a, axis in zip(args, axes, strict=True))) for k in range(size)
            ]
            return tree_map(lambda *column: np.stack(column, axis=out_axes), *lanes)

        return mapped

    def prepare(self, program: Program, example: Mapping[str, Array], shared: frozenset[str], device: Any = None) -> Executable:
        return Loop(program, dict(example))


class Loop(Executable):
    """A program, run lane by lane."""

    def __init__(self, program: Program, example: Inputs) -> None:
        self.program, self.example = program, example
        self._solve(example, Run(1, frozenset(), 1))  # a declared function that is wrong raises here

    def iterate(self, inputs: Inputs, run: Run) -> Outcome:
        """Run all lanes; see `backends.base`."""
        found = []
        for k in range(run.lanes):
            lane = {name: a if name in run.shared else _lane(a, k, 0) for name, a in inputs.items()}
            found.append(self._solve(lane, run))
            if run.progress is not None:
                run.progress(k + 1)
        results, losses, steps = zip(*found or [self._solve(self.example, run)], strict=True)
        stacked = tree_map(lambda *column: np.stack(column)[: run.lanes], *results)
        return Outcome(stacked, _rows(losses[: run.lanes], stacked) if run.history else None, sum(steps[: run.lanes]))

    def _solve(self, inputs: Inputs, run: Run) -> tuple[Any, list[Any], int]:
        """Results of a lane, its losses, and its steps."""
        program, losses, taken = self.program, [], 0
        state = _called(program.terminate, inputs, _called(program.init, inputs))
        while state["status"] == RUNNING and taken < run.max_steps:
            for _ in range(min(program.every, run.max_steps - taken)):
                state = _called(program.step, inputs, state)
                if run.history and taken % run.history == 0:
                    losses.append(state["loss"])
                taken += 1
            state = _called(program.terminate, inputs, state)
        return _called(program.postprocess, inputs, state), losses, taken


def _called(function: Callable[..., Any], *trees: Any) -> Any:
    """A function of the program, without NumPy's warnings: what the numbers do is a status."""
    with np.errstate(all="ignore"):
        return tree_map(np.asarray, function(*trees))


def _lane(tree: Any, k: int, axis: int) -> Any:
    return unflatten(tree, [np.take(leaf, k, axis=axis) for leaf in leaves(tree)])


def _rows(losses: tuple[list[Any], ...], results: Any) -> np.ndarray:
    """The losses as one array, NaN after a lane is done."""
    longest = max(map(len, losses), default=0)
    rows = np.full((len(losses), longest), np.nan, results["loss"].dtype)
    for row, lane in zip(rows, losses, strict=True):
        row[: len(lane)] = lane
    return rows


BACKEND = Differences()
