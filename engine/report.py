"""The words of a Solution: a table for a terminal."""

from __future__ import annotations

import io
import math

from backends import arrays as _arrays
from engine import advice
from engine.answers import Answers
from engine.status import Status

QUANTILES = (0.0, 0.5, 0.9, 0.99, 1.0)
HEADINGS = ("min", "median", "90%", "99%", "max")


MILLISECOND = 1e-3
"""Seconds below which a phase of the first call is not worth a word."""


def summary(solution: Answers) -> str:
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
    load, trace, before, run, wall = (solution.timings[f"{name}_s"] for name in ("import", "trace", "compile", "run", "wall"))
    phases = {"import": load, "trace": trace}
    prepared = "".join(f"{name} {seconds:.2g} s, " for name, seconds in phases.items() if seconds >= MILLISECOND)
    prepared += f"compile {max(0.0, before - load - trace):.2g} s, "
    speed = f", {lanes / run:,.0f} matrices/s" if lanes and run > 0 else ""
    title = (
        f"{solution.plan.problem}: {lanes:,} {'lane' if lanes == 1 else 'lanes'}, {solution.plan.backend}, {solution.plan.dtype}"
    )
    notes = [
        f"{status.name}: {'; '.join(advice.words(solution, status))}"
        for status in solution.counts()
        if status != Status.CONVERGED
    ]
    time = f"{prepared}run {run:.3g} s{speed}; {wall:.3g} s in all"
    text = io.StringIO()
    Console(file=text, width=100, color_system=None, force_jupyter=False).print(
        Group(title, str(solution.plan.solver), counts, spread, time, *notes)
    )
    return text.getvalue()
