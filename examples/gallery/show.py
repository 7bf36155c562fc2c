"""Helpers of the examples of this folder: their number of lanes, their one line, their picture."""

import contextlib
import inspect
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

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


def save(figure: Any, x: str, y: str, title: str, height: int = 420) -> None:
    """The figure under the example's name: as PNG where kaleido and a Chrome are, else, or in haste, as HTML."""
    path = FOLDER / Path(inspect.stack()[1].filename).stem
    FOLDER.mkdir(parents=True, exist_ok=True)
    figure.update_layout(template="simple_white", title=title, width=760, height=height, margin=dict(l=70, r=30, t=60, b=60))
    figure.update_layout(font_size=14, legend=dict(x=1.02, xanchor="left", y=1))
    figure.update_xaxes(title_text=x).update_yaxes(title_text=y)
    if not os.environ.get("LANEWISE_QUICK"):
        with contextlib.suppress(Exception):  # no kaleido, no Chrome, or one that does not answer
            figure.write_image(path.with_suffix(".png"), scale=1.25)
            return
    figure.write_html(path.with_suffix(".html"), include_plotlyjs="directory")
