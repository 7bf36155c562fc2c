"""Plotly figures of a solve. Needs `loss_quantiles` for quantiles; plotly is imported when called."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import Any

from engine.plots import loss_quantiles

BANDS = ((0.0, 1.0, 0.15, "all lanes"), (0.1, 0.9, 0.3, "10% to 90% of lanes"))
BLUE = {False: "31, 119, 180", True: "110, 184, 240"}
LANES = ("#d62728", "#2ca02c", "#ff7f0e", "#9467bd", "#8c564b", "#e377c2", "#17becf", "#bcbd22")
TEMPLATE = {False: "plotly_white", True: "plotly_dark"}


@dataclass(frozen=True)
class Losses:
    """The data of a figure of convergence: `history` `(..., T)`, every how many steps, words, counts by status."""

    history: Any
    every: int
    problem: str
    solver: str
    backend: str
    counts: dict[str, int]


def convergence(losses: Losses, lanes: Any = (), dark: bool = False, points: int = 1000) -> Any:
    """The loss against the step on a log scale: the median over the lanes, quantile bands around it, single lanes.

    A lane that is done keeps its last finite loss, a loss of 0 stands at the smallest positive one, and losses
    below 0 make the axis linear. Where a lane diverges the axis ends soon above the first losses; zoom out for more.

    Args:
        lanes: which lanes to draw one by one: flat numbers, or indices (tuples) of the batch shape.
        dark: light on dark.
        points: at most so many steps are drawn, evenly spaced.

    Raises:
        IndexError: for a lane that there is not.
    """
    import plotly.graph_objects as go

    curves = loss_quantiles.quantile_curves(losses.history, points)
    figure = go.Figure()
    if len(curves.losses) > 1:
        _bands(figure, curves, losses.every, BLUE[dark])
    for k, lane in enumerate(loss_quantiles.listed(lanes) if len(curves.losses) != 1 else [0]):
        rows, loss = curves.lane(lane)
        name = f"lane {lane}" if len(curves.losses) > 1 else "loss"
        figure.add_scatter(
            x=rows * losses.every, y=loss, mode="lines", name=name, line={"width": 1.5, "color": LANES[k % len(LANES)]}
        )
    if not curves.losses.size:
        figure.add_annotation(text="no steps were taken", showarrow=False)
    _layout(figure, losses, curves, dark)
    return figure


def _bands(figure: Any, curves: loss_quantiles.Curves, every: int, colour: str) -> None:
    """Filled quantile bands and the median."""
    marks = tuple(q for low, high, *_ in BANDS for q in (low, high))
    *edges, median = curves.quantiles((*marks, 0.5))
    steps = curves.rows * every
    for k, (_, _, opacity, name) in enumerate(BANDS):
        edge = dict(x=steps, mode="lines", line_width=0, legendgroup=name, hoverinfo="skip")
        figure.add_scatter(y=edges[2 * k + 1], showlegend=False, **edge)
        figure.add_scatter(y=edges[2 * k], fill="tonexty", fillcolor=f"rgba({colour}, {opacity})", name=name, **edge)
    figure.add_scatter(x=steps, y=median, mode="lines", line={"width": 2.5, "color": f"rgb({colour})"}, name="median")


def _layout(figure: Any, losses: Losses, curves: loss_quantiles.Curves, dark: bool) -> None:
    lanes = len(curves.losses)
    statuses = ", ".join(f"{count:,} {name}" for name, count in losses.counts.items())
    # The words may come from a file, and plotly renders HTML in titles.
    words = [
        f"{losses.problem}: loss of {lanes:,} {'lane' if lanes == 1 else 'lanes'}",
        f"{losses.solver}, {losses.backend}",
        statuses,
    ]
    title, *subtitle = map(escape, words)
    figure.update_layout(
        template=TEMPLATE[dark],
        title={"text": title, "subtitle": {"text": "<br>".join(subtitle)}},
        xaxis={"title": "step", "rangemode": "tozero"},
        yaxis={"title": "loss before the step", "type": "log" if curves.logarithmic else "linear", "exponentformat": "power"},
        legend={"orientation": "h", "yanchor": "top", "y": -0.2, "x": 0.0},
        margin={"t": 110},
        showlegend=True,
    )
    if curves.exploded:
        figure.update_yaxes(range=[math.log10(edge) for edge in curves.exploded])
