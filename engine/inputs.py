"""Inputs as users have them: labels of pandas and xarray are dropped with a warning, masked arrays are refused.

Needs `backends.arrays`; neither library is imported, a class says by its module where it comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from backends import arrays as _arrays
from engine.errors import ArgumentError
from engine.warn import warn

LABELLED = ("pandas", "xarray")


def without_labels(where: str, kind: str, given: Any) -> Any:
    """The data or starts of a call as they came, those with labels as arrays.

    Args:
        where: the problem, for messages.
        kind: `"datum"` or `"start of"`.
        given: an array, or a mapping by name.

    Raises:
        ArgumentError: a masked array, also in a list, naming it.
    """
    if _arrays.is_plain(given) or given is None:
        return given
    if not isinstance(given, Mapping):
        return _unlabelled(f"{where}: {kind}", given)
    found = {
        name: value if _arrays.is_plain(value) else _unlabelled(f"{where}: {kind} {name!r}", value)
        for name, value in given.items()
    }
    return found if any(found[name] is not given[name] for name in found) else given


def refuse_masked(owner: str, value: Any) -> None:
    """Raises ArgumentError naming the owner of a masked array."""
    if _arrays.is_masked(value):
        raise ArgumentError(f"{owner}: {_arrays.MASKED}")


def _unlabelled(owner: str, value: Any) -> Any:
    refuse_masked(owner, value)
    kind = type(value)
    library = kind.__module__.partition(".")[0]
    if library not in LABELLED or not hasattr(value, "__array__"):
        return value
    warn(
        f"{owner} came as a {library} {kind.__name__}, whose labels are dropped: answers are plain arrays in its order; give "
        "value.to_numpy() to say so"
    )
    return _arrays.as_array(value)
