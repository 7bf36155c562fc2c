"""The spectrum of one lane's curvature on the host: its condition, and the columns that take part in what it does not see."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SHARE = 0.1
"""Share of a direction's largest entry above which a column takes part in it."""


@dataclass(frozen=True)
class Spectrum:
    """Columns that are zero, those of directions without curvature, those of negative curvature, and the condition of the rest."""

    silent: list[int]
    flat: list[int]
    falling: list[int]
    condition: float


def of_jacobian(columns: np.ndarray, eps: float) -> Spectrum:
    """The spectrum of J `(m, k)`, its columns scaled to length 1.

    >>> of_jacobian(np.array([[1.0, 2.0, 0.0], [3.0, 6.0, 0.0]]), 2e-16)
    Spectrum(silent=[2], flat=[0, 1], falling=[], condition=inf)
    """
    lengths = np.sqrt((columns * columns).sum(axis=0))
    seen = np.flatnonzero(lengths > 0)
    silent = np.flatnonzero(lengths == 0).tolist()
    if not len(seen):
        return Spectrum(silent, [], [], np.inf if silent else 1.0)
    _, values, right = np.linalg.svd(columns[:, seen] / lengths[seen], full_matrices=True)
    values = np.concatenate([values, np.zeros(len(seen) - len(values))])
    tiny = values <= eps * max(columns.shape) * values[0]
    condition = np.inf if tiny.any() or silent else float(values[0] / values[-1])
    return Spectrum(silent, _taking_part(right[tiny], seen), [], condition)


def of_hessian(hessian: np.ndarray, eps: float) -> Spectrum:
    """The spectrum of a symmetric matrix, rows and columns scaled by the root of each column's largest entry.

    >>> of_hessian(np.diag([4.0, -1.0]), 2e-16)
    Spectrum(silent=[], flat=[], falling=[1], condition=1.0)

    A curvature that is negative by less than the root of eps counts as flat: it is what a gradient that is nearly zero makes of
    a direction without curvature.

    >>> of_hessian(np.diag([4.0, -1e-12]) + np.array([[0.0, 2.0], [2.0, 1.0]]), 2e-16).falling
    []
    """
    lengths = np.sqrt(np.abs(hessian).max(axis=0))
    seen = np.flatnonzero(lengths > 0)
    silent = np.flatnonzero(lengths == 0).tolist()
    if not len(seen):
        return Spectrum(silent, [], [], np.inf if silent else 1.0)
    values, vectors = np.linalg.eigh(hessian[np.ix_(seen, seen)] / np.outer(lengths[seen], lengths[seen]))
    rounding = eps * len(hessian) * np.abs(values).max()
    falling = values < -np.sqrt(eps) * np.abs(values).max()
    tiny = (values <= rounding) & ~falling
    condition = np.inf if tiny.any() or silent else float(np.abs(values).max() / np.abs(values).min())
    return Spectrum(silent, _taking_part(vectors.T[tiny], seen), _taking_part(vectors.T[falling], seen), condition)


def _taking_part(directions: np.ndarray, seen: np.ndarray) -> list[int]:
    """The columns with a large share in some of these directions, one a row."""
    if not len(directions):
        return []
    weight = np.sqrt((directions * directions).sum(axis=0))
    return [int(k) for k in seen[weight > SHARE * weight.max()]]
