"""The tutorials run, and what is committed of them is whole: executed from the sources beside it, small, no plotly.js."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
SOURCES = sorted(FOLDER.glob("[0-9]_*.py"))
FIGURES = {"1_derivatives": 2, "2_inverse": 3, "3_svd": 4}
WORDS = {
    "1_derivatives": ["16807.0, 36015.0", "0.7196"],
    "2_inverse": ["NONFINITE_INPUT", "backend  fused", "10,000 matrices"],
    "3_svd": [
        "[2.3398 0.6873 0.2592 0.1177]",
        "7x4                  MAX_STEPS",
        "4x3                  STALLED",
        "u_3 turned  CONVERGED",
    ],
}


def committed(source: Path) -> Any:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)  # type: ignore[no-untyped-call]


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_tutorial_runs_with_short_settings(source: Path) -> None:
    """In a kernel, as a reader runs it; a process of its own, for the event loop and the warnings are Jupyter's."""
    code = (
        "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import build; "
        "notebook = build.execute(pathlib.Path(sys.argv[2]), quick=True); "
        "sys.stdout.write(str(sum('application/vnd.plotly.v1+json' in o.get('data', {}) for c in notebook.cells "
        "for o in c.get('outputs', []))))"
    )
    done = subprocess.run([sys.executable, "-c", code, FOLDER, source], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) == FIGURES[source.stem]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_committed_notebook_is_its_source_executed(source: Path) -> None:
    import jupytext

    mine, notebook = jupytext.read(source), committed(source)
    assert [(cell.cell_type, cell.source) for cell in mine.cells] == [(cell.cell_type, cell.source) for cell in notebook.cells]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    assert not [output for output in outputs(notebook) if output.output_type == "error" or output.get("name") == "stderr"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_committed_notebook_is_small_and_has_its_figures_as_data_and_as_pictures(source: Path) -> None:
    assert source.with_suffix(".ipynb").stat().st_size < 1_500_000
    bundles = [output.get("data", {}) for output in outputs(committed(source))]
    figures = [bundle for bundle in bundles if "application/vnd.plotly.v1+json" in bundle]
    assert len(figures) == FIGURES[source.stem] and all("image/png" in figure for figure in figures)
    assert not [bundle for bundle in bundles if "text/html" in bundle]
    for figure in figures:
        layout = figure["application/vnd.plotly.v1+json"]["layout"]
        assert layout["title"]["text"] and layout["xaxis"]["title"]["text"] and layout["yaxis"]["title"]["text"]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_committed_notebook_shows_the_figures_of_the_full_settings(source: Path) -> None:
    text = "".join(o.get("text", "") + o.get("data", {}).get("text/plain", "") for o in outputs(committed(source)))
    assert [word for word in WORDS[source.stem] if word not in text] == []
