"""The table of a run: a row a kind, and the totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from bench.honesty.solved import Judged, Kind
from engine import Status

HEAD = ("kind", "lanes", "CONVERGED", "at minimum", "false CONVERGED", "worst fall", "worst move", "false failures", "others")
COUNTS: tuple[Callable[[Judged], Any], ...] = (
    lambda judged: len(judged.status),
    lambda judged: judged.minimum,
    lambda judged: judged.wrong,
    lambda judged: judged.failed,
)
FAILURES = 0.01
"""Share of the lanes at the minimum that may have another status than the right one."""


def share(judged: Judged) -> float:
    """False failures among the lanes at the minimum."""
    return float(judged.failed.sum() / max(1, judged.minimum.sum()))


def broken(kind: Kind, judged: Judged) -> bool:
    """Whether a kind breaks a promise."""
    if judged.error:
        return True
    converged = float((judged.status == Status.CONVERGED).mean())
    return bool(judged.wrong.any()) or share(judged) > FAILURES or converged < kind.least


def row(kind: Kind, judged: Judged) -> tuple[str, ...]:
    """One line of the table; a star marks a broken promise."""
    name = kind.name + " *" * broken(kind, judged)
    if judged.error:
        return (name, "0", *[""] * (len(HEAD) - 3), judged.error)
    status = judged.status
    others = [f"{(status == s).mean():.1%} {s.name}" for s in Status if s != Status.CONVERGED and (status == s).any()]
    counts = (len(status), int(judged.minimum.sum()), int(judged.wrong.sum()))
    lanes, minimum, wrong = (f"{count:,}" for count in counts)
    worst = (f"{judged.fall.max(initial=0):.2g}", f"{judged.move.max(initial=0):.2g}")
    converged = f"{(status == Status.CONVERGED).mean():.1%}"
    return (name, lanes, converged, minimum, wrong, *worst, f"{share(judged):.2%}", ", ".join(others))


def total(outcomes: list[tuple[Kind, Judged]]) -> str:
    """The last line."""
    lanes, minimum, wrong, failed = (sum(int(np.sum(count(judged))) for _, judged in outcomes) for count in COUNTS)
    promises = sum(broken(kind, judged) for kind, judged in outcomes)
    return (
        f"{lanes:,} lanes of {len(outcomes)} kinds, {minimum:,} at the minimum; {wrong:,} false CONVERGED, "
        f"{failed:,} false failures ({failed / max(1, minimum):.2%}); {promises} kinds break a promise (*)"
    )


def text(rows: list[tuple[str, ...]]) -> str:
    """Rows in columns."""
    widths = [max(len(line[k]) for line in rows) for k in range(len(HEAD))]
    return "\n".join("  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in rows) + "\n"


def violations(kind: Kind, judged: Judged) -> list[str]:
    """A line for each lane that breaks a promise."""
    lanes = np.flatnonzero(judged.wrong | judged.failed)
    word = {True: "false", False: "false failure"}
    return [
        f"{kind.name}, lane {k}: {Status(int(judged.status[k])).name}, {word[bool(judged.wrong[k])]}: {judged.notes.get(int(k), '')}"
        for k in lanes
    ]
