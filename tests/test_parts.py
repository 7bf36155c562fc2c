"""Working directories of compilers, and parts of a kernel that compile side by side."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import engine
from backends.fused.build import compiler, parts, workplace
from backends.fused.build.toolchain import ToolchainError, build, host_target
from tests.toolchain import own_cache, right, script, unique


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return own_cache(tmp_path, monkeypatch)


KILLED = """
import os, sys, time
from pathlib import Path
from typing import Any
from backends.fused.build.workplace import workplace
with workplace() as place:
    (place / "kernel.cpp").write_text("half")
    (place / "ccAbC123.s").write_text("of the compiler")
    print(place, flush=True)
    sys.stdin.readline()
    os.kill(os.getpid(), 9)
"""


def test_directories_of_killed_processes_are_removed_and_no_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    foreign = [tmp_path / "lanewise-kernel-results1", tmp_path / "lanewise-kernel-results_", tmp_path / "lanewise-kernel-"]
    for place in foreign:
        place.mkdir(0o700)
        (place / "results.npz").write_text("the user's")
    open_to_all = tmp_path / "lanewise-kernel-abcdefgh"
    open_to_all.mkdir()
    open_to_all.chmod(0o755)
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, "TMPDIR": str(tmp_path)}
    )  # fmt: skip
    assert process.stdout is not None and process.stdin is not None
    place = Path(process.stdout.readline().strip())
    with workplace.workplace() as own:
        assert place.is_dir() and own.is_dir()  # its owner is at work
        process.communicate("die\n")
        assert process.returncode == -9 and place.is_dir()
        with workplace.workplace():
            assert not place.exists() and own.is_dir()
    assert sorted(tmp_path.iterdir()) == sorted([*foreign, open_to_all])


def test_a_directory_that_another_process_takes_away_before_it_is_locked_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    made, mkdtemp = list[str](), tempfile.mkdtemp

    def taken(prefix: str) -> str:
        made.append(mkdtemp(prefix=prefix))
        if len(made) < 3:
            shutil.rmtree(made[-1])
        return made[-1]

    monkeypatch.setattr(tempfile, "mkdtemp", taken)
    with workplace.workplace() as place:
        assert str(place) == made[2] and place.is_dir()
    assert not list(tmp_path.iterdir())


def test_a_compiler_that_is_stopped_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    body = 'case "$1" in --version) echo 1;; *) echo half > "$TMPDIR/ccAbc.s"; sleep 60;; esac'
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", body)))
    monkeypatch.setattr(compiler, "TIMEOUT", 0.3)
    with pytest.raises(ToolchainError, match="was stopped"):
        build(unique(), host_target())
    assert not list((tmp_path / "tmp").iterdir())


PARTED = """
#ifdef LW_PARTS
#define OWN __attribute__((visibility("hidden")))
#else
#define LW_PARTS ~0ul
#define OWN static
#endif
#define LW_IN(MASK) ((LW_PARTS) & (MASK))
OWN long half();
#if LW_IN(1)  // part 0: 90000
extern "C" long answer() {{ return 2 * half(); }}
#endif
#if LW_IN(2)  // part 1: {weight}
OWN long half() {{ return 21; }}
#endif
// {unique}
"""


def watched(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that are started from here on."""
    commands: list[list[str]] = []
    start = compiler.started

    def seen(command: list[str], *rest: Any) -> subprocess.Popen[bytes]:
        commands.append(command)
        return start(command, *rest)

    monkeypatch.setattr(compiler, "started", seen)
    return commands


@pytest.mark.parametrize("cores", [1, 2, 5])
def test_parts_compile_side_by_side_and_make_one_library(cores: int, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = watched(monkeypatch)
    monkeypatch.setattr(parts, "processors", lambda: cores)
    right(build(PARTED.format(weight=50000, unique=uuid.uuid4()), host_target()), "compiled")
    assert sum("-c" in command for command in commands) == 2
    assert sum("-shared" in command for command in commands) == 1


def test_on_one_core_no_part_is_begun_beside_what_follows(monkeypatch: pytest.MonkeyPatch) -> None:
    commands = watched(monkeypatch)
    monkeypatch.setattr(parts, "processors", lambda: 1)
    with parts.Parts(host_target()) as begun:
        begun.begin(f"int alone_{uuid.uuid4().hex};")
        assert not commands


def test_the_longest_part_is_compiled_first() -> None:
    source = "".join(
        f"#if LW_IN({1 << k})  // part {k}: {load}\n#if {k}\n#endif\n#endif\n" for k, load in enumerate((5, 90000, 9))
    )
    assert parts.units("head\n" + source) == [f"head\n#if {k}\n#endif\n" for k in (1, 2, 0)]
    assert parts.units("int a;") == parts.units("#if LW_IN(1)  // part 0: 5\nint a;\n#endif") == []


def test_the_loop_over_lanes_is_compiled_once_for_all_problems_of_a_dtype(monkeypatch: pytest.MonkeyPatch) -> None:
    commands, counts = watched(monkeypatch), []
    for dtype, factor in (("float64", 1.5), ("float64", 2.5), ("float32", 2.5)):
        problem = engine.Problem(
            name="p", data={"y": "n"}, params={"x": engine.Param("n")}, residual=lambda x, y, f=factor: f * x - y
        )
        before = len(commands)
        engine.solve(problem, np.ones((2, 3), dtype), backend="fused")
        counts.append(sum("-c" in command for command in commands[before:]))
    assert counts == [7, 5, 7]  # the test of both is one, too


def test_a_part_that_was_begun_or_is_on_disk_is_not_compiled_again(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "processors", lambda: 2)
    commands = watched(monkeypatch)
    source, target = PARTED.format(weight=50000, unique=uuid.uuid4()), host_target()
    with parts.Parts(target) as begun:
        begun.begin(parts.unit(source, 2))
        right(build(source, target, begun), "compiled")
        assert sum("-c" in command for command in commands) == 2
    right(build(source.replace("2 * half()", "half() + 21"), target), "compiled")
    assert sum("-c" in command for command in commands) == 3


def test_a_part_that_nobody_waits_for_is_stopped_and_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(parts, "processors", lambda: 2)
    body = 'case "$1" in --version) echo 1;; *) echo half > "$TMPDIR/ccAbc.s"; sleep 60;; esac'
    monkeypatch.setenv("CXX", str(script(tmp_path / "cxx", body)))
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt), parts.Parts(host_target()) as made:
        made.begin("int unused;\n")
        (job,) = made.jobs.values()
        raise KeyboardInterrupt
    assert job.process.returncode == -signal.SIGKILL and time.monotonic() - begun < 30
    assert not list((tmp_path / "tmp").iterdir())


def test_a_mistake_in_a_part_is_told() -> None:
    with pytest.raises(ToolchainError, match="nowhere"):
        build(PARTED.format(weight=50000, unique=uuid.uuid4()).replace("return 21", "return nowhere"), host_target())
