"""Orthogonal factorisations of many small matrices in extended precision, where LAPACK has none. Lanes come first.

Golub and Van Loan, Matrix Computations, 4th edition: Householder QR with column pivoting (5.4.2), cyclic Jacobi
eigenvalues (8.5) and one-sided Jacobi singular values (8.6.3), by which small singular values of scaled columns keep their
relative digits (Demmel and Veselic, SIAM J. Matrix Anal. Appl. 13, 1992).
"""

from __future__ import annotations

from typing import Any

import numpy as np

Array = Any

EPS = np.finfo(np.longdouble).eps
SWEEPS = 12
"""Sweeps of Jacobi rotations at most; quadratic convergence needs 5 to 8."""


def norm(a: Array, axis: int = -1) -> Array:
    """Euclidean norms along one axis."""
    return np.sqrt((a * a).sum(axis=axis))


def reduced(a: Array, b: Array) -> tuple[Array, Array, Array]:
    """A P = Q R by Householder reflections with column pivoting.

    Takes `(lanes, m, n)` and `(lanes, m)`; gives R `(lanes, n, n)`, the first n entries of Q'b `(lanes, n)`, and the
    column of A behind each column of R `(lanes, n)`.
    """
    lanes, m, n = a.shape
    rows = max(m, n)
    work = np.zeros((lanes, rows, n + 1), np.longdouble)
    work[:, :m, :n], work[:, :m, n] = a, b
    order = np.tile(np.arange(n), (lanes, 1))
    every = np.arange(lanes)
    for k in range(min(n, rows - 1) if rows > 1 else 0):
        pivot = k + np.argmax((work[:, k:, k:n] ** 2).sum(axis=1), axis=1)
        for array in (work.swapaxes(1, 2), order):
            array[every, pivot], array[:, k] = array[:, k].copy(), array[every, pivot].copy()
        v = work[:, k:, k].copy()
        length = norm(v)
        v[:, 0] += np.where(v[:, 0] < 0, -length, length)
        square = (v * v).sum(axis=1)
        v /= np.where(square > 0, np.sqrt(square), 1)[:, None]
        tail = work[:, k:, k:]
        tail -= 2 * v[:, :, None] * (v[:, :, None] * tail).sum(axis=1)[:, None, :]
    return np.triu(work[:, :n, :n]), work[:, :n, n], order


def rotation(alpha: Array, beta: Array, gamma: Array) -> tuple[Array, Array]:
    """Cosine and sine that make the symmetric [[alpha, gamma], [gamma, beta]] diagonal, by the smaller angle."""
    nothing = gamma == 0
    zeta = (beta - alpha) / np.where(nothing, 1, 2 * gamma)
    tangent = np.where(zeta < 0, -1, 1) / (np.abs(zeta) + np.sqrt(1 + zeta * zeta))
    tangent = np.where(nothing, 0, tangent)
    cosine = 1 / np.sqrt(1 + tangent * tangent)
    return cosine, cosine * tangent


def singular(a: Array) -> tuple[Array, Array]:
    """Y = A W with orthogonal columns, whose lengths are the singular values, and the right vectors W: `(lanes, n, n)` each."""
    n = a.shape[-1]
    y = [a[:, :, j].copy() for j in range(n)]
    w = [np.tile(np.eye(n, dtype=np.longdouble)[j], (len(a), 1)) for j in range(n)]
    for _ in range(SWEEPS):
        worst = 0.0
        for i in range(n):
            for j in range(i + 1, n):
                alpha, beta, gamma = (y[i] * y[i]).sum(1), (y[j] * y[j]).sum(1), (y[i] * y[j]).sum(1)
                small = np.abs(gamma) <= 2 * EPS * np.sqrt(alpha * beta)
                worst = max(worst, float((~small).any()))
                c, s = rotation(alpha, beta, np.where(small, 0, gamma))
                c, s = c[:, None], s[:, None]
                y[i], y[j] = c * y[i] - s * y[j], s * y[i] + c * y[j]
                w[i], w[j] = c * w[i] - s * w[j], s * w[i] + c * w[j]
        if not worst:
            break
    return np.stack(y, axis=2), np.stack(w, axis=2)


def eigen(a: Array) -> tuple[Array, Array]:
    """Eigenvalues `(lanes, n)` and eigenvectors as columns `(lanes, n, n)` of symmetric matrices, in no order."""
    a = np.array(a, np.longdouble)
    n = a.shape[-1]
    v = np.tile(np.eye(n, dtype=np.longdouble), (len(a), 1, 1))
    for _ in range(SWEEPS):
        off = np.abs(a - a * np.eye(n)).max(axis=(1, 2), initial=0)
        if not (off > 4 * EPS * np.abs(a).max(axis=(1, 2), initial=0)).any():
            break
        for i in range(n):
            for j in range(i + 1, n):
                c, s = rotation(a[:, i, i], a[:, j, j], a[:, i, j])
                c, s = c[:, None], s[:, None]
                a[:, i], a[:, j] = c * a[:, i] - s * a[:, j], s * a[:, i] + c * a[:, j]
                a[:, :, i], a[:, :, j] = c * a[:, :, i] - s * a[:, :, j], s * a[:, :, i] + c * a[:, :, j]
                v[:, :, i], v[:, :, j] = c * v[:, :, i] - s * v[:, :, j], s * v[:, :, i] + c * v[:, :, j]
    return np.diagonal(a, axis1=1, axis2=2).copy(), v


def least_squares(a: Array, b: Array) -> Array:
    """x that minimises |A x - b|, of least norm in scaled columns: `(lanes, m, n)` and `(lanes, m)` to `(lanes, n)`."""
    lengths = norm(a, axis=1)
    lengths = np.where(lengths > 0, lengths, 1)
    triangle, rotated, order = reduced(a / lengths[:, None, :], b)
    left, right = singular(triangle)
    squares = (left * left).sum(axis=1)
    kept = squares > (16 * EPS) ** 2 * squares.max(axis=1, keepdims=True)
    weights = np.where(kept, (left * rotated[:, :, None]).sum(axis=1), 0) / np.where(kept, squares, 1)
    x = np.empty_like(weights)
    np.put_along_axis(x, order, (right * weights[:, None, :]).sum(axis=2), axis=1)
    return x / lengths
