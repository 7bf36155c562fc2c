"""Emitted CUDA runs on the CPU: the text is a kernel's own, behind a shim header, and its answers are those of the CPU's kernels.

Without fused multiply-adds the same operations give the same bits, for all that is made of sums, products, quotients and roots; C's
own exp and log differ from the kernels' in the last bits.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import backends
import engine
import problems
from backends.fused.build.target import host_target
from backends.fused.run import iterate
from engine.solvers import LBFGS, GradientDescent, Newton
from tests.cuda import shim

RNG = np.random.default_rng(3)


@pytest.fixture(autouse=True)
def shim_backend(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The backend "shim", and no fused multiply-adds on either side."""
    target = host_target()
    for module in (iterate, shim):
        monkeypatch.setattr(module, "host_target", lambda: replace(target, flags=(*target.flags, "-ffp-contract=off")))
    monkeypatch.setitem(backends.NAMES, "shim", "tests.cuda.shim")
    yield


def matrices(lanes: int, n: int, dtype: str) -> np.ndarray:
    """Matrices around the identity, the second one broken, the fourth one zero."""
    A: np.ndarray = (np.eye(n) + 0.2 * RNG.standard_normal((lanes, n, n)) / np.sqrt(n)).astype(dtype)
    A[1, 0, 0], A[3] = np.nan, 0
    return A


def same(a: engine.Solution, b: engine.Solution) -> None:
    """The same bits in everything a lane has."""
    for name in a.params:
        np.testing.assert_array_equal(a[name], b[name])
    for figure in ("status", "steps", "loss", "residual"):
        np.testing.assert_array_equal(getattr(a, figure), getattr(b, figure), err_msg=figure)


@pytest.mark.parametrize(
    ("solver", "dtype"),
    [(GradientDescent(0.9, momentum=0.9), "float32"), (None, "float64"), (LBFGS(), "float32"), (Newton(), "float64")],
    ids=["gd", "default", "lbfgs", "newton"],
)
def test_the_answer_has_the_bits_of_the_cpu_s_kernel(solver: Any, dtype: str) -> None:
    problem, A = problems.inverse.__wrapped__(), matrices(300, 2, dtype)
    options: dict[str, Any] = dict(solver=solver, max_steps=300, history=3)
    fused, found = (engine.solve(problem, A, backend=name, **options) for name in ("fused", "shim"))
    assert engine.Status.NONFINITE_INPUT in fused.counts() and fused.converged.any() and np.ptp(fused.steps) > 2
    same(found, fused)
    np.testing.assert_array_equal(found.history, fused.history)
