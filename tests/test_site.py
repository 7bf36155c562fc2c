"""The documentation site: public names, the code of the guide, its figures, and one build, which finds dead links and lost pages."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import lanewise as lw
from engine.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
GUIDE = [DOCS / "index.md", *sorted((DOCS / "guide").glob("*.md"))]
COLUMNS = 92
"""Width of code, 88 beside a prompt: more is cut off on the page."""


def extension(name: str, folder: str = "_ext") -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def anchors(page: Path) -> set[str]:
    """Labels and headings of a page, as links name them."""
    text = re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    slugs = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
    return slugs | set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))


def blocks(page: Path) -> list[tuple[str, str]]:
    """Language and text of the code blocks of a page, directives left out."""
    return re.findall(r"^```(\w*)\n(.*?)^```$", page.read_text(), re.DOTALL | re.MULTILINE)


def test_the_site_builds_without_warnings_and_its_links_and_search_lead_somewhere(tmp_path: Path) -> None:
    build = ["-m", "sphinx", "-q", "-E", "-W", "--keep-going", "-d", str(tmp_path / "trees"), str(DOCS), str(tmp_path / "site")]
    for arguments in (build, [str(DOCS / "check.py"), str(tmp_path / "site")]):
        done = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, timeout=240)
        assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]


def test_every_public_name_is_in_the_reference() -> None:
    text = "".join(page.read_text() for page in (DOCS / "reference").glob("*.md"))
    documented = set(re.findall(r"^\.\. (?:auto\w+|py:data):: (?:lanewise::)?([\w.]+)", text, re.MULTILINE))
    modules = {"solvers": lw.solvers, "domains": lw.domains, "errors": lw.errors, "problems": lw.problems}
    public = {*lw.__all__} - {*modules, *lw.errors.__all__} | {
        f"{kind}.{name}" for kind, module in modules.items() for name in module.__all__
    }
    assert public - documented == set()


def test_every_status_has_its_anchor() -> None:
    assert {status.name.lower().replace("_", "-") for status in lw.Status} <= anchors(DOCS / "guide" / "statuses.md")


@pytest.mark.parametrize("page", GUIDE, ids=lambda page: page.stem)
def test_code_of_the_guide_runs_and_fits_the_page(page: Path) -> None:
    """Python as doctests, which pytest collects; commands are run below."""
    for language, text in blocks(page):
        assert text.startswith({"python": ">>> ", "console": "$ "}[language]), text
        assert [line for line in text.splitlines() if len(line) > COLUMNS] == []


def test_commands_of_the_guide_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.save("A.npy", np.stack([np.eye(2), np.diag([2.0, 4.0])]))
    lines = [line for _, text in blocks(DOCS / "guide" / "cli.md") for line in text.splitlines()]
    assert len(lines) >= 6
    for line in lines:
        program, *words = shlex.split(line.removeprefix("$ "))
        quick = ["--backend", "numpy"] if words[0] == "solve" else []
        assert (program, main([*words, *quick])) == ("lanewise", 0), line
    assert {path.name for path in tmp_path.iterdir()} >= {"out.npz", "out.html", "right.npz", "lbfgs.npz", "lbfgs.html"}


def test_docstrings_become_restructured_text() -> None:
    converted = extension("docstrings").converted
    assert converted(["A `x * y` of |g| in *all*, a_ b.", ""]) == ["A ``x * y`` of \\|g\\| in \\*all\\*, a\\_ b.", ""]
    assert converted(["See `Newton` and `engine.solve`."]) == [
        "See :py:obj:`Newton <lanewise.solvers.Newton>` and :py:obj:`engine.solve <lanewise.solve>`."
    ]
    assert converted(["| code | meaning |", "|---|---|", "| `A` | one |"])[3:7] == [
        "   * - code",
        "     - meaning",
        "   * - ``A``",
        "     - one",
    ]
    assert converted(["MAX_STEPS      the limit", "CHECK     steps"])[:3] == [
        ".. code-block:: text",
        "",
        "    MAX_STEPS      the limit",
    ]
    assert converted([">>> a*b   # x", "2"]) == [">>> a*b   # x", "2"]


def test_figures_of_notebooks_are_data_that_cannot_end_their_script() -> None:
    figures = extension("figures")
    bundle = {figures.PLOTLY: {"data": [], "layout": {"title": {"text": "A title"}, "x": "</script>"}}, "image/png": "iVBO\n"}
    text = figures.of_notebook(json.dumps({"cells": [{"outputs": [{"data": bundle}]}, {}]}))
    html = json.loads(text)["cells"][0]["outputs"][0]["data"]["text/html"]
    assert html.count("</script>") == 1 and "<figcaption>A title</figcaption>" in html and "base64,iVBO" in html


def test_a_block_that_assigns_a_figure_has_it_below_and_one_that_lies_is_refused() -> None:
    figures = extension("figures")
    page = "```python\n>>> import lanewise as lw\n>>> 1 + 1\n2\n```\n\n```python\n>>> figure = lw.plot_curves([1, 2], {'own': [3, 4]})\n```\n"
    first, second, drawn = figures.of_code(page, "page").split("```\n\n```")
    assert "plotly-figure" in drawn and "own" in drawn and "plotly-figure" not in first + second
    with pytest.raises(ValueError, match="page: an example prints something else"):
        figures.of_code(page.replace("\n2\n", "\n3\n"), "page")


def test_an_image_with_its_data_beside_it_is_a_figure_that_keeps_the_image(tmp_path: Path) -> None:
    figures = extension("figures")
    (tmp_path / "own.json").write_text('{"data": [], "layout": {}}')
    text = figures.of_images("![words](own.png)\n\n![others](other.png)\n", tmp_path)
    assert text.count("plotly-figure") == 1 and text.index("plotly-figure") < text.index("![words](own.png)")


def test_the_gallery_shows_pictures_beside_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gallery = extension("gallery")
    monkeypatch.setattr(gallery, "EXAMPLES", tmp_path / "examples")
    (tmp_path / "examples" / "gallery").mkdir(parents=True)
    source = tmp_path / "examples" / "gallery" / "dose_response.py"
    source.write_text('"""A plate of wells.\n\nSome are dead."""\n')
    assert "![" not in gallery.section(source)
    source.with_suffix(".png").write_bytes(b"")
    text = gallery.section(source)
    assert text.startswith("## A plate of wells\n\nSome are dead.\n\n![A plate of wells](../examples/gallery/dose_response.png)")
    assert "{literalinclude} ../examples/gallery/dose_response.py" in text


def test_the_check_names_dead_links_and_words_that_the_search_does_not_find(tmp_path: Path) -> None:
    check = extension("check", ".")
    (tmp_path / "there.html").write_text('<p id="here">')
    (tmp_path / "index.html").write_text(
        '<a href="there.html#here"></a><a href="gone.html"></a><a href="there.html#gone"></a><a href="https://x.org/gone"></a>'
    )
    assert list(check.dead_links(tmp_path)) == [f"index.html: {link} leads nowhere" for link in ("gone.html", "there.html#gone")]
    pages = sorted(set(check.SEARCHED.values()))
    known = {"stall": [pages.index("guide/statuses")], "bound": pages.index("guide/domains"), "standard": [], "error": []}
    index = {"docnames": pages, "terms": known, "titleterms": {"curve_fit": [pages.index("reference/problems")]}}
    (tmp_path / "searchindex.js").write_text(f"Search.setIndex({json.dumps(index)})")
    assert list(check.unfound(tmp_path)) == [f"search: '{word}' does not lead to guide/fits" for word in ("standard", "error")]
