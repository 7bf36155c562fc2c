"""The look of all figures: a plotly template, light or dark, axes of powers, and line styles that tell lanes apart on both."""

from __future__ import annotations

import math
from typing import Any

COLOURS = ("#2a7de1", "#d9480f", "#0c8f5a", "#b455d6", "#a67c00", "#d6336c", "#0b93a6", "#7a7f87")
"""Colours of lines, in order; each has a contrast of 3.6 or more to the light and to the dark ground."""

SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up")

ROPE, STRAND = 4, 7
"""Lines that are told apart by their dashes where they coincide, and pixels of the shortest dash."""

GROUND, INK, GRID = {False: "#ffffff", True: "#14181e"}, {False: "#22262b", True: "#ced6dd"}, {False: "#dfe3e8", True: "#353b44"}
"""Dark or not -> colour of the page, of words, of grid lines."""

TEXT, TICK = 14, 12
"""Pixels of words and of tick labels."""

FEW = 30
"""Points up to which a line has markers."""


def template(dark: bool = False) -> dict[str, Any]:
    """The layout that figures begin with: a title on the left, a legend below the axis at any height, ticks of one size."""
    axis = {
        "gridcolor": GRID[dark],
        "linecolor": GRID[dark],
        "showline": True,
        "zeroline": False,
        "tickfont": {"size": TICK},
        "title": {"standoff": 8},
        "automargin": True,
    }
    return {
        "paper_bgcolor": GROUND[dark],
        "plot_bgcolor": GROUND[dark],
        "font": {"size": TEXT, "color": INK[dark]},
        "colorway": COLOURS,
        "xaxis": axis,
        "yaxis": axis,
        "title": {"x": 0, "xref": "paper", "y": 1, "yref": "container", "yanchor": "top", "pad": {"t": 14, "b": 12}, "automargin": True},
        "legend": {"orientation": "h", "traceorder": "normal", "x": 0, "xref": "paper", "y": 0, "yref": "container", "yanchor": "bottom"},
        "margin": {"l": 20, "r": 20, "t": 20, "b": 20},
    }  # fmt: skip


def blank(dark: bool = False) -> Any:
    """A plotly figure without data in this look."""
    import plotly.graph_objects as go

    return go.Figure(layout={"template": {"layout": template(dark)}})


def log_axis(low: float, high: float) -> dict[str, Any]:
    """A logarithmic axis for numbers between two, with tick labels of one size: plotly sets powers a quarter larger.

    From two decades on the ticks are powers of ten; below, they are 1, 2 and 5 times these.
    """
    if not 0 < low <= high:
        return {"type": "log"}
    decades = math.log10(high) - math.log10(low)
    if decades >= 2:
        return {"type": "log", "exponentformat": "power", "dtick": math.ceil(decades / 8), "tickfont": {"size": TICK / 1.25}}
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    ticks = [float(f"{digit}e{exponent}") for exponent in exponents for digit in (1, 2, 5)]
    return {"type": "log", "tickvals": ticks, "ticktext": [f"{tick:g}" for tick in ticks]}


def line(k: int, of: int, points: int) -> dict[str, Any]:
    """The style of line k of several, such that lines which coincide are all seen.

    Of each `ROPE` lines the first is whole, and the dashes of the others are ever shorter, over one period: where they coincide they
    look like a rope of all their colours. The lines before these are wider.
    """
    strands, rounds = min(of, ROPE), (of - 1) // ROPE
    gap = STRAND * (k % ROPE)
    dash = f"{STRAND * strands - gap}px,{gap}px" if gap else "solid"
    width = 2.5 + 1.5 * (rounds - k // ROPE)
    style = {"mode": "lines", "line": {"color": COLOURS[k % len(COLOURS)], "dash": dash, "width": width}}
    if points > FEW:
        return style
    return style | {
        "mode": "lines+markers",
        "marker": {"symbol": SYMBOLS[k % len(SYMBOLS)], "size": 6 + 3 * (strands - 1 - k % ROPE)},
    }
