"""Matrices with orthonormal columns: by reflections, or by the factor of the Gram matrix."""

from __future__ import annotations

from array_api_compat import device

from backends.types import Array, array_namespace
from engine.smalllinalg.basics import zeros
from engine.smalllinalg.symmetric import cholesky
from engine.smalllinalg.triangular import solve_lower


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
        rows.append(xp.concat([zeros(head, j), head], axis=-1))
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
        turned = xp.concat([turned, zeros(turned, width - n) + 1], axis=-1)
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
