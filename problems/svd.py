"""The singular value decomposition, from its definition: orthonormal factors and what is between them."""

from __future__ import annotations

from functools import cache
from typing import Any

from array_api_compat import array_namespace

from engine import Param, Problem, smalllinalg
from engine.domains import Orthogonal

Array = Any
ROUNDS = 2


@cache
def svd() -> Problem:
    r"""A = U diag(S) V' with orthonormal columns U'U = I, V'V = I: the thin decomposition.

    Data `A`, `(..., m, n)`; params `U` `(m, k)`, `S` `(k,)` and `V` `(n, k)`, k = min(m, n); S descending, 0 or more,
    the largest entry of each column of V positive. Loss mean((U diag(S) V' - A)^2): the mean over m n entries. The
    start is two rounds of orthogonal iteration with A and A'.

    Source:
        Golub and Van Loan, Matrix Computations, section 2.4 (definition) and 8.6 (orthogonal iteration).

    Example:
        >>> import numpy as np, engine
        >>> U, S, V = engine.solve(svd(), np.array([[0.0, 2.0], [3.0, 0.0]]))
        >>> np.round(S, 12).tolist()
        [3.0, 2.0]
    """
    return Problem(
        name="svd",
        data={"A": "m n"},
        params={
            "U": Param("m k", Orthogonal(), start=lambda A: _start(A)[0]),
            "S": Param("k", start=lambda A: _start(A)[1]),
            "V": Param("n k", Orthogonal(), start=lambda A: _start(A)[2]),
        },
        sizes={"k": lambda m, n: min(m, n)},
        residual=lambda U, S, V, A: (U * S) @ V.T - A,
        exact=True,
        finish=_canonical,
    )


def _start(A: Array) -> tuple[Array, Array, Array]:
    """U, S, V by a few rounds of orthogonal iteration, scaled so that no square overflows."""
    if A.shape[0] < A.shape[1]:
        V, S, U = _start(A.T)
        return U, S, V
    xp = array_namespace(A)
    scale = xp.max(xp.abs(A))
    scale = xp.where(scale > 0, scale, xp.ones_like(scale))
    A = A / scale
    V, _ = smalllinalg.qr(A.T @ A)
    U, R = smalllinalg.qr(A @ V)
    for _ in range(ROUNDS - 1):
        V, _ = smalllinalg.qr(A.T @ U)
        U, R = smalllinalg.qr(A @ V)
    return U, xp.linalg.diagonal(R) * scale, V


def _canonical(U: Array, S: Array, V: Array) -> dict[str, Array]:
    """Descending, 0 or more; the largest entry of each column of V positive."""
    xp = array_namespace(S)
    one = xp.ones_like(S)
    turn = xp.where(xp.max(V, axis=0) + xp.min(V, axis=0) < 0, -one, one)
    U, V = U * (xp.where(S < 0, -one, one) * turn), V * turn
    order = smalllinalg.descending(xp.abs(S))
    return {"U": U @ order, "S": xp.abs(S) @ order, "V": V @ order}
