"""Work on what all lanes share is done once a call, and changes nothing but the time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from array_api_compat import array_namespace

import engine
from backends.fused.codegen import emit
from engine import Param, Problem
from engine.solvers import GradientDescent

RNG = np.random.default_rng(8)
X = np.linspace(0.1, 2.0, 12)
Y = RNG.uniform(0.5, 2.0, (40, 12))
WANTED = RNG.uniform(size=12) > 0.4


def waves(weights: np.ndarray) -> Problem:
    """A fit whose columns rest on x, on a truth for each point and on a captured array; only the residual is a lane's own."""

    def residual(a: Any, b: Any, x: Any, y: Any) -> Any:
        xp = array_namespace(x)
        columns = xp.where(xp.cumulative_sum(xp.exp(-x) * weights) > 1.0, xp.sin(3 * x), xp.exp(x) @ xp.eye(12, dtype=x.dtype))
        return a * columns + b * xp.sqrt(x) - y

    return Problem(name="waves", data={"x": "n", "y": "n"}, params={"a": Param("", start=1.0), "b": Param("", start=0.5)},
                   residual=residual)  # fmt: skip


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", [None, GradientDescent(0.05, momentum=0.5)])
def test_a_shared_datum_gives_what_a_copy_for_each_lane_gives(solver: Any, dtype: Any) -> None:
    problem = waves(WANTED.astype(dtype))
    x, y = X.astype(dtype), Y.astype(dtype)
    steps: dict[str, Any] = {} if solver is None else dict(tol=0, max_steps=50)
    shared = engine.solve(problem, {"x": x, "y": y}, solver=solver, backend="fused", **steps)
    own = engine.solve(problem, {"x": np.tile(x, (40, 1)), "y": y}, solver=solver, backend="fused", **steps)
    rounding = 2000 * float(np.finfo(dtype).eps)
    for name in "ab":
        np.testing.assert_allclose(shared[name], own[name], rtol=rounding, atol=rounding)
    assert (shared.status == own.status).all()


def test_shared_numbers_are_read_at_every_call() -> None:
    weights = WANTED.astype(np.float64)
    problem, eager = waves(weights), waves(weights)
    for change in (1.0, 0.25, 4.0):
        weights *= change
        found = engine.solve(problem, {"x": X * change, "y": Y}, backend="fused")
        expected = engine.solve(eager, {"x": X * change, "y": Y}, backend="torch")
        np.testing.assert_allclose(found["a"], expected["a"], rtol=1e-9)


def test_lanes_do_not_compute_what_is_shared(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, set[str]]] = []
    body = emit.Emitter.body

    def noted(self: Any) -> str:
        array = next((place.array for _, place in self.outputs), "")
        seen.append((array, {node.name for node in self.nodes}))
        return body(self)

    monkeypatch.setattr(emit.Emitter, "body", noted)
    engine.solve(waves(WANTED.astype(np.float64)), {"x": X, "y": Y}, backend="fused", max_steps=1)
    once = set.union(*(names for array, names in seen if array == "h"))
    lanes = set.union(*(names for array, names in seen if array != "h"))
    assert {"exp", "sin", "sqrt"} <= once and not {"exp", "sin"} & lanes


def test_everything_shared_is_one_lane() -> None:
    found = engine.solve(waves(WANTED.astype(np.float64)), {"x": X, "y": Y[0]}, backend="fused")
    expected = engine.solve(waves(WANTED.astype(np.float64)), {"x": X, "y": Y[:1]}, backend="torch")
    np.testing.assert_allclose(found["a"], expected["a"][0], rtol=1e-9)
