"""The words of a Solution: a table for a terminal."""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

from backends import arrays as _arrays
from engine import advice
from engine.status import Status

if TYPE_CHECKING:
    from engine.solution import Solution

QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)
HEADINGS = ("min", "median", "90%", "99%", "max")


def summary(solution: Solution) -> str:
    """Counts by status, quantiles of steps and residual over the lanes, time and throughput."""
    from rich import box
    from rich.console import Console, Group
    from rich.table import Table

    lanes = math.prod(solution.status.shape)
    counts = Table("status", "lanes", "share", box=box.SIMPLE_HEAD)
    for status, count in solution.counts().items():
        counts.add_row(status.name, f"{count:,}", f"{100 * count / lanes:.2f}%")
    spread = Table("per lane", *HEADINGS, box=box.SIMPLE_HEAD)
    spread.add_row("steps", *(f"{q:,.0f}" for q in _arrays.quantiles(solution.steps, QUANTILES)))
    for name in ("loss", "residual"):
        spread.add_row(name, *(f"{q:.2e}" for q in _arrays.quantiles(getattr(solution, name), QUANTILES)))
    run, compile, wall = (solution.timings[f"{name}_s"] for name in ("run", "compile", "wall"))
    speed = f", {lanes / run:,.0f} matrices/s" if lanes and run > 0 else ""
    title = (
        f"{solution.plan.problem}: {lanes:,} {'lane' if lanes == 1 else 'lanes'}, {solution.plan.backend}, {solution.plan.dtype}"
    )
    notes = [
        f"{status.name}: {advice.meaning(solution, status)}; {advice.remedy(solution, status)}"
        for status in solution.counts()
        if status != Status.CONVERGED
    ]
    time = f"compile {compile:.3g} s, run {run:.3g} s{speed}; {wall:.3g} s in all"
    text = io.StringIO()
    Console(file=text, width=100, color_system=None, force_jupyter=False).print(
        Group(title, str(solution.plan.solver), counts, spread, time, *notes)
    )
    return text.getvalue()
