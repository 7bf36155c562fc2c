"""A progress bar of lanes that are done, by rich; nothing is imported or printed unless asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def reporter(lanes: int, title: str, wanted: bool) -> Iterator[Callable[[int], None] | None]:
    """A function to call with the number of lanes done, or None when no bar is wanted."""
    if not wanted:
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=lanes)
        yield lambda done: bar.update(task, completed=done)
