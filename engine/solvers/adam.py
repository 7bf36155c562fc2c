"""Adam, in torch.optim.Adam's arithmetic."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar

from backends.record import Record
from backends.tree import leaves, tree_map
from backends.types import Array, Scalar, array_namespace
from engine.errors import ArgumentError
from engine.objective import Objective, Params, zero, zeros_like
from engine.solvers.base import Solver, State, checked


@dataclass(frozen=True, eq=False)
class AdamState(Record):
    """The state of Adam: a, q by parameter, the number t of steps, and the loss of the params before the step."""

    params: Params
    first: Params
    second: Params
    count: Scalar
    loss: Scalar


@dataclass(frozen=True)
class Adam(Solver):
    r"""Adam: first and second moments of the gradient, with bias correction.

    g <- g + w x;  a <- a + (1 - b1)(g - a);  q <- b2 q + (1 - b2) g^2;
    x <- x - rate / (1 - b1^t) * a / (sqrt(q) / sqrt(1 - b2^t) + eps). Scalars have the dtype of the params; the
    bias corrections are taken as -expm1(t log b), which float32 needs at small t. On a domain g is the projected or
    Riemannian gradient.

    Args:
        learning_rate: the size of the first step, 0 or more.
        betas: decay of the two moments, each in [0, 1).
        eps: added to the root of the second moment, 0 or more.
        weight_decay: w, 0 or more.

    Raises:
        TypeError, ValueError: a setting that is no number or out of its range.

    Source:
        torch.optim.Adam; Kingma and Ba, Adam: a method for stochastic optimization, algorithm 1.

    Example:
        >>> Adam().betas
        (0.9, 0.999)
    """

    learning_rate: float = 1e-3
    betas: tuple[float, float] = (0.9, 0.999)
    eps: float = 1e-8
    weight_decay: float = 0.0

    # taken in double from the betas: in float32, 1 - 0.999 alone would be off by 5e-5
    complements: tuple[float, float] = field(init=False, repr=False, compare=False)
    logarithms: tuple[float, float] = field(init=False, repr=False, compare=False)

    CHECK_EVERY: ClassVar[int] = 16
    MAX_STEPS: ClassVar[int] = 10_000

    def __post_init__(self) -> None:
        for name in ("learning_rate", "eps", "weight_decay"):
            value = checked("Adam", name, getattr(self, name), 0.0, math.inf, closed=False)
            object.__setattr__(self, name, value)
        if not isinstance(self.betas, tuple | list) or len(self.betas) != 2:
            raise ArgumentError(f"Adam: betas came as {self.betas!r}; expected two numbers, such as (0.9, 0.999)")
        betas = tuple(checked("Adam", "betas", beta, 0.0, 1.0, closed=False) for beta in self.betas)
        object.__setattr__(self, "betas", betas)
        object.__setattr__(self, "complements", tuple(1 - beta for beta in betas))
        object.__setattr__(self, "logarithms", tuple(math.log(beta) if beta else -math.inf for beta in betas))

    def init(self, objective: Objective, params: Params) -> AdamState:
        """Zero moments, step count 0."""
        first, second = (tree_map(zeros_like, params) for _ in range(2))
        count = zero(leaves(params)[0])
        return AdamState(params, first, second, count, objective.loss(params))

    def step(self, objective: Objective, state: State) -> AdamState:
        """One step of algorithm 1."""
        before = AdamState.of(state)
        params = before.params
        loss, gradient = objective.value_and_gradient(params)
        gradient = tree_map(lambda g, x: g + self.weight_decay * x, gradient, params)
        gradient = objective.riemannian_gradient(
            params, gradient
        )  # else what points off the domain drowns the rest in the moments
        first = tree_map(lambda a, g: a + self.complements[0] * (g - a), before.first, gradient)
        second = tree_map(lambda q, g: self.betas[1] * q + self.complements[1] * g * g, before.second, gradient)
        count = before.count + 1
        xp = array_namespace(count)
        corrections = [-xp.expm1(count * log) for log in self.logarithms]
        rate, root = self.learning_rate / corrections[0], xp.sqrt(corrections[1])

        def move(a: Array, q: Array) -> Array:
            return -((rate * a) / (xp.sqrt(q) / root + self.eps))

        tangent = tree_map(move, first, second)
        moved = objective.retract(params, tangent)
        return AdamState(moved, first, second, count, loss)
