"""Imports go one way, backends <- engine <- problems, and `import engine` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARRAY_LIBRARIES = {"torch", "jax", "jaxlib", "numpy", "scipy"}
MAY_NOT = {
    "backends": {"engine", "problems", "bench", "tests", "demo"},
    "engine": {"problems", "bench", "tests", "demo"} | ARRAY_LIBRARIES,
    "problems": {"bench", "tests", "demo"},
}


def imported(source: str) -> set[str]:
    """Every module that a source names in an import, wherever it stands, also through importlib."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("import_module", "__import__")):
            found |= {str(a.value) for a in node.args if isinstance(a, ast.Constant)}
    return found


@pytest.mark.parametrize("package", MAY_NOT)
def test_imports_go_one_way(package: str) -> None:
    files = sorted((ROOT / package).rglob("*.py"))
    assert files
    wrong = {
        f"{file.relative_to(ROOT)} imports {module}"
        for file in files
        for module in imported(file.read_text())
        if module.partition(".")[0] in MAY_NOT[package]
    }
    assert not wrong


def test_the_reader_of_imports_sees_every_form() -> None:
    source = "import torch.func\ndef f():\n    from jax import numpy\n    importlib.import_module('scipy')"
    assert imported(source) == {"torch.func", "jax", "scipy"}


@pytest.mark.parametrize(
    "statement", ["import engine", "import problems", "import backends", "import engine, problems; problems.inverse()"]
)
def test_an_import_loads_neither_torch_nor_jax(statement: str) -> None:
    code = f"import sys; {statement}; print(sorted({{'torch', 'jax', 'plotly', 'rich', 'scipy'}} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def modules(package: str) -> dict[str, Path]:
    """The modules of a package, and their files."""
    files = (ROOT / package).rglob("*.py")
    return {".".join(f.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): f for f in files}


def wanted(source: str, known: dict[str, Path]) -> set[str]:
    """The known modules that a source imports; of `from package import module` the module."""
    found = imported(source)
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found = found - ({node.module} if inner <= known.keys() else set()) | inner
    return found & known.keys()


def circle(edges: dict[str, set[str]]) -> list[str]:
    """Modules that import one another in a circle; none where there is no circle."""
    left = {name: set(others) for name, others in edges.items()}
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


@pytest.mark.parametrize("package", ["backends", "problems", "bench"])
def test_no_module_imports_itself_by_way_of_others(package: str) -> None:
    """Imports inside functions and for types counted."""
    known = modules(package)
    assert circle({name: wanted(file.read_text(), known) - {name} for name, file in known.items()}) == []


def test_a_circle_is_seen() -> None:
    assert circle({"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set()}) == ["a", "b", "c"]
