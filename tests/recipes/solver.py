"""Rprop: a solver in one file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from backends.tree import tree_map
from backends.types import Array, array_namespace
from engine.objective import Objective, Params, zeros_like
from engine.solvers.base import Solver, State, checked


@dataclass(frozen=True)
class Rprop(Solver):
    r"""Resilient backpropagation: each entry has a length of its own, and only the sign of its derivative counts.

    The length grows by `up` while the sign stays, shrinks by `down` where it changes: x <- x - length * sign(g).

    Args:
        length: the first length, above 0.
        up, down: factors, `down` below 1 and `up` above.

    Raises:
        TypeError, ValueError: a setting that is no number or out of its range.

    Source:
        Riedmiller and Braun, A direct adaptive method for faster backpropagation learning: the RPROP algorithm, ICNN 1993.

    Example:
        >>> Rprop()
        Rprop(length=0.01, up=1.2, down=0.5)
    """

    length: float = 0.01
    up: float = 1.2
    down: float = 0.5

    CHECK_EVERY: ClassVar[int] = 8

    def __post_init__(self) -> None:
        ranges = {"length": (1e-15, 1e15), "up": (1.0, math.inf), "down": (0.0, 1.0)}
        for name, (low, high) in ranges.items():
            object.__setattr__(self, name, checked("Rprop", name, getattr(self, name), low, high))

    def init(self, objective: Objective, params: Params) -> State:
        """The same length for all entries, no derivative before."""
        lengths = tree_map(lambda x: zeros_like(x) + self.length, params)
        return {"params": params, "lengths": lengths, "before": tree_map(zeros_like, params), "loss": objective.loss(params)}

    def step(self, objective: Objective, state: State) -> State:
        """One evaluation of the gradient."""
        params = state["params"]
        loss, gradient = objective.value_and_gradient(params)
        gradient = objective.riemannian_gradient(params, gradient)
        lengths = tree_map(self._adapted, state["lengths"], gradient, state["before"])
        change = tree_map(_downhill, lengths, gradient)
        return {"params": objective.retract(params, change), "lengths": lengths, "before": gradient, "loss": loss}

    def _adapted(self, length: Array, now: Array, before: Array) -> Array:
        xp = array_namespace(length)
        return xp.where(now * before > 0, length * self.up, xp.where(now * before < 0, length * self.down, length))


def _downhill(length: Array, g: Array) -> Array:
    xp = array_namespace(g)
    return xp.where(g > 0, -length, xp.where(g < 0, length, zeros_like(length)))
