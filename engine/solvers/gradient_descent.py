"""Gradient descent with momentum, in torch.optim.SGD's arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from backends.record import Record
from backends.tree import tree_map
from backends.types import Scalar
from engine.errors import ArgumentError
from engine.objective import Objective, Params, zeros_like
from engine.solvers.base import Solver, State, checked


@dataclass(frozen=True, eq=False)
class DescentState(Record):
    """The state of gradient descent; `velocity` is v, by parameter, `loss` that of the params before the step."""

    params: Params
    velocity: Params
    loss: Scalar


@dataclass(frozen=True)
class GradientDescent(Solver):
    r"""Gradient descent with momentum: v <- m v + g, x <- x - rate v.

    With `nesterov`, x <- x - rate (g + m v). On a domain g is the projected or Riemannian gradient. The first velocity is the first gradient. Scalars have the
    dtype of the params.

    Args:
        learning_rate: the step per unit of gradient, 0 or more.
        momentum: m, 0 or more.
        nesterov: look ahead; needs a momentum.

    Raises:
        TypeError, ValueError: a setting that is no number, negative, not finite; nesterov without momentum.

    Source:
        torch.optim.SGD; Sutskever et al., On the importance of initialization and momentum in deep learning,
        section 2.

    Example:
        >>> GradientDescent(0.9, momentum=0.9)
        GradientDescent(learning_rate=0.9, momentum=0.9, nesterov=False)
    """

    learning_rate: float
    momentum: float = 0.0
    nesterov: bool = False

    CHECK_EVERY: ClassVar[int] = 16
    MAX_STEPS: ClassVar[int] = 10_000

    def __post_init__(self) -> None:
        for name in ("learning_rate", "momentum"):
            value = checked("GradientDescent", name, getattr(self, name), 0.0, math.inf, closed=False)
            object.__setattr__(self, name, value)
        if not isinstance(self.nesterov, bool):
            raise ArgumentError(f"GradientDescent: nesterov came as {self.nesterov!r}; expected True or False")
        if self.nesterov and not self.momentum:
            raise ArgumentError("GradientDescent: nesterov=True came with momentum 0; expected a momentum: give momentum=0.9")

    def init(self, objective: Objective, params: Params) -> DescentState:
        """Zero velocity; the loss is not known yet."""
        velocity = tree_map(zeros_like, params)
        return DescentState(params, velocity, objective.loss(params))

    def step(self, objective: Objective, state: State) -> DescentState:
        """One step of v <- m v + g, x <- x - rate v."""
        before = DescentState.of(state)
        params = before.params
        loss, gradient = objective.value_and_gradient(params)
        gradient = objective.riemannian_gradient(params, gradient)
        velocity = tree_map(lambda v, g: self.momentum * v + g, before.velocity, gradient)
        direction = velocity
        if self.nesterov:
            direction = tree_map(lambda g, v: g + self.momentum * v, gradient, velocity)
        tangent = tree_map(lambda d: -(self.learning_rate * d), direction)
        return DescentState(objective.retract(params, tangent), velocity, loss)
