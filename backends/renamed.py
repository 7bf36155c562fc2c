"""Names of version 0.1 that still work: a use warns and goes to the new name. Needs Python alone."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any


def renamed(old: str, new: str, stacklevel: int = 3) -> None:
    """Warn of a name that changed, at the line that uses it: that of the caller's caller by default."""
    warnings.warn(f"{old} is now called {new}: rename it", DeprecationWarning, stacklevel=stacklevel)


class OldName:
    """A method under its earlier name, as an attribute of a class."""

    def __init__(self, owner: str, old: str, new: str, function: Callable[..., Any]) -> None:
        self.old, self.new, self.function = f"{owner}.{old}", f"{owner}.{new}", function

    def __get__(self, instance: object, owner: type | None = None) -> Any:
        renamed(self.old, self.new)
        return self.function if instance is None else self.function.__get__(instance, owner)


def keep_old_names(kind: type, names: Mapping[str, str]) -> None:
    """Give a class both names of each method that it writes, whichever it writes; warn where that is the old one.

    Args:
        names: old name -> new name.
    """
    ours = kind.__module__.partition(".")[0] in ("backends", "engine")
    for old, new in names.items():
        if new in vars(kind):
            function = vars(kind)[new]
            setattr(kind, old, OldName(kind.__name__, old, new, function) if ours else function)
        elif old in vars(kind):
            renamed(f"{kind.__name__}.{old}", f"{kind.__name__}.{new}", stacklevel=4)
            setattr(kind, new, vars(kind)[old])
