"""A machine without a C++ compiler is told of once, with the price; one without room is not told to install a compiler."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends.fused.build.target import NoCompiler, ToolchainError, host_target
from backends.fused.build.toolchain import build

ROOT = Path(__file__).parents[1]
SCRIPT = """
import json, warnings
import numpy as np, engine, problems
with warnings.catch_warnings(record=True) as told:
    warnings.simplefilter("always")
    plans = [engine.solve(problem, np.eye(2) * np.ones((3, 1, 1)), max_steps=5).plan for problem in (problems.inverse(), problems.svd())]
print(json.dumps([[[str(w.message), w.filename] for w in told], [[p.backend, p.why, p.kernel] for p in plans]]))
"""


@pytest.mark.parametrize("named", ["", "/nonexistent/c++", "/bin/false"])
def test_no_compiler_is_one_warning_with_a_remedy_and_the_price(named: str, tmp_path: Path) -> None:
    environment = {**os.environ, "PATH": str(tmp_path), "CXX": named, "LANEWISE_CACHE": str(tmp_path), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told, plans = json.loads(done.stdout)
    assert len(told) == 1, told
    assert "install g++ or clang++" in told[0][0] and "10 to 100 times slower" in told[0][0] and told[0][1] == "<string>"
    for backend, why, kernel in plans:
        assert backend == "torch" and "inductor" not in kernel.lower()
        assert why.startswith("fused cannot: ") and why.endswith("inductor cannot: it needs a C++ compiler as well")


@pytest.mark.parametrize("words", ["No space left on device", "Disk quota exceeded"])
def test_a_compiler_without_room_is_not_one_that_is_missing(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = tmp_path / "c++"
    full.write_text(f"#!/bin/sh\ncase $* in *--version) echo 1;; *) echo 'fatal error: kernel.s: {words}'; exit 1;; esac\n")
    full.chmod(0o755)
    monkeypatch.setenv("CXX", str(full))
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolchainError, match=r"found no room for its files in .*; free space there, or set TMPDIR") as caught:
        build('extern "C" int answer() { return 42; }', host_target())
    assert not isinstance(caught.value, NoCompiler) and "install" not in str(caught.value)


def test_another_failure_of_a_compiler_has_the_other_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "c++"
    broken.write_text("#!/bin/sh\ncase $* in *--version) echo 1;; *) echo 'error: no'; exit 1;; esac\n")
    broken.chmod(0o755)
    monkeypatch.setenv("CXX", str(broken))
    monkeypatch.setenv("LANEWISE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ToolchainError, match=r"failed with status 1; install g\+\+"):
        build('extern "C" int answer() { return 42; }', host_target())
