"""The tutorials run, and what is committed of them is whole: executed from the sources beside it, small, no plotly.js."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest

FOLDER = Path(__file__).parents[1] / "docs" / "tutorials"
SOURCES = sorted(FOLDER.glob("[0-9]_*.py"))
FIGURES = {"1_derivatives": 3, "2_inverse": 4, "3_svd": 5}
COLUMNS = 88
WORDS = {
    "1_derivatives": ["(tensor(16807.), tensor(36015.))", "0.7196", "INFEASIBLE"],
    "2_inverse": ["NONFINITE_INPUT", "backend     fused", "10,000 matrices", "4 blocks of 4 x 4"],
    "3_svd": [
        "[2.3398 0.6873 0.2592 0.1177]",
        "7x4                  MAX_STEPS",
        "4x3                  STALLED",
        "u_3 turned CONVERGED",
    ],
}


def committed(source: Path) -> Any:
    return nbformat.read(source.with_suffix(".ipynb"), as_version=4)  # type: ignore[no-untyped-call]


def outputs(notebook: Any) -> list[Any]:
    return [output for cell in notebook.cells for output in cell.get("outputs", [])]


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_tutorial_runs_and_its_hidden_checks_hold(source: Path) -> None:
    """As a script, in full: the posts' figures are asserted in its last cell, which the page leaves out."""
    text = source.read_text()
    *_, (tags, checks) = re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n)*)", text, re.MULTILINE)
    assert "remove-cell" in tags and checks.count("assert") > 4
    assert "assert" not in text.removesuffix(checks)
    assert [line for line in text.splitlines() if len(line) > COLUMNS] == []
    runpy.run_path(str(source))


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
