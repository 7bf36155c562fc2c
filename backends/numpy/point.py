"""A function at the point where it is differentiated: its value, and its derivative along a direction.

Values come from the plain evaluation in the input's dtype, derivatives from complex128 (clongdouble where a
`stencil` gives long doubles). Needs `complex_step` for the arrays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from backends.errors import TraceError
from backends.numpy.complex_step import is_perturbed, perturb, value_and_derivative
from backends.numpy.context import call
from backends.numpy.lane_array import LaneArray, inner_dtype
from backends.tree import Tree, leaves, tree_map, unflatten

Function = Callable[..., Any]

_CONFUSION = (
    "closes over an array that an outer derivative perturbs, and mixes it with its own: "
    "pass it as an argument, and choose argnums"
)


def as_lane(value: object) -> Any:
    """Arrays and NumPy scalars as Lanes; everything else as it is."""
    if isinstance(value, LaneArray):
        return value
    return np.asarray(value).view(LaneArray) if isinstance(value, np.ndarray | np.generic) else value


@dataclass
class Point:
    """A function at the point where it is differentiated.

    f        flat list of the differentiated arrays -> (output, aux)
    x        those arrays, as Lanes
    form     the tree of which they are the leaves
    """

    f: Callable[[list[Any]], tuple[Tree, Any]]
    x: list[Any]
    form: Tree

    @classmethod
    def of(
        cls,
        what: str,
        f: Function,
        argnums: int | tuple[int, ...],
        args: Sequence[object],
        kwargs: Mapping[str, object],
        has_aux: bool,
    ) -> Point:
        """The point of some arguments. Raises TypeError where they are not floats, ValueError for bad argnums."""
        nums = [argnums] if isinstance(argnums, int) else list(argnums)
        if any(not -len(args) <= n < len(args) for n in nums):
            raise ValueError(f"{what}: argnums came as {argnums}; the function was called with {len(args)} arguments")
        nums = [n % len(args) for n in nums]
        args = [tree_map(as_lane, argument) for argument in args]
        kwargs = tree_map(as_lane, kwargs)
        form = args[nums[0]] if isinstance(argnums, int) else tuple(args[n] for n in nums)

        def flat(x: list[Any]) -> tuple[Tree, Any]:
            given, values = list(args), iter(x)
            for n in nums:
                given[n] = unflatten(args[n], values)
            found = call(f, *given, **kwargs)
            return (found[0], found[1]) if has_aux else (found, None)

        return cls(flat, [_float(what, leaf) for leaf in leaves(form)], form)

    def value(self) -> tuple[Tree, Any]:
        """Output and aux at the point itself. Raises TraceError where an outer perturbation comes in sideways."""
        value, aux = self.f(self.x)
        if any(map(is_perturbed, leaves(value) + leaves(aux))):
            raise TraceError(_CONFUSION)
        return tree_map(_output, value), tree_map(as_lane, aux)

    def along(self, tangents: list[Any]) -> list[Any]:
        """The derivative of each array of the output along one direction; a tangent of None does not move."""
        long = any(inner_dtype(a).char == "g" for a in self.x)
        z = [
            x.astype(np.promote_types(inner_dtype(x), np.float64)) if t is None else perturb(x, t, long)
            for x, t in zip(self.x, tangents, strict=True)
        ]
        value, _ = self.f(z)
        return [value_and_derivative(leaf)[1] for leaf in leaves(value)]

    def basis(self) -> Iterator[tuple[int, Any, list[Any]]]:
        """Each direction of one entry: which array, which index, the tangents."""
        for k, x in enumerate(self.x):
            for index in np.ndindex(x.shape):
                t = np.zeros(x.shape)
                t[index] = 1.0
                yield k, index, [t if j == k else None for j in range(len(self.x))]

    def jacobian(self, outputs: list[Any]) -> list[list[Any]]:
        """For each output, for each differentiated array: shape of the output + shape of the array."""
        found = [[np.zeros(o.shape + x.shape, _wide(o, x)) for x in self.x] for o in outputs]
        for k, index, tangents in self.basis():
            for row, slope in zip(found, self.along(tangents), strict=True):
                row[k][(..., *index)] = slope
        return found

    def gradient(self, what: str, value: object) -> Tree:
        """The gradient of a scalar, in the dtypes of the arguments. Raises TypeError for another output."""
        if not isinstance(value, np.ndarray) or value.ndim:
            came = f"shape {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__
            raise TypeError(f"{what}: the function returned {came}; expected a scalar: use jacrev or jacfwd")
        (row,) = self.jacobian([value])
        return unflatten(self.form, [a.astype(inner_dtype(x)) for a, x in zip(row, self.x, strict=True)])


def _float(what: str, leaf: object) -> Any:
    """A differentiated argument as a LaneArray. Raises TypeError unless it is a float."""
    if isinstance(leaf, float):
        return np.asarray(leaf, np.float64).view(LaneArray)
    if not isinstance(leaf, np.ndarray) or inner_dtype(leaf).kind != "f":
        came = f"dtype {leaf.dtype}" if isinstance(leaf, np.ndarray) else type(leaf).__name__
        raise TypeError(f"{what}: an argument to differentiate came as {came}; expected floats: convert it first")
    return leaf


def _output(leaf: object) -> Any:
    """An array of the output. Raises TypeError for what is no number."""
    if not isinstance(leaf, np.ndarray | np.generic | float | int):
        raise TypeError(f"the function returned {type(leaf).__name__}; expected arrays of floats")
    found = np.asarray(leaf).view(LaneArray) if not isinstance(leaf, LaneArray) else leaf
    if inner_dtype(found).kind not in "fbiu":
        raise TypeError(f"the function returned dtype {inner_dtype(found)}; expected floats")
    return found


def _wide(a: np.ndarray, b: np.ndarray) -> np.dtype[Any]:
    return np.result_type(inner_dtype(a), inner_dtype(b), np.float64)
