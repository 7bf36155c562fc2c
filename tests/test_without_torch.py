"""A kernel that is on disk is found, loaded and run without torch, with the bits of the process that made it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SETUP = """
import sys
import numpy as np, engine, problems
rng = np.random.default_rng(0)
A = rng.standard_normal((20, 4, 4)) + 3 * np.eye(4)
t = np.linspace(0, 4, 12)
y = 2 * np.exp(-1.3 * t) + 0.0 * A[:, :3, 0].sum(1)[:, None]
def decay(t, a, b):
    return a * np.exp(-b * t)
def line(a, x, y):
    return a * x - y
own = engine.Problem(name="own", data={"x": "m", "y": "m"}, params={"a": ""}, residual=line)
"""

CALLS = {
    "the inverse": "engine.solve(problems.inverse(), A)",
    "an SVD in float32": "engine.solve(problems.svd(), A[:, :3, :3].astype(np.float32))",
    "one matrix": "engine.solve(problems.inverse(), A[0])",
    "a user's model": "engine.solve(problems.curve_fit(decay), {'x': t, 'y': y})",
    "a user's problem": "engine.solve(own, {'x': t, 'y': y})",
}

SHOW = """
solution = {call}
print("torch" in sys.modules, int(solution.converged.sum()), *(array.tobytes().hex() for array in solution))
"""

COMMAND = """
import sys
from engine.cli import main
code = main(["solve", "inverse", "A.npy", "-o", "out.npz"])
print("torch" in sys.modules, code)
"""


def run(code: str, folder: Path) -> list[str]:
    environment = os.environ | {"LANEWISE_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
    done = subprocess.run([sys.executable, "-c", code], env=environment, cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_second_process_solves_without_torch_and_so_does_the_command_line(tmp_path: Path) -> None:
    code = SETUP + "".join(SHOW.format(call=call) for call in CALLS.values())
    first, second = (run(code + "np.save('A.npy', A)", tmp_path) for _ in range(2))
    assert [line.split()[0] for line in first] == ["True"] * len(CALLS)
    assert [line.split()[0] for line in second] == ["False"] * len(CALLS), list(CALLS)
    assert [line.split()[1:] for line in first] == [line.split()[1:] for line in second]
    assert run(COMMAND, tmp_path)[-1] == "False 0"
