"""Measures of the house rules: `python -m tests.house` prints each, and the places that are furthest off.

sentences   the share of docstrings, attribute docstrings too, whose first word is what, where, whatever or who
bodies      functions whose body, docstring left out, has more than `BODY` lines
files       the median length of Python files, and those of more than `FILE` lines
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from statistics import median

ROOT = Path(__file__).parents[1]
TREE = ("engine", "backends", "problems", "bench", "tests", "tools")
BODY, FILE = 45, 400
NO_SUBJECT = re.compile(r"\s*(what|where|whatever|who)\b", re.IGNORECASE)

Function = ast.FunctionDef | ast.AsyncFunctionDef


def python_files(root: Path = ROOT, folders: tuple[str, ...] = TREE) -> dict[str, str]:
    """Path below the root -> text."""
    files = [file for folder in folders for file in sorted((root / folder).rglob("*.py"))]
    return {file.relative_to(root).as_posix(): file.read_text() for file in files}


def docstrings(source: str) -> Iterator[tuple[int, str]]:
    """Line and text of each docstring: of the module, classes, functions and assignments."""
    for node in ast.walk(ast.parse(source)):
        body = node.body if isinstance(node, ast.Module | ast.ClassDef | Function) else []
        for before, statement in zip([None, *body], body, strict=False):
            if before is not None and not isinstance(before, ast.Assign | ast.AnnAssign):
                continue
            match statement:
                case ast.Expr(value=ast.Constant(value=str() as text)):
                    yield statement.lineno, text


def without_subject(source: str) -> tuple[list[int], int]:
    """Lines of docstrings that begin with such a word, and the number of all docstrings."""
    found = list(docstrings(source))
    return [line for line, text in found if NO_SUBJECT.match(text)], len(found)


def sentences(files: dict[str, str]) -> float:
    """The share of docstrings without a noun for a subject."""
    found = [without_subject(source) for source in files.values()]
    return sum(len(wrong) for wrong, _ in found) / max(1, sum(total for _, total in found))


def bodies(source: str) -> dict[str, int]:
    """Function -> lines of its body, from its first statement after the docstring to its end."""
    found: dict[str, int] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, Function):
            rest = node.body[1:] if ast.get_docstring(node) is not None else node.body
            found[node.name] = max(found.get(node.name, 0), (node.end_lineno or 0) - rest[0].lineno + 1 if rest else 0)
    return found


def long_bodies(files: dict[str, str]) -> dict[str, int]:
    """Functions of more than `BODY` lines, as `file: name`."""
    return {f"{file}: {name}": n for file, source in files.items() for name, n in bodies(source).items() if n > BODY}


def lengths(files: dict[str, str]) -> dict[str, int]:
    """File -> lines."""
    return {file: len(source.splitlines()) for file, source in files.items()}


def main() -> None:
    """Print all measures."""
    files = python_files()
    print(f"{100 * sentences(files):.1f}% of docstrings begin with what, where, whatever or who")
    for file, source in sorted(files.items(), key=lambda item: -len(without_subject(item[1])[0]))[:10]:
        print(f"  {file}: lines {', '.join(map(str, without_subject(source)[0]))}")
    print(f"{len(long_bodies(files))} function bodies of more than {BODY} lines")
    for name, n in sorted(long_bodies(files).items(), key=lambda item: -item[1]):
        print(f"  {n:4}  {name}")
    print(f"median file {median(lengths(files).values()):g} lines; of more than {FILE}:")
    for file, n in sorted(lengths(files).items(), key=lambda item: -item[1]):
        if n > FILE:
            print(f"  {n:4}  {file}")


if __name__ == "__main__":
    main()
