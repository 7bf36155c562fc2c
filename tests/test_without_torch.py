"""A kernel that is on disk is found, loaded and run without torch, with the bits of the process that made it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SOLVE = """
import sys
import numpy as np, engine, problems
rng = np.random.default_rng(0)
A = rng.standard_normal((20, 4, 4)) + 3 * np.eye(4)
t = np.linspace(0, 4, 12)
def decay(t, a, b):
    return a * np.exp(-b * t)
{call}
print("torch" in sys.modules, int(solution.converged.sum()), *(array.tobytes().hex() for array in solution))
"""

CALLS = {
    "the inverse": "solution = engine.solve(problems.inverse(), A)",
    "an SVD in float32": "solution = engine.solve(problems.svd(), A.astype(np.float32))",
    "one matrix": "solution = engine.solve(problems.inverse(), A[0])",
    "a user's model": "solution = engine.solve(problems.curve_fit(decay), {'x': t, 'y': 2 * np.exp(-1.3 * t) + 0.0 * A[:, :3, 0].sum(1)[:, None]})",
}


def run(code: str, cache: Path) -> list[str]:
    environment = os.environ | {"LANEWISE_CACHE": str(cache)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True
    ).stdout.split()


@pytest.mark.parametrize("name", CALLS)
def test_a_second_process_solves_without_torch(name: str, tmp_path: Path) -> None:
    first, second = (run(SOLVE.format(call=CALLS[name]), tmp_path) for _ in range(2))
    assert first[0] == "True" and second[0] == "False"
    assert first[1:] == second[1:]


def test_the_command_line_solves_without_torch(tmp_path: Path) -> None:
    code = """
import sys
import numpy as np
from engine.cli import main
np.save("A.npy", np.eye(3) + np.zeros((5, 3, 3)))
code = main(["solve", "inverse", "A.npy", "-o", "out.npz"])
print("torch" in sys.modules, code)
"""
    environment = os.environ | {"LANEWISE_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
    outputs = [
        subprocess.run(
            [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.splitlines()[-1]
        for _ in range(2)
    ]
    assert outputs == ["True 0", "False 0"]
