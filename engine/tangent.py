"""Tangent coordinates of all params of one lane: one flat vector, cut into the domains' own.

Needs an Objective for its domains and declared functions. Columns of zero width and scalars cost nothing.
"""

from __future__ import annotations

from typing import Any

from array_api_compat import device

from backends.arrays import signs
from backends.types import Array, array_namespace
from engine.objective import Objective, Params, at_zero, zero
from engine.pow2 import largest, pow2_scale, scale_down


class Tangent:
    """The tangent space at some params: `u` is `(size,)`, ambient changes are params-shaped."""

    def __init__(self, objective: Objective, params: Params) -> None:
        self.objective, self.params, self.domains = objective, params, objective.domains
        self.slices: dict[str, slice] = {}
        start = 0
        for name, x in params.items():
            stop = start + self.domains[name].size(tuple(x.shape))
            self.slices[name] = slice(start, stop)
            start = stop
        self.size = start
        self.pow2_scales = objective.pow2_scales
        self.closed = any(domain.closed for domain in self.domains.values())

    def from_coordinates(self, u: Array) -> Params:
        """The ambient change along u over the residual's unit: J times it is in that unit."""
        return {name: self.lifted(name, u[own]) for name, own in self.slices.items()}

    def lifted(self, name: str, u: Array) -> Array:
        """The same of one parameter, by its own coordinates."""
        return self.domains[name].from_coordinates(
            self.params[name], u if self.pow2_scales is None else scale_down(u, self.pow2_scales[name])
        )

    def step(self, name: str, u: Array) -> Array:
        """Coordinates of a parameter in its own unit: J times them is of the residual's."""
        return u if self.pow2_scales is None else scale_down(u, self.pow2_scales[name]) * self.pow2_scales["."]

    def own(self, u: Array) -> Array:
        """The coordinates u in the params' own units."""
        return u if self.pow2_scales is None else self.joined({name: self.step(name, u[s]) for name, s in self.slices.items()})

    def _unstep(self, name: str, v: Array) -> Array:
        return v if self.pow2_scales is None else scale_down(v, self.pow2_scales["."]) * self.pow2_scales[name]

    def to_coordinates(self, gradient: Params) -> Array:
        """The gradient in coordinates of an ambient one."""
        parts = {name: self.domains[name].to_coordinates(x, gradient[name]) for name, x in self.params.items()}
        return self.joined(
            parts if self.pow2_scales is None else {name: scale_down(g, self.pow2_scales[name]) for name, g in parts.items()}
        )

    def second_order_retraction(self, u: Array) -> Params:
        """Params along u, in their own units, to second order, as a polynomial in u."""
        return {name: self.domains[name].second_order_retraction(x, u[self.slices[name]]) for name, x in self.params.items()}

    def bent(self, name: str, u: Array) -> Array:
        """The same of one parameter, by its own coordinates over the units."""
        return self.domains[name].second_order_retraction(self.params[name], self.step(name, u))

    def move(self, u: Array) -> Params:
        """The params at the end of a step along u."""
        return {name: self.domains[name].move(x, self.step(name, u[self.slices[name]])) for name, x in self.params.items()}

    def typical_scale(self) -> Array:
        """A change of order one, coordinate by coordinate."""
        return self.joined({name: self._unstep(name, self.domains[name].typical_scale(x)) for name, x in self.params.items()})

    def inactive_mask(self, gradient: Array) -> Array | None:
        """1 where a step against the gradient may go, 0 where a face is in its way; None without closed domains."""
        if not self.closed:
            return None
        parts = {}
        for name, x in self.params.items():
            part = gradient[self.slices[name]]
            free = self.domains[name].inactive_mask(x, part)
            xp = array_namespace(part)
            parts[name] = xp.ones_like(part) if free is None else xp.astype(free, part.dtype)
        return self.joined(parts)

    def opened(self, gradient: Array) -> Array:
        """The gradient where a step against it may go, 0 elsewhere."""
        free = self.inactive_mask(gradient)
        return gradient if free is None else gradient * free

    def effective_step(self, moved: Params, u: Array) -> Array:
        """The coordinates of a step as it was taken: u, but for what closed domains have cut off."""
        if not self.closed:
            return u
        parts = {}
        for name, x in self.params.items():
            cut = self.domains[name].closed
            whole = array_namespace(x).reshape(moved[name] - x, (-1,)) if cut else None
            parts[name] = u[self.slices[name]] if whole is None else self._unstep(name, whole)
        return self.joined(parts)

    def column_scales(self) -> Array:
        """The unit of J's columns, coordinate by coordinate: a column times it is in the params' own units."""
        like = self.zeros() + 1
        if self.pow2_scales is None:
            return like
        return self.joined({name: like[own] * self.pow2_scales[name] for name, own in self.slices.items()})

    def split(self, u: Array) -> dict[str, Array]:
        """The coordinates of each parameter."""
        return {name: u[own] for name, own in self.slices.items()}

    def zeros(self) -> Array:
        """The origin of the tangent space."""
        like = next(iter(self.params.values()))
        return array_namespace(like).zeros((self.size,), dtype=like.dtype, device=device(like))

    def joined(self, parts: dict[str, Any]) -> Array:
        """The vector of the params' parts."""
        arrays = [part for part in parts.values() if part.shape[0]]
        if not arrays:
            found: Array = next(iter(parts.values()))
            return found
        return arrays[0] if len(arrays) == 1 else array_namespace(*arrays).concat(arrays)


def rows(objective: Objective, blocks: dict[str, Array]) -> tuple[Array, Any]:
    """The residual's entries as one vector, and a factor: the loss is the factor times their sum of squares."""
    if len(blocks) == 1:
        ((name, block),) = blocks.items()
        return array_namespace(block).reshape(block, (-1,)), objective.factor(name, block)
    parts = [array_namespace(b).reshape(b, (-1,)) for b in objective.scaled(blocks).values()]
    return array_namespace(*parts).concat(parts), 1.0


def pow2_scales_at(objective: Objective, params: Params) -> dict[str, Array]:
    """The units of the residual, by its size here and at zero params, and of J by parameter, by one product with J'.

    A residual that is far larger here has to come down to rounding of that at zero params: its unit lies between them.
    """
    residual, transpose = objective.pullback(params)
    here, origin = largest([*residual.values()]), largest([*at_zero(objective, params).values()])
    xp = array_namespace(here)
    found = {".": pow2_scale(xp.where((here > origin) & (origin > 0), xp.sqrt(here) * xp.sqrt(origin), xp.maximum(here, origin)))}
    gradient = transpose({name: rademacher(r, f"unit.{name}") for name, r in residual.items()})
    for name, x in params.items():
        column = objective.domains[name].to_coordinates(x, gradient[name])
        found[name] = pow2_scale(largest([column])) if column.shape[0] else zero(x) + 1
    return found


def scaled_down(objective: Objective, blocks: dict[str, Array]) -> dict[str, Array]:
    """A residual over its unit."""
    return (
        blocks
        if objective.pow2_scales is None
        else {name: scale_down(block, objective.pow2_scales["."]) for name, block in blocks.items()}
    )


def rademacher(like: Array, name: str) -> Array:
    """A fixed pattern of +1 and -1."""
    xp = array_namespace(like)
    pattern = xp.asarray(signs(tuple(like.shape), name).tolist(), dtype=like.dtype, device=device(like))
    return xp.reshape(pattern, tuple(like.shape))  # a list of none has one axis
