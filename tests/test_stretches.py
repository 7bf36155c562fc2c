"""Functions cut into functions of their own, stretches and branches: what each reads is handed on, and no answer changes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import backends.fused.codegen.emit as emit
import engine
import problems
from engine.solvers import LevenbergMarquardt
from tests.toolchain import own_cache

RNG = np.random.default_rng(5)
SQUARES = RNG.normal(size=(11, 3, 3))
SQUARES[2] = 1.0  # singular
SQUARES[7] = np.nan
X = np.linspace(0.0, 3.0, 14)
DECAYS = 2 * np.exp(-X * RNG.uniform(0.5, 1.5, (11, 1))) + 0.3 + 0.01 * RNG.normal(size=(11, 14))
DECAYS[4] = 1.0  # one of the parameters has no effect


def decay(x: Any, a: Any, b: Any, c: Any) -> Any:
    return a * np.exp(-b * x) + c


CASES: dict[str, Callable[[], engine.Solution]] = {
    "inverse": lambda: engine.solve(replace(problems.inverse()), SQUARES, solver=LevenbergMarquardt(), backend="fused"),
    "svd": lambda: engine.solve(replace(problems.svd()), SQUARES, backend="fused", max_steps=3),
    "fit": lambda: engine.solve(
        problems.curve_fit(decay), {"x": X, "y": DECAYS}, start=dict.fromkeys("abc", 1.0), backend="fused"
    ),
    "fit of single precision": lambda: engine.solve(
        problems.curve_fit(decay), {"x": np.float32(X), "y": np.float32(DECAYS)}, start=dict.fromkeys("abc", 1.0), backend="fused"
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_answers_do_not_depend_on_where_a_function_is_cut(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own_cache(tmp_path, monkeypatch)
    monkeypatch.setenv("LANEWISE_OPT", "1")
    whole, counts = CASES[name](), list[int]()
    body = emit.Emitter.body

    def counted(self: emit.Emitter) -> str:
        text = body(self)
        counts.append(len(self.outlined))
        return text

    monkeypatch.setattr(emit, "LONG_FLOPS", 0)
    monkeypatch.setattr(emit, "STRETCH", 400)
    monkeypatch.setattr(emit.Emitter, "body", counted)
    cut = CASES[name]()
    assert max(counts) >= 5
    np.testing.assert_array_equal(cut.status, whole.status)
    np.testing.assert_array_equal(cut.steps, whole.steps)
    eps = np.finfo(np.asarray(whole.loss).dtype).eps
    for param in whole.params:
        np.testing.assert_allclose(cut[param], whole[param], rtol=1e4 * eps, atol=1e4 * eps)
