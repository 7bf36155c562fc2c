"""A call on NumPy arrays that carry a derivative, within `engine.grad` and the other transforms of NumPy arrays.

The derivative along the arrays' direction is that of torch tensors of the same numbers; figures come back as arrays that carry
theirs. First derivatives alone: nested transforms of NumPy arrays work in long double.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from backends import arrays as _arrays
from backends.numpy.complex_step import perturb, value_and_derivative
from backends.torch import BACKEND
from backends.tree import tree_map
from engine.errors import ArgumentError
from engine.run import Asked
from engine.solution import Solution


def solve_perturbed(asked: Asked, check: str) -> Solution:
    """The solution as NumPy arrays; params, loss and measures carry derivatives along the direction of the data.

    Raises:
        TypeError, ValueError: within nested transforms.
    """
    problem, data = asked.problem, asked.data
    named = data if isinstance(data, Mapping) else {next(iter(problem.data)): data}
    pairs = {name: value_and_derivative(a) for name, a in named.items() if _arrays.is_perturbed(a)}
    if any(_arrays.dtype_name(value) not in _arrays.FLOATS for value, _ in pairs.values()):
        raise ArgumentError(
            f"problem {problem.name!r}: a second derivative was taken by datum {next(iter(pairs))!r}, a NumPy array, which carries one "
            "of first order; expected a torch tensor: pass torch.from_numpy(array)"
        )
    rest = {name: BACKEND.load(_arrays.as_array(a)) for name, a in named.items() if name not in pairs}
    start = asked.start and {name: BACKEND.load(_arrays.as_array(a)) for name, a in asked.start.items()}
    seen: list[Solution] = []

    def figures(moving: dict[str, Any]) -> Any:
        found = asked.solve(problem, {**rest, **moving}, start=start, check=check, **asked.options)
        seen.append(found)
        return found.params, found.loss, found.measures, found.residual, found.status, found.steps

    values, changes = ({name: BACKEND.load(pair[k] + 0.0 * pair[0]) for name, pair in pairs.items()} for k in (0, 1))
    found, tangents = BACKEND.jvp(figures, (values,), (changes,))
    (params, loss, measures), (residual, status, steps) = found[:3], (BACKEND.unload(a, "numpy") for a in found[3:])
    duals = tree_map(_dual, (params, loss, measures), tangents[:3])
    solution: Solution = replace(
        seen[0], params=duals[0], loss=duals[1], measures=duals[2], residual=residual, status=status, steps=steps
    )
    return replace(solution, call=replace(solution.call, data=data, start=asked.start))


def _dual(value: Any, tangent: Any) -> Any:
    x: Any = BACKEND.unload(value, "numpy")
    t: Any = BACKEND.unload(tangent, "numpy")
    return perturb(x, t)
