"""The gallery page: each example with its title, its picture and its code, from `examples/`."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

EXAMPLES = Path(__file__).parents[2] / "examples"


def section(source: Path) -> str:
    """A heading, the docstring, the picture if there is one, and the code, as Markdown; paths as seen from `docs/`.

    The first line of a docstring that goes on is the heading, else the file's name.
    """
    first, _, rest = (ast.get_docstring(ast.parse(source.read_text())) or "").partition("\n\n")
    title, words = (first.removesuffix("."), rest) if rest else (source.stem.replace("_", " ").capitalize(), first)
    place = f"../{source.relative_to(EXAMPLES.parent).as_posix()}"
    code = f"```{{literalinclude}} {place}\n:language: python\n```\n"
    if source.with_suffix(".png").exists():
        code = f"![{title}]({place.removesuffix('.py')}.png)\n\n:::{{dropdown}} {source.name}\n{code}:::\n"
    return f"## {title}\n\n{words}\n\n{code}"


def _append(app: Any, name: str, source: list[str]) -> None:
    if name == "gallery":
        drawn = [file for file in sorted((EXAMPLES / "gallery").glob("*.py")) if file.with_suffix(".png").exists()]
        source[0] += "\n" + "\n".join(map(section, [*drawn, *sorted(EXAMPLES.glob("*.py"))]))


def setup(app: Any) -> dict[str, bool]:
    app.connect("source-read", _append)
    return {"parallel_read_safe": True}
