"""Docstrings as they are written here, plain text with `code` in single backticks, for Sphinx, which reads reStructuredText.

Code that is a public name becomes a link. Napoleon takes the sections (Args, Raises, Source ...) after this.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

import lanewise

CODE = re.compile(r"(`[^`]+`)")
MARKS = re.compile(r"([*|\\]|(?<=\w)_(?!\w))")
COLUMNS = re.compile(r"\s*\S+(?: \S+)* {3,}\S")

MODULES = {"solvers": lanewise.solvers, "domains": lanewise.domains, "errors": lanewise.errors, "problems": lanewise.problems}
LINKS = {name: f"lanewise.{kind}.{name}" for kind, module in MODULES.items() for name in module.__all__}
LINKS |= {name: f"lanewise.{name}" for name in lanewise.__all__ if name not in {*MODULES, *lanewise.errors.__all__}}
LINKS |= {f"engine.{name}": target for name, target in LINKS.items() if target == f"lanewise.{name}"}
"""Names in docstrings -> the objects of the reference."""


def converted(lines: list[str]) -> list[str]:
    """The lines of a docstring, paragraph by paragraph."""
    found: list[str] = []
    for blank, paragraph in groupby(lines, key=lambda line: not line.strip()):
        found += [""] if blank else _paragraph(list(paragraph))
    return found


def _paragraph(lines: list[str]) -> list[str]:
    if lines[0].lstrip().startswith("|"):
        return _table(lines)
    if COLUMNS.match(lines[0]) and ">>>" not in lines[0]:
        return [".. code-block:: text", "", *("    " + line for line in lines), ""]
    example = next((k for k, line in enumerate(lines) if line.lstrip().startswith(">>>")), len(lines))
    return [*map(escaped, lines[:example]), *lines[example:]]


def escaped(line: str) -> str:
    """A line of prose whose code is a link or has two backticks, and whose other marks mean nothing."""
    parts = CODE.split(line)
    return "".join(_code(part[1:-1]) if k % 2 else MARKS.sub(r"\\\1", part) for k, part in enumerate(parts))


def _code(text: str) -> str:
    return f":py:obj:`{text} <{LINKS[text]}>`" if text in LINKS else f"``{text}``"


def _table(lines: list[str]) -> list[str]:
    """A table with bars as a list-table with a header."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in lines]
    found = [".. list-table::", "   :header-rows: 1", ""]
    for row in [rows[0], *rows[2:]]:
        found += [f"   {'* -' if k == 0 else '  -'} {escaped(cell)}" for k, cell in enumerate(row)]
    return [*found, ""]


def _convert(app: Any, kind: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    lines[:] = converted(lines)


def setup(app: Any) -> dict[str, bool]:
    """Before napoleon, whose priority is 500."""
    app.connect("autodoc-process-docstring", _convert, priority=400)
    return {"parallel_read_safe": True}
