"""The numbers of a domain at one random point: shapes, and what `base` says of its methods. For domains of a user's own.

Source:
    Absil, Mahony and Sepulchre, Optimization Algorithms on Matrix Manifolds, section 4.1 (a retraction agrees with its tangent
    to first order); Boumal, An Introduction to Optimization on Smooth Manifolds, section 4.8 (how to check one).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from backends.base import Backend
from backends.types import Array, array_namespace
from engine.domains.base import Domain, Shape
from engine.errors import ExtensionError, LanewiseError
from engine.sparsity import components

CLOSE = 1e-5
"""The largest difference of numbers that shall be the same, as a share of them; a short step's difference has some ten digits."""

SHORT = 1e-6
"""A step whose second order is nothing beside its first."""


class Probe:
    """A domain at a point. Raises ExtensionError, naming the domain, the method, what came and what was expected.

    Args:
        who: the parameter and the domain, for messages.
        domain: bound to one lane's data.
        shape: of the parameter.
        draw: gives random numbers of a shape, by a name.
    """

    def __init__(self, who: str, domain: Domain, shape: Shape, draw: Callable[[Shape, str], Array]) -> None:
        self.who, self.domain, self.shape = who, domain, shape
        self.size = self._size()
        x, self.t, self.u = draw(shape, "point"), draw(shape, "change"), draw((self.size,), "coordinates")
        feasible = self._call("feasible", (x,), (), is_mask=True)
        self.x = self._call("project", (x,), shape)
        if feasible is None or bool(feasible):
            self._check_shapes()
            self._check_numbers()

    def _size(self) -> int:
        size: Any = self.domain.size(self.shape)
        if isinstance(size, bool) or not isinstance(size, int) or size < 0:
            raise ExtensionError(
                f"{self.who}: size gave {size!r} for the shape {self.shape}; expected a whole number of coordinates, 0 or more"
            )
        return size

    def _check_shapes(self) -> None:
        """Check the shape that every method returns."""
        x, t, u, along = self.x, self.t, self.u, (self.size,)
        self.pulled = self._call("to_coordinates", (x, t), along)
        self.lifted = self._call("from_coordinates", (x, u), self.shape)
        self.moved = self._call("move", (x, u), self.shape)
        self.retracted = self._call("retract", (x, t), self.shape)
        for name, given, shape in (("second_order_retraction", u, self.shape), ("riemannian_gradient", t, self.shape)):
            self._call(name, (x, given), shape)
        self._call("typical_scale", (x,), along)
        self._call("inactive_mask", (x, self.pulled), along, is_mask=True)

    def _check_numbers(self) -> None:
        """Check that the methods fit one another."""
        x, u, domain = self.x, self.u, self.domain
        xp = array_namespace(x)
        self._same(
            "from_coordinates",
            domain.from_coordinates(x, 2 * u),
            2 * self.lifted,
            "linear in u: from_coordinates(x, 2 u) = 2 from_coordinates(x, u)",
        )
        left, right = xp.sum(self.lifted * self.t), xp.sum(u * self.pulled)
        self._same(
            "to_coordinates",
            left,
            right,
            "the adjoint of from_coordinates: sum(from_coordinates(x, u) * g) = sum(u * to_coordinates(x, g))",
        )
        for name, point in (("project", x), ("move", self.moved), ("retract", self.retracted)):
            self._same(name, domain.project(point), point, f"a point of the domain: project({name}(...)) = {name}(...)")
        for name in ("second_order_retraction",) if domain.closed else ("second_order_retraction", "move"):
            step = (getattr(domain, name)(x, SHORT * u) - x) / SHORT
            self._same(
                name,
                step,
                self.lifted,
                f"a way whose direction is that of from_coordinates: ({name}(x, h u) - x) / h = from_coordinates(x, u) for small h",
            )

    def _call(self, name: str, given: tuple[Array, ...], shape: Shape, is_mask: bool = False) -> Any:
        """A method's result, of that shape; a mask may be left out."""
        try:
            found = getattr(self.domain, name)(*given)
        except LanewiseError:
            raise
        except Exception as error:
            raise ExtensionError(
                f"{self.who}: {name} raised {type(error).__name__}: {error}; expected an array of shape {shape} for one lane's "
                f"parameter of shape {self.shape}: write it for arrays of one lane"
            ) from error
        if is_mask and found is None:
            return None
        came = tuple(found.shape) if hasattr(found, "shape") else type(found).__name__
        if came != shape:
            raise ExtensionError(
                f"{self.who}: {name} returned {came} for a parameter of shape {self.shape} with {self.size} coordinates; "
                f"expected an array of shape {shape}: reshape it"
            )
        if not is_mask and found.dtype != given[0].dtype:
            raise ExtensionError(
                f"{self.who}: {name} returned dtype {found.dtype} for {given[0].dtype}; expected the same: convert its constants"
            )
        return found

    def _same(self, name: str, a: Array, b: Array, words: str) -> None:
        xp = array_namespace(a)
        if 0 in a.shape:
            return
        off, size = float(xp.max(xp.abs(a - b))), float(xp.max(xp.abs(a)) + xp.max(xp.abs(b)))
        if not off <= CLOSE * (1 + size):
            raise ExtensionError(f"{self.who}: {name} is off by {off:.2g} at a random point; expected {words}: correct it")


def check(
    problem: str, backend: Backend, domains: Mapping[str, Domain], shapes: Mapping[str, Shape], data: Mapping[str, Shape]
) -> None:
    """Probe domains for parameters and data of some shapes. Raises ExtensionError."""

    def draw(shape: Shape, name: str) -> Array:
        drawn: Array = backend.load(components.random_point(shape, 0, name), "float64")
        return drawn

    drawn = {name: draw(shape, name) for name, shape in data.items()}
    with backend.once():
        for name, domain in domains.items():
            who, shape = f"problem {problem!r}: param {name!r}: domain {type(domain).__name__}", shapes[name]
            bound: Any = domain.bind(drawn)
            if not isinstance(bound, Domain):
                raise ExtensionError(f"{who}: bind returned {bound!r}; expected a Domain: return the domain of this lane's data")
            if math.prod(shape):
                Probe(who, bound, shape, draw)
