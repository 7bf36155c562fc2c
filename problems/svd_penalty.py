"""The singular value decomposition as the posts find it: free factors, and penalties for orthogonality."""

from __future__ import annotations

from functools import cache
from typing import Any

from backends.types import array_namespace
from engine import Param, Problem, eye_like
from engine.solvers import GradientDescent


def _residual(U: Any, d: Any, V: Any, A: Any) -> dict[str, Any]:
    return {
        "product": (U * d**2) @ V.T - A,
        "U": U.T @ U - eye_like(U),
        "V": V @ V.T - eye_like(V),
    }


def _sorted(U: object, d: object, V: object) -> dict[str, Any]:
    """Columns by descending |d|, d >= 0: the same product."""
    xp = array_namespace(d)
    order = xp.argsort(xp.abs(d), descending=True)
    return {"U": xp.take(U, order, axis=1), "d": xp.take(xp.abs(d), order), "V": xp.take(V, order, axis=1)}


@cache
def svd_penalty() -> Problem:
    r"""A = U diag(d^2) V' with U'U = I and V V' = I as penalties of weight 1/100.

    Data `A`, `(..., m, n)`; params `U` `(m, n)`, `d` `(n,)` and `V` `(n, n)`, all free, from the uniform
    distribution. Loss mean((U diag(d^2) V' - A)^2) + mean((U'U - I)^2) / 100 + mean((V V' - I)^2) / 100. The
    singular values are d^2, descending. For m < n no exact solution exists: decompose A' instead.

    Source:
        "Matrix operations with pytorch - optimizer", part 3.

    Example:
        >>> import numpy as np, engine
        >>> A = np.array([[0.8, 0.3], [0.1, 0.5]])
        >>> gentle = engine.solvers.GradientDescent(0.2, momentum=0.9)
        >>> np.round(engine.solve(svd_penalty(), A, solver=gentle, tol=1e-8)["d"] ** 2, 6)
        array([0.907647, 0.407647])
    """
    uniform = {"start": "uniform"}
    return Problem(
        name="svd_penalty",
        data={"A": "m n"},
        params={"U": Param("m n", **uniform), "d": Param("n", **uniform), "V": Param("n n", **uniform)},  # type: ignore[arg-type]
        residual=_residual,
        weights={"product": 1.0, "U": 0.01, "V": 0.01},
        exact=True,
        finish=_sorted,
        solver=GradientDescent(0.9, momentum=0.9),
    )
