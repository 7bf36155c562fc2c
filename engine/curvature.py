"""The local model of one lane's loss in tangent coordinates: value, gradient and the blocks of the curvature.

Needs `tangent` for coordinates, a `Structure` for which entries there are. loss(u) is about
loss + 2 g'u + u'Hu: for a residual problem g = J'r and H = J'J, scaled as the loss is; for another loss g and H are
half of the gradient and of the Hessian. The blocks are one array `(count, k, k)` for each block size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from array_api_compat import array_namespace, device

from engine import smalllinalg
from engine.domains.base import constant, gather
from engine.objective import Array, Objective, Params
from engine.structure import Structure
from engine.tangent import Tangent, in_units, rows

Model = dict[str, Any]
FEW = 3
"""Products up to which one after the other makes the smaller graph."""


def structure_of(objective: Objective, tangent: Tangent) -> Structure:
    """The structure that was found, or one dense block."""
    known = objective.structure
    return known if known is not None and known.size == tangent.size else Structure.dense(tangent.size)


def least_squares(objective: Objective, params: Params, squares: Array | None = None) -> Model:
    """loss, J'r and the blocks of J'J at some params; `squares` are about those of the lengths of J's columns.

    Where lengths differ by many orders, the short columns' products drown in the rounding of the long ones' if all are
    taken as they are.
    """
    tangent = Tangent(objective, params)
    structure = structure_of(objective, tangent)
    return _from_columns(tangent, structure) if structure.is_dense else _from_products(tangent, structure, squares)


def second_order(objective: Objective, params: Params, squares: Array | None = None) -> Model:
    """loss, half of its gradient and the blocks of half of its Hessian; lengths make no difference."""
    tangent = Tangent(objective, params)
    structure = structure_of(objective, tangent)
    origin = tangent.zeros()

    def slope(u: Array) -> Array:
        return objective.backend.grad(lambda v: objective.loss(tangent.curve(v)))(u)

    value = objective.loss(params)
    gradient = slope(origin)
    if structure.is_dense:
        columns = objective.backend.jacfwd(slope)(origin)
    else:
        columns = _mapped(objective, lambda d: objective.backend.jvp(slope, (origin,), (d,))[1], _colours(structure, origin))
    return {"loss": value, "gradient": gradient / 2, "blocks": _blocks(columns / 2, structure)}


def curving(objective: Objective, tangent: Tangent, u: Array) -> Array:
    """J' r'' for the second derivative r'' of the residual along u, scaled as the gradient of `least_squares` is."""
    one = array_namespace(u).ones_like(array_namespace(u).sum(u))
    backend, u = objective.backend, tangent.own(u)

    def slope(t: Array) -> Any:
        return backend.jvp(lambda s: objective.residual(tangent.curve(s * u)), (t,), (one,))[1]

    second = in_units(objective, backend.jvp(slope, (0 * one,), (one,))[1])
    _, transpose = objective.pullback(tangent.curve(0 * one * u))  # in the same words: what both need is computed once
    return tangent.pull(transpose({name: r * objective.factor(name, r) for name, r in second.items()}))


def diagonal(blocks: dict[str, Array], structure: Structure) -> Array:
    """The diagonal of the curvature, `(size,)`."""
    return _flat([array_namespace(b).linalg.diagonal(b) for b in blocks.values()], structure)


def apply(blocks: dict[str, Array], structure: Structure, u: Array) -> Array:
    """H u."""
    parts = _parts(u, structure)
    return _flat([(b @ part[..., None])[..., 0] for b, part in zip(blocks.values(), parts, strict=True)], structure)


def solve(blocks: dict[str, Array], structure: Structure, shift: Array, b: Array, free: Array | None) -> tuple[Array, Array]:
    """x with (H + diag(shift)) x = b over the free coordinates, 0 elsewhere; and where no pivot was positive."""
    xp = array_namespace(b)
    if free is not None:
        b = b * free
    found, broken = [], None
    frees = [None] * len(blocks) if free is None else _parts(free, structure)
    for block, add, right, open_ in zip(blocks.values(), _parts(shift, structure), _parts(b, structure), frees, strict=True):
        k = block.shape[-1]
        eye = constant([float(i == j) for i in range(k) for j in range(k)], block, (k, k))
        if open_ is not None:
            block = block * open_[..., :, None] * open_[..., None, :] + eye * (1 - open_)[..., None]
        if k == 1:
            pivot = block[..., 0] + add
            x, bad = right / _upward(pivot), xp.any(~(pivot > 0))
        else:
            x, bads = smalllinalg.solve_symmetric(block + eye * add[..., None], right)
            bad = xp.any(bads)
        found.append(x)
        broken = bad if broken is None else broken | bad
    return _flat(found, structure), broken


def _upward(pivot: Array) -> Array:
    """A pivot by its size, as `solve_symmetric` takes it, so that a step goes down; a zero as the smallest number."""
    xp = array_namespace(pivot)
    size, least = xp.abs(pivot), float(xp.finfo(pivot.dtype).smallest_normal)
    return xp.where(size > least, size, xp.ones_like(size) * least)


def _from_columns(tangent: Tangent, structure: Structure) -> Model:
    """By all columns of J, one parameter at a time: a scalar's column costs no arithmetic with zeros."""
    objective, params = tangent.objective, tangent.params
    vector, factor = rows(objective, in_units(objective, objective.residual(params)))
    columns = []
    for name, x in params.items():
        domain = objective.domains[name]
        width = domain.size(tuple(x.shape))
        if not width:
            continue

        def column(u: Array, name: str = name, x: Array = x) -> Array:
            change = tangent.lifted(name, u)
            product = objective.backend.jvp(lambda y: objective.residual({**params, name: y}), (x,), (change,))[1]
            return rows(objective, product)[0]

        basis = _eye(width, x)
        found = column(basis[0])[None] if width == 1 else objective.backend.vmap(column)(basis)
        columns.append(found)
    xp = array_namespace(vector)
    transposed = columns[0] if len(columns) == 1 else xp.concat(columns, axis=0)
    curvature = transposed @ xp.matrix_transpose(transposed)
    return {
        "loss": factor * xp.sum(vector * vector),
        "gradient": factor * (transposed @ vector),
        "blocks": _blocks(factor * curvature, structure),
    }


def _from_products(tangent: Tangent, structure: Structure, squares: Array | None) -> Model:
    """By a product with J and one with J' for each colour; columns of known lengths are taken with length 1."""
    objective, params = tangent.objective, tangent.params
    blocks, transpose = objective.pullback(params)
    blocks = in_units(objective, blocks)
    vector, factor = rows(objective, blocks)
    xp = array_namespace(vector)

    def product(direction: Array) -> Array:
        forward = objective.linearise(params, tangent.lift(direction))[1]
        return tangent.pull(transpose(_weighed(objective, forward)))

    gradient = tangent.pull(transpose(_weighed(objective, blocks)))
    colours = _colours(structure, vector)
    if squares is None:
        columns = _mapped(objective, product, colours)
    else:
        lengths = _lengths(squares)
        columns = _mapped(objective, product, colours / lengths) * gather(lengths, structure.members, tuple(colours.shape))
    return {
        "loss": factor * xp.sum(vector * vector),
        "gradient": factor * gradient,
        "blocks": _blocks(factor * columns, structure),
    }


def _lengths(squares: Array) -> Array:
    """Lengths by their squares; none is below what rounding leaves of the longest."""
    xp = array_namespace(squares)
    info = xp.finfo(squares.dtype)
    squares = xp.abs(squares)
    least = float(info.eps) ** 2 * xp.max(squares)
    least = xp.where(least > 0, least, xp.ones_like(least))
    return xp.sqrt(xp.where(squares > least, squares, least))


def _weighed(objective: Objective, blocks: dict[str, Array]) -> dict[str, Array]:
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


def _parts(u: Array, structure: Structure) -> list[Array]:
    """A vector by groups of blocks, `(count, k)` each."""
    if len(structure.blocks) == 1:
        return [u[None]]
    return [gather(u, [i for block in group for i in block], (len(group), len(group[0]))) for group in structure.groups]


def _flat(parts: list[Array], structure: Structure) -> Array:
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


def _eye(width: int, like: Array) -> Array:
    return array_namespace(like).eye(width, dtype=like.dtype, device=device(like))
