"""The lane compiler as a whole: lanes keep their bits wherever they stand, nothing waits, nothing stale is run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace

import engine
import problems
from backends.fused import BACKEND
from backends.fused.build import parts, toolchain
from backends.fused.lowering.aten import LOWERINGS
from backends.fused.run import iterate
from engine import Param, Problem, Status
from engine.errors import Unsupported
from engine.solvers import Adam, GradientDescent

SGD = GradientDescent(0.9, momentum=0.9)
ROOT = Path(__file__).parent.parent


def solve(problem: Problem, data: Any, **options: Any) -> engine.Solution:
    return engine.solve(problem, data, **{"solver": SGD, "backend": "fused", "max_steps": 600, "tol": 1e-3, **options})


def matrices(lanes: int, n: int = 4, dtype: str = "float64", spread: float = 0.2) -> np.ndarray:
    rng = np.random.default_rng(5)
    made: np.ndarray = np.eye(n) + spread * rng.standard_normal((lanes, n, n)) / np.sqrt(n)
    return made.astype(dtype)


def same(a: engine.Solution, i: Any, b: engine.Solution, j: Any) -> None:
    for name in a.params:
        np.testing.assert_array_equal(a[name][i], b[name][j])
    for figure in ("status", "steps", "loss", "residual"):
        np.testing.assert_array_equal(getattr(a, figure)[i], getattr(b, figure)[j], err_msg=figure)


@pytest.fixture
def threads() -> Iterator[Any]:
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_a_lane_has_the_same_bits_alone_in_ten_thousand_permuted_and_on_two_threads(dtype: str, threads: Any) -> None:
    A = matrices(10_000, dtype=dtype, spread=0.5)
    A[100] = np.nan
    A[200, 1, 1] = np.inf
    A[300] = 0
    A[400] = 1e300 if dtype == "float64" else 1e30
    threads(1)
    whole = solve(problems.inverse(), A)
    assert len(np.unique(whole.steps)) > 3  # lanes end at different steps, so slots are refilled
    threads(2)
    same(solve(problems.inverse(), A), ..., whole, ...)
    order = np.random.default_rng(1).permutation(len(A))
    same(solve(problems.inverse(), A[order]), ..., whole, order)
    for lane in (0, 99, 7777):
        same(solve(problems.inverse(), A[lane]), (), whole, lane)
        same(solve(problems.inverse(), A[lane : lane + 1]), 0, whole, lane)
    assert whole.status[100] == whole.status[200] == Status.NONFINITE_INPUT


def test_a_limit_between_two_tests_stops_every_lane_exactly_there() -> None:
    A = matrices(500, spread=0.5)
    A[::7] = 1e200  # these leave at once, so that lanes of a block are at different steps
    solution = solve(problems.inverse(), A, max_steps=37, tol=1e-12)
    rest = np.arange(500) % 7 != 0
    assert (solution.steps[rest] == 37).all() and (solution.status[rest] == Status.MAX_STEPS).all()
    same(solve(problems.inverse(), A[1:7], max_steps=37, tol=1e-12), ..., solution, slice(1, 7))


def test_a_history_changes_no_bit_and_ends_with_the_lane() -> None:
    A = matrices(100, spread=0.4)
    plain, told = solve(problems.inverse(), A), solve(problems.inverse(), A, history=3)
    same(plain, ..., told, ...)
    rows = np.isfinite(told.history).sum(axis=1)
    np.testing.assert_array_equal(rows, -(-told.steps // 3))
    one = solve(problems.inverse(), A[17], history=True).history
    np.testing.assert_array_equal(told.history[17][: rows[17]], one[::3])


@pytest.mark.parametrize("kind", ["transposed", "sliced", "reversed", "read-only", "expanded"])
def test_any_strides_are_read_in_place(kind: str) -> None:
    A = matrices(40)
    views = {
        "transposed": np.ascontiguousarray(A.transpose(1, 2, 0)).transpose(2, 0, 1),
        "sliced": np.repeat(A, 2, axis=0)[::2],
        "reversed": A[::-1].copy()[::-1],
        "read-only": A.copy(),
        "expanded": np.broadcast_to(A[:1], A.shape),
    }
    views["read-only"].flags.writeable = False
    given = views[kind]
    same(solve(problems.inverse(), given), ..., solve(problems.inverse(), np.ascontiguousarray(given).copy()), ...)


def test_no_lane_waits_for_the_slowest() -> None:
    rng = np.random.default_rng(0)
    rates = np.exp(rng.uniform(np.log(0.01), np.log(0.6), 10_000))
    pull = Problem(
        name="pull", data={"k": "", "b": ""}, params={"x": Param("", start=0.0)}, residual=lambda x, k, b: k * (x - b), exact=True
    )
    solution = engine.solve(
        pull, {"k": rates**0.5, "b": rates * 0 + 1}, solver=GradientDescent(0.5), backend="fused", max_steps=1000
    )
    assert solution.steps.min() <= 48 and solution.steps.max() == 1000
    assert solution.lane_steps <= 1.1 * solution.steps.sum()


def _doubled(factor: float) -> Problem:
    return Problem(
        name="scaled", data={"A": "n"}, params={"x": Param("n", start="zeros")}, residual=lambda x, A: x - factor * A, exact=True
    )


def test_two_problems_of_one_line_keep_their_own_numbers() -> None:
    A = np.ones((3, 2))
    found = [solve(_doubled(factor), A)["x"] for factor in (2.0, 3.0, 2.0)]
    for factor, x in zip((2.0, 3.0, 2.0), found, strict=True):
        np.testing.assert_allclose(x, factor, rtol=1e-2)


def test_a_captured_array_is_read_at_every_call_and_weights_and_settings_compile_nothing(monkeypatch: Any) -> None:
    built: list[int] = []
    build = toolchain.build

    def counted(*arguments: Any) -> Any:
        built.append(1)
        return build(*arguments)

    monkeypatch.setattr(iterate, "build", counted)
    shift, index = np.zeros(2), np.array([1, 0])
    problem = Problem(
        name="shifted",
        data={"A": "n"},
        params={"x": Param("n", start="zeros")},
        residual=lambda x, A: x[index] - A - shift,
        exact=True,
    )
    A = np.arange(6.0).reshape(3, 2)
    np.testing.assert_allclose(solve(problem, A)["x"], A[:, ::-1], rtol=1e-9, atol=1e-2)
    shift[:] = 5
    np.testing.assert_allclose(solve(problem, A)["x"], A[:, ::-1] + 5, rtol=1e-2)
    for options in ({"tol": 1e-6}, {"max_steps": 7}, {"seed": 3}, {"solver": GradientDescent(0.3, momentum=0.5)}):
        solve(problem, A, **options)
    solve(problem, np.ones((1000, 2)))
    assert len(built) == 1


def _helper(x: Any) -> Any:
    return 2 * x


def test_an_edited_helper_is_seen_by_a_new_problem(monkeypatch: Any) -> None:
    def declared() -> Problem:
        return Problem(
            name="helped", data={"A": "n"}, params={"x": Param("n", start="zeros")}, residual=lambda x, A: _helper(x) - A
        )

    A = np.ones((2, 3))
    np.testing.assert_allclose(solve(declared(), A, solver=GradientDescent(0.1))["x"], 0.5, rtol=1e-2)
    monkeypatch.setitem(globals(), "_helper", lambda x: 4 * x)
    np.testing.assert_allclose(solve(declared(), A, solver=GradientDescent(0.05))["x"], 0.25, rtol=1e-2)


def test_weights_reach_the_kernel_as_numbers() -> None:
    def blocks(x: Any, a: Any, b: Any) -> Any:
        return {"a": x - a, "b": x - b}

    fields: dict[str, Any] = {"data": {"a": "", "b": ""}, "params": {"x": Param("", start=0.0)}, "residual": blocks}
    data = {"a": np.zeros(3), "b": np.ones(3)}
    for weight in (1.0, 3.0):
        problem = Problem(name="blocks", weights={"a": 1.0, "b": weight}, **fields)
        x = solve(problem, data, solver=GradientDescent(0.05), max_steps=2000, tol=1e-9)["x"]
        np.testing.assert_allclose(x, weight / (1 + weight), rtol=1e-6)


def test_adam_and_a_plain_loss_with_functions_agree_with_eager_torch() -> None:
    def loss(c: Any, w: Any, A: Any) -> Any:
        xp = array_namespace(A)
        return xp.mean(xp.log(xp.cosh(A - c)) + xp.exp(-(w**2)) * xp.sin(A * w) + xp.abs(w) ** 1.5)

    problem = Problem(name="functions", data={"A": "n m"}, params={"c": Param("m"), "w": Param("n 1")}, loss=loss)
    data = np.random.default_rng(3).standard_normal((20, 3, 4))
    a, b = (engine.solve(problem, data, solver=Adam(0.01), backend=name, tol=0, max_steps=150) for name in ("fused", "torch"))
    for name in a.params:
        np.testing.assert_allclose(a[name], b[name], rtol=1e-11, atol=1e-12)


SCRIPT = """
import numpy as np, engine, problems
A = np.eye(3) + 0.1 * np.arange(45.0).reshape(5, 3, 3) / 45
s = engine.solve(problems.inverse(), A, max_steps=3000)
assert np.abs(s["X"] @ A - np.eye(3)).max() < 1e-9, s.summary()
print(s.plan.backend, "|", s.plan.why, "|", s.plan.kernel)
"""


def run(tmp_path: Path, **environment: str) -> str:
    found = subprocess.run(
        [sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=False,
        env={**os.environ, "LANEWISE_CACHE": str(tmp_path / "cache"), **environment},
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout


def test_without_a_compiler_the_answer_comes_from_another_backend_and_the_plan_says_why(tmp_path: Path) -> None:
    told = run(tmp_path, CXX="/nonexistent/c++", PATH=str(tmp_path))
    assert told.split(" | ")[0] != "fused" and "fused cannot" in told and "compiler" in told


def test_the_plan_says_why_a_kernel_was_not_kept_in_the_cache(tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache").chmod(0o777)
    assert "compiled in" in (told := run(tmp_path)) and "; others may write" in told


@pytest.mark.parametrize("isa", ["avx2", "plain"])
def test_a_restricted_instruction_set_gives_the_answer_too(isa: str, tmp_path: Path) -> None:
    from backends.fused.build import target

    if isa not in target.host_names():
        pytest.skip(f"this processor does not run {isa}")
    assert f"native, {isa}" in run(tmp_path, LANEWISE_ISA=isa)


def test_an_operation_without_lowering_goes_to_the_next_backend_or_is_named() -> None:
    problem = Problem(
        name="bessel", data={"A": "n"}, params={"x": Param("n", start="zeros")},
        loss=lambda x, A: ((x - A) ** 2).sum() + torch.special.i0e(x).sum(),
    )  # fmt: skip
    with pytest.raises(TypeError, match=r"i0e.*backend='auto'"):
        solve(problem, np.ones((2, 3)))
    solution = engine.solve(problem, np.ones((2, 3)), solver=GradientDescent(0.1), max_steps=300)
    assert solution.plan.backend != "fused" and "i0e" in solution.plan.why and solution.converged.all()


def _bessel(x: Any) -> Any:
    y = torch.sin(x)
    return torch.special.i0e(y)  # the line


@pytest.mark.parametrize(
    "transform", [lambda f: f, torch.func.grad, torch.func.hessian, lambda f: lambda x: torch.func.jvp(f, (x,), (x,))]
)
def test_an_operation_without_lowering_is_told_by_the_line_that_calls_it(transform: Any) -> None:
    function = transform(lambda x: (_bessel(x) * torch.cos(x)).sum())
    with pytest.raises(Unsupported, match=r"aten\.special_i0e: .*, at tests.test_fused\.py:\d+: return .*# the line$"):
        BACKEND.map_lanes(function)(torch.ones(2, 3))


def test_reverse_modes_own_operations_are_told_by_the_line_that_they_differentiate(monkeypatch: Any) -> None:
    without = {name: rule for name, rule in LOWERINGS.items() if name != "cos"}
    monkeypatch.setattr(
        "backends.fused.lowering.lower.LOWERINGS", without
    )  # as if cosines, which gradients of sines are, had none
    with pytest.raises(Unsupported, match=r"aten\.cos: .* y = torch\.sin\(x\)$"):
        BACKEND.map_lanes(torch.func.grad(lambda x: torch.exp(_sine(x)).sum()))(torch.ones(2, 3))


def _sine(x: Any) -> Any:
    y = torch.sin(x)
    return y * 2


def test_the_plan_names_the_line_of_a_loss() -> None:
    problem = Problem(
        name="bessel", data={"A": "n"}, params={"x": Param("n", start="zeros")}, loss=lambda x, A: ((_bessel(x) - A) ** 2).sum()
    )
    solution = engine.solve(problem, np.ones((2, 3)), solver=GradientDescent(0.1), max_steps=3)
    assert "fused cannot: aten.special_i0e" in solution.plan.why and "test_fused.py" in solution.plan.why


def test_an_operation_that_torch_makes_of_writing_in_place_is_traced_as_new_arrays() -> None:
    x, w = torch.randn(4, 3, 2, dtype=torch.float64), torch.randn(4, 3, 2, dtype=torch.float64)
    found = BACKEND.map_lanes(lambda x, w: torch.nn.functional.cosine_similarity(x, w, dim=1))(
        x, w
    )  # its norms are clamped in place
    torch.testing.assert_close(found, torch.nn.functional.cosine_similarity(x, w, dim=2), rtol=1e-12, atol=0)


def test_no_lanes_and_no_axes() -> None:
    assert solve(problems.inverse(), np.zeros((0, 3, 3))).status.shape == (0,)
    assert solve(problems.inverse(), np.full((4, 1, 1), 1.25))["X"] == pytest.approx(np.full((4, 1, 1), 0.8), rel=1e-2)
    empty = solve(problems.inverse(), np.zeros((3, 0, 0)))
    assert (empty.status == Status.CONVERGED).all() and empty["X"].shape == (3, 0, 0)


def test_what_is_compiled_while_the_rest_is_traced_are_parts_of_the_kernel(monkeypatch: Any) -> None:
    begun: list[str] = []
    monkeypatch.setattr(toolchain.Parts, "begin", lambda self, text: begun.append(text))
    with monkeypatch.context() as patched:
        patched.setattr(iterate, "build", lambda source, *rest: pytest.fail(source, pytrace=False))
        patched.setattr(parts, "processors", lambda: 2)
        with pytest.raises(pytest.fail.Exception) as found:
            engine.solve(
                problems.curve_fit(lambda x, a: 3.0625 * a * x), {"x": np.ones(4), "y": np.ones((2, 4))}, backend="fused"
            )
    apart = parts.units(str(found.value.msg))
    assert len(begun) == 6 and set(begun) < set(apart) and len(apart) == 7  # branches of the certificate are a part of their own
