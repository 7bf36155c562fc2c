"""Helpers of the examples of this folder: their number of lanes, their one line, their picture."""

import contextlib
import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from engine.plots import page
from engine.plots.template import template

FOLDER = Path(os.environ.get("LANEWISE_GALLERY", "out/gallery"))
"""Folder of the pictures."""


def size(number: int) -> int:
    """So many lanes, or 12 where the environment says LANEWISE_QUICK."""
    return min(number, 12) if os.environ.get("LANEWISE_QUICK") else number


def loop(function: Callable[[int], Any], lanes: Any) -> tuple[np.ndarray, float]:
    """The usual tool: its answers for some lanes, one after the other, and the seconds that it takes for one."""
    begun = time.perf_counter()
    answers = np.stack([function(int(lane)) for lane in lanes])
    return answers, (time.perf_counter() - begun) / max(1, len(lanes))


def report(solution: Any, tool: str, seconds: float, apart: Any) -> None:
    """One line: lanes, share by status, seconds, the largest difference to the usual tool, and how many times as fast."""
    name, lanes, run = Path(inspect.stack()[1].filename).stem, solution.status.size, solution.timings["run_s"]
    shares = ", ".join(f"{100 * n / lanes:.1f}% {status.name}" for status, n in solution.counts().items())
    speed = f"{float(f'{seconds * lanes / max(run, 1e-9):.2g}'):,g} times as fast"
    print(f"{name}: {lanes:,} lanes, {shares}, {run:.2g} s; within {np.max(apart):.0e} of {tool}; {speed}")


def save(figure: Any, x: str, y: str, title: str, height: int = 460) -> None:
    """The figure under the example's name: in plotly's JSON, which the site draws; as PNG too where kaleido and a Chrome are.

    In haste it is an HTML page.
    """
    path = FOLDER / Path(inspect.stack()[1].filename).stem
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure.update_layout(template={"layout": template()}, title_text=title, height=height)
    if figure.layout.annotations:  # titles of its parts, below its own
        figure.update_layout(margin_t=90)
    figure.update_xaxes(title_text=x).update_yaxes(title_text=y)
    if os.environ.get("LANEWISE_QUICK"):
        page.write(figure, f"{path}.html")
        return
    path.with_suffix(".json").write_text(f"{figure.to_json()}\n")
    with contextlib.suppress(Exception):  # no kaleido, no Chrome, or one that does not answer
        figure.write_image(path.with_suffix(".png"), width=760, scale=1.25)
