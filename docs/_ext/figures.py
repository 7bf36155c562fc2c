"""Plotly figures of the notebooks as live figures of the site: data in the page, plotly.js from the site's own files.

`_static/figures.js` draws them in the page's width and colours; the PNG stands in where scripts are off.
"""

from __future__ import annotations

import json
from typing import Any

PLOTLY = "application/vnd.plotly.v1+json"


def page(bundle: dict[str, Any]) -> str:
    """The HTML of one output bundle: the figure's data as JSON, and its picture for pages without scripts."""
    figure = bundle[PLOTLY]
    title = figure["layout"].get("title", {}).get("text", "")
    data = json.dumps({"data": figure["data"], "layout": figure["layout"]}).replace("</", "<\\/")
    picture = bundle.get("image/png", "").replace("\n", "")
    return (
        f'<figure class="plotly-figure"><figcaption>{title}</figcaption><div class="plotly-plot"></div>'
        f'<script type="application/json">{data}</script>'
        f'<noscript><img alt="{title}" src="data:image/png;base64,{picture}"></noscript></figure>'
    )


def _with_figures(app: Any, name: str, source: list[str]) -> None:
    """Each plotly bundle of a notebook becomes HTML before the notebook is parsed."""
    if PLOTLY not in source[0]:
        return
    notebook = json.loads(source[0])
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if PLOTLY in output.get("data", {}):
                output["data"] = {"text/html": page(output["data"])}
    source[0] = json.dumps(notebook)


def _scripts(app: Any, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """plotly.js only where there are figures."""
    if doctree is not None and "plotly-figure" in context.get("body", ""):
        app.add_js_file("plotly.min.js", loading_method="defer")
        app.add_js_file("figures.js", loading_method="defer")


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", _with_figures)
    app.connect("html-page-context", _scripts)
    return {"parallel_read_safe": True}
