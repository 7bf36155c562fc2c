"""`import lanewise`: one name for everything, whatever files lie beside a script."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import engine
import lanewise
import problems
from engine.cli import main

ROOT = Path(__file__).parents[1]
SOLVE = (
    "import lanewise as lw, numpy as np\nprint(lw.solve(lw.problems.inverse(), np.eye(2), backend='numpy')['X'].sum().round(6))\n"
)


def run(folder: Path, script: str, *options: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(script)
    command = [sys.executable, *options, "script.py"]
    return subprocess.run(
        command, cwd=folder, env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}, capture_output=True, text=True
    )


def test_the_front_has_all_names() -> None:
    assert {name: getattr(lanewise, name) for name in engine.__all__} == {name: getattr(engine, name) for name in engine.__all__}
    assert lanewise.problems is problems and set(lanewise.__all__) == {*engine.__all__, "__version__", "problems"}
    np.testing.assert_allclose(lanewise.solve(problems.inverse(), 2 * np.eye(2), backend="numpy")["X"], np.eye(2) / 2, atol=1e-12)


def test_the_version_is_that_of_the_package(capsys: pytest.CaptureFixture[str]) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert lanewise.__version__ == project["version"]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"lanewise {project['version']}\n"


def test_the_console_script_is_the_front() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    module, _, function = project["project"]["scripts"]["lanewise"].partition(":")
    assert getattr(sys.modules[module], function) is lanewise.main
    assert project["tool"]["setuptools"]["py-modules"] == [module]
    code = f"import sys; sys.argv = ['lanewise', '--version']; from {module} import {function}; sys.exit({function}())"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"lanewise {lanewise.__version__}\n")


@pytest.mark.parametrize("name", ["engine", "problems", "backends"])
def test_a_file_beside_the_script_does_not_break_it(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("raise RuntimeError('the user s own')\n")
    done = run(tmp_path, SOLVE)
    assert (done.returncode, done.stdout) == (0, "2.0\n"), done.stderr
    assert str(tmp_path / f"{name}.py") in done.stderr and "rename this file" in done.stderr


def test_without_such_a_file_nothing_is_said_and_the_path_stays(tmp_path: Path) -> None:
    done = run(tmp_path, f"import sys\nbefore = list(sys.path)\n{SOLVE}assert sys.path == before\n", "-W", "error")
    assert (done.returncode, done.stdout, done.stderr) == (0, "2.0\n", "")


@pytest.mark.parametrize("name", ["engine", "problems"])
def test_a_file_that_is_loaded_already_is_named(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("own = 1\n")
    done = run(tmp_path, f"import {name}\nassert {name}.own\n{SOLVE}")
    assert done.returncode == 1 and f"ImportError: lanewise: {tmp_path / name}.py is loaded as '{name}'" in done.stderr


def test_the_front_loads_neither_torch_nor_jax(tmp_path: Path) -> None:
    done = run(
        tmp_path,
        "import sys, lanewise\nprint(sorted({'torch', 'jax', 'plotly', 'rich', 'scipy', 'cloudpickle'} & set(sys.modules)))",
    )
    assert done.stdout == "[]\n", done.stderr
