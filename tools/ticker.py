"""A line every few seconds while something takes long, on a terminal and in a log."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 5.0
"""Seconds between two lines."""


@contextmanager
def ticking(words: str, more: Callable[[], str] = lambda: "", every: float = EVERY) -> Iterator[None]:
    """The words on a line at once, and again with the seconds so far, and with `more()`, until the work is done."""
    done, begun = threading.Event(), time.perf_counter()

    def tick() -> None:
        while not done.wait(every):
            print(f"  ... {words}: {time.perf_counter() - begun:.0f} s{more()}", flush=True)

    print(f"{words} ...", flush=True)
    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
