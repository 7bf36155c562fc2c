"""Plotly figures of a Solution. Needs `backends.arrays` for quantiles; plotly is imported when called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from backends import arrays as _arrays

if TYPE_CHECKING:
    from engine.solution import Solution

BANDS = ((0.0, 1.0, 0.12, "all lanes"), (0.1, 0.9, 0.25, "10% to 90%"))
COLOUR = "31, 119, 180"


def convergence(solution: Solution) -> Any:
    """The loss against the step on a log scale: the median over the lanes still at work, and bands around it.

    Raises:
        ValueError: without a history.
    """
    if solution.history is None:
        raise ValueError("plot: the solution has no history; expected one: call solve(..., history=True)")
    import plotly.graph_objects as go

    stride = int(solution.call.options["history"])
    marks = (0.0, 0.1, 0.5, 0.9, 1.0)
    curves = dict(zip(marks, _arrays.column_quantiles(solution.history, marks), strict=True))
    steps = [stride * row for row in range(len(curves[0.5]))]
    figure = go.Figure()
    for low, high, opacity, name in BANDS:
        figure.add_scatter(x=steps, y=curves[high], mode="lines", line_width=0, showlegend=False, hoverinfo="skip")
        fill = f"rgba({COLOUR}, {opacity})"
        figure.add_scatter(x=steps, y=curves[low], mode="lines", line_width=0, fill="tonexty", fillcolor=fill, name=name)
    figure.add_scatter(x=steps, y=curves[0.5], mode="lines", line_color=f"rgb({COLOUR})", name="median")
    lanes = solution.history.reshape((-1, solution.history.shape[-1])).shape[0] if len(steps) else 0
    figure.update_layout(
        title=f"{solution.plan.problem}: loss of {lanes:,} lanes, {type(solution.plan.solver).__name__}",
        xaxis_title="step",
        yaxis={"title": "loss before the step", "type": "log", "exponentformat": "power"},
        legend={"orientation": "h", "y": -0.2},
    )
    return figure
