"""The size of the terms whose difference a residual is: what its rounding is relative to. Needs an Objective."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from backends.types import Array, array_namespace
from engine.objective import Objective
from engine.tangent import Tangent, rademacher, rows, scaled_down

PATTERNS = 2
"""Sign patterns over the data; the second one turns every other datum, so that two data do not cancel in both."""


def squared_terms(tangent: Tangent, transposed: Array) -> tuple[Array, Array]:
    """The squared terms of each entry of the residual, `(rows,)`, and those of the data alone: derivatives times what they are by.

    sum_j (J_ij p_j)^2 + sum_k (dr_i/dd_k d_k)^2 for the parameters p and the data d: a relative change of eps of
    everything that the residual is computed from changes it by eps times its root. The sum over a datum's entries is
    estimated by fixed sign patterns. No term counts as less than eps of the largest: an entry that vanishes with its own
    terms, far below the rounding of all others, is 0.

    Source:
        Higham, Accuracy and Stability of Numerical Algorithms, section 3.1 (running error analysis).
    """
    xp, typical_scale = array_namespace(transposed), tangent.typical_scale()
    own = (typical_scale * typical_scale) @ (transposed * transposed)
    data = 0 * own
    for blocks in by_data(tangent.objective, lambda given: tangent.objective.given(**given).residual(tangent.params)):
        product = rows(tangent.objective, scaled_down(tangent.objective, blocks))[0]
        data = data + xp.where(xp.isfinite(product), product * product / PATTERNS, xp.zeros_like(product))
    square = own + data
    if not square.shape[0]:
        return square, data
    eps = float(xp.finfo(square.dtype).eps)
    return square + eps * eps * xp.max(square), data


def by_data(objective: Objective, function: Callable[[dict[str, Any]], Any]) -> list[Any]:
    """A function's derivative by the data and the captured arrays along `PATTERNS` patterns of their signs; none without them.

    The function is given both as `Objective.given` takes them.
    """
    bounds = {name for param in objective.problem.params.values() for name in param.domain.names}
    data = {name: a for name, a in objective.data.items() if name not in bounds and _is_float(a)}
    captured = {str(k): a for k, a in enumerate(objective.captured[objective.role]) if _is_float(a)}
    given = {"data": data, "captured": captured}
    if not data and not captured:
        return []

    products = []
    for pattern in range(PATTERNS):
        turned = {
            kind: {name: a * rademacher(a, "datum") * (1 - 2 * (pattern * k % 2)) for k, (name, a) in enumerate(arrays.items())}
            for kind, arrays in given.items()
        }
        products.append(objective.backend.jvp(function, (given,), (turned,))[1])
    return products


def _is_float(array: Array) -> bool:
    return bool(array_namespace(array).isdtype(array.dtype, "real floating"))
