"""The inverse of a square matrix, from nothing but a loss."""

from __future__ import annotations

from functools import cache
from typing import Any

from engine import Param, Problem, eye_like
from engine.errors import DeclarationError

RESIDUALS = {
    "left": lambda X, A: X @ A - eye_like(A),
    "right": lambda X, A: A @ X - eye_like(A),
    "both": lambda X, A: (X @ A + A @ X) / 2 - eye_like(A),
}


@cache
def inverse(side: str = "left") -> Problem:
    r"""X with X A = I (`"left"`), A X = I (`"right"`), or the average of both products (`"both"`).

    Data `A`, `(..., n, n)`; params `X`, `(n, n)`, from the uniform distribution. Loss mean((X A - I)^2): the
    mean over n^2 entries. A singular matrix has no zero of it and is never CONVERGED.

    Raises:
        ValueError: for another side.

    Source:
        "Matrix operations with pytorch - optimizer", part 2.

    Example:
        >>> import numpy as np, engine
        >>> A = np.array([[2.0, 1.0], [0.0, 1.0]])
        >>> np.round(engine.solve(inverse(), A)["X"] @ A, 6) + 0.0
        array([[1., 0.],
               [0., 1.]])
    """
    if side not in RESIDUALS:
        raise DeclarationError(f"inverse: side came as {side!r}; expected one of {sorted(RESIDUALS)}")
    residual: Any = RESIDUALS[side]
    return Problem(
        name="inverse" if side == "left" else f"inverse[{side}]",
        data={"A": "n n"},
        params={"X": Param("n n", start="uniform")},
        residual=residual,
        exact=True,
    )
