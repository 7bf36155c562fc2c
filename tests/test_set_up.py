"""`make demo`: one environment with what a target needs, a line every few seconds, a picture, three lines to copy."""

from __future__ import annotations

import re
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest

import demo
import engine
from tools import environment, picture
from tools.ticker import ticking

ROOT = Path(__file__).parents[1]


def test_a_long_wait_has_lines_and_a_short_one_has_one(capsys: pytest.CaptureFixture[str]) -> None:
    with ticking("compiling", lambda: ", 3 files", every=0.02):
        time.sleep(0.3)
    first, *more = capsys.readouterr().out.splitlines()
    assert first == "compiling ..." and len(more) > 1
    assert all(re.fullmatch(r"  \.\.\. compiling: \d s, 3 files", line) for line in more)
    with ticking("compiling"):
        pass
    assert capsys.readouterr().out == "compiling ...\n"


def test_the_makefiles_stamps_are_the_targets_of_the_environment() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"\$\(VENV\)/ready-(\w+)", makefile)) == set(environment.NEEDS)
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert all(set(names.split(",")) <= set(extras) for names, *_ in environment.NEEDS.values())
    assert environment.NEEDS["demo"][0] == "demo" and "dev" not in makefile.split("demo: ")[1].splitlines()[0]


def test_a_target_installs_its_extras_says_how_large_they_are_and_leaves_a_stamp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    commands: list[list[str]] = []

    def called(command: list[str]) -> subprocess.CompletedProcess[str]:
        commands.append(list(command))
        (tmp_path / ".venv" / "bin").mkdir(parents=True, exist_ok=True)
        (tmp_path / ".venv" / "bin" / "pip").write_bytes(b"0" * 3_000_000)
        return subprocess.CompletedProcess(command, 1 if "fails" in environment.NEEDS["demo"][1] else 0)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(subprocess, "run", called)
    environment.prepare("demo")
    assert [command[1:3] for command in commands] == [["-m", "venv"], ["-m", "pip"]]
    assert {"-c", "constraints.txt", "-e", ".[demo]"} <= set(commands[1]) and not {"-q", "--quiet"} & set(commands[1])
    text = capsys.readouterr().out
    assert "scikit-learn" in text and "280 MB to fetch" in text and "CUDA" in text and "3 MB in .venv" in text
    assert (tmp_path / ".venv" / "ready-demo").exists()

    environment.prepare("dev")  # on top: no second environment
    assert [command[1:3] for command in commands[2:]] == [["-m", "pip"]]
    (tmp_path / ".venv" / "ready-demo").unlink()
    monkeypatch.setitem(environment.NEEDS, "demo", ("demo", "fails", 1, 1))
    with pytest.raises(SystemExit, match="failed with status 1"):
        environment.prepare("demo")
    assert not (tmp_path / ".venv" / "ready-demo").exists()


def test_a_python_that_is_too_old_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 1))
    with pytest.raises(SystemExit, match=r"is Python 3\.9; lanewise needs 3\.11 or newer: make PYTHON=python3\.12"):
        environment.prepare("demo")


def test_the_picture_has_a_dark_pixel_where_an_image_is_one_and_numbers_below() -> None:
    image = np.zeros((1, 2, 2))
    image[0, 0, 0] = 1.0
    rows = [picture.Row("original", "", image, np.zeros(0)), picture.Row("rank 1", "", image, np.array([0.5]))]
    canvas = np.asarray(picture.picture("title", rows, "below"))
    cell, gap, left, top = picture.CELL, picture.GAP, picture.LEFT, picture.TOP
    assert canvas[top + cell // 4, left + cell // 4] == 0 and canvas[top + 3 * cell // 4, left + cell // 4] == 255
    below = [canvas[y + cell + 1 : y + cell + gap, left:] for y in (top, top + cell + gap)]
    assert below[0].min() == 255 and below[1].min() < 255  # no number below the original


def test_the_outer_product_of_the_demo_is_the_best_of_rank_1() -> None:
    A = np.random.default_rng(0).random((3, 4, 3))
    solution = engine.solve(demo.OUTER, A, backend="torch")
    np.testing.assert_allclose(solution.loss, np.sum(np.linalg.svd(A, compute_uv=False)[:, 1:] ** 2, axis=-1) / 12, rtol=1e-9)
    assert demo.status_words(solution) == "3 CONVERGED"


def test_the_three_lines_to_copy_run_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert len(demo.YOURS.splitlines()) == 3
    exec(demo.YOURS, {})
    assert "CONVERGED" in capsys.readouterr().out
