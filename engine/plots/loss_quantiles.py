"""Statistics of loss histories over the lanes, on the host, for figures. Needs `arrays` to bring them there."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from operator import index
from typing import Any

import numpy as np

from backends.arrays import to_host
from engine.errors import ArgumentError


@dataclass(frozen=True)
class Curves:
    """Losses over some rows of a history: `rows` (k,), `losses` (lanes, k), `last` (lanes,): a lane's last row or -1; eps of the dtype.

    A lane keeps its last finite loss after it is done or where a loss is not finite, so that a quantile is over all lanes
    at every row, and does not jump when the fast ones leave.
    """

    rows: np.ndarray
    losses: np.ndarray
    last: np.ndarray
    batch: tuple[int, ...]
    rounding: float

    @property
    def logarithmic(self) -> bool:
        """True where a log axis can show the losses: none is negative, one is positive."""
        known = self.losses[self.last >= 0]
        return not (known < 0).any() and bool((known > 0).any())

    @property
    def shown(self) -> tuple[float, float] | None:
        """Lowest and highest loss of a log axis, or None for a linear one.

        A lane that rises a millionfold above all first losses goes out of it at the top; at the bottom it ends where the root of a
        loss is rounding beside that of the highest first one.
        """
        known = self.losses[self.last >= 0]
        if not self.logarithmic:
            return None
        low, high = float(self.drawable(known).min()), float(known.max())
        first = max(low, float(known[:, 0].max()))
        bottom = max(low / 3, first * self.rounding**2, float(np.finfo(float).tiny))
        return bottom, 1e3 * first if self.exploded else min(3 * high, float(np.finfo(float).max))

    @property
    def exploded(self) -> bool:
        """True where some lane rose a millionfold above all first losses."""
        known = self.losses[self.last >= 0]
        return self.logarithmic and bool(known.max() >= 1e6 * known[:, 0].max())

    def quantiles(self, at: tuple[float, ...]) -> list[np.ndarray]:
        """One curve per quantile over the lanes that ever had a finite loss, drawable."""
        known = self.losses[self.last >= 0]
        return [self.drawable(q) for q in np.quantile(known, at, axis=0)] if len(known) else [self.rows * np.nan] * len(at)

    def lane(self, lane: int | tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Rows and losses of one lane, up to its last, drawable; by flat number or by index of the batch shape.

        Raises IndexError for a lane that there is not.
        """
        flat = self.index(lane)
        there = self.rows <= self.last[flat]
        return self.rows[there], self.drawable(self.losses[flat, there])

    def index(self, lane: int | tuple[int, ...]) -> int:
        """The flat number of a lane. Raises IndexError where there is none."""
        place = (lane,) if isinstance(lane, int) else lane
        shape = (len(self.losses),) if len(place) == 1 else self.batch
        if len(place) != len(shape) or not all(-size <= i < size for i, size in zip(place, shape, strict=True)):
            raise IndexError(f"plot: lane {lane!r} is not there; expected an index into the batch {self.batch}")
        return int(np.ravel_multi_index(tuple(i % size for i, size in zip(place, shape, strict=True)), shape))

    def drawable(self, losses: np.ndarray) -> np.ndarray:
        """On a log axis a loss of 0 stands at the smallest positive one, so that a curve does not break off."""
        return np.maximum(losses, self.losses[self.losses > 0].min()) if self.logarithmic else losses


def quantile_curves(history: object, points: int) -> Curves:
    """At most `points` rows of a history `(..., T)`, evenly spaced, the first and the last among them."""
    host = to_host(history)
    batch, rows = tuple(host.shape[:-1]), host.shape[-1]
    host = host.reshape((int(np.prod(batch, dtype=np.int64)), rows))
    finite = np.isfinite(host)
    last = np.where(finite.any(axis=1), rows - 1 - finite[:, ::-1].argmax(axis=1), -1) if host.size else np.full(len(host), -1)
    chosen = np.unique(np.linspace(0, rows - 1, min(points, rows)).round().astype(np.int64)) if rows else np.zeros(0, np.int64)
    held = np.minimum(chosen[None, :], np.maximum(last, 0)[:, None])
    if not np.take_along_axis(finite, held, axis=1).all():  # a row that is not finite stands at the last one that is
        latest = np.maximum.accumulate(np.where(finite, np.arange(rows), -1), axis=1)
        held = np.maximum(np.take_along_axis(latest, held, axis=1), finite.argmax(axis=1)[:, None])
    return Curves(chosen, np.take_along_axis(host, held, axis=1).astype(np.float64), last, batch, float(np.finfo(host.dtype).eps))


def listed(lanes: Any) -> list[int | tuple[int, ...]]:
    """One lane number, or several lanes, each a number or an index tuple, as Python integers. Raises ArgumentError for others.

    >>> listed(3), listed(np.array([1, 2])), listed([(0, 1), 5])
    ([3], [1, 2], [(0, 1), 5])
    """
    with suppress(TypeError):
        return [index(lanes)]
    try:
        return [tuple(map(index, lane)) if isinstance(lane, tuple) else index(lane) for lane in lanes]
    except TypeError:
        wanted = "flat numbers, index tuples, or a mapping from names to them"
        raise ArgumentError(f"lanes came as {lanes!r}; expected {wanted}, such as solution.failed[:3]") from None
