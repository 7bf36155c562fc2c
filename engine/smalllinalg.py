"""Small dense linear algebra in plain array operations: traceable, for one lane, any leading axes of blocks.

Needs the array-API namespace alone. Every function is unrolled over the size, a column at a time, with the rest of
the matrix as one array; nothing raises and nothing branches on a value. A pivot that is not positive is replaced by a
small one and reported, so that a faulty lane stays finite where it can, and stays alone. Results have the dtype and the
device of the arguments, which are float arrays of one dtype.
"""

from __future__ import annotations

import math
from typing import Any

from array_api_compat import device

from backends import fori_loop
from backends.types import Array, array_namespace

SWEEPS = (3.5, 1.25)
"""Sweeps of rotations: the first, and the second times log2 n, rounded up."""


def solve_symmetric(a: Array, b: Array) -> tuple[Array, Array]:
    """x with A x = b by LDL' without pivoting, and the largest A_jj / d_j: `(..., n)`, `(...)`.

    Where A = J'J, that is the largest inflation of a variance by the columns before it: the digits that A x = b loses. It
    is 1 / eps where a pivot was not positive beyond rounding.

    Args:
        a: symmetric, `(..., n, n)`. Each pivot d becomes max(|d|, eps A_jj), so that A + E is positive definite.
        b: `(..., n)`.

    Source:
        Golub and Van Loan, Matrix Computations, section 4.1 (LDL').

    Example:
        >>> import numpy as np
        >>> x, inflation = solve_symmetric(np.array([[4.0, 2.0], [2.0, 3.0]]), np.array([2.0, 5.0]))
        >>> x.tolist(), float(inflation)
        ([-0.5, 2.0], 1.5)
    """
    xp = array_namespace(a)
    floor, lost = _floor(a), 1 / float(xp.finfo(a.dtype).eps)
    diagonal = xp.linalg.diagonal(a)
    columns, inverses, values = [], [], []
    inflation: Any = None
    for j in range(a.shape[-1]):
        pivot, broken = _guarded(a[..., 0, 0], floor[..., j])
        inverse = 1 / pivot
        own = xp.where(broken, xp.ones_like(pivot) * lost, diagonal[..., j] * inverse)
        inflation = own if inflation is None else xp.maximum(inflation, own)
        column = a[..., 1:, 0] * inverse[..., None]
        inverses.append(inverse)
        columns.append(column)
        values.append(b[..., 0])
        if j + 1 < floor.shape[-1]:
            b = b[..., 1:] - column * b[..., :1]
            a = a[..., 1:, 1:] - column[..., :, None] * a[..., :1, 1:]
    x: Any = None
    for column, inverse, value in zip(reversed(columns), reversed(inverses), reversed(values), strict=True):
        head = value * inverse
        x = head[..., None] if x is None else xp.concat([(head - xp.sum(column * x, axis=-1))[..., None], x], axis=-1)
    return x, inflation


def cholesky(a: Array) -> tuple[Array, Array]:
    """L lower triangular with L L' = A, and where a pivot was not positive: `(..., n, n)`, `(...)`.

    A is symmetric, `(..., n, n)`; its lower triangle is read. Pivots are guarded as by `solve_symmetric`.

    Source:
        Golub and Van Loan, Matrix Computations, section 4.2 (outer product Cholesky).

    Example:
        >>> import numpy as np
        >>> low, broken = cholesky(np.array([[4.0, 2.0], [2.0, 10.0]]))
        >>> low.tolist(), bool(broken)
        ([[2.0, 0.0], [1.0, 3.0]], False)
    """
    xp = array_namespace(a)
    floor = _floor(a)
    columns: list[Array] = []
    broken: Any = None
    for j in range(a.shape[-1]):
        pivot, here = _guarded(a[..., 0, 0], floor[..., j])
        broken = here if broken is None else broken | here
        root = xp.sqrt(pivot)
        below = a[..., 1:, 0] / root[..., None]
        above = xp.zeros_like(floor[..., :j])
        columns.append(xp.concat([above, root[..., None], below], axis=-1))
        a = a[..., 1:, 1:] - below[..., :, None] * below[..., None, :]
    return xp.stack(columns, axis=-1), broken


def solve_lower(low: Array, b: Array) -> Array:
    """x with L x = b for a lower triangular L, by columns: `(..., n, n)`, `(..., n, r)` -> `(..., n, r)`.

    A zero on the diagonal gives Inf or NaN, as it does for `solve_upper`.

    Source:
        Golub and Van Loan, Matrix Computations, section 3.1 (column-oriented substitution).

    Example:
        >>> import numpy as np
        >>> solve_lower(np.array([[2.0, 0.0], [1.0, 4.0]]), np.array([[2.0], [9.0]])).tolist()
        [[1.0], [2.0]]
    """
    xp = array_namespace(low)
    rows = []
    for j in range(low.shape[-1]):
        row = b[..., :1, :] / low[..., j, j][..., None, None]
        rows.append(row)
        b = b[..., 1:, :] - low[..., j + 1 :, j][..., :, None] * row
    return xp.concat(rows, axis=-2)


def solve_upper(up: Array, b: Array) -> Array:
    """x with R x = b for an upper triangular R, by columns; shapes as for `solve_lower`.

    Example:
        >>> import numpy as np
        >>> solve_upper(np.array([[2.0, 1.0], [0.0, 4.0]]), np.array([[4.0], [8.0]])).tolist()
        [[1.0], [2.0]]
    """
    xp = array_namespace(up)
    rows: list[Array] = []
    for j in reversed(range(up.shape[-1])):
        row = b[..., -1:, :] / up[..., j, j][..., None, None]
        rows.insert(0, row)
        b = b[..., :-1, :] - up[..., :j, j][..., :, None] * row
    return xp.concat(rows, axis=-2)


def solve_unpivoted(a: Array, b: Array) -> Array:
    """x with A x = b by elimination without pivoting, for A with a positive definite symmetric part.

    Shapes as for `solve_lower`. Such a matrix has positive pivots, and their growth is bounded by its condition
    (Golub and Van Loan, Matrix Computations, section 4.2, unsymmetric positive definite systems).

    Example:
        >>> import numpy as np
        >>> solve_unpivoted(np.array([[1.0, 1.0], [-1.0, 1.0]]), np.array([[3.0], [1.0]])).tolist()
        [[1.0], [2.0]]
    """
    xp = array_namespace(a)
    heads, rows, inverses = [], [], []
    for _ in range(a.shape[-1]):
        inverse = 1 / a[..., 0, 0]
        column = (a[..., 1:, 0] * inverse[..., None])[..., :, None]
        heads.append(b[..., :1, :])
        rows.append(a[..., 0, 1:])
        inverses.append(inverse)
        b = b[..., 1:, :] - column * b[..., :1, :]
        a = a[..., 1:, 1:] - column * a[..., :1, 1:]
    x: Any = None
    for head, row, inverse in zip(reversed(heads), reversed(rows), reversed(inverses), strict=True):
        rest = head if x is None else head - row[..., None, :] @ x
        rest = rest * inverse[..., None, None]
        x = rest if x is None else xp.concat([rest, x], axis=-2)
    found: Array = x
    return found


def qr(a: Array, full: bool = False) -> tuple[Array, Array]:
    """A = Q R by Householder reflections, R with a diagonal of 0 or more: `(..., m, n)`, m >= n.

    Q is `(..., m, n)` with orthonormal columns, whatever the rank of A; `(..., m, m)` with `full`. R is `(..., n, n)`.

    Source:
        Golub and Van Loan, Matrix Computations, algorithms 5.1.1 and 5.2.1.

    Example:
        >>> import numpy as np
        >>> q, r = qr(np.array([[0.0, 2.0], [3.0, 1.0]]))
        >>> (q @ r).round(12).tolist(), r.round(12).tolist()
        ([[0.0, 2.0], [3.0, 1.0]], [[3.0, 1.0], [0.0, 2.0]])
    """
    xp = array_namespace(a)
    m, n = a.shape[-2:]
    vectors, factors, signs, rows = [], [], [], []
    for j in range(n):
        vector, factor, length, sign = _reflector(a[..., :, 0])
        vectors.append(vector)
        factors.append(factor)
        signs.append(sign)
        a = a[..., 1:] - vector[..., :, None] * (factor[..., None, None] * (vector[..., None, :] @ a[..., 1:]))
        head = xp.concat([length[..., None], sign[..., None] * a[..., 0, :]], axis=-1)
        rows.append(xp.concat([_zeros(head, j), head], axis=-1))
        a = a[..., 1:, :]
    width = m if full else n
    q = xp.eye(m, width, dtype=rows[0].dtype, device=device(rows[0]))
    q = xp.broadcast_to(q, (*rows[0].shape[:-1], m, width))
    for j in reversed(range(n)):
        vector, factor = vectors[j], factors[j]
        low = q[..., j:, :]
        low = low - vector[..., :, None] * (factor[..., None, None] * (vector[..., None, :] @ low))
        q = xp.concat([q[..., :j, :], low], axis=-2) if j else low
    turned = xp.stack(signs, axis=-1)
    if width > n:
        turned = xp.concat([turned, _zeros(turned, width - n) + 1], axis=-1)
    return q * turned[..., None, :], xp.stack(rows, axis=-2)


def orthonormal(a: Array) -> Array:
    """The Q of A = Q R for well-conditioned columns, by Cholesky of A'A, twice: `(..., m, n)`, to rounding.

    Source:
        Yamamoto et al., Roundoff error analysis of the CholeskyQR2 algorithm, ETNA 44, section 3.

    Example:
        >>> import numpy as np
        >>> orthonormal(np.array([[2.0, 2.0], [0.0, 3.0]])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    xp = array_namespace(a)
    for _ in range(2):
        transposed = xp.matrix_transpose(a)
        a = xp.matrix_transpose(solve_lower(cholesky(transposed @ a)[0], transposed))
    return a


def rotated(a: Array, *others: Array) -> tuple[Array, ...]:
    """A R with orthogonal columns, and others times R, for a rotation R: `(m, n)`, `(k, n)`, ...

    Sweeps of one-sided Jacobi rotations in parallel order: a sweep is a tournament of the n columns, n - 1 rounds of n / 2
    pairs that do not touch. The columns come out in descending order of length, or nearly. The number of sweeps depends
    on n alone; it leaves the columns of most matrices orthogonal to rounding level.

    Source:
        Golub and Van Loan, Matrix Computations, sections 8.5.5 (parallel order) and 8.6.3 (one-sided).

    Example:
        >>> import numpy as np
        >>> a, r = rotated(np.array([[1.0, 2.0], [2.0, 1.0]]), np.eye(2))
        >>> (a.T @ a).round(12).tolist()
        [[9.0, 0.0], [0.0, 1.0]]
    """
    n = a.shape[-1]

    def sweep(a: Array, *others: Array) -> tuple[Array, ...]:
        for pairs in _tournament(n):
            cosine, sine = _rotation(_gram(a, pairs))
            a, others = _turned(a, cosine, sine, pairs), tuple(_turned(x, cosine, sine, pairs) for x in others)
        return a, *others

    return fori_loop(sweep, math.ceil(SWEEPS[0] + SWEEPS[1] * math.log2(n)), a, *others) if n > 1 else (a, *others)


def descending(values: Array) -> Array:
    """The permutation P with `values @ P` in descending order, as a matrix of ones and zeros: `(..., n, n)`.

    A comparison of all pairs: no sort, no index that depends on a value. Equal values keep their order.

    Example:
        >>> import numpy as np
        >>> v = np.array([1.0, 3.0, 2.0])
        >>> (v @ descending(v)).tolist()
        [3.0, 2.0, 1.0]
    """
    xp = array_namespace(values)
    places = xp.arange(values.shape[-1], device=device(values))
    here, there = values[..., :, None], values[..., None, :]
    ahead = (there > here) | ((there == here) & (places[None, :] < places[:, None]))
    rank = xp.sum(xp.astype(ahead, values.dtype), axis=-1)
    return xp.astype(rank[..., :, None] == xp.astype(places, values.dtype), values.dtype)


def first_largest(values: Array) -> tuple[Array, Array]:
    """The largest along the last axis, and 1 at its first place, 0 elsewhere: `(..., n)` -> `(...)`, `(..., n)`.

    There is no 1 beside a NaN.

    Example:
        >>> import numpy as np
        >>> top, pick = first_largest(np.array([1.0, 3.0, 3.0]))
        >>> float(top), pick.tolist()
        (3.0, [0.0, 1.0, 0.0])
    """
    xp = array_namespace(values)
    places = xp.arange(values.shape[-1], dtype=values.dtype, device=device(values))
    top = xp.max(values, axis=-1)
    at = xp.min(xp.where(values == top[..., None], places, xp.ones_like(places) * values.shape[-1]), axis=-1)
    return top, xp.astype(places == at[..., None], values.dtype)


def scaled(a: Array) -> tuple[Array, Array]:
    """A over its largest magnitude, and that; zeros are over 1: any shape -> the same shape, `()`.

    For ONE lane: the magnitude is that of the whole array. No square of the result overflows.

    Example:
        >>> import numpy as np
        >>> scaled(np.array([[2.0, -4.0]]))[0].tolist()
        [[0.5, -1.0]]
    """
    xp = array_namespace(a)
    size = xp.max(xp.abs(a)) if math.prod(a.shape) else xp.sum(a)
    size = xp.where(size > 0, size, xp.ones_like(size))
    return a / size, size


def eye(n: int, like: Array) -> Array:
    """The identity of order n in the dtype and on the device of `like`, an array of any shape: `(n, n)`.

    Example:
        >>> import numpy as np
        >>> eye(2, like=np.float32([3.0])).tolist()
        [[1.0, 0.0], [0.0, 1.0]]
    """
    return array_namespace(like).eye(n, dtype=like.dtype, device=device(like))


def condition(low: Array) -> Array:
    """A lower bound on the 2-norm condition of A = L L': (max_j L_jj / min_j L_jj)^2, `(..., n, n)` -> `(...)`.

    L is lower triangular with a positive diagonal; one that holds a zero gives Inf or NaN.

    Source:
        Higham, A survey of condition number estimation for triangular matrices, SIAM Review 29 (1987).

    Example:
        >>> import numpy as np
        >>> float(condition(np.array([[2.0, 0.0], [5.0, 1.0]])))
        4.0
    """
    xp = array_namespace(low)
    pivots = xp.linalg.diagonal(low)
    return (xp.max(pivots, axis=-1) / xp.min(pivots, axis=-1)) ** 2


def _reflector(x: Array) -> tuple[Array, Array, Array, Array]:
    """v, beta, |x| and a sign s with (I - beta v v') x = s |x| e_1; beta = 0 where x = 0."""
    xp = array_namespace(x)
    length = xp.sqrt(xp.sum(x * x, axis=-1))
    head = x[..., 0]
    one = xp.ones_like(head)
    sign = xp.where(head > 0, -one, one)
    shifted = head - sign * length
    vector = xp.concat([shifted[..., None], x[..., 1:]], axis=-1)
    square = -sign * length * shifted  # v'v / 2
    return vector, xp.where(square > 0, 1 / xp.where(square > 0, square, one), xp.zeros_like(one)), length, sign


def _tournament(n: int) -> list[list[tuple[int, int]]]:
    """The pairs of each round in which everybody meets everybody once; of an odd number one rests."""
    ring = list(range(n + n % 2))
    rounds = []
    for _ in range(len(ring) - 1):
        meetings = list(zip(ring[: len(ring) // 2], reversed(ring), strict=False))
        rounds.append([(min(pair), max(pair)) for pair in meetings if max(pair) < n])
        ring = [ring[0], ring[-1], *ring[1:-1]]
    return rounds


def _gram(a: Array, pairs: list[tuple[int, int]]) -> Array:
    """The inner products of the two columns of each pair: `(h, 2, 2)`."""
    xp = array_namespace(a)
    both = xp.reshape(_columns(a, [k for pair in pairs for k in pair]), (a.shape[0], len(pairs), 2))
    return xp.permute_dims(both, (1, 2, 0)) @ xp.permute_dims(both, (1, 0, 2))


def _rotation(gram: Array) -> tuple[Array, Array]:
    """Cosine and sine of the rotation that makes symmetric 2 x 2 matrices diagonal, the larger entry first."""
    xp = array_namespace(gram)
    mixed, half = gram[:, 0, 1], (gram[:, 0, 0] - gram[:, 1, 1]) / 2
    size, root = xp.abs(mixed), xp.sqrt(half * half + mixed * mixed)
    ahead = half >= 0
    x, y = xp.where(ahead, root + half, size), xp.where(ahead, size, root - half)
    square = x * x + y * y
    some = square > 0
    inverse = 1 / xp.sqrt(xp.where(some, square, xp.ones_like(square)))
    return xp.where(some, x * inverse, xp.ones_like(x)), xp.where(mixed < 0, -y, y) * inverse


def _turned(a: Array, cosine: Array, sine: Array, pairs: list[tuple[int, int]]) -> Array:
    """Pairs of columns, rotated; a column that rests is kept."""
    xp = array_namespace(a)
    n = a.shape[-1]
    place = {k: at for at, pair in enumerate(pairs) for k in pair}
    partner = {k: other for pair in pairs for k, other in (pair, pair[::-1])}
    order = [place.get(k, 0) for k in range(n)]
    plays = _row([float(k in place) for k in range(n)], a)
    signs = _row([float((k in place) * (1 if partner.get(k, k) > k else -1)) for k in range(n)], a)
    cosine, sine = _columns(cosine, order), _columns(sine, order) * signs
    if len(place) < n:
        cosine = xp.where(plays > 0, cosine, plays + 1)
    return a * cosine + _columns(a, [partner.get(k, k) for k in range(n)]) * sine


def _row(values: list[float], like: Array) -> Array:
    return array_namespace(like).asarray(values, dtype=like.dtype, device=device(like))


def _columns(a: Array, places: list[int]) -> Array:
    xp = array_namespace(a)
    return xp.take(a, xp.asarray(places, dtype=xp.int64, device=device(a)), axis=-1)


def _guarded(pivot: Array, floor: Array) -> tuple[Array, Array]:
    """The pivot at work, and where it was not positive."""
    xp = array_namespace(pivot)
    size = xp.abs(pivot)
    return xp.where(size > floor, size, floor), ~(pivot > floor)


def _floor(a: Array) -> Array:
    """eps A_jj, or the smallest normal number, below which a pivot is rounding: `(..., n)`."""
    xp = array_namespace(a)
    info = xp.finfo(a.dtype)
    return xp.abs(xp.linalg.diagonal(a)) * float(info.eps) + float(info.smallest_normal)


def _zeros(like: Array, count: int) -> Array:
    """Zeros with the leading axes of an array."""
    xp = array_namespace(like)
    return xp.zeros((*like.shape[:-1], count), dtype=like.dtype, device=device(like))
