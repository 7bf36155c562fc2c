"""The contract on narrower vectors than the processor's widest: what most users' machines have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from backends.fused.build.target import host_names

ROOT = Path(__file__).parents[1]
ROWS = "(faulty or exact_backend) and (inverse-gd-fused or robust_mean-gd-fused) or faulty and robust_mean-gd-inductor"
"""Tests of the contract: a fault elsewhere, on each native backend; and alone, permuted and at any size."""


@pytest.mark.skipif(host_names()[0] != "avx512", reason="the processor's own vectors are as narrow, or of another kind")
def test_the_contract_holds_on_avx2(tmp_path: Path) -> None:
    narrow = {"LANEWISE_ISA": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "LANEWISE_CACHE": str(tmp_path)}
    command = [sys.executable, "-m", "pytest", "-q", "tests/test_contract.py", "-k", ROWS]
    found = subprocess.run(command, cwd=ROOT, env=os.environ | narrow, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout[-5000:]
    assert "passed" in found.stdout


def test_a_place_in_a_pack_of_whole_vectors_rounds_no_lane() -> None:
    """Inductor's code for lanes in every place of a vector, of packs of any size."""
    import numpy as np

    import engine
    from engine.solvers import GradientDescent
    from tests.contract import ROBUST_MEAN

    A = np.random.default_rng(5).standard_normal((1, 2, 2)).repeat(37, axis=0)
    for lanes in (2, 5, 16, 17, 37):
        found = engine.solve(ROBUST_MEAN, A[:lanes], solver=GradientDescent(0.5), backend="inductor", tol=0, max_steps=20)
        assert (found["c"] == found["c"][0]).all(), lanes
