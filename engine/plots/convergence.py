"""Figures of convergence: the loss against the step, of one solution or of several. Needs `loss_quantiles` for quantiles."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from backends.arrays import to_host
from engine.answers import Answers
from engine.errors import ArgumentError
from engine.plots import loss_quantiles
from engine.plots.loss_quantiles import Curves
from engine.plots.template import COLOURS, blank, line, log_axis
from engine.status import Status

Lane = int | tuple[int, ...]
Lanes = Lane | Iterable[Lane] | Mapping[str, Lane]

BANDS = ((0.0, 1.0, 0.15, "all lanes"), (0.1, 0.9, 0.3, "10% to 90% of lanes"))
BLUE = tuple(int(COLOURS[0][k : k + 2], 16) for k in (1, 3, 5))

EACH = len(COLOURS)
"""Number of lanes up to which each is drawn, in place of quantiles."""


@dataclass(frozen=True)
class Losses:
    """The data of a figure: `history` `(..., T)` of every so many steps, the codes of `Status` `(...)`, and words."""

    history: Any
    every: int
    problem: str
    solver: str
    backend: str
    status: Any


def losses_of(solution: Answers, who: str) -> Losses:
    """The losses of a solution. Raises ArgumentError, a ValueError, naming `who`, where it has no history."""
    if solution.history is None:
        raise ArgumentError(f"{who}: the solution has no history; expected one: call solve(..., history=True)")
    plan, every = solution.plan, int(solution.call.options["history"])
    return Losses(solution.history, every, plan.problem, str(plan.solver), plan.backend, solution.status)


def of_one(losses: Losses, lanes: Lanes = (), title: str = "", dark: bool = False, points: int = 1000) -> Any:
    """The loss of one solution against the step: each of up to 8 lanes, or the lanes asked for over quantiles of all lanes.

    A lane that is done keeps its last finite loss, a loss of 0 stands at the smallest positive one, and losses
    below 0 make the axis linear. The axis ends soon above the first losses where a lane diverges, and below where losses are
    rounding; zoom out for more.

    Raises:
        IndexError: for a lane that there is not.
    """
    curves = loss_quantiles.quantile_curves(losses.history, points)
    named = _named(lanes, curves, to_host(losses.status))
    figure, few = blank(dark), len(curves.losses) <= EACH
    if not few:
        _bands(figure, curves, losses.every)
    for k, (name, lane) in enumerate(named.items(), start=0 if few else 1):
        rows, loss = curves.lane(lane)
        figure.add_scatter(x=rows * losses.every, y=loss, name=name, **line(k, len(named) + (not few), len(rows)))
    codes = Counter(to_host(losses.status).reshape(-1).tolist())
    statuses = ", ".join(f"{codes[status]:,} {status.name}" for status in Status if codes[status])
    count = len(curves.losses)
    title = title or f"{losses.problem}: loss of {count:,} {'lane' if count == 1 else 'lanes'}"
    _layout(figure, title, (f"{losses.solver}, {losses.backend}", statuses), [curves])
    return figure


def plot_convergence(solutions: Mapping[str, Answers], *, title: str = "", dark: bool = False, points: int = 1000) -> Any:
    """A plotly figure of the loss against the step of several solutions: other solvers, starts or shapes, side by side.

    A solution of many lanes is drawn by the median over them. `Solution.plot` draws the lanes of one.

    Args:
        solutions: name in the legend -> a solution that was solved with `history`.
        title: the words above; by default the problems' names.
        dark: light on dark.
        points: at most so many steps of each are drawn, evenly spaced.

    Returns:
        plotly.graph_objects.Figure

    Raises:
        ValueError: a solution without a history, or no solution.

    Example:
        >>> import numpy as np, engine, problems
        >>> A = np.array([[2.0, 1.0], [0.0, 1.0]])
        >>> solvers = {"quick": engine.solvers.LevenbergMarquardt(), "slow": engine.solvers.GradientDescent(0.1)}
        >>> solve = lambda by: engine.solve(problems.inverse(), A, solver=by, backend="numpy", max_steps=20, history=True)
        >>> figure = engine.plot_convergence({name: solve(solver) for name, solver in solvers.items()})
        >>> [trace.name for trace in figure.data]
        ['quick', 'slow']
    """
    if not isinstance(solutions, Mapping) or not solutions or not all(isinstance(one, Answers) for one in solutions.values()):
        came = f"{solutions!r:.80}" if isinstance(solutions, Mapping) else type(solutions).__name__
        raise ArgumentError(
            f"plot_convergence: solutions came as {came}; expected a mapping from names to solutions: {{'mine': solution}}"
        )
    losses = {name: losses_of(solution, f"plot_convergence: {name!r}") for name, solution in solutions.items()}
    curves = {name: loss_quantiles.quantile_curves(one.history, points) for name, one in losses.items()}
    figure = blank(dark)
    for k, (name, one) in enumerate(curves.items()):
        rows, loss = one.lane(0) if len(one.losses) == 1 else (one.rows, one.quantiles((0.5,))[0])
        figure.add_scatter(x=rows * losses[name].every, y=loss, name=escape(name), **line(k, len(curves), len(rows)))
    problems = ", ".join(dict.fromkeys(one.problem for one in losses.values()))
    many = any(len(one.losses) > 1 for one in curves.values())
    _layout(figure, title or f"{problems}: loss", ("median over the lanes",) if many else (), list(curves.values()))
    return figure


def _named(lanes: Lanes, curves: Curves, status: np.ndarray) -> dict[str, Lane]:
    """Words of the legend -> lane, of the lanes asked for, or of all where they are few."""
    if isinstance(lanes, Mapping):
        return {escape(name): loss_quantiles.listed([lane])[0] for name, lane in lanes.items()}
    chosen = loss_quantiles.listed(lanes)
    if not chosen and len(curves.losses) <= EACH:
        chosen = list(range(len(curves.losses)))
    places = {lane: curves.index(lane) for lane in chosen}
    return {f"lane {lane}: {Status(int(status.reshape(-1)[place])).name}": lane for lane, place in places.items()}


def _bands(figure: Any, curves: Curves, every: int) -> None:
    """Filled quantile bands and the median."""
    marks = tuple(q for low, high, *_ in BANDS for q in (low, high))
    *edges, median = curves.quantiles((*marks, 0.5))
    steps = curves.rows * every
    for k, (_, _, opacity, name) in enumerate(BANDS):
        edge = dict(x=steps, mode="lines", line_width=0, legendgroup=name, hoverinfo="skip")
        figure.add_scatter(y=edges[2 * k + 1], showlegend=False, **edge)
        figure.add_scatter(y=edges[2 * k], fill="tonexty", fillcolor=f"rgba{(*BLUE, opacity)}", name=name, **edge)
    figure.add_scatter(x=steps, y=median, name="median", **line(0, 1, len(steps)))


def _layout(figure: Any, title: str, subtitle: Iterable[str], curves: list[Curves]) -> None:
    # The words may come from a file, and plotly renders HTML in titles.
    figure.update_layout(
        title={"text": escape(title), "subtitle": {"text": "<br>".join(map(escape, subtitle))}},
        xaxis={"title": "step", "rangemode": "tozero"},
        yaxis={"title": "loss before the step", "type": "linear"},
        showlegend=sum(trace.showlegend is not False for trace in figure.data) > 1,
    )
    if not any(len(one.rows) and len(one.losses) for one in curves):
        figure.add_annotation(text="no steps were taken", showarrow=False)
    shown = [one.shown for one in curves if one.shown is not None]
    if len(shown) == len(curves):
        low, high = min(low for low, _ in shown), max(high for _, high in shown)
        figure.update_yaxes(log_axis(low, high), range=[math.log10(low), math.log10(high)])
