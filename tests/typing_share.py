"""The share of arguments whose annotation says nothing: `python -m tests.typing_share` prints it, and the worst files.

An annotation is empty where it is `Any`, or the bare name of an alias that stands for `Any`, or for containers and callables
of nothing else: `Array = Any`, `State = dict[str, Any]`, `Function = Callable[..., Any]`. Aliases are followed through imports.
Arguments of all functions in engine, backends and problems count, methods and nested ones too, `self` and `cls` not.
"""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGES = ("engine", "backends", "problems")
CONTAINERS = frozenset("Any Callable Iterable Iterator Mapping Sequence dict list str tuple".split())
"""Names of which an alias may consist that says nothing; `str` is the key of a dict."""

Aliases = dict[tuple[str, str], ast.expr | tuple[str, str]]
"""(module, name) -> the definition of an alias, or the (module, name) that it was imported as."""


def sources(root: Path = ROOT) -> dict[str, ast.Module]:
    """The modules of the three packages, by dotted name."""
    files = [file for package in PACKAGES for file in sorted((root / package).rglob("*.py"))]
    names = [".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__") for file in files]
    return {name: ast.parse(file.read_text()) for name, file in zip(names, files, strict=True)}


def aliases(modules: dict[str, ast.Module]) -> Aliases:
    """Assignments and imports of names at the top of each module."""
    known: Aliases = {}
    for module, tree in modules.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1 and isinstance(node.targets[0], ast.Name):
                known[module, node.targets[0].id] = node.value
            elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
                known[module, node.target.id] = node.value
            elif isinstance(node, ast.ImportFrom) and node.module:
                known |= {(module, a.asname or a.name): (node.module, a.name) for a in node.names}
    return known


def is_empty(annotation: ast.expr, module: str, known: Aliases) -> bool:
    """Whether an annotation is a bare name that stands for nothing but `Any`."""
    if not isinstance(annotation, ast.Name):
        return False
    final = meanings(annotation.id, module, known)
    return "Any" in final and final <= CONTAINERS


def meanings(name: str, module: str, known: Aliases) -> set[str]:
    """The names that an alias consists of in the end."""
    meaning = known.get((module, name))
    if meaning is None:
        return {name}
    if isinstance(meaning, tuple):
        return meanings(meaning[1], meaning[0], known)
    inner = {node.id for node in ast.walk(meaning) if isinstance(node, ast.Name)} - {name}
    return set[str]().union(*(meanings(word, module, known) for word in inner))


def arguments(tree: ast.Module) -> Iterator[ast.expr]:
    """The annotations of all arguments."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            given = node.args
            every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
            yield from (a.annotation for a in every if a is not None and a.annotation is not None)


def counts(modules: dict[str, ast.Module]) -> dict[str, tuple[int, int]]:
    """Module -> arguments that say nothing, and all arguments."""
    known = aliases(modules)
    found = {name: [is_empty(a, name, known) for a in arguments(tree)] for name, tree in modules.items()}
    return {name: (sum(empty), len(empty)) for name, empty in found.items()}


def share(modules: dict[str, ast.Module]) -> float:
    """The share over all modules; 0 where there are no arguments."""
    pairs = counts(modules).values()
    return sum(empty for empty, _ in pairs) / max(1, sum(total for _, total in pairs))


def main() -> None:
    """Print the share and the ten files with most such arguments."""
    modules = sources()
    print(f"{100 * share(modules):.1f}% of arguments have an annotation that says nothing")
    for name, (empty, total) in sorted(counts(modules).items(), key=lambda item: -item[1][0])[:10]:
        print(f"  {empty:4} of {total:4}  {name}")
    known = aliases(modules)
    words = Counter(ast.unparse(a) for name, tree in modules.items() for a in arguments(tree) if is_empty(a, name, known))
    print("  " + ", ".join(f"{word} {count}" for word, count in words.most_common()))


if __name__ == "__main__":
    main()
