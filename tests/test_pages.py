"""Pages: links and named files exist, decision records have one form, and each page is reached from the README."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / ".github").rglob("*.md"))]
RECORDS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
FOLDERS = "backends|engine|tests|bench|problems|docs|examples|tools"


def prose(page: Path) -> str:
    """The text outside of code blocks."""
    return re.sub(r"^```.*?^```", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)


def links(page: Path) -> set[Path]:
    """The files that a page links to."""
    targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose(page))
    return {(page.parent / target).resolve() for target in targets}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_named_files_exist(page: Path) -> None:
    named = {ROOT / path for path in re.findall(rf"`((?:{FOLDERS})/[\w/.]+)`", prose(page)) if not re.search("NAME", path)}
    assert [str(path) for path in links(page) | named if not path.exists()] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.stem)
def test_a_decision_record_has_one_form_and_is_in_the_index(record: Path) -> None:
    text = record.read_text()
    title = re.match(r"# (\d+)\. (.+)\n", text)
    assert title and int(title[1]) == int(record.name[:2])
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]
    assert len(text.splitlines()) <= 35
    index = (record.parent / "README.md").read_text()
    assert f"{int(title[1])}. [{title[2]}]({record.name})" in index


def test_citation_and_changelog_have_the_packages_version_and_licence() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    citation = dict(re.findall(r"^(\w+): (.+)$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE))
    assert (citation["version"], citation["license"]) == (project["version"], project["license"])
    assert citation["abstract"].strip('"') == project["description"]
    versions = re.findall(r"^## \[?([\w.]+)", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == "Unreleased" and project["version"] in versions


def test_hooks_run_the_commands_of_make_lint() -> None:
    hooks = re.findall(r"entry: python -m (\w+)(?: (format|check))?", (ROOT / ".pre-commit-config.yaml").read_text())
    lint = re.findall(r"-m (ruff|mypy)(?: (format|check))?", (ROOT / "Makefile").read_text())
    assert hooks == lint == [("ruff", "check"), ("ruff", "format"), ("mypy", "")]


def test_every_page_is_reached_from_the_readme() -> None:
    reached, todo = set[Path](), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        reached.add(page)
        todo += [link / "README.md" if link.is_dir() else link for link in links(page) if link.suffix in ("", ".md")]
        todo = [page for page in todo if page.suffix == ".md" and page.exists() and page not in reached]
    assert [str(page) for page in sorted((ROOT / "docs").rglob("*.md")) if page not in reached] == []
