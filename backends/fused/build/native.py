"""A native library that is closed when nothing uses it any more. Needs ctypes."""

from __future__ import annotations

import ctypes
import weakref
from _ctypes import dlclose, dlsym
from pathlib import Path
from typing import Any


class Handle:
    """A loaded library; its functions are attributes, each of which keeps it loaded.

    Never closed at the end of the process, when a thread may still run in it.
    """

    def __init__(self, path: Path) -> None:
        self._address: int = ctypes.CDLL(str(path))._handle
        weakref.finalize(self, dlclose, self._address).atexit = False

    def __getattr__(self, name: str) -> Any:
        try:
            function: Any = _function(dlsym(self._address, name))
        except OSError as error:
            raise AttributeError(name) from error
        function.library = self
        return function


def _function(address: int) -> Any:
    """A C function of any arguments. A `CDLL`'s own refers to itself, and would wait for the garbage collector."""
    return ctypes.CFUNCTYPE(ctypes.c_int)(address)
