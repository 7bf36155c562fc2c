"""The context in which declared functions run: no floating-point warnings, and NumPy's refusals in plain words.

Needs nothing of the rest of the package.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from backends.errors import TraceError
from backends.refusals import AS_ARRAY

FIELD = "complex-step derivative"
"""Second field of the dtype in which perturbed arrays hide from NumPy; shows up in NumPy's error messages."""

_MARKS = (FIELD, "VoidDType", "structured or void", "not 'tuple'", "multiply sequence by", "of type Perturbed")
_HIDDEN = (
    "hands an array that is being differentiated to a NumPy call that knows nothing of derivatives (np.asarray, np.array, or "
    "assignment into a plain array)", "it would drop the derivative", f"{AS_ARRAY}, np.where for an assignment",
)  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a table of names."""
    return text.split()


class _Depth(threading.local):
    value = 0


_depth = _Depth()


def inside() -> bool:
    """True while a declared function runs in this thread."""
    return _depth.value > 0


@contextmanager
def evaluating() -> Iterator[None]:
    """Run declared functions inside: no floating-point warnings; NumPy's confusion becomes a TraceError."""
    _depth.value += 1
    try:
        if _depth.value > 1:
            yield
        else:
            with np.errstate(all="ignore"):
                yield
    except (TypeError, ValueError) as error:
        if not isinstance(error, TraceError) and any(mark in str(error) for mark in _MARKS):
            raise TraceError(*_HIDDEN) from error
        raise
    finally:
        _depth.value -= 1


def call(f: Callable[..., Any], *args: object, **kwargs: object) -> Any:
    """f(*args, **kwargs), evaluated."""
    with evaluating():
        return f(*args, **kwargs)
