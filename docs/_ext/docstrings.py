"""Docstrings as they are written here, plain text with `code` in single backticks, for Sphinx, which reads reStructuredText.

Napoleon takes the sections (Args, Raises, Source ...) after this.
"""

from __future__ import annotations

import re
from itertools import groupby
from typing import Any

CODE = re.compile(r"(`[^`]+`)")
COLUMNS = re.compile(r"\s*\S+(?: \S+)* {3,}\S")


def converted(lines: list[str]) -> list[str]:
    """The lines of a docstring, paragraph by paragraph."""
    found: list[str] = []
    for blank, paragraph in groupby(lines, key=lambda line: not line.strip()):
        found += [""] if blank else _paragraph(list(paragraph))
    return found


def _paragraph(lines: list[str]) -> list[str]:
    if lines[0].lstrip().startswith("|"):
        return _table(lines)
    if COLUMNS.match(lines[0]) and not lines[0].lstrip().startswith(">>>"):
        return [".. code-block:: text", "", *("    " + line for line in lines), ""]
    kept: list[str] = []
    example = False
    for line in lines:
        example = example or line.lstrip().startswith(">>>")
        if example and kept and not kept[-1].strip().startswith((">>>", "...")) and line.lstrip().startswith(">>>"):
            kept += [""] if kept[-1].strip().endswith(".") else []
        kept.append(line if example else escaped(line))
    return kept


def escaped(line: str) -> str:
    """A line of prose whose code has two backticks, and whose other marks mean nothing."""
    parts = CODE.split(line)
    return "".join(f"`{part}`" if k % 2 else re.sub(r"([*|\\]|(?<=\w)_(?!\w))", r"\\\1", part) for k, part in enumerate(parts))


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
