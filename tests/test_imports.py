"""Imports go one way, backends <- engine <- problems, and `import engine` is light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import backends

ROOT = Path(__file__).parents[1]
ARRAY_LIBRARIES = {"torch", "jax", "jaxlib", "numpy", "scipy"}
MAY_NOT = {
    "backends": {"engine", "problems", "bench", "tests", "demo", "tools"},
    "engine": {"problems", "bench", "tests", "demo", "tools"} | ARRAY_LIBRARIES,
    "problems": {"bench", "tests", "demo", "tools"},
}
HOST_ROOMS = ("engine/io", "engine/plots", "engine/sparsity", "engine/story")
"""Folders of `engine` that may import NumPy: they look at host arrays, and no lane computes with them."""


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
        if module.partition(".")[0] in MAY_NOT[package] - allowed(file.relative_to(ROOT))
    }
    assert not wrong


def allowed(file: Path) -> set[str]:
    """Libraries that a file may import though its package may not."""
    return {"numpy"} if file.parent.as_posix() in HOST_ROOMS else set()


def test_only_the_rooms_for_host_arrays_may_import_numpy() -> None:
    assert allowed(Path("engine/io/npz_read.py")) == {"numpy"}
    assert not allowed(Path("engine/plan.py")) and not allowed(Path("engine/solvers/newton.py"))
    assert all((ROOT / room).is_dir() for room in HOST_ROOMS)


def test_backends_holds_backends_only() -> None:
    """Every module beside the folders of backends is used by a backend: what only `engine` uses is a stranger there."""
    known = modules("backends")
    edges = {name: wanted(file.read_text(), known) for name, file in known.items()}
    used = {"backends"} | {name for name in known if any(name.startswith(module) for module in backends.NAMES.values())}
    todo = list(used)
    while todo:
        new = edges[todo.pop()] - used
        used |= new
        todo += new
    assert known.keys() - used == set()


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


def circles(edges: dict[str, set[str]]) -> set[frozenset[str]]:
    """The strongly connected components of more than one module: each imports all others of it, by way of others."""

    def reach(name: str) -> set[str]:
        found, todo = set[str](), [name]
        while todo:
            new = edges[todo.pop()] - found
            found |= new
            todo += new
        return found

    reached = {name: reach(name) for name in edges}
    return {frozenset(other for other in reached[name] if name in reached[other]) for name in edges if name in reached[name]}


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Over the whole tree; imports inside functions and for types counted."""
    known = {"demo": ROOT / "demo.py"}
    for package in ("engine", "backends", "problems", "bench", "tests", "tools"):
        known |= modules(package)
    assert len(known) > 200
    found = circles({name: wanted(file.read_text(), known) - {name} for name, file in known.items()})
    assert [sorted(names) for names in found] == []


def test_a_circle_is_seen() -> None:
    edges = {"a": {"b"}, "b": {"c"}, "c": {"b"}, "d": set[str](), "e": {"f", "d"}, "f": {"g"}, "g": {"e", "b"}}
    assert circles(edges) == {frozenset("bc"), frozenset("efg")}


def test_an_import_inside_of_a_function_counts() -> None:
    known = {"p": ROOT, "p.q": ROOT, "p.r": ROOT}
    assert wanted("def f():\n    from p import q", known) == {"p.q"}
    assert wanted("if TYPE_CHECKING:\n    from p.r import C", known) == {"p.r"}
