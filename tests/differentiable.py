"""Problems whose solutions are differentiated, small ones, each with data of two lanes. Needs `engine` and torch.

`CLOSED` have their answer as a function of torch, which is the oracle; `PLAIN` have central differences. A direction of symmetric
data is symmetric. A row is solved by the torch backend, so that nothing is compiled.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

import engine
import problems
from engine import Param, Problem
from engine.domains import Box, LowerTriangular, Orthogonal, PositiveDefinite, Simplex, UnitNorm

DTYPE = torch.float64


@dataclass(frozen=True, eq=False)
class Row:
    """A problem with data of two lanes.

    Fields:
        answer: the solution's figure that is differentiated, from all lanes' params.
        oracle: the same as a function of the data; None: there is no closed form.
        symmetric: whether the data's changes are symmetric matrices.
    """

    problem: Problem
    data: dict[str, Tensor]
    answer: Callable[[engine.Solution], Tensor]
    oracle: Callable[..., Tensor] | None = None
    symmetric: bool = False
    shared: tuple[str, ...] = ()

    @property
    def moving(self) -> dict[str, Tensor]:
        """The data that is differentiated."""
        return {name: a for name, a in self.data.items() if name not in self.shared}

    def solve(self, *moving: Tensor, **options: Any) -> engine.Solution:
        """The solution with other arrays for the data that moves."""
        data = {**self.data, **dict(zip(self.moving, moving, strict=True))}
        return engine.solve(self.problem, data, **{"backend": "torch", **options})

    def value(self, *moving: Tensor, **options: Any) -> Tensor:
        """The figure with other arrays for the data that moves."""
        return self.answer(self.solve(*moving, **options))


def draw(*shape: int, seed: int = 0) -> Tensor:
    """Normal numbers."""
    found: Tensor = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DTYPE)
    return found


def definite(n: int, seed: int = 0) -> Tensor:
    """Symmetric positive definite matrices of two lanes."""
    a = draw(2, n, n, seed=seed)
    found: Tensor = a @ a.mT + torch.eye(n, dtype=DTYPE)
    return found


def power(a: Tensor, exponent: float) -> Tensor:
    """A power of symmetric positive definite matrices."""
    w, v = torch.linalg.eigh(a)
    found: Tensor = (v * w[..., None, :] ** exponent) @ v.mT
    return found


def polar(a: Tensor) -> Tensor:
    """The orthogonal polar factor, by a power of A'A, which has no trouble with equal singular values."""
    found: Tensor = a @ power(a.mT @ a, -0.5)
    return found


POINTS = torch.linspace(0.0, 3.0, 10, dtype=DTYPE)
NOISY = torch.exp(POINTS * -1.3) * 2 + 0.5 + draw(2, 10, seed=1) * 0.2
DECAY: Any = lambda x, a, b, c: a * np.exp(-b * x) + c


def _logistic(w: Any, X: Any, y: Any) -> Any:
    z = X @ w
    return np.sum(np.logaddexp(0.0, z) - y * z) + 0.05 * np.sum(w * w)


def _all(solution: engine.Solution) -> Tensor:
    """All params, one lane a row."""
    return torch.cat([x.flatten(1) if x.ndim > 1 else x[:, None] for x in solution.params.values()], 1)


def named(name: str) -> Callable[[engine.Solution], Tensor]:
    """One parameter."""
    return lambda solution: solution[name]


def _declared(name: str, data: dict[str, str], params: dict[str, Param], residual: Any, exact: bool = False) -> Problem:
    return Problem(name=name, data=data, params=params, residual=residual, exact=exact)


@functools.cache
def closed() -> dict[str, Row]:
    """Rows with an oracle."""
    root: Any = lambda domain: _declared("root", {"A": "n n"}, {"X": Param("n n", domain, "eye")}, lambda X, A: X @ X.T - A, True)
    square = _declared("sqrtm", {"A": "n n"}, {"X": Param("n n", start="eye")}, lambda X, A: X @ X - A, True)
    rotation = {"Q": Param("n n", Orthogonal(), "eye")}
    return {
        "inverse": Row(problems.inverse(), {"A": draw(2, 3, 3) + torch.eye(3) * 3}, named("X"), torch.linalg.inv),
        "sqrtm": Row(square, {"A": definite(2)}, named("X"), lambda a: power(a, 0.5), True),
        "definite root": Row(root(PositiveDefinite()), {"A": definite(2)}, named("X"), lambda a: power(a, 0.5), True),
        "cholesky": Row(root(LowerTriangular()), {"A": definite(2)}, named("X"), torch.linalg.cholesky, True),
        "eigenvalues": Row(problems.eigh(), {"A": definite(3)}, named("w"), torch.linalg.eigvalsh, True),
        "singular values": Row(problems.svd(), {"A": draw(2, 3, 2)}, named("S"), torch.linalg.svdvals),
        "procrustes": Row(
            _declared("procrustes", {"A": "n m", "B": "n m"}, rotation, lambda Q, A, B: Q @ A - B),
            {"A": draw(2, 3, 4), "B": draw(2, 3, 4) + draw(2, 3, 4)},
            named("Q"),
            lambda a, b: polar(b @ a.mT),
        ),
        "least squares": Row(
            _declared("lstsq", {"A": "m n", "b": "m"}, {"x": Param("n", start="zeros")}, lambda x, A, b: A @ x - b),
            {"A": draw(2, 4, 2), "b": draw(2, 4)},
            named("x"),
            lambda a, b: (torch.linalg.pinv(a) @ b[..., None])[..., 0],
        ),
    }


@functools.cache
def plain() -> dict[str, Row]:
    """Rows without an oracle."""
    curve = {"x": POINTS, "y": NOISY}
    by_datum = {"a": Param("", start=1.0), "b": Param("", start=1.0), "c": Param("", Box("lo", 10.0), 1.0)}
    model = lambda a, b, c, x, y: DECAY(x, a, b, c) - y
    lo = torch.tensor([0.1, 0.9], dtype=DTYPE)
    return {
        "noisy fit": Row(problems.curve_fit(DECAY), curve, _all, shared=("x",)),
        "bounded fit": Row(problems.curve_fit(DECAY, bounds=([0, 0, 0.7], 10.0)), curve, _all, shared=("x",)),
        "bounds by data": Row(
            _declared("by data", {"x": "n", "y": "n", "lo": ""}, by_datum, model), {**curve, "lo": lo}, _all, shared=("x",)
        ),
        "logistic": Row(
            Problem("logistic", {"X": "m k", "y": "m"}, {"w": Param("k", start="zeros")}, loss=_logistic),
            {"X": draw(2, 8, 2), "y": (draw(2, 8) > 0).to(DTYPE)},
            _all,
        ),
        "simplex": Row(
            _declared("mixture", {"B": "m k", "t": "m"}, {"w": Param("k", Simplex(), "uniform")}, lambda w, B, t: B @ w - t),
            {"B": draw(2, 4, 3), "t": draw(2, 4)},
            _all,
        ),
        "unit vector": Row(
            Problem("principal", {"A": "n n"}, {"v": Param("n", UnitNorm())}, loss=lambda v, A: -v @ A @ v),
            {"A": definite(3)},
            _all,
            symmetric=True,
        ),
    }
