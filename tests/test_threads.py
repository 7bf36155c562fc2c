"""Threads that solve for the first time together, with nothing compiled: each has the answers of one thread alone."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import sys
from concurrent.futures import ThreadPoolExecutor
import numpy as np
if {torch}:
    import torch
import engine, problems

A = np.random.default_rng(0).standard_normal((40, 3, 3)) + 2 * np.eye(3)
t = np.linspace(0, 4, 12)
line = engine.Problem("line", {{"y": "m"}}, {{"a": "", "b": ""}}, residual=lambda a, b, y: a * t + b - y)

def inverse(k):
    given = A if k % 2 or not {torch} else torch.from_numpy(A)
    found = engine.solve(problems.inverse(), given, backend={backend!r})
    assert np.allclose(np.asarray(found["X"]) @ A, np.eye(3)), "an inverse"
    assert np.asarray(found.converged).all(), "an inverse's status"

def fit(k):
    found = engine.solve(line, 2 * t + np.arange(4.0)[:, None] + k, backend={backend!r})
    assert np.allclose(found["a"], 2) and np.allclose(found["b"], np.arange(4) + k), "a line"

def slope(k):
    if {torch}:
        y = torch.from_numpy(np.cos(t)).requires_grad_()
        engine.solve(line, y, backend={backend!r})["a"].backward()
        assert np.allclose(y.grad, np.linalg.pinv(np.stack([t, 1 + 0 * t], 1))[0]), "a derivative"

with ThreadPoolExecutor(8) as pool:
    for done in [pool.submit(call, k) for k in range(4) for call in (inverse, fit, slope)]:
        done.result()
inverse(0), inverse(1), slope(0)  # and nothing is left behind
"""


@pytest.mark.parametrize("backend", ["auto", "torch"])
@pytest.mark.parametrize("torch", [True, False], ids=["torch loaded", "torch not loaded"])
def test_first_solves_of_several_threads(backend: str, torch: bool, tmp_path: Path) -> None:
    environment = os.environ | {"LANEWISE_CACHE": str(tmp_path / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
    script = SCRIPT.format(backend=backend, torch=torch)
    done = subprocess.run([sys.executable, "-c", script], env=environment, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
