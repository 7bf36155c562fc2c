"""Seconds of a call by what they were spent on: a span within another counts for the inner one alone. Needs Python alone.

>>> with started() as spent, span("trace"):
...     pass
>>> list(spent), spent["trace"] < 1
(['import', 'trace', 'compile'], True)
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

Spent = dict[str, float]


class _Watch:
    """Seconds by name, and those of the spans that ended within the one that is open."""

    def __init__(self) -> None:
        self.spent: Spent = {"import": 0.0, "trace": 0.0, "compile": 0.0}
        self.inner = 0.0


_WATCH: ContextVar[_Watch | None] = ContextVar("watch", default=None)


@contextmanager
def started() -> Iterator[Spent]:
    """The seconds of all spans within."""
    watch = _Watch()
    before = _WATCH.set(watch)
    try:
        yield watch.spent
    finally:
        _WATCH.reset(before)


@contextmanager
def span(name: str) -> Iterator[None]:
    """Count the time until it ends, without that of spans within, under a name."""
    watch = _WATCH.get()
    if watch is None:
        yield
        return
    begun, inner, watch.inner = time.perf_counter(), watch.inner, 0.0
    try:
        yield
    finally:
        whole = time.perf_counter() - begun
        watch.spent[name] += whole - watch.inner
        watch.inner = inner + whole
