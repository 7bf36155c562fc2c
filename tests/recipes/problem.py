"""The square root of a matrix: a problem in one file."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine import Param, Problem


def _residual(X: Any, A: Any) -> Any:
    return X @ X - A


@cache
def square_root() -> Problem:
    """X with X X = A, from the identity.

    Data `A`, `(..., n, n)`; params `X`, `(n, n)`. Loss mean((X X - A)^2).

    Source:
        Higham, Functions of Matrices, chapter 6.

    Example:
        >>> import numpy as np, engine
        >>> np.round(engine.solve(square_root(), np.diag([4.0, 9.0]), backend="numpy")["X"], 6) + 0.0
        array([[2., 0.],
               [0., 3.]])
    """
    return Problem(
        name="square_root", data={"A": "n n"}, params={"X": Param("n n", start="eye")}, residual=_residual, exact=True
    )  # fmt: skip
