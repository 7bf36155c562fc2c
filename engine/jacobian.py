"""The Jacobian of the residual in tangent coordinates, column by column, by forward derivatives alone.

Needs `tangent` for coordinates. Forward derivatives are finite where a guarded `where` makes reverse ones NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from array_api_compat import device

from backends import Backend
from backends.tree import tree_map
from backends.types import Array, array_namespace
from engine.tangent import Tangent, rows, scaled_down

FEW = 8
"""Coordinates up to which second derivatives are forward ones: they are half of the square of it."""


def columns(tangent: Tangent) -> tuple[Array, Array, Array]:
    """J' `(size, rows)`, the residual `(rows,)` and a factor: the loss is the factor times the residual's sum of squares.

    A scalar parameter's column costs no arithmetic with zeros: each parameter has products of its own.
    """
    objective, params = tangent.objective, tangent.params
    vector, factor = rows(objective, scaled_down(objective, objective.residual(params)))
    xp = array_namespace(vector)
    parts = []
    for name, x in params.items():
        width = objective.domains[name].size(tuple(x.shape))
        if not width:
            continue

        def column(u: Array, name: str = name, x: Array = x) -> Array:
            change = tangent.lifted(name, u)
            product = objective.backend.jvp(lambda y: objective.residual({**params, name: y}), (x,), (change,))[1]
            return rows(objective, product)[0]

        basis = xp.eye(width, dtype=x.dtype, device=device(x))
        parts.append(column(basis[0])[None] if width == 1 else objective.backend.vmap(column)(basis))
    return parts[0] if len(parts) == 1 else xp.concat(parts, axis=0), vector, factor


def displaced(tangent: Tangent, changes: Array) -> Array:
    """The residual's rows at a step along each of some changes: `(count, size)` -> `(count, rows)`."""
    found: Array = tangent.objective.backend.vmap(lambda u: _moved(tangent, tangent.move(u)))(changes)
    return found


def curvature(tangent: Tangent, vector: Array) -> Array:
    """sum_i v_i r_i'' for a fixed vector v `(rows,)`: the Hessian of the product v'r, `(size, size)`.

    Parameter by parameter, as in `columns`; of few coordinates by forward derivatives alone.
    """
    backend = tangent.objective.backend
    origin = {name: u for name, u in tangent.split(tangent.zeros()).items() if u.shape[0]}

    def product(own: dict[str, Array]) -> Array:
        r = _moved(tangent, {name: tangent.bent(name, u) for name, u in own.items()})
        return array_namespace(r).sum(vector * r)

    gradient = backend.grad(product)
    if not backend.closures:
        return _differences(tangent, gradient, origin)
    few = tangent.size <= FEW

    def slope(own: dict[str, Array], first: str) -> Any:
        """The product's derivatives; by forward ones, those by the parameters before the first are left out."""
        if not few:
            return gradient(own)
        later = list(own)[list(own).index(first) :]
        return {name: _each(backend, own[name], partial(_one, product, own, name)) for name in later}

    def changed(name: str, u: Array) -> Any:
        return slope({**origin, name: u}, name)

    parts = [_each(backend, u, partial(changed, name)) for name, u in origin.items()]
    if not few:
        return _stacked([[part[name] for name in origin] for part in parts])
    names = list(origin)
    xp = array_namespace(vector)
    return _stacked(
        [[parts[i][b] if j >= i else xp.matrix_transpose(parts[j][a]) for j, b in enumerate(names)] for i, a in enumerate(names)]
    )


def _differences(tangent: Tangent, gradient: Callable[[Any], Any], origin: dict[str, Array]) -> Array:
    """The derivatives of a gradient by central differences, to some ten digits: a backend without closures nests others slowly."""
    step = _step(tangent, 1 / 3)
    xp, found = array_namespace(step), []
    for row in xp.eye(tangent.size, dtype=step.dtype, device=device(step)):
        ahead, behind = (
            gradient({name: u for name, u in tangent.split(s * step * row).items() if name in origin}) for s in (1, -1)
        )
        found.append(xp.concat([ahead[name] - behind[name] for name in origin]) / (2 * xp.sum(step * row)))
    return xp.stack(found)


def _one(product: Callable[[dict[str, Array]], Array], own: dict[str, Array], name: str, u: Array) -> Array:
    return product({**own, name: u})


def _each(backend: Backend, u: Array, f: Callable[[Array], Any]) -> Any:
    """The derivatives of a function of one parameter's coordinates along each of them, one more axis in front."""

    def along(change: Array) -> Any:
        return backend.jvp(f, (u,), (change,))[1]

    basis = array_namespace(u).eye(u.shape[0], dtype=u.dtype, device=device(u))
    return tree_map(lambda a: a[None], along(basis[0])) if u.shape[0] == 1 else backend.vmap(along)(basis)


def _stacked(blocks: list[list[Array]]) -> Array:
    """A matrix from its blocks."""
    rows_ = [row[0] if len(row) == 1 else array_namespace(*row).concat(row, axis=1) for row in blocks]
    return rows_[0] if len(rows_) == 1 else array_namespace(*rows_).concat(rows_, axis=0)


def _moved(tangent: Tangent, changed: dict[str, Array]) -> Array:
    """The residual's rows with other values of some parameters."""
    objective = tangent.objective
    return rows(objective, scaled_down(objective, objective.residual({**tangent.params, **changed})))[0]


def _step(tangent: Tangent, power: float) -> Array:
    """The step of a difference quotient: a power of eps of each coordinate's magnitude."""
    typical_scale = tangent.typical_scale()
    xp = array_namespace(typical_scale)
    found: Array = float(xp.finfo(typical_scale.dtype).eps) ** power * xp.where(
        typical_scale > 0, typical_scale, xp.ones_like(typical_scale)
    )
    return found


def repaired(tangent: Tangent, transposed: Array, vector: Array) -> Array:
    """J' with forward difference quotients in place of what is not finite where the residual is.

    A power at 0, say: its value is finite and its derivative 0 times infinity. The step of a quotient is sqrt(eps) of
    the coordinate's magnitude, backwards at an upper bound.

    Source:
        Dennis and Schnabel, Numerical Methods for Unconstrained Optimization, section 5.4 (finite differences).
    """
    xp = array_namespace(transposed)
    broken = ~xp.isfinite(xp.sum(transposed))
    step = _step(tangent, 1 / 2)
    ones = xp.ones_like(step)
    if tangent.closed:
        step = step * xp.where(tangent.effective_step(tangent.move(step), step) == 0, -ones, ones)
    basis = xp.eye(tangent.size, dtype=step.dtype, device=device(step))
    quotients = (displaced(tangent, basis * step[:, None]) - vector) / step[:, None]
    return xp.where(broken, xp.where(xp.isfinite(transposed), transposed, quotients), transposed)
