"""All kinds of lanes."""

from __future__ import annotations

import math
import zlib

import numpy as np

from bench.honesty import (
    bounded,
    classical,
    decompositions,
    equations,
    fits,
    inverses,
    likelihoods,
    matrices,
    regressions,
    robust,
    starts,
    surfaces,
)
from bench.honesty.solved import Judged, Kind

ALL = 100_000
"""Lanes of a whole run, at least."""


def kinds() -> list[Kind]:
    """In the order of the table."""
    files = (
        fits,
        regressions,
        classical,
        likelihoods,
        robust,
        surfaces,
        starts,
        bounded,
        matrices,
        inverses,
        equations,
        decompositions,
    )
    return [kind for file in files for kind in file.kinds()]


def chosen(name: str) -> list[Kind]:
    """The kind of a name, or else those whose names begin so."""
    every = kinds()
    return [kind for kind in every if kind.name == name] or [kind for kind in every if kind.name.startswith(name)]


def run(kind: Kind, lanes: int, seed: int) -> Judged:
    """As many lanes of a kind as are due when `lanes` are asked for in all. They do not depend on which other kinds run."""
    count = max(8, math.ceil(kind.lanes * lanes / sum(other.lanes for other in kinds())))
    try:
        with np.errstate(all="ignore"):
            return kind.run(np.random.default_rng([seed, zlib.crc32(kind.name.encode())]), count)
    except Exception as error:  # nothing that the numbers do may raise: a violation like others
        nothing = np.zeros(0, bool)
        message = " ".join(str(error).split())[:200]
        return Judged(nothing, nothing, nothing, nothing, nothing, nothing, error=f"{type(error).__name__}: {message}")
