"""Execute the tutorials and write them as notebooks: `make tutorials`. Needs the docs extra.

Figures go in as plotly's own JSON, no plotly.js; and as PNG beside it, for readers
without scripts, where kaleido and a Chrome are installed.
"""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def execute(source: Path, renderer: str) -> nbformat.NotebookNode:
    """The notebook of a source, executed. Raises CellExecutionError where a cell fails."""
    notebook = jupytext.read(source)
    os.environ["PLOTLY_RENDERER"] = renderer
    NotebookClient(
        notebook,
        timeout=1800,
        kernel_name="python3",
        resources={"metadata": {"path": str(HERE)}},
    ).execute()
    return notebook


def main() -> None:
    """All tutorials, or those that are named."""
    renderer = (
        "plotly_mimetype+png"
        if importlib.util.find_spec("kaleido")
        else "plotly_mimetype"
    )
    for source in sorted(HERE.glob("[0-9]_*.py")):
        if len(sys.argv) < 2 or source.stem in sys.argv[1:]:
            notebook = execute(source, renderer)
            for number, cell in enumerate(notebook.cells):
                cell["id"] = f"cell-{number}"  # a random one would change each time
                cell.metadata.pop("execution", None)
            nbformat.write(notebook, source.with_suffix(".ipynb"))


if __name__ == "__main__":
    main()
