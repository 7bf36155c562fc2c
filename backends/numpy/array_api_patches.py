"""Functions of array_api_compat.numpy that bypass NumPy's protocols, sent through them for Lanes.

`xp.linalg.solve`, `eig` and `eigvals` call LAPACK gufuncs on bare arrays, `xp.linalg.trace`, `xp.asarray` and
`xp.clip` call np.asarray: no subclass sees these calls. Each is replaced by a function that asks whether a LaneArray is
among the arguments and calls the original where none is, so that nothing changes for others.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

import array_api_compat.numpy as xp
import numpy as np

from backends.numpy.complex_step import Perturbed
from backends.numpy.lane_array import LaneArray
from backends.tree import leaves

Function = Callable[..., Any]


def asarray(obj: Any, /, *, dtype: object = None, device: object = None, copy: bool | None = None) -> Any:
    """xp.asarray of a LaneArray, or of nested lists in which there is a perturbed array."""
    if isinstance(obj, list | tuple):
        obj = np.stack([asarray(item) if isinstance(item, list | tuple) else item for item in obj])
    found = obj.copy() if copy else obj
    return found if dtype is None or found.dtype == dtype else found.astype(dtype)


def install() -> None:
    """Send the functions above through NumPy's protocols; once per process."""
    for name in ("solve", "eig", "eigvals"):
        _send(xp.linalg, name, getattr(np.linalg, name), LaneArray)
    _send(xp.linalg, "trace", np.linalg.trace, LaneArray)
    _send(xp, "clip", _clip, Perturbed)
    _send(xp, "asarray", asarray, Perturbed)


def _clip(x: np.ndarray, /, min: np.ndarray | float | None = None, max: np.ndarray | float | None = None) -> Any:
    return np.clip(x, min, max)


def _send(module: object, name: str, ours: Function, kind: type) -> None:
    original = getattr(module, name)
    if hasattr(original, "__wrapped__") and original.__module__ == __name__:
        return

    @wraps(original)
    def either(*args: object, **kwargs: object) -> Any:
        mine = any(isinstance(leaf, kind) for leaf in leaves((args, kwargs)))
        return (ours if mine else original)(*args, **kwargs)

    either.__module__ = __name__
    setattr(module, name, either)
