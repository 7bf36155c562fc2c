"""A Problem bound to one lane's arrays: loss, residual, gradient and linearisation of that lane.

Needs a backend for derivatives and a Problem for the declared functions; the arrays may be a tracer's. All
functions are pure and see no batch axis. A solver is handed one of these and the params, nothing else.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

from array_api_compat import device

from backends import Backend
from backends.arrays import FLOATS, dtype_name
from backends.types import Array, Inputs, array_namespace
from engine import axes as _axes
from engine.domains import Domain, Real
from engine.errors import DeclaredFunctionError, TraceError
from engine.problem import Problem
from engine.refused import of_torch, place, refused
from engine.sparsity.structure import Structure
from engine.surroundings import Surroundings

Params = dict[str, Array]


class Objective:
    """The declared functions of one lane, with derivatives.

    Args:
        problem: the declaration.
        backend: whose transforms to use.
        data: name -> one lane's array, of the declared rank.
        captured: role -> arrays in place of those that the function of that role captured; by default those.
        weights: block -> scalar array; by default the problem's numbers.
        structure: the sparsity of the curvature in tangent coordinates; by default dense.
        around: the surroundings that the functions see, for several objectives of one backend; by default new ones.

    `pow2_scales`, where set, are powers of two (see `tangent.pow2_scales_at`): `"."` of the residual, and by parameter of the columns
    of J. The local model is then of the residual and of coordinates in these units.
    """

    def __init__(
        self,
        problem: Problem,
        backend: Backend,
        data: dict[str, Array],
        captured: dict[str, list[Array]] | None = None,
        weights: dict[str, Array] | None = None,
        structure: Structure | None = None,
        around: Surroundings | None = None,
    ) -> None:
        self.problem, self.backend, self.data = problem, backend, data
        self.captured = {role: frozen.arrays() for role, frozen in problem.frozen.items()} if captured is None else captured
        self._around = Surroundings(backend) if around is None else around
        self._functions = {role: frozen.rebuild(self.captured[role], self._around) for role, frozen in problem.frozen.items()}
        self._weights = weights if weights is not None else weights_of(problem)
        self.structure = structure
        self.pow2_scales: dict[str, Array] | None = None
        self.singular = structure is None or structure.singular
        empty = _empty_params(problem, data)  # which are in any domain
        self.domains: dict[str, Domain] = {
            name: Real() if name in empty else param.domain.bind(data) for name, param in problem.params.items()
        }

    @classmethod
    def of_inputs(
        cls, problem: Problem, backend: Backend, inputs: Inputs, structure: Structure | None, around: Surroundings
    ) -> Objective:
        """The objective of one lane's inputs by name: `data.A`, `capture.residual.0`, and `weight.k` where weights are inputs."""
        groups: dict[str, dict[str, Array]] = {"data": {}, "weight": {}}
        for name, array in inputs.items():
            kind, _, key = name.partition(".")
            groups.setdefault(kind, {})[key] = array
        captured = {
            role: [inputs[f"capture.{role}.{k}"] for k in range(len(frozen.slots))] for role, frozen in problem.frozen.items()
        }
        return cls(problem, backend, groups["data"], captured, groups["weight"] or None, structure, around)

    def within(self, pow2_scales: dict[str, Array]) -> Objective:
        """The same in some units."""
        made = copy.copy(self)
        made.pow2_scales = pow2_scales
        return made

    def dense(self) -> Objective:
        """The same without the structure of its curvature."""
        made = copy.copy(self)
        made.structure = None
        return made

    def given(self, data: dict[str, Array], captured: dict[str, Array]) -> Objective:
        """The same with other arrays for some data, and for some that the residual, or the loss, captured, by their places."""
        made = copy.copy(self)
        made.data = {**self.data, **data}
        arrays = [captured.get(str(k), array) for k, array in enumerate(self.captured[self.role])]
        made._functions = self._functions | {self.role: self.problem.frozen[self.role].rebuild(arrays, self._around)}
        return made

    @property
    def role(self) -> str:
        """The declared function that is minimised: `"residual"` or `"loss"`."""
        return "loss" if self.problem.residual is None else "residual"

    def call(self, role: str, params: Params) -> Any:
        """A declared function on this lane, called with the names that it takes."""
        if role == "finish" and not any(math.prod(x.shape) for x in params.values()):
            return {}  # nothing has one form alone
        function = self._functions[role]
        takes = self.problem.frozen[role].takes
        named = {**params, **self.data}
        if not any(p.kind is p.VAR_KEYWORD for p in takes.values()):
            named = {name: named[name] for name in takes if name in named}
        self._around.like = next((a for a in (*params.values(), *named.values()) if hasattr(a, "shape")), None)
        try:
            with self.backend.declared([*named.values(), *self.captured[role]]):
                found = function(**named)
        except TraceError as error:
            raise refused(self.problem.name, role, self.problem.frozen[role].function, error) from error
        except Exception as error:
            if (known := of_torch(error)) is not None:
                raise refused(self.problem.name, role, self.problem.frozen[role].function, known) from error
            shapes = ", ".join(f"{name} {tuple(a.shape)}" for name, a in named.items() if hasattr(a, "shape"))
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: {role} raised {type(error).__name__}: {error}; "
                f"called for one lane with {shapes}{place(self.problem.frozen[role].function, error)}"
            ) from error
        canonical = role == "finish" and isinstance(found, dict)
        return {name: in_dtype_of(params, value) for name, value in found.items()} if canonical else found

    def residual(self, params: Params) -> dict[str, Array]:
        """The residual's blocks by name; a bare array is the block `""`."""
        found = self.call("residual", params)
        blocks = found if isinstance(found, dict) else {"": found}
        if not blocks or not self._weights.keys() <= blocks.keys():
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: residual returned the blocks {sorted(blocks)}; expected at least one, "
                f"and one for each weight {sorted(self._weights)}: weights go by block name, a bare array has the name ''"
            )
        for name, block in blocks.items():
            if not hasattr(block, "shape"):
                raise DeclaredFunctionError(
                    f"problem {self.problem.name!r}: residual returned {type(block).__name__}"
                    f"{f' for block {name!r}' if name else ''}; expected an array or a dict of arrays: "
                    "np.stack([...]) of numbers, np.concatenate([...]) of vectors, or {'name': array, ...}"
                )
            self._check_floats("residual", block)
        return {name: in_dtype_of(params, block) for name, block in blocks.items()}

    def loss(self, params: Params) -> Array:
        """`sum_k weights[k] * mean(r_k**2)`, or the declared loss: a scalar. A mean over nothing is 0."""
        if self.problem.residual is None:
            return self._declared_loss(params)
        terms = [self._weighted(name, mean_square(block)) for name, block in self.residual(params).items()]
        found: Array = sum(terms[1:], start=terms[0])
        return found

    def value_and_gradient(self, params: Params) -> tuple[Array, Params]:
        """The loss and its gradient, by parameter name."""
        value, gradient = self.backend.value_and_grad(self.loss)(params)
        return value, gradient

    def linearise(self, params: Params, tangent: Params) -> tuple[dict[str, Array], dict[str, Array]]:
        """The residual and J t, block by block."""
        value, product = self.backend.jvp(self.residual, (params,), (tangent,))
        return value, product

    def pullback(self, params: Params) -> tuple[dict[str, Array], Callable[[dict[str, Array]], Params]]:
        """The residual and the function w -> J' w."""
        value, transpose = self.backend.vjp(self.residual, params)
        return value, lambda cotangent: transpose(cotangent)[0]

    def scaled(self, blocks: dict[str, Array]) -> dict[str, Array]:
        """Blocks times sqrt(weight / size): the loss is their sum of squares."""
        return {name: block * sqrt(self.factor(name, block)) for name, block in blocks.items()}

    def factor(self, name: str, block: Array) -> Any:
        """weight / size of a block."""
        return self._weighted(name, 1.0) / max(1, math.prod(block.shape))

    def retract(self, params: Params, change: Params) -> Params:
        """Each parameter moved along an ambient change, inside its domain."""
        return {name: self.domains[name].retract(x, change[name]) for name, x in params.items()}

    def riemannian_gradient(self, params: Params, gradient: Params) -> Params:
        """The part of an ambient gradient that a step against it can follow, inside the domains; of Real all of it."""
        return {name: self.domains[name].riemannian_gradient(x, gradient[name]) for name, x in params.items()}

    def project(self, params: Params) -> Params:
        """Each parameter brought into its domain."""
        return {name: self.domains[name].project(x) for name, x in params.items()}

    def _declared_loss(self, params: Params) -> Array:
        value = self.call("loss", params)
        shape = getattr(value, "shape", None)
        if shape is None or tuple(shape) != ():
            came = type(value).__name__ if shape is None else f"an array of shape {tuple(shape)}"
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: loss returned {came}; expected a scalar array for one lane: "
                "reduce it with sum or mean, or declare it as residual="
            )
        self._check_floats("loss", value)
        value = in_dtype_of(params, value)
        if not self.is_empty(params):
            return value
        xp = array_namespace(value)
        return xp.where(xp.isfinite(value), value, xp.zeros_like(value))

    def _check_floats(self, role: str, value: Array) -> None:
        """Raises DeclaredFunctionError where a declared function returned other numbers than floats, which have no derivative."""
        name = dtype_name(value)
        if name not in FLOATS and 0 not in value.shape:
            raise DeclaredFunctionError(
                f"problem {self.problem.name!r}: {role} returned an array of dtype {name}; expected floats: np.where(condition, 1.0, 0.0) "
                "of a condition, np.real or np.abs of a complex number"
            )

    def _weighted(self, block: str, value: Any) -> Any:
        return self._weights[block] * value if block in self._weights else value

    def is_empty(self, params: Params) -> bool:
        """Whether there are no numbers at all."""
        data = list(self.data.values()) or list(params.values())
        return all(0 in array.shape for array in data)


def _empty_params(problem: Problem, data: dict[str, Array]) -> set[str]:
    """The params without elements, by the sizes of one lane's data."""
    sizes: dict[str, int] = {}
    for name, array in data.items():
        sizes.update(zip(problem.axes[name], map(int, array.shape), strict=True))
    if problem.sizes:
        _axes.derive(problem.sizes, sizes, problem.name)
    return {name for name in problem.params if any(axis == "0" or sizes.get(axis) == 0 for axis in problem.axes[name])}


def in_dtype_of(params: Params, value: Array) -> Array:
    """Floats in the dtype of the params, which constants of the user's, such as NumPy's scalars, may have changed."""
    dtype = next(iter(params.values())).dtype
    if getattr(value, "dtype", dtype) == dtype:
        return value
    xp = array_namespace(value)
    return xp.astype(value, dtype) if xp.isdtype(value.dtype, "real floating") else value


def at_zero(objective: Objective, params: Params) -> dict[str, Array]:
    """The residual at zero params; 0 where it is not finite there (a logarithm, say)."""
    blocks = objective.residual({name: array_namespace(x).zeros_like(x) for name, x in params.items()})
    return {name: xp.where(xp.isfinite(r), r, xp.zeros_like(r)) for name, r in blocks.items() for xp in (array_namespace(r),)}


def weights_of(problem: Problem) -> dict[str, float]:
    """The declared weights by block name; a bare number belongs to the unnamed block."""
    if problem.weights is None:
        return {}
    if isinstance(problem.weights, int | float):
        return {"": float(problem.weights)}
    return {name: float(weight) for name, weight in problem.weights.items()}


def mean_square(block: Array) -> Array:
    """mean(r**2) as a scalar; 0 for an empty block."""
    if 0 in block.shape:
        return zero(block)
    return array_namespace(block).mean(block * block)


def zero(like: Array) -> Array:
    """A scalar zero of an array's dtype and device."""
    return array_namespace(like).zeros((), dtype=like.dtype, device=device(like))


def zeros_like(array: Array) -> Array:
    """Zeros of an array's shape, dtype and device."""
    return array_namespace(array).zeros_like(array)


def sqrt(x: Array) -> Any:
    """Square root of a number or of an array."""
    return math.sqrt(x) if isinstance(x, int | float) else array_namespace(x).sqrt(x)
