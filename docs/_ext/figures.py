"""Live figures in pages: of executed notebooks, of the guide's own code, and of pictures that have their data beside them.

* An output of a notebook in plotly's JSON.
* A block of the guide that assigns `figure`: all blocks of the page run, as the tests run them, and the figure stands below it.
* An image, `![words](NAME.png)`, with `NAME.json` beside it.

`engine/plots/figures.js` draws them in the page's width and colours, with plotly.js from the site's own files.
"""

from __future__ import annotations

import doctest
import json
import re
from pathlib import Path
from typing import Any

from engine.plots.page import figure_html

PLOTLY = "application/vnd.plotly.v1+json"
BLOCK = re.compile(r"^```python\n(.*?)^```$", re.DOTALL | re.MULTILINE)
IMAGE = re.compile(r"^!\[([^\]]*)\]\(([^)]+)\.png\)$", re.MULTILINE)
FIGURE = ">>> figure = "
PLACE = "<!-- picture -->"


def of_output(bundle: dict[str, Any]) -> str:
    """The HTML of one output bundle; its picture, where it has one, is for pages without scripts."""
    figure, png = bundle[PLOTLY], bundle.get("image/png", "").replace("\n", "")
    words = figure["layout"].get("title", {}).get("text", "")
    return figure_html(figure, f'<img alt="{words}" src="data:image/png;base64,{png}">' if png else "")


def of_notebook(text: str) -> str:
    """The notebook with HTML in place of each plotly bundle."""
    notebook = json.loads(text)
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            if PLOTLY in output.get("data", {}):
                output["data"] = {"text/html": of_output(output["data"])}
    return json.dumps(notebook)


def of_code(text: str, name: str) -> str:
    """The page with a figure below each block that assigns one.

    Raises:
        ValueError: an example of the page does not print what it says.
    """
    names: dict[str, Any] = {}
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)

    def shown(block: re.Match[str]) -> str:
        test = doctest.DocTestParser().get_doctest(block[1], names, name, None, 0)
        if runner.run(test, clear_globs=False).failed:
            raise ValueError(f"{name}: an example prints something else than the page says, see above")
        names.update(test.globs)
        if FIGURE not in block[1]:
            return block[0]
        return f"{block[0]}\n\n{_raw(figure_html(json.loads(names['figure'].to_json())))}"

    return BLOCK.sub(shown, text)


def of_images(text: str, folder: Path) -> str:
    """The page with a figure in place of each image that has its data beside it; the image is for pages without scripts."""

    def live(image: re.Match[str]) -> str:
        data = folder / f"{image[2]}.json"
        if not data.exists():
            return image[0]
        before, after = figure_html(json.loads(data.read_text()), PLACE).split(PLACE)
        return f"{_raw(before)}\n\n{image[0]}\n\n{_raw(after)}"

    return IMAGE.sub(live, text)


def _raw(html: str) -> str:
    return f"```{{raw}} html\n{html}\n```"


def _with_figures(app: Any, name: str, source: list[str]) -> None:
    """Each figure becomes HTML before the page is parsed."""
    path = Path(app.env.doc2path(name))
    if path.suffix == ".ipynb":
        source[0] = of_notebook(source[0])
        return
    source[0] = of_images(source[0], path.parent)
    if FIGURE in source[0]:
        source[0] = of_code(source[0], name)


def _scripts(app: Any, name: str, template: str, context: dict[str, Any], doctree: Any) -> None:
    """plotly.js only where there are figures."""
    if doctree is not None and "plotly-figure" in context.get("body", ""):
        app.add_js_file("plotly.min.js", loading_method="defer")
        app.add_js_file("figures.js", loading_method="defer")


def setup(app: Any) -> dict[str, bool]:
    """After the gallery page has its text."""
    app.connect("source-read", _with_figures, priority=600)
    app.connect("html-page-context", _scripts)
    return {"parallel_read_safe": True}
