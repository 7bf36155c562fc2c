"""A lock for each key: one thread compiles a text while others that want it wait, and other texts do not."""

from __future__ import annotations

import threading
import weakref


class Locks:
    """Locks by key; each lives as long as a thread holds it or waits for it."""

    def __init__(self) -> None:
        self._locks: weakref.WeakValueDictionary[str, threading.Lock] = weakref.WeakValueDictionary()
        self._guard = threading.Lock()

    def of(self, key: str) -> threading.Lock:
        """The lock of a key, the same for all threads that want it at once."""
        with self._guard:
            lock = self._locks.get(key) or threading.Lock()
            self._locks[key] = lock
            return lock
