"""Figures of any numbers against others, in the look of the others: a function and its derivative, times against sizes."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from backends.arrays import to_host
from engine.errors import ArgumentError
from engine.plots.template import COLOURS, SYMBOLS, blank, line, log_axis

MARKER = 9
"""Pixels of the first markers; those that are drawn over them are smaller."""


def plot_curves(
    x: ArrayLike,
    lines: Mapping[str, ArrayLike],
    markers: Mapping[str, ArrayLike] | None = None,
    *,
    title: str = "",
    labels: tuple[str, str] = ("x", "value"),
    log: str = "",
    dark: bool = False,
) -> Any:
    """A plotly figure of numbers against `x`, in the look of `Solution.plot`.

    Args:
        x: `(n,)`, an array or tensor.
        lines: name in the legend -> `(n,)`, drawn as a line, with markers where the points are few.
        markers: name -> `(n,)`, drawn as open markers over the lines.
        title: the words above.
        labels: the words at the two axes.
        log: the axes that are logarithmic: `"x"`, `"y"`, `"xy"`.
        dark: light on dark.

    Returns:
        plotly.graph_objects.Figure

    Raises:
        ValueError: numbers of another shape than x, or another axis.

    Example:
        >>> import numpy as np, engine
        >>> x = np.linspace(0, 2 * np.pi, 50)
        >>> figure = engine.plot_curves(x, {"sin": np.sin(x)}, {"its derivative": np.cos(x)}, title="A wave")
        >>> [trace.mode for trace in figure.data]
        ['lines', 'markers']
    """
    if not set(log) <= {"x", "y"}:
        raise ArgumentError(f"plot_curves: log came as {log!r}; expected some of 'x' and 'y'")
    for kind, named in (("lines", lines), ("markers", markers or {})):
        if not isinstance(named, Mapping):
            raise ArgumentError(
                f"plot_curves: {kind} came as {type(named).__name__}; expected a mapping from names to numbers: {{'mine': y}}"
            )
    at, figure = _column("x", x, None), blank(dark)
    for k, (name, values) in enumerate(lines.items()):
        figure.add_scatter(x=at, y=_column(name, values, at), name=escape(name), **line(k, len(lines), len(at)))
    for k, (name, values) in enumerate((markers or {}).items()):
        look = {"color": COLOURS[(len(lines) + k) % len(COLOURS)], "size": max(MARKER - 3 * k, 4)}
        look |= {"symbol": f"{SYMBOLS[k % len(SYMBOLS)]}-open"}
        figure.add_scatter(x=at, y=_column(name, values, at), name=escape(name), mode="markers", marker=look)
    figure.update_layout(title_text=escape(title), xaxis_title=labels[0], yaxis_title=labels[1])
    figure.update_layout(showlegend=len(figure.data) > 1)
    for axis in log:
        figure.update_layout({f"{axis}axis": log_axis(*_ends([trace[axis] for trace in figure.data]))})
    return figure


def _column(name: str, values: ArrayLike, like: np.ndarray | None) -> np.ndarray:
    """The numbers on the host. Raises ArgumentError where they are no column, or not one like x."""
    found = to_host(values)
    if found.dtype.kind not in "biuf":
        raise ArgumentError(f"plot_curves: {name!r} came with dtype {found.dtype}; expected real numbers")
    if found.ndim != 1 or (like is not None and found.shape != like.shape):
        wanted = "(n,)" if like is None else f"{like.shape}, as x has"
        raise ArgumentError(f"plot_curves: {name!r} came with shape {found.shape}; expected {wanted}")
    return found


def _ends(columns: list[np.ndarray]) -> tuple[float, float]:
    """The lowest and the highest number that a logarithmic axis can show."""
    numbers = np.concatenate([column[(column > 0) & np.isfinite(column)] for column in columns])
    return (float(numbers.min()), float(numbers.max())) if numbers.size else (1.0, 1.0)
