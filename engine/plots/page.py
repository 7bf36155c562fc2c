"""A figure as HTML: for pages that have others, and as a page of its own, in the reader's theme, as high as the window."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.io import npz_write
from engine.plots.template import GRID, GROUND, INK

SCRIPT = Path(__file__).with_name("figures.js")
"""The script that draws figures in the colours of their page; it needs plotly.js before it."""

COLOURS = "--pst-color-text-base: {ink}; --pst-color-border: {grid}; --pst-color-surface: {ground};"
STYLE = """
:root { color-scheme: light dark; --pst-font-family-base: system-ui, sans-serif; LIGHT }
@media (prefers-color-scheme: dark) { :root { DARK } }
:root[data-theme="dark"] { color-scheme: dark; DARK }
html { background: var(--pst-color-surface); color: var(--pst-color-text-base); font-family: var(--pst-font-family-base); }
body, figure { margin: 0; }
body { padding: 1rem; }
figcaption { font-weight: 600; overflow-wrap: anywhere; }
figcaption small { display: block; font-weight: 400; }
"""


def figure_html(figure: Mapping[str, Any], without_scripts: str = "", fill: bool = False) -> str:
    """A figure of plotly's JSON as an element that `figures.js` draws: title and subtitle as a caption, the data as JSON.

    Args:
        without_scripts: the HTML that stands in where scripts are off.
        fill: as high as the window leaves room.
    """
    title = figure["layout"].get("title", {})
    below = title.get("subtitle", {}).get("text", "")
    caption = title.get("text", "") + (f"<small>{below}</small>" if below else "")
    data = json.dumps({"data": figure["data"], "layout": figure["layout"]}).replace("<", "\\u003c")
    return (
        f'<figure class="plotly-figure"{" data-fill" if fill else ""}>{f"<figcaption>{caption}</figcaption>" if caption else ""}'
        f'<div class="plotly-plot"></div><script type="application/json">{data}</script>'
        f"<noscript>{without_scripts}</noscript></figure>"
    )


def write(figure: Any, path: str, *, self_contained: bool = False, dark: bool = False) -> None:
    """Write a plotly figure as an HTML page that needs no network.

    The page loads plotly.js from a file that is written beside it, out of plotly's own package, if it is not there yet.

    Args:
        self_contained: plotly.js inside of the page, which then has some 5 MB.
        dark: light on dark, whatever the reader's theme is.

    Raises:
        FileError: when the system refuses.
    """
    from plotly.offline import get_plotlyjs, get_plotlyjs_version

    beside = os.path.join(os.path.dirname(os.path.realpath(path)), f"plotly-{get_plotlyjs_version()}.min.js")
    plotly = f"<script>{get_plotlyjs()}</script>" if self_contained else f'<script src="{os.path.basename(beside)}"></script>'
    with npz_write.whole(path) as file:
        file.write(_page(json.loads(figure.to_json()), plotly, dark).encode())
    if not self_contained and not os.path.exists(beside):
        with npz_write.whole(beside) as file:
            file.write(get_plotlyjs().encode())


def _page(figure: Mapping[str, Any], plotly: str, dark: bool) -> str:
    """The text of the page."""
    light, night = (COLOURS.format(ink=INK[mode], grid=GRID[mode], ground=GROUND[mode]) for mode in (False, True))
    style = STYLE.replace("LIGHT", light).replace("DARK", night)
    title = figure["layout"].get("title", {}).get("text", "")
    return (
        f'<!doctype html>\n<html lang="en"{" data-theme=dark" if dark else ""}>\n<head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><title>{title}</title><style>{style}</style></head>\n'
        f"<body>{figure_html(figure, fill=True)}\n{plotly}\n<script>{SCRIPT.read_text()}</script></body>\n</html>\n"
    )
