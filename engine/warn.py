"""Warnings that point to the user's own line, and those that are given once in a process. Needs nothing of the engine."""

from __future__ import annotations

import sys
import warnings

from backends.pristine import PACKAGES

_TOLD: set[str] = set()


def warn(message: str) -> None:
    """Warn at the first caller that is not of this project."""
    level, frame = 1, sys._getframe(0)
    while frame.f_back is not None and str(frame.f_globals.get("__name__")).partition(".")[0] in PACKAGES:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, stacklevel=level)


def warn_once(about: str, message: str) -> None:
    """Warn of something that does not change while a process runs."""
    if about not in _TOLD:
        _TOLD.add(about)
        warn(message)
