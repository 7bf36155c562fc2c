"""Long tables of places that a few nested loops can write: they keep a kernel's source short. Needs NumPy alone."""

from __future__ import annotations

import numpy as np

LONG = 1024
"""Entries from which a table is written by loops; a compiler folds shorter ones."""

DEEP = 4
"""Loops at most."""


def as_affine_loops(values: np.ndarray) -> list[tuple[int, int]] | None:
    """(count, stride) of nested loops, outermost first, that write the values from the first on; None if there are none.

    >>> as_affine_loops(np.array([0, 1, 2, 10, 11, 12]))
    [(2, 10), (3, 1)]
    >>> as_affine_loops(np.array([0, 1, 5, 3])) is None
    True
    """
    # From the innermost loop outwards: a run of equal differences is a loop, and the firsts of all runs are the next problem.
    found: list[tuple[int, int]] = []
    while values.size > 1:
        stride = int(values[1] - values[0])
        breaks = np.flatnonzero(np.diff(values) != stride)
        run = int(breaks[0]) + 1 if breaks.size else values.size
        if len(found) == DEEP or values.size % run:
            return None
        rows = values.reshape(-1, run)
        if run == 1 or (rows != rows[:, :1] + stride * np.arange(run)).any():
            return None
        found.insert(0, (run, stride))
        values = rows[:, 0]
    return found


def declaration(name: str, values: np.ndarray) -> str | None:
    """C++ of a table that loops fill; None where no loops write it or it is short.

    >>> print(declaration("k", np.arange(2048).reshape(2, 1024)[:, :1023].reshape(-1)))
    LW_TABLE struct K { int v[2046]; LW_FILLS K() : v() { int n = 0; for (int a = 0; a < 2; a++) for (int b = 0; b < 1023; b++)
    v[n++] = 0 + a * 1024 + b * 1; } LW_FILLS int operator[](long i) const { return v[i]; } } k;
    """
    found = as_affine_loops(values) if values.size >= LONG else None
    if found is None:
        return None
    variables = "abcdefg"
    heads = " ".join(f"for (int {x} = 0; {x} < {count}; {x}++)" for x, (count, _) in zip(variables, found, strict=False))
    place = "".join(f" + {x} * {stride}" for x, (_, stride) in zip(variables, found, strict=False))
    kind = name.upper()
    return (
        f"LW_TABLE struct {kind} {{ int v[{values.size}]; "
        f"LW_FILLS {kind}() : v() {{ int n = 0; {heads} v[n++] = {int(values[0])}{place}; }} "
        f"LW_FILLS int operator[](long i) const {{ return v[i]; }} }} {name};"
    )
