"""Packs of torch's lanes: what one takes of memory, and lanes that go one pack after the other."""

from __future__ import annotations

import subprocess
import sys
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import engine
from backends.torch import iterate
from backends.torch.recorder import LARGE, record_graph
from backends.torch.trace import Traced
from engine import Problem

ROOT = Path(__file__).parents[1]
A = np.eye(3) + 0.1 * np.random.default_rng(0).standard_normal((23, 3, 3))
A[4, 0, 0] = np.nan


def solve(**options: Any) -> engine.Solution:
    """By a problem that nothing was prepared for yet."""
    inverse = Problem(
        name="own inverse", data={"A": "n n"}, params={"X": "n n"}, residual=lambda X, A: X @ A - engine.eye_like(A), exact=True
    )
    return engine.solve(inverse, A, backend="torch", history=True, **options)


def test_lanes_in_parts_are_those_of_one_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, told = solve(), list[int]()
    monkeypatch.setattr(iterate, "MEMORY", 60_000)
    made = iterate.TorchExecutable._in_parts

    def telling(self: Any, inputs: Any, run: Any) -> Any:
        told.append(run.lanes)
        return made(self, inputs, run)

    monkeypatch.setattr(iterate.TorchExecutable, "_in_parts", telling)
    parts = solve()
    assert told == [23]
    np.testing.assert_array_equal(parts.status, whole.status)
    np.testing.assert_array_equal(parts.history, whole.history)
    for name in ("X", "loss", "residual", "steps"):
        np.testing.assert_array_equal(*(s["X"] if name == "X" else getattr(s, name) for s in (parts, whole)))
    assert parts.lane_steps == whole.lane_steps


def test_the_peak_is_of_what_is_alive_at_once() -> None:
    def chain(x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = x[:, None] * x
        for _ in range(20):
            y = y * 1.5
        return {"sum": y.sum()}

    lanes = [(torch.rand(100, dtype=torch.float64, generator=torch.Generator().manual_seed(k)),) for k in (1, 2)]
    assert 2 * 8 * 100**2 <= Traced(chain, lanes).peak() <= 2.1 * 8 * 100**2


def test_large_numbers_of_a_trace_are_given_up() -> None:
    made: list[weakref.ref[torch.Tensor]] = []
    alive: list[int] = []

    def chain(x: torch.Tensor) -> list[torch.Tensor]:
        for _ in range(50):
            x = x * 1.5
            made.append(weakref.ref(x))
            alive.append(sum(tensor() is not None for tensor in made))
        return [x]

    graph, _ = record_graph(chain, [torch.rand(LARGE + 1)])
    assert max(alive) == 1
    values = [n.meta["val"] for n in graph.graph.nodes if n.op == "call_function"]
    assert len(values) == 50 and all(v.shape == (LARGE + 1,) and v.dtype == torch.float32 for v in values)


def test_who_asks_for_a_stand_in_s_module_gets_it_whole() -> None:
    """Modules that torch would load while it finds shapes are not loaded; a declared function that wants one itself finds it."""
    code = """
import sys, torch
from backends.torch.no_dynamo import no_dynamo
with no_dynamo():
    torch.zeros(3, device="meta") + torch.zeros((), device="meta")
    early = "sympy.core" in sys.modules
    from sympy import Symbol
    from torch.fx.experimental.symbolic_shapes import ShapeEnv
import sympy, torch.fx.experimental.symbolic_shapes as shapes
print(early, sympy.Symbol is Symbol, shapes.ShapeEnv is ShapeEnv, sympy.core.Symbol is Symbol)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True", "True", "True"]


def test_what_changes_a_shape_in_place_is_recorded_as_a_view() -> None:
    """torch's rules for batches do so; a graph without mutation need not be traced again."""
    graph, (result,) = record_graph(lambda x: [x.clone().squeeze_(0)], [torch.rand(1, 3)])
    clone, squeezed = (n for n in graph.graph.nodes if n.op == "call_function")
    assert squeezed.target is torch.ops.aten.squeeze.dim and squeezed.args == (clone, 0)
    assert clone.meta["val"].shape == (1, 3) and squeezed.meta["val"].shape == result.shape == (3,)
