"""Results of earlier processes, on disk as JSON: private to the user, whole or absent. Needs `cache`.

A key names what is kept wholly; the versions of what it was worked out with are added here. A cache that cannot be used
costs the time to work it out again, nothing else.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import platform
import sys
from collections.abc import Callable
from functools import cache as once
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import array_api_compat
import numpy as np

from backends.alone import loaded_torch
from backends.fused.build import cache

SUFFIX = ".json"


def cached(key: str, make: Callable[[], Any], holds: Callable[[], bool] = lambda: True) -> Any:
    """The result of `make`, now or under this key before: nested lists and dicts of numbers and strings.

    An empty key keeps nothing. A result is kept where `holds` says, once it is made, that the key is still right: modules that
    `make` loads may come from files that were edited since.
    """
    found = lookup(key)
    if found is None:
        found = make()
        if key and holds():
            keep(key, found)
    return found


def lookup(key: str) -> Any:
    """The value that is kept under a key; None where there is none."""
    with contextlib.suppress(OSError, ValueError):
        entry = cache.read(cache.directory(), _name(key), SUFFIX) if key else None
        return None if entry is None else json.loads(entry)
    return None


def keep(key: str, value: object) -> None:
    """Keep a value under a key, where the cache can be written; nothing under an empty one."""
    if key:
        text = json.dumps(value)
        with contextlib.suppress(OSError):
            cache.store(cache.directory(), _name(key), text.encode(), SUFFIX)


def _name(key: str) -> str:
    libraries = (_torch_version(), np.__version__, array_api_compat.__version__, sys.version, platform.machine())
    return hashlib.sha256(repr((key, *libraries, _default_dtype())).encode()).hexdigest()


@once
def _torch_version() -> str:
    """torch's own file on its build, read without loading torch."""
    found = find_spec("torch")
    return Path(found.origin).with_name("version.py").read_text() if found is not None and found.origin else ""


def _default_dtype() -> str:
    """The dtype of torch's tensors where none is asked for."""
    torch = loaded_torch()
    return "torch.float32" if torch is None else str(torch.get_default_dtype())
