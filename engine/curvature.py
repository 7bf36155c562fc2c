"""The local model of one lane's loss in tangent coordinates: value, gradient and the blocks of the curvature.

Needs `tangent` for coordinates, a `Structure` for which entries there are. loss(u) is about
loss + 2 g'u + u'Hu: for a residual problem g = J'r and H = J'J, scaled as the loss is; for another loss g and H are
half of the gradient and of the Hessian. The blocks are one array `(count, k, k)` for each block size.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from backends.record import Record
from backends.types import Array, Blocks, Scalar, Vector, array_namespace
from engine import jacobian, smalllinalg
from engine.domains.base import constant, gather
from engine.objective import Objective, Params
from engine.params import select
from engine.projection import project
from engine.sparsity.structure import Structure
from engine.tangent import Tangent, rows, scaled_down


@dataclass(frozen=True, eq=False)
class Model(Record):
    """The local model loss + 2 g'u + u'Hu at some params.

    Fields:
        loss: its value.
        gradient: g, `(size,)`.
        blocks: those of H, by their sizes.
        ill: whether the normal equations lose too many digits of a step.
        newton: the step by orthogonal factors where they do, `(size,)`.
        decrement: the reduction of the loss that the Newton step promises.
    """

    loss: Scalar
    gradient: Vector
    blocks: Blocks
    ill: Array | None = None
    newton: Vector | None = None
    decrement: Scalar | None = None


INFLATED = 1e-4
"""Ratio of diagonal to pivot, times eps, above which the normal equations lose too many digits of a step."""

FEW = 3
"""Products up to which one after the other makes the smaller graph."""


def structure_of(objective: Objective, tangent: Tangent) -> Structure:
    """The structure that was found, or one dense block."""
    known = objective.structure
    return known if known is not None and known.size == tangent.size else Structure.dense(tangent.size)


def least_squares(objective: Objective, params: Params, column_norms_sq: Array | None, ill: Array) -> Model:
    """loss, J'r and the blocks of J'J at some params; `column_norms_sq` are about the squares of its columns' lengths.

    Where lengths differ by many orders, the short columns' products drown in the rounding of the long ones' if all are
    taken as they are.

    Beside them stand, where the normal equations lose digits (`ill`), the Gauss-Newton step `newton` by orthogonal factors
    and its `decrement` |P r|^2; of a residual that need not vanish, always the decrement. `ill` as it comes is of an exact
    problem, of another it is found here.
    """
    tangent = Tangent(objective, params)
    structure = structure_of(objective, tangent)
    if structure.is_dense:
        return _from_columns(tangent, structure, ill)
    return _from_products(tangent, structure, column_norms_sq, ill)


def second_order(objective: Objective, params: Params, column_norms_sq: Array | None, ill: Array) -> Model:
    """The model of a loss, and what a Newton step on it removes; lengths of columns play no part."""
    tangent = Tangent(objective, params)
    structure = structure_of(objective, tangent)
    model = hessian(tangent, structure)
    return replace(model, decrement=_newton(model, structure, tangent)[1])


def hessian(tangent: Tangent, structure: Structure) -> Model:
    """loss, half of its gradient, and the blocks of half of its Hessian."""
    objective, origin = tangent.objective, tangent.zeros()

    def slope(u: Array) -> Array:
        found: Array = objective.backend.grad(lambda v: objective.loss(tangent.second_order_retraction(v)))(u)
        return found

    value = objective.loss(tangent.params)
    gradient = slope(origin)
    if structure.is_dense:
        columns = objective.backend.jacfwd(slope)(origin)
    else:
        columns = _mapped(objective, lambda d: objective.backend.jvp(slope, (origin,), (d,))[1], _colours(structure, origin))
    return Model(value, gradient / 2, _blocks(columns / 2, structure))


def gauss_newton(tangent: Tangent, structure: Structure) -> dict[str, Array]:
    """The blocks of J'J, scaled as the loss is but for the factor of a single block of the residual."""
    product = partial(_product, tangent, tangent.objective.pullback(tangent.params)[1])
    return _blocks(_mapped(tangent.objective, product, _colours(structure, tangent.zeros())), structure)


def own_columns(tangent: Tangent, structure: Structure) -> Array:
    """J' of each block on its own rows, `(count, k, rows)`, for a structure that has these."""
    stacked = _mapped(tangent.objective, partial(_change, tangent), _colours(structure, tangent.zeros()))
    return _own_rows(stacked, stacked[0], structure)[0]


def second_directional(objective: Objective, tangent: Tangent, u: Array) -> Array:
    """J' r'' for the second derivative r'' of the residual along u, scaled as the gradient of `least_squares` is."""
    one = array_namespace(u).ones_like(array_namespace(u).sum(u))
    backend, u = objective.backend, tangent.own(u)

    def slope(t: Array) -> Any:
        return backend.jvp(lambda s: objective.residual(tangent.second_order_retraction(s * u)), (t,), (one,))[1]

    second = scaled_down(objective, backend.jvp(slope, (0 * one,), (one,))[1])
    _, transpose = objective.pullback(
        tangent.second_order_retraction(0 * one * u)
    )  # in the same words: what both need is computed once
    return tangent.to_coordinates(transpose({name: r * objective.factor(name, r) for name, r in second.items()}))


def diagonal(blocks: dict[str, Array], structure: Structure) -> Array:
    """The diagonal of the curvature, `(size,)`."""
    return join_blocks([array_namespace(b).linalg.diagonal(b) for b in blocks.values()], structure)


def apply(blocks: dict[str, Array], structure: Structure, u: Array) -> Array:
    """H u."""
    parts = split_blocks(u, structure)
    return join_blocks([(b @ part[..., None])[..., 0] for b, part in zip(blocks.values(), parts, strict=True)], structure)


def solve(blocks: dict[str, Array], structure: Structure, shift: Array, b: Array, free: Array | None) -> tuple[Array, Array]:
    """x with (H + diag(shift)) x = b over the free coordinates, 0 elsewhere; and the largest ratio of diagonal to pivot."""
    xp = array_namespace(b)
    if free is not None:
        b = b * free
    parts, inflation = [], None
    frees = [None] * len(blocks) if free is None else split_blocks(free, structure)
    for block, add, right, open_ in zip(
        blocks.values(), split_blocks(shift, structure), split_blocks(b, structure), frees, strict=True
    ):
        k = block.shape[-1]
        eye = constant([float(i == j) for i in range(k) for j in range(k)], block, (k, k))
        if open_ is not None:
            block = block * open_[..., :, None] * open_[..., None, :] + eye * (1 - open_)[..., None]
        if k == 1:
            x = right / _upward(block[..., 0] + add)
        else:
            x, own = smalllinalg.solve_symmetric(block + eye * add[..., None], right)
            own = xp.max(own)
            inflation = own if inflation is None else xp.maximum(inflation, own)
        parts.append(x)
    return join_blocks(parts, structure), xp.sum(b[:0]) + 1 if inflation is None else inflation


def is_ill(inflation: Array) -> Array:
    """Whether normal equations of such a ratio of diagonal to pivot lose too many digits of a step."""
    return inflation > INFLATED / float(array_namespace(inflation).finfo(inflation.dtype).eps)


def _upward(pivot: Array) -> Array:
    """A pivot by its size, as `solve_symmetric` takes it, so that a step goes down; a zero as the smallest number."""
    xp = array_namespace(pivot)
    size, least = xp.abs(pivot), float(xp.finfo(pivot.dtype).smallest_normal)
    return xp.where(size > least, size, xp.ones_like(size) * least)


def _from_columns(tangent: Tangent, structure: Structure, ill: Array) -> Model:
    """By all columns of J, and where one is not finite, by difference quotients in its place."""
    transposed, vector, factor = jacobian.columns(tangent)
    xp = array_namespace(vector)

    def products(transposed: Array) -> tuple[Array, dict[str, Array]]:
        curvature, slope = transposed @ xp.matrix_transpose(transposed), transposed @ vector
        return factor * slope, _blocks(factor * curvature, structure)

    model = Model(factor * xp.sum(vector * vector), *products(transposed))
    if tangent.objective.singular:
        broken = ~xp.isfinite(xp.sum(model.blocks["0"]) + xp.sum(model.gradient))
        mended = jacobian.repaired(tangent, transposed, vector)
        gradient, blocks = select(broken, products(mended), (model.gradient, model.blocks))
        model = replace(model, gradient=gradient, blocks=blocks)
        transposed = xp.where(broken, mended, transposed)
    newton, decrement = None, None
    if not tangent.objective.problem.exact:
        newton, decrement, ill = _newton(model, structure, tangent)
    by_factors = _by_factors(tangent, transposed[None], vector[None], model.gradient, structure)
    return _where_ill(model, ill, by_factors, newton, decrement, factor)


def _newton(model: Model, structure: Structure, tangent: Tangent) -> tuple[Array, Array, Array]:
    """The Newton step by the normal equations without damping, what it removes, and whether they lose its digits."""
    gradient = model.gradient
    xp = array_namespace(gradient)
    step, inflation = solve(model.blocks, structure, 0 * gradient, -gradient, tangent.inactive_mask(gradient))
    return step, -xp.sum(gradient * step), is_ill(inflation)


def _by_factors(tangent: Tangent, columns: Array, vector: Array, gradient: Array, structure: Structure) -> tuple[Array, Array]:
    """The Gauss-Newton step by orthogonal factors of each block's columns, `(count, k, rows)`, and |P r|^2."""
    xp = array_namespace(columns)
    free = tangent.inactive_mask(gradient)
    if free is not None:
        columns = columns * split_blocks(free, structure)[0][..., None]
    lengths = xp.sqrt(xp.sum(columns * columns, axis=-1))
    lengths = xp.where(lengths > 0, lengths, xp.ones_like(lengths))
    part = project(columns / lengths[..., None], vector, xp.zeros_like(vector), xp.zeros_like(lengths))
    return join_blocks([-part.solution / lengths], structure), xp.sum(part.shares * part.shares)


def _where_ill(
    model: Model,
    ill: Array,
    by_factors: tuple[Array, Array],
    newton: Array | None,
    decrement: Array | None,
    factor: Array | float,
) -> Model:
    """The step by factors where the normal equations lose digits; else theirs, or none."""
    step, removed = by_factors
    xp = array_namespace(step)
    if newton is None or decrement is None:
        newton, decrement = xp.zeros_like(step), xp.zeros_like(removed)
    newton, decrement = xp.where(ill, step, newton), xp.where(ill, factor * removed, decrement)
    return replace(model, ill=ill, newton=newton, decrement=decrement)


def _from_products(tangent: Tangent, structure: Structure, column_norms_sq: Array | None, ill: Array) -> Model:
    """By a product with J and one with J' for each colour; columns of known lengths are taken with length 1."""
    objective, params = tangent.objective, tangent.params
    blocks, transpose = objective.pullback(params)
    blocks = scaled_down(objective, blocks)
    vector, factor = rows(objective, blocks)
    xp = array_namespace(vector)

    product = partial(_product, tangent, transpose)
    gradient = tangent.to_coordinates(transpose(weighed(objective, blocks)))
    colours = _colours(structure, vector)
    if column_norms_sq is None:
        columns = _mapped(objective, product, colours)
    else:
        lengths = _lengths(column_norms_sq)
        columns = _mapped(objective, product, colours / lengths) * gather(lengths, structure.members, tuple(colours.shape))
    model = Model(factor * xp.sum(vector * vector), factor * gradient, _blocks(factor * columns, structure))
    newton, decrement = None, None
    if not objective.problem.exact:
        newton, decrement, ill = _newton(model, structure, tangent)
    if structure.rows is None:
        return model if newton is None else replace(model, decrement=decrement)
    stacked = _mapped(objective, partial(_change, tangent), colours)
    by_factors = _by_factors(tangent, *_own_rows(stacked, vector, structure), model.gradient, structure)
    return _where_ill(model, ill, by_factors, newton, decrement, factor)


def _linearised(tangent: Tangent, direction: Array) -> dict[str, Array]:
    """J d by blocks of the residual, for a direction d in coordinates."""
    return tangent.objective.linearise(tangent.params, tangent.from_coordinates(direction))[1]


def _change(tangent: Tangent, direction: Array) -> Array:
    """J d, `(rows,)`."""
    return rows(tangent.objective, _linearised(tangent, direction))[0]


def _product(tangent: Tangent, transpose: Callable[[dict[str, Array]], Params], direction: Array) -> Array:
    """J'J d in coordinates, with each block of the residual times its share of the loss."""
    return tangent.to_coordinates(transpose(weighed(tangent.objective, _linearised(tangent, direction))))


def _own_rows(stacked: Array, vector: Array, structure: Structure) -> tuple[Array, Array]:
    """Each block's columns, `(count, k, rows)`, from the products with the colours `(k, rows of all)`, and its residual."""
    assert structure.rows is not None
    (group,) = structure.groups
    k, count, size = len(group[0]), len(group), len(structure.rows[0])
    wide = array_namespace(stacked).reshape(stacked, (-1,))
    total = vector.shape[0]
    places = [colour * total + row for own in structure.rows for colour in range(k) for row in own]
    return gather(wide, places, (count, k, size)), gather(vector, [r for own in structure.rows for r in own], (count, size))


def _lengths(column_norms_sq: Array) -> Array:
    """Lengths by their squares; none is below what rounding leaves of the longest."""
    xp = array_namespace(column_norms_sq)
    info = xp.finfo(column_norms_sq.dtype)
    column_norms_sq = xp.abs(column_norms_sq)
    least = float(info.eps) ** 2 * xp.max(column_norms_sq)
    least = xp.where(least > 0, least, xp.ones_like(least))
    return xp.sqrt(xp.where(column_norms_sq > least, column_norms_sq, least))


def weighed(objective: Objective, blocks: dict[str, Array]) -> dict[str, Array]:
    """Blocks times their share of the loss; a single one keeps it for the end."""
    return blocks if len(blocks) == 1 else {name: b * objective.factor(name, b) for name, b in blocks.items()}


def _mapped(objective: Objective, f: Callable[[Array], Array], directions: Array) -> Array:
    """f of each row."""
    if len(directions) > FEW:
        found: Array = objective.backend.vmap(f)(directions)
        return found
    return array_namespace(directions).stack([f(row) for row in directions])


def _colours(structure: Structure, like: Array) -> Array:
    """One row of ones and zeros for each colour."""
    rows = [[float(k in colour) for k in range(structure.size)] for colour in map(set, structure.colours)]
    return constant([x for row in rows for x in row], like, (len(rows), structure.size))


def _blocks(columns: Array, structure: Structure) -> dict[str, Array]:
    """The blocks by the products with the colours, or with all coordinates; each entry is read once."""
    if len(structure.blocks) == 1:
        return {"0": columns[None]}
    size, found = structure.size, {}
    flat = array_namespace(columns).reshape(columns, (-1,))
    whole = columns.shape[0] == size
    for key, group in enumerate(structure.groups):
        k = len(group[0])
        places = []
        for block in group:
            for i in range(k):
                for j in range(k):
                    low, high = min(i, j), max(i, j)
                    places.append((block[low] if whole else low) * size + block[high])
        found[str(key)] = gather(flat, places, (len(group), k, k))
    return found


def split_blocks(u: Array, structure: Structure) -> list[Array]:
    """A vector by groups of blocks, `(count, k)` each."""
    if len(structure.blocks) == 1:
        return [u[None]]
    return [gather(u, [i for block in group for i in block], (len(group), len(group[0]))) for group in structure.groups]


def join_blocks(parts: list[Array], structure: Structure) -> Array:
    """The vector of such parts."""
    if len(structure.blocks) == 1:
        return parts[0][0]
    xp = array_namespace(*parts)
    joined = [xp.reshape(part, (-1,)) for part in parts]
    order = [i for group in structure.groups for block in group for i in block]
    together = joined[0] if len(joined) == 1 else xp.concat(joined)
    if order == list(range(len(order))):
        return together
    places = {coordinate: place for place, coordinate in enumerate(order)}
    return gather(together, [places[i] for i in range(len(order))], (len(order),))
