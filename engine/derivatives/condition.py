"""The optimality condition of one lane near its answer, in tangent coordinates, and the matrix of its derivative.

With p(u) the point of the domains at coordinates u from the answer, the answer is where

    exact problems    r(p(u)) = 0             matrix J, the residual's derivative
    all others        grad f(p(u)) / 2 = 0    matrix H, half of the FULL Hessian of the loss f

on the coordinates that no face holds. Gauss-Newton's matrix in place of H would be wrong by the size of the residual. Needs
`tangent` for coordinates, `curvature` and `jacobian` for the matrices.

Source:
    Krantz and Parks, The Implicit Function Theorem, section 3.3; Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix
    Manifolds, section 5.5 (the Hessian of a pulled-back function at a critical point).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from backends.types import Array, array_namespace
from engine import curvature, jacobian
from engine.domains.base import gather
from engine.objective import Objective, Params
from engine.sparsity.structure import Structure
from engine.tangent import Tangent, rows

Matrices = tuple[Array, ...]
"""Blocks of equal size, `(count, k, m)` each."""


@dataclass(frozen=True)
class Condition:
    """The form that a problem's condition takes.

    Fields:
        exact: whether the condition is a vanishing residual.
        structure: the blocks of the matrix.
    """

    exact: bool
    structure: Structure

    @property
    def by_rows(self) -> bool:
        """Whether each block has rows of the residual to itself, so that J need not be squared."""
        return self.exact and (self.structure.is_dense or self.structure.rows is not None)

    def matrices(self, objective: Objective, answer: Params, for_kernel: bool = False) -> Matrices:
        """The blocks at the answer: J' `(count, k, rows)` where `by_rows`, else J'J or H by size `(count, k, k)`.

        A dense H of a residual is summed parameter by parameter for a kernel: half of the arithmetic, in many more operations.
        """
        tangent = Tangent(objective, answer)
        free = None
        if tangent.closed:
            free = tangent.inactive_mask(tangent.to_coordinates(objective.value_and_gradient(answer)[1]))
        if self.by_rows:
            columns = self._columns(tangent)
            return (columns if free is None else columns * curvature.split_blocks(free, self.structure)[0][..., None],)
        if self.exact:
            blocks = list(curvature.gauss_newton(tangent, self.structure).values())
        elif for_kernel and self.structure.is_dense and objective.problem.residual is not None:
            blocks = [_full_hessian(tangent)[None]]
        else:
            blocks = list(curvature.hessian(tangent, self.structure)["blocks"].values())
        if free is None:
            return tuple(blocks)
        return tuple(
            b * f[..., :, None] * f[..., None, :]
            for b, f in zip(blocks, curvature.split_blocks(free, self.structure), strict=True)
        )

    def _columns(self, tangent: Tangent) -> Array:
        if self.structure.is_dense:
            return jacobian.columns(tangent)[0][None]
        return curvature.own_columns(tangent, self.structure)

    def step(self, inverses: Matrices, fixed: Objective, moved: Objective, answer: Params) -> Callable[[Array], Array]:
        """The function u -> -M^+ F(u) of one lane, F with the data of `moved`, M^+ as it stands at the answer of `fixed`."""
        at = partial(self.place, fixed, moved, answer)
        if self.by_rows:
            return lambda u: -self._own_rows(inverses[0], rows(moved, moved.residual(at(u)))[0])
        if not self.exact:
            slope: Callable[[Array], Array] = fixed.backend.grad(lambda u: moved.loss(at(u)))
            return lambda u: -self._apply(inverses, slope(u) / 2)
        tangent, transpose = Tangent(fixed, answer), fixed.pullback(answer)[1]

        def pulled(u: Array) -> Array:
            return tangent.to_coordinates(transpose(curvature.weighed(fixed, moved.residual(at(u)))))

        return lambda u: -self._apply(inverses, pulled(u))

    def _own_rows(self, inverse: Array, r: Array) -> Array:
        """M^+ r from blocks `(count, k, rows)`."""
        if self.structure.is_dense:
            return inverse[0] @ r
        assert self.structure.rows is not None
        order = [row for own in self.structure.rows for row in own]
        taken = gather(r, order, (*inverse.shape[:1], inverse.shape[-1]))
        return curvature.join_blocks([(inverse @ taken[..., None])[..., 0]], self.structure)

    def _apply(self, inverses: Matrices, g: Array) -> Array:
        return curvature.apply({str(k): inverse for k, inverse in enumerate(inverses)}, self.structure, g)

    @classmethod
    def of(cls, exact: bool, structure: Structure) -> Condition:
        """A condition, without a structure that saves nothing."""
        return cls(exact, Structure.dense(structure.size) if structure.is_dense else structure)

    def place(self, fixed: Objective, moved: Objective, answer: Params, u: Array) -> Params:
        """The point at coordinates u, its entries on faces where the bounds of `moved` are."""
        return point(fixed, {name: moved.domains[name].on_faces(x) for name, x in answer.items()}, u)


def _full_hessian(tangent: Tangent) -> Array:
    """J'J + sum_i r_i r_i'', scaled as the loss is: half of its Hessian, without products of zeros."""
    columns, vector, factor = jacobian.columns(tangent)
    return factor * (columns @ array_namespace(columns).matrix_transpose(columns) + jacobian.curvature(tangent, vector))


def point(objective: Objective, start: Params, u: Array) -> Params:
    """The point of the domains at coordinates u from a start; on closed domains along the faces, which u does not leave."""
    tangent = Tangent(objective, start)
    found = {}
    for name, own in tangent.split(u).items():
        x, domain = start[name], objective.domains[name]
        found[name] = x + domain.from_coordinates(x, own) if domain.closed else domain.move(x, own)
    return found
