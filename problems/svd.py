"""The singular value decomposition, from its definition: orthonormal factors and what is between them."""

from __future__ import annotations

from functools import cache

from backends.types import Array, array_namespace
from engine import Param, Problem, smalllinalg
from engine.domains import Orthogonal


@cache
def svd() -> Problem:
    r"""A = U diag(S) V' with orthonormal columns U'U = I, V'V = I: the thin decomposition.

    Data `A`, `(..., m, n)`; params `U` `(m, k)`, `S` `(k,)` and `V` `(n, k)`, k = min(m, n); S descending, 0 or more,
    the largest entry of each column of V positive. Loss mean((U diag(S) V' - A)^2): the mean over m n entries. The
    start is a few sweeps of one-sided Jacobi rotations, their number fixed by n.

    Source:
        Golub and Van Loan, Matrix Computations, section 2.4 (definition) and 8.6.3 (one-sided Jacobi).

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
            "U": Param("m k", Orthogonal(), start=_start),
            "S": Param("k", start=_start),
            "V": Param("n k", Orthogonal(), start=_start),
        },
        sizes={"k": lambda m, n: min(m, n)},
        residual=lambda U, S, V, A: (U * S) @ V.T - A,
        exact=True,
        finish=_canonical,
    )


def _start(A: Array) -> dict[str, Array]:
    """Columns of A V made orthogonal by sweeps of rotations; U is brought into its domain by the engine."""
    if A.shape[0] < A.shape[1]:
        turned = _start(A.T)
        return {"U": turned["V"], "S": turned["S"], "V": turned["U"]}
    xp = array_namespace(A)
    B, scale = smalllinalg.scaled(A)
    AV, V = smalllinalg.rotated(B, smalllinalg.eye(A.shape[1], A))
    return {"U": AV, "S": xp.sqrt(xp.sum(AV * AV, axis=0)) * scale, "V": V}


def _canonical(U: Array, S: Array, V: Array) -> dict[str, Array]:
    """Descending, 0 or more; the largest entry of each column of V positive."""
    xp = array_namespace(S)
    one = xp.ones_like(S)
    turn = xp.where(xp.max(V, axis=0) + xp.min(V, axis=0) < 0, -one, one)
    U, V = U * (xp.where(S < 0, -one, one) * turn), V * turn
    order = smalllinalg.descending(xp.abs(S))
    return {"U": U @ order, "S": xp.abs(S) @ order, "V": V @ order}
