"""The eigendecomposition of a symmetric matrix, from its definition."""

from __future__ import annotations

from functools import cache

from backends.types import Array, array_namespace
from engine import Param, Problem, smalllinalg
from engine.domains import Orthogonal


@cache
def eigh() -> Problem:
    r"""A = V diag(w) V' with V'V = I, for a symmetric A.

    Data `A`, `(..., n, n)`; params `w` `(n,)`, ascending, and `V` `(n, n)`, the largest entry of each column positive.
    Loss mean((V diag(w) V' - A)^2): the mean over n^2 entries. A matrix that is not symmetric has no zero of it and is
    never CONVERGED. The start is a few sweeps of Jacobi rotations, their number fixed by n.

    Source:
        Golub and Van Loan, Matrix Computations, section 8.1 (definition) and 8.5 (Jacobi).

    Example:
        >>> import numpy as np, engine
        >>> w, V = engine.solve(eigh(), np.array([[2.0, 1.0], [1.0, 2.0]]))
        >>> np.round(w, 12).tolist()
        [1.0, 3.0]
    """
    return Problem(
        name="eigh",
        data={"A": "n n"},
        params={
            "w": Param("n", start=_start),
            "V": Param("n n", Orthogonal(), start=_start),
        },
        residual=lambda w, V, A: (V * w) @ V.T - A,
        exact=True,
        finish=_canonical,
    )


def _start(A: Array) -> dict[str, Array]:
    """Columns of (A + c I) R made orthogonal by sweeps of rotations, c so large that no eigenvalue is below 0."""
    xp = array_namespace(A)
    B, scale = smalllinalg.scaled(A)
    shift = xp.max(xp.sum(xp.abs(B), axis=0))
    (V,) = smalllinalg.rotated(B + shift * smalllinalg.eye(A.shape[1], A))
    size = xp.sqrt(xp.sum(V * V, axis=0))
    V = V / xp.where(size > 0, size, xp.ones_like(size))
    return {"w": xp.sum(V * (B @ V), axis=0) * scale, "V": V}


def _canonical(w: Array, V: Array) -> dict[str, Array]:
    """Ascending; the largest entry of each column of V positive."""
    xp = array_namespace(w)
    one = xp.ones_like(w)
    V = V * xp.where(xp.max(V, axis=0) + xp.min(V, axis=0) < 0, -one, one)
    order = smalllinalg.descending(-w)
    return {"w": w @ order, "V": V @ order}
