"""Published benchmarks come from a committed report, and the peers solve the same problem."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
import torch

from bench import conftest, measure, peak, peers, report, tables
from bench.test_inverse import BACKENDS, batch, run_backend
from bench.test_scale import MIB, RESOLUTION, peak_extra

COMMITTED = json.loads(report.REPORT.read_text())


def test_the_readme_has_the_table_of_the_committed_report() -> None:
    readme = (report.ROOT / "README.md").read_text()
    assert report.with_table(readme, COMMITTED) == readme
    changed = json.loads(json.dumps(COMMITTED))
    report.suite(changed, "inverse")[0]["ns_per_matrix_step"] *= 3
    assert report.with_table(readme, changed) != readme


def row(suite: str, runner: str, **own: Any) -> dict[str, Any]:
    base = {"suite": suite, "runner": runner, "dtype": "float32", "n": 4, "matrices": 10, "steps": 2, "share_of_peak": 0.5}
    return base | {"peak_gflops": 200.0, "gflops": 100.0, "ns_per_matrix_step": 3.0} | own


def test_every_suite_of_a_run_has_its_table_and_its_figures_in_it() -> None:
    floor = {"exponentials_ns": 1.0, "floor_ns": 0.0, "times_floor": 0.0}
    steps = row("steps", "rank 3", useful_flops=1472, counted_flops=1604, formula="6 m n r", **floor)
    scale = row("scale", "lanewise fused", matrices=10**7, ns_per_matrix=123.0, seconds=1.2, output_mib=800.0, extra_mib=7.25)
    pair = {
        "problem": "svd",
        "n": 8,
        "dtype": "float64",
        "certified": 1.0,
        "steps_median": 2.0,
        "steps_99": 4.0,
        "compile_s": 1.5,
    }
    ours = row("decompositions", "lanewise fused", us_per_matrix=2.0, **pair)
    theirs = row("decompositions", "torch.linalg", us_per_matrix=7.0, **pair)
    fit = {"model": "decay", "fits": 50, "us_per_fit": 4.0, "fits_per_s": 250_000.0, "certified": 0.5, "compile_s": 2.0}
    more = [ours, theirs, row("curve fits", "scipy", steps=float("nan"), **fit), row("curve fits", "lanewise", steps=9.5, **fit)]
    rows = [
        *more,
        row("inverse", "lanewise torch", gflops=6.0),
        row("avx2", "lanewise fused", gflops=142.0),
        steps,
        scale,
    ]
    run = {"machine_info": COMMITTED["machine"], "commit_info": {}, "datetime": "2026-01-02T", "benchmarks": []}
    run["benchmarks"] = [{"extra_info": r} for r in [*rows, {"other": 1}]]
    text = tables.performance(report.slim(run))
    for words in ("| lanewise torch | float32 | 3% |", "| lanewise fused | float32 | 71% |", "6 m n r | 1,472 | 1,604 |"):
        assert words in text
    assert "| svd | 8 | 2 | 7 | 3.5 | 100% | 2 | 4 | 1.5 |" in text
    assert "| decay | scipy | float32 | 50 | 4 | 250,000 | 50% |  | 2.0 |" in text
    assert "| 1,472 | 1,604 | 3 | 50% | 8.36 | 0.36 |" in text  # 1472 / 200 and 1 beside them; 3 of them
    assert "| 10,000,000 | 123 | 1.2e+03 | 800.0 | 7.25 |" in text
    assert "AVX2" not in tables.performance(report.slim(run) | {"rows": rows[4:5]})
    (kept,) = report.suite(report.slim(run), "steps")
    assert kept | {"floor_ns": 0.0, "times_floor": 0.0} == steps


def test_shares_of_a_table_are_of_one_peak_the_highest_that_its_rows_saw() -> None:
    early, late = row("inverse", "a", gflops=90.0, peak_gflops=180.0), row("inverse", "b", gflops=90.0, peak_gflops=225.0)
    others = [row("avx2", "a", peak_gflops=900.0), row("inverse", "a", dtype="float64", gflops=50.0, peak_gflops=100.0)]
    found = [report.against(one, [early, late, *others]) for one in (early, late, *others)]
    assert [one["share_of_peak"] for one in found] == [0.4, 0.4, 100 / 900, 0.5]
    assert [one["peak_gflops"] for one in found] == [225.0, 225.0, 900.0, 100.0]


def test_the_peak_is_measured_by_each_call_and_the_highest_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_peaks", {})
    for now, kept in [(100.0, 100.0), (230.0, 230.0), (150.0, 230.0)]:
        monkeypatch.setattr(peak, "gflops", lambda dtype, isa, now=now: now)
        assert measure.highest("float32") == kept


@pytest.mark.parametrize(("seconds", "times"), [(3.0, 3), (0.9, 5), (0.3, 5), (0.1, 10), (0.02, 50), (1e-4, 200), (0.0, 200)])
def test_a_row_takes_a_second_within_limits(seconds: float, times: int) -> None:
    assert measure.rounds(seconds) == times


def test_memory_is_seen_that_is_kept_and_that_a_call_frees_again() -> None:
    source = torch.rand(max(2**21, 2 * RESOLUTION))  # 8 MiB or more
    size = source.numel() * source.element_size()

    def kept() -> torch.Tensor:
        return source + 1

    def copied() -> torch.Tensor:
        return source.clone() + 1

    for call, arrays in [(kept, 1), (copied, 2)]:
        call()  # the first of a process loads code
        found, extra = peak_extra(call)
        assert found.shape == source.shape
        assert abs(extra - arrays * size) < RESOLUTION + MIB / 2


def test_memory_is_not_known_where_the_system_does_not_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.test_scale.status", lambda name: (_ for _ in ()).throw(LookupError(name)))
    found, extra = peak_extra(lambda: 1)
    assert found == 1 and math.isnan(extra)
    none = row("scale", "lanewise fused", ns_per_matrix=123.0, seconds=1.2, output_mib=800.0, extra_mib=extra)
    assert "| 800.0 |  |" in tables.performance(COMMITTED | {"rows": [none]})


def test_the_page_on_performance_has_the_tables_of_the_committed_report() -> None:
    for page, text in report.PAGES.items():
        assert report.with_table(page.read_text(), COMMITTED, text) == page.read_text()


def test_the_figure_has_the_inverse_alone() -> None:
    more = COMMITTED | {"rows": [*COMMITTED["rows"], row("steps", "rank 3", n=None)]}
    assert "rank 3" not in {trace.name for trace in report.figure(more).data}


def test_the_site_draws_the_figure_of_the_committed_report() -> None:
    drawn = report.figure(COMMITTED)
    assert json.loads(report.DATA.read_text()) == json.loads(drawn.to_json())
    runners = [trace for trace in drawn.data if trace.showlegend and trace.name != "bare multiply-adds"]
    assert len({trace.line.color for trace in runners}) == len(runners) == 8


def test_a_readme_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="bench:begin"):
        report.with_table("# no table here", COMMITTED)


def test_the_report_names_no_machine_and_no_path() -> None:
    assert set(COMMITTED["machine"]) == {"machine", "python_version", "cpu", "torch", "threads"}
    texts = [text for row in COMMITTED["rows"] for text in row.values() if isinstance(text, str)]
    assert not [text for text in [*texts, *map(str, COMMITTED["machine"].values())] if "/" in text]


def test_machine_and_commit_are_stripped_before_they_are_stored(pytestconfig: Any) -> None:
    machine: dict[str, Any] = {"node": "host", "python_executable": "/x", "machine": "m", "cpu": {"brand_raw": "b", "hz": 1}}
    conftest.pytest_benchmark_update_machine_info(pytestconfig, machine)
    assert "node" not in machine and "python_executable" not in machine and machine["cpu"] == {"brand_raw": "b"}
    commit: dict[str, Any] = {"id": "1", "branch": "b", "project": "/x", "time": "t", "dirty": False}
    conftest.pytest_benchmark_update_commit_info(pytestconfig, commit)
    assert set(commit) == {"id", "time", "dirty"}


def test_every_size_and_runner_of_the_report_has_a_point_in_the_figure() -> None:
    drawn = [(trace.name, n, rate) for trace in report.figure(COMMITTED).data for n, rate in zip(trace.x, trace.y, strict=True)]
    for row in report.suite(COMMITTED, "inverse"):
        assert (row["runner"], row["n"], row["gflops"]) in drawn


@pytest.mark.parametrize("name", ["plain loop", "eager vmap(grad)", "baddbmm by hand"])
def test_a_peer_takes_the_steps_that_the_engine_takes(name: str) -> None:
    A, start = batch(3, 4, "float64")
    expected = run_backend("torch", A, start, 40)["X"]
    np.testing.assert_allclose(peers.PEERS[name](A, start, 40), expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("step", [peers._step_batch_first, peers._step_batch_last])
def test_the_step_that_a_peer_compiles_is_the_engines(step: Any) -> None:
    A, start = batch(3, 4, "float64")
    A, X = A.double(), start.double()
    expected = run_backend("torch", A, X, 1)["X"]
    if step is peers._step_batch_last:
        A, X = A.permute(1, 2, 0), X.permute(1, 2, 0)
    found, _ = step(A, X, torch.zeros_like(X), torch.tensor(peers.RATE, dtype=torch.float64))
    found = found.permute(2, 0, 1) if step is peers._step_batch_last else found
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)


def test_the_peak_kernel_compiles_and_stays_finite() -> None:
    assert peak.library().bytes() in (16, 32, 64)
    assert peak.gflops("float32", rounds=1000, repeats=1) > 0
    assert np.isfinite(peak.library().run_float64(10)) and np.isfinite(peak.library().run_float32(10))


def test_a_new_backend_joins_the_suite_by_itself() -> None:
    assert {"lanewise torch", "lanewise inductor"} <= set(BACKENDS) and "lanewise numpy" not in BACKENDS
