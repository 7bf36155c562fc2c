"""Progress on a terminal: the problem that is being compiled, and a bar of the lanes that are done, by rich."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

PATIENCE = 1.0
"""Seconds that nobody minds."""


@contextmanager
def announced(what: str) -> Iterator[None]:
    """Say once, on a terminal's stderr, what it is that takes over a second."""
    if not sys.stderr.isatty():
        yield
        return
    timer = threading.Timer(PATIENCE, lambda: print(what, file=sys.stderr, flush=True))
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


@contextmanager
def reporter(lanes: int, title: str) -> Iterator[Callable[[int], None]]:
    """A function to call with the number of lanes done; a bar shows it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=lanes)
        yield lambda done: bar.update(task, completed=done)
