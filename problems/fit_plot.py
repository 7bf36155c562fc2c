"""The figure of fits: the points of some lanes, and the fitted curve through them. Needs NumPy; drawn as all figures are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from html import escape
from itertools import islice
from typing import Any

import numpy as np

import engine
from backends.arrays import to_host
from backends.types import Array
from engine import Param, Problem, Solution, Status
from engine.errors import ArgumentError
from engine.one_lane import EAGER, Index, entry, index_of
from engine.plots.convergence import Lane, Lanes
from engine.plots.loss_quantiles import listed
from engine.plots.template import COLOURS, SYMBOLS, blank
from engine.solvers.evaluate import Evaluate
from engine.status import USABLE

FINE, FIRST = 200, 4
"""Points of a curve, and lanes that are drawn where none is named."""


def plot_fit(
    model: Callable[..., Array],
    sigma: str | Array | None,
    solution: Solution,
    lanes: Lanes = (),
    title: str = "",
    dark: bool = False,
) -> Any:
    """A plotly figure of fits of one variable: the points that count as markers, and the model as a line.

    The line of a lane that did not converge is dashed.

    Args:
        sigma: the standard deviation of y in its units, for error bars: a datum's name, or `(n,)` or a number; or None.
        lanes: as for `Solution.plot`; by default the first four.

    Raises:
        IndexError: for a lane that there is not.
        ValueError: the model has several variables, or the solution was loaded from a file.

    Example:
        >>> import numpy as np, engine, problems
        >>> line = problems.curve_fit(lambda x, a, b: a * x + b)
        >>> fit = engine.solve(line, {"x": np.arange(3.0), "y": np.array([[1.0, 3.1, 4.9]])}, backend="numpy")
        >>> [trace.mode for trace in fit.plot_fit().data]
        ['markers', 'lines']
    """
    problem = solution.call.declared("plot_fit")
    if problem.data["x"] != "n":
        raise ArgumentError(
            "plot_fit: the model has several variables; expected one: draw what you want to see of it with plot_curves"
        )
    named, figure = _named(solution, lanes), blank(dark)
    points = [_points(solution, index, sigma) for index in named.values()]
    at, curves = _curves(model, solution, list(named.values()), [x[np.isfinite(x)] for x, *_ in points])
    for k, ((name, index), (x, y, error)) in enumerate(zip(named.items(), points, strict=True)):
        colour = COLOURS[k % len(COLOURS)]
        marker = {"color": colour, "size": 8, "symbol": SYMBOLS[k % len(SYMBOLS)]}
        bars = {} if error is None else {"error_y": {"array": error, "thickness": 1, "width": 2}}
        figure.add_scatter(x=x, y=y, mode="markers", name=name, marker=marker, legendgroup=name, **bars)
        usable = int(to_host(solution.status)[index]) in map(int, USABLE)
        look = {"color": colour, "width": 2, "dash": "solid" if usable else "dash", "simplify": False}
        figure.add_scatter(x=at[k], y=curves[k], mode="lines", line=look, showlegend=False, legendgroup=name, hoverinfo="skip")
    figure.update_layout(title_text=escape(title or f"{len(named)} of {to_host(solution.status).size:,} fits"), showlegend=True)
    return figure.update_xaxes(title="x").update_yaxes(title="y")


def _named(solution: Solution, lanes: Lanes) -> dict[str, Index]:
    """Words of the legend -> index of the lane."""
    if isinstance(lanes, Mapping):
        return {escape(name): index_of(solution, listed([lane])[0]) for name, lane in lanes.items()}
    codes = to_host(solution.status)
    chosen: list[Lane] = listed(lanes) or list(islice(range(codes.size), FIRST))
    found = {lane: index_of(solution, lane) for lane in chosen}
    return {f"lane {lane}: {Status(int(codes[index])).name}": index for lane, index in found.items()}


def _points(solution: Solution, index: Index, sigma: str | Array | None) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """x, y and the lengths of the error bars of one lane, of the points that count."""
    data = {name: entry(array, 1, index) for name, array in solution.call.named.items()}
    on = np.broadcast_to(data.get("mask", True) != 0, data["y"].shape)
    spread = None if sigma is None else data[sigma] if isinstance(sigma, str) else to_host(sigma)
    error = None if spread is None else np.broadcast_to(spread, data["y"].shape)[on]
    return data["x"][on], data["y"][on], error


def _curves(
    model: Callable[..., Array], solution: Solution, lanes: list[Index], places: list[np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """The model of each lane at fine steps of x, by the engine, so that it may be written in any library."""
    if not lanes:
        return np.zeros((0, FINE)), np.zeros((0, FINE))
    names = list(solution.params)
    ends = [(x.min(), x.max()) if x.size else (0.0, 1.0) for x in places]
    low, high = np.transpose(ends)
    at = np.linspace(low, high, FINE, axis=-1)

    def curve(**named: Array) -> Array:
        return model(named["x"], *(named[name] for name in names)) + 0 * named["y"]  # a number for each point

    drawn = Problem("fitted_curve", {"x": "n", "y": "n"}, {name: Param("") for name in names}, curve, measures={"curve": curve})
    start = {name: np.stack([to_host(value)[index] for index in lanes]) for name, value in solution.params.items()}
    backend = EAGER.get(solution.plan.backend, solution.plan.backend)
    options: dict[str, Any] = {"solver": Evaluate(), "tol": 0, "max_steps": 0, "derivatives": 0, "backend": backend}
    return at, engine.solve(drawn, {"x": at, "y": np.zeros_like(at)}, start=start, **options).measures["curve"]
