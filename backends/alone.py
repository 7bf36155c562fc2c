"""One thread at a time where torch has one of something for all threads. Needs Python alone.

Forward derivatives have one level for all threads, and while a function is traced parts of torch are replaced: a second trace beside
the first would take derivatives of the wrong numbers, or end the process. What waits for a compiler, or runs lanes, holds nothing.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ALONE = threading.RLock()
"""Held by the thread that traces, takes a forward derivative or loads a backend."""

if hasattr(os, "register_at_fork"):  # a child has no other thread that would ever release it
    os.register_at_fork(before=ALONE.acquire, after_in_parent=ALONE.release, after_in_child=ALONE.release)


@contextmanager
def lent() -> Iterator[None]:
    """The lock for others while this thread waits for one of them."""
    held: Any = ALONE._release_save() if ALONE._is_owned() else None  # type: ignore[attr-defined]  # as threading.Condition does
    try:
        yield
    finally:
        if held is not None:
            ALONE._acquire_restore(held)  # type: ignore[attr-defined]


def is_forward() -> bool:
    """Whether a forward derivative is being taken around the caller; of another thread's the end is waited for."""
    from torch.autograd import forward_ad

    if forward_ad._current_level < 0:
        return False
    with ALONE:
        return bool(forward_ad._current_level >= 0)


def loaded_torch() -> Any:
    """torch where it is loaded, else None; of a thread that is loading it the end is waited for.

    >>> loaded_torch() is sys.modules.get("torch")
    True
    """
    found = sys.modules.get("torch")
    unfinished = getattr(getattr(found, "__spec__", None), "_initializing", False)
    return importlib.import_module("torch") if unfinished else found
