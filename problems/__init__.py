"""The catalogue: one problem a file, one line here."""

from __future__ import annotations

import sys
from collections.abc import Callable

from backends import pristine
from engine import Problem
from problems.curve_fit import curve_fit
from problems.eigh import eigh
from problems.inverse import inverse
from problems.svd import svd
from problems.svd_penalty import svd_penalty

__all__ = ["catalogue", "curve_fit", "eigh", "inverse", "svd", "svd_penalty"]

_CATALOGUE: tuple[Callable[..., Problem], ...] = (curve_fit, eigh, inverse, svd, svd_penalty)


def catalogue() -> dict[str, Callable[..., Problem]]:
    """All problems: name -> the function that makes its Problem.

    Example:
        >>> list(catalogue())
        ['curve_fit', 'eigh', 'inverse', 'svd', 'svd_penalty']
    """
    return {make.__name__: make for make in _CATALOGUE}


pristine.note(sys.modules[__name__])
